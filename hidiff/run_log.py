"""A log of runs: one JSON object a line, each written at once, so that it can be read while a run goes on."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def utc_now() -> str:
    """Now, to the millisecond, with its zone."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class RunLog:
    """Appends events to a file; without a file, to nothing."""

    def __init__(self, path: Path | None) -> None:
        """Open ``path``; several runs may add to one file."""
        self.path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, event: str, **values: Any) -> None:
        """Add a line; its time is UTC."""
        if self.path is None:
            return
        entry = {
            "time": utc_now(),
            "event": event,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            **values,
        }
        # In one call to a file opened for appending, so that lines of several processes do not mix.
        with self.path.open("ab", buffering=0) as stream:
            stream.write(json.dumps(entry).encode() + b"\n")

    @contextmanager
    def run(self, **values: Any) -> Iterator[None]:
        """Tell of the beginning of a run, with ``values``, and of its end, with its error if there is one."""
        begin = time.monotonic()
        self.write("run started", **values)
        try:
            yield
        except BaseException as error:
            message = f"{type(error).__name__}: {error}"
            self.write("run failed", error=message, seconds=round(time.monotonic() - begin, 3))
            raise
        self.write("run finished", seconds=round(time.monotonic() - begin, 3))
