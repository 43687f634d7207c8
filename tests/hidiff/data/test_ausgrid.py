"""Original Ausgrid files: layout, clock changes, joined years, and equality with the repaired Parquet."""

import numpy as np
import pandas as pd
import pytest

from hidiff.data.ausgrid import read_ausgrid_wide, read_ausgrid_yearly, read_traces, slots_to_utc
from hidiff.data.synthetic import synthetic_homes
from hidiff.errors import DataFormatError

TIMES = [f"{slot // 2}:{slot % 2 * 30:02d}" for slot in range(1, 48)] + ["0:00"]
HEADER = ["Customer", "Generator Capacity", "Postcode", "Consumption Category", "date", *TIMES, "Row Quality"]


def yearly(path, rows, title="Half-hourly data,,,"):
    """Write a file in the original layout; a row is (customer, category, date, 48 values, quality)."""
    lines = [title] if title else []
    lines.append(",".join(HEADER))
    for customer, category, date, values, quality in rows:
        lines.append(",".join([customer, "1.5", "2000", category, date, *map(str, values), quality]))
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


@pytest.mark.real
def test_yearly_files_equal_the_repaired_parquet_to_the_last_digit(data_dir) -> None:
    yearly_traces = read_traces(data_dir / "ausgrid_official_layout")
    wide = read_ausgrid_wide(data_dir / "ausgrid").select(yearly_traces.names)
    assert sorted(yearly_traces.names, key=int) == ["3", "4", "5", "8", "10", "12"]
    assert yearly_traces.time.equals(wide.time)
    # The Parquet is float32 and doubling is exact, so rounding our float64 must give the very same bits.
    np.testing.assert_array_equal(yearly_traces.load_kw.astype(np.float32), wide.load_kw)
    np.testing.assert_array_equal(yearly_traces.pv_kw.astype(np.float32), wide.pv_kw)
    for column in ("pv_capacity_kwp", "postcode"):
        assert (yearly_traces.homes[column] == wide.homes[column]).all()
    assert (yearly_traces.homes["dropped_kwh"] == 0).all()


@pytest.mark.real
def test_wide_parquet_keeps_every_home_and_column(data_dir) -> None:
    traces = read_traces(data_dir / "ausgrid")
    assert traces.load_kw.shape == (184, 52608)
    assert {"postcode", "is_clean", "has_third_year"} <= set(traces.homes.columns)
    without_third_year = ~traces.homes["has_third_year"].to_numpy()
    assert (np.isnan(traces.load_kw).any(axis=1) == without_third_year).all()


@pytest.mark.parametrize(
    ("date", "steps", "energy_kwh"),
    [
        ("2010-10-03", 46, 44.0 + 2.0),  # spring: slots 4 and 5 are fake
        ("2011-10-02", 46, 46.0),
        ("2012-10-07", 46, 46.0),
        ("2011-04-03", 50, 48.0),  # autumn: slots 4 and 5 hold two hours
        ("2012-04-01", 50, 48.0),
        ("2013-04-07", 50, 48.0),
        ("2012-07-01", 48, 48.0),
    ],
)
def test_clock_change_days_of_sydney_have_the_right_steps_and_energy(date, steps, energy_kwh) -> None:
    energy = np.ones((1, 1, 48))
    time, power_kw, dropped_kwh = slots_to_utc(energy, pd.Timestamp(date))
    assert power_kw.shape == (1, steps)
    assert power_kw.sum() * 0.5 == pytest.approx(energy_kwh)
    assert dropped_kwh[0] == pytest.approx(48.0 - energy_kwh)
    assert time[0] == pd.Timestamp(date).tz_localize("Australia/Sydney")
    assert (np.diff(time.asi8) == 1_800_000_000).all()


def test_the_doubled_autumn_slots_are_halved_over_both_hours() -> None:
    energy = np.arange(48.0)[None, None, :]
    time, power_kw, _ = slots_to_utc(energy, pd.Timestamp("2011-04-03"))
    clock = time.tz_convert("Australia/Sydney")
    assert [f"{stamp:%H:%M}" for stamp in clock[4:8]] == ["02:00", "02:30", "02:00", "02:30"]
    np.testing.assert_allclose(power_kw[0, 3:9], [6.0, 4.0, 5.0, 4.0, 5.0, 12.0])


