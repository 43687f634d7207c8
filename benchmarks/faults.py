"""What becomes of a run of ``hidiff generate`` that is killed, crowded, or damaged: drills with real processes.

    python benchmarks/faults.py

Each drill ends with a comparison, byte by byte, with the set of an undisturbed run. One table is printed, for
docs/reliability.md; the exit code is 1 if any drill failed. The model samples in one step, and a shard holds one
home-year, so that a set is made in seconds and kills land between and within shards. (A kill at each single operation
on disk, which random moments hardly meet, is what tests/hidiff/generate/test_kills.py does.)
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

HOMES = 8
COMMAND = "import sys; from hidiff.cli import main; sys.exit(main())"
TIMEOUT_S = 300


class Failed(Exception):
    """A drill did not end as it must."""


@dataclass
class Bench:
    """Where the drills take place, and the set that they must end with."""

    root: Path
    kills: int
    seed: int
    model: Path | None
    whole: dict[str, bytes] = field(default_factory=dict)
    shard_s: float = 0.0
    """What a shard of an undisturbed run took; kills are this much spread."""
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, out: Path, *more: str, verb: str = "generate") -> subprocess.Popen[str]:
        """A run of the command line in a process of its own."""
        words = [verb, str(out)]
        if verb == "generate":
            words = [
                verb,
                "--homes",
                str(HOMES),
                "--seed",
                "5",
                "--steps",
                "1",
                "--home-years-per-shard",
                "1",
            ]
            words += ["--out", str(out), *more]
            words += [] if self.model is None else ["--model", str(self.model)]
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def stop_all(self) -> None:
        """Let nothing run on that a failed drill has left."""
        while self.processes:
            process = self.processes.pop()
            if process.poll() is None:
                process.kill()
                process.communicate()

    def run(self, out: Path, *more: str, verb: str = "generate", code: int = 0) -> str:
        """Run to the end; what was said on both streams."""
        return ended(self.start(out, *more, verb=verb), code)

    def check_same(self, out: Path) -> None:
        """Fail unless the set is, byte by byte, that of the undisturbed run."""
        found = contents(out)
        different = sorted(
            name for name in found.keys() | self.whole.keys() if found.get(name) != self.whole.get(name)
        )
        if different:
            raise Failed(
                f"{different[0]} and {len(different) - 1} other files differ from an undisturbed run"
            )


def ended(process: subprocess.Popen[str], code: int) -> str:
    """What a process said; fails unless it ends with ``code``."""
    out, err = process.communicate(timeout=TIMEOUT_S)
    if process.returncode != code:
        raise Failed(f"exit code {process.returncode}, not {code}: {err.strip()[-300:]}")
    return out + err


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Look every few milliseconds until it is so; fails when the process ends before."""
    while not condition():
        if process.poll() is not None:
            raise Failed(f"the run ended before it could be disturbed: {ended(process, 0)}")
        time.sleep(0.005)


