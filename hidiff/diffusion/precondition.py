"""EDM preconditioning: what the network sees and what its output means (Karras et al. 2022, section 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from . import schedules

Network = Callable[..., Tensor]
"""``(scaled input, noise value, *conditions) -> output`` of the input's shape."""


def denoise(
    network: Network, noisy: Tensor, sigma: Tensor, *conditions: Tensor, sigma_data: float = 1.0
) -> Tensor:
    """Best guess of the clean signal behind ``noisy`` = clean + sigma * noise.

    Args:
        noisy: ``(batch, step, channel)``.
        sigma: ``(batch,)``.
        conditions: passed on to the network.
    """
    scale = sigma.to(noisy.dtype)[:, None, None]
    total = (scale**2 + sigma_data**2).sqrt()
    output = network(noisy / total, sigma.log() / 4, *conditions).to(noisy.dtype)
    return noisy * (sigma_data**2 / total**2) + output * (scale * sigma_data / total)


def loss_weight(sigma: Tensor, sigma_data: float) -> Tensor:
    """Weight that gives each noise level the same say at the start of training, ``(batch,)``."""
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


def weighted_error(
    denoised: Tensor, clean: Tensor, weight: Tensor, sigma: Tensor, sigma_data: float
) -> Tensor:
    """Mean squared error over the entries that ``weight`` ``(batch, step, channel)`` counts; a scalar."""
    level = loss_weight(sigma, sigma_data)[:, None, None]
    error = level * weight * (denoised - clean) ** 2
    return error.sum() / weight.sum().clamp_min(torch.finfo(torch.float32).tiny)


@dataclass(frozen=True)
class Example:
    """Clean windows of one batch and all that a denoiser is told about them."""

    clean: Tensor
    """``(batch, step, channel)``."""
    weight: Tensor
    """How much each entry counts, of the shape of ``clean``; 0 where it is known."""
    given: tuple[Tensor, ...]
    """What a level's ``denoise`` takes after the noise level: known, is_known, condition, household."""


def white(rng: np.random.Generator, *shape: int, device: torch.device | str = "cpu") -> Tensor:
    """Standard normal numbers."""
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).to(device)


def denoising_loss(
    denoise: Callable[..., Tensor], example: Example, rng: np.random.Generator, mean: float, spread: float
) -> Tensor:
    """Weighted error of the clean guess at log-normal noise levels, a scalar (Karras et al. 2022, table 1)."""
    clean = example.clean
    sigma = schedules.log_normal(white(rng, len(clean), device=clean.device), mean, spread)
    noisy = clean + sigma[:, None, None] * white(rng, *clean.shape, device=clean.device)
    guess = denoise(noisy, sigma, *example.given).float()
    return weighted_error(guess, clean, example.weight, sigma, 1.0)
