"""Scenario reduction: seconds and distance of every method, and what deciding on ten of 200 scenarios costs.

    python benchmarks/reduction.py ../shared/data

Two Markdown tables are printed, for docs/reduction.md. **Distance**: 3,000 real days (net load of many homes with the
spot price of the day, 96 features) to 50, one thread; the least of three runs. **Decision**: for each of 30 homes,
200 of its real winter days (net load, spot price) are the full set of a two-stage day-ahead study
(`scenarios/day_ahead_study.py`); each method reduces to ten, the study decides on these, and the decision is priced on
all 200. The spot price is cut to 0..0.30 AUD/kWh, the market's administered cap: a rare hour at 12 AUD/kWh would
else be all that any method is judged by. The interval is 95 % of the mean over homes (Student's t). k-means keeps the
centroids of scikit-learn's clusters (ten starts), which are no real days.

"Best of 19 random" is the control of ``study``, which solves and prices 19 reduced problems: random reductions, the
best of which is picked by its price on the full set.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from hidiff.data.ausgrid import read_ausgrid_wide
from hidiff.rng import generator
from hidiff.scenarios.day_ahead_study import DayAheadStudy
from hidiff.scenarios.decision import decision_error, reduce_for_study
from hidiff.scenarios.reduce import reduce_scenarios

SECONDS_LIMIT = 0.5
PRICE_CAP_PER_KWH = 0.30
WINTER = (6, 7, 8)
DRAWS = 19
TUNED_ON = ("3", "4", "5", "8")  # homes by which the settings of `reduce_for_study` were picked
Array = NDArray[np.float64]


class Days:
    """Net load of every clean home with three years and spot price, by day of local standard time."""

    def __init__(self, data: Path) -> None:
        traces = read_ausgrid_wide(data / "ausgrid")
        price = pd.read_parquet(data / "prices" / "nsw1_wholesale_2010_2013.parquet")["price_per_mwh"]
        stamps = traces.time.tz_convert("Etc/GMT-10")  # the clock of the market, without daylight saving
        first = int(np.argmax((stamps.hour == 0) & (stamps.minute == 0)))
        self._keep = slice(first, first + (len(stamps) - first) // 48 * 48)
        self.month = stamps.month.to_numpy()[self._keep].reshape(-1, 48)[:, 0]
        spot = price.reindex(traces.time).to_numpy() / 1000
        self.spot_per_kwh = self._by_day(np.clip(spot, 0, PRICE_CAP_PER_KWH))
        table = traces.homes
        self.homes = np.flatnonzero(table["is_clean"].astype(bool) & table["has_third_year"].astype(bool))
        self.names = [str(name) for name in table.index]
        self._net_kw = np.asarray(traces.load_kw - traces.pv_kw, dtype=np.float64)

    def _by_day(self, values: Array) -> Array:
        return np.asarray(values, dtype=np.float64)[self._keep].reshape(-1, 48)

    def net_load_kw(self, home: int) -> Array:
        """Of one home, ``(day, 48)``."""
        return self._by_day(self._net_kw[home])


def scaled(scenarios: Array) -> Array:
    """Net load and price, each divided by its standard deviation."""
    parts = np.split(scenarios, 2, axis=1)
    return np.concatenate([part / part.std() for part in parts], axis=1)


def distance_rows(days: Days) -> list[tuple[str, float, float, float]]:
    """Per method: seconds, CPU seconds, distance; 3,000 x 96 to 50."""
    rng = generator(0, "reduction", "distance")
    home = rng.choice(days.homes, 3000)
    day = rng.choice(len(days.month), 3000)
    net = np.array([days.net_load_kw(h)[d] for h, d in zip(home, day, strict=True)])
    x = scaled(np.concatenate([net, days.spot_per_kwh[day]], axis=1))
    rows = []
    with threadpool_limits(1):
        for method in ("medoids", "forward", "backward", "random", "moments"):
            seconds, cpu = [], []
            for _ in range(1 if method == "moments" else 3):
                wall, used = time.perf_counter(), time.process_time()
                result = reduce_scenarios(x, None, 50, method)
                seconds.append(time.perf_counter() - wall)
                cpu.append(time.process_time() - used)
            rows.append((method, min(seconds), min(cpu), result.distance))
    return rows


def decision_row(days: Days, home: int) -> dict[str, float]:
    """Decision error of every method for one home [%], and CPU seconds of the full problem and of ``study``."""
    net = days.net_load_kw(home)
    winter = np.flatnonzero(np.isin(days.month, WINTER) & np.isfinite(net).all(axis=1))
    rows = generator(0, "reduction", days.names[home]).choice(winter, 200, replace=False)
    scenarios = np.concatenate([net[rows], days.spot_per_kwh[rows]], axis=1)
    x, p = scaled(scenarios), np.full(200, 1 / 200)
    study = DayAheadStudy(day_ahead_price_per_kwh=days.spot_per_kwh[rows].mean(axis=0))
    start = time.process_time()
    optimum = study.solve(scenarios, p)
    solve_s = time.process_time() - start
    full = study.evaluate(optimum, scenarios, p)
    row = {"full_cost": full}
    start = time.process_time()
    chosen = reduce_for_study(study, scenarios, x, p, 10)
    row["study_s"], row["solve_s"] = time.process_time() - start, solve_s
    reductions = {m: reduce_scenarios(x, p, 10, m) for m in ("medoids", "forward", "backward", "moments")}
    for method, reduction in {"study": chosen, **reductions}.items():
        row[method] = 100 * decision_error(study, scenarios, reduction, p, full_cost=full).relative
    draws = [
        100
        * decision_error(
            study, scenarios, reduce_scenarios(x, p, 10, "random", seed=1000 + n), p, full_cost=full
        ).relative
        for n in range(DRAWS)
    ]
    row["random"], row["best of 19 random"] = float(np.mean(draws)), min(draws)
    clusters = KMeans(10, n_init=10, random_state=0).fit(x).labels_
    centres = np.array([scenarios[clusters == c].mean(axis=0) for c in range(10)])
    decision = study.solve(centres, np.bincount(clusters, minlength=10) / 200)
    row["k-means"] = 100 * (study.evaluate(decision, scenarios, p) - full) / abs(full)
    return row


def interval(values: Array) -> float:
    """Half of the 95 % interval of a mean."""
    return float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--homes", type=int, default=30)
    arguments = parser.parse_args()
    days = Days(arguments.data)
    rows = distance_rows(days)
    forward = next(row[3] for row in rows if row[0] == "forward")
    print(f"3,000 x 96 to 50, one thread of {platform.machine()}\n")
    print("| method | s | CPU s | limit s | distance | relative to forward | limit |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for method, wall, cpu, distance in rows:
        limits = (f"{SECONDS_LIMIT}", "1") if method == "medoids" else ("", "")
        print(
            f"| `{method}` | {wall:.2f} | {cpu:.2f} | {limits[0]} | {distance:.4f} | {distance / forward:.4f} | "
            f"{limits[1]} |"
        )
    sys.stdout.flush()
    unseen = np.array([home for home in days.homes if days.names[home] not in TUNED_ON])
    homes = generator(0, "reduction", "homes").choice(unseen, arguments.homes, replace=False)
    table = []
    with threadpool_limits(1):
        for number, home in enumerate(np.sort(homes), start=1):
            table.append(decision_row(days, int(home)))
            print(f"{number}/{len(homes)} {table[-1]}", file=sys.stderr, flush=True)
    frame = pd.DataFrame(table)
    names = [
        "study", "best of 19 random", "medoids", "forward", "backward", "moments", "k-means", "random",
    ]  # fmt: skip
    print(f"\nDecision error, 10 of 200 scenarios, {len(frame)} homes\n")
    print(
        "| method | mean error % | 95 % interval | median % | worst % | loss, cents a day | better than random |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name in names:
        values = frame[name].to_numpy()
        half = interval(values)
        wins = "" if name == "random" else f"{int((values < frame['random']).sum())}"
        print(
            f"| `{name}` | {values.mean():.2f} | {values.mean() - half:.2f} to {values.mean() + half:.2f} | "
            f"{np.median(values):.2f} | {values.max():.2f} | {(values * frame['full_cost'].abs()).mean():.2f} | {wins} |"
        )
    print(
        f"\nMean cost of a day: {frame['full_cost'].mean():.2f} AUD. CPU seconds a home: full problem "
        f"{frame['solve_s'].mean():.2f}, `study` {frame['study_s'].mean():.2f}."
    )
    for other in ("random", "k-means", "best of 19 random"):
        gain = (frame[other] - frame["study"]).to_numpy()
        print(f"Paired, {other} minus `study`: {gain.mean():.2f} +- {interval(gain):.2f} points.")
    gain = (frame["random"] - frame["medoids"]).to_numpy()
    print(f"Paired, random minus `medoids`: {gain.mean():.2f} +- {interval(gain):.2f} points.")
    best, limit = rows[0], SECONDS_LIMIT
    return int(best[2] > limit or best[3] > forward)


if __name__ == "__main__":
    raise SystemExit(main())
