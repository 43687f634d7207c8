"""Windows that cover every day once, and energies that come out exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hidiff.diffusion.assemble import Layout, scale_to_energy


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
    np.testing.assert_allclose(scaled * shape.sum(1)[:, None], shape * 12 * mean[:, None], rtol=1e-4, atol=1e-5)


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