@contextmanager
def held_still(process: subprocess.Popen[str]) -> Iterator[None]:
    """The process does not run meanwhile, and so does not come to its end."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def finished(out: Path) -> int:
    """Number of shards that have a record."""
    return sum(path.stem.isdigit() for path in (out / "unfinished").glob("*.json"))


def has_begun(out: Path) -> bool:
    return (out / "unfinished.json").exists()


def is_whole(out: Path) -> bool:
    return (out / "manifest.json").exists()


def says(text: str, words: str) -> None:
    if words not in text:
        raise Failed(f"{words!r} was not said, but {text.strip()[-300:]!r}")


# ---------------------------------------------------------------- drills


def killed_at_random(bench: Bench) -> str:
    """kill -9 at random moments, then --resume"""
    rng, counts, in_vain = random.Random(bench.seed), [], 0
    while len(counts) < bench.kills:
        out = bench.root / "killed"
        process = bench.start(out)
        shards = rng.randrange(HOMES)
        wait_for(lambda: (has_begun(out) and finished(out) >= shards) or is_whole(out), process)  # noqa: B023
        time.sleep(rng.uniform(0, bench.shard_s))
        process.kill()
        process.communicate()
        if is_whole(out):
            in_vain += 1  # it was done before its moment came; another moment is drawn
        else:
            counts.append(finished(out))
            bench.run(out, "--resume")
            bench.check_same(out)
        shutil.rmtree(out)
    spread = ", ".join(f"{counts.count(count)}x {count}" for count in sorted(set(counts)))
    return (
        f"{len(counts)} of {len(counts)} identical; finished shards at the kill, of {HOMES}: {spread} "
        f"({in_vain} more runs were done before their moment came)"
    )


def full_disk(bench: Bench) -> str:
    """disk full after the first shard, then room is made and --resume"""
    with small_disk(bench, bench.root / "disk") as disk:
        if disk is None:
            return "skipped: no small file system could be mounted"
        out, ballast = disk / "set", disk / "ballast"
        process = bench.start(out)
        wait_for(lambda: finished(out) >= 1, process)
        while process.poll() is None:  # again and again, so that what is freed meanwhile is taken as well
            with ballast.open("ab", buffering=0) as stream, suppress(OSError):
                while stream.write(bytes(4096)):
                    pass
            time.sleep(0.01)
        said = ended(process, 1)
        says(said, "No space left on device")
        says(said, "the same command with --resume goes on")
        count = finished(out)
        ballast.unlink()
        bench.run(out, "--resume")
        bench.check_same(out)
    return f"ended with an error that names it, {count} of {HOMES} shards kept; identical after --resume"


def truncated(bench: Bench) -> str:
    """a shard is cut off by 1000 bytes"""
    return mended(bench, lambda content: content[:-1000], "bytes, not the")


def flipped(bench: Bench) -> str:
    """one bit of a shard flips"""

    def flip(content: bytes) -> bytes:
        middle = len(content) // 2
        return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]

    return mended(bench, flip, "is not what was written (sha256")


def mended(bench: Bench, harm: Callable[[bytes], bytes], words: str) -> str:
    out = bench.root / "harmed"
    bench.run(out)
    path = out / "traces-00003.parquet"
    path.write_bytes(harm(path.read_bytes()))
    times = {file.name: file.stat().st_mtime_ns for file in out.glob("traces-*") if file != path}
    said = bench.run(out, verb="verify", code=1)
    says(said, f"{path}: ")
    says(said, words)
    bench.run(out, "--resume")
    bench.check_same(out)
    bench.run(out, verb="verify")
    if times != {file.name: file.stat().st_mtime_ns for file in out.glob("traces-*") if file != path}:
        raise Failed("--resume wrote shards that were whole")
    shutil.rmtree(out)
    return "verify names the file and the fault, exit code 1; --resume made that shard alone again; identical"


def two_at_once(bench: Bench) -> str:
    """two processes on one --out"""
    out = bench.root / "shared"
    first = bench.start(out)
    wait_for(lambda: has_begun(out), first)
    with held_still(first):
        for more in ([], ["--resume"], ["--force"]):
            says(bench.run(out, *more, code=2), f"process {first.pid} on ")
    ended(first, 0)
    bench.check_same(out)
    shutil.rmtree(out)
    return (
        "the second was refused (also with --resume and --force) and told the first one's process; identical"
    )


def worker_killed(bench: Bench) -> str:
    """a Ray worker is killed (SIGKILL) in the middle"""
    if find_spec("ray") is None:
        return "skipped: Ray is not installed"
    out = bench.root / "ray"
    process = bench.start(out, "--engine", "ray")
    wait_for(lambda: finished(out) >= 1, process)
    workers: list[int] = []
    wait_for(lambda: bool(workers.extend(descendants(process.pid, "ray::_make_run")) or workers), process)
    os.kill(workers[0], signal.SIGKILL)
    count = finished(out)
    ended(process, 0)
    bench.check_same(out)
    shutil.rmtree(out)
    return f"killed with {count} of {HOMES} shards finished; the run went on by itself and ended with 0; identical"


def terminated(bench: Bench) -> str:
    """SIGTERM, as a job scheduler sends it, then --resume"""
    out = bench.root / "terminated"
    process = bench.start(out)
    wait_for(lambda: finished(out) >= 2, process)
    process.terminate()
    says(ended(process, 130), "the same command with --resume goes on")
    count = finished(out)
    bench.run(out, "--resume")
    bench.check_same(out)
    shutil.rmtree(out)
    return f"exit code 130, {count} of {HOMES} shards kept, told how to go on; identical after --resume"


def terminated_at_once(bench: Bench) -> str:
    """SIGTERM before any shard is finished"""
    out = bench.root / "early"
    process = bench.start(out)
    wait_for(lambda: has_begun(out), process)
    process.terminate()
    ended(process, 130)
    if out.exists() and not finished(out):
        raise Failed(f"nothing was finished, yet there is {sorted(contents(out))}")
    kept = finished(out) if out.exists() else 0
    shutil.rmtree(out, ignore_errors=True)
    return (
        "exit code 130, nothing is left behind"
        if not kept
        else f"{kept} shard was finished by then and stays"
    )


def array_at_once(bench: Bench) -> str:
    """two tasks of a job array at the same time, and the first of them twice"""
    out = bench.root / "array"
    first, second = bench.start(out, "--shard", "1/2"), bench.start(out, "--shard", "2/2")
    wait_for(lambda: (out / "unfinished" / "part-1-of-2.json").exists(), first)
    with held_still(first):
        says(bench.run(out, "--shard", "1/2", code=2), "is making part 1/2 of")
    ended(first, 0)
    ended(second, 0)
    bench.check_same(out)
    shutil.rmtree(out)
    return "the last one finished the set, the doubled task was refused; identical"


DRILLS = (
    killed_at_random, full_disk, truncated, flipped, two_at_once, worker_killed, terminated, terminated_at_once,
    array_at_once,
)  # fmt: skip


# ---------------------------------------------------------------- the machine


@contextmanager
def small_disk(bench: Bench, folder: Path) -> Iterator[Path | None]:
    """A file system with room for the set, none if it may not be mounted."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        bench.stop_all()  # for what they write to
        subprocess.run(["umount", str(folder)], check=True)


