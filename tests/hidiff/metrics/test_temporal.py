"""Time metrics: known answers, and the seam test on windows that are pasted and on those that are not."""

import numpy as np
import pandas as pd
import pytest

from hidiff.metrics import marginals, temporal

CLOCK = pd.date_range("2012-07-01", "2013-07-01", freq="30min", inclusive="left", tz="Australia/Sydney")
STEPS = 365 * 48


def autoregressive(homes: int, seed: int, keep: float = 0.97) -> np.ndarray:
    """First-order autoregressive series, (home, step)."""
    noise = np.random.default_rng(seed).normal(size=(homes, STEPS))
    series = np.empty_like(noise)
    series[:, 0] = noise[:, 0] / np.sqrt(1 - keep**2)
    for step in range(1, STEPS):
        series[:, step] = keep * series[:, step - 1] + noise[:, step]
    return series


def test_autocorrelation_of_an_autoregressive_series_is_the_power_of_its_coefficient() -> None:
    series = autoregressive(8, 0, keep=0.9)
    found = temporal.autocorrelation(series, (1, 5)).mean(axis=0)
    assert found == pytest.approx([0.9, 0.9**5], abs=0.02)


def test_autocorrelation_of_a_constant_home_is_nan_and_a_lag_too_long_is_refused() -> None:
    assert np.isnan(temporal.autocorrelation(np.ones((1, 10)), (1,))).all()
    with pytest.raises(ValueError, match="give a longer series"):
        temporal.autocorrelation(np.ones((1, 10)), (10,))


def test_shuffled_steps_change_the_autocorrelation_but_not_the_marginals() -> None:
    series = autoregressive(3, 1)
    shuffled = np.random.default_rng(0).permuted(series, axis=1)
    assert marginals.wasserstein(series, shuffled) == pytest.approx(0, abs=1e-9)
    assert temporal.autocorrelation(series, (1,)).mean() > 0.9
    assert abs(temporal.autocorrelation(shuffled, (1,)).mean()) < 0.05
    distance = temporal.log_spectrum(series, 0.5).mean(axis=0) - temporal.log_spectrum(shuffled, 0.5).mean(
        axis=0
    )
    assert np.sqrt(np.mean(distance**2)) > 0.3


def test_daily_energy_keeps_all_energy_over_both_clock_changes() -> None:
    power_kw = np.random.default_rng(0).uniform(0, 2, (2, len(CLOCK)))
    energy_kwh, dates = temporal.daily_energy(power_kw, CLOCK, 0.5)
    assert energy_kwh.shape == (2, 365)
    assert dates[0] == pd.Timestamp("2012-07-01")
    assert energy_kwh.sum(axis=1) == pytest.approx(power_kw.sum(axis=1) * 0.5)


def test_daily_energy_leaves_out_parts_of_days() -> None:
    energy_kwh, dates = temporal.daily_energy(np.ones((1, 100)), CLOCK[10:110], 0.5)
    assert list(dates) == [pd.Timestamp("2012-07-02")]
    assert energy_kwh == pytest.approx(24.0)


def test_doubling_the_power_moves_the_spectrum_by_log10_of_four() -> None:
    series = autoregressive(2, 2)
    move = temporal.log_spectrum(2 * series, 0.5) - temporal.log_spectrum(series, 0.5)
    assert move == pytest.approx(np.log10(4), abs=1e-3)


def test_monthly_shares_of_constant_power_are_the_lengths_of_the_months() -> None:
    shares = temporal.monthly_shares(np.ones((1, len(CLOCK))), CLOCK)
    assert shares.sum() == pytest.approx(1)
    assert shares[0, 1] == pytest.approx(28 / 365)


def test_variance_of_a_step_between_months_lies_between_months() -> None:
    dates = pd.date_range("2012-07-01", periods=365)
    month = np.asarray(dates.month, dtype=float)[None, :]
    assert temporal.variance_shares(month, dates) == pytest.approx(np.array([[1.0, 0.0, 0.0]]))
    noise = np.random.default_rng(0).normal(size=(5, 365))
    shares = temporal.variance_shares(noise, dates)
    assert shares.sum(axis=1) == pytest.approx(1)
    assert shares[:, 2].mean() > 0.7


JOINTS = np.arange(336, STEPS, 336)
OTHERS = np.setdiff1d(np.arange(48, STEPS, 48), JOINTS)


def test_seam_test_finds_nothing_in_a_series_without_seams() -> None:
    found = temporal.seam_test(autoregressive(10, 3), JOINTS, OTHERS)
    assert found.at_joints == pytest.approx(found.elsewhere, abs=0.08)
    assert found.p_value > 0.01


def test_seam_test_finds_windows_pasted_side_by_side() -> None:
    series = autoregressive(10, 3)
    order = np.random.default_rng(0).permutation(STEPS // 336)
    pasted = series[:, : len(order) * 336].reshape(10, -1, 336)[:, order].reshape(10, -1)
    joints, others = (steps[steps < pasted.shape[1]] for steps in (JOINTS, OTHERS))
    found = temporal.seam_test(pasted, joints, others)
    assert found.p_value < 1e-10
    assert abs(found.at_joints) < 0.15
    assert found.elsewhere > 0.7


def test_seam_test_is_not_blinded_by_levels_of_homes() -> None:
    rng = np.random.default_rng(5)
    independent = rng.normal(size=(10, STEPS)) + 100 * np.arange(10)[:, None]
    assert abs(temporal.boundary_correlation(independent, JOINTS)) < 0.15


def test_seam_test_refuses_a_boundary_on_both_sides_and_too_few() -> None:
    series = np.random.default_rng(0).normal(size=(2, 1000))
    with pytest.raises(ValueError, match="in joints and in others"):
        temporal.seam_test(series, np.array([48, 96]), np.array([96, 144]))
    with pytest.raises(ValueError, match="at least 4"):
        temporal.seam_test(series, np.array([48, 96]), np.arange(144, 1000, 48))


def test_midnights_are_found_on_the_local_clock_in_summer_too() -> None:
    steps = temporal.steps_at_hour(CLOCK, 0)
    assert len(steps) == 365
    assert set(CLOCK[steps].hour) == {0}
    assert len(set(np.diff(steps))) == 3  # 46, 48 and 50 steps
