"""Steps a second of the environments beside CityLearn and bauwerk, on one core: Markdown tables, limits beside.

    python benchmarks/envs.py

Random policy, one process pinned to one core, 5,000 steps within one episode. All environments run in turn, three
rounds of it: the median, and the slowest and fastest round. Seconds are CPU time, so that a busy machine changes
little; actions are drawn before the clock starts, environments are stepped without wrappers, and a reset stands in a
column of its own. A home-step is one home (CityLearn's: building) through one step.

Ours: one home (battery, tariff, whole observation); a community of 17 such homes that trade at the mid-market rate, as
PettingZoo sees it; and 1,024 such communities in torch, with market, observations and running indicators.

Each peer runs in an environment of its own that pip makes on first use (its pins conflict with hidiff's); one that
cannot be had is named with the reason, and what is judged against it is left open. CityLearn fetches its own data sets
from the network at run time, so it is given the homes that hidiff's environments get: 17 homes with PV and a battery
of 13.5 kWh at half-hours, written by ``write_citylearn``. bauwerk runs its default home: PV, battery, hourly.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from peers.timing import measure

import hidiff
from hidiff.adapters.citylearn_files import write_citylearn
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.envs import Community, Fleet, HomeEnv, import_price_per_kwh
from hidiff.home import Battery, Home, Tariff
from hidiff.market import Market
from hidiff.scenarios import ScenarioSet

BENCHMARKS = Path(__file__).resolve().parent
sys.path.append(str(BENCHMARKS.parent))
from tests.adapters.reader_environments import EnvironmentUnavailable, environment, variables  # noqa: E402

HOMES = 17
"""Buildings of the CityLearn challenge's data set, and homes of our communities here."""
COMMUNITIES = 1024
"""Communities that the batched environment steps together."""
DAYS = 183
"""Length of the episodes, 8,784 half-hours: about as many steps as the peers' years of hours have."""
CITYLEARN, CITYLEARN_ONE, BAUWERK = (
    "CityLearn, 17 buildings",
    "CityLearn, 1 building",
    "bauwerk, its default home",
)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one environment does on this core, round by round."""

    version: str
    homes: int
    reset_s: list[float]
    step_s: list[float]

    @property
    def steps_per_s(self) -> float:
        return 1 / statistics.median(self.step_s)

    @property
    def home_steps_per_s(self) -> float:
        return self.homes * self.steps_per_s


@dataclass(frozen=True, kw_only=True)
class Own:
    """One of our environments: how it is run, and what it is held to."""

    run: Callable[[Traces, int], None]
    """``run(traces, steps)`` ends with `measure`; ``traces`` are `HOMES` homes of `DAYS` days."""
    against: str
    """The peer's row that it is judged by."""
    factor: float
    """How many times the peer's figure it must reach."""
    is_per_home: bool = False
    """Whether home-steps are compared; else steps."""


def benchmark_homes() -> Traces:
    """The homes that ours and CityLearn are run with."""
    return synthetic_homes(HOMES, DAYS)


def run_home(traces: Traces, steps: int) -> None:
    """``hidiff/Home-v0``: PV, battery, time-of-use tariff, the whole observation."""
    env = HomeEnv(traces, Home(battery=Battery(), tariff=Tariff.time_of_use()), episode_days=DAYS - 1)
    actions = np.random.default_rng(0).uniform(-1, 1, (steps, 1)).astype(np.float32)
    measure(lambda: env.reset(seed=0), env.step, list(actions), version=hidiff.__version__, homes=1)


def run_community(traces: Traces, steps: int) -> None:
    """`Community`: the homes as agents that trade at the mid-market rate, dictionaries, infos and all."""
    env = Community(traces, Home(), episode_days=DAYS - 1, market=Market())
    draws = np.random.default_rng(0).uniform(-1, 1, (steps, HOMES, 1)).astype(np.float32)
    actions = [dict(zip(env.possible_agents, draw, strict=True)) for draw in draws]
    measure(lambda: env.reset(seed=0), env.step, actions, version=hidiff.__version__, homes=HOMES)


def run_fleet(traces: Traces, steps: int) -> None:
    """`Fleet` in torch on one thread: market, observations and running indicators on."""
    import torch

    torch.set_num_threads(1)
    fleet = Fleet(
        traces, Home(), envs=COMMUNITIES, homes_per_env=HOMES, episode_days=DAYS - 1, market=Market(),
        device="cpu", track=True,
    )  # fmt: skip
    actions = [2 * torch.rand(COMMUNITIES, HOMES, 1) - 1 for _ in range(min(steps, 400))]
    with torch.no_grad():
        measure(
            lambda: fleet.reset(np.random.default_rng(0)), fleet.step, actions, version=hidiff.__version__,
            homes=COMMUNITIES * HOMES,
        )  # fmt: skip


OWN = {
    "hidiff/Home-v0": Own(run=run_home, against=BAUWERK, factor=1.0),
    f"Community, {HOMES} homes": Own(run=run_community, against=CITYLEARN, factor=10.0),
    f"Fleet in torch, {COMMUNITIES:,} x {HOMES} homes": Own(
        run=run_fleet, against=CITYLEARN, factor=1000.0, is_per_home=True
    ),
}


