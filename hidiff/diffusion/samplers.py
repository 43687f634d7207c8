"""Samplers: deterministic solvers of the probability-flow equation, all with one signature.

``sampler(denoiser, noise, sigmas) -> clean`` with ``denoiser(noisy, sigma (batch,)) -> clean guess``,
``noise`` standard normal of the sample's shape and ``sigmas`` falling to zero. The noise alone decides the
sample.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, Tensor], Tensor]


def _level(sigma: Tensor, noise: Tensor) -> Tensor:
    return sigma.to(noise).expand(noise.shape[0])


def heun(denoiser: Denoiser, noise: Tensor, sigmas: Tensor) -> Tensor:
    """Second-order Heun (Karras et al. 2022, algorithm 1 without churn): ``2 * steps - 1`` network passes."""
    return heun_from(denoiser, noise * sigmas[0].to(noise), sigmas)


def heun_from(denoiser: Denoiser, noisy: Tensor, sigmas: Tensor) -> Tensor:
    """The same from ``noisy``, which has the first of ``sigmas``, to the last of them, zero or not."""
    x = noisy
    for now, then in pairwise(sigmas):
        slope = (x - denoiser(x, _level(now, x))) / now.to(x)
        trial = x + (then - now).to(x) * slope
        if then > 0:
            slope = (slope + (trial - denoiser(trial, _level(then, x))) / then.to(x)) / 2
            trial = x + (then - now).to(x) * slope
        x = trial
    return x


def straight(denoiser: Denoiser, noise: Tensor, sigmas: Tensor) -> Tensor:
    """First order, one network pass a step (DDIM, Song et al. 2021); exact for a student of these ``sigmas``."""
    x = noise * sigmas[0].to(noise)
    for now, then in pairwise(sigmas):
        share = (then / now).to(x)
        x = share * x + (1 - share) * denoiser(x, _level(now, x))
    return x


def dpm_solver_2m(denoiser: Denoiser, noise: Tensor, sigmas: Tensor) -> Tensor:
    """DPM-Solver++ (2M) (Lu et al. 2022, algorithm 2): one network pass a step, second order all the same."""
    x = noise * sigmas[0].to(noise)
    last: Tensor | None = None
    for index, (now, then) in enumerate(pairwise(sigmas)):
        guess = denoiser(x, _level(now, x))
        if then == 0:
            return guess
        step = now.log() - then.log()
        blend = guess
        if last is not None:
            ratio = (sigmas[index - 1].log() - now.log()) / step
            blend = guess + (guess - last) / (2 * ratio).to(x)
        x = x * (then / now).to(x) - torch.expm1(-step).to(x) * blend
        last = guess
    return x


SAMPLERS = {"heun": heun, "dpm++2m": dpm_solver_2m, "student": straight}
