"""The container, its tables, and the set on disk."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hidiff.data.parquet import read_set, write_shard, year_starts
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces, concat_homes
from hidiff.errors import DataFormatError


@pytest.fixture(scope="module")
def traces() -> Traces:
    made = synthetic_homes(3, 20, seed=5)
    return Traces(
        made.load_kw.astype(np.float32),
        made.pv_kw.astype(np.float32),
        made.time,
        made.homes.assign(postcode=[2000, 2010, 2020]),
        made.time_zone,
    )


def assert_same(first: Traces, second: Traces) -> None:
    np.testing.assert_array_equal(first.load_kw, second.load_kw)
    np.testing.assert_array_equal(first.pv_kw, second.pv_kw)
    assert first.time.equals(second.time)
    assert first.names == second.names
    pd.testing.assert_frame_equal(first.homes, second.homes, check_dtype=False, check_index_type=False)
    assert first.time_zone == second.time_zone


def test_long_wide_and_xarray_give_the_same_traces_back(traces: Traces) -> None:
    assert_same(Traces.from_long(traces.to_long(), traces.homes), traces)
    assert_same(Traces.from_long(traces.to_long().sample(frac=1, random_state=1), traces.homes), traces)
    assert_same(Traces.from_wide(traces.to_wide(), traces.homes), traces)
    assert_same(Traces.from_xarray(traces.to_xarray()), traces)


def test_energy_is_power_times_the_step(traces: Traces) -> None:
    np.testing.assert_allclose(
        traces.load_kwh, traces.load_kw.sum(axis=1, dtype=np.float64) * 0.5, rtol=1e-12
    )


def test_an_absent_row_is_a_gap_and_a_double_row_is_refused(traces: Traces) -> None:
    table = traces.to_long()
    back = Traces.from_long(table.drop(index=7))
    assert np.isnan(back.load_kw[0, 7])
    assert np.isnan(back.load_kw).sum() == 1
    with pytest.raises(DataFormatError, match="two rows"):
        Traces.from_long(pd.concat([table, table.iloc[[3]]]))
    with pytest.raises(DataFormatError, match="no column 'pv_kw'"):
        Traces.from_long(table.drop(columns="pv_kw"))
    with pytest.raises(DataFormatError, match="no zone"):
        Traces.from_long(table.assign(time=table["time"].dt.tz_localize(None)))


def test_wide_matches_homes_by_name_and_not_by_position(traces: Traces) -> None:
    wide = traces.to_wide()
    shuffled = pd.concat({"load_kw": wide["load_kw"], "pv_kw": wide["pv_kw"].iloc[:, ::-1]}, axis=1)
    assert_same(Traces.from_wide(shuffled, traces.homes), traces)


def test_homes_are_joined_and_a_double_home_is_refused(traces: Traces) -> None:
    parts = [traces.select(traces.names[:1]), traces.select(traces.names[1:])]
    assert_same(concat_homes(parts), traces)
    with pytest.raises(ValueError, match="in two parts"):
        concat_homes([traces, parts[0]])
    with pytest.raises(ValueError, match="one time index"):
        concat_homes([parts[0], parts[1].between("2012-07-02", "2012-07-05")])


def test_a_set_on_disk_gives_the_same_traces_back(traces, tmp_path) -> None:
    backwards = traces.select(traces.names[::-1])
    folder = backwards.to_parquet(tmp_path / "set")
    assert_same(Traces.from_parquet(folder), backwards)
    assert sorted(path.name for path in folder.iterdir()) == ["homes.csv", "traces-00000.parquet"]
    with pytest.raises(ValueError, match="already holds a set"):
        traces.to_parquet(folder)


def test_gaps_are_refused_unless_allowed(traces, tmp_path) -> None:
    load_kw = traces.load_kw.copy()
    load_kw[1, 4] = np.nan
    holed = Traces(load_kw, traces.pv_kw, traces.time, traces.homes, traces.time_zone)
    folder = holed.to_parquet(tmp_path / "set")
    with pytest.raises(DataFormatError, match=r"1 values of load_kw .* home 'synthetic-00001'"):
        Traces.from_parquet(folder)
    assert_same(Traces.from_parquet(folder, allow_gaps=True), holed)


def test_a_shard_has_a_row_group_a_home_year_of_the_local_clock(tmp_path) -> None:
    traces = synthetic_homes(2, 366 + 365, start="2011-07-01")
    assert write_shard(tmp_path / "traces-0.parquet", traces) == 2 * 731 * 48
    file = pq.ParquetFile(tmp_path / "traces-0.parquet")
    rows = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    assert rows == [366 * 48, 365 * 48] * 2
    assert [str(column.type) for column in file.schema_arrow] == [
        "string",
        "timestamp[us, tz=UTC]",
        "float",
        "float",
    ]
    assert year_starts(traces.time, traces.time_zone) == [0, 366 * 48, 731 * 48]
    groups = [file.read_row_group(group, columns=["home"])["home"].unique().to_pylist() for group in range(4)]
    assert groups == [["synthetic-00000"]] * 2 + [["synthetic-00001"]] * 2


def test_a_failed_write_leaves_nothing_behind(traces, tmp_path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(OSError, match="No space"):
        write_shard(tmp_path / "traces-0.parquet", traces)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_set_is_refused_by_name(traces, tmp_path) -> None:
    folder = traces.to_parquet(tmp_path / "set")
    shard = folder / "traces-00000.parquet"
    table = pq.read_table(shard)
    pq.write_table(table.drop_columns(["pv_kw"]), shard)
    with pytest.raises(DataFormatError, match="no column 'pv_kw'"):
        read_set(folder)
    pq.write_table(pa.concat_tables([table, table.slice(5, 1)]), shard)
    with pytest.raises(DataFormatError, match="two rows"):
        read_set(folder)
    position = table.schema.get_field_index("time")
    pq.write_table(table.set_column(position, "time", table["time"].cast(pa.timestamp("us"))), shard)
    with pytest.raises(DataFormatError, match="zone UTC"):
        read_set(folder)
    pq.write_table(table.slice(0, 0), shard)
    with pytest.raises(DataFormatError, match="no rows"):
        read_set(folder)
    pq.write_table(table, shard)
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(DataFormatError, match="cut off"):
        read_set(folder)
    pq.write_table(table, shard)
    traces.homes.iloc[:2].to_csv(folder / "homes.csv")
    with pytest.raises(DataFormatError, match="no row for 'synthetic-00002'"):
        read_set(folder)
    with pytest.raises(DataFormatError, match="no traces-"):
        read_set(tmp_path)


def test_a_single_shard_can_be_read_with_and_without_its_homes(traces, tmp_path) -> None:
    folder = traces.to_parquet(tmp_path / "set")
    assert_same(read_set(folder / "traces-00000.parquet"), traces)
    (folder / "homes.csv").unlink()
    alone = read_set(folder / "traces-00000.parquet")
    np.testing.assert_allclose(alone.homes["pv_capacity_kwp"], traces.pv_kw.max(axis=1))
