"""Time and memory of reading a stored set back.

    python benchmarks/reading.py --homes 500 --years 1

Writes made-up homes (16 different ones, scaled, under as many names as asked) and measures each row in a fresh
process. Cold means that the system was asked to drop the files from its memory just before; a drive's own cache
may still hold them. MB are those of float32 load and PV in memory, 140 a thousand home-years of half-hours. The
last row opens 10,000 homes x 10 years in shards of 256 home-years: opening costs by the row group, not by the
row, so those have a step of five days.
"""

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

import hidiff
from hidiff.data.parquet import write_homes, write_shard
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces

HOME_YEARS_PER_SHARD = 256
HOMES_PICKED = 100
BATCH_HOMES = 64
WINDOW_STEPS = 336
MANY_HOMES, MANY_YEARS = 10_000, 10
PARTS = (
    "open-cold", "open", "home-cold", "home", "column", "stream-fifth", "stream", "read", "torch-0", "torch-2",
    "open-many",
)  # fmt: skip


def write(folder: Path, homes: int, pattern: Traces, years: int) -> None:
    """A set of ``homes`` homes that repeat those of ``pattern``, each at its own scale."""
    folder.mkdir()
    names = [f"home-{number:06d}" for number in range(homes)]
    table = pd.DataFrame({"pv_capacity_kwp": 5.0}, index=pd.Index(names, name="home"))
    per_shard = max(HOME_YEARS_PER_SHARD // years, 1)
    for shard, start in enumerate(range(0, homes, per_shard)):
        numbers = np.arange(start, min(start + per_shard, homes))
        scale = (1 + numbers[:, None] / homes).astype(np.float32)
        rows = numbers % len(pattern)
        part = Traces(
            scale * pattern.load_kw[rows], scale * pattern.pv_kw[rows], pattern.time, table.iloc[numbers]
        )
        write_shard(folder / f"traces-{shard:05d}.parquet", part)
    write_homes(folder / "homes.csv", table)


def half_hours(years: int) -> Traces:
    """Sixteen made-up homes, as float32."""
    made = synthetic_homes(16, 366 * years, start="2030-01-01")
    made = made.between("2030-01-01", f"{2030 + years}-01-01")
    return Traces(made.load_kw.astype(np.float32), made.pv_kw.astype(np.float32), made.time, made.homes)


def five_days(years: int) -> Traces:
    """One flat home with a step of five days."""
    time_index = pd.date_range("2030-01-01", f"{2030 + years}-01-01", freq="5D", tz="UTC", inclusive="left")
    flat = np.ones((1, len(time_index)), dtype=np.float32)
    return Traces(
        flat, flat, time_index, pd.DataFrame({"pv_capacity_kwp": 5.0}, index=pd.Index(["x"], name="home"))
    )


def forget(folder: Path) -> None:
    """Ask the system to drop the files from its memory."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def timed(result: dict[str, float]) -> Iterator[None]:
    """Adds seconds and processor seconds (those of finished workers included) of the block to ``result``."""
    begin, cpu = time.perf_counter(), _cpu_s()
    yield
    result["wall_s"], result["cpu_s"] = time.perf_counter() - begin, _cpu_s() - cpu


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure(part: str, folder: Path) -> dict[str, float]:
    """One row, measured in this process; ``units`` is what its time is divided by."""
    result: dict[str, float] = {"units": 1, "base_bytes": _peak_bytes()}
    if part.endswith("cold"):
        hidiff.open(folder)  # what is imported on the way is not what is measured
        forget(folder)
    if part.startswith("open"):
        if part != "open-cold":
            hidiff.open(folder)
        with timed(result):
            stored = hidiff.open(folder)
        return result | {"peak_bytes": _peak_bytes(), "homes": len(stored)}
    stored = hidiff.open(folder)
    home_years = len(stored) * len(stored.time) * stored.dt_h / 8766
    picked = random.Random(0).sample(stored.names, min(HOMES_PICKED, len(stored)))
    if part in ("home-cold", "home", "column"):
        result["units"] = len(picked)
        if part != "home-cold":
            for name in picked:
                stored.home(name)
        else:
            forget(folder)
        with timed(result):
            for name in picked:
                if part == "column":
                    stored.read_home(name, ["load_kw"])
                else:
                    stored.home(name)
    elif part in ("stream", "stream-fifth"):
        if part == "stream-fifth":
            stored, home_years = stored.select(stored.names[: max(len(stored) // 5, 1)]), home_years / 5
        with timed(result):
            for traces in stored.batches(homes=BATCH_HOMES):
                del traces
        result["units"] = home_years
    elif part == "read":
        with timed(result):
            stored.read()
        result["units"] = home_years
    else:
        result |= _windows(stored, int(part.removeprefix("torch-")))
    return result | {"peak_bytes": _peak_bytes(), "mb": stored.nbytes / 1e6}


def _windows(stored: "hidiff.StoredTraces", workers: int) -> dict[str, float]:
    """Windows through a DataLoader, from its second batch on: starting the workers is not counted."""
    import torch
    from torch.utils.data import DataLoader

    torch.set_num_threads(1)
    dataset = stored.to_torch(window_steps=WINDOW_STEPS, shuffle=True)
    batches = iter(DataLoader(dataset, batch_size=BATCH_HOMES, num_workers=workers))
    next(batches)
    result: dict[str, float] = {}
    with timed(result):
        result["units"] = sum(len(batch["home"]) for batch in batches)
    return result


def _peak_bytes() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss of a process on Linux begins at that of the process that started it
        fields = dict(row.split(":", 1) for row in status.read_text(encoding="ascii").splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def apart(part: str, folder: Path) -> dict[str, float]:
    """`measure` in a fresh process, so that its peak of memory is its own."""
    command = [sys.executable, __file__, "--part", part, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


def line(part: str, row: dict[str, float]) -> str:
    """One row of the table."""
    each, cpu = row["wall_s"] / row["units"], row["cpu_s"] / row["units"]
    if part.startswith("open"):
        where = "files cold" if part == "open-cold" else "files in the system's memory"
        what, figure, of_cpu = f"open {row['homes']:,.0f} homes, {where}", f"{each:.2f} s", f"{cpu:.2f} s"
    elif part.startswith("torch"):
        workers = part.removeprefix("torch-")
        what = f"HomeWindows through a DataLoader, {workers} workers, windows of {WINDOW_STEPS}, shuffled"
        figure, of_cpu = f"{1 / each:,.0f} windows/s", f"{1e6 * cpu:.0f} µs a window"
    elif part in ("home", "home-cold", "column"):
        what = {"home": "one home, warm", "home-cold": "one home, cold", "column": "its load alone, warm"}[
            part
        ]
        figure, of_cpu = f"{1e3 * each:.1f} ms", f"{1e3 * cpu:.1f} ms"
    else:
        what = {
            "read": "read() of all",
            "stream": f"batches({BATCH_HOMES}) of all",
            "stream-fifth": f"batches({BATCH_HOMES}) of a fifth",
        }[part]
        figure = f"{1 / each:,.0f} home-years/s, {row['mb'] / row['wall_s']:,.0f} MB/s"
        of_cpu = f"{1e3 * cpu:.2f} ms a home-year"
    more = (row["peak_bytes"] - row["base_bytes"]) / 1e6
    return f"| {what} | {figure} | {of_cpu} | {row['peak_bytes'] / 1e6:.0f} | {more:.0f} |"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=500)
    parser.add_argument("--years", type=int, default=1)
    parser.add_argument("--many-homes", type=int, default=MANY_HOMES, help="homes of the last row")
    parser.add_argument("--part", nargs=2, metavar=("PART", "DIR"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(measure(arguments.part[0], Path(arguments.part[1]))))
        return
    from generate import processor  # it loads torch, which the rows above are measured without

    with tempfile.TemporaryDirectory() as parent:
        folder, many = Path(parent) / "set", Path(parent) / "many"
        write(folder, arguments.homes, half_hours(arguments.years), arguments.years)
        write(many, arguments.many_homes, five_days(MANY_YEARS), MANY_YEARS)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(
            "| | figure | processor time | peak memory, MB | of it above `import`, MB |\n|---|---:|---:|---:|---:|"
        )
        for part in PARTS:
            print(line(part, apart(part, many if part == "open-many" else folder)), flush=True)
        shards = len(list(many.glob("traces-*.parquet")))
    print(
        f"\n{arguments.homes} homes x {arguments.years} years, {size:.0f} MB of Parquet; the last row {MANY_YEARS} "
        f"years in {shards} shards. {processor()}, {os.cpu_count()} cores, pyarrow {pa.__version__}, "
        f"Python {platform.python_version()}."
    )


if __name__ == "__main__":
    main()
