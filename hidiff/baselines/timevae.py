"""TimeVAE: a variational autoencoder whose decoder adds level, trend, seasons and a residual.

Desai, Freeman, Wang and Beaver, "TimeVAE: A Variational Auto-Encoder for Multivariate Time Series Generation",
arXiv:2111.08095 (2021): convolutions of 50, 100 and 200 filters down and up, the reconstruction weighted by 3.

Chosen here: windows of two days at half-hours with one season, the half-hour of the day; the condition goes
beside the signal into the encoder, and through an encoder of its own, with the household, beside the latent
values into every block of the decoder; 16 latent values (published: 8) for 96 steps. A sample is the decoder's
mean, as published: it has no noise of its own and comes out smooth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hidiff import rng as random
from hidiff.data.calendars import STEPS_PER_DAY

from . import windows as shared
from .windows import CHANNELS, CONDITION, Windows

WINDOWS_A_PASS = 512


@dataclass(frozen=True, kw_only=True)
class TimeVaeConfig:
    """Size and training of TimeVAE."""

    days: int = 2
    """Days in a window."""
    latent: int = 16
    """Latent values of a window."""
    filters: tuple[int, ...] = (50, 100, 200)
    """Filters of the convolutions, each of which halves the steps."""
    context: int = 64
    """Values that the condition of a window is summed up in, and hidden units of the decoder's blocks."""
    trend_degree: int = 2
    """Highest power of time in the trend."""
    seasons: tuple[tuple[int, int], ...] = ((STEPS_PER_DAY, 1),)
    """Pairs of the number of seasons in a cycle and the steps of a season; (7, 48) is the day of the week."""
    reconstruction_weight: float = 3.0
    """Of the squared error over the divergence from the prior."""
    batch: int = 64
    learning_rate: float = 1e-3
    """At the start; it falls to a fiftieth along half a cosine (published: halved on plateaus)."""
    steps: int | None = None
    """Stop after so many steps, for runs that must repeat exactly; None: minutes decide."""

    def __post_init__(self) -> None:
        names = ("days", "latent", "context", "trend_degree", "reconstruction_weight", "batch")
        for name in (*names, "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)}; it must be above 0")
        if not self.filters or (self.days * STEPS_PER_DAY) % 2 ** len(self.filters):
            raise ValueError(
                f"filters={self.filters}; {self.days * STEPS_PER_DAY} steps must halve evenly for each, "
                "and one is needed at least"
            )
        if not all(count >= 1 and length >= 1 for count, length in self.seasons):
            raise ValueError(f"seasons={self.seasons}; counts and steps must be at least 1")


def trend(coefficients: Tensor, steps: int) -> Tensor:
    """Polynomials of time without a constant, ``(batch, step, channel)``.

    Args:
        coefficients: of the powers 1, 2, … of time, which runs from 0 to 1, ``(batch, channel, power)``.
    """
    time = torch.arange(steps, device=coefficients.device) / steps
    powers = torch.stack([time ** (power + 1) for power in range(coefficients.shape[-1])])  # (power, step)
    return (coefficients @ powers).transpose(1, 2)


def season(values: Tensor, season_steps: int, steps: int) -> Tensor:
    """Values that come round, each for ``season_steps`` at a time, ``(batch, step, channel)``.

    Args:
        values: one for each season of the cycle, ``(batch, channel, season)``.
    """
    place = torch.arange(steps, device=values.device) // season_steps % values.shape[-1]
    return values[..., place].transpose(1, 2)


