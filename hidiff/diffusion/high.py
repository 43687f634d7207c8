"""The high level: the days of more than a year at once, as tokens, given calendar, weather and household."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hidiff.data.calendars import Grid, day_features
from hidiff.data.prepare import PEAK, TOKENS, Prepared

from . import precondition
from .identity import STATISTICS, token_scale
from .low import WEATHER, standardise
from .network import NetworkConfig, Transformer
from .precondition import Example

Array = NDArray[np.float32]
CONDITION = 14 + WEATHER


@dataclass(frozen=True, kw_only=True)
class HighConfig:
    """Shape and noise of the high level."""

    window_days: int = 392
    """Days in one pass of the network: a year and four weeks."""
    context_days: int = 28
    """Days of the last window that the next one is given, so that years follow one another without a seam."""
    width: int = 128
    blocks: int = 4
    dropout: float = 0.15
    sigma_min: float = 0.01
    sigma_max: float = 30.0
    sigma_mean: float = -0.4
    """Mean of the log noise level in training."""
    sigma_spread: float = 1.3
    statistics_noise: float = 0.3
    """Noise on the household statistics (standardised) in training."""

    def network(self) -> NetworkConfig:
        """The network this asks for: one token a day, rotary periods of a week and its half."""
        return NetworkConfig(
            channels=TOKENS, condition_channels=CONDITION, household_channels=len(STATISTICS),
            width=self.width, blocks=self.blocks, dropout=self.dropout,
            periods=(7.0, 3.5, 7 / 3), longest_period=1500.0,
        )  # fmt: skip


class HighLevel(nn.Module):
    """Denoiser of daily tokens that are standardised with the mean and spread of their own home."""

    statistics_scale: Tensor
    weather_scale: Tensor
    token_limits: Tensor
    """How far a day may go, ``(2, 2, 8)``: lowest and highest standardised token, each as level and slope over the
    logarithm of the home's own spread."""

    def __init__(self, config: HighConfig) -> None:
        super().__init__()
        self.config = config
        self.network = Transformer(config.network())
        for name, size in (("statistics_scale", len(STATISTICS)), ("weather_scale", WEATHER)):
            self.register_buffer(name, torch.stack([torch.zeros(size), torch.ones(size)]))
        free = torch.tensor([[-6.0, 0.0], [6.0, 0.0]])[..., None].expand(2, 2, TOKENS)
        self.register_buffer("token_limits", free.clone())

    def denoise(
        self,
        noisy: Tensor,
        sigma: Tensor,
        known: Tensor,
        is_known: Tensor,
        condition: Tensor,
        statistics: Tensor,
    ) -> Tensor:
        """Clean guess of ``noisy`` ``(batch, day, 8)``; the arguments are those of `Transformer.forward`."""
        return precondition.denoise(self.network, noisy, sigma, known, is_known, condition, statistics)


def condition(grid: Grid, weather: Tensor) -> Tensor:
    """Calendar and weather of every day, ``(day, 17)``; ``weather`` is standardised, ``(day, 3)``."""
    return torch.cat([torch.from_numpy(day_features(grid)), weather], dim=1)


def own_tokens(prepared: Prepared, statistics: Array) -> Array:
    """Daily tokens standardised by their own home's mean and spread, ``(home, day, 8)``; 0 where unknown."""
    mean, spread = token_scale(statistics)
    own = (prepared.tokens - mean[:, None]) / spread[:, None]
    return np.where(prepared.is_known[..., None], own, 0).astype(np.float32)


PEAK_WIDTH = 0.4


def token_limits(prepared: Prepared, statistics: Array) -> Array:
    """The rarest days of homes as a function of their spread, ``(2, 2, 8)``, see `HighLevel.token_limits`.

    A home that is often away has a wide spread and few days above it; one bound for all would let it draw days that
    no home has. A line through the homes' lowest and highest days over the log spread, one standard error wide of it;
    but for the highest peak, the peak of a year, which people ask for: `PEAK_WIDTH` of one, at which new homes have the
    annual peak of the training homes.
    """
    own = own_tokens(prepared, statistics)
    spread = np.log(token_scale(statistics)[1])
    limits = np.zeros((2, 2, TOKENS), dtype=np.float32)
    for channel in range(TOKENS):
        for side, extreme in enumerate((np.min, np.max)):
            rarest = np.array(
                [extreme(days[known, channel]) for days, known in zip(own, prepared.is_known, strict=True)]
            )
            slope, level = (
                np.polyfit(spread[:, channel], rarest, 1)
                if spread[:, channel].std() > 0
                else (0, rarest.mean())
            )
            error = (rarest - level - slope * spread[:, channel]).std()
            width = PEAK_WIDTH * error if side and channel == PEAK else error
            limits[side, :, channel] = level + (width if side else -width), slope
    return limits


class HighData:
    """Training spans of prepared homes."""

    def __init__(self, level: HighLevel, prepared: Prepared, weather: Array, statistics: Array) -> None:
        """Hold the homes; arguments as for `low.LowData`."""
        self.level, self.days = level, level.config.window_days
        self.starts = prepared.known_starts(self.days)
        if not len(self.starts):
            raise ValueError(
                f"no home has {self.days} whole days in a row; "
                "lower window_days of the high level to train on less"
            )
        own = own_tokens(prepared, statistics)
        self.device = level.statistics_scale.device
        self.tokens = torch.from_numpy(own).to(self.device)
        own_weather = standardise(torch.from_numpy(weather), level.weather_scale.cpu())
        self.condition = condition(prepared.grid, own_weather).to(self.device)
        self.statistics = standardise(torch.from_numpy(statistics).to(self.device), level.statistics_scale)

    def loss(self, rng: np.random.Generator, batch: int, *, training: bool = True) -> Tensor:
        """Denoising loss of ``batch`` random spans; a scalar."""
        config = self.level.config
        example = self.draw(rng, batch, training=training)
        return precondition.denoising_loss(
            self.level.denoise, example, rng, config.sigma_mean, config.sigma_spread
        )

    def draw(self, rng: np.random.Generator, batch: int, *, training: bool = True) -> Example:
        """Random spans, half of them with some weeks known."""
        config = self.level.config
        picked = torch.from_numpy(self.starts[rng.integers(len(self.starts), size=batch)])
        home, start = picked.to(self.device).T
        day = start[:, None] + torch.arange(self.days, device=self.device)
        tokens = self.tokens[home[:, None], day]
        spread = config.statistics_noise if training else 0.0
        noise = precondition.white(rng, batch, len(STATISTICS), device=self.device)
        given = np.where(rng.random(batch) < 0.5, 0, rng.integers(7, 2 * config.context_days + 1, size=batch))
        is_given = (np.arange(self.days)[None] < given[:, None]).astype(np.float32)
        is_known = torch.from_numpy(is_given).to(self.device)
        weight = (1 - is_known)[..., None].expand_as(tokens)
        known = tokens * is_known[..., None]
        told = (known, is_known, self.condition[day], self.statistics[home] + spread * noise)
        return Example(tokens, weight, told)
