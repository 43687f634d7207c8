"""Time, memory and disk of generation, each figure beside its limit and what arithmetic alone would take.

    python benchmarks/generate.py                       the default sampler, 64 homes
    python benchmarks/generate.py --homes 1000          the same with the memory limit of a thousand homes
    python benchmarks/generate.py --steps 2 4 8 --solver dpm++2m heun   more samplers, without limits

Each measured sampler is a process of its own, which loads the model, samples the homes batch by batch and writes each
batch as Parquet. Seconds are those of sampling and writing; loading stands below the table. The **floor** is what
`reference_cost` counts of matrix arithmetic over the rate of a plain matrix product on as many cores, the best of
those measured just before and just after. Core-seconds are what the process was given, on a busy machine as well.

The **reference design** (HiDiffEnergy, 2025, as `hidiff.baselines.hidiff_energy` rebuilds it at its published size) is
timed on the same machine: a few of its 500 steps a level over 32 windows of two days on one core, extrapolated to all
steps and to the 183 windows of a year, in float32 as published and under bfloat16 autocast. Core-seconds stand against
core-seconds, as if the reference gained all that a second core can give. LoadProfileGenerator's minute a household is
quoted, not measured.

On a card the same call is timed on the device alone and with its Parquet; the bandwidth floor is what the inputs and
outputs of the networks' matrix products weigh, over the rate of a plain copy.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from reference_cost import network_passes, sampling_flop

import hidiff
from hidiff import HiDiff
from hidiff.baselines import hidiff_energy
from hidiff.baselines.windows import CONDITION
from hidiff.diffusion.engine import cores
from hidiff.diffusion.identity import STATISTICS
from hidiff.rng import generator

MATRIX = 1024
"""Rows and columns of the measured product."""
SECONDS_LIMIT, FLOOR_LIMIT, REFERENCE_LIMIT = 0.5, 2.5, 1000.0
"""Of a home-year on two cores [s]; over its arithmetic floor; times fewer seconds than the reference design."""
MEMORY_LIMIT, MEMORY_HOMES = 2 * 2**30, 1000
"""Peak memory of a process that makes so many homes [bytes]."""
DEVICE_LIMIT, DISK_LIMIT = 1000.0, 300.0
"""Home-years a second on a card of the H200's class, and with their Parquet."""
REFERENCE_STEPS, REFERENCE_WINDOWS, WINDOWS_A_YEAR = 3, 32, 183
LOAD_PROFILE_GENERATOR_S = 60.0
"""A household-year, as published for LoadProfileGenerator (Pflugradt et al. 2022)."""


def matrix_rate_gflops(dtype: torch.dtype, threads: int, seconds: float = 1.0) -> float:
    """Rate of a square matrix product, the best of as many as fit into ``seconds`` [GFLOP/s]."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    a, b = (torch.randn(MATRIX, MATRIX).to(dtype) for _ in range(2))
    a @ b
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - begin)
    torch.set_num_threads(before)
    return 2 * MATRIX**3 / best / 1e9


def peak_bytes() -> int:
    """Largest memory of this process so far; kilobytes on Linux, bytes on macOS."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(arguments: argparse.Namespace, solver: str, steps: int) -> dict[str, float]:
    """Seconds, memory and disk of one sampler, measured in this process."""
    begin = time.perf_counter()
    model = hidiff.load(arguments.model)
    loaded, worked = time.perf_counter(), time.process_time()
    batches = model.sample_batches(
        arguments.homes, 1, seed=1, solver=solver, steps=steps, workers=arguments.workers
    )
    size = 0
    with tempfile.TemporaryDirectory() as folder:
        for place, batch in enumerate(batches):
            written = batch.to_parquet(Path(folder) / str(place))
            size += sum(path.stat().st_size for path in written.glob("*.parquet"))
        seconds = time.perf_counter() - loaded
    worked = time.process_time() - worked
    figures = {"load_s": loaded - begin, "seconds": seconds, "core_seconds": worked}
    return {**figures, "parquet": size, "peak": peak_bytes()}


