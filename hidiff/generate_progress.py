"""What a user sees of a run of ``hidiff generate``: a bar, and the lines of the log."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Any

from tqdm import tqdm

from hidiff.generate_folder import Record
from hidiff.generate_plan import ShardPlan
from hidiff.run_log import RunLog


def progress_bar(total: int, unit: str, text: str | None = None) -> tqdm[Any]:
    """A bar on stderr where somebody looks at it; shown once two seconds have passed."""
    return tqdm(
        total=total, unit=unit, unit_scale=unit == "B", desc=text, delay=2, disable=not sys.stderr.isatty()
    )


class Progress:
    """Told of each batch and shard, from any thread."""

    def __init__(self, plan: ShardPlan, shards: list[int], log: RunLog) -> None:
        """Nothing has been made of ``shards`` yet."""
        self.plan, self.log = plan, log
        self.bar = progress_bar(plan.home_years(shards), "home-year")
        self.lock = threading.Lock()
        self.written_bytes = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def generated(self, home_years: int) -> None:
        """So many more home-years exist."""
        with self.lock:
            self.bar.update(home_years)

    def entered(self, shard: int, record: Record, seconds: float | None) -> None:
        """A shard is on disk; it took so long from its first home on, if that is known."""
        with self.lock:
            self.written_bytes += record["bytes"]
            self.bar.set_postfix_str(f"{self.written_bytes / 1e6:,.0f} MB written")
            home_years = self.plan.home_years([shard])
            took = None if seconds is None else round(seconds, 3)
            self.log.write("shard finished", shard=shard, seconds=took, home_years=home_years, **record)
