"""From the plan to shards on disk in one process: the next one is generated while the last one is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from hidiff.data.meter_csv import read_readings
from hidiff.data.traces import Traces, concat_homes
from hidiff.data.weather import read_weather
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.generate_config import GenerateConfig
from hidiff.generate_folder import Record, enter_shard
from hidiff.generate_plan import ShardPlan


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A loaded model with what the files hold that the config names."""

    config: GenerateConfig
    model: HiDiff
    readings: Traces | None
    weather: pd.DataFrame | None

    @staticmethod
    def load(config: GenerateConfig) -> Source:
        """Load all of it.

        Raises:
            CheckpointError: no model, or not a whole one.
            ValueError: readings or weather that cannot be read.
        """
        return Source(
            config=config,
            model=HiDiff.load(config.model),
            readings=None if config.readings is None else read_readings(config.readings),
            weather=None if config.weather is None else read_weather(config.weather),
        )

    @property
    def households(self) -> dict[str, Any]:
        """The arguments that say which households are asked for."""
        config = self.config
        return {
            "mode": config.mode, "household": config.household, "readings": self.readings,
            "annual_kwh": config.annual_kwh, "pv_kwp": config.pv_kwp,
        }  # fmt: skip

    def batches(self, homes: range) -> Iterator[Traces]:
        """Traces of some homes of the set, a batch at a time; what is asked is checked at once."""
        config = self.config
        return self.model.sample_batches(
            homes.stop, config.years, config.start, config.seed, skip=homes.start, weather=self.weather,
            time_zone=config.time_zone, steps=config.steps, solver=config.solver, device=config.device,
            batch_size=config.batch_size, workers=config.workers, **self.households,
        )  # fmt: skip


class Watch(Protocol):
    """What is told of the work as it goes on."""

    def generated(self, home_years: int) -> None:
        """So many more home-years exist."""

    def entered(self, shard: int, record: Record, seconds: float | None) -> None:
        """A shard is on disk; it took so long from its first home on, if that is known."""


Make = Callable[[Source, ShardPlan, Path, list[int], Watch], None]
"""Makes some shards of a plan in a folder."""


def make_here(source: Source, plan: ShardPlan, out: Path, shards: list[int], watch: Watch) -> None:
    """Make shards in this process; one at most is being written while the next one is generated.

    Raises:
        OSError: the disk is full or cannot be written to; the shards before are whole.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="write") as pool:
        writing: Future[None] | None = None

        def write(shard: int, parts: list[Traces], begin: float) -> None:
            record = enter_shard(out, shard, concat_homes(parts))
            watch.entered(shard, record, time.monotonic() - begin)

        for shard in shards:
            begin, parts = time.monotonic(), []
            for batch in source.batches(plan.homes_of(shard)):
                parts.append(batch)
                watch.generated(len(batch) * plan.years)
                if writing is not None and writing.done():
                    writing.result()  # raises what went wrong there before more is generated in vain
            if writing is not None:
                writing.result()
            writing = pool.submit(write, shard, parts, begin)
        if writing is not None:
            writing.result()
