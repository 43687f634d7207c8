"""Model predictive control: time of a warm re-solve, the open benchmark of customer 12, and years of real homes.

    python benchmarks/mpc.py                                # warm re-solve beside bare HiGHS
    python benchmarks/mpc.py --customer-12 DATA/ausgrid_official_layout
    python benchmarks/mpc.py --years DATA/ausgrid --homes 3

Prints Markdown tables. The bare loop passes the programme once, then changes its costs, bounds and right-hand sides in
place and runs it, as one who knows HiGHS would write it; both walk the same steps with the same forecasts.
"""

from __future__ import annotations

import argparse
import math
import time as clock
from pathlib import Path
from statistics import median

import highspy
import numpy as np

import hidiff
from hidiff.adapters.home_optimum import optimise_home
from hidiff.adapters.mpc import MpcConfig, MpcController
from hidiff.adapters.mpc_model import Ahead, WarmModel
from hidiff.data.ausgrid import read_ausgrid_yearly, read_traces
from hidiff.data.synthetic import synthetic_homes
from hidiff.envs import Forecast, HomeEnv, do_nothing, self_consumption, simulate, time_of_use
from hidiff.home import Battery, Home, Period, Tariff
from hidiff.prices import price_series

LIMITS = {48: 1.5, 96: 1.5}
"""Largest ratio of a warm re-solve to the bare loop, by the steps of the horizon."""
STEPS, END_VALUE = 240, 0.25
PUBLISHED = {"24 h MPC, published": 0.5086006, "perfect foresight, published": 0.3537336}


class Bare:
    """The programme of a battery, six columns and two rows a step, changed in place."""

    def __init__(self, home: Home, steps: int) -> None:
        battery, dt_h, t, one = home.battery, 0.5, np.arange(steps), np.ones(steps)
        charge, discharge, energy, bought, sold, used = (place * steps + t for place in range(6))
        gain, drain = battery.efficiency_charge * dt_h, dt_h / battery.efficiency_discharge
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = 6 * steps, 2 * steps
        lp.col_cost_, lp.col_lower_ = np.zeros(6 * steps), np.zeros(6 * steps)
        lp.col_upper_ = np.concatenate(
            [one * battery.charge_max_kw, one * battery.discharge_max_kw, one * battery.energy_max_kwh, one * 1e3,
             one * 1e3, one]
        )  # fmt: skip
        lp.row_lower_ = lp.row_upper_ = np.zeros(2 * steps)
        rows = np.concatenate([t, t, t, t, t, steps + t, steps + t, steps + t, steps + t[1:]])
        columns = np.concatenate(
            [charge, discharge, bought, sold, used, charge, discharge, energy, energy[:-1]]
        )
        values = np.concatenate([one, -one, -one, one, -one, one * -gain, one * drain, one, -one[1:]])
        order = np.argsort(columns, kind="stable")
        lp.a_matrix_.start_ = np.searchsorted(columns[order], np.arange(6 * steps + 1)).astype(np.int32)
        lp.a_matrix_.index_, lp.a_matrix_.value_ = rows[order].astype(np.int32), values[order]
        self.steps, self.zero = steps, np.zeros(steps)
        self.columns = np.arange(6 * steps, dtype=np.int32)
        self.rows = np.arange(2 * steps, dtype=np.int32)
        self.solver = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.solver.setOptionValue("threads", 1)
        self.solver.passModel(lp)

    def decide(self, energy_kwh: float, load_kw: np.ndarray, pv_kw: np.ndarray, ahead: Ahead) -> float:
        """Cost of the horizon."""
        steps, zero, solver = self.steps, self.zero, self.solver
        cost = np.concatenate([zero, zero, zero, 0.5 * ahead.import_price, -0.5 * ahead.export_price, zero])
        cost[3 * steps - 1] = -ahead.end_value_per_kwh
        right = np.concatenate([-load_kw, zero])
        right[steps] = energy_kwh
        solver.changeColsCost(6 * steps, self.columns, cost)
        solver.changeColsBounds(steps, self.columns[5 * steps :], zero, pv_kw)
        solver.changeRowsBounds(2 * steps, self.rows, right, right)
        solver.run()
        np.array(solver.getSolution().col_value)
        return float(solver.getInfo().objective_function_value)


def resolve_times(horizon: int) -> tuple[float, float]:
    """Median CPU seconds of a re-solve, bare and warm; both follow the trajectory of the warm one."""
    home, traces = Home(), synthetic_homes(1, 30, seed=7)
    battery = home.battery
    prices = price_series(home.tariff, traces.time, traces.time_zone)
    load_kw, pv_kw = (np.asarray(kw[0], float) for kw in (traces.load_kw, traces.pv_kw))
    warm, bare = WarmModel(home, dt_h=0.5, horizon_steps=horizon), Bare(home, horizon)
    energy_kwh = battery.energy_initial_kwh
    times: tuple[list[float], list[float]] = ([], [])
    for step in range(48, 48 + STEPS):
        span = slice(step, step + horizon)
        load, pv = load_kw[span], pv_kw[span]
        ahead = Ahead(
            load[None, 1:], pv[None, 1:], prices.import_price[span], prices.export_price[span], END_VALUE
        )
        costs = []
        for place in (0, 1):
            began = clock.process_time()
            if place == 0:
                costs.append(bare.decide(energy_kwh, load, pv, ahead))
            else:
                decision = warm.decide(step, energy_kwh, float(load[0]), float(pv[0]), ahead)
                costs.append(decision.objective)
            times[place].append(clock.process_time() - began)
        if not math.isclose(*costs, rel_tol=1e-7, abs_tol=1e-7):
            raise SystemExit(f"the two disagree at step {step}: {costs}")
        kw = decision.battery_kw
        energy_kwh += 0.5 * (
            max(kw, 0) * battery.efficiency_charge + min(kw, 0) / battery.efficiency_discharge
        )
        energy_kwh = min(max(energy_kwh, 0.0), battery.energy_max_kwh)
    return median(times[0][1:]), median(times[1][1:])


