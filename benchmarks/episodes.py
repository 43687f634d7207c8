"""What it costs to look at an episode: indicators of a year, a frame, a report. Prints a Markdown table."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hidiff.data.synthetic import synthetic_homes
from hidiff.envs import HomeEnv, do_nothing, self_consumption
from hidiff.envs.episode import Episode
from hidiff.envs.kpis import kpis
from hidiff.envs.render import frame
from hidiff.envs.report import write_report
from hidiff.envs.rules import Rule
from hidiff.home import Home

YEAR_DAYS = 364


def record(env: HomeEnv, rule: Rule) -> Episode:
    env.reset(seed=0)
    infos = [env.step_power(rule(env.state))[-1] for _ in env.time]
    made = Episode.from_steps(infos, env.time, env.source.traces.time_zone)
    return Episode(
        time=made.time,
        time_zone=made.time_zone,
        dt_h=made.dt_h,
        arrays=made.arrays | {"battery_kwh": made["energy_kwh"]},  # type: ignore[operator]
    )


def cpu_s(run: Callable[[int], object], times: int) -> float:
    """Median CPU time of a call, after one that warms up [s]."""
    return float(np.median(spent_s(run, times)))


def spent_s(run: Callable[[int], object], times: int) -> list[float]:
    """CPU time of each call, after one that warms up [s]."""
    run(0)
    spent = []
    for place in range(1, times + 1):
        start = time.process_time()
        run(place)
        spent.append(time.process_time() - start)
    return spent


def main() -> None:
    home = Home()
    env = HomeEnv(synthetic_homes(1, YEAR_DAYS + 3), home, episode_days=YEAR_DAYS)
    episodes = {"nothing": record(env, do_nothing), "rule": record(env, self_consumption)}
    year = episodes["rule"]
    indicators = cpu_s(lambda _: kpis(year, home), 7)
    frames = spent_s(lambda place: frame(year.between(48 * 20, 48 * 20 + 500 + place), home), 200)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        report = cpu_s(lambda _: write_report(episodes, path, home=home, force=True), 1)
        size_kb = path.stat().st_size / 1000
    print("| what | CPU time or size | limit |\n|---|---|---|")
    print(f"| all indicators of a year of half-hours | {1000 * indicators:.0f} ms | 1,000 ms |")
    print(f"| frame, mean of 200 steps in a row | {1000 * np.mean(frames):.0f} ms | 100 ms |")
    print(f"| slowest of them, whose axes changed | {1000 * max(frames):.0f} ms | 100 ms |")
    print(f"| report of a year, two controllers | {report:.1f} s | 30 s |")
    print(f"| its size | {size_kb:,.0f} kB | 2,000 kB |")


if __name__ == "__main__":
    main()
