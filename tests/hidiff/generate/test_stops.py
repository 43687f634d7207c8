"""Stops, errors, and what is said of them on stderr and in the log."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import hidiff
from hidiff import generate_folder, generate_shards
from hidiff.cli import main
from hidiff.data.traces import Traces
from hidiff.generate import GenerateConfig, generate
from hidiff.generate_shards import Source

HOMES, SHARDS = 5, 3
START = "2030-07-01"


def test_sigterm_stops_a_run_like_ctrl_c_and_the_finished_shards_stay(
    config: GenerateConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    real = Source.batches

    def batches(self: Source, homes: range) -> Iterator[Traces]:
        for batch in real(self, homes):
            if homes.start == 4:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    monkeypatch.setattr(Source, "batches", batches)
    arguments = [
        "--homes",
        str(HOMES),
        "--start",
        START,
        "--seed",
        "1",
        "--steps",
        "1",
        "--home-years-per-shard",
        "2",
    ]
    assert main(["generate", *arguments, "--model", str(config.model), "--out", str(config.out)]) == 130
    said = capsys.readouterr().err
    assert f"2 of 3 shards are finished in {config.out}; the same command with --resume goes on" in said
    assert signal.getsignal(signal.SIGTERM) == handler


def test_a_run_that_is_stopped_as_it_begins_leaves_nothing(
    config: GenerateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = generate_folder.write_json

    def stopped(path: Path, content: dict[str, Any]) -> None:
        real(path, content)
        if path.name == "unfinished.json":
            raise KeyboardInterrupt

    monkeypatch.setattr(generate_folder, "write_json", stopped)
    with pytest.raises(KeyboardInterrupt):
        generate(config)
    assert not config.out.exists()


def test_the_next_shard_is_generated_while_one_is_written_and_no_further(
    config: GenerateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    second_begun, first_written, begun_early = threading.Event(), threading.Event(), []
    real_batches, real_enter = Source.batches, generate_shards.enter_shard

    def batches(self: Source, homes: range) -> Iterator[Traces]:
        for batch in real_batches(self, homes):
            if homes.start == 2:
                second_begun.set()
            if homes.start == 4 and not first_written.is_set():
                begun_early.append(homes)
            yield batch

    def enter(out: Path, shard: int, traces: Traces) -> Any:
        if shard == 0:
            assert second_begun.wait(20), "the second shard waited for the first to be written"
            time.sleep(0.1)
            first_written.set()
        return real_enter(out, shard, traces)

    monkeypatch.setattr(Source, "batches", batches)
    monkeypatch.setattr(generate_shards, "enter_shard", enter)
    generate(config)
    assert not begun_early


def test_an_error_of_the_writing_thread_stops_the_run_and_is_raised_itself(
    config: GenerateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun_shards = []
    real = Source.batches

    def batches(self: Source, homes: range) -> Iterator[Traces]:
        begun_shards.append(homes.start)
        return real(self, homes)

    def enter(out: Path, shard: int, traces: Traces) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", "there")

    monkeypatch.setattr(generate_shards, "enter_shard", enter)
    monkeypatch.setattr(Source, "batches", batches)
    with pytest.raises(OSError, match="No space left on device"):
        generate(config)
    assert 4 not in begun_shards
    assert not config.out.exists()


def test_the_log_tells_of_each_run_and_each_shard(
    config: GenerateConfig, tmp_path: Path, interrupt_after: Callable[..., Any]
) -> None:
    config = replace(config, log=tmp_path / "logs" / "log.jsonl")
    interrupt_after(config, config.out, 2)
    generate(replace(config, resume=True))
    assert config.log
    lines = [json.loads(line) for line in config.log.read_text().splitlines()]
    started, shard = "run started", "shard finished"
    assert [line["event"] for line in lines] == [
        started, shard, shard, "run failed", started, shard, "run finished",
    ]  # fmt: skip
    assert {line["time"][-6:] for line in lines} == {"+00:00"}
    assert lines[0]["config"]["seed"] == 1 and lines[0]["hidiff_version"] == hidiff.__version__
    entered = {line["file"]: line for line in lines if line["event"] == shard}
    for record in json.loads((config.out / "manifest.json").read_text())["shards"]:
        assert record.items() <= entered[record["file"]].items()
    assert lines[3]["error"].startswith("KeyboardInterrupt")


def test_a_log_inside_of_the_set_is_refused(config: GenerateConfig) -> None:
    with pytest.raises(ValueError, match="lies inside of --out"):
        replace(config, log=config.out / "log.jsonl")
