"""A student that makes in one network pass a step what its teacher makes in several.

Progressive distillation (Salimans and Ho 2022, arXiv:2202.00512) in one round: between two noise levels of the
student the teacher goes a few steps of Heun's solver; the student learns the one straight step that ends there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .network import Transformer
from .precondition import Example, weighted_error, white
from .samplers import heun_from

SIGMAS = {"low": (30.0, 4.0, 1.3, 0.4, 0.0), "high": (30.0, 4.0, 1.3, 0.4, 0.0)}
"""Noise levels of the students: most of the shape of a sample is settled around the spread of the data, 1."""
TEACHER_STEPS = 3
"""Heun steps of the teacher in one of the student's."""
LAST_SIGMA = 0.03
"""Where the teacher's last step to zero begins."""


def start(teacher: Transformer) -> Transformer:
    """A student that begins as its teacher, without dropout."""
    student = Transformer(replace(teacher.config, dropout=0.0))
    student.load_state_dict(teacher.state_dict())
    return student.to(next(teacher.parameters()).device)


def teacher_sigmas(now: float, then: float, steps: int = TEACHER_STEPS, rho: float = 7.0) -> Tensor:
    """Noise levels from ``now`` to ``then``, spaced as Karras et al. (2022) do; one more step if that is zero."""
    end = then or min(LAST_SIGMA, now / 2)
    place = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    sigmas = (now ** (1 / rho) + place * (end ** (1 / rho) - now ** (1 / rho))) ** rho
    return sigmas if then else torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def loss(
    student: Callable[..., Tensor],
    teacher: Callable[..., Tensor],
    example: Example,
    rng: np.random.Generator,
    sigmas: tuple[float, ...],
) -> Tensor:
    """Error of the student's step over one interval of ``sigmas``, drawn at random; a scalar.

    Args:
        student: ``(noisy, sigma, *given) -> clean guess``.
        teacher: the same, of the trained level.
    """
    clean, place = example.clean, int(rng.integers(len(sigmas) - 1))
    now, then = sigmas[place], sigmas[place + 1]
    level = torch.full((len(clean),), now, device=clean.device)
    noisy = clean + now * white(rng, *clean.shape, device=clean.device)
    with torch.no_grad():
        end = heun_from(
            lambda x, sigma: teacher(x, sigma, *example.given).float(), noisy, teacher_sigmas(now, then)
        )
        target = (end - then / now * noisy) / (1 - then / now)
    guess = student(noisy, level, *example.given).float()
    return weighted_error(guess, target, example.weight, level, 1.0)
