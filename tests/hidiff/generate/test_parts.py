"""Parts of a set and several processes on one folder."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hidiff import generate as generate_module
from hidiff import generate_folder
from hidiff.data.traces import concat_homes
from hidiff.generate import GenerateConfig, generate
from hidiff.generate_folder import SetFolder
from hidiff.generate_plan import Part, ShardPlan
from hidiff.generate_shards import Source

HOMES, SHARDS = 5, 3
START = "2030-07-01"


@given(parts=st.integers(1, 5).flatmap(lambda count: st.permutations(range(1, count + 1))))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_in_any_order_make_the_set_of_one_run(
    config: GenerateConfig,
    whole: dict[str, bytes],
    parts: list[int],
    tmp_path_factory: pytest.TempPathFactory,
    contents: Callable[..., Any],
) -> None:
    out = tmp_path_factory.mktemp("parts") / "out"
    for done, part in enumerate(parts):
        assert done == 0 or not (out / "manifest.json").exists() or done >= SHARDS
        generate(replace(config, out=out, shard=f"{part}/{len(parts)}"))
    assert contents(out) == whole


def test_parts_at_the_same_time_make_the_set_of_one_run(
    config: GenerateConfig, whole: dict[str, bytes], tmp_path: Path, contents: Callable[..., Any]
) -> None:
    for turn in range(5):
        barrier, errors, out = threading.Barrier(SHARDS), [], tmp_path / f"turn-{turn}"

        def work(part: int, barrier: threading.Barrier, errors: list[BaseException], out: Path) -> None:
            barrier.wait()
            try:
                generate(replace(config, out=out, shard=f"{part}/{SHARDS}"))
            except BaseException as error:
                errors.append(error)

        threads = [
            threading.Thread(target=work, args=(part, barrier, errors, out)) for part in range(1, SHARDS + 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert contents(out) == whole


def test_two_that_finish_at_once_agree(
    config: GenerateConfig, whole: dict[str, bytes], contents: Callable[..., Any]
) -> None:
    folders = []
    for part in (Part(1, 2), Part(2, 2)):
        source = Source.load(config)
        plan = ShardPlan.of(HOMES, 1, 2)
        folder = SetFolder(config.out, generate_module.describe(source, plan), plan, part)
        folder.begin(resume=True, force=False)
        for shard in part.shards(plan):
            enter = generate_folder.enter_shard
            enter(config.out, shard, concat_homes(list(source.batches(plan.homes_of(shard)))))
        folders.append(folder)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(SetFolder.end, folders)) == [True, True]
    assert contents(config.out) == whole


def test_a_second_process_is_refused_and_told_who_is_at_work(
    config: GenerateConfig, begun: Callable[..., Any]
) -> None:
    folder = begun(config, Part())
    for again in (
        config,
        replace(config, resume=True),
        replace(config, force=True),
        replace(config, shard="1/4"),
    ):
        with pytest.raises(
            ValueError, match=rf"process {os.getpid()} on .* is making {config.out}; wait for it"
        ):
            generate(again)
    folder.end()
    assert not config.out.exists()
    generate(config)


@pytest.mark.parametrize(
    ("part", "is_refused"), [("3/16", True), ("3/8", True), ("2/16", False), ("5/8", False)]
)
def test_a_part_is_refused_while_one_that_shares_shards_is_at_work(
    config: GenerateConfig, part: str, is_refused: bool, begun: Callable[..., Any]
) -> None:
    folder = begun(config, Part(3, 16))
    try:
        if is_refused:
            with pytest.raises(ValueError, match="is making part 3/16 of"):
                generate(replace(config, shard=part))
        else:
            generate(replace(config, shard=part))
    finally:
        folder.end()


def test_the_lock_of_a_killed_process_does_not_block(
    config: GenerateConfig,
    whole: dict[str, bytes],
    contents: Callable[..., Any],
    interrupt_after: Callable[..., Any],
) -> None:
    interrupt_after(config, config.out, 1)
    lock = config.out / "unfinished" / "part-1-of-1.lock"
    code = f"import filelock, time\nlock = filelock.FileLock({str(lock)!r})\nlock.acquire(); print('held', flush=True)"
    code += "\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="is making"):
            generate(replace(config, resume=True))
        process.kill()
    generate(replace(config, resume=True))
    assert contents(config.out) == whole
