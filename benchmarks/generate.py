"""Time, memory and disk of generation, beside what the arithmetic alone would take on this machine.

    python benchmarks/generate.py --homes 42 --steps 2 4 8

Each row is a process of its own, which loads the model, samples the homes in batches of 8 and writes them as
Parquet; the last row is the yardstick, 18 steps of Heun. Seconds are those of sampling and writing; loading
stands below the table. The floor is what `reference_cost` counts of matrix arithmetic over the rate of a plain
matrix product, measured just before the row: what is above it is everything but arithmetic.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from reference_cost import network_passes, sampling_flop

import hidiff
from hidiff.data.traces import concat_homes

MATRIX = 1024
"""Rows and columns of the measured product."""
STUDENT = ("student", 4)
YARDSTICK = ("heun", 18)


def matrix_rate_gflops(dtype: torch.dtype, seconds: float = 1.0) -> float:
    """Rate of a square matrix product, the best of as many as fit into ``seconds`` [GFLOP/s]."""
    a, b = (torch.randn(MATRIX, MATRIX).to(dtype) for _ in range(2))
    a @ b
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - begin)
    return 2 * MATRIX**3 / best / 1e9


def measure(model_folder: Path | None, homes: int, solver: str, steps: int) -> dict[str, float]:
    """One row, measured in this process."""
    begin = time.perf_counter()
    model = hidiff.load(model_folder)
    loaded = time.perf_counter()
    batches = list(model.sample_batches(homes, 1, seed=1, solver=solver, steps=steps))
    with tempfile.TemporaryDirectory() as folder:
        written = concat_homes(batches).to_parquet(Path(folder) / "set")
        seconds = time.perf_counter() - loaded
        size = sum(path.stat().st_size for path in written.glob("*.parquet"))
    # kilobytes on Linux, bytes on macOS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"load_s": loaded - begin, "seconds": seconds, "parquet_bytes": size, "peak_bytes": peak}


def measured_apart(arguments: argparse.Namespace, solver: str, steps: int) -> dict[str, float]:
    """`measure` in a fresh process, so that its peak of memory is its own."""
    command = [sys.executable, __file__, "--homes", str(arguments.homes), "--row", solver, str(steps)]
    command += ["--threads", str(arguments.threads)]
    command += [] if arguments.model is None else ["--model", str(arguments.model)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


def processor() -> str:
    """Name of the processor, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=42)
    parser.add_argument("--steps", type=int, nargs="+", default=[2, 4, 8], help="steps of dpm++2m")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--model", type=Path, help="model directory, instead of the shipped model")
    parser.add_argument("--row", nargs=2, metavar=("SOLVER", "STEPS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.row:
        solver, steps = arguments.row[0], int(arguments.row[1])
        print(json.dumps(measure(arguments.model, arguments.homes, solver, steps)))
        return

    model = hidiff.load(arguments.model)
    sampler = model.sampler
    flop_a_pass = sampling_flop(model, steps=2) / network_passes("dpm++2m", 2)
    name = "bf16" if sampler.bf16 else "fp32"
    print(
        "| solver | steps | homes | s a home-year | floor, s a home-year | GFLOP a home-year "
        "| peak memory, MB | Parquet, MB a home-year |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    rates: dict[str, list[float]] = {"fp32": [], "bf16": []}
    loads: list[float] = []
    for solver, steps in [STUDENT, *(("dpm++2m", steps) for steps in arguments.steps), YARDSTICK]:
        rates["fp32"].append(matrix_rate_gflops(torch.float32))
        rates["bf16"].append(matrix_rate_gflops(torch.bfloat16))
        row: dict[str, Any] = measured_apart(arguments, solver, steps)
        loads.append(row["load_s"])
        gflop = flop_a_pass * network_passes(solver, steps) / 1e9
        print(
            f"| {solver} | {steps} | {arguments.homes} | {row['seconds'] / arguments.homes:.3f} "
            f"| {gflop / rates[name][-1]:.3f} | {gflop:.0f} | {row['peak_bytes'] / 1e6:.0f} "
            f"| {row['parquet_bytes'] / arguments.homes / 1e6:.3f} |",
            flush=True,
        )
    ranges = {key: f"{min(values):.0f} to {max(values):.0f}" for key, values in rates.items()}
    print(
        f"\n{processor()}, {os.cpu_count()} cores, {arguments.threads} threads, torch {torch.__version__}, "
        f"Python {platform.python_version()}; matrix product of {MATRIX}: fp32 {ranges['fp32']}, "
        f"bf16 {ranges['bf16']} GFLOP/s over the rows; the floor takes {name}. "
        f"Loading the model: {min(loads):.1f} s."
    )


if __name__ == "__main__":
    main()
