"""Who a household is: 26 statistics anyone can read, a style from its half-hours, and a prior over both.

The statistics set level and spread of the daily tokens, so a home's own scale is right by construction. The
style carries what days alone cannot say: 16 numbers that an encoder learns (fridge, spikes, shading), then the
habit (see `habit`). The prior is a Gaussian copula over the training homes, so a new home resembles the
population and nobody in it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats
from torch import Tensor, nn

from hidiff.data import calendars
from hidiff.data.prepare import CLEARNESS, TOKENS, Prepared, day_energy_ratio
from hidiff.data.solar import Roof

from .habit import HABIT, PROFILE, on_the_clock, profile

Array = NDArray[np.float32]

STATISTICS = [
    "log_mean_load",
    *[f"token_mean_{i}" for i in range(TOKENS)],
    *[f"log_token_spread_{i}" for i in range(TOKENS)],
    "weekend_effect",
    "heating_slope",
    "cooling_slope",
    "day_persistence",
    "low_day_share",
    "log_capacity",
    "tilt",
    "azimuth",
    "log_gain",
]
"""Names of a home's statistics, in order; ``log_mean_load`` in log kW, ``log_capacity`` in log kWp."""
PLACE = {name: place for place, name in enumerate(STATISTICS)}
LEARNED = 16
"""Numbers of a style that the encoder learns."""
STYLE = LEARNED + HABIT
DAYS_TO_KNOW = 14
"""Whole days of readings that a household is known from, at the least."""
FEATURES = PROFILE + 24 + 8 + 5 + 48
HEATING_BELOW_C, COOLING_ABOVE_C = 12.0, 26.0


def home_statistics(prepared: Prepared, home: int, days: NDArray[np.integer], weather: Array) -> Array:
    """Statistics of one home over some of its days, ``(26,)``.

    Args:
        home: place of the home.
        days: places of known days.
        weather: daily maximum and minimum temperature of all days, ``(day, >= 2)`` [deg C].
    """
    tokens = prepared.tokens[home, days]
    log_energy = np.log(np.maximum(day_energy_ratio(tokens), 0.02))
    weekend = prepared.grid.weekday[days] >= 5
    hot = np.maximum(weather[days, 0] - COOLING_ABOVE_C, 0)
    cold = np.maximum(HEATING_BELOW_C - weather[days, 1], 0)
    design = np.column_stack([np.ones(len(days)), weekend, cold, hot])
    penalty = np.diag([0, 1.0, 30.0, 30.0])  # a few weeks see one season: pull unseen slopes to zero
    slopes = np.linalg.solve(design.T @ design + penalty, design.T @ log_energy)
    anomaly = log_energy - design @ slopes
    consecutive = np.diff(days) == 1
    before, after = anomaly[:-1][consecutive], anomaly[1:][consecutive]
    persistence = (before * after).mean() / max(float((anomaly**2).mean()), 1e-6) if len(before) else 0.0
    roof, capacity = prepared.roofs[home], float(prepared.capacity_kwp[home])
    return np.array(
        [
            np.log(prepared.scale_kw[home]),
            *tokens.mean(0),
            *np.log(np.maximum(tokens.std(0), 0.02)),
            *slopes[1:],
            persistence,
            (day_energy_ratio(tokens) < 0.4).mean(),
            np.log(max(capacity, 0.05)),
            roof.tilt_deg,
            roof.azimuth_deg,
            np.log(roof.gain),
        ],
        dtype=np.float32,
    )


def roof_of(statistics: NDArray[np.floating]) -> Roof:
    """The roof that ``statistics`` ``(26,)`` describe."""
    return Roof(
        tilt_deg=float(np.clip(statistics[PLACE["tilt"]], 0, 90)),
        azimuth_deg=float(statistics[PLACE["azimuth"]]),
        gain=float(np.exp(statistics[PLACE["log_gain"]])),
    )


