"""One call of the generator: the span of time, the shared weather and sky, and the passes of both levels."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hidiff.data import calendars, solar
from hidiff.data.calendars import STEPS_PER_DAY, Grid
from hidiff.data.prepare import CLEARNESS, TOKENS, day_energy_ratio
from hidiff.data.traces import Traces
from hidiff.data.weather import COLUMNS

from . import distill, identity
from . import high as high_level
from . import low as low_level
from . import noise as noises
from .assemble import Layout, to_kilowatts
from .high import HighConfig, HighLevel
from .household import Household
from .identity import LEARNED
from .kernels import is_bf16_fast
from .low import LowConfig, LowLevel, restore, standardise
from .network import Rotary, Transformer
from .noise import NoiseShares
from .precondition import denoise
from .regional import RegionalWeather, add_level, clearness_level
from .samplers import SAMPLERS
from .schedules import karras

Array = NDArray[np.float32]
HIGH_STEPS = 2
"""The high level takes this many times the steps: it is one window a year, and cheap."""
SPREAD_LIMITS = (0.7, 1.4)
"""A year of tokens this much less or more spread than its home is not taken for a fault and undone."""
WINDOWS_A_PASS = {"cpu": 16, "cuda": 512}
"""Most windows in one pass of the low level. On a card every pass is filled up to it, so that no batch changes a
trace; on a CPU, where a pass holds one home, the span alone says how many they are."""
HOMES_A_PASS = {"cpu": 1, "cuda": 64}
"""Homes in one pass of the high level, likewise."""
KNOWN_SLACK = 1.0
"""How much farther the days of a home may go whose own days are known, in units of their spread."""
MAX_YEARS = 100
"""Of one home in one call."""


@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """How to sample; the defaults are what the model card's scores were measured with."""

    steps: int = 8
    """Steps of the low level; the high level takes twice as many. The student has steps of its own."""
    solver: str = "dpm++2m"
    """student (distilled, one network pass a step), dpm++2m (the same, undistilled) or heun (two, the yardstick)."""
    token_noise: float = 0.05
    """Noise level that the low level is told its daily tokens have."""
    bf16: bool = True
    """Run the networks in bfloat16 where the machine multiplies it fast."""
    noise: NoiseShares = field(default_factory=NoiseShares)
    """What of the noise is not white."""

    def __post_init__(self) -> None:
        if self.solver not in SAMPLERS:
            raise ValueError(f"unknown solver {self.solver!r}; there are {', '.join(SAMPLERS)}")
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"steps={self.steps}; it must lie in 1..1000")


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


def schedule(
    low: LowLevel, high: HighLevel, sampler: SamplerConfig, students: Mapping[str, Transformer]
) -> tuple[Tensor, Tensor, tuple[Transformer, Transformer]]:
    """Noise levels of the low and the high level, and the networks that take them from one to the next."""
    if sampler.solver == "student":
        of_low, of_high = (
            torch.tensor(distill.SIGMAS[name], dtype=torch.float64) for name in ("low", "high")
        )
        return of_low, of_high, (students["low"], students["high"])
    of_high = karras(HIGH_STEPS * sampler.steps, high.config.sigma_min, high.config.sigma_max)
    of_low = karras(sampler.steps, low.config.sigma_min, low.config.sigma_max)
    return of_low, of_high, (low.network, high.network)


