"""What is wrong with a set is said when it is opened, with the file or the home that it is wrong with."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import hidiff
from hidiff.data.parquet import SCHEMA, ZONE_KEY, write_shard
from hidiff.data.traces import Traces
from hidiff.errors import DataFormatError


@pytest.fixture
def folder(stored_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(stored_folder, tmp_path / "own")


def refused(path: Path, match: str) -> None:
    with pytest.raises(DataFormatError, match=match):
        hidiff.open(path)


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, r"holds no traces-\*\.parquet; give the folder")
    refused(tmp_path / "nowhere", r"holds no traces-\*\.parquet")


def test_a_set_that_is_not_finished_is_refused(folder: Path) -> None:
    (folder / "unfinished.json").write_text("{}")
    refused(folder, "is unfinished.*--resume")
    assert len(hidiff.open(folder / "traces-00000.parquet")) == 3
    (folder / "manifest.json").write_text('{"shards": []}')  # written last: what else lies there is rubbish
    assert len(hidiff.open(folder)) == 7


def test_a_damaged_footer_is_refused_by_name(folder: Path) -> None:
    path = folder / "traces-00001.parquet"
    path.write_bytes(path.read_bytes()[:-5])
    refused(folder, r"traces-00001\.parquet is not a readable Parquet file, or is cut off")


def test_a_shard_that_the_manifest_lists_must_be_there(folder: Path) -> None:
    shards = [{"file": f"traces-0000{number}.parquet"} for number in range(3)]
    (folder / "manifest.json").write_text(json.dumps({"shards": shards}))
    assert len(hidiff.open(folder)) == 7
    (folder / "traces-00001.parquet").unlink()
    refused(folder, r"manifest\.json lists traces-00001\.parquet, which is not there")
    (folder / "manifest.json").write_text("{")
    refused(folder, "is not the manifest of a set")


def test_the_table_of_homes_must_be_that_of_the_shards(folder: Path) -> None:
    homes = pd.read_csv(folder / "homes.csv").set_index("home")
    homes.iloc[1:].to_csv(folder / "homes.csv")
    refused(folder, rf"homes\.csv: the table of homes has no row for '{homes.index[0]}'")
    pd.concat([homes, homes.iloc[[0]].rename(index=lambda _: "x")]).to_csv(folder / "homes.csv")
    refused(folder, r"homes\.csv: the table of homes names 'x', which has no readings")


def test_a_home_in_two_shards_is_refused(folder: Path) -> None:
    shutil.copy(folder / "traces-00002.parquet", folder / "traces-00003.parquet")
    refused(folder, r"home 'synthetic-00006' is in both traces-00002\.parquet and traces-00003\.parquet")


def test_shards_of_two_time_zones_are_refused(folder: Path, stored_in_memory: Traces) -> None:
    part = stored_in_memory.select(["synthetic-00006"])
    other = Traces(part.load_kw, part.pv_kw, part.time, part.homes, "Europe/Paris")
    write_shard(folder / "traces-00002.parquet", other)
    refused(folder, "several time zones: Australia/Sydney, Europe/Paris")


@pytest.mark.parametrize("span", [("2011-11-01", "2012-06-01"), ("2012-06-01", "2013-06-01")])
def test_homes_of_two_spans_are_refused(
    span: tuple[str, str], folder: Path, stored_in_memory: Traces
) -> None:
    write_shard(folder / "traces-00002.parquet", stored_in_memory.select(["synthetic-00006"]).between(*span))
    refused(folder, "do not share one span: 'synthetic-00000' from .*, 'synthetic-00006' from ")


def test_a_missing_and_a_double_row_group_are_refused(folder: Path, stored_in_memory: Traces) -> None:
    path = folder / "traces-00002.parquet"
    table = pq.read_table(path)
    first, second = table.slice(0, 17568), table.slice(17568)  # 366 days, and the rest
    for parts in ([first, second, second], [first, second.slice(48)], [first.slice(0, 17520), second]):
        with pq.ParquetWriter(path, table.schema) as writer:
            for part in parts:
                writer.write_table(part)
        refused(folder, "home 'synthetic-00006' has missing or double rows about 2012-1")


def test_a_file_of_another_layout_is_refused_with_the_way_to_rewrite_it(
    folder: Path, stored_in_memory: Traces
) -> None:
    path = folder / "traces-00000.parquet"
    table = pq.read_table(path)
    pq.write_table(table, path)
    refused(folder, r"traces-00000\.parquet has several homes in row group 0, .*to_parquet")
    pq.write_table(table.drop_columns("pv_kw"), path)
    refused(folder, r"traces-00000\.parquet has no column 'pv_kw'")
    pq.write_table(table.replace_schema_metadata({}), path)
    refused(folder, r"traces-00000\.parquet was not written by hidiff")
    one_home = table.slice(0, 100).cast(SCHEMA.with_metadata({ZONE_KEY: b"Australia/Sydney"}))
    pq.write_table(one_home, path, write_statistics=False)
    refused(folder, r"traces-00000\.parquet has no statistics in row group 0")
    Traces.from_parquet(folder / "traces-00001.parquet").to_parquet(folder / "again")
    assert len(hidiff.open(folder / "again")) == 3


def test_a_shard_replaced_after_opening_is_noticed(folder: Path, stored_in_memory: Traces) -> None:
    stored = hidiff.open(folder)
    before = stored["synthetic-00000"]
    np.testing.assert_array_equal(before.load_kw, stored_in_memory.select(["synthetic-00000"]).load_kw)
    shutil.copy(folder / "traces-00001.parquet", folder / "traces-00000.parquet")
    with pytest.raises(DataFormatError, match=r"traces-00000\.parquet was replaced after the set was opened"):
        stored["synthetic-00000"]
