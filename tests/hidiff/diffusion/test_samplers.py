"""Samplers against a signal whose exact denoiser is known: normal numbers of a given spread."""

import math

import pytest
import torch
from torch import Tensor

from hidiff.diffusion.samplers import SAMPLERS, Denoiser
from hidiff.diffusion.schedules import karras

SPREAD = 0.7
LOW, HIGH = 0.002, 80.0


def exact(noisy: Tensor, sigma: Tensor) -> Tensor:
    """Denoiser of a normal signal of spread 0.7."""
    return noisy * (SPREAD**2 / (SPREAD**2 + sigma**2))[:, None, None]


def error(name: str, steps: int) -> float:
    """Relative error of the sample's size against the exact solution of the flow."""
    sample = SAMPLERS[name](exact, torch.ones(1, 1, 1, dtype=torch.float64), karras(steps, LOW, HIGH))
    true = SPREAD * HIGH / math.hypot(SPREAD, HIGH)
    return abs(float(sample) / true - 1)


@pytest.mark.parametrize("name", ["heun", "dpm++2m"])
def test_noise_becomes_samples_of_the_spread_of_the_data(name: str) -> None:
    noise = torch.randn(50, 40, 2, generator=torch.Generator().manual_seed(0))
    sample = SAMPLERS[name](exact, noise, karras(18, LOW, HIGH))
    assert sample.shape == noise.shape
    assert float(sample.std()) == pytest.approx(SPREAD, rel=0.06)
    torch.testing.assert_close(sample / noise, torch.full_like(noise, float((sample / noise)[0, 0, 0])))


def test_the_straight_step_is_of_first_order_alone() -> None:
    assert error("student", 32) / 3 < error("student", 64) < error("student", 32) / 1.7


def test_both_are_of_second_order() -> None:
    """Twice the steps, a quarter of the error."""
    assert error("heun", 64) < error("heun", 32) / 3 < error("heun", 16) / 9
    assert error("dpm++2m", 64) < error("dpm++2m", 32) / 3 < error("dpm++2m", 16) / 9


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_denoiser_that_knows_the_answer_is_believed(name: str) -> None:
    answer = torch.linspace(-2, 2, 12).reshape(1, 6, 2)
    sample = SAMPLERS[name](lambda noisy, sigma: answer, torch.randn(1, 6, 2), karras(4, LOW, HIGH))
    torch.testing.assert_close(sample, answer, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("name", "passes"), [("heun", 2 * 8 - 1), ("dpm++2m", 8)])
def test_the_number_of_network_passes_is_as_said(name: str, passes: int) -> None:
    seen: list[float] = []

    def spy(noisy: Tensor, sigma: Tensor) -> Tensor:
        assert sigma.shape == (3,)
        seen.append(float(sigma[0]))
        return exact(noisy, sigma)

    spied: Denoiser = spy
    SAMPLERS[name](spied, torch.randn(3, 4, 1), karras(8, LOW, HIGH))
    assert len(seen) == passes
    assert seen == sorted(seen, reverse=True)
    assert min(seen) > 0