def descendants(ancestor: int, name: str) -> list[int]:
    """Processes below ``ancestor`` whose command line begins with ``name``."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            names[int(folder.name)] = (folder / "cmdline").read_text(errors="replace")
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):  # it ended just now
            continue

    def is_below(process: int) -> bool:
        while process in parents:
            process = parents[process]
            if process == ancestor:
                return True
        return False

    return [process for process, line in names.items() if line.startswith(name) and is_below(process)]


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def main() -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="random moments [default: 20]")
    parser.add_argument("--seed", type=int, default=0, help="of the moments [default: 0]")
    parser.add_argument("--model", type=Path, help="model directory, instead of the shipped model")
    parser.add_argument("--drills", nargs="+", choices=[drill.__name__ for drill in DRILLS])
    arguments = parser.parse_args()
    begin, has_failed = time.monotonic(), False
    with tempfile.TemporaryDirectory(prefix="hidiff-faults-") as folder:
        bench = Bench(Path(folder), arguments.kills, arguments.seed, arguments.model)
        out = bench.root / "whole"
        process = bench.start(out)
        wait_for(lambda: has_begun(out), process)
        first_file = time.monotonic()
        ended(process, 0)
        bench.shard_s = (time.monotonic() - first_file) / HOMES
        bench.whole = contents(out)
        bench.run(out, verb="verify")
        shards = len(json.loads(bench.whole["manifest.json"])["shards"])
        print("| drill | outcome | seconds |\n|---|---|---:|", flush=True)
        for drill in DRILLS:
            if arguments.drills and drill.__name__ not in arguments.drills:
                continue
            start = time.monotonic()
            try:
                outcome = drill(bench)
            except (Failed, OSError, subprocess.SubprocessError) as error:
                outcome, has_failed = f"FAILED: {error}", True
            finally:
                bench.stop_all()
            print(f"| {drill.__doc__} | {outcome} | {time.monotonic() - start:.0f} |", flush=True)
    print(
        f"\n{shards} shards of one home-year; {processor()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}; {time.monotonic() - begin:.0f} s in all."
    )
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
