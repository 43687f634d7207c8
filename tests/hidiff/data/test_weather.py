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
        ({"clearness": 2.5}, r"clearness reaches 2.5 on 2030-01-01, outside 0..1.3"),
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


def half_hourly(days: int = 30, first: str = "2030-01-01", step_min: int = 30) -> pd.DataFrame:
    """A file in steps: clear sky at 0.6 over Sydney, warmest at 15:00."""
    minutes = pd.date_range(first, periods=days * 1440 // step_min, freq=f"{step_min}min")
    sky = solar.clear_sky(
        (minutes - pd.Timedelta(hours=10) + pd.Timedelta(minutes=step_min / 2 - 15)).tz_localize("UTC")
    )
    hour = minutes.hour + minutes.minute / 60
    return pd.DataFrame(
        {
            "local_time": minutes,
            "temperature_c": 20 + 6 * np.cos(2 * np.pi * (hour - 15) / 24),
            "ghi_w_m2": 0.6 * sky.ghi,
        }
    )


def written(folder: Path, table: pd.DataFrame) -> Path:
    table.to_csv(folder / "steps.csv", index=False)
    return folder / "steps.csv"


@pytest.mark.parametrize("step_min", [5, 20, 30, 60])
def test_steps_that_divide_the_hour_give_the_same_days(tmp_path: Path, step_min: int) -> None:
    read = read_weather(written(tmp_path, half_hourly(3, step_min=step_min)))
    assert len(read) == 3
    assert read["clearness"].to_numpy() == pytest.approx(0.6, abs=0.01)
    assert read["temperature_max_c"].to_numpy() == pytest.approx(26)


@pytest.mark.parametrize(("name", "factor"), [("ghi_kw_m2", 1e-3), ("ghi_kwh_m2", 0.5e-3)])
def test_irradiance_may_come_in_kilowatts_or_kilowatt_hours(tmp_path: Path, name: str, factor: float) -> None:
    table = half_hourly(3)
    table[name] = table.pop("ghi_w_m2") * factor
    assert read_weather(written(tmp_path, table))["clearness"].to_numpy() == pytest.approx(0.6, abs=0.01)


def test_daily_irradiance_is_the_energy_of_the_day(tmp_path: Path) -> None:
    clear = solar.clear_sky_of_days(pd.date_range("2030-01-01", periods=10)).ghi.reshape(10, 48).sum(1) / 2000
    energy = read_weather(daily_file(tmp_path, ghi_kwh_m2=0.5 * clear))
    assert energy["clearness"].to_numpy() == pytest.approx(0.5)
    power = read_weather(daily_file(tmp_path, ghi_w_m2=0.5 * clear * 1000 / 24))
    assert power["clearness"].to_numpy() == pytest.approx(0.5)


def test_clearness_in_steps_counts_where_the_sun_is(tmp_path: Path) -> None:
    table = half_hourly(2)
    night = table.pop("ghi_w_m2") == 0
    table["clearness"] = np.where(night, 0.0, 0.7)
    assert read_weather(written(tmp_path, table))["clearness"].to_numpy() == pytest.approx(0.7, abs=0.01)


def test_days_cut_off_at_the_ends_are_left_out(tmp_path: Path) -> None:
    read = read_weather(written(tmp_path, half_hourly(4).iloc[20:-3]))
    assert read.index.tolist() == [pd.Timestamp("2030-01-02"), pd.Timestamp("2030-01-03")]
    with pytest.raises(DataFormatError, match="has no whole day of standard time"):
        read_weather(written(tmp_path, half_hourly(2).iloc[20:60]))


def test_a_wrong_clock_is_found_by_sun_and_by_heat(tmp_path: Path) -> None:
    table = half_hourly(30)
    table["local_time"] -= pd.Timedelta(hours=10)  # UTC without saying so
    with pytest.raises(DataFormatError, match="mean day is warmest at 05:00"):
        read_weather(written(tmp_path, table))
    with pytest.raises(DataFormatError, match=r"middle of ghi_w_m2 lies at 0\d:\d\d, -10\.0 h"):
        read_weather(written(tmp_path, table.drop(columns="temperature_c")))
    summer = half_hourly(30)
    summer["local_time"] += pd.Timedelta(hours=1)  # daylight saving
    with pytest.raises(DataFormatError, match=r"\+1\.0 h from the sun over Sydney"):
        read_weather(written(tmp_path, summer))
    summer["local_time"] = summer["local_time"].dt.tz_localize("Etc/GMT-11")
    assert read_weather(written(tmp_path, summer))["clearness"].to_numpy() == pytest.approx(0.6, abs=0.01)


def test_gaps_doubles_and_steps_that_do_not_fit_are_named(tmp_path: Path) -> None:
    table = half_hourly(3)
    with pytest.raises(
        DataFormatError, match=r"1 places .* not 30 minutes, the first after 2030-01-01 04:30"
    ):
        read_weather(written(tmp_path, table.drop(index=[10, 11])))
    with pytest.raises(DataFormatError, match="has 2030-01-01 05:00 twice"):
        read_weather(written(tmp_path, pd.concat([table, table.iloc[[10]]])))
    with pytest.raises(DataFormatError, match="steps of 90 minutes; steps must divide the hour"):
        read_weather(written(tmp_path, table.iloc[::3]))
    table.loc[10, "temperature_c"] = np.nan
    with pytest.raises(DataFormatError, match="'temperature_c' has no value on 2030-01-01 05:00"):
        read_weather(written(tmp_path, table))
    with pytest.raises(DataFormatError, match="twice, 'clearness' and 'ghi_w_m2'; drop one"):
        read_weather(written(tmp_path, half_hourly(1).assign(clearness=0.5)))


def test_units_that_look_wrong_are_named(tmp_path: Path) -> None:
    table = half_hourly(20)
    for change, message in (
        (
            {"temperature_c": table["temperature_c"] * 1.8 + 32},
            r"reaches 78\.8 .*Fahrenheit\? Give degrees C",
        ),
        ({"temperature_c": table["temperature_c"] + 273.15}, r"reaches 299\.15 .*kelvin\? Give degrees C"),
        ({"ghi_w_m2": table["ghi_w_m2"] / 1000}, "times the clear sky over Sydney; check the unit"),
        ({"ghi_w_m2": table["ghi_w_m2"] * 3.6}, r"times the clear sky over Sydney \(at most 1\.3\)"),
        ({"ghi_w_m2": table["ghi_w_m2"] - 900}, "irradiance is >= 0"),
    ):
        with pytest.raises(DataFormatError, match=message):
            read_weather(written(tmp_path, table.assign(**change)))
    with pytest.raises(DataFormatError, match=r"reaches 60 on 2030-01-01.*not per cent"):
        read_weather(daily_file(tmp_path, clearness=60.0))
    with pytest.raises(DataFormatError, match="10 days in all; are the columns swapped"):
        read_weather(daily_file(tmp_path, temperature_max_c=10.0, temperature_min_c=20.0))


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
