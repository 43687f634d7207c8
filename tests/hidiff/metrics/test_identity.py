"""Identity of homes: known answers on hand-made homes."""

import numpy as np
import pandas as pd
import pytest

from hidiff.metrics import identity, marginals

CLOCK = pd.date_range("2012-07-01", "2013-07-01", freq="30min", inclusive="left", tz="Australia/Sydney")
HOUR = np.asarray(CLOCK.hour)
IS_WEEKEND = np.asarray(CLOCK.day_of_week) >= 5


def blobs(homes: int, weeks: int, apart: float, seed: int = 0) -> np.ndarray:
    """Features of weeks around a centre for each home, ``(home, week, 5)``."""
    centres = np.random.default_rng(99).normal(0, apart, (homes, 1, 5))
    return centres + np.random.default_rng(seed).normal(size=(homes, weeks, 5))


def test_weeks_of_homes_far_apart_are_all_recognised_and_of_equal_homes_at_chance() -> None:
    truth = np.arange(8)
    far = identity.fit_recogniser(blobs(8, 50, 30.0)).scores(blobs(8, 40, 30.0, seed=1))
    assert identity.recognised_share(far, truth) == pytest.approx(1)
    equal = identity.fit_recogniser(blobs(8, 200, 0.0)).scores(blobs(8, 200, 0.0, seed=1))
    assert identity.recognised_share(equal, truth).mean() == pytest.approx(1 / 8, abs=0.03)
    assert identity.recognised_share(far, np.roll(truth, 1)) == pytest.approx(0)


def test_pooled_weeks_are_recognised_more_often() -> None:
    scores = identity.fit_recogniser(blobs(10, 50, 0.6)).scores(blobs(10, 48, 0.6, seed=1))
    shares = [identity.recognised_share(scores, np.arange(10), weeks).mean() for weeks in (1, 2, 4, 8)]
    assert (np.diff(shares) > 0).all()
    assert shares[0] < 0.7 < shares[-1]
    with pytest.raises(ValueError, match=r"pooled=49 is outside 1\.\.48"):
        identity.recognised_share(scores, np.arange(10), 49)


def test_weather_that_all_homes_share_does_not_hide_who_they_are() -> None:
    weather = np.random.default_rng(3).normal(0, 20, (1, 50, 1)) * np.ones(5)
    recogniser = identity.fit_recogniser(blobs(6, 50, 5.0) + weather)
    asked = recogniser.scores(blobs(6, 50, 5.0, seed=1) - weather)
    assert identity.recognised_share(asked, np.arange(6)).mean() > 0.95


def test_two_homes_are_a_choice_of_two() -> None:
    recogniser = identity.fit_recogniser(blobs(2, 50, 20.0))
    scores = recogniser.scores(blobs(2, 30, 20.0, seed=1))
    assert scores.shape == (2, 30, 2)
    assert identity.recognised_share(scores, np.arange(2)) == pytest.approx(1)
    with pytest.raises(ValueError, match="at least two of each"):
        identity.fit_recogniser(blobs(1, 50, 1.0))


def test_week_features_are_those_of_a_hand_made_week() -> None:
    power_kw = np.full((1, len(CLOCK)), 0.5)
    power_kw[0, (HOUR >= 16) & (HOUR < 20)] = 2.0
    power_kw[0, IS_WEEKEND] *= 2
    features = identity.week_features(power_kw, CLOCK, 0.5)
    assert features.shape == (1, 50, 38)  # of 51 weeks from a Monday on, one is 167 h and one 169 h long
    week = features[0, 0]
    mean = (5 + 2 * 2) / 7
    assert np.exp(week[[0, 17]]) - 0.05 == pytest.approx([0.5 * mean, 2 * mean])
    peak, daily_peak, base, level, ramp = np.exp(week[24:29]) - 0.05
    assert (peak, base) == pytest.approx((4.0, 0.5))
    assert daily_peak == pytest.approx(2 * mean)
    assert level == pytest.approx(0.75 * mean)
    # up and down by 1.5 each day, by 3 at weekends, and a step of 0.5 into Saturday
    assert ramp == pytest.approx((5 * 3.0 + 2 * 6.0 + 0.5) / 335)
    assert week[29:35] == pytest.approx([1 / 9] * 4 + [4 / 9] + [1 / 9])
    assert week[35] == pytest.approx(np.log(1.55 / 0.80))


