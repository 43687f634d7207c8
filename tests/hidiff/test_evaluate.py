"""The table of fidelity: perfect traces reach zero, broken ones are caught by the row made for them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hidiff.data.traces import Traces
from hidiff.evaluate import EvaluateConfig, evaluate, score, whole_years
from hidiff.evaluate_folders import evaluate_dirs, real_years
from hidiff.evaluate_report import to_markdown, write_report

QUICK = EvaluateConfig(classifier=False, resamples=0, other_draws=1, figures=False)


def homes(seed: int, *, first: str = "2012-07-01", count: int = 4, years: int = 1) -> Traces:
    """Homes with evening peaks, absences of days, and PV under shared clouds."""
    zone = "Australia/Sydney"
    start = pd.Timestamp(first).tz_localize(zone)
    end = start + pd.DateOffset(years=years)
    time = pd.date_range(start.tz_convert("UTC"), end.tz_convert("UTC"), freq="30min", inclusive="left")
    clock = time.tz_convert(zone)
    rng = np.random.default_rng(seed)
    hour = np.asarray(clock.hour + clock.minute / 60)
    day = np.arange(len(time)) // 48
    level = rng.lognormal(0, 0.3, (count, 1))
    slow = np.exp(
        0.4 * np.stack([np.convolve(rng.normal(size=day.max() + 9), np.ones(9) / 3, "valid") for _ in level])
    )
    shape = 0.3 + np.exp(-((hour - 19) ** 2) / 6) * (
        1 + 0.3 * np.cos(2 * np.pi * (np.asarray(clock.month) - 7) / 12)
    )
    load_kw = level * slow[:, day] * shape * rng.gamma(4, 0.25, (count, len(time)))
    solar_hour = np.asarray((time + pd.Timedelta(hours=10)).hour + time.minute / 60)
    sun = np.clip(np.sin((solar_hour - 7.5) / 9 * np.pi), 0, None) * (np.abs(solar_hour - 12) < 4.4)
    clouds = np.repeat(rng.uniform(0.2, 1, day.max() + 1), 48)[: len(time)] * rng.uniform(0.6, 1, len(time))
    capacity = rng.uniform(1, 3, count)
    pv_kw = capacity[:, None] * sun * clouds
    names = pd.Index([f"s{seed}-{number}" for number in range(count)], name="home")
    return Traces(load_kw, pv_kw, time, pd.DataFrame({"pv_capacity_kwp": capacity}, index=names), zone)


def changed(traces: Traces, load_kw: np.ndarray | None = None, pv_kw: np.ndarray | None = None) -> Traces:
    load = traces.load_kw if load_kw is None else load_kw
    pv = traces.pv_kw if pv_kw is None else pv_kw
    return Traces(load, pv, traces.time, traces.homes, traces.time_zone)


@pytest.fixture(scope="module")
def real() -> Traces:
    return homes(0)


@pytest.fixture(scope="module")
def perfect(real: Traces) -> pd.DataFrame:
    return indexed(evaluate(real, real, None, QUICK))


def indexed(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index(["metric", "channel"])


def test_equal_sides_have_no_distance_in_any_row(perfect: pd.DataFrame) -> None:
    distances = perfect[perfect["kind"] == "distance"]
    assert len(distances) > 50
    assert distances["generated"].max() < 1e-9
    assert set(perfect["group"]) == {
        "marginals",
        "time",
        "peaks",
        "physics",
        "population",
        "joint",
        "diversity",
    }


def test_possible_traces_keep_every_limit(perfect: pd.DataFrame) -> None:
    assert perfect.loc[("night energy, a home-year (limit 0)", "pv"), "generated"] == 0
    assert perfect.loc[("maximum / capacity, worst home (limit 1)", "pv"), "generated"] <= 1
    assert perfect.loc[("seam test: p-value", "load"), "generated"] > 0.001


def test_each_fault_is_caught_by_its_row(real: Traces) -> None:
    rng = np.random.default_rng(0)
    load_kw = 1.2 * np.roll(real.load_kw, 4, axis=1)
    pv_kw = np.stack([row.reshape(365, 48)[rng.permutation(365)].ravel() for row in real.pv_kw])
    pv_kw[:, 0] = 0.1
    config = EvaluateConfig(classifier=False, resamples=20, other_draws=1)
    table = indexed(evaluate(changed(real, load_kw, pv_kw), real, None, config))
    energy = table.loc[("annual energy, W1 between homes", "load")]
    assert energy["generated"] == pytest.approx(0.2 * energy["real_level"], rel=1e-6)
    assert energy["low_95"] < energy["high_95"]
    assert table.loc[("W1 by month and hour", "load"), "generated"] > 0.2 * real.load_kw.mean() + 0.05
    assert table.loc[("night energy, a home-year (limit 0)", "pv"), "generated"] == pytest.approx(0.05)
    correlation = table.loc[("pairwise correlation", "pv")]
    assert correlation["generated_level"] < correlation["real_level"] - 0.05
    peak_hour = table.loc[("hour of the daily peak, total variation", "load")]
    assert peak_hour["generated"] > 0.3


def test_another_year_of_the_same_homes_is_the_ceiling_and_scores_zero() -> None:
    two_years = homes(1, first="2011-07-01", years=2)
    before, after = whole_years(two_years)
    table = indexed(evaluate(two_years, after, before, QUICK))
    # the generated year with the dates of the real one is taken, so it is the real one
    assert table.loc[("W1 by month and hour", "load"), "generated"] == pytest.approx(0, abs=1e-9)
    row = indexed(evaluate(before, after, before, QUICK)).loc[("ramps, W1", "load")]
    assert row["generated"] == pytest.approx(row["ceiling_other_year"])
    assert row["score"] == pytest.approx(0)
    assert row["score_kind"] == "scaled"


def test_new_homes_are_held_against_other_real_homes() -> None:
    real, others, new = homes(1), homes(2, first="2011-07-01"), homes(3)
    config = EvaluateConfig(classifier=False, resamples=0, other_draws=1, ceiling="other-homes")
    table = indexed(evaluate(new, real, None, config, others))
    known = indexed(evaluate(real, real, None, config, others))
    row = table.loc[("annual energy, W1 between homes", "load")]
    same = known.loc[("annual energy, W1 between homes", "load")]
    assert row["ceiling_other_homes"] == pytest.approx(same["ceiling_other_homes"])
    assert row["ceiling_other_homes"] > 0 and same["generated"] == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="others has 3 homes"):
        evaluate(new, real, None, config, others.select(others.names[:3]))


def test_homes_are_matched_by_name_not_by_position() -> None:
    before, after = whole_years(homes(1, first="2011-07-01", years=2))
    straight = indexed(evaluate(after, after, before, QUICK))
    turned = indexed(evaluate(after, after, before.select(before.names[::-1]), QUICK))
    columns = ["ceiling_other_year", "floor_bootstrap", "floor_shuffled", "naive"]
    pd.testing.assert_frame_equal(straight[columns], turned[columns])
    with pytest.raises(ValueError, match="unknown household"):
        evaluate(after, after, homes(2, first="2011-07-01"), QUICK)


def test_a_start_in_january_gives_the_first_twelve_months(real: Traces) -> None:
    table = indexed(evaluate(homes(3, first="2030-01-01"), real, None, QUICK))
    assert np.isfinite(table.loc[("W1 by month and hour", "net"), "generated"])


def test_gaps_short_series_and_few_homes_are_refused(real: Traces) -> None:
    load_kw = real.load_kw.copy()
    load_kw[0, 7] = np.nan
    with pytest.raises(ValueError, match="generated load_kw has 1 steps without a value"):
        evaluate(changed(real, load_kw), real, None, QUICK)
    with pytest.raises(ValueError, match="make a whole year"):
        evaluate(real.between("2012-07-01", "2013-03-01"), real, None, QUICK)
    with pytest.raises(ValueError, match="real has 3 homes"):
        evaluate(real, real.select(real.names[:3]), None, QUICK)
    with pytest.raises(ValueError, match="whole year"):
        evaluate(real, homes(4, years=2), None, QUICK)


def test_score_is_scaled_where_naive_is_apart_and_a_ratio_where_it_is_not() -> None:
    assert score(2.0, 1.0, 3.0) == (0.5, "scaled")
    assert score(2.0, 1.0, 1.2) == (2.0, "ratio")
    assert score(2.0, 1.0, 0.1) == (2.0, "ratio")
    value, kind = score(2.0, 0.0, 0.0)
    assert np.isnan(value)
    assert kind == ""


def test_config_refuses_nonsense_and_nan() -> None:
    with pytest.raises(ValueError, match="max_homes=3"):
        EvaluateConfig(max_homes=3)
    with pytest.raises(ValueError, match="no place"):
        EvaluateConfig(latitude_deg=float("nan"))
    with pytest.raises(ValueError, match="seam_days"):
        EvaluateConfig(seam_days=(24,))


def test_report_is_markdown_and_csv_and_is_not_overwritten(perfect: pd.DataFrame, tmp_path: Path) -> None:
    table = perfect.reset_index()
    path = write_report(table, tmp_path / "new" / "fidelity")
    assert path == tmp_path / "new" / "fidelity.md"
    assert path.read_text(encoding="utf-8").count("\n| ") > len(table)
    assert len(pd.read_csv(path.with_suffix(".csv"))) == len(table)
    assert sorted(p.name for p in path.parent.iterdir()) == ["fidelity.csv", "fidelity.md"]
    with pytest.raises(ValueError, match="exists"):
        write_report(table, path)
    write_report(table, path, force=True)
    with pytest.raises(ValueError, match=r"does not end in \.md"):
        write_report(table, tmp_path / "x.html")
    assert "## Marginals" in to_markdown(table)


def test_folders_are_read_compared_and_reported(tmp_path: Path) -> None:
    two_years = homes(5, first="2011-07-01", years=2, count=5)
    clean = two_years.homes.assign(is_clean=[True, True, False, True, True])
    Traces(two_years.load_kw, two_years.pv_kw, two_years.time, clean).to_parquet(tmp_path / "real")
    homes(6).to_parquet(tmp_path / "made")
    report = evaluate_dirs(tmp_path / "made", tmp_path / "real", tmp_path / "fidelity.md", QUICK)
    table = pd.read_csv(report.with_suffix(".csv"))
    assert table.loc[table["kind"] == "distance", "ceiling_other_year"].notna().mean() > 0.9
    with pytest.raises(ValueError, match="exists"):
        evaluate_dirs(tmp_path / "nothing", tmp_path / "real", report, QUICK)
    missing = EvaluateConfig(real_year="2020-07-01")
    with pytest.raises(ValueError, match="2011-07-01, 2012-07-01"):
        evaluate_dirs(tmp_path / "made", tmp_path / "real", tmp_path / "other", missing)


@pytest.mark.real
def testreal_years_are_of_clean_homes_complete_in_both(data_dir: Path) -> None:
    from hidiff.data.ausgrid import read_traces

    real, other = real_years(read_traces(data_dir / "ausgrid"), EvaluateConfig())
    assert other is not None
    assert len(real) == len(other) == 102
    assert real.names == other.names
    assert np.isfinite(real.load_kw).all()
    assert np.isfinite(other.pv_kw).all()
    assert str(real.time[0]) == "2012-06-30 14:00:00+00:00"
