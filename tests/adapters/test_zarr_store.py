"""A set as Zarr is the set, for xarray."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray

import hidiff
from hidiff.adapters import zarr_store
from hidiff.cli import main
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces

pytest.importorskip("zarr")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = synthetic_homes(5, 20, start="2030-04-01")
    homes = made.homes.assign(mode="new", source_home=[None, "a", "bcdef", None, "a"], is_odd=True)
    return made.with_homes(homes.iloc[::-1]).to_parquet(tmp_path_factory.mktemp("zarr") / "homes")


def test_the_command_writes_what_xarray_reads(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(zarr_store, "HOMES_PER_SHARD", 2)
    monkeypatch.setattr(zarr_store, "STEPS_PER_CHUNK", 500)  # the steps are no whole number of chunks
    out = tmp_path / "homes.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["export", str(folder), "--to", "zarr", "--out", str(out)]) == 0
        dataset = xarray.open_zarr(out, chunks=None)
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    expected = Traces.from_parquet(folder)
    found = Traces.from_xarray(dataset)
    np.testing.assert_array_equal(found.load_kw, expected.load_kw)
    np.testing.assert_array_equal(found.pv_kw, expected.pv_kw)
    assert found.time.equals(expected.time)
    assert (found.names, found.time_zone) == (expected.names, expected.time_zone)
    known = expected.homes.fillna({"source_home": ""})  # Zarr's strings know no missing value
    for name in known:
        assert found.homes[name].tolist() == known[name].tolist()
    assert dataset["pv_kw"].attrs["units"] == "kW"
    assert dataset["load_kw"].encoding["chunks"] == (1, 500)


def test_an_earlier_export_is_replaced_only_when_forced(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "homes.zarr"
    stored = hidiff.open(folder)
    zarr_store.write_zarr(stored, out)
    with pytest.raises(ValueError, match="is not empty"):
        zarr_store.write_zarr(stored, out)
    zarr_store.write_zarr(stored.select(stored.names[:2]), out, force=True)
    assert xarray.open_zarr(out, chunks=None).sizes == {"home": 2, "time": len(stored.time)}
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds 'notes\.txt', which is no part"):
        zarr_store.write_zarr(stored, out, force=True)


def test_an_export_that_fails_leaves_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = hidiff.open(folder)

    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(type(stored), "batches", full)
    with pytest.raises(OSError, match="disk full"):
        zarr_store.write_zarr(stored, tmp_path / "homes.zarr")
    assert list(tmp_path.iterdir()) == []
