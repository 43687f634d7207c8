"""The classifier test: blind to equal sides and to homes, sharp on what is different."""

import sys

import numpy as np
import pandas as pd
import pytest

from hidiff.errors import DependencyMissing
from hidiff.metrics import joint

CLOCK = pd.date_range("2012-09-20", periods=48 * 40, freq="30min", tz="Australia/Sydney")


def homes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Load of homes with levels of their own, and PV, (home, step) [kW]."""
    rng = np.random.default_rng(seed)
    hour = np.asarray(CLOCK.hour)
    load_kw = rng.uniform(0.3, 2, (count, 1)) * rng.gamma(3, 0.3, (count, len(CLOCK)))
    pv_kw = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * rng.uniform(0.2, 1, (count, len(CLOCK)))
    return load_kw, pv_kw


def features(load_kw: np.ndarray, pv_kw: np.ndarray) -> np.ndarray:
    return joint.day_features(load_kw, pv_kw, CLOCK, 0.5)


def test_day_features_leave_out_the_clock_change_and_hold_hours_and_extremes() -> None:
    load_kw = np.where(np.asarray(CLOCK.hour) == 18, 2.01, 0.52)[None, :]
    days = features(load_kw, np.zeros_like(load_kw))
    assert days.shape == (1, 39, 54)  # 40 x 24 h from midnight end at 01:00 of a 41st date; one date has 23 h
    assert days[0, 0, 18] == pytest.approx(2.0)
    assert days[0, 0, 48:51] == pytest.approx([2.0, 0.5, 1.5])


def test_windows_are_whole_days_or_weeks_from_monday_without_a_clock_change() -> None:
    step = np.arange(len(CLOCK), dtype=float)[None, :]
    days = joint.windows(step, CLOCK, 0.5)
    weeks = joint.windows(step, CLOCK, 0.5, days=7)
    assert days.shape == (1, 39, 48)
    assert weeks.shape == (1, 4, 336)  # of the five from Monday 24 September, one has the spring change
    starts = CLOCK[weeks[0, :, 0].astype(int)]
    assert [str(start.date()) for start in starts] == ["2012-09-24", "2012-10-08", "2012-10-15", "2012-10-22"]
    assert set(starts.hour) == {0}
    with pytest.raises(ValueError, match="168 hours"):
        joint.windows(step[:, : 48 * 6], CLOCK[: 48 * 6], 0.5, days=7)
    with pytest.raises(ValueError, match="days=3"):
        joint.windows(step, CLOCK, 0.5, days=3)
    with pytest.raises(ValueError, match="divide an hour"):
        joint.windows(step, CLOCK, 0.4)


def test_profiles_keep_the_energy_of_load_and_then_of_pv() -> None:
    load_kw, pv_kw = homes(3, 0)
    for days, mean_h in ((1, 1), (7, 2)):
        found = joint.profiles(load_kw, pv_kw, CLOCK, 0.5, days=days, mean_h=mean_h)
        half = days * 24 // mean_h
        assert found.shape[2] == 2 * half
        cut = joint.windows(load_kw, CLOCK, 0.5, days)
        assert found[:, :, :half].sum(axis=2) * mean_h == pytest.approx(cut.sum(axis=2) * 0.5)
        assert (found[:, :, half] == 0).all()  # no PV after midnight


def test_power_over_the_own_mean_has_a_mean_of_one_and_no_power_stays_none() -> None:
    relative = joint.over_own_mean(np.array([[1.0, 3.0], [0.0, 0.0]]))
    assert relative.tolist() == [[0.5, 1.5], [0.0, 0.0]]


def test_week_features_hold_the_days_and_the_memory_across_midnight() -> None:
    rng = np.random.default_rng(0)
    level = rng.uniform(0.5, 2, (4, len(CLOCK) // 48 + 1))
    # the level of a night goes on after midnight, or each date has a level of its own
    evening = np.repeat(level, 48, axis=1)[:, 24 : 24 + len(CLOCK)]
    pv_kw = np.zeros_like(evening)
    weeks = joint.week_features(evening, pv_kw, CLOCK, 0.5)
    own = joint.week_features(np.repeat(level, 48, axis=1)[:, : len(CLOCK)], pv_kw, CLOCK, 0.5)
    assert weeks.shape == (4, 4, 497)
    cut = joint.windows(evening, CLOCK, 0.5, 7)
    energy_kwh = cut.reshape(4, 4, 7, 48).sum(axis=3) * 0.5
    assert weeks[:, :, :7] == pytest.approx(energy_kwh, abs=24 * joint.ROUNDING_KW)
    midnight = 497 - 9 + 2  # of the load, after the two autocorrelations
    assert weeks[:, :, midnight].mean() > own[:, :, midnight].mean() + 0.3
    assert (weeks[:, :, -6:-3] == 0).all()  # PV is never there


def test_equal_populations_cannot_be_told_apart() -> None:
    pytest.importorskip("sklearn")
    a, b = features(*homes(10, 0)), features(*homes(10, 1))
    names_a, names_b = [f"a{i}" for i in range(10)], [f"b{i}" for i in range(10)]
    area = joint.classifier_auroc(a, b, names_a, names_b, np.random.default_rng(0))
    assert area < 0.6  # few homes make it fall below a half, see the docstring


def test_the_meters_step_is_no_difference_but_the_scale_is() -> None:
    pytest.importorskip("sklearn")
    load_kw, pv_kw = homes(10, 0)
    real = features(load_kw, pv_kw)
    names = [f"home{i}" for i in range(10)]
    quantised = features(np.round(load_kw, 2), np.round(pv_kw, 2))
    area = joint.classifier_auroc(quantised, real, names, names, np.random.default_rng(0))
    assert area == pytest.approx(0.5, abs=0.1)
    swapped = features(load_kw, np.roll(pv_kw, 6, axis=1))
    assert joint.classifier_auroc(swapped, real, names, names, np.random.default_rng(0)) > 0.95


def test_one_home_is_too_few_and_missing_scikit_learn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    one = features(*homes(1, 0))
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(DependencyMissing, match="scikit-learn"):
        joint.classifier_auroc(one, one, ["a"], ["b"], np.random.default_rng(0))
    monkeypatch.undo()
    pytest.importorskip("sklearn")
    with pytest.raises(ValueError, match="at least 2 homes"):
        joint.classifier_auroc(one, one, ["a"], ["b"], np.random.default_rng(0))


def test_weather_that_all_homes_share_tells_years_apart_only_where_dates_are_learned_from() -> None:
    pytest.importorskip("sklearn")
    sides = []
    for year in (0, 1):
        rng = np.random.default_rng(year)
        weather = rng.normal(size=(1, 40, 3))  # the same for all homes of a year
        sides.append(weather + 0.3 * rng.normal(size=(12, 40, 3)))
    a, b = [f"a{i}" for i in range(12)], [f"b{i}" for i in range(12)]
    seen, unseen = (
        joint.classifier_auroc(*sides, a, b, np.random.default_rng(0), has_other_windows=others)
        for others in (False, True)
    )
    assert seen > 0.75
    assert unseen < 0.6
    # what differs on every date is still seen
    moved = joint.classifier_auroc(
        sides[0] + 3, sides[1], a, b, np.random.default_rng(0), has_other_windows=True
    )
    assert moved > 0.95
