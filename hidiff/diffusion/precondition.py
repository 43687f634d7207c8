"""EDM preconditioning: what the network sees and what its output means (Karras et al. 2022, section 5)."""

from collections.abc import Callable

import torch
from torch import Tensor

Network = Callable[..., Tensor]
"""``(scaled input, noise value, *conditions) -> output`` of the input's shape."""


def denoise(network: Network, noisy: Tensor, sigma: Tensor, sigma_data: float, *conditions: Tensor) -> Tensor:
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