def _two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def _halvings(channels: int, filters: tuple[int, ...]) -> nn.Sequential:
    """Convolutions that halve the steps, flattened at the end."""
    layers: list[nn.Module] = []
    for before, after in zip((channels, *filters), filters, strict=False):
        layers += [nn.Conv1d(before, after, 3, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten())


class Decoder(nn.Module):
    """Level, trend, seasons and residual from latent values and context."""

    def __init__(self, config: TimeVaeConfig, inputs: int) -> None:
        super().__init__()
        self.config, self.steps = config, config.days * STEPS_PER_DAY
        hidden, filters = config.context, config.filters
        self.level = _two_layers(inputs, hidden, CHANNELS)
        self.trend = _two_layers(inputs, hidden, CHANNELS * config.trend_degree)
        self.seasons = nn.ModuleList([nn.Linear(inputs, CHANNELS * count) for count, _ in config.seasons])
        shortest = self.steps // 2 ** len(filters)
        layers: list[nn.Module] = [
            nn.Linear(inputs, shortest * filters[-1]), nn.ReLU(), nn.Unflatten(1, (filters[-1], shortest))
        ]  # fmt: skip
        for before, after in zip(filters[::-1], (*filters[-2::-1], CHANNELS), strict=True):
            layers += [nn.ConvTranspose1d(before, after, 3, stride=2, padding=1, output_padding=1), nn.ReLU()]
        flat = self.steps * CHANNELS
        self.residual = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, flat))

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, latent + context)`` to ``(batch, step, 2)``."""
        signal: Tensor = self.residual(x).view(-1, self.steps, CHANNELS) + self.level(x)[:, None]
        signal = signal + trend(self.trend(x).view(len(x), CHANNELS, -1), self.steps)
        for layer, (count, length) in zip(self.seasons, self.config.seasons, strict=True):
            signal = signal + season(layer(x).view(-1, CHANNELS, count), length, self.steps)
        return signal


class Autoencoder(nn.Module):
    """Encoder of windows, encoder of what is known, decoder."""

    def __init__(self, config: TimeVaeConfig, household: int) -> None:
        super().__init__()
        self.weight = config.reconstruction_weight
        flat = config.days * STEPS_PER_DAY // 2 ** len(config.filters) * config.filters[-1]
        self.encode = _halvings(CHANNELS + CONDITION, config.filters)
        self.latent = nn.Linear(flat + household, 2 * config.latent)
        self.context = nn.Sequential(
            _halvings(CONDITION, config.filters), nn.Linear(flat, config.context), nn.ReLU()
        )
        self.decoder = Decoder(config, config.latent + config.context + household)

    def decode(self, latent: Tensor, condition: Tensor, household: Tensor) -> Tensor:
        """Mean of the windows, ``(batch, step, 2)``."""
        context = self.context(condition.transpose(1, 2))
        signal: Tensor = self.decoder(torch.cat([latent, context, household], dim=-1))
        return signal

    def loss(self, signal: Tensor, condition: Tensor, household: Tensor, noise: Tensor) -> Tensor:
        """Evidence bound with a weighted reconstruction, a mean over windows; ``noise`` ``(batch, latent)``."""
        seen = self.encode(torch.cat([signal, condition], dim=-1).transpose(1, 2))
        mean, log_variance = self.latent(torch.cat([seen, household], dim=-1)).chunk(2, dim=-1)
        error = signal - self.decode(mean + (log_variance / 2).exp() * noise, condition, household)
        # published: the error of the mean over channels counts as well
        wrong = error.square().sum((1, 2)) + error.mean(2).square().sum(1)
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)
        loss: Tensor = (self.weight * wrong + divergence).mean()
        return loss


class TimeVae:
    """TimeVAE as a `windows.WindowModel`."""

    def __init__(self, config: TimeVaeConfig | None = None) -> None:
        self.config = config or TimeVaeConfig()
        self.days = self.config.days
        self.network: Autoencoder | None = None

    def fit(self, windows: Windows, *, minutes: float, seed: int, folder: Path) -> list[dict[str, float]]:
        """Train for ``minutes`` in all."""
        config, device = self.config, shared.device_at_hand()
        torch.manual_seed(seed)
        network = Autoencoder(config, windows.household.shape[-1]).to(device)
        windows = windows.to(device)
        optimiser = torch.optim.Adam(network.parameters(), config.learning_rate)

        def step(rng: np.random.Generator, share: float) -> float:
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * (0.02 + 0.49 * (1 + math.cos(math.pi * share)))
            batch = windows.batch(rng, config.batch)
            noise = rng.standard_normal((config.batch, config.latent), dtype=np.float32)
            loss = network.loss(*batch, torch.from_numpy(noise).to(device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            return float(loss.detach())

        history = shared.train(
            network, [optimiser], step,
            minutes=minutes, seed=seed, folder=folder, name="timevae", steps=config.steps,
        )  # fmt: skip
        self.network = network
        return history

    @torch.no_grad()
    def sample(self, condition: Tensor, household: Tensor, seed: int, key: str) -> Tensor:
        """Standardised windows ``(window, step, 2)``; arguments as in `windows.WindowModel`."""
        if self.network is None:
            raise ValueError("TimeVae has no weights yet; call fit first")
        device, made = next(self.network.parameters()).device, []
        for begin in range(0, len(condition), WINDOWS_A_PASS):
            some = slice(begin, begin + WINDOWS_A_PASS)
            count = len(condition[some])
            draws = [
                random.normal((self.config.latent,), seed, key, "timevae", begin + i) for i in range(count)
            ]
            latent = torch.from_numpy(np.stack(draws)).to(device)
            made.append(self.network.decode(latent, condition[some].to(device), household[some].to(device)))
        return torch.cat(made).cpu()
