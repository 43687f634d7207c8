"""The report: what its numbers and pictures hold, and what it refuses."""

import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from hidiff import figures, report_numbers, report_page
from hidiff.data.traces import Traces
from hidiff.figure_clear_sky import figure_clear_sky
from hidiff.report import report, report_dir, summary_rows

SYDNEY = (-33.87, 151.21)


def make_traces(
    homes: int = 3, first: str = "2011-07-01", last: str = "2012-07-01", pv_kwp: float = 1.5
) -> Traces:
    """Homes of constant base load, a peak at 18:00 on the local clock, and PV on a bell around noon."""
    start, end = (pd.Timestamp(day).tz_localize("Australia/Sydney") for day in (first, last))
    time = pd.date_range(start, end, freq="30min", inclusive="left").tz_convert("UTC")
    clock = time.tz_convert("Australia/Sydney")
    hour = np.asarray(clock.hour + clock.minute / 60)
    size = 1.0 + np.arange(homes)[:, None]
    load_kw = (size * np.where(hour == 18, 2.0, 0.25)).astype(np.float32)
    cloud = 0.3 + 0.7 * (np.asarray(clock.day_of_year) % 7 > 2)
    bell = cloud * np.clip(np.cos((hour - 12) / 6 * np.pi / 2), 0, None) * (np.abs(hour - 12) < 6)
    pv_kw = np.tile(0.7 * pv_kwp * bell, (homes, 1)).astype(np.float32)
    table = pd.DataFrame(
        {"pv_capacity_kwp": [pv_kwp] * homes}, index=pd.Index([f"h{n}" for n in range(homes)], name="home")
    )
    return Traces(load_kw, pv_kw, time, table)


