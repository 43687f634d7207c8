"""Time and memory of describing a saved scenario set.

    python benchmarks/scenario_describe.py --homes 100 --scenarios 100

Saves a set of made-up homes, a year of half-hours of load and PV, each scenario with its days in another order, and
describes it in a fresh process: tables, figures and page. Memory is the highest that the process reached, the
libraries included.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import hidiff
from hidiff.data.synthetic import synthetic_homes
from hidiff.scenarios import Channel, ScenarioSet, scenario_table
from hidiff.scenarios.describe import describe_dir
from hidiff.scenarios.scenario_set import Rows, Values

LIMIT_GIB = 2.0
LIMIT_S = 300
HOMES_MADE = 20


def made_up(homes: int, scenarios: int) -> ScenarioSet:
    """A set that is computed when it is read: homes scaled, days of a month in another order."""
    traces = synthetic_homes(HOMES_MADE, days=365, seed=0)
    days = len(traces.time) // 48
    table = traces.homes.iloc[np.arange(homes) % HOMES_MADE].copy()
    table.index = [f"h{home:05d}" for home in range(homes)]
    table.index.name = "home"

    def channel(values: Values) -> Channel:
        by_day = values[:, : days * 48].reshape(len(values), days, 48)

        def read(row: int, rows: Rows) -> Values:
            rng = np.random.default_rng(row)
            order = np.concatenate(
                [part[rng.permutation(len(part))] for part in np.split(np.arange(days), range(30, days, 30))]
            )
            scale = (1 + 0.02 * (rows // HOMES_MADE)).astype(np.float32)
            return (by_day[rows % HOMES_MADE][:, order] * scale[:, None, None]).reshape(len(rows), -1)

        return Channel(read=read)

    return ScenarioSet(
        scenarios=scenario_table(scenarios), homes=table, time=traces.time[: days * 48], time_zone=traces.time_zone,
        channels={"load_kw": channel(traces.load_kw), "pv_kw": channel(traces.pv_kw)},
    )  # fmt: skip


def peak_gib() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss of a process on Linux begins at that of the process that started it
        fields = dict(row.split(":", 1) for row in status.read_text(encoding="ascii").splitlines())
        return int(fields["VmHWM"].split()[0]) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def measure(folder: Path) -> dict[str, float]:
    wall, processor = time.perf_counter(), time.process_time()
    page = describe_dir(folder, force=True, progress=False)
    return {
        "wall_s": time.perf_counter() - wall,
        "processor_s": time.process_time() - processor,
        "peak_gib": peak_gib(),
        "page_mb": page.stat().st_size / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=100)
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="keep the set there, and use it if it is there")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary) / "set"
        if not (folder / "scenarios.json").is_file():
            made_up(arguments.homes, arguments.scenarios).save(folder, progress=True)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        done = subprocess.run(
            [sys.executable, __file__, "--measure", str(folder)], check=True, capture_output=True, text=True
        )
        found = json.loads(done.stdout)
    values = arguments.homes * arguments.scenarios * 365 * 48 * 2
    print(
        f"{arguments.homes} homes x {arguments.scenarios} scenarios x a year of half-hours, load and PV: "
        f"{4 * values / 1e9:.1f} GB in memory, {size:,.0f} MB on disk; hidiff {hidiff.__version__}, "
        f"Python {platform.python_version()}, {platform.machine()}\n"
    )
    print("| describing it | measured | limit |\n|---|---:|---:|")
    print(f"| highest memory of the process [GiB] | {found['peak_gib']:.2f} | {LIMIT_GIB:g} |")
    print(f"| processor time [s] | {found['processor_s']:.0f} | {LIMIT_S:g} |")
    print(f"| time on the clock [s] | {found['wall_s']:.0f} | {LIMIT_S:g} |")
    print(f"| page [MB] | {found['page_mb']:.1f} | |")


if __name__ == "__main__":
    main()
