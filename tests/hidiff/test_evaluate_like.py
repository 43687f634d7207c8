"""The table of identity: copies are perfect, strangers are at chance, each fault is seen by its row."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hidiff.baselines.bootstrap import DayBootstrap
from hidiff.data.traces import Traces
from hidiff.evaluate import whole_years
from hidiff.evaluate_like import evaluate_like, reidentification_curve
from hidiff.evaluate_report import write_report

ZONE = "Australia/Sydney"
HOMES = 6


def two_years() -> tuple[Traces, Traces]:
    """Known and next year of homes with habits of their own, spells of days, and PV on roofs of their own."""
    start = pd.Timestamp("2011-07-01").tz_localize(ZONE)
    time = pd.date_range(
        start.tz_convert("UTC"),
        (start + pd.DateOffset(years=2)).tz_convert("UTC"),
        freq="30min",
        inclusive="left",
    )
    clock = time.tz_convert(ZONE)
    rng = np.random.default_rng(0)
    hour = np.asarray(clock.hour + clock.minute / 60)
    day = np.arange(len(time)) // 48
    level = np.exp(np.linspace(-0.6, 0.6, HOMES))[:, None]
    evening = np.array([17, 18, 19, 20, 21, 18.5])[:, None]
    noise = rng.normal(size=(HOMES, day.max() + 5))
    spells = np.exp(0.5 * np.stack([np.convolve(row, np.ones(5) / 5**0.5, "valid") for row in noise]))
    shape = 0.3 + np.exp(-((hour - evening) ** 2) / 6)
    load_kw = level * spells[:, day] * shape * rng.gamma(4, 0.25, (HOMES, len(time)))
    solar_hour = np.asarray((time + pd.Timedelta(hours=10)).hour + time.minute / 60)
    noon = np.array([11, 11.5, 12, 12.5, 13, 13.5])[:, None]
    sun = np.clip(np.cos((solar_hour - noon) / 10 * np.pi), 0, None) * (np.abs(solar_hour - noon) < 5)
    capacity = np.array([1.0, 3.0, 1.5, 2.5, 2.0, 4.0])
    pv_kw = capacity[:, None] * sun * rng.uniform(0.3, 1, day.max() + 1)[day]
    names = pd.Index([f"home-{number}" for number in range(HOMES)], name="home")
    table = pd.DataFrame({"pv_capacity_kwp": capacity}, index=names)
    known, after = whole_years(Traces(load_kw, pv_kw, time, table, ZONE))
    return known, after


KNOWN, NEXT = two_years()


def like(traces: Traces, sources: list[str] | None = None, load_kw: np.ndarray | None = None) -> Traces:
    """Generated homes: those of ``traces``, said to be like ``sources``."""
    names = traces.names if sources is None else sources
    table = traces.homes.assign(source_home=names, mode="like")
    table.index = pd.Index([f"like-{number}" for number in range(len(table))], name="home")
    load = traces.load_kw if load_kw is None else load_kw
    return Traces(load, traces.pv_kw, traces.time, table, traces.time_zone)


def indexed(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index(["metric", "channel"])


@pytest.fixture(scope="module")
def perfect() -> pd.DataFrame:
    return evaluate_like(like(NEXT), NEXT, KNOWN)


def test_copies_of_the_next_year_have_no_error_and_are_recognised_as_it_is(perfect: pd.DataFrame) -> None:
    is_share = perfect["metric"].str.startswith("weeks recognised")
    assert perfect.loc[~is_share, "generated"].max() < 1e-9
    assert perfect.loc[is_share, "ratio"].to_numpy() == pytest.approx(1)
    assert perfect.loc[is_share, "chance"].to_numpy() == pytest.approx(1 / HOMES)
    assert perfect.loc[is_share, "generated"].min() > 0.9
    assert perfect["is_met"].dropna().all()
    assert (perfect["bar"] != "").sum() == perfect["is_met"].notna().sum() == 27


def test_another_real_year_scores_zero_and_has_the_ratio_one() -> None:
    table = evaluate_like(like(KNOWN), NEXT, KNOWN)
    distances = table[~table["metric"].str.startswith("weeks") & (table["ceiling_other_year"] > 0)]
    assert distances["ratio"].to_numpy() == pytest.approx(1)
    assert distances[["ratio_low_95", "ratio_high_95"]].to_numpy() == pytest.approx(1)
    scaled = distances[distances["score_kind"] == "scaled"]
    assert len(scaled) > 10
    assert scaled["score"].to_numpy() == pytest.approx(0)


def test_homes_taken_for_one_another_are_recognised_no_more_and_lie_far_apart() -> None:
    strangers = like(NEXT, NEXT.names[1:] + NEXT.names[:1])
    table = indexed(evaluate_like(strangers, NEXT, KNOWN))
    assert table.loc[("weeks recognised, 1 pooled", "all"), "generated"] < 1 / HOMES
    assert not table.loc[("weeks recognised, 1 pooled", "all"), "is_met"]
    row = table.loc[("W1 by month and hour, home by home", "load")]
    assert row["ratio"] > 2
    assert not row["is_met"]
    assert row["chance"] > 2 * row["ceiling_other_year"]


def test_a_scaled_home_is_off_by_its_scale() -> None:
    table = indexed(evaluate_like(like(NEXT, load_kw=1.3 * NEXT.load_kw), NEXT, KNOWN))
    assert table.loc[("annual energy, relative error", "load"), "generated"] == pytest.approx(0.3)
    clock = NEXT.time.tz_convert(ZONE)
    cells = pd.DataFrame(NEXT.load_kw.T).groupby([clock.month, clock.hour]).mean()
    distance = table.loc[("W1 by month and hour, home by home", "load"), "generated"]
    assert distance == pytest.approx(0.3 * cells.to_numpy().mean())
    assert table.loc[("weekend over working days, error", "load"), "generated"] == pytest.approx(0, abs=1e-9)
    assert table.loc[("annual energy, relative error", "pv"), "generated"] == pytest.approx(0)


def test_a_bootstrap_of_days_keeps_the_distributions_and_loses_the_memory(perfect: pd.DataFrame) -> None:
    made = DayBootstrap().fit(KNOWN).sample(KNOWN.names, start="2012-07-01", seed=5)
    table = indexed(evaluate_like(like(made), NEXT, KNOWN))
    memory = table.loc[("daily-energy ACF at 1 d, error", "load")]
    assert memory["generated"] > 3 * memory["ceiling_other_year"]
    assert memory["generated"] == pytest.approx(memory["floor_bootstrap"], rel=0.2)
    assert table.loc[("ramps, W1, home by home", "load"), "ratio"] < 1.5
    assert indexed(perfect).loc[("daily-energy ACF at 1 d, error", "load"), "is_met"]


def test_homes_are_matched_by_source_and_not_by_position(perfect: pd.DataFrame) -> None:
    turned = NEXT.select(NEXT.names[::-1])
    table = evaluate_like(like(turned, turned.names), NEXT, KNOWN)
    columns = ["generated", "ceiling_other_year", "ratio"]
    pd.testing.assert_frame_equal(table[columns], perfect[columns])


def test_several_homes_like_one_count_as_one() -> None:
    names = ["home-0", "home-1"]
    pair = like(NEXT.select(names), names, load_kw=NEXT.select(names).load_kw * [[1.2], [1.4]])
    thrice_load = NEXT.load_kw[[0, 1, 1]] * [[1.2], [1.3], [1.5]]
    thrice = Traces(
        thrice_load,
        NEXT.pv_kw[[0, 1, 1]],
        NEXT.time,
        pd.DataFrame(
            {"pv_capacity_kwp": 1.0, "source_home": ["home-0", "home-1", "home-1"]},
            index=pd.Index(["a", "b", "c"], name="home"),
        ),
        ZONE,
    )
    for generated in (pair, thrice):
        row = indexed(evaluate_like(generated, NEXT, KNOWN)).loc[("annual energy, relative error", "load")]
        assert row["generated"] == pytest.approx(0.3)  # the median of 0.2 and 0.4
        assert row["note"] == "median of 2 homes"


def test_the_curve_holds_the_rows_of_its_channel(perfect: pd.DataFrame) -> None:
    curve = reidentification_curve(perfect, "pv")
    assert curve.index.tolist() == [1, 2, 4, 8]
    row = indexed(perfect).loc[("weeks recognised, 4 pooled", "pv")]
    assert curve.loc[4, "naive"] == row["naive"]
    assert curve.loc[4, "low_95"] <= curve.loc[4, "generated"] <= curve.loc[4, "high_95"]


def test_the_table_can_be_written_as_a_report(perfect: pd.DataFrame, tmp_path: Path) -> None:
    text = write_report(perfect, tmp_path / "identity").read_text(encoding="utf-8")
    assert "## Identity" in text
    assert text.count("home by home") == 9


def test_homes_like_nobody_gaps_and_leaks_are_refused() -> None:
    nameless = Traces(NEXT.load_kw, NEXT.pv_kw, NEXT.time, NEXT.homes, ZONE)
    with pytest.raises(ValueError, match="no column source_home"):
        evaluate_like(nameless, NEXT, KNOWN)
    new = like(NEXT)
    new.homes.loc["like-2", "mode"] = "new"
    with pytest.raises(ValueError, match="'like-2' is of mode new"):
        evaluate_like(new, NEXT, KNOWN)
    with pytest.raises(ValueError, match="unknown household"):
        evaluate_like(like(NEXT, ["elsewhere", *NEXT.names[1:]]), NEXT, KNOWN)
    with pytest.raises(ValueError, match="at least 2"):
        evaluate_like(like(NEXT, ["home-0"] * HOMES), NEXT, KNOWN)
    with pytest.raises(ValueError, match="leak"):
        evaluate_like(like(NEXT), NEXT, NEXT)
    with pytest.raises(ValueError, match="give one whole year"):
        evaluate_like(like(NEXT).between("2012-07-01", "2013-03-01"), NEXT, KNOWN)
    load_kw = NEXT.load_kw.copy()
    load_kw[0, 7] = np.nan
    with pytest.raises(ValueError, match="generated has 1 values missing"):
        evaluate_like(like(NEXT, load_kw=load_kw), NEXT, KNOWN)


@pytest.mark.real
def test_real_homes_are_recognised_a_year_later_far_above_chance(data_dir: Path) -> None:
    from hidiff.data.ausgrid import read_traces

    homes = read_traces(data_dir / "ausgrid")
    clean = [name for name, is_clean in zip(homes.names, homes.homes["is_clean"], strict=True) if is_clean]
    first, known, _ = whole_years(homes.select(clean[:20]))
    table = indexed(evaluate_like(like(known.select(clean[:6])), known, first))
    row = table.loc[("weeks recognised, 1 pooled", "all")]
    assert row["chance"] == pytest.approx(1 / 20)
    assert row["ceiling_other_year"] > 0.7
    assert row["naive"] < row["ceiling_other_year"] < row["floor_bootstrap"] + 0.05