def re_solves() -> None:
    """Print the times of a warm re-solve."""
    print(
        "| steps ahead | bare HiGHS in place [ms] | warm model [ms] | ratio | limit |\n|---:|---:|---:|---:|---:|"
    )
    for horizon, limit in LIMITS.items():
        resolve_times(horizon)  # what is imported once is no part of it
        bare, warm = resolve_times(horizon)
        print(f"| {horizon} | {1000 * bare:.3f} | {1000 * warm:.3f} | {warm / bare:.2f} | {limit:g} |")


def customer_12(folder: Path, members: int, readings_days: int) -> None:
    """Print the cost of the open benchmark: pierre-haessig/solarhome-control-bench."""
    traces = read_ausgrid_yearly(folder).select(["12"])
    tariff = Tariff(
        import_price_per_kwh=0.20,
        periods=(Period(price_per_kwh=0.10, start_h=0, end_h=6),),
        export_price_per_kwh=0.0,
    )
    battery = Battery(
        capacity_kwh=8.0, charge_max_kw=math.inf, discharge_max_kw=math.inf, efficiency_charge=1.0,
        efficiency_discharge=1.0,
    )  # fmt: skip
    home = Home(battery=battery, tariff=tariff, pv_capacity_kwp=4.0, import_limit_kw=3.0, export_limit_kw=0.0)
    env = HomeEnv(traces, home, episode_days=30, end_value_per_kwh=0.0)
    generator = hidiff.load()  # one, so that fans are drawn once
    fan = Forecast(kind="ensemble", members=members, readings_days=readings_days)
    ways = {
        "24 h MPC, mean of the last seven days": MpcConfig(),
        "24 h two-stage, the last seven days as scenarios": MpcConfig(kind="two-stage"),
        f"24 h MPC, mean of generated fans of {members}": MpcConfig(forecast=fan),
        f"24 h two-stage, generated fans of {members}": MpcConfig(kind="two-stage", forecast=fan),
        "24 h MPC, perfect forecast": MpcConfig(forecast=Forecast(kind="perfect")),
    }
    print("| controller | cost a day | CPU [s] |\n|---|---:|---:|")
    for label, cost in PUBLISHED.items():
        print(f"| {label} | {cost:.4f} | |")
    for label, config in ways.items():
        began = clock.process_time()
        control = MpcController(env, config, model=generator)
        run = simulate(env, control, options={"home": "12", "start": "2011-11-29"})
        print(f"| {label} | {run.cost / 30:.4f} | {clock.process_time() - began:.1f} |", flush=True)


def years(folder: Path, homes: int) -> None:
    """Print what a year of real homes costs under rules, under control with persistence, and at its optimum."""
    names = hidiff.load().notes["split"]["validation_homes"][:homes]
    real = read_traces(folder).select(names).between("2011-07-01", "2013-07-01")
    home = Home()
    print("| home | controller | cost a year | regret | CPU [s] |\n|---|---|---:|---:|---:|")
    for name in names:
        env = HomeEnv(real, home, episode_days=365)
        rules = {
            "do nothing": do_nothing, "self-consumption": self_consumption, "time of use": time_of_use,
            "MPC, persistence": MpcController(env),
            "two-stage MPC, the last seven days": MpcController(env, MpcConfig(kind="two-stage")),
        }  # fmt: skip
        found = {}
        for label, rule in rules.items():
            began = clock.process_time()
            run = simulate(env, rule, options={"home": name, "start": "2012-07-01"})
            found[label] = -float(run.reward.sum()), clock.process_time() - began
        value = env.end_value_per_kwh
        best = optimise_home(home, env.load_kw, env.pv_kw, env.time, end="free", end_value_per_kwh=value)
        optimum = best.cost - best.end_value
        for label, (cost, seconds) in found.items():
            print(f"| {name} | {label} | {cost:.1f} | {cost - optimum:.1f} | {seconds:.1f} |", flush=True)


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customer-12", type=Path, help="folder of the yearly files")
    parser.add_argument("--members", type=int, default=20, help="scenarios of a fan")
    parser.add_argument(
        "--readings-days", type=int, default=56, help="days that the generator reads before a fan"
    )
    parser.add_argument("--years", type=Path, help="folder of the real homes")
    parser.add_argument("--homes", type=int, default=3, help="real homes, a year each")
    arguments = parser.parse_args()
    if arguments.customer_12:
        customer_12(arguments.customer_12, arguments.members, arguments.readings_days)
    elif arguments.years:
        years(arguments.years, arguments.homes)
    else:
        re_solves()


if __name__ == "__main__":
    main()
