"""TSDiff: unconditional diffusion of a window with structured state spaces (Kollovieh et al., NeurIPS 2023).

Source: arXiv 2307.11494; the network is that of its section 3.1 with the published sizes (width 64, 3 residual blocks,
100 diffusion steps of linear variance), the state spaces are S4D (Gu et al. 2022, arXiv 2206.11893) in place of S4.
Two departures, both in its favour: load and PV are drawn together, and it can be told what is known of each
step and of the household (``is_conditional``), which the published model cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .windows import CHANNELS, CONDITION, Windows, device_at_hand, train, window_noise

EMBEDDING = 128
"""Width of the embedding of the diffusion step."""


@dataclass(frozen=True, kw_only=True)
class TSDiffConfig:
    """Size and training of TSDiff."""

    days: int = 14
    width: int = 64
    blocks: int = 3
    states: int = 64
    """Complex states of each channel and direction; half of the published 128, which are conjugate pairs."""
    diffusion_steps: int = 100
    variance: tuple[float, float] = (1e-4, 0.1)
    """Variance of the noise of the first and the last diffusion step."""
    is_conditional: bool = False
    """Whether the network is told condition and household; not so as published."""
    batch: int = 64
    learning_rate: float = 1e-3
    steps: int | None = None
    """Stop training after these many steps; None: by the minutes alone."""

    def __post_init__(self) -> None:
        for name in ("days", "width", "blocks", "states", "batch"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name}={getattr(self, name)}; it must be at least 1")
        if not self.diffusion_steps >= 2:
            raise ValueError(f"diffusion_steps={self.diffusion_steps}; there must be at least 2")
        if not 0 < self.variance[0] <= self.variance[1] < 1:
            raise ValueError(f"variance={self.variance} must rise within 0..1")


class S4D(nn.Module):
    """Diagonal state space of each channel, ``x' = A x + B u, y = 2 Re(C x)``, read as one long convolution.

    Discretised by zero-order hold with the channel's own step; B is one, as C can say all that it could.
    """

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        step = torch.rand(width) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)
        self.log_step = nn.Parameter(step)
        self.log_decay = nn.Parameter(torch.full((width, states), math.log(0.5)))
        self.frequency = nn.Parameter(math.pi * torch.arange(states).float().repeat(width, 1))  # S4D-Lin
        self.read = nn.Parameter(torch.randn(width, states, 2) * math.sqrt(0.5))

    def discrete(self) -> tuple[Tensor, Tensor]:
        """Logarithm of the state's factor a step, and what one unit of input adds to the output; complex."""
        rate = torch.complex(-self.log_decay.exp(), self.frequency)
        log_factor = self.log_step.exp()[:, None] * rate
        return log_factor, torch.view_as_complex(self.read) * (log_factor.exp() - 1) / rate

    def kernel(self, length: int) -> Tensor:
        """Response to a unit impulse, ``(channel, length)``: ``2 Re(sum of read * factor ** step)``.

        The powers are products of a coarse and a fine power, so few of them are ever taken.
        """
        log_factor, read = self.discrete()
        fine = math.isqrt(length - 1) + 1
        place = torch.arange(fine, device=log_factor.device)
        small = (log_factor[..., None] * place).exp()  # (channel, state, fine)
        large = read[..., None] * (log_factor[..., None] * place * fine).exp()
        return 2 * (large.transpose(1, 2) @ small).real.flatten(1)[:, :length]


