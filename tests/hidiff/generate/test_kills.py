"""A run that dies before any one of its operations on disk: what is finished stays, and the set is the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hidiff.data.parquet import check_finished
from hidiff.errors import DataFormatError
from hidiff.generate import GenerateConfig, generate


class Killed(BaseException):
    """The process is gone: no cleaning up succeeds."""


@pytest.fixture
def two(config: GenerateConfig) -> GenerateConfig:
    """Two shards, to be killed many times."""
    return replace(config, homes=3)


def kill_at(monkeypatch: pytest.MonkeyPatch, operation: int) -> SimpleNamespace:
    """Make the ``operation``-th call that changes the disk, and all after it, fail."""
    state = SimpleNamespace(count=0)

    def fatal(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            state.count += 1
            if state.count >= operation:
                raise Killed(f"at operation {operation}, {real.__name__}")
            return real(*args, **kwargs)

        return call

    for name in ("mkdir", "replace", "rename", "unlink", "rmdir", "fsync"):
        monkeypatch.setattr(os, name, fatal(getattr(os, name)))
    return state


def resumed_after_every_kill(
    config: GenerateConfig, begin: Any, whole: dict[str, bytes], tmp_path: Path, contents: Callable[..., Any]
) -> Iterator[tuple[int, Path]]:
    """Kill a run at its first operation on disk, its second … and resume each; what is left before that comes out."""
    for operation in range(1, 1000):
        out = tmp_path / f"killed-{operation}"
        begin(out)
        with pytest.MonkeyPatch.context() as patch:
            state = kill_at(patch, operation)
            try:
                generate(replace(config, out=out))
            except Killed:
                pass
            else:
                assert state.count < operation
                return
        yield operation, out
        generate(replace(config, out=out, resume=True, force=False))
        assert contents(out) == whole, f"killed at operation {operation}"
    raise AssertionError("no run came to its end")


def test_a_kill_at_any_operation_on_disk_is_resumed_to_the_same_bytes(
    two: GenerateConfig, tmp_path: Path, contents: Callable[..., Any]
) -> None:
    whole = contents(generate(replace(two, out=tmp_path / "whole")))
    counts = []
    for operation, out in resumed_after_every_kill(two, lambda out: None, whole, tmp_path, contents):
        counts.append(operation)
        if (out / "unfinished.json").exists() and not (out / "manifest.json").exists():
            with pytest.raises(DataFormatError, match=r"unfinished: [0-2] of 2 shards are there.*--resume"):
                check_finished(out)
    assert len(counts) > 30


def test_a_kill_at_any_operation_of_a_resume_is_resumed(
    two: GenerateConfig,
    tmp_path: Path,
    contents: Callable[..., Any],
    damage: Callable[..., Any],
    interrupt_after: Callable[..., Any],
) -> None:
    whole = contents(generate(replace(two, out=tmp_path / "whole")))

    def half_done_with_a_damaged_shard(out: Path) -> None:
        interrupt_after(two, out, 1)
        damage(out / "traces-00000.parquet")

    again = replace(two, resume=True)
    assert (
        sum(
            1
            for _ in resumed_after_every_kill(
                again, half_done_with_a_damaged_shard, whole, tmp_path, contents
            )
        )
        > 20
    )


def test_a_kill_at_any_operation_of_mending_a_finished_set_is_resumed(
    two: GenerateConfig, tmp_path: Path, contents: Callable[..., Any], damage: Callable[..., Any]
) -> None:
    whole = contents(generate(replace(two, out=tmp_path / "whole")))

    def finished_with_a_damaged_shard(out: Path) -> None:
        generate(replace(two, out=out))
        damage(out / "traces-00001.parquet")

    again = replace(two, resume=True)
    assert (
        sum(
            1
            for _ in resumed_after_every_kill(again, finished_with_a_damaged_shard, whole, tmp_path, contents)
        )
        > 20
    )


def test_a_kill_at_any_operation_of_a_force_loses_neither_the_old_set_nor_the_new_one(
    two: GenerateConfig, tmp_path: Path, contents: Callable[..., Any]
) -> None:
    whole = contents(generate(replace(two, out=tmp_path / "whole")))
    old = contents(generate(replace(two, out=tmp_path / "old", seed=2)))

    def earlier_set(out: Path) -> None:
        generate(replace(two, out=out, seed=2))

    states = set()
    for operation in range(1, 1000):
        out = tmp_path / f"force-{operation}"
        earlier_set(out)
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, operation)
            try:
                generate(replace(two, out=out, force=True))
            except Killed:
                pass
            else:
                break
        found = contents(out)
        held = [{name: found.get(prefix + name) for name in old} for prefix in ("", "unfinished/replaced/")]
        mixed = {name: found.get(name, found.get(f"unfinished/replaced.moving/{name}")) for name in old}
        new = {name: found.get(name) for name in whole}
        assert old in held or old == mixed or new == whole, f"killed at operation {operation}"
        states.add((old in held, new == whole))
        generate(replace(two, out=out, force=True))
        assert contents(out) == whole
    assert {(True, False), (False, True)} <= states
