"""``hidiff generate --engine ray``: the shards of a set on the workers of a Ray cluster, or of this machine.

A task makes a short run of shards with the engine of one process, in the same folder and with the same records, so
that a set can be begun by one engine and gone on with by the other. A worker that is lost takes its unfinished shard
along; Ray runs its task again, which goes on after the shards that have a record.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from hidiff.errors import HidiffError
from hidiff.generate import GenerateConfig, generate
from hidiff.generate_folder import Record, read_record
from hidiff.generate_plan import ShardPlan
from hidiff.generate_shards import Source, Watch, make_here

from .require import require

MAX_RETRIES = 5
"""Times that a task is run again after its worker was lost; more than that is no accident."""
MAX_RUN = 4
"""Shards in a task at most: few, so that the last tasks end together; more than one, so that one is generated while
another is written."""


def generate_on_ray(config: GenerateConfig, address: str | None = None) -> Path:
    """`hidiff.generate.generate` with the shards made by Ray's workers.

    Args:
        config: its files, and above all ``out``, must be there under the same paths on all nodes. ``workers`` are
            the processors of one task, 1 where it is not given; on ``device`` cuda a task has a graphics card.
        address: the cluster's; without it a Ray of this machine is started, and stopped at the end.

    Raises:
        DependencyMissing: Ray is not installed.
        ValueError: what the cluster cannot give.
        HidiffError: workers were lost again and again.
    """
    ray = require("ray", "ray")  # takes over SIGTERM, so it comes before `generate`, which takes it back
    paths = {name: getattr(config, name) for name in ("out", "readings", "weather", "model")}
    absolute = {name: path.resolve() for name, path in paths.items() if path is not None}
    absolute["out"] = config.out.absolute()
    make = partial(_make_on_ray, ray, address)
    generate(replace(config, **absolute), make, is_elsewhere=True)
    return config.out


def runs_of(shards: list[int], slots: int) -> list[list[int]]:
    """Shards in runs for tasks, at least four to each slot where there are enough."""
    length = min(max(len(shards) // (4 * max(slots, 1)), 1), MAX_RUN)
    return [shards[start : start + length] for start in range(0, len(shards), length)]


def slot_of(config: GenerateConfig, nodes: list[dict[str, float]]) -> tuple[dict[str, float], int]:
    """What a task needs, and how many fit into the cluster at a time.

    Args:
        nodes: what each living node has, by Ray's names of resources.

    Raises:
        ValueError: no node can hold a task.
    """
    need: dict[str, float] = {"CPU": config.workers or 1}
    if config.device == "cuda":
        need["GPU"] = 1
    slots = sum(int(min(node.get(name, 0) // amount for name, amount in need.items())) for node in nodes)
    if not slots:
        asked = " and ".join(f"{amount:g} {name}" for name, amount in need.items())
        most = {name: max((node.get(name, 0) for node in nodes), default=0) for name in need}
        has = " and ".join(f"{amount:g} {name}" for name, amount in most.items())
        raise ValueError(
            f"no node of the cluster has the {asked} of a task (the most are {has}); lower --workers, or choose "
            "another --device"
        )
    return need, slots


def _make_on_ray(
    ray: Any, address: str | None, source: Source, plan: ShardPlan, out: Path, shards: list[int], watch: Watch
) -> None:
    """Make shards by tasks of Ray, see `hidiff.generate_shards.Make`."""
    if not shards:
        return
    mark = (out / "unfinished.json").read_text(encoding="utf-8")
    with _cluster(ray, address):
        need, slots = slot_of(source.config, [node["Resources"] for node in ray.nodes() if node["Alive"]])
        config = replace(source.config, workers=int(need["CPU"]))
        task = ray.remote(num_cpus=need["CPU"], num_gpus=need.get("GPU", 0), max_retries=MAX_RETRIES)(
            _make_run
        )
        runs = {
            task.remote(config, source.model.model_hash, plan, mark, run): run
            for run in runs_of(shards, slots)
        }
        pending = list(runs)
        try:
            while pending:
                done, pending = ray.wait(pending, num_returns=1)
                seconds = _result(ray, done[0], runs[done[0]])
                for shard in runs[done[0]]:
                    record = read_record(out, shard)
                    if record is None:
                        raise OSError(
                            f"{out} does not show shard {shard}, which a worker has written; use --resume"
                        )
                    watch.generated(plan.home_years([shard]))
                    watch.entered(shard, record, seconds.get(shard))
        except BaseException:
            for reference in pending:
                ray.cancel(reference, force=True)
            if pending:  # nobody may still write when the folder is looked after
                ray.wait(pending, num_returns=len(pending), timeout=30)
            raise


def _result(ray: Any, reference: Any, run: list[int]) -> dict[int, float]:
    try:
        seconds: dict[int, float] = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise HidiffError(
            f"the task of shards {run} lost its worker {MAX_RETRIES + 1} times ({type(error).__name__}); see whether "
            "its memory suffices, lower --batch-size"
        ) from error
    return seconds


@contextmanager
def _cluster(ray: Any, address: str | None) -> Iterator[None]:
    if ray.is_initialized():  # by who called us: theirs to stop
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a Ray of ours reports to nobody
    # Without "local", Ray would join whatever cluster happens to run on this machine.
    here = {} if address else {"include_dashboard": False, "object_store_memory": 80_000_000}
    ray.init(address=address or "local", log_to_driver=False, logging_level="warning", **here)
    try:
        yield
    finally:
        ray.shutdown()


# ---------------------------------------------------------------- on the workers


@lru_cache(maxsize=1)
def _source(config: GenerateConfig) -> Source:
    """Loaded once in a worker, which makes many runs."""
    return Source.load(config)


class _Seconds:
    """Notes how long each shard took."""

    def __init__(self) -> None:
        self.of: dict[int, float] = {}

    def generated(self, home_years: int) -> None:
        """Of no interest here."""

    def entered(self, shard: int, record: Record, seconds: float | None) -> None:
        """A shard is on disk."""
        if seconds is not None:
            self.of[shard] = seconds


def _make_run(
    config: GenerateConfig, model_hash: str | None, plan: ShardPlan, mark: str, shards: list[int]
) -> dict[int, float]:
    """Make the shards of a run that have no record yet; how long each took [s]."""
    path = config.out / "unfinished.json"
    if not path.exists() or path.read_text(encoding="utf-8") != mark:
        raise OSError(
            f"{socket.gethostname()} does not see the folder {config.out} that the run was started in; give an --out "
            "on a file system that all nodes share"
        )
    source = _source(config)
    if source.model.model_hash != model_hash:
        raise ValueError(
            f"{socket.gethostname()} has another model ({str(source.model.model_hash)[:12]}) than the run was started "
            f"with ({str(model_hash)[:12]}); install the same hidiff on all nodes, or name a shared --model"
        )
    watch = _Seconds()
    missing = [shard for shard in shards if read_record(config.out, shard) is None]
    make_here(source, plan, config.out, missing, watch)
    return watch.of
