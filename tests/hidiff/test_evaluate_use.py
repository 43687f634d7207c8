"""The table of usefulness: copies are as good as real, broken homes cost more, nobody pays in a year they knew."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hidiff import evaluate_use as module
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.evaluate_use import evaluate_use

MAE = ("day-ahead forecast, MAE", "load")
BATTERY = ("battery: yearly cost of the chosen size", "net")
SIZE = ("battery: size chosen", "net")
ONE = ("day-ahead purchase of a home: imbalance cost", "net")
ALL = ("day-ahead purchase of all homes: imbalance cost", "net")


def by_the_hour(traces: Traces) -> Traces:
    """Hourly means, which halve the time of a test."""
    load_kw, pv_kw = (x.reshape(len(traces), -1, 2).mean(axis=2) for x in (traces.load_kw, 3 * traces.pv_kw))
    return Traces(load_kw, pv_kw, traces.time[::2], traces.homes, traces.time_zone)


@pytest.fixture(scope="module")
def years() -> list[Traces]:
    """Two years of the same three homes."""
    two = by_the_hour(synthetic_homes(3, 730, start="2010-07-01"))
    return [two.between("2010-07-01", "2011-07-01"), two.between("2011-07-01", "2012-07-01")]


def decide(generated: Traces, before: Traces, after: Traces, seed: int = 0) -> pd.DataFrame:
    """The rows of decisions alone, which need no forecaster."""
    sides = module._sides(generated, before, after, seed)
    return pd.DataFrame([*module._batteries(sides), *module._purchases(sides)]).set_index(
        ["metric", "channel"]
    )


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORECAST_HOME_DAYS", 300)


def changed(traces: Traces, load_kw: np.ndarray, pv_kw: np.ndarray | None = None, **homes: object) -> Traces:
    pv = traces.pv_kw if pv_kw is None else pv_kw
    return Traces(load_kw, pv, traces.time, traces.homes.assign(**homes), traces.time_zone)


def test_copies_of_the_real_earlier_year_are_exactly_as_good(years: list[Traces]) -> None:
    before, after = years
    table = evaluate_use(before, before, after)
    assert list(table.columns[:4]) == ["group", "metric", "channel", "unit"]
    assert set(table["group"]) == {"usefulness", "decisions"}
    ratio = table["ratio"].dropna()
    assert len(ratio) == 7
    assert ratio.to_numpy() == pytest.approx(1, abs=1e-12)
    rows = table.set_index(["metric", "channel"])
    intervals = rows.loc[rows["ratio"].notna(), ["ratio_low_95", "ratio_high_95"]]
    assert intervals.drop(ALL).to_numpy() == pytest.approx(1, abs=1e-12)
    assert intervals.loc[ALL].isna().all()
    assert rows.loc[MAE, "floor_shuffled"] > 1.02 * rows.loc[MAE, "ceiling"]
    assert rows.loc[ONE, "ceiling"] > 0


def test_each_home_decides_on_its_own_year_whatever_the_order(years: list[Traces]) -> None:
    before, after = years
    names = before.names
    own = changed(before, before.load_kw, mode="like", source_home=names)
    rows = decide(own.select(names[::-1]), before, after.select([names[1], names[0], names[2]]))
    for name in (BATTERY, ONE, ALL):
        assert rows.loc[name, "ratio"] == pytest.approx(1, abs=1e-12)
    assert "own quantiles" in rows.loc[ONE, "note"]
    swapped = changed(before, before.load_kw, mode="like", source_home=[*names[1:], names[0]])
    wrong = decide(swapped, before, after)
    assert wrong.loc[ONE, "ratio"] > 1.05
    assert wrong.loc[ONE, "ceiling"] == pytest.approx(rows.loc[ONE, "ceiling"])


def test_scaled_homes_are_worse_to_decide_on(years: list[Traces]) -> None:
    before, after = years
    rows = decide(changed(before, 2 * before.load_kw, mode="like", source_home=before.names), before, after)
    assert rows.loc[ONE, "ratio"] > 1.2
    assert rows.loc[ALL, "ratio"] > 1.2


def test_homes_with_a_shifted_clock_and_no_sun_are_worse_in_every_score(years: list[Traces]) -> None:
    before, after = years
    load_kw, pv_kw = np.roll(before.load_kw, 12, axis=1), np.zeros_like(before.pv_kw)
    made = changed(before, load_kw, pv_kw, mode="like", source_home=before.names)
    rows = evaluate_use(made, before, after).set_index(["metric", "channel"])
    assert rows.loc[SIZE, "generated"] == 0
    assert rows.loc[SIZE, "ceiling"] > 0
    assert rows["ratio"].dropna().min() > 1.001
    assert rows.loc[MAE, "ratio"] > 1.01


def test_a_population_decides_free_of_scale_and_sees_the_spread_of_a_portfolio(years: list[Traces]) -> None:
    before, after = years
    new = {"mode": "new", "source_home": ["new-0", "new-1", "new-2"]}
    larger = decide(changed(before, 2 * before.load_kw, 2 * before.pv_kw, **new), before, after)
    assert larger.loc[[ONE, ALL], "ratio"].to_numpy() == pytest.approx(1, abs=1e-9)
    assert "one set of quantiles for all" in larger.loc[ONE, "note"]
    same_load = np.repeat(before.load_kw[:1], 3, axis=0)
    same = decide(changed(before, same_load, np.repeat(before.pv_kw[:1], 3, axis=0), **new), before, after)
    assert same.loc[ALL, "ratio"] > 1.01


def test_a_side_with_more_homes_is_drawn_from_and_seeds_repeat(years: list[Traces]) -> None:
    before, after = years
    few = changed(before, before.load_kw, mode="new").select(before.names[:2])
    drawn = [module._sides(few, before, after, seed).learnt["ceiling"].names for seed in (0, 0, *range(6))]
    assert drawn[0] == drawn[1]
    assert {len(names) for names in drawn} == {2}
    assert len(set(map(tuple, drawn))) > 1
    pd.testing.assert_frame_equal(decide(few, before, after, 1), decide(few, before, after, 1))
    assert module._drawn_portfolios(3, 3, np.random.default_rng(0)).tolist() == [[0, 1, 2]]
    portfolios = module._drawn_portfolios(9, 5, np.random.default_rng(0))
    assert portfolios.shape == (module.PORTFOLIO_DRAWS, 5)
    assert all(len(set(row)) == 5 for row in portfolios.tolist())


def test_leaks_gaps_and_unknown_homes_are_refused(years: list[Traces]) -> None:
    before, after = years
    with pytest.raises(ValueError, match="leak: 3 homes"):
        evaluate_use(before, after, after)
    with pytest.raises(ValueError, match=r"generated has 183\.96 days; give one whole year"):
        evaluate_use(before.between("2010-07-01", "2011-01-01"), before, after)
    gap = after.load_kw.copy()
    gap[0, 0] = np.nan
    with pytest.raises(ValueError, match="real_test has 1 values missing"):
        evaluate_use(before, before, changed(after, gap))
    with pytest.raises(ValueError, match="generated has a home without any load"):
        evaluate_use(changed(before, 0 * before.load_kw), before, after)
    stranger = changed(before, before.load_kw, mode="like", source_home="somebody")
    with pytest.raises(ValueError, match="unknown household 'somebody'"):
        evaluate_use(stranger, before, after)


@pytest.mark.real
def test_real_homes_learn_from_their_own_earlier_year_and_not_from_each_others(data_dir: Path) -> None:
    from hidiff.data.ausgrid import read_traces

    clean = read_traces(data_dir / "ausgrid")
    clean = clean.select(
        clean.homes.index[clean.homes["is_clean"] & clean.homes["has_third_year"]][:3].tolist()
    )
    before, after = clean.between("2011-07-01", "2012-07-01"), clean.between("2012-07-01", "2013-07-01")
    swapped = changed(before, before.load_kw, mode="like", source_home=[*clean.names[1:], clean.names[0]])
    rows = evaluate_use(swapped, before, after).set_index(["metric", "channel"])
    assert rows.loc[ONE, "ratio"] > 1.1
    assert rows.loc[ONE, "ceiling"] < rows.loc[ONE, "floor_shuffled"]
    assert 0.99 < rows.loc[BATTERY, "ratio"] < 1.05
    last_week_kw = float(rows.loc[MAE, "note"].split()[-1])
    assert rows.loc[MAE, "ceiling"] < 0.95 * last_week_kw
