"""``hidiff generate``: home-years in shards to a folder, from which a killed run goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch

import hidiff
from hidiff.checkpoint import file_hash
from hidiff.data.parquet import finished_shards
from hidiff.diffusion.hierarchy import SHIPPED
from hidiff.diffusion.sampling import make_span
from hidiff.errors import HidiffError
from hidiff.generate_config import GenerateConfig
from hidiff.generate_dry_run import BYTES_PER_HOME_YEAR, dry_run_text, shards_there
from hidiff.generate_folder import SetFolder, check_free, check_same_plan, fault_of
from hidiff.generate_plan import Part, ShardPlan
from hidiff.generate_progress import Progress, progress_bar
from hidiff.generate_shards import Make, Source, make_here
from hidiff.run_log import RunLog

__all__ = ["GenerateConfig", "generate"]


def generate(config: GenerateConfig, make: Make = make_here, *, is_elsewhere: bool = False) -> Path:
    """Generate and write; what is finished when a run dies stays, and ``resume`` goes on from there.

    Args:
        make: makes the shards that are missing; by default this process does.
        is_elsewhere: it does so on other machines, whose devices this one may lack.

    Raises:
        ValueError: whatever of the config cannot be met.
        OSError: the disk is full or cannot be written to.
    """
    part = Part.parse(config.shard)
    resume = config.resume or bool(config.shard)
    check_free(config.out, part, resume=resume, force=config.force)
    source = Source.load(config)
    asked = replace(source, config=replace(config, device="cpu")) if is_elsewhere else source
    asked.batches(range(config.homes))  # raises what cannot be met, before any work
    plan = ShardPlan.of(config.homes, config.years, config.home_years_per_shard)
    document = describe(source, plan)
    if resume:
        check_same_plan(config.out, document)
    if config.dry_run:
        print(dry_run_text(source, plan, part, has_trial=not is_elsewhere))
        return config.out
    folder, log = SetFolder(config.out, document, plan, part), RunLog(config.log)
    with (
        log.run(part=str(part), shard_count=plan.shard_count, **_versions(), **document),
        _sigterm_interrupts(),
    ):
        try:
            folder.begin(resume=resume, force=config.force)
            _fill(source, folder, make, log)
        except BaseException:
            with contextlib.suppress(OSError, HidiffError):  # what came first is what to tell
                folder.end()
            if folder.has_begun:
                _say_how_to_go_on(folder)
            raise
        if not folder.end():
            _say_how_to_go_on(folder)
    return config.out


def describe(source: Source, plan: ShardPlan) -> dict[str, Any]:
    """What the manifest says of a set besides its shards, in the types of JSON."""
    config, model = source.config, source.model
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    for name in ("out", "workers", "resume", "shard", "log", "dry_run", "force"):  # how and where, not what
        del values[name]
    sampler = model.sampler_for(config.steps, config.solver)
    values |= {"solver": sampler.solver, "steps": sampler.steps}
    values["model"] = "shipped" if config.model in (None, SHIPPED) else str(config.model)
    span = make_span(config.start, config.years, config.time_zone, model.low.config, model.high.config)
    document = {
        "hidiff_version": hidiff.__version__, "model_sha256": model.model_hash,
        "readings_sha256": _content_hash(config.readings), "weather_sha256": _content_hash(config.weather),
        "config": {name: str(value) if isinstance(value, Path) else value for name, value in values.items()},
        "homes": config.homes, "home_years": config.homes * config.years,
        "homes_per_shard": plan.homes_per_shard,
        "first_step": span.time[0].isoformat(), "steps_per_home": len(span.time),
    }  # fmt: skip
    plain: dict[str, Any] = json.loads(json.dumps(document))
    return plain


def _fill(source: Source, folder: SetFolder, make: Make, log: RunLog) -> None:
    """Make what is missing of the folder's part."""
    plan, out = folder.plan, folder.out
    finished = _verified(folder)
    missing = [shard for shard in folder.part.shards(plan) if shard not in finished]
    # The other parts share the disk, so what they have yet to write counts as well.
    to_write = set(range(plan.shard_count)) - set(shards_there(out, plan))
    size = plan.home_years(sorted(to_write)) * BYTES_PER_HOME_YEAR
    free = shutil.disk_usage(out).free
    if free < 1.1 * size:
        raise OSError(
            f"about {size / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB are free in {out}; make room, or choose an "
            "--out elsewhere"
        )
    with Progress(plan, missing, log) as progress:
        make(source, plan, out, missing, progress)


def _verified(folder: SetFolder) -> list[int]:
    """Shards of the folder's part that are finished and whole; the damaged ones are struck off."""
    records = folder.records()
    whole, damaged = [], []
    with progress_bar(sum(record["bytes"] for record in records.values()), "B", "verifying") as bar:
        for shard, record in records.items():
            fault = fault_of(folder.out, record)
            bar.update(record["bytes"])
            if fault is None:
                whole.append(shard)
            else:
                damaged.append(shard)
                bar.write(f"{folder.out / record['file']} {fault}; it is made again", file=sys.stderr)
    if damaged or folder.has_faulty_homes():
        folder.reopen(damaged)
    return whole


def _say_how_to_go_on(folder: SetFolder) -> None:
    count, out = len(finished_shards(folder.out)), folder.out
    if not count:
        return
    is_part = folder.part.count > 1
    way = "the other parts are missing" if is_part else "the same command with --resume goes on"
    print(f"{count} of {folder.plan.shard_count} shards are finished in {out}; {way}", file=sys.stderr)
    if folder.replaced.exists():
        print(f"until all are, what was there before is kept in {folder.replaced}", file=sys.stderr)


def _content_hash(path: Path | None) -> str | None:
    """Hash of a file, or of the names and contents of a folder's files."""
    if path is None or path.is_file():
        return None if path is None else file_hash(path)
    lines = [f"{file.name} {file_hash(file)}\n" for file in sorted(path.iterdir()) if file.is_file()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "torch": torch.__version__}


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM, as job schedulers send it before they kill, ends the run the way Ctrl-C does."""
    if (
        threading.current_thread() is not threading.main_thread()
    ):  # signals are handled in the main thread alone
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt("SIGTERM")

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)  # None: not set by Python