def test_meter_steps_and_readings_at_night_are_no_fingerprint() -> None:
    power_kw = np.where((HOUR > 8) & (HOUR < 16), 1.0, 0.0)[None]
    faint = power_kw + np.random.default_rng(0).uniform(0, 0.02, power_kw.shape)
    steady, noisy = (identity.week_features(x, CLOCK, 0.5) for x in (power_kw, faint))
    assert noisy == pytest.approx(steady)
    assert np.isfinite(identity.week_features(0 * power_kw, CLOCK, 0.5)).all()


def test_habits_have_their_known_values() -> None:
    power_kw = np.full((1, len(CLOCK)), 1.0)
    power_kw[0, IS_WEEKEND] = 1.5
    assert identity.weekend_ratio(power_kw, CLOCK) == pytest.approx([1.5])
    evening = np.where((HOUR >= 17) & (HOUR < 22), 3.0, 1.0)[None]
    assert identity.evening_share(evening, CLOCK) == pytest.approx([15 / 34], abs=1e-4)  # 5 h x 3 of 34
    assert np.isnan(identity.evening_share(0 * evening, CLOCK)).all()
    assert np.isnan(identity.weekend_ratio(0 * evening, CLOCK)).all()
    evening[0, (HOUR == 18) & (np.asarray(CLOCK.minute) == 30)] = 4.0
    assert identity.peak_hour(evening, CLOCK) == pytest.approx([18.5])
    assert identity.base_load_kw(np.linspace(0, 1, 101)[None]) == pytest.approx([0.05])


def test_times_of_day_are_compared_round_the_clock() -> None:
    apart = identity.hours_apart(np.array([23.5, 1.0, 6.0]), np.array([0.5, 23.0, 18.0]))
    assert apart == pytest.approx([1, 2, 12])


def test_daily_peaks_are_those_of_local_days() -> None:
    power_kw = np.zeros((1, len(CLOCK)))
    power_kw[0, CLOCK.get_loc(pd.Timestamp("2012-07-02 23:30", tz="Australia/Sydney"))] = 5
    peaks_kw = identity.daily_peaks_kw(power_kw, CLOCK)
    assert peaks_kw.shape == (1, 365)
    assert np.flatnonzero(peaks_kw[0]).tolist() == [1]


def test_distance_by_home_is_the_shift_of_each_home_and_agrees_with_the_pooled_one() -> None:
    rng = np.random.default_rng(0)
    a = rng.gamma(2, size=(3, 60))
    assert identity.wasserstein_by_home(a, a + np.array([[0.0], [0.5], [2.0]])) == pytest.approx([0, 0.5, 2])
    other = rng.gamma(3, size=(3, 56))  # of a February without a 29th
    pooled = [marginals.wasserstein(x, y) for x, y in zip(a, other, strict=True)]
    assert identity.wasserstein_by_home(a, other) == pytest.approx(pooled)
    with pytest.raises(ValueError, match="same homes"):
        identity.wasserstein_by_home(a, a[:2])


def test_distance_by_month_and_hour_sees_a_shifted_clock_that_the_marginal_does_not() -> None:
    power_kw = np.where(HOUR == 18, 3.0, 1.0)[None]
    late = np.roll(power_kw, 2, axis=1)
    assert identity.wasserstein_by_home(power_kw, late) == pytest.approx([0], abs=1e-12)
    by_cell = identity.wasserstein_month_hour_by_home(power_kw, late, CLOCK, CLOCK)
    assert by_cell == pytest.approx([2 * 2 / 24], rel=0.01)
    half = slice(0, 8760)
    with pytest.raises(ValueError, match="compare whole years"):
        identity.wasserstein_month_hour_by_home(power_kw[:, half], late, CLOCK[half], CLOCK)


def test_daily_autocorrelation_of_a_weekly_rhythm_peaks_at_a_week() -> None:
    power_kw = np.where(IS_WEEKEND, 2.0, 1.0)[None]
    found = identity.daily_autocorrelation(power_kw, CLOCK, 0.5, (3, 7))
    assert found[0, 1] > 0.9
    assert found[0, 0] < 0
