"""Memory and time of every export at 100 homes x 100 scenarios x one year: a Markdown table, each beside its limit.

Values are drawn when they are read, so that what is measured is the writing. Each format runs in a process of its
own, with as few as ``--scenarios`` of the 100: memory does not grow with them, which the rows of another number show.
EMHASS takes 28 days at most, and the day-ahead programme of SMPS is written for one.

    python benchmarks/exports.py --scenarios 100 --formats pypsa opendss
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.adapters.exports import FORMATS, write_export
from hidiff.scenarios import Channel, ScenarioSet, scenario_table

LIMIT_MIB = 2048
HOMES = 100
DAYS = {"emhass": 28, "smps": 1}


def drawn_set(scenarios: int, days: int) -> ScenarioSet:
    """Load and PV of 100 homes, and one price, made of random numbers when they are asked for."""
    steps = 48 * days

    def of_homes(channel: int, scale_kw: float) -> Channel:
        def read(row: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
            draws = [
                np.random.default_rng((row, channel, int(home))).random(steps, dtype=np.float32)
                for home in rows
            ]
            return np.stack(draws) * np.float32(scale_kw)

        return Channel(read=read)

    def price(row: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.float32(0.2) + np.random.default_rng((row, 9)).random(steps, dtype=np.float32) / 10

    names = pd.Index([f"h{number}" for number in range(HOMES)], name="home", dtype=object)
    return ScenarioSet(
        scenarios=scenario_table(scenarios),
        homes=pd.DataFrame({"pv_capacity_kwp": 4.0}, index=names),
        time=pd.date_range("2030-01-01", periods=steps, freq="30min", tz="Australia/Sydney"),
        channels={
            "load_kw": of_homes(0, 1.0),
            "pv_kw": of_homes(1, 0.5),
            "import_price_per_kwh": Channel(read=price, unit="AUD/kWh", kind="state", has_homes=False),
        },
    )


def measure(name: str, scenarios: int) -> str:
    """A row of the table: peak of the process, processor time a scenario, size a scenario."""
    days = DAYS.get(name, 365)
    drawn = drawn_set(scenarios, days)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out = write_export(name, drawn, Path(folder) / "out")
        seconds = (time.process_time() - start) / scenarios
        size_mb = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / scenarios / 1e6
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"| {name} | {scenarios} | {days} | {peak_mib:.0f} | {LIMIT_MIB} | {seconds:.2f} | {size_mb:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenarios", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--formats", nargs="+", default=list(FORMATS), choices=list(FORMATS))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(measure(asked.one[0], int(asked.one[1])))
        return
    print(
        f"| format | scenarios | days | peak memory of {HOMES} homes [MiB] | limit | s a scenario | MB a scenario |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in asked.formats:
        for scenarios in asked.scenarios:
            command = [sys.executable, __file__, "--one", name, str(scenarios)]
            print(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True
            )


if __name__ == "__main__":
    main()
