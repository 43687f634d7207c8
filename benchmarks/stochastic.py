"""Stochastic studies: speed beside a hand-written solve, and what plans and sizes made on generated data cost in fact.

    python benchmarks/stochastic.py --real DATA/ausgrid --work runs/stochastic

Three Markdown tables, each figure beside its limit. Fans and years are drawn once (minutes) and kept in ``--work``.

1. A battery planned a day ahead over 100 scenarios of 48 steps, CPU seconds, from arrays to the plan, against a minimal
   hand-written HiGHS solve of the same linear programme; medians of runs that alternate, one thread.
2. Validation homes, which no network has seen, on three real days each: the battery's plan (or a purchase) made on the
   generated fan and on its mean alone, both paid for on the day as it came. Intervals are over homes.
3. Sizes of PV and battery chosen on generated years (from one real year of the home) and on the two real years that
   followed; both are paid for in these two whole years. Sizes are chosen on weeks spread over the years.
"""

from __future__ import annotations

import argparse
import time as clock
from pathlib import Path
from statistics import median
from typing import Any

import highspy
import numpy as np
import pandas as pd
from fans import day as day_of
from numpy.typing import NDArray
from stochastic_cases import YEARS, Day, days, years

from hidiff.adapters.stochastic_home import HomeScenarios, buy_ahead, home_scenarios, plan_ahead
from hidiff.adapters.stochastic_sizing import SizingScenarios, size_home, sized_costs
from hidiff.adapters.stochastic_value import mean_interval
from hidiff.data.synthetic import synthetic_homes
from hidiff.home import Battery, Home, Tariff
from hidiff.prices import export_price_per_kwh, import_price_per_kwh

ZONE = "Australia/Sydney"
HOME = Home(battery=Battery(), tariff=Tariff.time_of_use())
Floats = NDArray[np.floating[Any]]


def by_hand(load_kw: Floats, pv_kw: Floats, buy: Floats, sell: Floats, dt_h: float, method: str) -> float:
    """The least that a programmer who knows HiGHS would write: one plan, three columns and a row a scenario's step."""
    count, steps = load_kw.shape
    battery = HOME.battery
    assert battery is not None
    t = np.arange(steps)
    charge, discharge, energy = t, steps + t, 2 * steps + t
    own = 3 * steps * (1 + np.arange(count))[:, None] + t
    bought, sold, used = own, own + steps, own + 2 * steps
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = 3 * steps * (1 + count), steps * (1 + count)
    cost = np.zeros((1 + count, 3, steps))
    cost[1:, 0], cost[1:, 1] = dt_h * buy / count, -dt_h * sell / count
    lp.col_cost_ = cost.ravel()
    lower, upper = np.zeros((1 + count, 3, steps)), np.full((1 + count, 3, steps), np.inf)
    lower[0, 2, -1] = battery.energy_initial_kwh
    upper[0] = np.array([battery.charge_max_kw, battery.discharge_max_kw, battery.energy_max_kwh])[:, None]
    upper[1:, 2] = pv_kw
    lp.col_lower_, lp.col_upper_ = lower.ravel(), upper.ravel()
    right = np.concatenate([np.zeros(steps), -load_kw.ravel()])
    right[0] = battery.energy_initial_kwh
    lp.row_lower_ = lp.row_upper_ = right
    balance = (steps + np.arange(count * steps)).reshape(count, steps)
    one = np.ones((count, steps))
    entries = [
        (t, charge, np.full(steps, -battery.efficiency_charge * dt_h)),
        (t, discharge, np.full(steps, dt_h / battery.efficiency_discharge)),
        (t, energy, np.ones(steps)),
        (t[1:], energy[:-1], -np.ones(steps - 1)),
        (balance, np.broadcast_to(charge, one.shape), one),
        (balance, np.broadcast_to(discharge, one.shape), -one),
        (balance, bought, -one),
        (balance, sold, one),
        (balance, used, -one),
    ]
    rows, columns, values = (np.concatenate([entry[i].ravel() for entry in entries]) for i in range(3))
    order = np.argsort(columns, kind="stable")
    lp.a_matrix_.start_ = np.searchsorted(columns[order], np.arange(lp.num_col_ + 1)).astype(np.int32)
    lp.a_matrix_.index_, lp.a_matrix_.value_ = rows[order].astype(np.int32), values[order]
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("solver", method)
    solver.passModel(lp)
    solver.run()
    np.array(solver.getSolution().col_value)
    return float(solver.getInfo().objective_function_value)


