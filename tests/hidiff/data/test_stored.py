"""A set that stays on disk gives what the set in memory gives, and reads no more than it must."""

import builtins
import pickle
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import hidiff
from hidiff.data import stored as stored_module
from hidiff.data.stored import StoredTraces
from hidiff.data.traces import Traces
from hidiff.errors import DataFormatError, DependencyMissing

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def stored(stored_folder: Path) -> StoredTraces:
    return hidiff.open(stored_folder)


@pytest.fixture
def own_folder(stored_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(stored_folder, tmp_path / "own")


def assert_same(first: Traces, second: Traces) -> None:
    np.testing.assert_array_equal(first.load_kw, second.load_kw)
    np.testing.assert_array_equal(first.pv_kw, second.pv_kw)
    assert first.time.equals(second.time)
    assert first.time_zone == second.time_zone
    pd.testing.assert_frame_equal(first.homes, second.homes)


def damage_row_group(folder: Path, name: str, year: int) -> Path:
    """Overwrite the values of one home-year, and leave the footer as it is; returns the shard."""
    for path in sorted(folder.glob("traces-*.parquet")):
        footer = pq.read_metadata(path)
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        groups = [group for group in groups if group.column(0).statistics.min == name]
        if groups:
            column = groups[year].column(2)
            start = column.dictionary_page_offset or column.data_page_offset
            with path.open("r+b") as file:
                file.seek(start)
                file.write(b"\xff" * column.total_compressed_size)
            return path
    raise AssertionError(f"{name} is in no shard")


def test_all_of_it_read_is_the_set_read_at_once(stored: StoredTraces, stored_in_memory: Traces) -> None:
    assert_same(stored.read(), stored_in_memory)
    assert stored.nbytes == stored_in_memory.load_kw.nbytes + stored_in_memory.pv_kw.nbytes
    assert stored.names == stored_in_memory.names
    assert (len(stored), stored.dt_h) == (7, 0.5)


def test_each_home_is_the_one_of_the_set(stored: StoredTraces, stored_in_memory: Traces) -> None:
    for name in stored:
        assert_same(stored[name], stored_in_memory.select([name]))
    assert "synthetic-00003" in stored
    assert "synthetic-00007" not in stored


def test_what_traces_offer_means_the_same_here(stored: StoredTraces, stored_in_memory: Traces) -> None:
    for name in ("load_kw", "pv_kw", "load_kwh", "pv_kwh"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(stored_in_memory, name))


def test_homes_and_steps_are_chosen_without_a_look_at_the_files(
    own_folder: Path, stored_in_memory: Traces
) -> None:
    stored = hidiff.open(own_folder)
    names = ["synthetic-00006", "synthetic-00000"]
    part = stored.select(names).between("2012-10-30", "2012-11-03")
    expected = stored_in_memory.select(names).between("2012-10-30", "2012-11-03")
    assert_same(part.read(), expected)
    for path in own_folder.glob("traces-*.parquet"):
        path.unlink()
    again = stored.select(names).between("2012-10-30", "2012-11-03")
    assert again.names == names
    assert again.time.equals(expected.time)
    with pytest.raises(DataFormatError, match=r"traces-00002\.parquet"):
        again.read()


def test_one_home_is_read_though_all_others_are_damaged(own_folder: Path, stored_in_memory: Traces) -> None:
    for name in stored_in_memory.names:
        if name != "synthetic-00004":
            damage_row_group(own_folder, name, 0)
    stored = hidiff.open(own_folder)
    assert_same(stored["synthetic-00004"], stored_in_memory.select(["synthetic-00004"]))
    with pytest.raises(DataFormatError, match=r"traces-00001\.parquet.*'synthetic-00005'.*damaged"):
        stored["synthetic-00005"]


def test_steps_are_read_though_another_year_of_the_home_is_damaged(
    own_folder: Path, stored_in_memory: Traces
) -> None:
    damage_row_group(own_folder, "synthetic-00002", 1)
    home = hidiff.open(own_folder).select(["synthetic-00002"])
    first_year = ("2011-11-01", "2012-11-01")
    assert_same(home.between(*first_year).read(), stored_in_memory.select(home.names).between(*first_year))
    with pytest.raises(DataFormatError, match="damaged"):
        home.between("2011-11-01", "2012-11-02").read()


def test_one_column_is_read_though_the_other_is_damaged(own_folder: Path, stored_in_memory: Traces) -> None:
    damage_row_group(own_folder, "synthetic-00002", 0)  # its load
    home = hidiff.open(own_folder).select(["synthetic-00002"])
    np.testing.assert_array_equal(home.pv_kw, stored_in_memory.select(home.names).pv_kw)
    assert list(home.to_pandas(columns=["pv_kw"])) == ["home", "time", "pv_kw"]
    with pytest.raises(DataFormatError, match="damaged"):
        home.to_pandas()


@pytest.mark.parametrize("homes", [1, 3, 7, 64])
def test_batches_are_the_homes_once_and_in_order(
    homes: int, stored: StoredTraces, stored_in_memory: Traces
) -> None:
    batches = list(stored.batches(homes=homes))
    assert [name for batch in batches for name in batch.names] == stored_in_memory.names
    assert max(map(len, batches)) == min(homes, 7)
    np.testing.assert_array_equal(np.concatenate([batch.pv_kw for batch in batches]), stored_in_memory.pv_kw)


def test_streaming_holds_little_more_than_a_batch(stored: StoredTraces) -> None:
    next(stored.batches(homes=1))  # what is imported and cached once
    tracemalloc.start()
    try:
        for batch in stored.batches(homes=1):
            del batch
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * stored.nbytes / 7


def test_pandas_is_the_long_table_of_traces(stored: StoredTraces, stored_in_memory: Traces) -> None:
    pd.testing.assert_frame_equal(stored.to_pandas(), stored_in_memory.to_long())
    part = stored.between("2012-01-01", "2012-01-02")
    expected = stored_in_memory.between("2012-01-01", "2012-01-02").to_long()
    pd.testing.assert_frame_equal(part.to_pandas(columns=["load_kw"]), expected.drop(columns="pv_kw"))


def test_arrow_holds_the_homes_and_steps_chosen(stored: StoredTraces, stored_in_memory: Traces) -> None:
    names = ["synthetic-00006", "synthetic-00001"]
    part = stored.select(names).between("2012-10-30", "2012-11-03")
    table = part.to_arrow().to_table().to_pandas()
    expected = stored_in_memory.select(names).between("2012-10-30", "2012-11-03")
    assert_same(Traces.from_long(table, expected.homes), expected)
    assert part.to_arrow().count_rows() == len(table) == 2 * 4 * 48
    assert stored.to_arrow().count_rows() == stored_in_memory.load_kw.size


def test_polars_reads_what_is_collected(stored: StoredTraces, stored_in_memory: Traces) -> None:
    polars = pytest.importorskip("polars")
    lazy = stored.select(["synthetic-00005"]).to_polars()
    assert isinstance(lazy, polars.LazyFrame)
    frame = lazy.filter(polars.col("pv_kw") > 0).select("load_kw", "pv_kw").collect()
    expected = stored_in_memory.select(["synthetic-00005"]).to_long().query("pv_kw > 0")
    np.testing.assert_array_equal(frame.to_numpy(), expected[["load_kw", "pv_kw"]].to_numpy())


def test_without_polars_the_extra_is_named(stored: StoredTraces, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_polars(name: str, *rest: object, **more: object) -> object:
        if name == "polars":
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_polars)
    with pytest.raises(DependencyMissing, match=r'pip install "hidiff\[polars\]"'):
        stored.to_polars()


def test_xarray_is_the_dataset_of_traces(stored: StoredTraces, stored_in_memory: Traces) -> None:
    lazy, expected = stored.to_xarray(), stored_in_memory.to_xarray()
    assert lazy.identical(expected)
    picked = {"home": ["synthetic-00006", "synthetic-00001"], "time": slice("2012-03-01", "2012-03-09")}
    assert stored.to_xarray().sel(picked).identical(expected.sel(picked))
    places = {"home": [5, 0, 2], "time": np.array([900, 3, 20000])}
    assert stored.to_xarray().isel(places).identical(expected.isel(places))
    for one in ({"home": 2}, {"time": 7}, {"home": -1, "time": 7}, {"home": slice(None, None, -2)}):
        assert stored.to_xarray().isel(one).identical(expected.isel(one))
    assert stored.to_xarray().isel(home=slice(0, 0)).load_kw.shape == (0, 21600)


def test_xarray_reads_only_what_is_picked(own_folder: Path, stored_in_memory: Traces) -> None:
    for name in stored_in_memory.names[1:]:
        damage_row_group(own_folder, name, 0)
    dataset = hidiff.open(own_folder).to_xarray()
    first = dataset.isel(home=0).load_kw
    np.testing.assert_array_equal(first, stored_in_memory.load_kw[0])
    with pytest.raises(DataFormatError, match="damaged"):
        dataset.load_kw.load()


def test_a_pickled_set_reads_the_same(stored: StoredTraces, stored_in_memory: Traces) -> None:
    again = pickle.loads(pickle.dumps(stored.between("2012-01-01", "2012-01-02")))
    assert_same(again.read(), stored_in_memory.between("2012-01-01", "2012-01-02"))


def test_a_shard_is_opened_with_the_homes_that_it_holds(
    stored_folder: Path, own_folder: Path, stored_in_memory: Traces
) -> None:
    shard = hidiff.open(stored_folder / "traces-00001.parquet")
    assert shard.names == [f"synthetic-0000{number}" for number in (3, 5, 4)]
    assert_same(shard.read(), stored_in_memory.select(shard.names))


def test_without_a_table_of_homes_they_are_what_the_readings_say(own_folder: Path) -> None:
    (own_folder / "homes.csv").unlink()
    assert_same(hidiff.open(own_folder).read(), Traces.from_parquet(own_folder))


def test_gaps_are_refused_unless_allowed(stored_in_memory: Traces, tmp_path: Path) -> None:
    load_kw, pv_kw = stored_in_memory.load_kw.copy(), stored_in_memory.pv_kw.copy()
    load_kw[2, 5:9] = np.nan
    pv_kw[3, 7] = np.inf
    homes = stored_in_memory.homes
    traces = Traces(load_kw, pv_kw, stored_in_memory.time, homes, stored_in_memory.time_zone)
    folder = traces.to_parquet(tmp_path / "gaps")
    with pytest.raises(DataFormatError, match=rf"load_kw of home '{traces.names[2]}' is missing or NaN at"):
        hidiff.open(folder)[traces.names[2]]
    allowed = hidiff.open(folder, allow_gaps=True)
    np.testing.assert_array_equal(allowed[traces.names[2]].load_kw, load_kw[[2]])
    np.testing.assert_array_equal(allowed.load_kwh, traces.load_kwh)
    with pytest.raises(DataFormatError, match=rf"pv_kw of home '{traces.names[3]}' is infinite at"):
        allowed.read()


def test_a_wrong_question_gets_an_answer_that_helps(stored: StoredTraces) -> None:
    with pytest.raises(ValueError, match=r"'synthetic-0003' among 7; did you mean 'synthetic-00003'"):
        stored["synthetic-0003"]
    with pytest.raises(ValueError, match="unknown household '12' among 7; there are synthetic-00003, "):
        stored.select(["synthetic-00001", "12"])
    with pytest.raises(ValueError, match="no home is named"):
        stored.select([])
    with pytest.raises(ValueError, match="'synthetic-00001' is named twice"):
        stored.select(["synthetic-00001", "synthetic-00001"])
    with pytest.raises(ValueError, match=r"no column 'pv_kwh'; did you mean 'pv_kw'\?"):
        stored.to_pandas(columns=["load_kw", "pv_kwh"])
    with pytest.raises(ValueError, match="each once"):
        stored.to_pandas(columns=[])
    with pytest.raises(ValueError, match="no step lies between 2031-01-01 and 2032-01-01; the set runs from"):
        stored.between("2031-01-01", "2032-01-01")
    with pytest.raises(ValueError, match="homes=0; a batch needs"):
        stored.batches(homes=0)


def test_more_than_the_memory_is_refused_with_both_sizes(
    stored: StoredTraces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_module, "_free_bytes", lambda: 300_000)
    with pytest.raises(MemoryError, match=r"7 homes x 21,600 steps take 0\.0 GB.*batches\(\)"):
        stored.read()
    assert stored["synthetic-00001"].load_kw.shape == (1, 21600)


def test_opening_loads_neither_torch_nor_xarray(stored_folder: Path) -> None:
    code = (
        f"import sys, hidiff; s = hidiff.open({str(stored_folder)!r}); s[s.names[0]]; list(s.batches())\n"
        "print(*sorted({'torch', 'xarray', 'polars', 'zarr', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
