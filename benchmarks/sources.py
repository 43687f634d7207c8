"""What a reset costs: drawing a week's episode from each source, its device series and its forecasts.

    python benchmarks/sources.py --real DATA/ausgrid

Prints a Markdown table of processor time, median and 95th percentile of ``--draws`` draws (a hundredth of them for
ensembles), and the error of each forecast over its mean. Without ``--real``, synthetic homes stand in. The generator's
bank is made before its draws are timed; what a home costs to make is a row of its own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hidiff
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.envs.exogenous import device_exogenous
from hidiff.envs.forecasts import Forecast, error_of, forecasts
from hidiff.envs.sources import Source, TraceSource, Window
from hidiff.envs.sources_bootstrap import BootstrapSource
from hidiff.envs.sources_generated import GeneratedSource
from hidiff.envs.sources_given import ArraySource
from hidiff.envs.sources_scenarios import ScenarioSource
from hidiff.home import Appliance, ElectricCar, HeatPump, Home, HotWaterTank
from hidiff.scenarios.ev_scenarios import with_electric_cars
from hidiff.scenarios.scenario_set import ScenarioSet

WEEK = 336
WITHOUT_CAR = Home(heat_pump=HeatPump(), tank=HotWaterTank(), appliances=(Appliance(),) * 2)
HOME = Home(car=ElectricCar(), heat_pump=HeatPump(), tank=HotWaterTank(), appliances=(Appliance(),) * 2)


def cost_ms(call: Callable[[int], Any], count: int) -> tuple[float, float]:
    """Median and 95th percentile of the processor time of a call [ms]; the first one warms up."""
    call(0)
    taken = []
    for number in range(1, count + 1):
        begin = time.process_time()
        call(number)
        taken.append(1000 * (time.process_time() - begin))
    return float(np.median(taken)), float(np.quantile(taken, 0.95))


def past_days(window: Window, record: NDArray[Any], way: str) -> NDArray[Any]:
    """Other ways to take tomorrow from the past, ``(step, 48)``; each needs two weeks of record before the window."""
    local = window.record_time.tz_convert(window.time_zone)
    is_off = np.asarray(local.day_of_week >= 5)
    at = window.first + 1 + np.arange(window.steps)[:, None] + np.arange(48)
    lags = np.arange(1, 8) * 48
    values = record[at[..., None] - lags].astype(float)
    is_same = is_off[at[..., None] - lags] == is_off[np.minimum(at, len(is_off) - 1)][..., None]
    if way == "yesterday":
        return values[..., 0]
    if way == "the last day of the same type":
        return np.take_along_axis(values, is_same.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    used = is_same if way == "the mean of the week's days of the same type" else np.ones_like(is_same)
    return (values * used).sum(axis=-1) / used.sum(axis=-1)


WAYS = (
    "the mean of the week's days", "the mean of the week's days of the same type", "yesterday",
    "the last day of the same type",
)  # fmt: skip


def compare_past_days(traces: Traces) -> None:
    """Print how wrong each way is, over four weeks of every home."""
    source = TraceSource(traces, 4 * WEEK, history_days=14)
    random = np.random.default_rng(0)
    windows = [source.draw(random, home=name) for name in source.names]
    print(
        "\n| Persistence, 48 steps ahead, four weeks of each home | load error | PV error |\n|---|---:|---:|"
    )
    for way in WAYS:
        found = [
            error_of(
                {
                    "load_kw": past_days(window, window.record_load_kw, way),
                    "pv_kw": past_days(window, window.record_pv_kw, way),
                },
                window,
            )
            for window in windows
        ]
        load, pv = (np.nanmean([error[name] for error in found]) for name in ("load_kw", "pv_kw"))
        print(f"| {way} | {load:.3f} | {pv:.3f} |")


def homes(real: Path | None) -> Traces:
    """Forty homes without gaps over a year and a month, real ones where they are."""
    if real is None:
        return synthetic_homes(40, 400, "2012-06-01")
    from hidiff.data.ausgrid import read_traces

    traces = read_traces(real).between("2011-06-01", "2012-07-05")
    whole = np.isfinite(traces.load_kw).all(1) & np.isfinite(traces.pv_kw).all(1)
    return traces.select([name for name, is_whole in zip(traces.names, whole, strict=True) if is_whole][:40])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, help="folder of the real homes")
    parser.add_argument("--draws", type=int, default=300)
    choices = parser.parse_args()
    traces, count = homes(choices.real), choices.draws
    print(f"{len(traces)} {'real' if choices.real else 'synthetic'} homes; a week of 336 half-hours\n")
    with tempfile.TemporaryDirectory() as folder:
        stored = hidiff.open(traces.to_parquet(Path(folder) / "set"))
        chosen = with_electric_cars(ScenarioSet.from_traces(stored), seed=1)
        generated = GeneratedSource(WEEK, bank_homes=4, refresh_after=2 * count + 2)
        begin = time.process_time()
        first = next(iter(generated.homes(0, range(1)))).draw(np.random.default_rng(0))
        made_ms = 1000 * (time.process_time() - begin)
        generated.draw(np.random.default_rng(0))
        generated.close()
        sources: dict[str, Source] = {
            "traces in memory": TraceSource(traces, WEEK, history_days=60),
            "stored set": TraceSource(stored, WEEK),
            "generated, home in the bank": generated,
            "bootstrap": BootstrapSource(traces, WEEK),
            "scenario set, stored traces and cars": ScenarioSource(chosen, WEEK),
            "arrays": ArraySource({"load_kw": first.load_kw, "pv_kw": first.pv_kw}, time=first.time),
        }
        print("| Reset | median ms | 95 % ms |\n|---|---:|---:|")
        for name, source in sources.items():

            def draw(number: int, source: Source = source) -> Window:
                return source.draw(np.random.default_rng(number))

            print("| draw: {} | {:.2f} | {:.2f} |".format(name, *cost_ms(draw, count)), flush=True)
        print(f"| make a generated home-year (a thread does) | {made_ms:.0f} | |")
        source = sources["traces in memory"]
        windows = [source.draw(np.random.default_rng(number)) for number in range(count + 1)]
        new = [sources["bootstrap"].draw(np.random.default_rng(number)) for number in range(count + 1)]
        for name, series in (
            ("heat pump, tank, two appliances", lambda n: device_exogenous(WITHOUT_CAR, windows[n])),
            ("and a car, its life known", lambda n: device_exogenous(HOME, windows[n % 8])),
            ("and a car, a new life", lambda n: device_exogenous(HOME, new[n])),
        ):
            print("| devices: {} | {:.2f} | {:.2f} |".format(name, *cost_ms(series, count)), flush=True)
        errors = {}
        model = hidiff.load()
        for kind in ("perfect", "persistence", "noisy", "ensemble"):
            config, often = Forecast(kind=kind), max(count // 100, 1) if kind == "ensemble" else count  # type: ignore[arg-type]
            found = []

            def forecast(number: int, config: Forecast = config, found: list[Any] = found) -> None:
                found.append((windows[number], forecasts(config, windows[number], model=model)))

            print(
                "| forecast: {}, 48 steps | {:.2f} | {:.2f} |".format(kind, *cost_ms(forecast, often)),
                flush=True,
            )
            errors[kind] = [list(error_of(ahead, window).values()) for window, ahead in found]
    print("\n| Forecast, a day ahead | windows | load error | PV error |\n|---|---:|---:|---:|")
    for kind, values in errors.items():
        load, pv = np.nanmean(values, axis=0)
        print(f"| {kind} | {len(values)} | {load:.3f} | {pv:.3f} |")
    same = len(errors["ensemble"])
    load, pv = np.nanmean(errors["persistence"][:same], axis=0)
    print(f"| persistence, the windows of the ensemble | {same} | {load:.3f} | {pv:.3f} |")
    compare_past_days(traces)


if __name__ == "__main__":
    main()