def speed(repeats: int) -> None:
    """Table 1."""
    traces = synthetic_homes(1, 101, seed=7)
    load_kw, pv_kw = (
        values[0, :4800].reshape(100, 48).astype(float) for values in (traces.load_kw, traces.pv_kw)
    )
    time = traces.time[:48]
    buy = import_price_per_kwh(HOME.tariff, time, ZONE)
    sell = export_price_per_kwh(HOME.tariff, time, ZONE)

    def ours(method: Any) -> float:
        scenarios = home_scenarios(HOME, {"load_kw": load_kw, "pv_kw": pv_kw}, time, time_zone=ZONE)
        return plan_ahead(scenarios, method=method).solution.objective - HOME.tariff.daily_charge

    def hand(method: str) -> float:
        return by_hand(load_kw, pv_kw, buy, sell, 0.5, method)

    ways = {
        "by hand": lambda: hand("choose"),
        "by hand, interior point": lambda: hand("ipm"),
        "ours, from arrays to the plan (interior point)": lambda: ours("ipm"),
        "ours, simplex": lambda: ours("choose"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        costs = []
        for name, way in ways.items():
            start = clock.process_time()
            costs.append(way())
            if turn:  # the first imports
                seconds[name].append(clock.process_time() - start)
        if not np.allclose(costs, costs[0], rtol=1e-7):
            raise SystemExit(f"the ways disagree: {costs}")
    by_simplex, by_points = (median(seconds[name]) for name in list(ways)[:2])
    print(
        "| 100 scenarios x 48 steps | CPU ms | / by hand | limit | / by hand, interior point |\n"
        + "|---" * 5
        + "|"
    )
    for name, runs in seconds.items():
        found = median(runs)
        limit = "1.1" if "interior point)" in name else ""
        print(
            f"| {name} | {1000 * found:.0f} | {found / by_simplex:.2f} | {limit} | {found / by_points:.2f} |"
        )


def scenarios_of(one: Day, load_kw: Floats, pv_kw: Floats, prices: dict[str, Floats]) -> HomeScenarios:
    """Scenarios of a home's day, ``(scenario, step)``."""
    time = pd.date_range(one.origin.tz_localize(ZONE), periods=48, freq="30min")
    given = {"load_kw": np.atleast_2d(load_kw), "pv_kw": np.atleast_2d(pv_kw), **prices}
    return home_scenarios(HOME, given, time, time_zone=ZONE)


def ahead(cases: list[Day]) -> None:
    """Table 2."""
    rows = []
    for one in cases:
        time = pd.date_range(one.origin.tz_localize(ZONE), periods=48, freq="30min")
        spot = import_price_per_kwh(HOME.tariff, time, ZONE)
        week = [day_of(one.readings, one.origin - pd.Timedelta(days=back)) for back in range(7, 0, -1)]
        samples = {
            "the fan": (one.load_kw, one.pv_kw),
            "its mean": (one.load_kw.mean(0), one.pv_kw.mean(0)),
            "the last seven days": tuple(np.concatenate(part) for part in zip(*week, strict=True)),
            "the day itself": (one.true_load_kw, one.true_pv_kw),
        }
        both_ways: dict[str, Floats] = {"import_price": spot, "export_price": spot}
        for name, (load_kw, pv_kw) in samples.items():
            seen = scenarios_of(one, load_kw, pv_kw, {})
            came = scenarios_of(one, one.true_load_kw, one.true_pv_kw, {})
            cost = float(plan_ahead(seen, method="ipm").costs(came)[0])
            rows.append({"study": "battery's plan", "made on": name, "home": one.home, "cost": cost})
            seen = scenarios_of(one, load_kw, pv_kw, both_ways)
            came = scenarios_of(one, one.true_load_kw, one.true_pv_kw, both_ways)
            cost = float(buy_ahead(seen, spot, method="ipm").costs(came)[0])
            rows.append({"study": "purchase", "made on": name, "home": one.home, "cost": cost})
    table = pd.DataFrame(rows)
    print(f"\n{table['home'].nunique()} validation homes, {len(cases)} home-days\n")
    print(
        "| decided | made on | cost a day | less the fan's (95 % over homes) | limit |\n|---|---|---|---|---|"
    )
    for study, part in table.groupby("study", sort=False):
        by_home = part.groupby(["made on", "home"], sort=False)["cost"].mean().unstack(0, sort=False)
        for name in by_home:
            extra = ""
            if name != "the fan":
                mean, low, high = mean_interval((by_home[name] - by_home["the fan"]).to_numpy())
                extra = f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"
            limit = "above 0" if name == "its mean" else ""
            print(f"| {study} | {name} | {by_home[name].mean():.4f} | {extra} | {limit} |", flush=True)


def year_scenarios(
    load_kw: Floats, pv_per_kwp: Floats, starts: list[str], weeks: int | None
) -> SizingScenarios:
    """Years ``(year, step)`` as scenarios, or ``weeks`` of each, evenly spread."""
    found = []
    for row, start in enumerate(starts):
        time = pd.date_range(pd.Timestamp(start, tz=ZONE), periods=load_kw.shape[1], freq="30min")
        buy = import_price_per_kwh(HOME.tariff, time, ZONE)
        sell = export_price_per_kwh(HOME.tariff, time, ZONE)
        parts = [slice(None)]
        if weeks is not None:
            firsts = np.linspace(0, 51, weeks, dtype=int, endpoint=False) * 336
            parts = [slice(first, first + 336) for first in firsts]
        found += [[values[part] for values in (load_kw[row], pv_per_kwp[row], buy, sell)] for part in parts]
    load, profile, buy, sell = (np.stack(part).astype(float) for part in zip(*found, strict=True))
    return SizingScenarios(
        load_kw=load, pv_per_kwp=profile, import_price=buy, export_price=sell,
        probability=np.full(len(load), 1 / len(load)), dt_h=0.5, daily_charge=HOME.tariff.daily_charge,
    )  # fmt: skip


def sizing(real: Path, work: Path, homes: int, drawn_years: int, weeks: int) -> None:
    """Table 3."""
    drawn_starts = [f"{2030 + row}-07-01" for row in range(drawn_years)]
    print(
        f"\nSizes chosen on {weeks} weeks of each year, paid for in the two real years 2011/12 and 2012/13\n"
    )
    print(
        "| home | on the real years: kWp, kWh | on generated | on the one read | cost a year on real "
        "| generated | read | generated / real | limit |\n" + "|---" * 9 + "|"
    )
    ratios, read_ratios = [], []
    for one in years(real, work, homes, drawn_years):
        kwp = one.capacity_kwp
        whole = year_scenarios(one.true_load_kw, one.true_pv_kw / kwp, list(YEARS[1:3]), None)
        sets = [
            year_scenarios(one.true_load_kw, one.true_pv_kw / kwp, list(YEARS[1:3]), weeks),
            year_scenarios(one.drawn_load_kw, one.drawn_pv_kw / kwp, drawn_starts, weeks),
            year_scenarios(one.read_load_kw, one.read_pv_kw / kwp, list(YEARS[:1]), weeks),
        ]
        sizes = [size_home(scenarios, HOME, method="choose") for scenarios in sets]
        costs = [float(sized_costs(whole, HOME, size.pv_kwp, size.battery_kwh).mean()) for size in sizes]
        ratios.append(costs[1] / costs[0])
        read_ratios.append(costs[2] / costs[0])
        shown = " | ".join(f"{size.pv_kwp:.1f}, {size.battery_kwh:.1f}" for size in sizes)
        paid = " | ".join(f"{cost:.0f}" for cost in costs)
        print(f"| {one.home} | {shown} | {paid} | {ratios[-1]:.4f} | 1.02 |", flush=True)
    mean, low, high = mean_interval(np.array(ratios))
    print(
        f"\nmean ratio {mean:.4f} ({low:.4f} to {high:.4f}), largest {max(ratios):.4f}; on the one year read: mean "
        f"{np.mean(read_ratios):.4f}, largest {max(read_ratios):.4f}"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, help="folder of the real homes; without it the first table only")
    parser.add_argument("--work", type=Path, default=Path("runs/stochastic"), help="keeps fans and years")
    parser.add_argument("--repeats", type=int, default=9, help="runs of the first table; 0 leaves it out")
    parser.add_argument("--homes", type=int, default=20, help="homes of the second table; 0 leaves it out")
    parser.add_argument(
        "--sized-homes", type=int, default=10, help="homes of the third table; 0 leaves it out"
    )
    parser.add_argument("--weeks", type=int, default=8, help="weeks of each year that sizes are chosen on")
    arguments = parser.parse_args()
    if arguments.repeats:
        speed(arguments.repeats)
    if arguments.real and arguments.homes:
        ahead(days(arguments.real, arguments.work, arguments.homes, 100))
    if arguments.real and arguments.sized_homes:
        sizing(arguments.real, arguments.work, arguments.sized_homes, 3, arguments.weeks)


if __name__ == "__main__":
    main()
