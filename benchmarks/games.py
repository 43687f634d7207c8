"""The tables and picture of docs/cooperation.md: what sharing energy saves, who gets it, and how long it takes to know.

    python benchmarks/games.py [../shared/data] [--largest 1000] [--picture docs/cooperation.png]

CPU seconds, one thread, all in one run. Homes are real ones of the Ausgrid set (clean, with PV) on one day each
community, or made-up ones where the data is not there; 45 % have a battery. ``different`` batteries have capacities
and powers drawn at random, so that each is one of its own in the programme; ``products`` are of four kinds.

1. Coalition values: ours against a bare loop, written by hand around the same programme: one HiGHS, homes switched
   by bounds and right-hand sides in Gray-code order, nothing checked. Mean of three communities, least of three runs.
2. Twelve homes, six clusters, against the exact nucleolus: ten communities.
3. Fifty homes and more, six clusters; the largest excess over all coalitions, by `check_core`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highspy
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hidiff.adapters.clustered_game import clustered_game, mean_deviation
from hidiff.adapters.coalitions import Community, coalition_costs, community, savings
from hidiff.adapters.core_check import check_core
from hidiff.data.ausgrid import read_ausgrid_wide
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.envs.market.games import coalition_sums, largest_excess, nucleolus, shapley
from hidiff.figure_style import INK, LOAD, PV, QUIET, REFERENCE, new_figure, styled
from hidiff.home import Battery, Home, Tariff
from hidiff.output import replace_when_done
from hidiff.rng import generator

Floats = NDArray[np.float64]
RATIO_LIMIT = 1.3
DEVIATION_LIMIT = 10.0
SECONDS_LIMIT = 300.0
BATTERY_SHARE = 0.45
PRODUCTS = tuple(
    Battery(capacity_kwh=kwh, charge_max_kw=kw, discharge_max_kw=kw)
    for kwh, kw in ((5.0, 2.5), (9.8, 5.0), (10.0, 4.0), (13.5, 5.0))
)
DAYS = pd.date_range("2012-01-05", periods=10, freq="36D")


class Homes:
    """Communities of real homes, or of made-up ones."""

    def __init__(self, data: Path | None) -> None:
        self.is_real = data is not None and (data / "ausgrid").is_dir()
        self._real: Traces | None = None
        if self.is_real and data is not None:
            traces = read_ausgrid_wide(data / "ausgrid")
            table = traces.homes
            clean = table["is_clean"].astype(bool)
            self._real = traces.select([str(name) for name in table.index[clean]])

    def community(self, homes: int, number: int, *, is_different: bool) -> Community:
        """Community of a number; beyond the real homes, their days are those of other dates."""
        rng = generator("games", homes, number)
        load, pv = [], []
        time_index = None
        while len(load) < homes:
            traces = self._day(homes, number, len(load))
            if time_index is None:
                time_index = traces.time
            for row in rng.permutation(len(traces)):
                if np.isfinite(traces.load_kw[row] + traces.pv_kw[row]).all():
                    load.append(traces.load_kw[row])
                    pv.append(traces.pv_kw[row])
        tariff = Tariff.time_of_use()
        members = [
            Home(battery=_battery(rng, is_different) if rng.random() < BATTERY_SHARE else None, tariff=tariff)
            for _ in range(homes)
        ]
        return community(members, np.array(load[:homes]), np.array(pv[:homes]), time_index)

    def _day(self, homes: int, number: int, found: int) -> Traces:
        if self._real is None:
            return synthetic_homes(homes, 1, str(DAYS[number].date()), seed=number)
        start = DAYS[number] + pd.Timedelta(weeks=found // len(self._real))
        first = pd.Timestamp(start).tz_localize("Australia/Sydney")
        return self._real.between(first, first + pd.Timedelta(days=1))


def _battery(rng: np.random.Generator, is_different: bool) -> Battery:
    if not is_different:
        return PRODUCTS[int(rng.integers(len(PRODUCTS)))]
    kwh = rng.uniform(5, 15)
    return Battery(
        capacity_kwh=kwh,
        charge_max_kw=kwh * rng.uniform(0.25, 0.5),
        discharge_max_kw=kwh * rng.uniform(0.25, 0.5),
    )


def bare_costs(homes: Community, *, is_warm: bool = True) -> Floats:
    """Costs of all coalitions by a loop with nothing around it."""
    steps, dt_h = len(homes.import_price), homes.dt_h
    owners = [home for home, battery in enumerate(homes.batteries) if battery is not None]
    columns, rows = steps * (2 + 3 * len(owners)), steps * (1 + len(owners))
    cost, low, high = np.zeros(columns), np.zeros(columns), np.full(columns, highspy.kHighsInf)
    side = np.zeros(rows)
    cost[:steps], cost[steps : 2 * steps] = homes.import_price * dt_h, -homes.export_price * dt_h
    start, index, value = [], [], []

    def column(entries: list[tuple[int, float]]) -> None:
        start.append(len(index))
        for row, number in entries:
            index.append(row)
            value.append(number)

    for t in range(steps):
        column([(t, 1.0)])
    for t in range(steps):
        column([(t, -1.0)])
    powers = []
    for place, home in enumerate(owners):
        battery = homes.batteries[home]
        first, row = steps * (2 + 3 * place), steps * (1 + place)
        for t in range(steps):
            column([(t, -1.0), (row + t, -battery.efficiency_charge * dt_h)])
        for t in range(steps):
            column([(t, 1.0), (row + t, dt_h / battery.efficiency_discharge)])
        for t in range(steps):
            column([(row + t, 1.0), *([(row + t + 1, -1.0)] if t + 1 < steps else [])])
        low[first + 2 * steps : first + 3 * steps] = battery.energy_min_kwh
        low[first + 3 * steps - 1] = battery.energy_initial_kwh
        high[first : first + 2 * steps] = 0.0
        high[first + 2 * steps : first + 3 * steps] = battery.energy_max_kwh
        side[row] = battery.energy_initial_kwh
        powers.append(np.repeat([battery.charge_max_kw, battery.discharge_max_kw], steps))
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns, rows
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, low, high
    lp.row_lower_ = lp.row_upper_ = side
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.array([*start, len(index)], np.int32)
    lp.a_matrix_.index_, lp.a_matrix_.value_ = np.array(index, np.int32), np.array(value)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.passModel(lp)
    place_of = {home: place for place, home in enumerate(owners)}
    balance = np.arange(steps, dtype=np.int32)
    zero, costs = np.zeros(2 * steps), np.zeros(2 ** len(homes))
    net_kw, coalition = np.zeros(steps), 0
    for count in range(1, 2 ** len(homes)):
        home = (count & -count).bit_length() - 1
        coalition ^= 1 << home
        is_in = coalition >> home & 1
        net_kw = net_kw + homes.net_kw[home] * (1 if is_in else -1)
        solver.changeRowsBounds(steps, balance, net_kw, net_kw)
        if home in place_of:
            place = place_of[home]
            switched = np.arange(steps * (2 + 3 * place), steps * (4 + 3 * place), dtype=np.int32)
            solver.changeColsBounds(2 * steps, switched, zero, powers[place] if is_in else zero)
        if not is_warm:
            solver.clearSolver()
        solver.run()
        costs[coalition] = solver.getInfo().objective_function_value
    days = steps * dt_h / 24
    return costs + homes.daily_charge * days * coalition_sums(np.ones(len(homes)))


def cpu_s(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    result = work()
    return time.process_time() - begun, result


def print_values(homes: Homes) -> bool:
    """The table of coalition values; whether every ratio is within its limit."""
    print(
        "| homes | batteries | optima | bare loop s | ours s | ratio | limit | ms each | ours, products s | "
        "bare: cold / warm |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    is_within = True
    for count in (8, 10, 12):
        cases = [homes.community(count, number, is_different=True) for number in range(3)]
        products = [homes.community(count, number, is_different=False) for number in range(3)]
        seconds: dict[str, list[float]] = {"bare": [], "ours": [], "products": []}
        for _ in range(3):
            bare = [cpu_s(lambda case=case: bare_costs(case)) for case in cases]
            ours = [cpu_s(lambda case=case: coalition_costs(case)) for case in cases]
            alike = [cpu_s(lambda case=case: coalition_costs(case)) for case in products]
            for (_, expected), (_, found) in zip(bare, ours, strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
            for name, runs in zip(seconds, (bare, ours, alike), strict=True):
                seconds[name].append(sum(run[0] for run in runs) / len(runs))
        least = {name: min(found) for name, found in seconds.items()}
        cold = cpu_s(lambda case=cases[0]: bare_costs(case, is_warm=False))[0]
        warm = cpu_s(lambda case=cases[0]: bare_costs(case))[0]
        ratio = least["ours"] / least["bare"]
        is_within &= ratio <= RATIO_LIMIT
        owners = ", ".join(str(len(case.batteries) - case.batteries.count(None)) for case in cases)
        print(
            f"| {count} | {owners} | {2**count - 1:,} | {least['bare']:.3f} | {least['ours']:.3f} | {ratio:.2f} | "
            f"{RATIO_LIMIT} | {1000 * least['ours'] / (2**count - 1):.2f} | {least['products']:.3f} | "
            f"{cold / warm:.1f} |",
            flush=True,
        )
    return is_within


METHODS = {
    "clusters, nucleolus (default)": {},
    "clusters, nucleolus, shared at the internal price": {"sharing": "internal_price"},
    "clusters, nucleolus, shared by energy": {"sharing": "energy"},
    "clusters, nucleolus, not tightened": {"is_tightened": False},
    "clusters, Shapley": {"solution": "shapley"},
}


def print_twelve(homes: Homes) -> tuple[bool, dict[str, Any]]:
    """The table of twelve homes; whether the default is within its limit, and one community for the picture."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    picture: dict[str, Any] = {}
    for number in range(len(DAYS)):
        case = homes.community(12, number, is_different=False)
        costs = coalition_costs(case)
        values, alone = savings(costs), costs[2 ** np.arange(12)]
        exact = nucleolus(values)
        payoffs = {"nucleolus, exact": exact, "Shapley, exact": shapley(values)}
        for name, arguments in METHODS.items():
            game = clustered_game(case, clusters=6, **arguments)
            payoffs[name] = game.payoffs
        payoffs["internal price"] = alone - game.schedule.internal_bill
        for name, given in payoffs.items():
            excess = largest_excess(values, given)[0]
            rows.setdefault(name, []).append(
                (
                    100 * mean_deviation(given, exact),
                    100 * max(excess, 0.0),
                    100 * max(excess, 0.0) / values[-1],
                )
            )
        if number == 0:
            picture = {"values": values, "payoffs": payoffs, "batteries": case.batteries}
    print(
        "| payoffs | mean deviation % | worst of ten % | limit % | largest excess, cents a day: mean | worst | "
        "share of the saving % |\n|---|--:|--:|--:|--:|--:|--:|"
    )
    for name, found in rows.items():
        table = np.array(found)
        limit = f"{DEVIATION_LIMIT:g}" if name.endswith("(default)") else ""
        print(
            f"| {name} | {table[:, 0].mean():.1f} | {table[:, 0].max():.1f} | {limit} | {table[:, 1].mean():.1f} | "
            f"{table[:, 1].max():.1f} | {table[:, 2].mean():.1f} |"
        )
    is_within = bool(np.mean([row[0] for row in rows["clusters, nucleolus (default)"]]) <= DEVIATION_LIMIT)
    return is_within, picture