def test_labels_are_interval_ends_and_midnight_closes_the_day(tmp_path) -> None:
    values = [0.0] * 48
    values[0], values[47] = 0.25, 0.5
    file = yearly(
        tmp_path / "a.csv", [("7", "GC", "1-Jul-10", values, ""), ("7", "GG", "1-Jul-10", [0] * 48, "")]
    )
    traces = read_ausgrid_yearly(file)
    assert traces.load_kw[0, 0] == 0.5
    assert traces.load_kw[0, 47] == 1.0
    assert str(traces.time[0].tz_convert("Australia/Sydney")) == "2010-07-01 00:00:00+10:00"


def test_controlled_load_is_added_and_estimated_rows_are_counted(tmp_path) -> None:
    rows = [
        ("7", "GC", "30/06/2012", [0.1] * 48, "NA"),
        ("7", "CL", "30/06/2012", [0.2] * 48, ""),
        ("7", "GG", "30/06/2012", [0.3] * 48, "NA"),
        ("9", "GC", "30/06/2012", [0.4] * 48, ""),
        ("9", "GG", "30/06/2012", [0.0] * 48, ""),
    ]
    traces = read_ausgrid_yearly(yearly(tmp_path / "a.csv", rows, title=""))
    np.testing.assert_allclose(traces.load_kw[:, 10], [0.6, 0.8])
    np.testing.assert_allclose(traces.pv_kw[:, 10], [0.6, 0.0])
    assert traces.homes["estimated_rows"].tolist() == [2, 0]
    assert traces.homes["has_controlled_load"].tolist() == [True, False]


def test_years_in_both_date_styles_are_joined_and_absent_days_are_gaps(tmp_path) -> None:
    first = yearly(
        tmp_path / "a.csv",
        [("7", c, d, [0.1] * 48, "") for c in ("GC", "GG") for d in ("29-Jun-12", "30-Jun-12")],
    )
    second = yearly(
        tmp_path / "b.csv",
        [("7", c, "2/07/2012", [0.2] * 48, "") for c in ("GC", "GG")],
        title="",
    )
    traces = read_ausgrid_yearly([second, first])
    assert traces.load_kw.shape == (1, 4 * 48)
    assert np.isnan(traces.load_kw[0, 96:144]).all()
    assert np.isnan(traces.load_kw).sum() == 48
    np.testing.assert_allclose(traces.load_kw[0, [0, 144]], [0.2, 0.4])
    with pytest.raises(
        DataFormatError, match=r"b\.csv, line 2: a second row for customer 7, GC, 02 Jul 2012"
    ):
        read_ausgrid_yearly([first, second, second])


def test_bad_yearly_files_are_refused_with_their_line(tmp_path) -> None:
    with pytest.raises(DataFormatError, match=r"line 3: date '2012/31/31'"):
        read_ausgrid_yearly(yearly(tmp_path / "a.csv", [("7", "GC", "2012/31/31", [0] * 48, "")]))
    with pytest.raises(DataFormatError, match="category 'XX'"):
        read_ausgrid_yearly(yearly(tmp_path / "b.csv", [("7", "XX", "1-Jul-10", [0] * 48, "")]))
    with pytest.raises(DataFormatError, match="not a number"):
        read_ausgrid_yearly(yearly(tmp_path / "c.csv", [("7", "GC", "1-Jul-10", ["x"] * 48, "")]))
    with pytest.raises(DataFormatError, match="not an Ausgrid yearly file"):
        read_ausgrid_yearly(__file__)


def test_read_traces_recognises_a_set_and_refuses_the_rest_by_naming_the_three(tmp_path) -> None:
    made = synthetic_homes(2, 3)
    assert read_traces(made.to_parquet(tmp_path / "set")).names == made.names
    (tmp_path / "other.csv").write_text("time,load\n")
    with pytest.raises(DataFormatError, match=r"\(1\).*\(2\).*\(3\).*hidiff ingest"):
        read_traces(tmp_path / "other.csv")
    with pytest.raises(DataFormatError, match="does not exist"):
        read_traces(tmp_path / "nowhere")
