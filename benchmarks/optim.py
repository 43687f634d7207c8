"""CPU seconds of a home's optimum beside a minimal hand-written HiGHS solve of the same linear programme, one thread.

python benchmarks/optim.py            # prints a Markdown table, each ratio beside its limit

The programme is a battery with PV that may be curtailed on a time-of-use tariff, 10 kW in and 5 kW out at most. All
columns solve the same problem and are checked to find the same cost. Ratios are of medians of runs that alternate.
"""

from __future__ import annotations

import argparse
import time as clock
from collections.abc import Callable
from statistics import median

import highspy
import numpy as np

from hidiff.adapters.highs_home import direct_model
from hidiff.adapters.highs_run import run_highs
from hidiff.adapters.home_optimum import solve_home
from hidiff.adapters.home_problem import HomeProblem
from hidiff.data.synthetic import synthetic_homes
from hidiff.home import Battery, Home, Tariff

LIMITS = {48: 1.3, 336: 1.3, 17_520: 1.1}
"""Largest ratio of the whole direct path to the hand-written solve, by the number of steps."""


def home_problem(steps: int) -> HomeProblem:
    """One synthetic home's episode."""
    home = Home(
        battery=Battery(soc_min=0.1, soc_max=0.8),
        tariff=Tariff.time_of_use(),
        import_limit_kw=10.0,
        export_limit_kw=5.0,
    )
    traces = synthetic_homes(1, -(-steps // 48), seed=7)
    given = {"load_kw": np.minimum(traces.load_kw[0, :steps], 9.0), "pv_kw": traces.pv_kw[0, :steps]}
    return HomeProblem(home=home, time=traces.time[:steps], exogenous=given, time_zone=traces.time_zone)


def by_hand(problem: HomeProblem) -> float:
    """The least that a programmer who knows HiGHS would write: six columns and two rows a step."""
    battery, steps, dt_h = problem.home.battery, problem.steps, problem.dt_h
    t = np.arange(steps)
    charge, discharge, energy, bought, sold, used = (place * steps + t for place in range(6))
    gain, drain = battery.efficiency_charge * dt_h, dt_h / battery.efficiency_discharge
    one = np.ones(steps)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = 6 * steps, 2 * steps
    zero = np.zeros(steps)
    prices = problem.prices
    lp.col_cost_ = np.concatenate(
        [zero, zero, zero, dt_h * prices.import_price, -dt_h * prices.export_price, zero]
    )
    low_kwh = np.full(steps, battery.energy_min_kwh)
    low_kwh[-1] = battery.energy_initial_kwh
    lp.col_lower_ = np.concatenate([zero, zero, low_kwh, zero, zero, zero])
    pv_kw, load_kw = problem.exogenous["pv_kw"], problem.exogenous["load_kw"]
    lp.col_upper_ = np.concatenate(
        [one * battery.charge_max_kw, one * battery.discharge_max_kw, one * battery.energy_max_kwh, one * 10.0,
         one * 5.0, pv_kw]
    )  # fmt: skip
    right = np.concatenate([-load_kw, zero])
    right[steps] = battery.energy_initial_kwh
    lp.row_lower_ = lp.row_upper_ = right
    later = t[1:]
    rows = np.concatenate([t, t, t, t, t, steps + t, steps + t, steps + t, steps + later])
    columns = np.concatenate([charge, discharge, bought, sold, used, charge, discharge, energy, energy[:-1]])
    values = np.concatenate([one, -one, -one, one, -one, one * -gain, one * drain, one, -one[1:]])
    order = np.argsort(columns, kind="stable")
    lp.a_matrix_.start_ = np.searchsorted(columns[order], np.arange(6 * steps + 1)).astype(np.int32)
    lp.a_matrix_.index_ = rows[order].astype(np.int32)
    lp.a_matrix_.value_ = values[order]
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.passModel(lp)
    solver.run()
    np.array(solver.getSolution().col_value)
    daily = problem.home.tariff.daily_charge * steps * dt_h / 24
    return float(solver.getInfo().objective_function_value) + daily


def direct(problem: HomeProblem) -> float:
    """Arrays to HiGHS, without the schedule."""
    return run_highs(direct_model(problem, {}).matrices(), time_limit_s=None, relative_gap=0.0).objective


WAYS: dict[str, Callable[[HomeProblem], float]] = {
    "by hand": by_hand,
    "direct: build, pass, run": direct,
    "direct: whole, with schedule": lambda problem: solve_home(problem).objective,
    "Pyomo: whole, with schedule": lambda problem: solve_home(problem, model="pyomo").objective,
}


def cpu_seconds(problem: HomeProblem, repeats: int) -> dict[str, list[float]]:
    """CPU seconds of each way, the ways taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(repeats):
        costs = {}
        for name, way in WAYS.items():
            start = clock.process_time()
            costs[name] = way(problem)
            seconds[name].append(clock.process_time() - start)
        if not np.allclose(list(costs.values()), costs["by hand"], rtol=1e-9):
            raise SystemExit(f"the ways disagree: {costs}")
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, nargs="*", default=list(LIMITS), help="lengths of the problem")
    parser.add_argument("--repeats", type=int, help="runs a row; 40, 15 and 3 by length where left out")
    arguments = parser.parse_args()
    print("| steps | " + " | ".join(f"{name} [ms]" for name in WAYS) + " | direct, whole / by hand | limit |")
    print("|---|" + "---|" * (len(WAYS) + 2))
    for steps in arguments.steps:
        problem = home_problem(steps)
        direct(problem)  # what is imported and cached once is not part of a solve
        repeats = arguments.repeats or (40 if steps < 100 else 15 if steps < 1000 else 3)
        found = {name: median(runs) for name, runs in cpu_seconds(problem, repeats).items()}
        ratio = found["direct: whole, with schedule"] / found["by hand"]
        cells = " | ".join(f"{1000 * seconds:.2f}" for seconds in found.values())
        print(f"| {steps} | {cells} | {ratio:.2f} | {LIMITS.get(steps, float('nan')):g} |", flush=True)


if __name__ == "__main__":
    main()
