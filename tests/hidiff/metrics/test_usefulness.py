"""The day-ahead forecaster: it sees the past only, learns what can be learned, and serves homes of other sizes."""

import numpy as np
import pandas as pd
import pytest

from hidiff.metrics import usefulness

ZONE = "Australia/Sydney"
DAYS = 60
TIME = pd.date_range("2012-08-31 14:00", periods=48 * DAYS, freq="30min", tz="UTC")  # over a clock change


def homes(seed: int, count: int = 4) -> np.ndarray:
    """Load with an evening peak on the homes' clock and days that resemble the one before, (home, step) [kW]."""
    rng = np.random.default_rng(seed)
    clock = TIME.tz_convert(ZONE)
    hour = np.asarray(clock.hour + clock.minute / 60)
    slow = np.cumsum(rng.normal(0, 0.15, (count, DAYS)), axis=1)
    shape = 0.3 + np.exp(-((hour - 19) ** 2) / 4)
    return shape * np.exp(np.repeat(slow, 48, axis=1)) * rng.gamma(8, 1 / 8, (count, len(TIME)))


def examples(power_kw: np.ndarray) -> usefulness.Examples:
    return usefulness.forecast_examples(*usefulness.hours_by_day(power_kw, TIME, ZONE), ZONE)


def error_kw(learnt_from: np.ndarray, test: np.ndarray) -> float:
    side = examples(learnt_from)
    stream = np.random.default_rng(0)
    forecaster = usefulness.fit_forecaster(side, stream, home_days=side.scale_kw.size)
    return float(usefulness.forecast_errors(forecaster, examples(test)).mean_absolute_kw.mean())


def test_hours_keep_energy_and_leave_out_parts_of_days() -> None:
    power_kw = homes(0)
    hourly_kw, time = usefulness.hours_by_day(power_kw[:, 3:-5], TIME[3:-5], ZONE)
    assert hourly_kw.shape == (4, DAYS - 2, 24)
    assert hourly_kw.sum() == pytest.approx(power_kw[:, 48:-48].sum() / 2)
    assert time[0] == TIME[48]


def test_features_are_what_they_are_called_and_know_nothing_of_the_day_itself() -> None:
    hourly_kw, time = usefulness.hours_by_day(homes(0), TIME, ZONE)
    made = usefulness.forecast_examples(hourly_kw, time, ZONE)
    home, day, hour = 1, 40, 17
    seen = made.features[home, day - usefulness.WARM_UP_DAYS, hour]
    past = hourly_kw[home, :day]
    expected = [*past[[-1, -2, -7], hour], past[-7:, hour].mean(), past[-1].mean(), past[-7:].mean()]
    assert seen[:6] * past[-28:].mean() == pytest.approx(expected)
    clock = time[day * 24 + hour].tz_convert(ZONE)
    assert seen[6:].tolist() == [clock.hour, clock.day_of_week, clock.day_of_week >= 5]
    changed_kw = hourly_kw.copy()
    changed_kw[:, day:] *= 5
    changed = usefulness.forecast_examples(changed_kw, time, ZONE)
    known = day - usefulness.WARM_UP_DAYS + 1
    np.testing.assert_array_equal(changed.features[:, :known], made.features[:, :known])
    assert not np.array_equal(changed.features[:, known], made.features[:, known])


def test_a_week_that_comes_again_is_forecast_without_error() -> None:
    week = np.random.default_rng(0).gamma(2, 0.5, (2, 7 * 48))
    side = examples(np.tile(week, 9)[:, : len(TIME)])
    errors = usefulness.errors_of(usefulness.last_week_again(side), side)
    assert errors.mean_absolute_kw == pytest.approx([0, 0], abs=1e-12)
    off = usefulness.errors_of(side.power_kw + 0.5, side)
    assert off.mean_absolute_kw == pytest.approx([0.5, 0.5])
    assert off.mean_square_kw2 == pytest.approx([0.25, 0.25])


def test_what_is_learnt_serves_homes_of_another_size() -> None:
    test = homes(1)
    own = error_kw(homes(0), test)
    assert error_kw(3 * homes(0), test) == pytest.approx(own, rel=1e-6)
    assert error_kw(homes(0), 3 * test) == pytest.approx(3 * own, rel=1e-6)
    side = examples(test)
    plain = usefulness.errors_of(usefulness.last_week_again(side), side).mean_absolute_kw.mean()
    assert own < 0.95 * plain


def test_shifted_clocks_and_days_out_of_order_are_worse_to_learn_from() -> None:
    learnt, test = homes(0), homes(1)
    own = error_kw(learnt, test)
    days = np.random.default_rng(2).permutation(DAYS)
    shuffled = learnt.reshape(4, DAYS, 48)[:, days].reshape(4, -1)
    assert error_kw(shuffled, test) > 1.03 * own
    assert error_kw(np.random.default_rng(3).permuted(learnt, axis=1), test) > 1.2 * own


def test_a_home_that_never_used_anything_is_forecast_as_such() -> None:
    side = examples(np.zeros((1, len(TIME))))
    assert np.isfinite(side.features).all()
    forecaster = usefulness.fit_forecaster(side, np.random.default_rng(0), home_days=20)
    assert usefulness.forecast_errors(forecaster, side).mean_absolute_kw == pytest.approx([0])


def test_gaps_odd_steps_and_short_series_are_refused() -> None:
    power_kw = homes(0)
    gap = power_kw.copy()
    gap[0, 5] = np.nan
    with pytest.raises(ValueError, match="1 steps have no value"):
        usefulness.hours_by_day(gap, TIME, ZONE)
    with pytest.raises(ValueError, match="do not divide an hour"):
        usefulness.hours_by_day(power_kw[:, ::3], TIME[::3], ZONE)
    with pytest.raises(ValueError, match="there are 20 whole days"):
        usefulness.hours_by_day(power_kw[:, :960], TIME[:960], ZONE)
    with pytest.raises(ValueError, match="home_days=129"):
        usefulness.fit_forecaster(examples(power_kw), np.random.default_rng(0), home_days=129)
