"""``--resume``: what is whole is left alone, what is damaged is made again, another plan is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hidiff
from hidiff.generate import GenerateConfig, generate

HOMES, SHARDS = 5, 3
START = "2030-07-01"


def test_a_finished_set_is_verified_and_left_alone_by_resume(
    config: GenerateConfig,
    whole: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    contents: Callable[..., Any],
) -> None:
    generate(config)
    before = {path: path.stat().st_mtime_ns for path in config.out.iterdir()}
    generate(replace(config, resume=True))
    generate(replace(config, shard="2/2"))
    assert {path: path.stat().st_mtime_ns for path in config.out.iterdir()} == before
    assert contents(config.out) == whole
    assert capsys.readouterr().err == ""


def test_resume_makes_a_damaged_a_truncated_and_a_missing_shard_again_and_no_other(
    config: GenerateConfig,
    whole: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    contents: Callable[..., Any],
    damage: Callable[..., Any],
) -> None:
    config = replace(config, home_years_per_shard=1)
    undisturbed = contents(generate(config))
    paths = [config.out / f"traces-{shard:05d}.parquet" for shard in range(HOMES)]
    damage(paths[0])
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    paths[2].unlink()
    kept = paths[3].stat().st_mtime_ns, paths[4].stat().st_mtime_ns
    capsys.readouterr()
    generate(replace(config, resume=True))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == [str(path) for path in paths[:3]]
    assert "is not what was written (sha256" in lines[0]
    assert f"bytes, not the {len(undisturbed[paths[1].name])} that were written" in lines[1]
    assert all(line.endswith("; it is made again") for line in lines)
    assert (paths[3].stat().st_mtime_ns, paths[4].stat().st_mtime_ns) == kept
    assert contents(config.out) == undisturbed


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_damaged_or_lost_table_of_homes_is_made_again_from_the_shards(
    config: GenerateConfig,
    whole: dict[str, bytes],
    is_lost: bool,
    contents: Callable[..., Any],
    damage: Callable[..., Any],
) -> None:
    generate(config)
    (config.out / "homes.csv").unlink() if is_lost else damage(config.out / "homes.csv")
    generate(replace(config, resume=True))
    assert contents(config.out) == whole


def test_a_damaged_record_costs_its_shard_and_no_more(
    config: GenerateConfig,
    whole: dict[str, bytes],
    contents: Callable[..., Any],
    interrupt_after: Callable[..., Any],
) -> None:
    interrupt_after(config, config.out, 2)
    (config.out / "unfinished" / "00000.json").write_text('{"file": "tra')
    kept = (config.out / "traces-00001.parquet").stat().st_mtime_ns
    generate(replace(config, resume=True))
    assert (config.out / "traces-00001.parquet").stat().st_mtime_ns == kept
    assert contents(config.out) == whole


@pytest.mark.parametrize("shards", [2, SHARDS])
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"seed": 2}, "seed=1, but this command has 2"),
        ({"homes": 6}, "homes=5, but this command has 6"),
        ({"steps": 2}, "steps=1, but this command has 2"),
        ({"annual_kwh": 4000.0}, "annual_kwh=None, but this command has 4000.0"),
        ({"home_years_per_shard": 3}, "homes_per_shard=2, but this command has 3"),
    ],
)
def test_another_plan_is_refused_with_what_differs(
    config: GenerateConfig,
    changed: dict[str, Any],
    words: str,
    shards: int,
    contents: Callable[..., Any],
    interrupt_after: Callable[..., Any],
) -> None:
    if shards < SHARDS:
        interrupt_after(config, config.out, shards)
    else:
        generate(config)
    before = contents(config.out)
    with pytest.raises(ValueError, match=words) as error:
        generate(replace(config, resume=True, **changed))
    assert all(way in str(error.value) for way in ("the same again", "another folder", "--force"))
    assert contents(config.out) == before


def test_a_set_is_not_gone_on_with_by_another_version(
    config: GenerateConfig, monkeypatch: pytest.MonkeyPatch, interrupt_after: Callable[..., Any]
) -> None:
    interrupt_after(config, config.out, 1)
    monkeypatch.setattr(hidiff, "__version__", "99")
    with pytest.raises(ValueError, match=r"hidiff_version='.*', but this command has '99'"):
        generate(replace(config, resume=True))


def test_a_file_is_judged_by_what_it_holds_not_by_where_it_is(
    config: GenerateConfig, tmp_path: Path, interrupt_after: Callable[..., Any]
) -> None:
    days = pd.date_range("2030-07-01", periods=400).strftime("%Y-%m-%d")
    text = "date,clearness\n" + "".join(f"{day},0.5\n" for day in days)
    for name in ("here.csv", "there.csv"):
        (tmp_path / name).write_text(text)
    interrupt_after(replace(config, weather=tmp_path / "here.csv"), config.out, 1)
    (tmp_path / "other.csv").write_text(text.replace("0.5", "0.6"))
    with pytest.raises(ValueError, match="weather_sha256="):
        generate(replace(config, weather=tmp_path / "other.csv", resume=True))
    generate(replace(config, weather=tmp_path / "there.csv", resume=True, device="cpu", batch_size=3))
    assert json.loads((config.out / "manifest.json").read_text())["config"]["weather"].endswith("here.csv")
