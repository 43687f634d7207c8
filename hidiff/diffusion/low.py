"""The low level: half-hours of 14 days, given daily tokens, the calendar, the weather and the household."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hidiff.data.calendars import Grid, day_features, harmonics, is_summer
from hidiff.data.prepare import BLOCKS, TOKENS, Prepared

from . import precondition
from .habit import HABIT, HALVES, PROFILE
from .identity import FEATURES, LEARNED, STATISTICS, StyleEncoder
from .network import NetworkConfig, Transformer
from .precondition import Example

Array = NDArray[np.float32]
WEATHER = 3
SHARED = 8 + 14 + WEATHER
"""Condition values that all homes share: clock, calendar, weather."""
OF_HABIT = 7
CONDITION = SHARED + 2 + TOKENS + 1 + 1 + OF_HABIT
"""… with the envelope of the home, the day's tokens, the hour's own block, the tokens' noise level, the habit."""
NIGHT_WEIGHT = 0.05
"""Clearness means nothing at night; a little weight keeps the samplers' path smooth there."""


@dataclass(frozen=True, kw_only=True)
class LowConfig:
    """Shape and noise of the low level."""

    window_days: int = 14
    width: int = 128
    blocks: int = 6
    dropout: float = 0.05
    sigma_min: float = 0.01
    sigma_max: float = 30.0
    sigma_mean: float = -0.6
    """Mean of the log noise level in training."""
    sigma_spread: float = 1.3
    token_noise: float = 0.2
    """Largest noise on the daily tokens in training, so that generated tokens serve as well as real ones."""
    statistics_noise: float = 0.15
    """Noise on the household statistics (standardised) in training."""
    habit_noise: float = 0.1
    """Noise on the habit (of unit spread) in training."""

    def network(self) -> NetworkConfig:
        """The network this asks for: one token an hour, rotary periods of a day, its parts and a week."""
        return NetworkConfig(
            channels=2, condition_channels=CONDITION, household_channels=len(STATISTICS) + LEARNED, patch=2,
            width=self.width, blocks=self.blocks, dropout=self.dropout, day=24,
            periods=(24.0, 12.0, 8.0, 6.0, 168.0), longest_period=1000.0,
        )  # fmt: skip


class LowLevel(nn.Module):
    """Denoiser of half-hours and encoder of styles, with the scales that they were trained on.

    Each ``…_scale`` buffer holds mean and spread of its values, ``(2, value)``.
    """

    signal_scale: Tensor
    token_scale: Tensor
    statistics_scale: Tensor
    feature_scale: Tensor
    weather_scale: Tensor
    habit_scale: Tensor

    def __init__(self, config: LowConfig) -> None:
        super().__init__()
        self.config = config
        self.network = Transformer(config.network())
        self.encoder = StyleEncoder()
        sizes = {
            "signal_scale": 2, "token_scale": TOKENS, "statistics_scale": len(STATISTICS),
            "feature_scale": FEATURES, "weather_scale": WEATHER, "habit_scale": HABIT,
        }  # fmt: skip
        for name, size in sizes.items():
            self.register_buffer(name, torch.stack([torch.zeros(size), torch.ones(size)]))

    def household(self, statistics: Tensor, learned: Tensor) -> Tensor:
        """Standardised statistics ``(home, 26)`` beside the learned style ``(home, 16)``, ``(home, 42)``."""
        return torch.cat([statistics, learned], dim=-1)

    def denoise(
        self,
        noisy: Tensor,
        sigma: Tensor,
        known: Tensor,
        is_known: Tensor,
        condition: Tensor,
        household: Tensor,
    ) -> Tensor:
        """Clean guess of ``noisy`` ``(batch, step, 2)``; the arguments are those of `Transformer.forward`."""
        return precondition.denoise(self.network, noisy, sigma, known, is_known, condition, household)


def standardise(values: Tensor, scale: Tensor) -> Tensor:
    """``values`` less their mean over their spread; ``scale`` is ``(2, value)``."""
    return (values - scale[0]) / scale[1]


def restore(values: Tensor, scale: Tensor) -> Tensor:
    """The inverse of `standardise`."""
    return values * scale[1] + scale[0]


