"""Weather files, daily and half-hourly, and the weather that homes have seen."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hidiff.data import solar
from hidiff.data.prepare import CLEARNESS, Prepared, prepare
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.data.weather import observed_weather, read_weather, regional_clearness
from hidiff.errors import DataFormatError


def daily_file(folder: Path, days: int = 10, first: str = "2030-01-01", **columns: object) -> Path:
    table = pd.DataFrame({"date": pd.date_range(first, periods=days), **columns})
    table.to_csv(folder / "daily.csv", index=False)
    return folder / "daily.csv"


def test_a_daily_file_comes_as_it_is(tmp_path: Path) -> None:
    clearness = np.linspace(0.2, 1.1, 10)
    read = read_weather(daily_file(tmp_path, temperature_max_c=40.0, clearness=clearness))
    assert list(read.columns) == ["temperature_max_c", "clearness"]
    assert read.index[0] == pd.Timestamp("2030-01-01") and len(read) == 10
    assert read["clearness"].to_numpy() == pytest.approx(clearness)


def test_half_hours_become_extremes_and_clearness_of_the_day(tmp_path: Path) -> None:
    time = pd.date_range("2030-01-01", periods=4 * 48, freq="30min")
    ghi = solar.clear_sky_of_days(pd.date_range("2030-01-01", periods=4)).ghi * np.repeat(
        [1, 0.5, 0.2, 0], 48
    )
    temperature = 20 + np.tile(np.linspace(-5, 5, 48), 4)
    pd.DataFrame({"local_time": time, "temperature_c": temperature, "ghi_w_m2": ghi}).to_parquet(
        tmp_path / "w.parquet"
    )
    read = read_weather(tmp_path / "w.parquet")
    assert read["clearness"].to_numpy() == pytest.approx([1, 0.5, 0.2, 0], abs=1e-6)
    assert (read["temperature_max_c"] == 25).all() and (read["temperature_min_c"] == 15).all()


def test_zone_aware_stamps_fall_on_the_standard_day_of_sydney(tmp_path: Path) -> None:
    time = pd.date_range("2030-01-01 14:00", periods=48, freq="30min", tz="UTC")  # midnight in UTC+10
    pd.DataFrame({"time": time, "temperature_c": 20.0}).to_csv(tmp_path / "w.csv", index=False)
    assert read_weather(tmp_path / "w.csv").index.tolist() == [pd.Timestamp("2030-01-02")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"rain_mm": 1.0}, "none of temperature_max_c"),
        ({"clearness": 2.5}, r"clearness reaches 2.5, outside 0..1.3"),
        ({"temperature_max_c": 310.0}, "temperature_max_c reaches 310"),
        ({"clearness": [0.5] * 9 + [None]}, "'clearness' has no value on 2030-01-10"),
        ({"temperature_max_c": ["warm"] * 10}, "'temperature_max_c' is not all numbers"),
    ],
)
def test_odd_values_are_named(tmp_path: Path, columns: dict[str, object], message: str) -> None:
    with pytest.raises(DataFormatError, match=message):
        read_weather(daily_file(tmp_path, **columns))


def test_files_that_are_no_weather_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.csv does not exist"):
        read_weather(tmp_path / "none.csv")
    path = tmp_path / "w.csv"
    path.write_text("day,clearness\n2030-01-01,1\n")
    with pytest.raises(DataFormatError, match="has no column 'date', 'time' or 'local_time'; it has day"):
        read_weather(path)
    path.write_text("date,clearness\nyesterday,1\n")
    with pytest.raises(DataFormatError, match="'date' does not hold dates"):
        read_weather(path)
    path.write_text("date,clearness\n2030-01-01,1\n,1\n")
    with pytest.raises(DataFormatError, match="no date in some row"):
        read_weather(path)
    path.write_text("date,clearness\n2030-01-01,1\n2030-01-04,1\n")
    with pytest.raises(DataFormatError, match="misses 2 days, the first 2030-01-02"):
        read_weather(path)
    (tmp_path / "w.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataFormatError, match="cannot be read as a table"):
        read_weather(tmp_path / "w.parquet")


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(synthetic_homes(3, 30, start="2012-12-01"))  # summer: the first standard day is cut


def test_observed_weather_is_the_files_temperature_and_the_homes_clearness(
    tmp_path: Path, prepared: Prepared
) -> None:
    path = daily_file(tmp_path, 60, "2012-11-15", temperature_max_c=np.arange(60) / 2, temperature_min_c=-1.0)
    weather = observed_weather(prepared, path)
    assert list(weather.columns) == ["temperature_max_c", "temperature_min_c", "clearness"]
    assert weather.index.equals(prepared.grid.dates)
    assert weather.notna().all(axis=None)
    assert weather["temperature_max_c"].iloc[0] == 7.5  # 30 November
    known = prepared.is_known.all(0)
    assert weather["clearness"].to_numpy()[known] == pytest.approx(
        prepared.tokens[:, known, CLEARNESS].mean(0), rel=1e-5
    )


def test_observed_weather_needs_temperature_on_every_day_that_a_home_knows(
    tmp_path: Path, prepared: Prepared
) -> None:
    short = daily_file(tmp_path, 10, "2012-11-30", temperature_max_c=30.0, temperature_min_c=20.0)
    with pytest.raises(DataFormatError, match="no weather for 2012-12-10"):
        observed_weather(prepared, short)
    with pytest.raises(DataFormatError, match="neither 'temperature_min_c' nor 'temperature_c'"):
        observed_weather(prepared, daily_file(tmp_path, 60, "2012-11-15", temperature_max_c=30.0))


def test_without_pv_there_is_no_clearness() -> None:
    traces = synthetic_homes(2, 15)
    dark = Traces(
        traces.load_kw,
        0 * traces.pv_kw,
        traces.time,
        traces.homes.assign(pv_capacity_kwp=0.0),
        traces.time_zone,
    )
    with pytest.raises(ValueError, match="no home has PV"):
        regional_clearness(prepare(dark))


@pytest.mark.real
def test_the_airports_file_covers_the_three_years(data_dir: Path) -> None:
    (path,) = sorted((data_dir / "weather").glob("*.parquet"))
    weather = read_weather(path)
    assert (
        weather.loc["2013-01-18", "temperature_max_c"] > 44
    )  # Sydney's record at the time, 45.8 in the city
    assert (weather["temperature_max_c"] >= weather["temperature_min_c"]).all()
    assert weather.index[0] <= pd.Timestamp("2010-07-01") and weather.index[-1] >= pd.Timestamp("2013-06-30")
