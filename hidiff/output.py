"""Results on disk appear whole or not at all, and never in the place of something that is not ours."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path


@contextmanager
def replace_when_done(path: Path) -> Iterator[Path]:
    """A temporary path to write to; synced and moved over ``path`` on success, removed on failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_out(out: Path, content: tuple[str, ...], *, force: bool) -> None:
    """Raise unless the folder ``out`` is free, or holds an earlier result that may be replaced.

    Args:
        content: patterns of the names that an earlier result consists of.
        force: an earlier result may be replaced.

    Raises:
        ValueError: a file, or a folder that is not empty; with ``force``, one that holds anything else.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; name a folder")
    found = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if found and not force:
        raise ValueError(f"--out {out} is not empty; choose another folder or give --force")
    strange = [name for name in found if not any(fnmatch(name, pattern) for pattern in content)]
    if strange:
        raise ValueError(
            f"--out {out} holds {strange[0]!r}, which is no part of an earlier result; choose another folder"
        )


@contextmanager
def folder_when_done(out: Path) -> Iterator[Path]:
    """A folder to write to, put in the place of ``out`` on success, removed on failure."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as beside:
        folder, old = Path(beside) / "new", Path(beside) / "old"
        folder.mkdir()
        yield folder
        if out.exists():
            out.rename(old)
        try:
            folder.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