class Sampling:
    """One call's shared parts: span, weather, sky, schedule; and the way of some homes to their traces.

    Daily tokens first (`days`), then the half-hours of all windows (`half_hours`), then kilowatts. Noise is drawn
    on the host, keyed by home and window; all else up to the kilowatts stays on the device. No shape of a pass of
    the networks depends on the batch. On a CPU a pass holds one home, whose one context makes modulation a part of
    the layers (see `kernels`); on a card it mixes the windows of many (`is_mixed`).
    """

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
        self.regional, self.span, self.seed = regional, span, seed
        self.sampler, self.device, self.is_mixed = sampler, device, device != "cpu"
        self.high_condition, self.slow = self._told_of(weather)
        self.usual_condition = None if usual is None else self._told_of(usual)[0]
        values = torch.from_numpy(weather.to_numpy(dtype=np.float32))
        condition = low_level.shared_condition(span.grid, standardise(values, low.weather_scale.cpu()))
        self.low_condition = condition[: span.layout.days].to(device)
        shift, half = low_level.clock_shift(span.grid), low_level.summer(span.grid)
        self.slots = (np.arange(STEPS_PER_DAY) + shift[:, None].numpy()) % STEPS_PER_DAY
        self.half, self.shift, self.weekend = (
            part.to(device) for part in (half, shift, low_level.weekend(span.grid))
        )
        self.sky = solar.clear_sky_of_days(span.grid.dates[: span.layout.days])
        self.clouds: dict[int, Array] = {}
        """Clouds that all homes share, of each window that was drawn so far."""
        self.solve = SAMPLERS[sampler.solver]
        self.low_sigmas, self.high_sigmas, networks = schedule(low, high, sampler, students)
        is_bf16 = sampler.bf16 and (device != "cpu" or is_bf16_fast())
        dtype = torch.bfloat16 if is_bf16 else torch.float32
        self.low_network, self.high_network = (network.for_sampling(device, dtype) for network in networks)
        self.low_predict, self.high_predict = self.low_network.predict, self.high_network.predict
        if device == "cuda" and importlib.util.find_spec("triton"):  # comes with PyTorch on Linux
            self.low_predict, self.high_predict = (
                torch.compile(predict, dynamic=False) for predict in (self.low_predict, self.high_predict)
            )

    @torch.no_grad()
    def traces(self, people: Sequence[Household]) -> Traces:
        """Traces of some homes over the whole span."""
        tokens, unit_kw = self.days(people)
        signals, envelopes = self.half_hours(people, tokens)
        kilowatts = [
            to_kilowatts(*parts) for parts in zip(signals, tokens, envelopes, people, unit_kw, strict=True)
        ]
        span = self.span
        cut = slice(span.lead, span.lead + len(span.time))
        load_kw, pv_kw = (
            np.stack(part).reshape(len(people), -1)[:, cut] for part in zip(*kilowatts, strict=True)
        )
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

    # ---------------------------------------------------------------- tokens of the days

    def days(self, people: Sequence[Household]) -> tuple[Array, Array]:
        """Daily tokens of each home in natural units ``(home, day, 8)``, and what load is a multiple of [kW].

        A home has exactly the mean and spread of load tokens (a home whose days are known, their quantiles) and
        the mean load that its statistics say, in the first year of the weather that comes by itself. (The first
        year alone, so that a longer call begins with the days of a shorter one; clearness is left as it is, for
        the year's sky is everybody's.)
        """
        raw = np.stack([person.statistics for person in people])
        own = self._standard_days(people, self.high_condition)
        usual = own if self.usual_condition is None else self._standard_days(people, self.usual_condition)
        year = usual[:, : self.high.config.window_days, :CLEARNESS]
        centre, width = year.mean(1, keepdims=True), np.clip(year.std(1, keepdims=True), *SPREAD_LIMITS)
        mean, spread = identity.token_scale(raw)
        level, slope = (
            self.high.token_limits.cpu().numpy().transpose(1, 0, 2)
        )  # each (lowest and highest, token)
        lowest, highest = level[:, None] + slope[:, None] * np.log(spread)  # each (home, token)
        slack = np.array([[0.0 if person.day_quantiles is None else KNOWN_SLACK] for person in people])

        def natural(standard: Array) -> Array:
            fitted = standard.copy()
            fitted[..., :CLEARNESS] = (standard[..., :CLEARNESS] - centre) / width
            for home, person in enumerate(people):
                if person.day_quantiles is not None:
                    load = (year[home] - centre[home]) / width[home]
                    fitted[home, :, :CLEARNESS] = respread(
                        fitted[home, :, :CLEARNESS], load, person.day_quantiles
                    )
            fitted = np.clip(fitted, (lowest - slack)[:, None], (highest + slack)[:, None])
            return np.asarray(fitted * spread[:, None] + mean[:, None], dtype=np.float32)

        tokens = add_level(natural(own), self.slow)
        tokens[..., CLEARNESS] = np.clip(tokens[..., CLEARNESS], 0.02, 1.2)
        energy = day_energy_ratio(natural(usual)[:, : self.high.config.window_days]).mean(1)
        return tokens, np.array([person.mean_load_kw for person in people]) / energy

    def _told_of(self, weather: pd.DataFrame) -> tuple[Tensor, Array]:
        """What the high level is told of each day ``(day, 17)``, and the slow clearness that it is not told."""
        config = self.high.config
        slow = clearness_level(
            self.regional, weather, config.window_days, config.window_days - config.context_days
        )
        shown = weather.assign(clearness=weather["clearness"] - slow).to_numpy(dtype=np.float32)
        scaled = standardise(torch.from_numpy(shown), self.high.weather_scale.cpu())
        return high_level.condition(self.span.grid, scaled).to(self.device), slow

    def _standard_days(self, people: Sequence[Household], condition: Tensor) -> Array:
        """Tokens in units of each home's own mean and spread ``(home, day, 8)``."""
        model, config = self.high, self.high.config
        raw = np.stack([person.statistics for person in people])
        statistics = self._put(standardise(torch.from_numpy(raw), model.statistics_scale.cpu()).clamp(-4, 4))
        stride, size = config.window_days - config.context_days, HOMES_A_PASS[self.device]
        path = torch.zeros(len(people), len(self.span.grid), TOKENS, device=self.device)
        for window, start in enumerate(range(0, len(self.span.grid) - config.context_days, stride)):
            inside = slice(start, start + config.window_days)
            settled = config.context_days if window else 0
            for begin in range(0, len(people), size):
                places = np.arange(begin, min(begin + size, len(people)))
                rows = torch.from_numpy(filled_up(places, size)).to(self.device)
                white = [
                    noises.of_days(
                        config.window_days, self.seed, people[int(row)].key, window, self.sampler.noise
                    )
                    for row in places
                ]
                is_known = torch.zeros(size, config.window_days, device=self.device)
                is_known[:, :settled] = 1
                known = path[rows, inside] * is_known[..., None]
                told = self.high_network.told(known, is_known, condition[inside].expand(size, -1, -1))
                drawn = self._solve(self.high_predict, self.high_sigmas, white, told, statistics[rows])
                path[begin : begin + size, inside][:, settled:] = drawn[: len(places), settled:]
        return path.cpu().numpy()

    # ---------------------------------------------------------------- half-hours of the windows

    def half_hours(self, people: Sequence[Household], tokens: Array) -> tuple[Array, Array]:
        """Log load ratio and clearness ``(home, day, 48, 2)``, the homes' envelopes per kWp ``(home, day, 48)``."""
        model, layout = self.low, self.span.layout
        most, window_days = WINDOWS_A_PASS[self.device], model.config.window_days
        envelopes = np.stack([solar.envelope_kw(self.sky, person.roof, 1.0) for person in people])
        envelopes = envelopes.reshape(len(people), layout.days, STEPS_PER_DAY)
        raw = torch.from_numpy(np.stack([person.statistics for person in people]))
        statistics = standardise(raw, model.statistics_scale.cpu()).clamp(-4, 4)
        style = torch.from_numpy(np.stack([person.style for person in people]))
        household = self._put(model.household(statistics, style[:, :LEARNED]))
        habit = self._put(style[:, LEARNED:].contiguous())
        envelope = self._put(torch.from_numpy(envelopes))
        scaled = torch.from_numpy(tokens[:, : layout.days])
        scaled = self._put(standardise(scaled, model.token_scale.cpu()))
        signal = torch.zeros(len(people), layout.days, STEPS_PER_DAY, 2, device=self.device)
        for starts, context in ((layout.first, 0), (layout.second, layout.context_days)):
            free = slice(context, window_days - context)  # its neighbours have settled the other days
            for some in self._passes(len(people), starts):
                size = most if self.is_mixed else len(some)
                is_known = torch.ones(size, window_days, STEPS_PER_DAY, device=self.device)
                is_known[:, free] = 0
                token_noise = torch.full((size,), self.sampler.token_noise, device=self.device)
                rows, at = filled_up(some, size).T
                home = torch.from_numpy(rows).to(self.device)
                days = torch.from_numpy(at[:, None] + np.arange(window_days)).to(self.device)
                known = (signal[home[:, None], days] * is_known[..., None]).flatten(1, 2)
                condition = low_level.condition(
                    self.low_condition[days], envelope[home[:, None], days], scaled[home[:, None], days],
                    token_noise,
                    low_level.habit_of_hours(
                        habit[home], self.half[days], self.shift[days], self.weekend[days]
                    ),
                )  # fmt: skip
                white = [self._noise(people[int(row)], int(start)) for row, start in some]
                drawn = self._solve(
                    self.low_predict, self.low_sigmas, white,
                    self.low_network.told(known, is_known.flatten(1), condition),
                    household[home if self.is_mixed else home[:1]],
                )  # fmt: skip
                drawn = drawn.view(size, window_days, STEPS_PER_DAY, 2)
                signal[home[: len(some), None], days[: len(some), free]] = drawn[: len(some), free]
        return restore(signal.cpu(), model.signal_scale.cpu()).numpy(), envelopes

    def _noise(self, person: Household, start: int) -> Array:
        """Noise of a window ``(step, 2)``, of which a new home repeats habits of its own."""
        steps, shares = self.low.config.window_days * STEPS_PER_DAY, self.sampler.noise
        if start not in self.clouds:
            self.clouds[start] = noises.clouds(steps, self.seed, start)
        own = noises.of_half_hours(steps, self.seed, person.key, start, self.clouds[start], shares)
        if person.mode == "new":
            days = slice(start, start + self.low.config.window_days)
            habit = noises.unknown_habit(self.seed, person.key, shares)
            again = habit[self.span.grid.weekday[days, None], self.slots[days]].ravel()
            own[:, 0] = np.sqrt(1 - shares.week - shares.day) * own[:, 0] + again
        return own

    # ---------------------------------------------------------------- passes of the networks

    def _passes(self, homes: int, starts: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Pairs ``(home, start)`` of the windows of each pass; on a CPU those of one home (see `kernels`)."""
        together = homes if self.is_mixed else 1
        size = WINDOWS_A_PASS[self.device]
        for first in range(0, homes, together):
            pairs = np.array([(home, start) for home in range(first, first + together) for start in starts])
            for begin in range(0, len(pairs), size):
                yield pairs[begin : begin + size]

    def _solve(
        self, predict: Callable[..., Tensor], sigmas: Tensor, noise: list[Array], told: tuple[Tensor, Rotary],
        household: Tensor,
    ) -> Tensor:  # fmt: skip
        """Clean samples of one pass; ``noise`` is filled up to its fixed shape."""
        white = self._put(torch.from_numpy(filled_up(np.stack(noise), len(told[0]))))

        def network(noisy: Tensor, noise_value: Tensor) -> Tensor:
            return predict(noisy, noise_value[:1], household, *told)  # one noise level for all

        with torch.autocast(self.device, enabled=False):  # the networks have number formats of their own
            return self.solve(lambda noisy, sigma: denoise(network, noisy, sigma), white, sigmas)

    def _put(self, values: Tensor) -> Tensor:
        """``values`` on the device, without waiting for it."""
        if self.device == "cpu":
            return values
        return values.pin_memory().to(self.device, non_blocking=True)


def respread(days: Array, year: Array, quantiles: Array) -> Array:
    """Tokens of ``days`` ``(day, 7)`` such that those of ``year`` have ``quantiles`` ``(9, 7)``.

    Straight between the quantiles, shifted beyond the outermost.
    """
    made = np.quantile(year, identity.QUANTILE_SHARES, axis=0)
    result = np.empty_like(days)
    for channel in range(days.shape[1]):
        own, here, there = days[:, channel], made[:, channel], quantiles[:, channel]
        beyond = np.maximum(own - here[-1], 0) + np.minimum(own - here[0], 0)
        result[:, channel] = np.interp(own, here, there) + beyond
    return result


def filled_up(values: NDArray[Any], size: int) -> NDArray[Any]:
    """``values`` with the last one repeated until there are ``size``."""
    return np.concatenate([values, np.repeat(values[-1:], size - len(values), axis=0)])
