"""Noise levels: where sampling goes, and how often training visits each level. One signature each."""

import torch
from torch import Tensor


def karras(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """Falling noise levels ``(steps + 1,)``, the last zero (Karras et al. 2022, eq. 5)."""
    if steps < 1:
        raise ValueError(f"steps={steps}; sampling needs at least 1")
    place = torch.linspace(0, 1, steps, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    sigmas = (high + place * (low - high)) ** rho
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def log_normal(noise: Tensor, mean: float, std: float) -> Tensor:
    """Training noise levels from standard normal ``noise`` (Karras et al. 2022, table 1)."""
    return (mean + std * noise).exp()
