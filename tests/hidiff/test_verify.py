"""``hidiff verify``: each fault is named with its file, and a whole set has none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hidiff.cli import main
from hidiff.generate import GenerateConfig, generate
from hidiff.verify import faults


@pytest.fixture(scope="module")
def made(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three homes of two years, a shard each."""
    out = tmp_path_factory.mktemp("verify") / "set"
    return generate(
        GenerateConfig(homes=3, years=2, seed=1, steps=1, model=tiny_folder, out=out, home_years_per_shard=2)
    )


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "set"))


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    change(content)
    (folder / "manifest.json").write_text(json.dumps(content))


def vouch_for(folder: Path, shard: int) -> None:
    """Put the present bytes of a shard into the manifest, as if they had been written so."""
    from hidiff.checkpoint import file_hash

    path = folder / f"traces-{shard:05d}.parquet"
    change_manifest(
        folder,
        lambda content: content["shards"][shard].update(bytes=path.stat().st_size, sha256=file_hash(path)),
    )


def rewrite(path: Path, **options: Any) -> None:
    file = pq.ParquetFile(path)
    table, metadata = file.read(), dict(file.metadata.metadata)
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.add_key_value_metadata({b"hidiff.homes": metadata[b"hidiff.homes"]})
        writer.write_table(table, **options)


def test_a_whole_set_has_no_faults(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(folder)]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{folder}\n" and shown.err == ""


def flip_a_byte(folder: Path) -> None:
    path = folder / "traces-00001.parquet"
    content = bytearray(path.read_bytes())
    content[1000] ^= 4
    path.write_bytes(content)


def cut_off(folder: Path) -> None:
    path = folder / "traces-00001.parquet"
    path.write_bytes(path.read_bytes()[:-1])


def swap(folder: Path) -> None:
    shutil.copy(folder / "traces-00002.parquet", folder / "traces-00001.parquet")
    vouch_for(folder, 1)


def merge_row_groups(folder: Path) -> None:
    rewrite(folder / "traces-00001.parquet")
    vouch_for(folder, 1)


def drop_a_home(folder: Path) -> None:
    lines = (folder / "homes.csv").read_text().splitlines()
    (folder / "homes.csv").write_text("\n".join(lines[:-1]) + "\n")


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (flip_a_byte, ["traces-00001.parquet: is not what was written (sha256"]),
        (cut_off, ["traces-00001.parquet: has {less} bytes, not the {size} that were written"]),
        (lambda folder: (folder / "traces-00002.parquet").unlink(), ["traces-00002.parquet: is missing"]),
        (swap, ["traces-00001.parquet: has other homes than homes.csv"]),
        (merge_row_groups, ["traces-00001.parquet: has 1 row groups, not one a home-year, 2"]),
        (drop_a_home, ["homes.csv: is not what was written", "homes.csv: has 2 homes, not 3"]),
        (lambda folder: (folder / "homes.csv").unlink(), ["homes.csv: is missing"]),
        (lambda folder: (folder / "notes.txt").write_text("?"), ["notes.txt: is no part of the set"]),
        (
            lambda folder: shutil.copy(folder / "traces-00000.parquet", folder / "traces-00009.parquet"),
            ["traces-00009.parquet: is no part of the set"],
        ),
        (
            lambda folder: change_manifest(folder, lambda content: content["shards"][0].update(rows=7)),
            ["traces-00000.parquet: has 35040 rows, not the 7 of the manifest and 35040 of the plan"],
        ),
        (
            lambda folder: change_manifest(folder, lambda content: content["shards"].pop()),
            ["manifest.json: 2 of 3 shards are finished", "traces-00002.parquet: is no part of the set"],
        ),
        (
            lambda folder: change_manifest(folder, lambda content: content.pop("homes_per_shard")),
            ["manifest.json: has no 'homes_per_shard'"],
        ),
        (lambda folder: (folder / "manifest.json").write_text("{"), ["manifest.json is damaged"]),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_file_and_no_other_is(
    folder: Path, harm: Callable[[Path], object], found: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    size = (folder / "traces-00001.parquet").stat().st_size
    harm(folder)
    assert main(["verify", str(folder)]) == 1
    shown = capsys.readouterr()
    expected = [f"{folder}/" + text.format(size=size, less=size - 1) for text in found]
    lines = shown.out.splitlines()
    assert len(lines) == len(expected)
    assert all(line.startswith(start) for line, start in zip(lines, expected, strict=True))
    assert f"error: {folder} has {len(found)} fault" in shown.err and "--resume" in shown.err


def test_an_unfinished_set_is_counted_and_its_shards_are_checked(
    made: Path, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "part"
    generate(
        GenerateConfig(
            homes=3, years=2, seed=1, steps=1, model=tiny_folder, out=out, home_years_per_shard=2, shard="1/2"
        )
    )
    assert list(faults(out)) == [f"{out}/unfinished.json: 2 of 3 shards are finished"]
    path = out / "traces-00002.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    assert [line.split(": ")[0] for line in faults(out)] == [f"{out}/unfinished.json", str(path)]


def test_a_folder_without_a_set_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert main(["verify", str(tmp_path / "none")]) == 2
    assert "has no manifest.json; give a folder that hidiff generate wrote" in capsys.readouterr().err
