"""Windows that cover every day once, and energies that come out exactly."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hidiff.data import prepare as preparation
from hidiff.data import solar
from hidiff.diffusion.assemble import (
    Layout,
    block_correction,
    scale_to_energy,
    scale_to_energy_and_peak,
    to_kilowatts,
)
from hidiff.diffusion.household import Household
from hidiff.diffusion.identity import PLACE, STATISTICS

HOME = Household(
    "h", "h", "new", np.zeros(len(STATISTICS), np.float32), np.zeros(16, np.float32), capacity_kwp=2.5
)
HOME.statistics[PLACE["tilt"]] = 20
HOME.statistics[PLACE["log_mean_load"]] = -0.5


@given(days=st.integers(1, 1200), window=st.sampled_from([6, 8, 14]), context=st.sampled_from([1, 2]))
def test_windows_settle_every_day_once_and_know_both_neighbours(days: int, window: int, context: int) -> None:
    layout = Layout.cover(days, window, context)
    settled = np.zeros(layout.days, dtype=int)
    for start in layout.first:
        settled[start : start + window] += 1
    assert settled.max() == 1
    for start in layout.second:
        inside = settled[start : start + window]
        assert len(inside) == window
        assert (inside[:context] == 1).all() and (inside[-context:] == 1).all()
        assert (inside[context:-context] == 0).all()
    for start in layout.second:
        settled[start + context : start + window - context] += 1
    assert (settled == 1).all()
    assert days <= layout.days < days + 2 * window + 1


def test_a_year_takes_16_windows_and_15_gaps() -> None:
    layout = Layout.cover(366, 14)
    assert (len(layout.first), len(layout.second), layout.days) == (16, 15, 374)


def test_a_longer_span_begins_with_the_windows_of_a_shorter_one() -> None:
    short, long = Layout.cover(366, 14), Layout.cover(731, 14)
    assert (long.first[:16] == short.first).all() and (long.second[:15] == short.second).all()


def test_a_span_of_a_few_days_is_one_window() -> None:
    layout = Layout.cover(3, 14)
    assert layout.first.tolist() == [0] and len(layout.second) == 0 and layout.days == 14


ROWS = hnp.arrays(np.float64, (5, 12), elements=st.floats(0, 10).map(lambda x: 0.0 if x < 0.1 else x))


@settings(max_examples=200, deadline=None)
@given(shape=ROWS, cap=ROWS, share=hnp.arrays(np.float64, 5, elements=st.floats(0, 1)))
def test_any_mean_that_the_cap_can_hold_is_met(shape: np.ndarray, cap: np.ndarray, share: np.ndarray) -> None:
    mean = share * cap.mean(1)
    scaled = scale_to_energy(shape, mean, cap)
    assert scaled.shape == shape.shape and scaled.dtype == np.float32
    assert (scaled >= 0).all() and (scaled <= cap + 1e-5).all()
    np.testing.assert_allclose(scaled.mean(1), mean, rtol=1e-4, atol=1e-5)


@settings(max_examples=100, deadline=None)
@given(shape=ROWS, mean=hnp.arrays(np.float64, 5, elements=st.floats(0, 3)))
def test_without_a_cap_in_the_way_the_shape_stays(shape: np.ndarray, mean: np.ndarray) -> None:
    shape = shape + 0.1
    scaled = scale_to_energy(shape, mean, np.full_like(shape, 1e6))
    np.testing.assert_allclose(
        scaled * shape.sum(1)[:, None], shape * 12 * mean[:, None], rtol=1e-4, atol=1e-5
    )


def test_a_capped_step_gives_the_rest_to_the_others() -> None:
    scaled = scale_to_energy(np.array([[1.0, 1.0, 2.0]]), np.array([2.0]), np.array([[9.0, 9.0, 2.0]]))
    assert scaled[0].tolist() == [2, 2, 2]


def test_a_mean_beyond_the_cap_becomes_the_cap() -> None:
    cap = np.array([[1.0, 2.0, 0.0]])
    assert scale_to_energy(np.array([[1.0, 0.0, 0.0]]), np.array([5.0]), cap)[0].tolist() == [1, 2, 0]


def test_zeros_of_the_shape_are_raised_only_when_the_others_are_full() -> None:
    shape, cap = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), np.full((2, 3), 6.0)
    scaled = scale_to_energy(shape, np.array([1.0, 4.0]), cap)
    assert scaled.tolist() == [[3, 0, 0], [6, 3, 3]]


def test_nothing_asked_is_nothing_given() -> None:
    assert not scale_to_energy(np.ones((1, 4)), np.zeros(1), np.ones((1, 4))).any()
    assert not scale_to_energy(np.zeros((1, 4)), np.ones(1), np.zeros((1, 4))).any()


def test_the_mean_is_met_to_a_millionth_on_days_of_power() -> None:
    rng = np.random.default_rng(0)
    shape = rng.gamma(0.5, 1, (200, 48))
    mean = rng.uniform(0.2, 3, 200)
    cap = np.repeat(np.maximum(shape.max(1) * 0.5, 1.1 * mean)[:, None], 48, axis=1)
    assert scale_to_energy(shape, mean, cap).mean(1, dtype=np.float64) == pytest.approx(mean, rel=1e-6)


def test_day_energies_are_those_of_the_high_level() -> None:
    """Half-hours are drawn at random; their days must add up to the tokens they were given."""
    rng = np.random.default_rng(0)
    dates = pd.date_range("2030-01-01", periods=60)
    tokens = rng.normal(0, 0.4, (60, 8)).astype(np.float32)
    tokens[:, preparation.CLEARNESS] = rng.uniform(0.05, 0.95, 60)
    signal = np.stack([rng.normal(-0.5, 0.8, (60, 48)), rng.uniform(-0.1, 1.4, (60, 48))], axis=-1)
    drawn = np.maximum(np.exp(signal[..., 0]) - preparation.LOAD_OFFSET, 0)
    peaked = preparation.day_energy_ratio(tokens) * drawn.max(1) / drawn.mean(1) * rng.uniform(0.8, 1.05, 60)
    tokens[:, preparation.PEAK] = np.log(peaked + preparation.BLOCK_OFFSET)
    envelope = solar.envelope_kw(solar.clear_sky_of_days(dates), HOME.roof, 1.0).reshape(60, 48)
    load, pv = to_kilowatts(signal.astype(np.float32), tokens, envelope, HOME, HOME.mean_load_kw)
    asked = preparation.day_energy_ratio(tokens) * HOME.mean_load_kw
    np.testing.assert_allclose(load.mean(1), asked, rtol=1e-5)
    peak = preparation.peak_ratio(tokens) * HOME.mean_load_kw
    off = np.abs(
        load.max(1) / peak - 1
    )  # the home's day shape is mended first, which a flat day may not allow
    assert np.mean(off < 1e-4) > 0.9 and off.max() < 0.05
    clear = envelope.mean(1) * HOME.capacity_kwp * tokens[:, preparation.CLEARNESS]
    np.testing.assert_allclose(pv.mean(1), clear, rtol=1e-4)


def test_a_day_whose_shape_is_nearly_all_zero_keeps_its_energy() -> None:
    signal = np.full((1, 48, 2), -9.0, dtype=np.float32)  # no load at all …
    signal[0, 30, 0] = 0.0  # … but in one half-hour
    tokens = np.zeros((1, 8), dtype=np.float32)
    load, _ = to_kilowatts(signal, tokens, np.zeros((1, 48), np.float32), HOME, HOME.mean_load_kw)
    assert load.mean() == pytest.approx(preparation.day_energy_ratio(tokens)[0] * HOME.mean_load_kw, rel=1e-5)


def test_energy_and_peak_are_both_met_without_a_plateau() -> None:
    rng = np.random.default_rng(0)
    shape = rng.lognormal(0, 1, (500, 48))
    mean = rng.uniform(0.3, 2, 500)
    peak = mean * shape.max(1) / shape.mean(1) * rng.uniform(0.8, 1.05, 500)
    result = scale_to_energy_and_peak(shape, mean, peak)
    np.testing.assert_allclose(result.mean(1), mean, rtol=1e-6)
    np.testing.assert_allclose(result.max(1), peak, rtol=1e-4)
    assert (np.argsort(result, axis=1)[:, -3:] == np.argsort(shape, axis=1)[:, -3:]).all()
    assert ((result > result.max(1, keepdims=True) * (1 - 1e-6)).sum(1) == 1).all()


@pytest.mark.parametrize("peak", [0.0, 1.0, 1e6])
def test_a_peak_that_no_stretch_meets_still_keeps_the_energy(peak: float) -> None:
    shapes = np.stack([np.zeros(48), np.ones(48), np.r_[np.ones(47), 5.0], np.r_[np.zeros(47), 1.0]])
    result = scale_to_energy_and_peak(shapes, np.full(4, 0.7), np.full(4, peak))
    np.testing.assert_allclose(result.mean(1), 0.7, rtol=1e-6)
    assert (result >= 0).all()


def test_lost_evenings_are_given_back_on_average_and_right_days_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    shape = rng.uniform(0.5, 1.5, (200, 48))
    blocks = shape.reshape(200, 6, 8).mean(2)
    np.testing.assert_allclose(block_correction(shape, shape.mean(1), blocks), 1, atol=1e-9)
    blocks[:, 4] *= 1.2
    factor = block_correction(shape, shape.mean(1), blocks)
    assert factor[36] == pytest.approx(1.2, abs=0.02) and factor[4] == pytest.approx(1, abs=1e-6)
    assert block_correction(shape, shape.mean(1), 9 * blocks).max() == 1.4