def token_scale(statistics: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Mean and spread of the daily tokens, each ``(…, 8)``."""
    return statistics[..., 1 : 1 + TOKENS], np.exp(statistics[..., 1 + TOKENS : 1 + 2 * TOKENS])


QUANTILE_SHARES = np.array([0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99])
"""Shares of the days at which a known home's tokens are kept."""
DAYS_FOR_QUANTILES = 330
"""Whole days of readings that say how a home's days are spread; fewer miss a season."""


def day_quantiles(prepared: Prepared, statistics: Array) -> Array:
    """How the load of each home's days is spread, ``(home, 9, 7)``: quantiles of tokens in units of `token_scale`.

    NaN for a home of less than `DAYS_FOR_QUANTILES`.
    """
    mean, spread = token_scale(statistics)
    found = np.full((len(statistics), len(QUANTILE_SHARES), CLEARNESS), np.nan, dtype=np.float32)
    for home, is_known in enumerate(prepared.is_known):
        if is_known.sum() >= DAYS_FOR_QUANTILES:
            days = (prepared.tokens[home, is_known] - mean[home]) / spread[home]
            found[home] = np.quantile(days[:, :CLEARNESS], QUANTILE_SHARES, axis=0)
    return found


def style_features(prepared: Prepared, home: int, days: NDArray[np.integer]) -> Array:
    """What the half-hours of ``days`` look like, ``(253,)``: profiles, spread, ramps, memory and shading."""
    load = on_the_clock(prepared.load_log_ratio[home, days], prepared.grid, days)
    flat = load.ravel()
    ramp = np.abs(np.diff(flat, append=flat[-1])).reshape(len(days), 24, 2).mean((0, 2))
    centred = flat - flat.mean()
    variance = max(float((centred**2).mean()), 1e-6)
    memory = [(centred[lag:] * centred[:-lag]).mean() / variance for lag in (1, 2, 4, 48, 336)]
    sunny = prepared.is_sunny[home, days]
    clear = np.where(sunny, prepared.clearness[home, days], 0).reshape(len(days), 24, 2)
    count = sunny.reshape(len(days), 24, 2).sum((0, 2))
    mean = clear.sum((0, 2)) / np.maximum(count, 1)
    spread = np.sqrt(np.maximum((clear**2).sum((0, 2)) / np.maximum(count, 1) - mean**2, 0))
    enough = count > 0.2 * len(days)
    return np.concatenate(
        [
            profile(load, prepared.grid.weekday[days] >= 5), ramp,
            np.quantile(flat, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999]), memory,
            np.where(enough, mean, 0), np.where(enough, spread, 0),
        ]
    ).astype(np.float32)  # fmt: skip


class StyleEncoder(nn.Module):
    """Features of some weeks to the learned part of a style; noise in training blurs the border of close homes."""

    def __init__(self, width: int = 128, noise: float = 0.3) -> None:
        super().__init__()
        self.noise = noise
        self.layers = nn.Sequential(
            nn.Linear(FEATURES, width),
            nn.SiLU(),
            nn.Dropout(0.1),
            nn.Linear(width, LEARNED),
            nn.LayerNorm(LEARNED),
        )

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Tensor:
        """Numbers ``(batch, 16)`` of standardised ``features`` ``(batch, 253)``; in training with ``noise``."""
        style: Tensor = self.layers(features)
        return style if noise is None else style + self.noise * noise


SHRINK = 0.01
"""How far correlations are pulled to zero. The optimal pull of Ledoit and Wolf (2004), a third with a hundred homes, is
for estimating a matrix; homes drawn with it have evenings in their habit that are not in their days."""