@pytest.fixture(autouse=True, scope="module")
def coarse_pictures() -> Iterator[None]:
    """Few pixels: what is tested here is not how sharp the pictures are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_page, "_DPI", 30)
        yield


@pytest.fixture(scope="module")
def traces() -> Traces:
    return make_traces()


@pytest.fixture(scope="module")
def page(traces: Traces, tmp_path_factory: pytest.TempPathFactory) -> str:
    study = pd.DataFrame({"yearly_bill": [900.0, 500.0, 420.5]}, index=["no PV", "PV <b>", "optimum"])
    out = tmp_path_factory.mktemp("report") / "new" / "set.html"
    assert report(traces, out, title="Three & homes", battery_study=study) == out
    assert [file.name for file in out.parent.iterdir()] == ["set.html"]
    return out.read_text(encoding="utf-8")


def test_local_days_keep_the_evening_peak_at_18_on_both_sides_of_the_clock_change(traces: Traces) -> None:
    days, load_kw = report_numbers.on_local_days(traces, traces.load_kw)
    assert load_kw.shape == (3, 366, 48) and len(days) == 366
    assert (np.nanargmax(load_kw[0], axis=1) == 36).all()


def test_hour_skipped_in_spring_is_unknown_and_hour_repeated_in_autumn_is_the_mean() -> None:
    traces = make_traces(1)
    values = np.arange(len(traces.time), dtype=float)[None]
    days, grid = report_numbers.on_local_days(traces, values)
    spring, autumn = grid[0, days == "2011-10-02"][0], grid[0, days == "2012-04-01"][0]
    assert np.flatnonzero(np.isnan(spring)).tolist() == [4, 5]
    assert np.isnan(grid).sum() == 2
    first = traces.time.get_loc(pd.Timestamp("2012-04-01 02:00+11:00"))
    assert (
        autumn[4] == first + 1 and autumn[5] == first + 2
    )  # the mean of a step and of the one an hour later


def test_day_and_month_energies_add_up_to_the_energy_of_the_year(traces: Traces) -> None:
    total = traces.load_kw.sum(axis=1, dtype=float) * 0.5
    days, by_day = report_numbers.day_kwh(traces, traces.load_kw)
    months, by_month, _ = report_numbers.complete_months(traces)
    assert len(days) == 366 and [month.month for month in months] == [7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(by_day.sum(axis=1), total, rtol=1e-5)
    np.testing.assert_allclose(by_month.sum(axis=1), total, rtol=1e-5)
    np.testing.assert_allclose(report_numbers.annual_kwh(traces, traces.load_kw), total, rtol=1e-5)


def test_cut_days_and_cut_months_are_left_out() -> None:
    traces = make_traces(1, "2011-07-01", "2011-09-15").between("2011-07-01 06:00", "2011-09-14 12:00")
    days, _ = report_numbers.day_kwh(traces, traces.load_kw)
    assert (days[0], days[-1]) == (pd.Timestamp("2011-07-02"), pd.Timestamp("2011-09-13"))
    assert [month.month for month in report_numbers.complete_months(traces)[0]] == [8]


def test_seasons_are_southern_northern_or_unnamed() -> None:
    assert report_numbers.SEASONS[[0, 6]].tolist() == [0, 2]
    assert report_numbers.season_names(True)[0].startswith("Summer")
    assert report_numbers.season_names(False)[0].startswith("Winter")
    assert report_numbers.season_names(None)[0] == "Dec–Feb"


def test_typical_week_is_whole_and_nearest_the_median_week() -> None:
    days = pd.date_range("2011-06-01", "2011-08-31")
    load_kw = np.tile(np.linspace(1, 2, len(days))[:, None], (1, 48))
    weeks = report_numbers.typical_weeks(days, load_kw, np.zeros_like(load_kw))
    assert list(weeks) == [2]
    assert days[weeks[2]] == pd.Timestamp("2011-07-11")  # of the 12 whole weeks, one of the two in the middle
    load_kw[weeks[2] + 3, 5] = np.nan
    assert report_numbers.typical_weeks(days, load_kw, np.zeros_like(load_kw))[2] != weeks[2]


def test_clear_sky_is_dark_at_night_and_below_capacity(traces: Traces) -> None:
    roofs, sky_kw = report_numbers.fitted_clear_sky(traces, SYDNEY)
    hour = traces.time.tz_convert("Etc/GMT-10").hour
    assert len(roofs) == 3 and sky_kw.shape == traces.pv_kw.shape
    assert sky_kw[:, (hour < 4) | (hour >= 20)].max() == 0
    assert 0.5 < sky_kw.max() <= 1.1 * 1.5


def test_week_figure_has_a_panel_a_season_with_load_and_pv(traces: Traces) -> None:
    figure = figures.figure_typical_weeks(traces, "h1")
    assert len(figure.axes) == 4
    for axes in figure.axes:
        labels = [line.get_label() for line in axes.lines]
        assert labels == ["load", "PV"]
        assert axes.get_ylim()[1] >= 4.0  # the peak of home h1 is not cut off
        assert max(axes.lines[0].get_ydata()) == pytest.approx(4.0)
    assert "Summer" in figure.axes[0].get_title(loc="left")
    assert "[kW]" in figure.axes[0].get_ylabel()


def test_duration_figure_has_a_line_a_home_and_falls_from_the_peak_to_the_base(traces: Traces) -> None:
    load, net = figures.figure_duration_curves(traces).axes
    assert load.get_yscale() == "log" and net.get_yscale() == "linear"
    curves = [line.get_ydata() for line in load.lines if len(line.get_ydata()) == 500]
    assert len(curves) == 4  # three homes and their median
    assert all((np.diff(curve) <= 1e-9).all() for curve in curves)
    assert (curves[-1][0], curves[-1][-1]) == pytest.approx((4.0, 0.5))


def test_profile_figure_has_weekdays_weekends_and_pv_in_each_season(traces: Traces) -> None:
    figure = figures.figure_daily_profiles(traces)
    assert len(figure.axes) == 12
    weekday, pv = figure.axes[0], figure.axes[8]
    median = {line.get_label(): line.get_ydata() for line in weekday.lines}["median"]
    assert median.argmax() == 36 and median.max() == pytest.approx(4.0)
    assert "kW per kWp" in pv.get_ylabel() and pv.get_ylim()[1] < 1.2
    assert figure.axes[0].get_ylim() == figure.axes[4].get_ylim()


def test_month_figure_has_two_bars_a_month_of_the_mean_home(traces: Traces) -> None:
    axes = figures.figure_monthly_energy(traces).axes[0]
    assert len(axes.patches) == 24
    _, load_kwh, _ = report_numbers.complete_months(traces)
    assert axes.patches[0].get_height() == pytest.approx(load_kwh[:, 0].mean())


def test_clear_sky_figure_has_three_days_a_histogram_and_the_year(traces: Traces) -> None:
    figure = figure_clear_sky(traces, SYDNEY)
    assert len(figure.axes) == 5
    titles = [axes.get_title() or axes.get_title(loc="left") for axes in figure.axes]
    assert [title.split(":")[0] for title in titles[:3]] == ["Clear", "Mixed", "Overcast"]
    clearness = [float(title.split()[-1]) for title in titles[:3]]
    assert clearness[0] > clearness[2]
    shares = sum(patch.get_height() for patch in figure.axes[3].patches)
    assert shares == pytest.approx(100)


def test_annual_figure_counts_every_home_once(traces: Traces) -> None:
    upper_left = figures.figure_annual(traces).axes[0]
    assert sum(bar.get_height() for bar in upper_left.containers[0]) == 3


def test_carpet_has_a_cell_a_day_and_slot_and_leaves_out_the_pv_of_a_home_without(traces: Traces) -> None:
    figure = figures.figure_carpet(traces, "h0")
    assert figure.axes[0].collections[0].get_array().shape == (48, 366)
    without = Traces(traces.load_kw, 0 * traces.pv_kw, traces.time, traces.homes)
    assert len(figures.figure_carpet(without, "h0").axes) == 2  # load and its colour bar


def test_drawing_leaves_the_settings_of_matplotlib_alone(traces: Traces) -> None:
    before = dict(mpl.rcParams)
    figures.figure_duration_curves(traces)
    assert dict(mpl.rcParams) == before


def test_page_stands_alone(page: str) -> None:
    assert "<script" not in page and "@import" not in page and "url(" not in page
    targets = re.findall(r'(?:src|href)\s*=\s*["\']?([^"\'\s>]+)', page)
    assert targets and all(target.startswith(("data:image/png;base64,", "#")) for target in targets)


def test_page_has_every_section_alt_texts_and_the_attribution(page: str) -> None:
    assert page.count("<section ") == 8 and page.count("<img ") == 10
    assert len(re.findall(r'<img alt="[^"]{20,}"', page)) == 10
    assert "Left out" not in page
    assert "Ausgrid, Solar Home Electricity Data (2010-2013)" in page
    assert "6,980" in page and "2,181" in page and "standard error" in page
    assert len(page) < 4e6


def test_page_escapes_what_it_is_given(page: str) -> None:
    assert "Three &amp; homes" in page and "PV &lt;b&gt;" in page and "PV <b>" not in page


def test_page_shows_the_bills_of_the_battery_study(page: str) -> None:
    assert "Battery study" in page and "420.50" in page


def test_battery_figure_has_a_bar_a_case_and_the_saving_against_the_first() -> None:
    study = pd.DataFrame({"yearly_bill": [1000.0, 250.0]}, index=["nothing", "PV"])
    axes = figures.figure_battery_study(study).axes[0]
    assert [patch.get_width() for patch in axes.patches] == [1000.0, 250.0]
    assert "75 % less" in axes.texts[1].get_text()


def test_summary_gives_the_mean_with_its_standard_error(traces: Traces) -> None:
    rows = {name: value for name, value, _ in summary_rows(traces)}
    kwh = traces.load_kw.sum(axis=1, dtype=float) * 0.5
    assert rows["Load, mean [kWh a year]"] == f"{kwh.mean():,.0f} ± {kwh.std(ddof=1) / np.sqrt(3):,.0f}"
    assert rows["Highest step of all homes together, per home [kW]"] == "4.00"


def test_part_of_a_year_leaves_out_the_year_and_gives_no_annual_number(tmp_path: Path) -> None:
    traces = make_traces(3, "2012-01-02", "2012-03-20")
    page = report(traces, tmp_path / "part.html").read_text(encoding="utf-8")
    assert page.count("this needs a year") == 2
    assert "kWh a day" in page and "[kWh a year]" not in page
    assert len(figures.figure_typical_weeks(traces, "h0").axes) == 2
    assert len(figures.figure_daily_profiles(traces).axes) == 6


def test_single_home_without_pv_and_with_gaps_is_reported(tmp_path: Path) -> None:
    one = make_traces(1, pv_kwp=0.0)
    load_kw, pv_kw = one.load_kw.copy(), one.pv_kw.copy()
    load_kw[:, 2000:4000] = pv_kw[:, 2000:4000] = np.nan
    gaps = Traces(load_kw, pv_kw, one.time, one.homes)
    page = report(gaps, tmp_path / "one.html").read_text(encoding="utf-8")
    assert "no home has PV" in page and "needs three homes" in page and "11.38 %" in page
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page)


def test_one_day_gets_a_page_and_less_is_refused(tmp_path: Path) -> None:
    day = make_traces(2, "2012-01-02", "2012-01-03")
    assert report(day, tmp_path / "day.html").read_text(encoding="utf-8").count("<img ") == 1
    with pytest.raises(ValueError, match="at least one"):
        report(day.between("2012-01-02 00:00", "2012-01-02 12:00"), tmp_path / "half.html")


def test_unknown_place_has_no_season_names_and_no_clear_sky(tmp_path: Path) -> None:
    traces = make_traces(1, "2012-01-02", "2012-02-06")
    there = Traces(traces.load_kw, traces.pv_kw, traces.time, traces.homes, "Europe/Oslo")
    page = report(there, tmp_path / "oslo.html").read_text(encoding="utf-8")
    assert "no location is known for Europe/Oslo" in page


def test_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    traces, out = make_traces(1, "2012-01-02", "2012-01-04"), tmp_path / "there.html"
    out.write_text("mine")
    with pytest.raises(ValueError, match=r"there.html exists; .*--force"):
        report(traces, out)
    with pytest.raises(ValueError, match="--force"):
        report_dir(tmp_path, out)
    assert out.read_text() == "mine"
    report(traces, out, force=True)
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(ValueError, match="is a folder"):
        report(traces, tmp_path, force=True)


def test_unusable_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    traces, out = make_traces(1, "2012-01-02", "2012-01-04"), tmp_path / "x.html"
    with pytest.raises(ValueError, match="needs yearly_bill"):
        report(traces, out, battery_study=pd.DataFrame({"bill": [1.0]}))
    with pytest.raises(ValueError, match="not a number"):
        report(traces, out, battery_study=pd.DataFrame({"yearly_bill": [1.0, np.nan]}))
    blank = Traces(np.nan * traces.load_kw, traces.pv_kw, traces.time, traces.homes)
    with pytest.raises(ValueError, match="no known load"):
        report(blank, out)
    assert not list(tmp_path.iterdir())


def test_folder_of_a_written_set_is_reported(tmp_path: Path) -> None:
    folder = make_traces(2, "2012-01-02", "2012-01-20").to_parquet(tmp_path / "set")
    page = report_dir(folder, tmp_path / "set.html", progress=False).read_text(encoding="utf-8")
    assert "Household load and PV: set" in page and "2 homes" in page


@pytest.mark.real
def test_real_homes_are_near_the_published_means(data_dir: Path) -> None:
    from hidiff.data.ausgrid import read_traces

    traces = read_traces(data_dir / "ausgrid").between("2011-07-01", "2012-07-01")
    load_kwh, pv_kwh = (
        report_numbers.annual_kwh(traces, values) for values in (traces.load_kw, traces.pv_kw)
    )
    # 184 of the 300 homes of the published means: within three standard errors.
    for energy, published in ((load_kwh, 6596), (pv_kwh, 2083)):
        error = energy.std(ddof=1) / np.sqrt(len(energy))
        assert abs(energy.mean() - published) < 3 * error
