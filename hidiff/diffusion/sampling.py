"""One call of the generator: the span of time, the shared weather and sky, and the passes of both levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from hidiff import rng as random
from hidiff.data import calendars, solar
from hidiff.data.calendars import STEPS_PER_DAY, Grid
from hidiff.data.prepare import CLEARNESS, TOKENS, day_energy_ratio
from hidiff.data.traces import Traces
from hidiff.data.weather import COLUMNS

from . import distill, identity
from . import high as high_level
from . import low as low_level
from .assemble import Layout, to_kilowatts
from .high import HighConfig, HighLevel
from .household import Household
from .identity import LEARNED
from .low import LowConfig, LowLevel, restore, standardise
from .network import Transformer
from .precondition import denoise
from .regional import RegionalWeather, add_level, clearness_level
from .samplers import SAMPLERS
from .schedules import karras

Array = NDArray[np.float32]
HIGH_STEPS = 2
"""The high level takes this many times the steps: it is one window a year, and cheap."""
SPREAD_LIMITS = (0.7, 1.4)
"""A year of tokens this much less or more spread than its home is not taken for a fault and undone."""
MAX_YEARS = 100
"""Of one home in one call."""


@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """How to sample; the defaults are what the model card's scores were measured with."""

    steps: int = 8
    """Steps of the low level; the high level takes twice as many. The student has steps of its own."""
    solver: str = "dpm++2m"
    """student (distilled, one network pass a step), dpm++2m (the same, undistilled) or heun (two, the yardstick)."""
    regional_share: float = 0.35
    """Share of the variance of the clearness noise that all homes of a call share: the same clouds."""
    week_share: float = 0.15
    """Share of the variance of a new home's load noise that it repeats every week, by the wall clock: habits that
    nobody knows yet. (A home that is like another has that one's habits and draws none.)"""
    token_noise: float = 0.05
    """Noise level that the low level is told its daily tokens have."""
    windows_a_pass: int = 16
    """Windows in one pass of the low level; a fixed shape, so that no batch changes a trace."""
    homes_a_pass: int = 4
    """Homes in one pass of the high level, likewise."""
    bf16: bool = True
    """Run the networks in bfloat16."""

    def __post_init__(self) -> None:
        if self.solver not in SAMPLERS:
            raise ValueError(f"unknown solver {self.solver!r}; there are {', '.join(SAMPLERS)}")
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"steps={self.steps}; it must lie in 1..1000")
        if not 0 <= self.regional_share <= 1:
            raise ValueError(f"regional_share={self.regional_share}; it must lie in 0..1")
        if not 0 <= self.week_share <= 1:
            raise ValueError(f"week_share={self.week_share}; it must lie in 0..1")


@dataclass(frozen=True)
class Span:
    """The time to sample: whole local years, on a grid of standard-time days that holds them."""

    time: pd.DatetimeIndex
    """Interval starts asked for, UTC."""
    grid: Grid
    """All days that the levels sample, a little more than asked."""
    layout: Layout
    lead: int
    """Steps of the grid before the first asked one."""
    years: int
    time_zone: str