@dataclass(frozen=True, eq=False)  # one prior is itself alone, so that what follows from it can be kept
class Prior:
    """Gaussian copula over the statistics, the learned style and the modes of the habit of the training homes."""

    quantiles: Array
    """Empirical quantiles of each margin at evenly spaced shares, ``(value, 65)``."""
    correlation: Array
    """Shrunk correlation of the normal scores, ``(value, value)``."""

    @staticmethod
    def fit(values: NDArray[np.floating]) -> Prior:
        """Prior from one row a home, ``(home, value)``; the correlation is that of the homes, `SHRINK` less."""
        homes = len(values)
        ranks = scipy_stats.rankdata(values, axis=0)
        scores = scipy_stats.norm.ppf((ranks - 0.5) / homes)
        spread = scores.std(0)
        is_constant = ~(spread > 1e-9)  # the same in every home: it depends on nothing
        scores /= np.where(is_constant, 1, spread)
        correlation = scores.T @ scores / homes
        correlation[is_constant, is_constant] = 1
        correlation = (1 - SHRINK) * correlation + SHRINK * np.eye(len(correlation))
        shares = (np.arange(65) + 0.5) / 65
        return Prior(np.quantile(values, shares, axis=0).T.astype(np.float32), correlation.astype(np.float32))

    def scores(self, values: Mapping[int, float]) -> dict[int, float]:
        """Normal scores of asked values, by place; beyond the observed range the tail is linear."""
        shares = scipy_stats.norm.ppf((np.arange(65) + 0.5) / 65)
        result = {}
        for place, value in values.items():
            margin = np.maximum.accumulate(self.quantiles[place] + np.arange(65) * 1e-9)
            slope = (margin[-1] - margin[0]) / (shares[-1] - shares[0]) + 1e-9
            beyond = max(value - margin[-1], 0) + min(value - margin[0], 0)
            result[place] = float(np.clip(np.interp(value, margin, shares) + beyond / slope, -3.5, 3.5))
        return result

    def sample(self, rng: np.random.Generator, given: Mapping[int, float] | None = None) -> Array:
        """One home ``(value,)``; ``given`` holds asked values by place, the others follow the dependence."""
        free, mean, factor = _dependence(self, tuple(sorted((given or {}).items())))
        scores = np.zeros(len(self.correlation))
        scores[free] = mean + factor @ rng.standard_normal(len(scores))[free]
        shares = scipy_stats.norm.cdf(scores) * 65 - 0.5
        result = np.array(
            [np.interp(share, np.arange(65), row) for share, row in zip(shares, self.quantiles, strict=True)]
        )
        for place, value in (given or {}).items():
            result[place] = value
        return result.astype(np.float32)


@functools.lru_cache(maxsize=8)
def _dependence(
    prior: Prior, given: tuple[tuple[int, float], ...]
) -> tuple[NDArray[np.integer], NDArray[np.floating], NDArray[np.floating]]:
    """Places that are not ``given``, the mean of their normal scores, and the lower factor of their covariance."""
    correlation = prior.correlation
    if not given:
        return np.arange(len(correlation)), np.zeros(len(correlation)), np.linalg.cholesky(correlation)
    asked = prior.scores(dict(given))
    known = np.array(sorted(asked))
    free = np.setdiff1d(np.arange(len(correlation)), known)
    gain = np.linalg.solve(correlation[np.ix_(known, known)], correlation[np.ix_(known, free)]).T
    mean = gain @ np.array([asked[place] for place in known])
    rest = correlation[np.ix_(free, free)] - gain @ correlation[np.ix_(known, free)]
    return free, mean, np.linalg.cholesky(rest + 1e-6 * np.eye(len(free)))


SEASON_OF_LEVEL = 0.75
"""Power of the population's season that is taken out of the mean load of some weeks: homes differ in theirs."""


