"""The folder of a set while it is made: who may work at it, what is finished, and how it becomes whole.

::

    unfinished.json             what is being made; written first
    unfinished/lock             held while the folder changes its state
    unfinished/part-1-of-1.lock held by who makes that part (its .json says who that is)
    unfinished/00000.json       rows, bytes and sha256 of a finished shard, written after the shard
    unfinished/replaced/        with --force: what was here before
    traces-00000.parquet        a shard; without its record it counts for nothing

The last shard makes the set: homes.csv, then manifest.json, which holds the records. From then on the set is
finished, and what is left of the above is rubbish. So each state can be told by the files that are there, and a
kill between any two operations leaves one of them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from hidiff.checkpoint import file_hash
from hidiff.data.parquet import (
    HOMES,
    MANIFEST,
    SET_CONTENT,
    UNFINISHED,
    WORK,
    finished_shards,
    homes_text,
    shard_name,
    write_shard,
)
from hidiff.data.traces import Traces
from hidiff.errors import DataFormatError
from hidiff.generate_plan import Part, ShardPlan
from hidiff.output import (
    check_out,
    is_moving,
    put_back,
    replace_when_done,
    set_aside,
    sync_folder,
    temporary_files,
)
from hidiff.run_log import utc_now

GATE_TIMEOUT_S = 120
"""A process holds the lock of the folder for as long as it takes to read the footers of all shards."""
State = Literal["free", "other", "unfinished", "finished"]
Record = dict[str, Any]
"""``file``, ``rows``, ``bytes`` and ``sha256`` of a shard."""


def state_of(out: Path) -> State:
    """What a folder holds."""
    if (out / MANIFEST).exists():
        return "finished"
    if (out / UNFINISHED).exists():
        return "unfinished"
    paths = set(out.iterdir()) if out.is_dir() else set()
    return "other" if paths - {out / WORK, *temporary_files(out)} else "free"


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        DataFormatError: it is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataFormatError(f"{path} is damaged or cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DataFormatError(f"{path} holds no object; it is not what hidiff wrote")
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    with replace_when_done(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def enter_shard(out: Path, shard: int, traces: Traces) -> Record:
    """Write a shard, then its record."""
    path = out / shard_name(shard)
    _remove(temporary_files(out, path.name))
    rows = write_shard(path, traces)
    record = {"file": path.name, "rows": rows, "bytes": path.stat().st_size, "sha256": file_hash(path)}
    write_json(_record_path(out, shard), record)
    return record


def read_record(out: Path, shard: int) -> Record | None:
    """What is recorded of a shard of an unfinished set; None where it is not finished, or its record is damaged."""
    try:
        return read_json(_record_path(out, shard))
    except DataFormatError:
        return None


def fault_of(out: Path, record: Record) -> str | None:
    """What is wrong with a shard, or None."""
    path = out / record["file"]
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != record.get("bytes", size):
        return f"has {size} bytes, not the {record['bytes']} that were written"
    found = file_hash(path)
    if found != record["sha256"]:
        return f"is not what was written (sha256 {found[:12]}…, not {record['sha256'][:12]}…)"
    return None


class SetFolder:
    """One part of a set in the making."""

    def __init__(self, out: Path, document: dict[str, Any], plan: ShardPlan, part: Part) -> None:
        """Nothing is touched yet.

        Args:
            document: what the manifest says of the set besides its shards; see `generate.describe`.
        """
        self.out, self.document, self.plan, self.part = out, document, plan, part
        self.lock = FileLock(_part_path(out, part), thread_local=False)
        self.replaced = out / WORK / "replaced"
        self.has_made_out = self.has_begun = False

    def begin(self, *, resume: bool, force: bool) -> None:
        """Take the part, and mark the folder as unfinished unless the set is finished already.

        Whether this succeeds or not, `end` has to follow.

        Raises:
            ValueError: another process makes this part, the folder is in use, or holds another plan.
        """
        self.has_made_out = not self.out.exists()
        with self._gate():
            _check_not_at_work(self.out, self.part, alone=force)
            self._undo_cut_off_force()
            check_free(self.out, self.part, resume=resume, force=force)
            if not force:
                check_same_plan(self.out, self.document)
            self._take_part()
            if force:
                self._set_aside()
            if state_of(self.out) == "free":
                write_json(self.out / UNFINISHED, self._unfinished())
                sync_folder(self.out.parent)

    def records(self) -> dict[int, Record]:
        """Of each shard of this part that is said to be finished."""
        if state_of(self.out) == "finished":
            entries = dict(enumerate(read_json(self.out / MANIFEST)["shards"]))
        else:
            found = {shard: read_record(self.out, shard) for shard in finished_shards(self.out)}
            entries = {shard: record for shard, record in found.items() if record is not None}
        own = set(self.part.shards(self.plan))
        return {shard: record for shard, record in entries.items() if shard in own}

    def has_faulty_homes(self) -> bool:
        """Whether a finished set has another ``homes.csv`` than was written."""
        if state_of(self.out) != "finished":
            return False
        path = self.out / HOMES
        return not path.is_file() or file_hash(path) != read_json(self.out / MANIFEST)["homes_sha256"]

    def reopen(self, damaged: list[int]) -> None:
        """Make the set unfinished, without the shards that are damaged."""
        with self._gate():
            if state_of(self.out) == "finished":
                for shard, record in enumerate(read_json(self.out / MANIFEST)["shards"]):
                    write_json(_record_path(self.out, shard), record)
                write_json(self.out / UNFINISHED, self._unfinished())
                (self.out / MANIFEST).unlink()
            for shard in damaged:
                _record_path(self.out, shard).unlink(missing_ok=True)
            sync_folder(self.out / WORK)
            sync_folder(self.out)

    def end(self) -> bool:
        """Give the part back, and finish the set if all shards of all parts are there; whether it is finished.

        A set without any shard, at which nobody else is at work, is removed.
        """
        try:
            with self._gate():
                self.lock.release()
                if self.has_begun and state_of(self.out) == "unfinished":
                    count = len(finished_shards(self.out))
                    if count == self.plan.shard_count:
                        self._write_manifest()
                    elif not count and not self._others():
                        self._give_up()
                is_finished = state_of(self.out) == "finished"
                self._tidy()
        finally:
            self.lock.release()
        return is_finished

    # ---------------------------------------------------------------- under the lock of the folder

    @contextmanager
    def _gate(self) -> Iterator[None]:
        work = self.out / WORK
        while True:
            work.mkdir(parents=True, exist_ok=True)
            lock = FileLock(work / "lock")
            try:
                lock.acquire(timeout=GATE_TIMEOUT_S)
            except FileNotFoundError:  # the set was finished, and the folder of its records removed, just now
                continue
            except Timeout as error:
                raise OSError(
                    f"another process has held {work / 'lock'} for {GATE_TIMEOUT_S} s; see whether it is stuck"
                ) from error
            if (work / "lock").exists():
                break
            lock.release()
        try:
            yield
        finally:
            lock.release()
            # Only now: NFS keeps the name of a file that is removed while it is open. Neither goes unless empty.
            for empty in (work, self.out) if self.has_made_out else (work,):
                with suppress(OSError):
                    empty.rmdir()

    def _take_part(self) -> None:
        try:
            self.lock.acquire(blocking=False)
        except Timeout as error:
            raise ValueError(_in_use(self.out, self.part)) from error
        self.has_begun = True
        write_json(
            _part_path(self.out, self.part).with_suffix(".json"),
            {"pid": os.getpid(), "host": socket.gethostname(), "since": utc_now()},
        )

    def _others(self) -> bool:
        """Whether another process is at work here; this one has given its part back."""
        return any(_is_held(lock) for _, lock in _locks(self.out))

    def _unfinished(self) -> dict[str, Any]:
        return {**self.document, "shard_count": self.plan.shard_count, "created": utc_now()}

    def _write_manifest(self) -> None:
        shards = [read_json(_record_path(self.out, shard)) for shard in range(self.plan.shard_count)]
        with (
            replace_when_done(self.out / HOMES) as temporary,
            temporary.open("w", encoding="utf-8") as stream,
        ):
            for place, record in enumerate(shards):
                header, _, lines = homes_text(self.out / record["file"]).partition("\n")
                stream.write(lines if place else f"{header}\n{lines}")
        content = {
            name: value
            for name, value in read_json(self.out / UNFINISHED).items()
            if name not in ("created", "shard_count")
        }
        content |= {"homes_sha256": file_hash(self.out / HOMES), "shards": shards}
        write_json(self.out / MANIFEST, content)

    def _give_up(self) -> None:
        """Leave the folder as it was before."""
        _remove([*self.out.glob("traces-*.parquet"), *temporary_files(self.out), self.out / UNFINISHED])
        self._undo_cut_off_force()

    def _set_aside(self) -> None:
        if state_of(self.out) == "free":
            return
        _remove(temporary_files(self.out))
        if self.replaced.exists():  # by an earlier --force that came to no end: what was there first is kept
            _remove(self._own_files())
        else:
            set_aside(self.out, self._own_files(), self.replaced)

    def _own_files(self) -> list[Path]:
        """All that makes up the set in the folder; what marks its state comes last."""
        top = [path for path in self.out.iterdir() if path.is_file()]
        records = [_record_path(self.out, shard) for shard in finished_shards(self.out)]
        return records + sorted(top, key=lambda path: (path.name in (MANIFEST, UNFINISHED), path.name))

    def _undo_cut_off_force(self) -> None:
        """What was set aside comes back where no new set was begun, and goes where the new one is finished."""
        replaced, state = self.replaced, state_of(self.out)
        if is_moving(replaced) or (replaced.exists() and state == "free"):
            put_back(self.out, replaced)
        elif replaced.exists() and state == "finished":
            shutil.rmtree(replaced)

    def _tidy(self) -> None:
        """Remove what a finished set, or an empty folder, needs no more; nothing where others are at work."""
        state = state_of(self.out)
        if state == "unfinished" or self._others() or (state != "finished" and self.replaced.exists()):
            return
        if state == "finished":
            _remove([*temporary_files(self.out), self.out / UNFINISHED])
        shutil.rmtree(self.out / WORK, ignore_errors=True)
        sync_folder(self.out)


def check_free(out: Path, part: Part, *, resume: bool, force: bool) -> None:
    """Raise unless a run may begin in ``out``; looks, and touches nothing.

    Raises:
        ValueError: it is in use, or at work; the message says by what, and what can be done.
    """
    _check_not_at_work(out, part, alone=force)
    state = state_of(out)
    if force or state == "other":
        check_out(out, SET_CONTENT, force=force)
    elif state == "unfinished" and not resume:
        raise ValueError(
            f"--out {out} holds an unfinished set ({len(finished_shards(out))} shards are there); go on with "
            "--resume, replace it with --force, or choose another folder"
        )
    elif state == "finished" and not resume:
        raise ValueError(
            f"--out {out} is not empty; choose another folder or give --force (or --resume to verify and mend it)"
        )


def _check_not_at_work(out: Path, part: Part, *, alone: bool) -> None:
    for other, lock in _locks(out):
        if (alone or other.overlaps(part)) and _is_held(lock):
            raise ValueError(_in_use(out, other))


def _locks(out: Path) -> list[tuple[Part, FileLock]]:
    """The locks of parts, held or not: that of a killed process is free again, only its file stays."""
    found = []
    for path in sorted((out / WORK).glob("part-*-of-*.lock")):
        _, number, _, count = path.stem.split("-")
        found.append((Part(int(number), int(count)), FileLock(path)))
    return found


def _is_held(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def check_same_plan(out: Path, document: dict[str, Any]) -> None:
    """Raise `ValueError` if the folder holds, whole or in part, another set than the one that ``document`` describes."""
    state = state_of(out)
    if state not in ("unfinished", "finished"):
        return
    difference = first_difference(
        read_json(out / (MANIFEST if state == "finished" else UNFINISHED)), document
    )
    if difference is not None:
        name, old, new = difference
        raise ValueError(
            f"--out {out} was begun with {name}={old!r}, but this command has {new!r}; give the same again to go on, "
            "or choose another folder, or start anew with --force"
        )


def first_difference(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, Any, Any] | None:
    """The first thing that makes two descriptions of a set differ in their traces or shards."""
    olds, news = _judged(old), _judged(new)
    for name in news:
        if olds.get(name) != news[name]:
            return name, olds.get(name), news[name]
    return None


def _judged(document: dict[str, Any]) -> dict[str, Any]:
    """What decides the traces; files are judged by content, not by place, and traces fit any device."""
    config = {
        name: value
        for name, value in document.get("config", {}).items()
        if name not in ("model", "readings", "weather", "device", "batch_size", "home_years_per_shard")
    }
    names = ("model_sha256", "readings_sha256", "weather_sha256", "homes_per_shard", "hidiff_version")
    return config | {name: document.get(name) for name in names}


def _remove(files: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)


def _record_path(out: Path, shard: int) -> Path:
    return out / WORK / f"{shard:05d}.json"


def _part_path(out: Path, part: Part) -> Path:
    return out / WORK / f"part-{part.number}-of-{part.count}.lock"


def _in_use(out: Path, part: Part) -> str:
    try:
        holder = read_json(_part_path(out, part).with_suffix(".json"))
        who = f"process {holder['pid']} on {holder['host']}, since {holder['since']},"
    except (DataFormatError, KeyError):
        who = "another process"
    what = "is making" if part.count == 1 else f"is making part {part} of"
    return f"{who} {what} {out}; wait for it, stop it, or choose another folder"
