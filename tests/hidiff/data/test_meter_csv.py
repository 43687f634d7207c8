"""Any meter CSV: what is read, what is reported, what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hidiff.data.meter_csv import MeterCsvConfig, ingest, read_meter_csv, read_readings
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.errors import DataFormatError

UTC = MeterCsvConfig(time_zone="UTC")


def write(path, text):
    path.write_text(text)
    return path


def stamps(count: int, step: int = 30, start: str = "2012-07-01") -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq=f"{step}min")


def simple(values, step: int = 30, name: str = "load_kwh") -> str:
    rows = [
        f"{time:%Y-%m-%d %H:%M},{value}"
        for time, value in zip(stamps(len(values), step), values, strict=True)
    ]
    return "\n".join([f"time,{name}", *rows]) + "\n"


@pytest.mark.parametrize(("unit", "scale"), [("kwh", 2.0), ("wh", 0.002), ("kw", 1.0), ("w", 0.001)])
def test_units_become_mean_power(tmp_path, unit, scale) -> None:
    file = write(tmp_path / "a.csv", simple([1.0, 3.0], name=f"load_{unit}"))
    traces, _ = read_meter_csv(file, UTC)
    np.testing.assert_allclose(traces.load_kw[0], [scale, 3 * scale])
    asked, report = read_meter_csv(
        write(tmp_path / "b.csv", simple([1.0, 3.0], name="load")), MeterCsvConfig(time_zone="UTC", unit=unit)
    )
    np.testing.assert_allclose(asked.load_kw[0], [scale, 3 * scale])
    assert not any("names no unit" in note for note in report.notes)


@pytest.mark.parametrize("step", [5, 6, 10, 15, 20, 30, 60])
def test_every_step_keeps_the_energy(tmp_path, step) -> None:
    energy_kwh = np.random.default_rng(step).random(48 * 30 // step * 2).round(3)
    traces, report = read_meter_csv(write(tmp_path / "a.csv", simple(energy_kwh, step)), UTC)
    assert traces.dt_h == 0.5
    assert traces.load_kwh[0] == pytest.approx(energy_kwh.sum(), rel=1e-12)
    assert ("spread evenly" in str(report)) == (step == 60)


def test_interval_ends_are_moved_to_starts(tmp_path) -> None:
    file = write(tmp_path / "a.csv", "time,load_kw\n2012-07-01 00:30,1\n2012-07-01 01:00,2\n")
    traces, _ = read_meter_csv(file, MeterCsvConfig(time_zone="UTC", interval="end"))
    assert traces.time[0] == pd.Timestamp("2012-07-01", tz="UTC")
    np.testing.assert_array_equal(traces.load_kw, [[1, 2]])


def test_title_lines_semicolons_decimal_commas_and_two_time_columns(tmp_path) -> None:
    text = (
        "Meter report\n\nDate;Time;Usage (kWh);Solar (kWh)\n1/07/2012;00:00;0,5;0\n1/07/2012;00:30;0,25;0,1\n"
    )
    traces, report = read_meter_csv(write(tmp_path / "a.csv", text), UTC)
    np.testing.assert_allclose(traces.load_kw, [[1.0, 0.5]])
    np.testing.assert_allclose(traces.pv_kw, [[0.0, 0.2]])
    assert "decimal point" in str(report)


def test_named_columns_and_several_homes(tmp_path) -> None:
    text = "when,x,y,site\n" + "".join(
        f"{t:%Y-%m-%d %H:%M},{n}.5,0.{n},h{n}\n" for t in stamps(3) for n in (1, 2)
    )
    config = MeterCsvConfig(
        time_zone="UTC", columns="time=when, load=x, pv=y, home=site", unit="kw", pv_kwp=3.0
    )
    traces, report = read_meter_csv(write(tmp_path / "a.csv", text), config)
    assert traces.names == ["h1", "h2"]
    np.testing.assert_allclose(traces.load_kw, [[1.5] * 3, [2.5] * 3])
    np.testing.assert_allclose(traces.pv_kw, [[0.1] * 3, [0.2] * 3])
    assert traces.homes["pv_capacity_kwp"].tolist() == [3.0, 3.0]
    assert report.columns["load"] == "x"
    with pytest.raises(DataFormatError, match=r"no column 'z' for load; it has when, x, y, site"):
        read_meter_csv(tmp_path / "a.csv", MeterCsvConfig(columns="time=when,load=z"))


def test_wide_files_have_a_column_a_home_and_its_pv(tmp_path) -> None:
    text = "time,a,b,a_pv\n" + "".join(f"{t:%Y-%m-%d %H:%M},1,2,3\n" for t in stamps(4))
    config = MeterCsvConfig(time_zone="UTC", layout="wide", unit="kw")
    traces, _ = read_meter_csv(write(tmp_path / "a.csv", text), config)
    assert traces.names == ["a", "b"]
    np.testing.assert_array_equal(traces.load_kw[:, 0], [1, 2])
    np.testing.assert_array_equal(traces.pv_kw[:, 0], [3, 0])
    with pytest.raises(DataFormatError, match=r"cannot tell which of a, b, a_pv is the load; name them"):
        read_meter_csv(tmp_path / "a.csv", UTC)


def test_gaps_are_counted_and_short_ones_filled_on_request(tmp_path) -> None:
    lines = simple([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], name="load_kw").splitlines()
    file = write(tmp_path / "a.csv", "\n".join([*lines[:3], *lines[4:6], lines[8]]))
    traces, report = read_meter_csv(file, UTC)
    np.testing.assert_array_equal(traces.load_kw[0], [1, 2, np.nan, 4, 5, np.nan, np.nan, 8])
    assert report.count("half-hour without load") == 3
    assert (traces.pv_kw == 0).all()  # no PV column: nothing was missed
    filled, report = read_meter_csv(file, MeterCsvConfig(time_zone="UTC", fill_gap_h=0.5))
    np.testing.assert_array_equal(filled.load_kw[0], [1, 2, 3, 4, 5, np.nan, np.nan, 8])
    assert report.count("short gap") == 1
    with pytest.raises(DataFormatError, match=r"has no load in 3 half-hours, first at 2012-07-01 01:00"):
        read_readings(file, UTC)


def test_a_half_hour_that_is_partly_covered_is_a_gap(tmp_path) -> None:
    lines = simple([1.0] * 12, step=10, name="load_kw").splitlines()
    traces, report = read_meter_csv(write(tmp_path / "a.csv", "\n".join(lines[:5] + lines[6:])), UTC)
    assert np.isnan(traces.load_kw[0]).tolist() == [False, True, False, False]
    assert report.count("half-hour without load") == 1


def test_identical_rows_count_once_and_contradictions_are_refused(tmp_path) -> None:
    text = simple([1.0, 2.0, 3.0], name="load_kw")
    file = write(tmp_path / "a.csv", text + "2012-07-01 00:30,2.0\n")
    traces, report = read_meter_csv(file, UTC)
    np.testing.assert_array_equal(traces.load_kw[0], [1, 2, 3])
    assert report.count("identical row") == 1
    assert "line 5" in str(report)
    file = write(tmp_path / "b.csv", text + "2012-07-01 00:30,9.0\n")
    with pytest.raises(DataFormatError, match=r"1 rows contradict .* line 5: home 'home'"):
        read_meter_csv(file, UTC)
    traces, report = read_meter_csv(file, MeterCsvConfig(time_zone="UTC", duplicates="first"))
    np.testing.assert_array_equal(traces.load_kw[0], [1, 2, 3])
    assert report.count("contradicting row") == 1


def test_negative_values_are_refused_unless_told_otherwise(tmp_path) -> None:
    file = write(tmp_path / "a.csv", simple([1.0, -2.0, 3.0], name="load_kw"))
    with pytest.raises(DataFormatError, match=r"1 values of load_kw are negative, first line 3: -2 kW"):
        read_meter_csv(file, UTC)
    for negatives, expected in (("gap", np.nan), ("zero", 0.0)):
        traces, report = read_meter_csv(file, MeterCsvConfig(time_zone="UTC", negatives=negatives))
        np.testing.assert_array_equal(traces.load_kw[0], [1, expected, 3])
        assert report.count("negative load_kw") == 1


def test_odd_rows_are_reported_by_line_and_many_of_them_refused(tmp_path) -> None:
    lines = simple([1.0] * 60, name="load_kw").splitlines()
    lines[10], lines[20] = "yesterday,1.0", lines[20].replace("1.0", "one")
    traces, report = read_meter_csv(write(tmp_path / "a.csv", "\n".join(lines)), UTC)
    assert np.flatnonzero(np.isnan(traces.load_kw[0])).tolist() == [9, 19]
    assert "line 11: 'yesterday'" in str(report)
    assert "line 21: 'one'" in str(report)
    lines[30:40] = [line.replace("1.0", "one") for line in lines[30:40]]
    with pytest.raises(
        DataFormatError, match=r"11 of 59 values in 'load_kw' cannot be read, first line 21: 'one'"
    ):
        read_meter_csv(write(tmp_path / "a.csv", "\n".join(lines)), UTC)


@pytest.mark.parametrize("interval", ["start", "end"])
def test_a_local_year_has_no_gap_and_its_skipped_hour_is_reported(tmp_path, interval) -> None:
    clock = pd.date_range("2012-07-01", "2013-07-01", freq="30min", inclusive="left", tz="Australia/Sydney")
    if interval == "end":
        clock = clock + pd.Timedelta(minutes=30)
    rows = "".join(f"{time:%d/%m/%Y %H:%M},0.5\n" for time in clock)
    file = write(tmp_path / "a.csv", "time,load_kwh\n" + rows)
    traces, report = read_meter_csv(file, MeterCsvConfig(interval=interval))
    assert traces.load_kw.shape == (1, 17520)
    assert not np.isnan(traces.load_kw).any()
    assert not report.findings
    extra = "07/10/2012 02:30,0.5\n" if interval == "start" else ""
    _, report = read_meter_csv(
        write(tmp_path / "b.csv", file.read_text() + extra), MeterCsvConfig(interval=interval)
    )
    assert report.count("time that the clock skipped") == bool(extra)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("time,load_kw\n", "no rows"),
        ("a\n1\n", "one column"),
        ("a,b\n1,2\n", "no time column among a, b; name them"),
        ("time,x\n2012-07-01,a\n", "no column of numbers"),
        ("time,load_kw\nnoon,1\n", "times in 'time' cannot be read"),
        ("time,load_kw\n2012-07-01 00:00,1\n", "fewer than two times"),
        ("time,load_kw\n2012-07-01 00:00,1\n2012-07-01 00:07,1\n", "steps of 7 minutes"),
        ("time,load_kw,load_kwh\n2012-07-01 00:00,1,1\n", "'load_kw' and 'load_kwh' could all be load"),
        ("time,load_kw,load_kw\n2012-07-01 00:00,1,1\n", "two columns named 'load_kw'"),
        ("time,load_kw\n2012-07-01 00:00\n", "do not have the 2 fields"),
        (
            "time,load_kw\n2012-07-01 00:00,1\n2012-07-01 00:30,1\n2012-07-01 01:00,1\n2012-07-01 01:13,1\n",
            "off its grid of 30 minutes .* line 5",
        ),
        ("time,load_kw\n1912-07-01 00:00,1\n1912-07-01 00:30,1\n2012-07-01 01:00,1\n", "no meter reading"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_reason(tmp_path, text, message) -> None:
    with pytest.raises(DataFormatError, match=message):
        read_meter_csv(write(tmp_path / "a.csv", text), UTC)


def test_files_that_are_no_text_are_refused(tmp_path) -> None:
    for content, message in (
        (b"PK\x03\x04", "spreadsheet"),
        (b"a,\xff\xff", "UTF-8"),
        (b"a\0b", "zero bytes"),
    ):
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(DataFormatError, match=message):
            read_meter_csv(tmp_path / "a.csv")
    with pytest.raises(DataFormatError, match="does not exist"):
        read_meter_csv(tmp_path / "nowhere.csv")


def test_bad_settings_are_refused_by_name() -> None:
    for settings_, message in (
        ({"time_zone": "Mars/Olympus"}, "time_zone='Mars/Olympus'"),
        ({"interval": "middle"}, "interval='middle'; choose start, end"),
        ({"unit": "mwh"}, "unit='mwh'"),
        ({"pv_kwp": float("nan")}, "pv_kwp=nan"),
        ({"fill_gap_h": -1.0}, "fill_gap_h"),
        ({"columns": "when=Date"}, "cannot read 'when'"),
    ):
        with pytest.raises(ValueError, match=message):
            MeterCsvConfig(**settings_)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_random_valid_table_comes_back_as_written(tmp_path, data) -> None:
    step = data.draw(st.sampled_from([5, 10, 15, 30, 60]))
    homes = data.draw(
        st.lists(st.sampled_from(["7", "a b", "x,y", "Ä"]), min_size=1, max_size=3, unique=True)
    )
    interval = data.draw(st.sampled_from(["start", "end"]))
    zone = data.draw(st.sampled_from(["Australia/Sydney", "UTC", "Europe/Berlin", "America/New_York"]))
    unit = data.draw(st.sampled_from(["kwh", "wh", "kw", "w"]))
    first = data.draw(st.datetimes(pd.Timestamp("2005-01-01"), pd.Timestamp("2030-01-01"))).replace(
        minute=0, second=0, microsecond=0
    )
    count = data.draw(st.integers(2, 20)) * max(1, 60 // step)
    seed = data.draw(st.integers(0, 2**32 - 1))
    time = pd.date_range(pd.Timestamp(first, tz="UTC"), periods=count, freq=f"{step}min")
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5000, (2, len(homes), count)) / 8.0
    shown = (time + pd.Timedelta(minutes=step if interval == "end" else 0)).tz_convert(zone)
    table = pd.concat(
        [
            pd.DataFrame(
                {"time": shown.strftime("%Y-%m-%dT%H:%M:%S%z"), f"load_{unit}": load, "pv": pv, "home": home}
            )
            for home, load, pv in zip(homes, values[0], values[1], strict=True)
        ]
    ).sample(frac=1, random_state=seed)
    table.to_csv(tmp_path / "a.csv", index=False, sep=data.draw(st.sampled_from([",", ";", "\t"])))
    config = MeterCsvConfig(time_zone=zone, interval=interval, unit=unit)
    traces, report = read_meter_csv(tmp_path / "a.csv", config)
    assert not report.findings
    to_kw = {"kwh": 60 / step, "wh": 0.06 / step, "kw": 1.0, "w": 0.001}[unit]
    in_kw = np.repeat(values * to_kw, max(1, step // 30), axis=2)
    in_kw = in_kw.reshape(2, len(homes), -1, max(1, 30 // step)).mean(axis=3)
    order = [homes.index(name) for name in traces.names]
    np.testing.assert_allclose(traces.load_kw, in_kw[0, order], rtol=1e-12)
    np.testing.assert_allclose(traces.pv_kw, in_kw[1, order], rtol=1e-12)
    assert traces.time[0] == time[0]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "ignore")))
)
def test_random_bytes_are_refused_cleanly(tmp_path, content) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataFormatError):
        read_meter_csv(tmp_path / "a.csv")


cell = st.one_of(
    st.sampled_from(
        ["2012-07-01 00:00", "2012-07-01 00:30", "1/7/2012 24:00", "9999-12-31", "0001-01-01 00:00", "NA"]
    ),
    st.sampled_from(
        ["1", "-1", "1e400", "inf", "0,5", '"', "", "2012-07-01T00:00Z", "2012-10-07 02:30", "🙂"]
    ),
    st.text(alphabet='09-:/ T.,;"\n', max_size=12),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["time", "date", "load_kw", "pv", "home", "x", "load"]), min_size=1, max_size=4),
    st.lists(st.lists(cell, min_size=1, max_size=4), max_size=6),
)
def test_a_nearly_valid_table_is_read_or_refused_cleanly(tmp_path, header, rows) -> None:
    text = "\n".join([",".join(header), *(",".join(row) for row in rows)])
    (tmp_path / "a.csv").write_text(text)
    try:
        traces, _ = read_meter_csv(tmp_path / "a.csv")
    except DataFormatError:
        return
    assert not (traces.load_kw < 0).any()
    assert not np.isinf(traces.load_kw).any()


def test_ingest_writes_a_set_with_its_config_and_report(tmp_path) -> None:
    made = synthetic_homes(2, 15)
    table = made.to_long().assign(time=made.to_long()["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    table.to_csv(tmp_path / "a.csv", index=False)
    out = ingest(tmp_path / "a.csv", tmp_path / "set")
    back = Traces.from_parquet(out)
    np.testing.assert_allclose(back.load_kw, made.load_kw, rtol=1e-6)
    np.testing.assert_allclose(read_readings(tmp_path / "a.csv").pv_kw, made.pv_kw, rtol=1e-12)
    np.testing.assert_array_equal(read_readings(out).pv_kw, back.pv_kw)
    assert json.loads((out / "ingest.json").read_text())["time_zone"] == "Australia/Sydney"
    assert "1440 rows, 2 homes, step 30 min" in (out / "report.txt").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "set"]


def test_ingest_replaces_only_by_force_and_leaves_nothing_after_a_refusal(tmp_path) -> None:
    good = write(tmp_path / "a.csv", simple([1.0, 2.0]))
    bad = write(tmp_path / "b.csv", "a,b\n1,2\n")
    out = ingest(good, tmp_path / "set")
    with pytest.raises(ValueError, match=r"not empty; .*--force"):
        ingest(good, out)
    with pytest.raises(DataFormatError):
        ingest(bad, out, force=True)
    assert Traces.from_parquet(out).load_kw.tolist() == [[2.0, 4.0]]
    ingest(write(tmp_path / "c.csv", simple([3.0, 4.0])), out, force=True)
    assert Traces.from_parquet(out).load_kw.tolist() == [[6.0, 8.0]]
    with pytest.raises(DataFormatError):
        ingest(bad, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv", "c.csv", "set"]