def write_data_set(traces: Traces, homes: int, folder: Path) -> Path:
    """The schema of a CityLearn data set of the first homes; the price is that of our own tariff."""
    price = import_price_per_kwh(Tariff.time_of_use(), traces.time, traces.time_zone)
    names = traces.homes.iloc[:homes]
    scenario_set = ScenarioSet.from_arrays(
        {
            "load_kw": traces.load_kw[None, :homes],
            "pv_kw": traces.pv_kw[None, :homes],
            "import_price_per_kwh": price[None],
        },
        time=traces.time,
        homes=names,
        time_zone=traces.time_zone,
    )
    return write_citylearn(scenario_set, folder, battery=Battery()) / "scenario-s0" / "schema.json"


@dataclass(frozen=True, kw_only=True)
class Process:
    """How one environment is run: a Python, what it is told, its variables."""

    command: list[Any]
    variables: dict[str, str]

    def run(self) -> dict[str, Any]:
        """What `measure` printed, pinned to one core where that can be had."""
        pinned = []
        if shutil.which("taskset") and hasattr(os, "sched_getaffinity"):
            pinned = ["taskset", "--cpu-list", str(max(os.sched_getaffinity(0)))]
        done = subprocess.run(
            [*pinned, *map(str, self.command)],
            capture_output=True, text=True, check=False, env=self.variables | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-2000:])
        said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return said


def processes(steps: int, folder: Path) -> dict[str, Process | str]:
    """How each row is run, the peers' first, or why a peer cannot be had; data sets are written to the folder."""
    traces = benchmark_homes()
    peers: dict[str, tuple[str, list[Any]]] = {
        CITYLEARN: ("citylearn", [write_data_set(traces, HOMES, folder / "many")]),
        CITYLEARN_ONE: ("citylearn", [write_data_set(traces, 1, folder / "one")]),
        BAUWERK: ("bauwerk", []),
    }
    rows: dict[str, Process | str] = {}
    for row, (name, arguments) in peers.items():
        script = BENCHMARKS / "peers" / f"{name}_steps.py"
        try:
            command = [environment(name), script, steps, *arguments]
        except EnvironmentUnavailable as reason:
            rows[row] = " ".join(str(reason).replace("|", "/").split())[-200:]  # pip ends with the cause
        else:
            rows[row] = Process(command=command, variables=variables(name))
    for row in OWN:
        command = [sys.executable, Path(__file__).resolve(), "--own", row, "--steps", steps]
        rows[row] = Process(command=command, variables=dict(os.environ))
    return rows


def measured(rows: dict[str, Process | str], rounds: int) -> dict[str, Figures | str]:
    """Figures of each row; rows take turns, so that what else the machine does meets all of them."""
    said: dict[str, list[dict[str, Any]]] = {row: [] for row in rows}
    for number in range(rounds):
        for row, process in rows.items():
            if isinstance(process, Process):
                said[row].append(process.run())
                print(f"round {number + 1}: {row}", file=sys.stderr, flush=True)
    return {
        row: process
        if isinstance(process, str)
        else Figures(
            version=said[row][0]["version"],
            homes=said[row][0]["homes"],
            reset_s=[each["reset_s"] for each in said[row]],
            step_s=[each["step_s"] for each in said[row]],
        )
        for row, process in rows.items()
    }


def figures_table(figures: dict[str, Figures | str]) -> list[str]:
    """Every environment's figures, and how many times those of CityLearn and bauwerk they are."""
    lines = [
        "| environment | version | homes | steps/s | slowest – fastest | home-steps/s | reset [ms] "
        "| × CityLearn's 17 (home-steps) | × bauwerk (steps) |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row, got in figures.items():
        if isinstance(got, str):
            lines.append(f"| {row} | not to be had: {got} |" + " |" * 7)
            continue
        lines.append(
            f"| {row} | {got.version} | {got.homes} | {got.steps_per_s:,.0f} "
            f"| {1 / max(got.step_s):,.0f} – {1 / min(got.step_s):,.0f} | {got.home_steps_per_s:,.0f} "
            f"| {statistics.median(got.reset_s) * 1000:,.1f} | {times(got, figures.get(CITYLEARN), True)} "
            f"| {times(got, figures.get(BAUWERK), False)} |"
        )
    return lines


def limits_table(figures: dict[str, Figures | str]) -> list[str]:
    """What each of ours is held to."""
    lines = ["| ours | beside | measured | limit |", "|---|---|---:|---:|"]
    for row, own in OWN.items():
        if row not in figures:
            continue
        unit = "home-steps/s" if own.is_per_home else "steps/s"
        ratio = times(figures[row], figures.get(own.against), own.is_per_home)
        lines.append(f"| {row} | {own.against} ({unit}) | {ratio} | ≥ {own.factor:,g} × |")
    return lines


def times(figures: Figures | str, other: Figures | str | None, is_per_home: bool) -> str:
    """How many times another's steps (or home-steps) these are."""
    if not isinstance(figures, Figures) or not isinstance(other, Figures):
        return "–"
    if is_per_home:
        ratio = figures.home_steps_per_s / other.home_steps_per_s
    else:
        ratio = figures.steps_per_s / other.steps_per_s
    return f"{ratio:,.2f} ×" if ratio < 10 else f"{ratio:,.0f} ×"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=5000, help="steps of a run; below 8,736")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--own", choices=list(OWN), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.own:
        OWN[asked.own].run(benchmark_homes(), asked.steps)
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(processes(asked.steps, Path(folder)), asked.rounds)
    print(*figures_table(figures), "", *limits_table(figures), "", sep="\n")
    print(
        f"Python {platform.python_version()}, Gymnasium {gymnasium.__version__}, NumPy {np.__version__} (ours); "
        f"{platform.machine()}, one core, CPU time, median of {asked.rounds} rounds of {asked.steps:,} steps."
    )


if __name__ == "__main__":
    main()
