"""Students: their steps end where their teacher's do, and they learn it."""

import numpy as np
import pytest
import torch
from torch import Tensor

from hidiff.diffusion import distill
from hidiff.diffusion.network import NetworkConfig, Transformer
from hidiff.diffusion.precondition import Example
from hidiff.diffusion.samplers import straight

SPREAD = 0.7


def exact(noisy: Tensor, sigma: Tensor, *given: Tensor) -> Tensor:
    """Denoiser of a normal signal of spread 0.7."""
    return noisy * (SPREAD**2 / (SPREAD**2 + sigma**2))[:, None, None]


def perfect_student(noisy: Tensor, sigma: Tensor, *given: Tensor) -> Tensor:
    """What the exact flow of that signal asks of one straight step between the student's levels."""
    levels = distill.SIGMAS["low"]
    then = levels[levels.index(round(float(sigma[0]), 6)) + 1]
    end = noisy * ((SPREAD**2 + then**2) / (SPREAD**2 + sigma**2)).sqrt()[:, None, None]
    share = then / sigma[:, None, None]
    return (end - share * noisy) / (1 - share)


def example() -> Example:
    clean = SPREAD * torch.randn(16, 20, 2, generator=torch.Generator().manual_seed(0))
    return Example(clean, torch.ones_like(clean), ())


def test_the_teacher_goes_from_one_level_of_the_student_to_the_next() -> None:
    sigmas = distill.teacher_sigmas(4.0, 1.3)
    assert float(sigmas[0]) == pytest.approx(4) and float(sigmas[-1]) == pytest.approx(1.3)
    assert len(sigmas) == distill.TEACHER_STEPS + 1 and (sigmas.diff() < 0).all()
    last = distill.teacher_sigmas(0.4, 0.0)
    assert float(last[-1]) == 0 and float(last[-2]) == pytest.approx(distill.LAST_SIGMA)


def test_a_student_that_follows_the_flow_exactly_has_next_to_no_loss() -> None:
    right, wrong = (
        np.mean(
            [
                float(
                    distill.loss(student, exact, example(), np.random.default_rng(i), distill.SIGMAS["low"])
                )
                for i in range(12)
            ]
        )
        for student in (perfect_student, exact)
    )
    assert right < 0.02 * wrong


def test_such_a_student_makes_samples_of_the_right_spread_in_four_steps() -> None:
    noise = torch.randn(50, 40, 2, generator=torch.Generator().manual_seed(0))
    sigmas = torch.tensor(distill.SIGMAS["low"], dtype=torch.float64)
    assert float(straight(perfect_student, noise, sigmas).std()) == pytest.approx(SPREAD, rel=0.03)
    assert float(straight(exact, noise, sigmas).std()) < 0.8 * SPREAD  # undistilled, four steps are too few


def test_a_student_begins_as_its_teacher_without_dropout() -> None:
    config = NetworkConfig(
        channels=2, condition_channels=3, household_channels=4, width=16, blocks=1, dropout=0.5
    )
    teacher = Transformer(config).eval()
    with torch.no_grad():
        teacher.leave.weight.normal_()
    student = distill.start(teacher).train()
    values = [
        torch.randn(2, 8, 2),
        torch.zeros(2),
        torch.zeros(2, 8, 2),
        torch.zeros(2, 8),
        torch.randn(2, 8, 3),
    ]
    household = torch.randn(2, 4)
    torch.testing.assert_close(student(*values, household), teacher(*values, household))
