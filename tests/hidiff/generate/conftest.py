"""A model that is asked, and gives made-up traces of two days at once; five homes in three shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hidiff import generate as generate_module
from hidiff import generate_shards
from hidiff.data.traces import Traces
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.generate import GenerateConfig, generate
from hidiff.generate_folder import SetFolder
from hidiff.generate_plan import Part, ShardPlan
from hidiff.generate_shards import Source

HOMES, SHARDS = 5, 3
START = "2030-07-01"


@pytest.fixture(scope="module")
def traces() -> Traces:
    """Short ones, so that a set is written in milliseconds."""
    rng = np.random.default_rng(0)
    time = pd.date_range("2030-06-30T14:00Z", periods=96, freq="30min", unit="us")
    names = pd.Index([f"new-{place:06d}" for place in range(HOMES)], name="home")
    homes = pd.DataFrame({"pv_capacity_kwp": rng.uniform(1, 9, HOMES), "mode": "new"}, index=names)
    load_kw, pv_kw = rng.gamma(1, 1, (2, HOMES, len(time))).astype(np.float32)
    return Traces(load_kw, pv_kw, time, homes, "Australia/Sydney")


@pytest.fixture(autouse=True)
def quick_model(traces: Traces, tiny_model: HiDiff, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny model is asked, but gives `traces`."""

    def batches(self: Source, homes: range) -> Iterator[Traces]:
        names = traces.names[homes.start : homes.stop]
        return (traces.select([name]) for name in names)

    monkeypatch.setattr(Source, "batches", batches)
    monkeypatch.setattr(HiDiff, "load", lambda folder: tiny_model)


@pytest.fixture
def config(tiny_folder: Path, tmp_path: Path) -> GenerateConfig:
    return GenerateConfig(
        homes=HOMES,
        start=START,
        seed=1,
        steps=1,
        model=tiny_folder,
        out=tmp_path / "out",
        home_years_per_shard=2,
    )


@pytest.fixture
def whole(config: GenerateConfig, tmp_path: Path) -> dict[str, bytes]:
    """The files of an undisturbed set."""
    return read_all(generate(replace(config, out=tmp_path / "whole")))


def read_all(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def begin(config: GenerateConfig, part: Part) -> SetFolder:
    """A set that this process is making."""
    source, plan = Source.load(config), ShardPlan.of(HOMES, 1, config.home_years_per_shard)
    folder = SetFolder(config.out, generate_module.describe(source, plan), plan, part)
    folder.begin(resume=False, force=False)
    return folder


def interrupt(config: GenerateConfig, out: Path, shards: int) -> None:
    """Leave a set with so many finished shards."""
    with pytest.MonkeyPatch.context() as patch:
        entered: list[int] = []
        real = generate_shards.enter_shard

        def enter(folder: Path, shard: int, traces: Traces) -> Any:
            if len(entered) == shards:
                raise KeyboardInterrupt
            entered.append(shard)
            return real(folder, shard, traces)

        patch.setattr(generate_shards, "enter_shard", enter)
        with pytest.raises(KeyboardInterrupt):
            generate(replace(config, out=out))


def flip_a_bit(path: Path) -> None:
    """In the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# pytest imports test files alone, so what they share reaches them as fixtures.


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    return read_all


@pytest.fixture
def damage() -> Callable[[Path], None]:
    return flip_a_bit


@pytest.fixture
def interrupt_after() -> Callable[[GenerateConfig, Path, int], None]:
    return interrupt


@pytest.fixture
def begun() -> Callable[[GenerateConfig, Part], SetFolder]:
    return begin