def print_many(homes: Homes, largest: int) -> bool:
    """The table of large communities; whether all are within the limit of time."""
    print(
        "| homes | batteries | kinds | CPU s | limit s | saving, AUD a day | largest excess, cents a day: priced | "
        "found among all | bound | check CPU s | internal price: bound |\n"
        "|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    is_within = True
    for count in (50, 200, 1000):
        for is_different in (False, True):
            if count > largest:
                continue
            case = homes.community(count, 0, is_different=is_different)
            kinds = len({battery for battery in case.batteries if battery is not None})
            seconds, game = cpu_s(lambda case=case: clustered_game(case, clusters=6))
            is_within &= seconds <= SECONDS_LIMIT
            name = "different" if is_different else "products"
            row = f"| {count:,} | {name} | {kinds} | {seconds:.1f} | {SECONDS_LIMIT:g} | {game.payoffs.sum():.2f} | "
            row += f"{100 * game.largest_excess:.1f} |"
            if is_different and count > 200:  # minutes more, for a programme of 65,000 columns
                row += " | | | |"
            else:
                is_exact = not is_different or count <= 50
                check_s, check = cpu_s(
                    lambda case=case, game=game, is_exact=is_exact: check_core(
                        case, game.bills, is_exact=is_exact, time_limit_s=600
                    )
                )
                prices = check_core(case, game.schedule.internal_bill, is_exact=False, time_limit_s=600)
                found = f"{100 * check.largest_excess:.1f}" if is_exact else "not searched"
                row += f" {found} | {100 * check.bound:.1f} | {check_s:.1f} | {100 * prices.bound:.1f} |"
            print(row.replace("-0.0", "0.0"), flush=True)
    return is_within


@styled
def draw(values: Floats, payoffs: dict[str, Floats], batteries: tuple[Battery | None, ...]) -> Figure:
    """Payoffs of twelve homes by method, and the excesses of their coalitions, largest first."""
    figure = new_figure(9.0, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
    shown = {
        "nucleolus, exact": ("exact nucleolus", INK, "o"),
        "clusters, nucleolus (default)": ("six clusters", LOAD, "s"),
        "internal price": ("internal price", REFERENCE, "x"),
        "Shapley, exact": ("exact Shapley", PV, "^"),
    }
    order = np.argsort(-payoffs["nucleolus, exact"], kind="stable")
    place = np.arange(len(order))
    for shift, (name, (label, colour, marker)) in zip((-0.24, -0.08, 0.08, 0.24), shown.items(), strict=True):
        left.plot(
            place + shift, payoffs[name][order], marker, color=colour, markersize=5, label=label, zorder=3
        )
    left.axhline(0, color=QUIET, linewidth=0.8)
    left.grid(axis="x", visible=False)
    left.set_xticks(place, ["battery" if batteries[home] else "none" for home in order], rotation=60)
    left.set_ylabel("saved by sharing [AUD a day]")
    left.set_title("What each of twelve homes gets")
    left.legend()
    for name, (label, colour, _) in shown.items():
        inner = values[1:-1] - coalition_sums(payoffs[name])[1:-1]
        right.plot(
            np.arange(1, len(inner) + 1), np.sort(inner)[::-1], color=colour, label=label, linewidth=1.4
        )
    right.axhline(0, color=QUIET, linewidth=0.8)
    right.set_xscale("log")
    right.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    right.set_ylim(bottom=-1)
    right.set_xlabel("coalitions, the most dissatisfied first")
    right.set_ylabel("excess [AUD a day]")
    right.set_title("What coalitions would gain by leaving (above 0)")
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--largest", type=int, default=1000)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    homes = Homes(given.data)
    print(
        f"Homes: {'real ones of the Ausgrid set' if homes.is_real else 'made up, no real homes were found'}.\n"
    )
    if not homes.is_real:
        print("the real homes are skipped: name the folder that holds ausgrid/", file=sys.stderr)
    with threadpool_limits(1):
        is_quick = print_values(homes)
        print()
        is_near, picture = print_twelve(homes)
        if given.picture:
            with replace_when_done(given.picture) as temporary:
                draw(**picture).savefig(temporary, format="png", dpi=150)
        print(flush=True)
        is_large_quick = print_many(homes, given.largest)
    return int(not (is_quick and is_near and is_large_quick))


if __name__ == "__main__":
    raise SystemExit(main())