@dataclass(frozen=True)
class WindowReader:
    """Full-year statistics from a few weeks: season taken out, then pulled to the population as need be."""

    season: Array
    """Population tokens, relative to a home's own mean load, as harmonics of the season, ``(7, 8)``."""
    energy_season: Array
    """Population day energy over the home's mean, harmonics, ``(7,)``."""
    weeks: Array
    """Lengths that were fitted, rising, ``(length,)``."""
    trust: Array
    """Share of a reading's departure from the population that is kept, ``(length, 26)``."""
    population: Array
    """Mean statistics of the training homes, ``(26,)``."""

    @staticmethod
    def fit(
        prepared: Prepared,
        weather: Array,
        statistics: Array,
        weeks: tuple[int, ...],
        rng: np.random.Generator,
    ) -> WindowReader:
        """Learn from stretches of homes whose whole record is known."""
        seen_days = prepared.is_known.any(axis=0)
        design = calendars.season(prepared.grid.day_of_year[seen_days])
        tokens = np.nanmean(prepared.tokens[:, seen_days], axis=0)
        energy = np.nanmean(day_energy_ratio(prepared.tokens[:, seen_days]), axis=0)
        season = np.linalg.lstsq(design, tokens, rcond=None)[0].astype(np.float32)
        energy_season = np.linalg.lstsq(design, energy, rcond=None)[0].astype(np.float32)
        population = statistics.mean(0)
        trust_all = np.ones((len(weeks), len(STATISTICS)), np.float32)
        draft = WindowReader(season, energy_season, np.array(weeks, np.float32), trust_all, population)
        trust = []
        for length in weeks:
            seen, true = [], []
            for home in range(len(prepared.names)):
                known = np.flatnonzero(prepared.is_known[home])
                for _ in range(6):
                    days = min(7 * length, len(known))
                    start = int(rng.integers(len(known) - days + 1))
                    seen.append(draft.raw(prepared, home, known[start : start + days], weather))
                    true.append(statistics[home])
            x, y = np.stack(seen) - population, np.stack(true) - population
            trust.append(np.clip((x * y).sum(0) / np.maximum((x**2).sum(0), 1e-9), 0, 1))
            trust[-1][PLACE["log_mean_load"]] = (
                1  # whoever brings readings may live where homes use less, or more
            )
        return WindowReader(
            season, energy_season, draft.weeks, np.stack(trust).astype(np.float32), population
        )

    def raw(self, prepared: Prepared, home: int, days: NDArray[np.integer], weather: Array) -> Array:
        """Statistics of a stretch with the season taken out, before any pull to the population, ``(26,)``."""
        design = calendars.season(prepared.grid.day_of_year[days])
        own = prepared.tokens[home, days]
        mean_kw = day_energy_ratio(own).mean() * prepared.scale_kw[home]
        season_kw = max(float((design @ self.energy_season).mean()), 0.3)
        full_kw = mean_kw / season_kw**SEASON_OF_LEVEL
        shift = np.zeros(TOKENS, dtype=np.float32)
        # logs relative to the mean of a whole year
        shift[:CLEARNESS] = np.log(prepared.scale_kw[home] / full_kw)
        statistics = home_statistics(prepared, home, days, weather)
        season = design @ self.season
        residual = own + shift - season
        statistics[PLACE["log_mean_load"]] = np.log(full_kw)
        statistics[1 : 1 + TOKENS] = residual.mean(0) + self.season[0]
        yearly = (self.season[1:] ** 2).sum(0) / 2
        statistics[1 + TOKENS : 1 + 2 * TOKENS] = np.log(np.sqrt(residual.var(0) + yearly))
        return statistics

    def read(self, prepared: Prepared, home: int, days: NDArray[np.integer], weather: Array) -> Array:
        """Best guess of the statistics of the whole year, ``(26,)``."""
        length = np.log(np.clip(len(days) / 7, self.weeks[0], self.weeks[-1]))
        trust = np.array([np.interp(length, np.log(self.weeks), column) for column in self.trust.T])
        guess: Array = (
            self.population + trust * (self.raw(prepared, home, days, weather) - self.population)
        ).astype(np.float32)
        guess[PLACE["log_capacity"]] = np.log(max(float(prepared.capacity_kwp[home]), 0.05))
        return guess