def shared_condition(grid: Grid, weather: Tensor) -> Tensor:
    """Clock, calendar and weather (standardised, ``(day, 3)``) of every hour, ``(day, 24, 25)``."""
    clock = torch.from_numpy(harmonics(grid.clock_hour[:, ::2] / 24, 4))
    day = torch.cat([torch.from_numpy(day_features(grid)), weather], dim=1)
    return torch.cat([clock, day[:, None].expand(-1, 24, -1)], dim=2)


def clock_shift(grid: Grid) -> Tensor:
    """Half-hours by which the wall clock is ahead of standard time, ``(day,)``; 2 in summer time."""
    return torch.from_numpy(np.rint(grid.clock_hour[:, 0] * 2).astype(np.int64))


def weekend(grid: Grid) -> Tensor:
    """Weekend less its share of the week, ``(day,)``: what the weekend contrast of a habit is multiplied by."""
    return torch.from_numpy((grid.weekday >= 5).astype(np.float32) - 2 / 7)


def summer(grid: Grid) -> Tensor:
    """Which half of a habit each day has, ``(day,)``: 0 winter, 1 summer."""
    return torch.from_numpy(is_summer(grid.dates).astype(np.int64))


def habit_of_hours(habit: Tensor, half: Tensor, shift: Tensor, weekend: Tensor) -> Tensor:
    """Habit as it falls on standard-time days, ``(batch, day, 24, 7)``.

    Mean, low and high profile of both half-hours of each hour, then the weekend contrast of the hour.

    Args:
        habit: ``(batch, 336)``, see `habit.read`.
        half: see `summer`, ``(batch, day)``.
        shift: see `clock_shift`, ``(batch, day)``.
        weekend: see `weekend`, ``(batch, day)``.
    """
    batch, days = shift.shape
    slots = (torch.arange(48, device=habit.device) + shift[..., None]) % 48  # (batch, day, 48)
    own = habit.view(batch, HALVES, PROFILE).gather(1, half[..., None].expand(-1, -1, PROFILE))
    on_days = own[..., :144].view(batch, days, 3, 48).gather(3, slots[:, :, None].expand(-1, -1, 3, -1))
    hours = on_days.view(batch, days, 3, 24, 2).permute(0, 1, 3, 2, 4).flatten(3)
    contrast = own[..., 144:].gather(2, slots[..., ::2] // 2)
    return torch.cat([hours, (contrast * weekend[..., None])[..., None]], dim=3)


def condition(shared: Tensor, envelope: Tensor, tokens: Tensor, token_noise: Tensor, habit: Tensor) -> Tensor:
    """All condition values of every hour, ``(batch, hour, 44)``.

    Args:
        shared: ``(batch, day, 24, 25)``.
        envelope: clear-sky output per kWp, ``(batch, day, 48)``.
        tokens: standardised, ``(batch, day, 8)``.
        token_noise: how noisy the tokens are, ``(batch,)``.
        habit: see `habit_of_hours`.
    """
    batch, days = tokens.shape[:2]
    roof = envelope.view(batch, days, 24, 2)
    day = tokens[:, :, None].expand(-1, -1, 24, -1)
    own = tokens[..., :BLOCKS].repeat_interleave(24 // BLOCKS, dim=2)[..., None]
    level = token_noise[:, None, None, None].expand(-1, days, 24, 1)
    return torch.cat([shared, roof, day, own, level, habit], dim=3).flatten(1, 2)


class LowData:
    """Training windows of prepared homes; everything a batch needs, drawn by a generator."""

    def __init__(
        self,
        level: LowLevel,
        prepared: Prepared,
        weather: Array,
        statistics: Array,
        bank: Array,
        habits: Array,
    ) -> None:
        """Hold the homes.

        Args:
            weather: ``(day, 3)``, in the units of `data.weather`.
            statistics: ``(home, 26)``.
            bank: style features of many stretches of each home, ``(home, stretch, 253)``.
            habits: habits of the same stretches, ``(home, stretch, 336)``.
        """
        self.level, self.days = level, level.config.window_days
        self.starts = prepared.known_starts(self.days)
        if not len(self.starts):
            raise ValueError(f"no home has {self.days} whole days in a row; the low level cannot be trained")
        self.device = level.signal_scale.device

        def scaled(values: Array, scale: Tensor) -> Tensor:
            return standardise(torch.from_numpy(values).to(self.device), scale)

        raw = np.stack([np.nan_to_num(prepared.load_log_ratio), np.nan_to_num(prepared.clearness)], axis=-1)
        self.signal = scaled(raw, level.signal_scale)  # (home, day, 48, 2)
        self.sunny = torch.from_numpy(prepared.is_sunny).to(self.device)
        self.envelope = torch.from_numpy(prepared.envelope).to(self.device)
        self.tokens = scaled(np.nan_to_num(prepared.tokens), level.token_scale)
        own_weather = standardise(torch.from_numpy(weather), level.weather_scale.cpu())
        self.shared = shared_condition(prepared.grid, own_weather).to(self.device)
        self.half, self.shift, self.weekend = (
            part(prepared.grid).to(self.device) for part in (summer, clock_shift, weekend)
        )
        self.statistics = scaled(statistics, level.statistics_scale).clamp(-4, 4)
        self.bank = scaled(bank, level.feature_scale).clamp(-5, 5)
        self.habits = torch.from_numpy(habits).to(self.device)

    def loss(self, rng: np.random.Generator, batch: int, *, training: bool = True) -> Tensor:
        """Denoising loss of ``batch`` random windows; a scalar."""
        config = self.level.config
        example = self.draw(rng, batch, training=training)
        return precondition.denoising_loss(
            self.level.denoise, example, rng, config.sigma_mean, config.sigma_spread
        )

    def draw(self, rng: np.random.Generator, batch: int, *, training: bool = True) -> Example:
        """Random windows, with noise on what is told of them."""
        config, level = self.level.config, self.level
        picked = torch.from_numpy(self.starts[rng.integers(len(self.starts), size=batch)])
        home, start = picked.to(self.device).T
        day = start[:, None] + torch.arange(self.days, device=self.device)
        rows = home[:, None]
        signal = self.signal[rows, day].flatten(1, 2)  # (batch, step, 2)
        noise = partial(precondition.white, rng, device=self.device)

        token_levels = rng.uniform(0, config.token_noise, batch).astype(np.float32)
        token_noise = torch.from_numpy(token_levels).to(self.device)
        tokens = self.tokens[rows, day]
        tokens = tokens + token_noise[:, None, None] * noise(*tokens.shape)
        statistics = self.statistics[home] + config.statistics_noise * noise(batch, len(STATISTICS))
        stretch = torch.from_numpy(rng.integers(self.bank.shape[1], size=batch)).to(self.device)
        features = self.bank[home, stretch]
        learned = level.encoder(features, noise(batch, LEARNED) if training else None)
        habit = self.habits[home, stretch]
        habit = habit + config.habit_noise * noise(batch, HABIT) if training else habit

        is_known = known_context(rng, batch, self.days).to(self.device)
        sunny = self.sunny[rows, day].flatten(1, 2).float()
        weight = torch.stack([torch.ones_like(sunny), NIGHT_WEIGHT + (1 - NIGHT_WEIGHT) * sunny], dim=-1)
        told = condition(
            self.shared[day], self.envelope[rows, day], tokens, token_noise,
            habit_of_hours(habit, self.half[day], self.shift[day], self.weekend[day]),
        )  # fmt: skip
        known = signal * is_known[..., None]
        given = (known, is_known, told, level.household(statistics, learned))
        return Example(signal, weight * (1 - is_known)[..., None], given)


def known_context(rng: np.random.Generator, batch: int, days: int) -> Tensor:
    """Random known days at the left, the right, both or none, as ``(batch, step)`` of 0 and 1."""
    left = rng.choice([0, 0, 1, 2, 2, 4], size=batch)
    right = rng.choice([0, 0, 1, 2, 2, 4], size=batch)
    alone = rng.random(batch) < 0.35
    left[alone], right[alone] = 0, 0
    day = np.arange(days)[None]
    known = (day < left[:, None]) | (day >= days - right[:, None])
    return torch.from_numpy(np.repeat(known, 48, axis=1).astype(np.float32))
