"""Make a year of half-hourly load and PV for new homes, look at it, and save it.

python examples/01_generate.py --homes 3 --seed 1
python examples/01_generate.py --homes 3 --out my-homes        # also writes Parquet
"""

import argparse
from pathlib import Path

import numpy as np

import hidiff


def main() -> None:
    """Generate, print a table of the homes and the mean day of the first."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=3, help="number of new homes")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same homes")
    parser.add_argument("--out", type=Path, help="folder for the traces as Parquet")
    parser.add_argument("--model", type=Path, help="model directory, instead of the shipped model")
    arguments = parser.parse_args()

    model = hidiff.load(arguments.model)
    traces = model.sample(homes=arguments.homes, years=1, start="2030-01-01", seed=arguments.seed)

    # load_kw and pv_kw are mean power over each half-hour, (home, step); time is the start of each, in UTC.
    print(f"{len(traces)} homes, {len(traces.time)} half-hours from {traces.time[0]}")
    table = traces.homes[["pv_capacity_kwp"]].copy()
    table["load_kwh"] = traces.load_kwh  # energy = power x dt_h, summed over the year
    table["pv_kwh"] = traces.pv_kwh
    table["peak_kw"] = traces.load_kw.max(axis=1)
    print(table.round(2).to_string())

    # The homes live by their own clock: UTC inside, local time to look at.
    hour = traces.time.tz_convert(traces.time_zone).hour
    print(f"\nmean day of {traces.names[0]} by local hour, one # is 0.1 kW of load, one o is 0.1 kW of PV")
    for h in range(0, 24, 2):
        at = np.asarray((hour == h) | (hour == h + 1))
        load_kw, pv_kw = (float(power[0, at].mean()) for power in (traces.load_kw, traces.pv_kw))
        print(f"{h:02d}-{h + 2:02d} h  {load_kw:5.2f} kW {'#' * round(10 * load_kw)}")
        if pv_kw > 0.05:
            print(f"{'':8} {pv_kw:5.2f} kW {'o' * round(10 * pv_kw)}")

    if arguments.out:
        print(f"\nwritten to {traces.to_parquet(arguments.out)}; Traces.from_parquet reads it back")


if __name__ == "__main__":
    main()