class StateSpace(nn.Module):
    """S4D in both directions of time, a direct path, and a linear mix of the channels."""

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        self.forwards, self.backwards = S4D(width, states), S4D(width, states)
        self.direct = nn.Parameter(torch.randn(width))
        self.mix = nn.Linear(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channel, step)`` in and out."""
        length = x.shape[-1]
        forth, back = self.forwards.kernel(length), self.backwards.kernel(length)
        around = F.pad(forth, (0, length)) + F.pad(back.flip(-1), (length, 0))  # lag -1 comes last
        spectrum = torch.fft.rfft(x, n=2 * length) * torch.fft.rfft(around)
        y = torch.fft.irfft(spectrum, n=2 * length)[..., :length] + self.direct[:, None] * x
        return F.glu(self.mix(F.gelu(y).transpose(1, 2)), dim=-1).transpose(1, 2)


class Residual(nn.Module):
    """State space between norm and gate; one output goes on, one to the end."""

    def __init__(self, config: TSDiffConfig) -> None:
        super().__init__()
        width = config.width
        self.norm, self.space = nn.LayerNorm(width), StateSpace(width, config.states)
        self.level, self.known = nn.Linear(width, width), nn.Linear(CONDITION, width)
        self.on, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, level: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        h = x + self.level(level)[:, None]
        h = h + self.space(self.norm(h).transpose(1, 2)).transpose(1, 2)
        if condition is not None:
            h = h + self.known(condition)
        h = torch.tanh(h) * torch.sigmoid(h)
        return x + self.on(h), self.out(h)


class Network(nn.Module):
    """Predicts the noise in a window."""

    def __init__(self, config: TSDiffConfig, household: int) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.enter = nn.Linear(CHANNELS, width)
        self.level = nn.Sequential(nn.Linear(EMBEDDING, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.household = nn.Linear(household, width)
        self.blocks = nn.ModuleList([Residual(config) for _ in range(config.blocks)])
        self.leave = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, CHANNELS))

    def forward(self, noisy: Tensor, place: Tensor, condition: Tensor, household: Tensor) -> Tensor:
        """``(batch, step, 2)``; ``place`` ``(batch,)`` counts diffusion steps from 0."""
        rates = torch.exp(torch.linspace(0, -math.log(10_000), EMBEDDING // 2, device=noisy.device))
        angle = place.to(noisy)[:, None] * rates
        level = self.level(torch.cat([angle.sin(), angle.cos()], dim=-1))
        if self.config.is_conditional:
            level = level + self.household(household)
        x, ends = F.relu(self.enter(noisy)), []
        for block in self.blocks:
            x, end = block(x, level, condition if self.config.is_conditional else None)
            ends.append(end)
        noise: Tensor = self.leave(torch.stack(ends).sum(0))
        return noise


class TSDiff:
    """TSDiff as a window model."""

    def __init__(self, config: TSDiffConfig | None = None) -> None:
        self.config = config or TSDiffConfig()
        self.days = self.config.days
        self.network: Network | None = None

    def fit(self, windows: Windows, *, minutes: float, seed: int, folder: Path) -> list[dict[str, float]]:
        """See `windows.WindowModel.fit`."""
        config, device = self.config, device_at_hand()
        data = windows.to(device)
        torch.manual_seed(seed)
        network = Network(config, windows.household.shape[1]).to(device)
        optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
        kept = kept_share(config).to(device)

        def step(rng: np.random.Generator, share: float) -> float:
            signal, condition, household = data.batch(rng, config.batch)
            place = torch.from_numpy(rng.integers(config.diffusion_steps, size=config.batch)).to(device)
            noise = torch.from_numpy(rng.standard_normal(signal.shape, dtype=np.float32)).to(device)
            share_kept = kept[place][:, None, None]
            noisy = share_kept.sqrt() * signal + (1 - share_kept).sqrt() * noise
            loss = ((network(noisy, place, condition, household) - noise) ** 2).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 0.5)
            optimiser.step()
            return float(loss.detach())

        history = train(
            network, [optimiser], step, minutes=minutes, seed=seed, folder=folder, name="tsdiff",
            ema_halflife_steps=500, steps=config.steps,
        )  # fmt: skip
        self.network = network
        return history

    @torch.no_grad()
    def sample(self, condition: Tensor, household: Tensor, seed: int, key: str) -> Tensor:
        """See `windows.WindowModel.sample`; ancestral sampling (Ho et al. 2020, algorithm 2)."""
        if self.network is None:
            raise ValueError("the model has not been trained; call fit first")
        device = next(self.network.parameters()).device
        kept = kept_share(self.config).to(device)
        shape = (len(condition), condition.shape[1], CHANNELS)
        known, home = condition.to(device), household.to(device)
        x = window_noise(shape, seed, key, "tsdiff", len(kept)).to(device)
        for number in reversed(range(len(kept))):
            now, then = kept[number], kept[number - 1] if number else torch.ones_like(kept[0])
            factor = now / then  # 1 - variance of this step
            place = torch.full((len(x),), number, device=device)
            noise = self.network(x, place, known, home)
            x = (x - (1 - factor) / (1 - now).sqrt() * noise) / factor.sqrt()
            if number:
                fresh = window_noise(shape, seed, key, "tsdiff", number).to(device)
                x = x + ((1 - factor) * (1 - then) / (1 - now)).sqrt() * fresh
        return x.cpu()


def kept_share(config: TSDiffConfig) -> Tensor:
    """Share of the signal's variance that is left after each diffusion step, ``(diffusion_steps,)``."""
    variance = torch.linspace(*config.variance, config.diffusion_steps, dtype=torch.float64)
    return (1 - variance).cumprod(0).float()
