"""Build a scenario set, keep a few of its scenarios, and see what a neighbourhood must be ready for.

python examples/04_scenario_study.py --homes 4 --scenarios 3
"""

import argparse

import numpy as np

from hidiff.home import Tariff
from hidiff.scenarios import find_extremes, reduce_set
from hidiff.scenarios.build import scenarios_of
from hidiff.scenarios.study import Distribution, Group, Population, Scenarios, SpanConfig, Study


def main() -> None:
    """Print the evening peak of every scenario that is kept, and the worst weeks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=4, help="number of homes")
    parser.add_argument("--scenarios", type=int, default=3, help="number of years that they may live")
    arguments = parser.parse_args()

    # The ten lines to change: who lives there, when, what it costs, how many scenarios.
    homes = Group(
        count=arguments.homes, annual_kwh=Distribution(mean=6500, spread=2000), pv_kwp=5.0, ev_share=0.5
    )
    study = Study(
        population=Population(groups=(homes,), seed=1),
        span=SpanConfig(start="2030-06-01", end="2030-09-01"),
        scenarios=Scenarios(count=arguments.scenarios, seed=7),
        tariff=Tariff.time_of_use(),
    )
    full = scenarios_of(study)  # nothing is made yet: values are made when they are read
    kept, reduction = reduce_set(full, max(arguments.scenarios - 1, 1))

    print(kept)
    print(
        f"kept {len(kept)} of {len(full)} scenarios, {reduction.relative_distance:.0%} of the distance of one alone"
    )
    together = kept.aggregate()
    for row, name in enumerate(kept.names):
        net_kw = (
            together.read("load_kw", row)[0] + together.read("ev_kw", row)[0] - together.read("pv_kw", row)[0]
        )
        bill = np.maximum(net_kw, 0) @ kept.read("import_price_per_kwh", row) * kept.dt_h
        print(
            f"{name}: probability {kept.probability[row]:.2f}, peak {net_kw.max():.1f} kW, winter's import {bill:,.0f}"
        )
    print(
        find_extremes(kept, ["peak", "cloudy"])[["kind", "scenario", "start", "value", "unit"]].to_string(
            index=False
        )
    )


if __name__ == "__main__":
    main()
