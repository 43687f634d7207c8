"""Peaks: known answers on hand-made homes."""

import numpy as np
import pandas as pd
import pytest

from hidiff.metrics import peaks

CLOCK = pd.date_range("2012-07-01", "2013-07-01", freq="30min", inclusive="left", tz="Australia/Sydney")


def test_constant_power_has_load_factor_one_and_a_flat_curve() -> None:
    power_kw = np.full((1, len(CLOCK)), 0.5)
    assert peaks.annual_energy_kwh(power_kw) == pytest.approx([4380])
    assert peaks.load_factor(power_kw) == pytest.approx([1])
    assert peaks.load_duration_kw(power_kw) == pytest.approx(0.5)


def test_a_peak_is_found_at_its_hour_and_month() -> None:
    power_kw = np.full((1, len(CLOCK)), 0.5)
    power_kw[0, np.asarray(CLOCK.hour) == 18] = 2.0
    power_kw[0, CLOCK.get_loc(pd.Timestamp("2013-01-08 15:00", tz="Australia/Sydney"))] = 6.0
    shares = peaks.daily_peak_hour_shares(power_kw, CLOCK)
    assert shares[0, 18] == pytest.approx(364 / 365)
    assert shares[0, 15] == pytest.approx(1 / 365)
    assert peaks.peak_month(power_kw, CLOCK)[0].argmax() == 0
    assert peaks.peak_kw(power_kw) == pytest.approx([6])


def test_load_duration_curve_falls_and_keeps_the_energy() -> None:
    power_kw = np.random.default_rng(0).gamma(2, size=(3, 17520))
    curve = peaks.load_duration_kw(power_kw, points=240)  # 240 divides 17520
    assert (np.diff(curve, axis=1) <= 0).all()
    assert curve.mean(axis=1) == pytest.approx(power_kw.mean(axis=1))
    with pytest.raises(ValueError, match="ask for fewer points"):
        peaks.load_duration_kw(power_kw[:, :10])


def test_a_home_that_only_exports_has_no_load_factor() -> None:
    assert np.isnan(peaks.load_factor(np.full((1, 4), -1.0))).all()


def test_total_variation_of_distributions_apart_is_one() -> None:
    assert peaks.total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1)
    assert peaks.total_variation(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0
