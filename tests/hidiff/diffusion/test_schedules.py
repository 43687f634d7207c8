"""Noise levels: their ends, their order, their spread."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hidiff.diffusion.schedules import karras, log_normal


@given(steps=st.integers(2, 60), low=st.floats(1e-3, 0.1), high=st.floats(1, 100))
def test_levels_fall_from_sigma_max_over_sigma_min_to_zero(steps: int, low: float, high: float) -> None:
    sigmas = karras(steps, low, high)
    assert len(sigmas) == steps + 1
    assert float(sigmas[0]) == pytest.approx(high)
    assert float(sigmas[-2]) == pytest.approx(low)
    assert float(sigmas[-1]) == 0
    assert (sigmas.diff() < 0).all()


def test_the_levels_are_those_of_karras_for_three_steps() -> None:
    middle = ((80 ** (1 / 7) + 0.002 ** (1 / 7)) / 2) ** 7
    assert karras(3, 0.002, 80).tolist() == pytest.approx([80, middle, 0.002, 0])


def test_one_step_goes_from_the_top_to_zero() -> None:
    assert karras(1, 0.01, 30).tolist() == pytest.approx([30, 0])


def test_no_step_is_refused() -> None:
    with pytest.raises(ValueError, match="steps=0; sampling needs at least 1"):
        karras(0, 0.01, 30)


def test_training_levels_have_the_asked_mean_and_spread_of_the_log() -> None:
    levels = log_normal(torch.tensor([-1.0, 0.0, 1.0]), -0.6, 1.3)
    assert levels.log().tolist() == pytest.approx([-1.9, -0.6, 0.7])
