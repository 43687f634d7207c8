"""Physics: the sun sets in Sydney, and what is impossible is counted."""

import numpy as np
import pandas as pd
import pytest

from hidiff.metrics import physics

TIME = pd.date_range("2012-12-21 13:00", periods=48, freq="30min", tz="UTC")  # 00:00 to 24:00 daylight saving


def test_night_ends_and_begins_where_the_almanac_says() -> None:
    # Sydney, 22 December 2012: sunrise 05:41, sunset 20:06 daylight-saving time
    night = physics.night_mask(TIME, dt_h=0.5)
    local = TIME.tz_convert("Australia/Sydney").strftime("%H:%M")
    day = local[~night]
    assert (day[0], day[-1]) == ("05:30", "20:00")


def test_pv_at_night_is_caught_and_pv_by_day_is_not() -> None:
    night = physics.night_mask(TIME, dt_h=0.5)
    pv_kw = np.where(night, 0.0, 1.0)[None, :]
    assert physics.night_energy_kwh(pv_kw, night, 0.5) == pytest.approx([0])
    pv_kw[0, 0] = 0.2
    assert physics.night_energy_kwh(pv_kw, night, 0.5) == pytest.approx([0.1 * 365])


def test_capacity_and_negative_steps() -> None:
    pv_kw = np.array([[0.0, 1.2], [-0.1, 0.5], [0.0, 0.0]])
    ratio = physics.max_over_capacity(pv_kw, np.array([1.0, 1.0, 0.0]))
    assert ratio[:2] == pytest.approx([1.2, 0.5])
    assert np.isnan(ratio[2])
    assert physics.negative_share(pv_kw) == pytest.approx([0, 0.5, 0])


def test_self_consumption_and_self_sufficiency_share_the_same_energy() -> None:
    rng = np.random.default_rng(0)
    load_kw, pv_kw = rng.gamma(2, size=(4, 100)), rng.gamma(2, size=(4, 100))
    used_of_pv = physics.self_consumption(load_kw, pv_kw) * pv_kw.sum(axis=1)
    used_of_load = physics.self_sufficiency(load_kw, pv_kw) * load_kw.sum(axis=1)
    assert used_of_pv == pytest.approx(used_of_load)
    one = np.array([[1.0, 1.0]])
    assert physics.self_consumption(one, np.array([[0.0, 4.0]])) == pytest.approx([0.25])
    assert physics.self_sufficiency(one, np.array([[0.0, 4.0]])) == pytest.approx([0.5])
    assert np.isnan(physics.self_consumption(one, 0 * one)).all()