def make_span(start: str, years: int, time_zone: str, low: LowConfig, high: HighConfig) -> Span:
    """Twelve months a year from ``start`` on the local clock.

    Raises:
        ValueError: a start that is no date, years below 1, an unknown zone.
    """
    if isinstance(years, bool) or int(years) != years or not 1 <= years <= MAX_YEARS:
        raise ValueError(f"years={years}; ask for a whole number of years, 1 to {MAX_YEARS}")
    try:
        first = pd.Timestamp(start)
    except (ValueError, TypeError) as error:
        raise ValueError(f"start={start!r} is not a date; write it as 2030-01-01") from error
    if first is pd.NaT or first.tz is not None or not 1900 <= first.year <= 2150:
        raise ValueError(
            f"start={start!r}; give a naive local date between 1900 and 2150, such as 2030-01-01"
        )
    if first != first.normalize():
        raise ValueError(
            f"start={start!r} has a time of day; years start at local midnight, give the date alone"
        )
    try:
        begin, end = (
            stamp.tz_localize(time_zone, nonexistent="shift_forward", ambiguous=True)
            for stamp in (first, first + pd.DateOffset(years=int(years)))
        )
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"unknown time zone {time_zone!r}; use an IANA name such as Australia/Sydney"
        ) from error
    time = pd.date_range(begin.tz_convert("UTC"), end.tz_convert("UTC"), freq="30min", inclusive="left")
    day = calendars.first_standard_date(time[0], time_zone)
    days = (calendars.first_standard_date(time[-1], time_zone) - day).days + 1
    layout = Layout.cover(days, low.window_days)
    stride = high.window_days - high.context_days
    windows = max(-(-(layout.days - high.context_days) // stride), 1)
    grid = calendars.day_grid(day, windows * stride + high.context_days, time_zone)
    lead, late = divmod(time[0] - grid.time[0], pd.Timedelta(minutes=30))
    if late:
        raise ValueError(
            f"in {first.year} the clock of {time_zone} was off its half-hours of today; choose a later start"
        )
    return Span(time, grid, layout, lead, int(years), time_zone)


def check_weather(weather: pd.DataFrame | None, span: Span) -> None:
    """Raise `ValueError` unless ``weather`` has a column that counts and every day of the span."""
    if weather is None:
        return
    if not any(name in weather.columns for name in COLUMNS):
        raise ValueError(f"the weather has none of the columns {', '.join(COLUMNS)}; name them so")
    needed = span.grid.dates[: (span.lead + len(span.time) - 1) // STEPS_PER_DAY + 1]
    missing = needed.difference(weather.index)
    if len(missing):
        there = f"{weather.index[0]:%Y-%m-%d} to {weather.index[-1]:%Y-%m-%d}" if len(weather) else "no day"
        raise ValueError(
            f"the weather covers {there}, but {missing[0].date()} is needed ({len(missing)} days missing); "
            f"give all of {needed[0].date()} to {needed[-1].date()}"
        )


class Sampling:
    """One call's shared parts: span, weather, sky, schedule."""

    def __init__(
        self, low: LowLevel, high: HighLevel, regional: RegionalWeather, span: Span, weather: pd.DataFrame, seed: int,
        sampler: SamplerConfig, device: str, students: Mapping[str, Transformer],
        usual: pd.DataFrame | None = None,
    ) -> None:  # fmt: skip
        """Prepare.

        Args:
            weather: of every day of the span.
            usual: the weather that would have come by itself, where ``weather`` was asked for. In the first year
                of it a home has the mean load that its statistics say; asked weather moves it from there.
        """
        self.low, self.high = low, high
        self.regional, self.weather, self.usual = regional, weather, usual
        self.span, self.seed, self.sampler, self.device = span, seed, sampler, device
        values = torch.from_numpy(weather.to_numpy(dtype=np.float32))
        self.low_condition = low_level.shared_condition(
            span.grid, standardise(values, low.weather_scale.cpu())
        )[: span.layout.days]
        self.sky = solar.clear_sky_of_days(span.grid.dates[: span.layout.days])
        self.solve = SAMPLERS[sampler.solver]
        self.low_denoise: Callable[..., Tensor]
        self.high_denoise: Callable[..., Tensor]
        if sampler.solver == "student":
            self.low_sigmas, self.high_sigmas = (
                torch.tensor(distill.SIGMAS[name], dtype=torch.float64) for name in ("low", "high")
            )
            self.low_denoise, self.high_denoise = (
                partial(denoise, students[name]) for name in ("low", "high")
            )
        else:
            self.high_sigmas = karras(
                HIGH_STEPS * sampler.steps, high.config.sigma_min, high.config.sigma_max
            )
            self.low_sigmas = karras(sampler.steps, low.config.sigma_min, low.config.sigma_max)
            self.low_denoise, self.high_denoise = low.denoise, high.denoise

    @torch.no_grad()
    def traces(self, people: list[Household], bar: tqdm[Any]) -> Traces:
        """Traces of some homes over the whole span."""
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.sampler.bf16):
            tokens, unit_kw = self.days(people)
            load, pv = [], []
            for person, own, unit in zip(people, tokens, unit_kw, strict=True):
                signal, envelope = self.half_hours(person, own)
                kilowatts = to_kilowatts(signal, own, envelope, person, float(unit))
                load.append(kilowatts[0])
                pv.append(kilowatts[1])
                bar.update(self.span.years)
        span = self.span
        cut = slice(span.lead, span.lead + len(span.time))
        load_kw, pv_kw = (np.stack(part).reshape(len(people), -1)[:, cut] for part in (load, pv))
        hours = len(span.time) / 2
        for row, person in enumerate(people):
            if person.annual_kwh is not None:
                load_kw[row] *= person.annual_kwh * span.years / (load_kw[row].mean(dtype=np.float64) * hours)
        homes = pd.DataFrame(
            {
                "pv_capacity_kwp": [person.capacity_kwp for person in people],
                "annual_kwh": load_kw.mean(1, dtype=np.float64) * hours / span.years,
                "annual_pv_kwh": pv_kw.mean(1, dtype=np.float64) * hours / span.years,
                "mode": [person.mode for person in people],
                "source_home": [person.source_home for person in people],
                "roof_tilt_deg": [person.roof.tilt_deg for person in people],
                "roof_azimuth_deg": [person.roof.azimuth_deg for person in people],
            },
            index=pd.Index([person.name for person in people], name="home"),
        )
        return Traces(load_kw, pv_kw, span.time, homes, span.time_zone)

    def days(self, people: list[Household]) -> tuple[Array, Array]:
        """Daily tokens of each home in natural units ``(home, day, 8)``, and what load is a multiple of [kW].

        A home has exactly the mean and spread of load tokens and the mean load that its statistics say, in the
        first year of the weather that comes by itself. (The first year alone, so that a longer call begins with
        the days of a shorter one; clearness is left as it is, for the year's sky is everybody's.)
        """
        raw = np.stack([person.statistics for person in people])
        own, slow = self._standard_days(people, self.weather)
        usual = own if self.usual is None else self._standard_days(people, self.usual)[0]
        year = usual[:, : self.high.config.window_days, :CLEARNESS]
        centre, width = year.mean(1, keepdims=True), np.clip(year.std(1, keepdims=True), *SPREAD_LIMITS)
        mean, spread = identity.token_scale(raw)
        level, slope = (
            self.high.token_limits.cpu().numpy().transpose(1, 0, 2)
        )  # each (lowest and highest, token)
        lowest, highest = level[:, None] + slope[:, None] * np.log(spread)  # each (home, token)

        def natural(standard: Array) -> Array:
            fitted = standard.copy()
            fitted[..., :CLEARNESS] = (standard[..., :CLEARNESS] - centre) / width
            fitted = np.clip(fitted, lowest[:, None], highest[:, None])
            return np.asarray(fitted * spread[:, None] + mean[:, None], dtype=np.float32)

        tokens = add_level(natural(own), slow)
        tokens[..., CLEARNESS] = np.clip(tokens[..., CLEARNESS], 0.02, 1.2)
        energy = day_energy_ratio(natural(usual)[:, : self.high.config.window_days]).mean(1)
        return tokens, np.array([person.mean_load_kw for person in people]) / energy

    def _standard_days(self, people: list[Household], weather: pd.DataFrame) -> tuple[Array, Array]:
        """Tokens in units of each home's own mean and spread ``(home, day, 8)``, and the slow clearness left out."""
        model, config = self.high, self.high.config
        slow = clearness_level(
            self.regional, weather, config.window_days, config.window_days - config.context_days
        )
        shown = weather.assign(clearness=weather["clearness"] - slow).to_numpy(dtype=np.float32)
        told = high_level.condition(
            self.span.grid, standardise(torch.from_numpy(shown), model.weather_scale.cpu())
        )
        raw = np.stack([person.statistics for person in people])
        statistics = standardise(torch.from_numpy(raw), model.statistics_scale.cpu()).clamp(-4, 4)
        stride, size = config.window_days - config.context_days, self.sampler.homes_a_pass
        path = torch.zeros(len(people), len(self.span.grid), TOKENS)
        for window, start in enumerate(range(0, len(self.span.grid) - config.context_days, stride)):
            inside = slice(start, start + config.window_days)
            is_known = torch.zeros(size, config.window_days)
            is_known[:, : config.context_days if window else 0] = 1
            condition = told[inside].expand(size, -1, -1)
            for begin in range(0, len(people), size):
                rows = [min(begin + i, len(people) - 1) for i in range(size)]  # the last pass is filled up
                noise = torch.stack(
                    [
                        torch.from_numpy(
                            random.normal(
                                (config.window_days, TOKENS), self.seed, people[row].key, "high", window
                            )
                        )
                        for row in rows
                    ]
                )
                known = path[rows, inside] * is_known[..., None]
                drawn = self._solve(
                    self.high_sigmas, noise, self.high_denoise, known, is_known, condition, statistics[rows]
                )
                drawn = torch.where(is_known[..., None] > 0, known, drawn)
                path[begin : begin + size, inside] = drawn[: min(size, len(people) - begin)]
        return path.numpy(), slow

    def half_hours(self, person: Household, tokens: Array) -> tuple[Array, Array]:
        """Log load ratio and clearness of one home ``(day, 48, 2)``, its envelope per kWp ``(day, 48)``."""
        model, config, layout = self.low, self.low.config, self.span.layout
        size = self.sampler.windows_a_pass
        envelope = solar.envelope_kw(self.sky, person.roof, 1.0).reshape(-1, STEPS_PER_DAY)
        statistics = standardise(torch.from_numpy(person.statistics), model.statistics_scale.cpu()).clamp(
            -4, 4
        )
        style = torch.from_numpy(person.style)
        household = model.household(statistics, style[:LEARNED]).expand(size, -1)
        habit = model.habit(style[None, LEARNED:].to(model.habit_modes)).cpu().expand(size, -1)
        shift, weekend = (part(self.span.grid) for part in (low_level.clock_shift, low_level.weekend))
        scaled = standardise(torch.from_numpy(tokens[: layout.days]), model.token_scale.cpu())
        token_noise = torch.full((size,), self.sampler.token_noise)
        signal = torch.zeros(layout.days, STEPS_PER_DAY, 2)
        settled = torch.zeros(layout.days, dtype=torch.bool)
        for starts in (layout.first, layout.second):
            for begin in range(0, len(starts), size):
                chunk = starts[begin : begin + size]
                filled = np.concatenate([chunk, np.repeat(chunk[-1:], size - len(chunk))])
                days = torch.from_numpy(filled[:, None] + np.arange(config.window_days))
                is_known = settled[days].float().repeat_interleave(STEPS_PER_DAY, dim=1)
                known = signal[days].flatten(1, 2) * is_known[..., None]
                noise = torch.stack([self._noise(person, int(start)) for start in filled])
                condition = low_level.condition(
                    self.low_condition[days], torch.from_numpy(envelope)[days], scaled[days], token_noise,
                    low_level.habit_of_hours(habit, shift[days], weekend[days]),
                )  # fmt: skip
                drawn = self._solve(
                    self.low_sigmas, noise, self.low_denoise, known, is_known, condition, household
                )
                drawn = drawn.view(size, config.window_days, STEPS_PER_DAY, 2)
                for row in range(len(chunk)):
                    free = ~settled[days[row]]
                    signal[days[row][free]] = drawn[row][free]
            for start in starts:
                settled[start : start + config.window_days] = True
        return restore(signal, model.signal_scale.cpu()).numpy(), envelope

    def _noise(self, person: Household, start: int) -> Tensor:
        """Noise of a window ``(step, 2)``: the load's partly its habit, the clearness's partly that of the region."""
        shape = (self.low.config.window_days * STEPS_PER_DAY, 2)
        own = random.normal(shape, self.seed, person.key, "low", start)
        region = random.normal(shape, self.seed, "region", "low", start)
        if person.mode == "new":
            grid, share = self.span.grid, self.sampler.week_share
            days = slice(start, start + self.low.config.window_days)
            slots = (
                np.arange(STEPS_PER_DAY) + low_level.clock_shift(grid)[days, None].numpy()
            ) % STEPS_PER_DAY
            week = random.normal((7, STEPS_PER_DAY), self.seed, person.key, "week")
            habit = week[grid.weekday[days, None], slots].ravel()
            own[:, 0] = np.sqrt(1 - share) * own[:, 0] + np.sqrt(share) * habit
        share = self.sampler.regional_share
        own[:, 1] = np.sqrt(1 - share) * own[:, 1] + np.sqrt(share) * region[:, 1]
        return torch.from_numpy(own)

    def _solve(
        self,
        sigmas: Tensor,
        noise: Tensor,
        denoise: Any,
        known: Tensor,
        is_known: Tensor,
        condition: Tensor,
        home: Tensor,
    ) -> Tensor:
        fixed = [part.to(self.device) for part in (known, is_known, condition, home)]

        def denoiser(noisy: Tensor, sigma: Tensor) -> Tensor:
            guess: Tensor = denoise(noisy, sigma, *fixed)
            return guess.float()

        return self.solve(denoiser, noise.to(self.device), sigmas).cpu()
