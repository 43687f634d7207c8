"""Results on disk appear whole or not at all, and never in the place of something that is not ours."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path


@contextmanager
def replace_when_done(path: Path) -> Iterator[Path]:
    """A temporary path to write to; synced and moved over ``path`` on success, removed on failure.

    Its name is random: on a shared file system, processes of two machines may have the same number.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_files(folder: Path, name: str = "*") -> list[Path]:
    """What is being written of the files whose names match, or was when a process was killed."""
    return sorted(folder.glob(f".{name}.????????.tmp"))


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder outlive a power cut, as far as the system can promise it."""
    if os.name != "posix":  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def set_aside(folder: Path, files: Sequence[Path], to: Path) -> None:
    """Move files of ``folder``, subfolders kept, to the folder ``to``, which appears when all have been moved.

    What a kill in the middle leaves is undone by `put_back`.
    """
    moving = _moving(to)
    for path in files:
        target = moving / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    moving.mkdir(parents=True, exist_ok=True)
    moving.rename(to)
    sync_folder(to.parent)


def put_back(folder: Path, to: Path) -> None:
    """Undo `set_aside`, a whole one or one that was cut off."""
    for aside in (to, _moving(to)):
        for path in sorted(aside.rglob("*"), reverse=True):  # what is in a folder comes before it
            if path.is_dir():
                path.rmdir()
            else:
                target = folder / path.relative_to(aside)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
        if aside.exists():
            aside.rmdir()
    sync_folder(folder)


def is_moving(to: Path) -> bool:
    """Whether a `set_aside` to the folder ``to`` was cut off."""
    return _moving(to).exists()


def _moving(to: Path) -> Path:
    return to.with_name(to.name + ".moving")