def measured_apart(arguments: argparse.Namespace, solver: str, steps: int) -> dict[str, float]:
    """`measure` in a fresh process, so that its peak of memory is its own."""
    command = [sys.executable, __file__, "--homes", str(arguments.homes), "--row", solver, str(steps)]
    command += ["--workers", str(arguments.workers)]
    command += [] if arguments.model is None else ["--model", str(arguments.model)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


@torch.no_grad()
def reference_core_seconds(*, bf16: bool) -> float:
    """Core-seconds of a home-year of the reference design at its 500 steps a level, extrapolated from a few."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    condition = torch.zeros(REFERENCE_WINDOWS, 96, CONDITION)
    household = torch.zeros(REFERENCE_WINDOWS, len(STATISTICS))
    rngs = [generator(0, place) for place in range(REFERENCE_WINDOWS)]
    seconds = []
    for steps in (1, 1 + REFERENCE_STEPS):  # the first step warms up, and what is paid once a call drops out
        with (
            patch.object(hidiff_energy, "NOISE_STEPS", steps),
            torch.autocast("cpu", torch.bfloat16, enabled=bf16),
        ):
            design = hidiff_energy.Hierarchy(hidiff_energy.HiDiffEnergyConfig(), len(STATISTICS)).eval()
            design.sample(condition, household, rngs)
            begin = time.process_time()
            design.sample(condition, household, rngs)
            seconds.append(time.process_time() - begin)
    torch.set_num_threads(threads)
    a_step = (seconds[1] - seconds[0]) / REFERENCE_STEPS
    return a_step * 500 * WINDOWS_A_YEAR / REFERENCE_WINDOWS


def activation_bytes(model: HiDiff, passes: int) -> float:
    """Bytes that go into and come out of the matrix products of a home-year, in bfloat16."""
    total = 0
    for level, tokens in ((model.low, 31 * 14 * 24), (model.high, 392)):
        config = level.config.network()
        # queries, keys and values; attention; what it attended; grow; shrink: what goes in and comes out of each
        widths = (1 + 3) + (3 + 1) + (1 + 1) + 2 * (1 + config.expansion)
        total += passes * tokens * config.blocks * widths * config.width * 2
    return total


def card_rows(model: HiDiff, homes: int) -> Iterator[tuple[str, str, str]]:
    """Rows of a card: what was measured, how much, the limit."""
    bandwidth_gb_s = copy_rate_gb_s()
    sampler = model.sampler_for(None, None)
    floor = activation_bytes(model, network_passes(sampler.solver, sampler.steps)) / bandwidth_gb_s / 1e9
    list(model.sample_batches(256, 1, seed=1, device="cuda"))  # compiles, and fills the caches of memory
    for count in (homes, 10 * homes):
        torch.cuda.reset_peak_memory_stats()
        begin = time.perf_counter()
        for _ in model.sample_batches(count, 1, seed=1, device="cuda"):
            pass
        rate = count / (time.perf_counter() - begin)
        yield f"card, {count} homes: home-years a second", f"{rate:.0f}", f">= {DEVICE_LIMIT:.0f}"
        yield f"card, {count} homes: share of the bandwidth floor", f"{100 * rate * floor:.0f} %", ""
        on_card = torch.cuda.max_memory_allocated() / 2**30
        yield (
            f"card, {count} homes: peak memory, card and host",
            f"{on_card:.2f} and {peak_bytes() / 2**30:.2f} GiB",
            "flat",
        )
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        for place, batch in enumerate(model.sample_batches(homes, 1, seed=1, device="cuda")):
            batch.to_parquet(Path(folder) / str(place))
        rate = homes / (time.perf_counter() - begin)
    yield f"card, {homes} homes: home-years a second to Parquet", f"{rate:.0f}", f">= {DISK_LIMIT:.0f}"


def copy_rate_gb_s() -> float:
    """Bytes read and written by a plain copy on the card [GB/s]."""
    source = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(10):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return 2 * len(source) / best / 1e9


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
    parser.add_argument("--homes", type=int, default=64)
    parser.add_argument("--workers", type=int, default=cores(), help="threads, each of which takes a core")
    parser.add_argument("--solver", nargs="*", default=[], help="further solvers: dpm++2m, heun")
    parser.add_argument("--steps", type=int, nargs="+", default=[8], help="steps of each further solver")
    parser.add_argument("--no-reference", action="store_true", help="leave out the reference design")
    parser.add_argument("--model", type=Path, help="model directory, instead of the shipped model")
    parser.add_argument("--row", nargs=2, metavar=("SOLVER", "STEPS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(arguments, arguments.row[0], int(arguments.row[1]))))
        return

    model = hidiff.load(arguments.model)
    default = model.sampler_for(None, None)
    dtype = torch.bfloat16 if default.bf16 else torch.float32
    homes, workers = arguments.homes, arguments.workers
    print("| figure | measured | limit |\n|---|---:|---:|")

    def show(figure: str, measured: str, limit: str = "") -> None:
        print(f"| {figure} | {measured} | {limit} |", flush=True)

    samplers = [(default.solver, default.steps)]
    samplers += [(solver, steps) for solver in arguments.solver for steps in arguments.steps]
    rates: list[float] = []
    for place, (solver, steps) in enumerate(samplers):
        before = matrix_rate_gflops(dtype, workers)
        row: dict[str, Any] = measured_apart(arguments, solver, steps)
        after = matrix_rate_gflops(dtype, workers)
        rates += [before, after]
        seconds = row["seconds"] / homes
        gflop = sampling_flop(model, solver, steps) / 1e9
        floor = gflop / max(before, after)
        name, is_default = f"{solver}, {steps} steps", place == 0
        is_limited = is_default and workers == 2
        show(
            f"{name}: seconds a home-year, {workers} workers",
            f"{seconds:.3f}",
            f"<= {SECONDS_LIMIT}" if is_limited else "",
        )
        show(f"{name}: core-seconds a home-year", f"{row['core_seconds'] / homes:.3f}")
        show(f"{name}: its arithmetic floor ({gflop:.0f} GFLOP)", f"{floor:.3f}")
        show(f"{name}: times the floor", f"{seconds / floor:.2f}", f"<= {FLOOR_LIMIT}" if is_default else "")
        is_memory = is_default and homes >= MEMORY_HOMES
        show(
            f"{name}: peak memory of {homes} homes", f"{row['peak'] / 2**30:.2f} GiB",
            f"<= {MEMORY_LIMIT / 2**30:.0f} GiB" if is_memory else f"(of {MEMORY_HOMES} homes: --homes {MEMORY_HOMES})",
        )  # fmt: skip
        show(f"{name}: Parquet, MB a home-year", f"{row['parquet'] / homes / 1e6:.3f}")
        if is_default:
            ours, core_seconds, load_s = seconds, row["core_seconds"] / homes, row["load_s"]
    if not arguments.no_reference:
        for bf16 in (False, True):
            form = "under bfloat16 autocast" if bf16 else "in float32, as published"
            reference = reference_core_seconds(bf16=bf16)
            show(
                f"reference design {form}, 500 steps a level, extrapolated: core-seconds", f"{reference:.0f}"
            )
            limit = "" if bf16 else f">= {REFERENCE_LIMIT:.0f}"
            show(f"reference design {form}: times our core-seconds", f"{reference / core_seconds:.0f}", limit)
    show(
        "LoadProfileGenerator, as published: seconds a household-year (times ours)",
        f"{LOAD_PROFILE_GENERATOR_S:.0f} ({LOAD_PROFILE_GENERATOR_S / ours:.0f})",
    )
    if torch.cuda.is_available():
        for row_of_card in card_rows(model, MEMORY_HOMES):
            show(*row_of_card)
    else:
        show("card: home-years a second on the device", "no card here", f">= {DEVICE_LIMIT:.0f}")
        show("card: home-years a second to Parquet", "no card here", f">= {DISK_LIMIT:.0f}")
    kind = "bf16" if default.bf16 else "fp32"
    print(
        f"\n{processor()}, {os.cpu_count()} cores, torch {torch.__version__}, Python {platform.python_version()}; "
        f"{kind} matrix product of {MATRIX} on {workers} threads: {min(rates):.0f} to {max(rates):.0f} GFLOP/s. "
        f"Loading the model: {load_s:.1f} s."
    )


if __name__ == "__main__":
    main()
