"""``hidiff generate``: the files it writes, what it refuses, and what it says before it writes."""

import errno
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hidiff
from hidiff import checkpoint, generate_folder
from hidiff import generate as generate_module
from hidiff.cli import main
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.generate import GenerateConfig, generate

START = "2030-07-01"


def run(model: Path, out: Path, *more: str) -> int:
    """The command line, in one sampler step unless said otherwise."""
    return main(
        ["generate", "--homes", "2", "--start", START, "--seed", "1", "--steps", "1",
         "--model", str(model), "--out", str(out), *more]
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three homes of two years."""
    out = tmp_path_factory.mktemp("generate") / "homes"
    config = GenerateConfig(
        homes=3, years=2, start=START, seed=1, out=out, model=tiny_folder, steps=1, batch_size=2
    )
    assert generate(config) == out
    return out


def manifest(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return content


def test_there_are_shards_a_table_of_homes_and_a_manifest_and_nothing_else(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "homes.csv",
        "manifest.json",
        "traces-00000.parquet",
    ]
    assert [path.name for path in folder.parent.iterdir()] == ["homes"]


def test_a_shard_is_sorted_typed_and_has_a_row_group_a_home_year(folder: Path) -> None:
    file = pq.ParquetFile(folder / "traces-00000.parquet")
    schema = file.schema_arrow
    assert schema.names == ["home", "time", "load_kw", "pv_kw"]
    assert schema.field("home").type == pa.string()
    assert schema.field("time").type == pa.timestamp("us", tz="UTC")
    assert schema.field("load_kw").type == schema.field("pv_kw").type == pa.float32()
    rows = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert rows == [17520, 17568] * 3  # the second year holds 29 February 2032
    table = file.read().to_pandas()
    assert table[["home", "time"]].equals(
        table[["home", "time"]].sort_values(["home", "time"], kind="stable")
    )
    assert table.notna().all(axis=None)


def test_the_manifest_vouches_for_every_shard(folder: Path, tiny_folder: Path) -> None:
    content = manifest(folder)
    (shard,) = content["shards"]
    assert shard["sha256"] == checkpoint.file_hash(folder / shard["file"])
    assert shard["rows"] == 3 * 2 * 17520 + 3 * 48 == 3 * content["steps_per_home"]
    assert content["hidiff_version"] == hidiff.__version__
    assert content["model_sha256"] == checkpoint.file_hash(tiny_folder / "model.safetensors")
    assert content["homes"] == 3 and content["home_years"] == 6
    assert content["first_step"] == "2030-06-30T14:00:00+00:00"
    config = content["config"]
    assert (
        config["seed"] == 1
        and (config["steps"], config["solver"]) == (1, "dpm++2m")
        and config["start"] == START
    )
    assert not {"out", "force", "dry_run"} & set(config)


def test_the_folder_reads_back_as_the_traces_of_the_model(folder: Path, tiny_folder: Path) -> None:
    read = Traces.from_parquet(folder)
    traces = hidiff.load(tiny_folder).sample(homes=3, years=2, start=START, seed=1, steps=1)
    np.testing.assert_allclose(read.load_kw, traces.load_kw, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(read.pv_kw, traces.pv_kw, rtol=1e-4, atol=1e-4)
    assert read.time.equals(traces.time)
    homes = pd.read_csv(folder / "homes.csv", index_col="home")
    assert homes.index.tolist() == traces.names
    np.testing.assert_allclose(homes["annual_kwh"], read.load_kwh / 2, rtol=1e-5)
    assert (homes["mode"] == "new").all()


def test_the_same_command_writes_the_same_bytes(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_folder, tmp_path / "a") == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "a")
    assert run(tiny_folder, tmp_path / "b") == 0
    for name in ("traces-00000.parquet", "homes.csv", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_many_homes_go_to_several_shards(tiny_folder: Path, tmp_path: Path) -> None:
    assert run(tiny_folder, tmp_path / "a", "--homes", "3", "--home-years-per-shard", "2") == 0
    shards = manifest(tmp_path / "a")["shards"]
    assert [shard["rows"] for shard in shards] == [2 * 17520, 17520]
    assert Traces.from_parquet(tmp_path / "a").names == ["new-000000", "new-000001", "new-000002"]


def test_a_folder_that_holds_something_is_left_alone_without_force(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "homes.csv").write_text("of an earlier set")
    assert run(tiny_folder, out) == 2
    assert "is not empty; choose another folder or give --force" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["homes.csv"]
    assert run(tiny_folder, out, "--force") == 0
    assert (out / "homes.csv").read_text().startswith("home,") and (out / "manifest.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_force_replaces_a_set_and_nothing_else(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.docx").write_text("precious")
    assert run(tiny_folder, tmp_path, "--force") == 2
    assert "'thesis.docx', which is no part of an earlier result" in capsys.readouterr().err
    assert (tmp_path / "thesis.docx").read_text() == "precious"


def test_a_file_in_the_way_is_left_alone(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    assert run(tiny_folder, tmp_path / "out", "--force") == 2
    assert (tmp_path / "out").read_text() == "x"


def test_an_empty_folder_is_filled(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run(tiny_folder, tmp_path / "out") == 0
    assert (tmp_path / "out" / "manifest.json").exists()


def test_a_dry_run_plans_and_writes_nothing(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_folder, tmp_path / "deep" / "out", "--years", "3", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "2 homes (new-000000 …) x 3 years = 6 home-years" in said
    assert "2030-06-30T14:00:00+00:00 to 2033-06-30T13:30:00+00:00 (52608 half-hours each)" in said
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_finds_what_the_run_would_stumble_over(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weather = tmp_path / "weather.csv"
    weather.write_text("date,clearness\n2030-07-01,0.5\n")
    assert run(tiny_folder, tmp_path / "out", "--dry-run", "--weather", str(weather)) == 2
    assert "the weather covers 2030-07-01 to 2030-07-01, but 2030-07-02 is needed" in capsys.readouterr().err


@pytest.mark.parametrize("place", [1, 2])
def test_a_full_disk_leaves_the_finished_shards_or_what_was_there_before(
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: int,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "homes.csv").write_text("precious")
    written: list[Path] = []
    real = generate_folder.write_shard

    def fills_the_disk(path: Path, traces: Traces) -> int:
        written.append(path)
        if len(written) == place:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, traces)

    monkeypatch.setattr(generate_folder, "write_shard", fills_the_disk)
    assert run(tiny_folder, out, "--force", "--home-years-per-shard", "1") == 1
    said = capsys.readouterr().err
    assert f"{written[-1]}: No space left on device" in said
    if place == 1:
        assert "--resume" not in said
        assert [path.name for path in out.iterdir()] == ["homes.csv"]
        assert (out / "homes.csv").read_text() == "precious"
        return
    assert "1 of 2 shards are finished" in said and "the same command with --resume goes on" in said
    assert (out / "unfinished" / "replaced" / "homes.csv").read_text() == "precious"
    assert run(tiny_folder, out, "--resume", "--home-years-per-shard", "1") == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "homes.csv", "manifest.json", "traces-00000.parquet", "traces-00001.parquet",
    ]  # fmt: skip


def test_too_little_room_is_seen_before_any_work(
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(generate_module.shutil, "disk_usage", lambda path: SimpleNamespace(free=200_000))
    assert run(tiny_folder, tmp_path / "out", "--homes", "20", "--years", "2") == 1
    assert "MB are needed, 0 MB are free" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_model_is_a_failure(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "model"
    broken.mkdir()
    (broken / "config.json").write_bytes((tiny_folder / "config.json").read_bytes())
    (broken / "model.safetensors").write_bytes((tiny_folder / "model.safetensors").read_bytes()[:1000])
    assert run(broken, tmp_path / "out") == 1
    assert "truncated or changed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mode", "like", "--household", "nobody"], "unknown household 'nobody'"),
        (["--years", "-1"], "years=-1"),
        (["--start", "soon"], "start='soon' is not a date"),
        (["--homes", "0"], "homes=0"),
        (["--seed", "-1"], "seed=-1; it must lie in"),
        (["--mode", "from-readings"], "--mode from-readings and --readings FILE go together"),
        (["--weather", "none.csv"], "none.csv does not exist"),
        (["--annual-kwh", "nan"], "annual_kwh"),
    ],
)
def test_a_users_mistake_is_named_and_nothing_is_written(
    tiny_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert run(tiny_folder, tmp_path / "out", *arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_meter_file_becomes_years_of_its_home(tiny_folder: Path, tmp_path: Path) -> None:
    readings = synthetic_homes(1, 21, seed=4).to_parquet(tmp_path / "readings")
    out = tmp_path / "out"
    assert run(tiny_folder, out, "--mode", "from-readings", "--readings", str(readings)) == 0
    homes = pd.read_csv(out / "homes.csv", index_col="home")
    assert homes.index.tolist() == ["readings-synthetic-00000", "readings-synthetic-00000-2"]
    short = synthetic_homes(1, 9, seed=4).to_parquet(tmp_path / "short")
    assert run(tiny_folder, tmp_path / "no", "--mode", "from-readings", "--readings", str(short)) == 2
    assert not (tmp_path / "no").exists()
