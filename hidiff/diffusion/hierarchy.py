"""``HiDiff``: both levels together, from a seed and a span of time to the traces of whole years."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from hidiff import checkpoint
from hidiff import rng as random
from hidiff.data import calendars, solar
from hidiff.data import prepare as preparation
from hidiff.data.calendars import STEPS_PER_DAY, Grid
from hidiff.data.prepare import CLEARNESS, LOAD_OFFSET, TOKENS
from hidiff.data.traces import Traces
from hidiff.data.weather import COLUMNS
from hidiff.errors import CheckpointError

from . import high as high_level
from . import identity
from . import low as low_level
from .assemble import Layout, scale_to_energy
from .high import HighConfig, HighLevel
from .household import Household, asked, new_household
from .identity import Prior, WindowReader
from .low import LowConfig, LowLevel, restore, standardise
from .regional import RegionalWeather, resolve
from .samplers import SAMPLERS
from .schedules import karras

Array = NDArray[np.float32]
MAX_YEARS = 100
"""Of one home in one call."""
SHIPPED = Path(__file__).resolve().parents[1] / "models" / "ausgrid"
"""The model that comes with the package."""


@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """How to sample; the defaults are what the model card's scores were measured with."""

    steps: int = 8
    """Steps of each level."""
    solver: str = "dpm++2m"
    """dpm++2m (one network pass a step) or heun (two, the yardstick)."""
    regional_share: float = 0.35
    """Share of the variance of the clearness noise that all homes of a call share: the same clouds."""
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


class HiDiff:
    """A trained hierarchical diffusion generator of household load and PV."""

    def __init__(
        self, low: LowLevel, high: HighLevel, prior: Prior, regional: RegionalWeather, reader: WindowReader,
        homes: Sequence[str], statistics: Array, styles: Array, capacity_kwp: Array,
        sampler: SamplerConfig | None = None, notes: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Put the parts together; `load` and `hidiff.training.train` are the usual ways to get one.

        Args:
            homes: names of the training homes.
            statistics: theirs, ``(home, 26)``.
            styles: theirs, ``(home, 16)``.
            capacity_kwp: theirs, ``(home,)``.
            notes: what the config should say besides: data, split, training.
        """
        self.low, self.high = low.eval(), high.eval()
        self.prior, self.regional, self.reader = prior, regional, reader
        self.homes, self.statistics, self.styles, self.capacity_kwp = (
            list(homes),
            statistics,
            styles,
            capacity_kwp,
        )
        self.sampler = sampler or SamplerConfig()
        self.notes = notes or {}
        self.model_hash: str | None = None

    # ---------------------------------------------------------------- on disk

    def save(self, folder: Path, card: str) -> None:
        """Write a model directory (see `hidiff.checkpoint`)."""
        tensors = {f"low.{name}": value for name, value in self.low.state_dict().items()}
        tensors |= {f"high.{name}": value for name, value in self.high.state_dict().items()}
        for prefix, part in (("prior", self.prior), ("regional", self.regional), ("reader", self.reader)):
            tensors |= {f"{prefix}.{name}": torch.from_numpy(value) for name, value in vars(part).items()}
        for name in ("statistics", "styles", "capacity_kwp"):
            tensors[f"homes.{name}"] = torch.from_numpy(getattr(self, name))
        config = {
            "low": asdict(self.low.config), "high": asdict(self.high.config), "sampler": asdict(self.sampler),
            "homes": self.homes, **self.notes,
        }  # fmt: skip
        checkpoint.save(folder, tensors, config, card)

    @staticmethod
    def load(folder: Path | str | None = None) -> HiDiff:
        """The model in ``folder``, or the one that ships with the package.

        Raises:
            CheckpointError: not a whole, unchanged model directory.
        """
        folder = SHIPPED if folder is None else Path(folder)
        tensors, config = checkpoint.load(folder)

        def part(prefix: str) -> dict[str, Tensor]:
            cut = len(prefix) + 1
            return {name[cut:]: value for name, value in tensors.items() if name.startswith(prefix + ".")}

        def arrays(prefix: str) -> dict[str, Array]:
            return {name: value.numpy() for name, value in part(prefix).items()}

        try:
            low, high = LowLevel(LowConfig(**config["low"])), HighLevel(HighConfig(**config["high"]))
            low.load_state_dict(part("low"))
            high.load_state_dict(part("high"))
            homes = arrays("homes")
            if len(homes["statistics"]) != len(config["homes"]):
                raise ValueError(f"{len(config['homes'])} homes with {len(homes['statistics'])} statistics")
            known = {"format", "weights_sha256", "low", "high", "sampler", "homes"}
            model = HiDiff(
                low, high, Prior(**arrays("prior")), RegionalWeather(**arrays("regional")),
                WindowReader(**arrays("reader")), config["homes"], homes["statistics"], homes["styles"],
                homes["capacity_kwp"], SamplerConfig(**config["sampler"]),
                {key: value for key, value in config.items() if key not in known},
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{folder} does not hold a model of this version ({error})") from error
        model.model_hash = config["weights_sha256"]
        return model

    # ---------------------------------------------------------------- households

    def households(
        self, homes: int, seed: int, *, mode: str = "new", household: Sequence[str] = (),
        readings: Traces | None = None, annual_kwh: float | None = None, pv_kwp: float | None = None,
    ) -> list[Household]:  # fmt: skip
        """The homes of a call; home number i is the same however many are asked for.

        Raises:
            ValueError: no such mode or household, readings of less than two weeks, sizes out of range.
        """
        if isinstance(homes, bool) or int(homes) != homes or homes < 1:
            raise ValueError(f"homes={homes}; ask for a whole number of homes, at least 1")
        for name, value, low, high in (("annual_kwh", annual_kwh, 100, 200_000), ("pv_kwp", pv_kwp, 0, 1000)):
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name}={value:g} lies outside {low:g}..{high:g}")
        household = (household,) if isinstance(household, str) else tuple(household)
        if household and mode != "like":
            raise ValueError(f"household names {household[0]!r} but mode is {mode!r}; ask for mode like")
        if (readings is not None) != (mode == "from-readings"):
            raise ValueError("mode from-readings and readings go together; give both or neither")
        if mode == "new":
            rngs = (random.generator(seed, "household", place) for place in range(homes))
            return [
                new_household(self.prior, rng, place, annual_kwh, pv_kwp) for place, rng in enumerate(rngs)
            ]
        if mode == "like":
            known = self._training_homes(household, seed)
        elif mode == "from-readings" and readings is not None:
            known = self._homes_from(readings)
        else:
            raise ValueError(f"unknown mode {mode!r}; there are new, like and from-readings")
        result = []
        for place in range(homes):
            base, turn = known[place % len(known)], place // len(known)
            name = base.name if turn == 0 else f"{base.name}-{turn + 1}"
            statistics, capacity = asked(base.statistics, annual_kwh, pv_kwp)
            capacity = base.capacity_kwp if pv_kwp is None else capacity
            result.append(
                replace(
                    base,
                    name=name,
                    key=name,
                    statistics=statistics,
                    capacity_kwp=capacity,
                    annual_kwh=annual_kwh,
                )
            )
        return result

    def _training_homes(self, household: Sequence[str], seed: int) -> list[Household]:
        unknown = [name for name in household if name not in self.homes]
        if unknown:
            raise ValueError(
                f"unknown household {unknown[0]!r}; the model was trained on {len(self.homes)}: "
                f"{', '.join(self.homes[:12])} …"
            )
        double = [name for place, name in enumerate(household) if name in household[:place]]
        if double:
            raise ValueError(
                f"household {double[0]!r} is named twice; ask for more homes to get variants of it"
            )
        places = [self.homes.index(name) for name in household]
        if not places:
            places = list(random.generator(seed, "like").permutation(len(self.homes)))
        return [
            Household(
                f"like-{self.homes[i]}", f"like-{self.homes[i]}", "like", self.statistics[i], self.styles[i],
                float(self.capacity_kwp[i]),
            )
            for i in places
        ]  # fmt: skip

    def _homes_from(self, readings: Traces) -> list[Household]:
        prepared = preparation.prepare(readings)
        days = prepared.is_known.sum(1)
        if (days < identity.DAYS_TO_KNOW).any():
            row = int(days.argmin())
            raise ValueError(
                f"home {prepared.names[row]!r} has {days[row]} whole days of readings; "
                f"{identity.DAYS_TO_KNOW} are needed to know a household"
            )
        weather = self.regional.climatology(prepared.grid.dates).to_numpy(dtype=np.float32)
        result = []
        for row, name in enumerate(prepared.names):
            known = np.flatnonzero(prepared.is_known[row])
            statistics = self.reader.read(prepared, row, known, weather)
            if not prepared.capacity_kwp[row] > 0:  # no panels: any roof will do, nothing will come of it
                for value in (
                    "tilt",
                    "azimuth",
                    "log_gain",
                    f"token_mean_{CLEARNESS}",
                    f"log_token_spread_{CLEARNESS}",
                ):
                    statistics[identity.PLACE[value]] = self.reader.population[identity.PLACE[value]]
            style = self.encode(identity.style_features(prepared, row, known)[None])[0]
            key = f"readings-{name}"
            result.append(
                Household(key, key, "from-readings", statistics, style, float(prepared.capacity_kwp[row]))
            )
        return result

    @torch.no_grad()
    def encode(self, features: Array) -> Array:
        """Styles ``(home, 16)`` from style features ``(home, 253)``."""
        scaled = standardise(torch.from_numpy(features), self.low.feature_scale.cpu()).clamp(-5, 5)
        device = next(self.low.parameters()).device
        style: Array = self.low.encoder(scaled.to(device)).cpu().numpy()
        return style

    # ---------------------------------------------------------------- sampling

    def sample(
        self, homes: int = 1, years: int = 1, start: str = "2030-01-01", seed: int = 0, *,
        progress: bool = False, **choices: Any,
    ) -> Traces:  # fmt: skip
        """Traces of ``homes`` for ``years`` from local midnight of ``start``.

        Args:
            choices: see `sample_batches`.
        """
        batches = list(self.sample_batches(homes, years, start, seed, progress=progress, **choices))
        first = batches[0]
        return Traces(
            np.concatenate([batch.load_kw for batch in batches]),
            np.concatenate([batch.pv_kw for batch in batches]),
            first.time, pd.concat([batch.homes for batch in batches]), first.time_zone,
        )  # fmt: skip

    def sample_batches(
        self, homes: int, years: int = 1, start: str = "2030-01-01", seed: int = 0, *, mode: str = "new",
        household: Sequence[str] = (), readings: Traces | None = None, annual_kwh: float | None = None,
        pv_kwp: float | None = None, weather: pd.DataFrame | None = None, time_zone: str = "Australia/Sydney",
        steps: int | None = None, solver: str | None = None, batch_size: int = 8, device: str = "cpu",
        skip: int = 0, progress: bool = False,
    ) -> Iterator[Traces]:  # fmt: skip
        """Traces in batches of homes; a home's trace depends neither on the batch nor on the other homes.

        What is asked is checked at once; the work is done as the batches are taken.

        Args:
            mode: ``new`` homes from the prior, ``like`` training homes, or ``from-readings``.
            household: training homes to be like; all in a random order where empty.
            readings: at least two weeks of one or more homes, for ``from-readings``.
            annual_kwh: mean annual load of every home [kWh].
            pv_kwp: PV capacity of every home [kWp].
            weather: daily weather, see `data.weather.read_weather`; columns it lacks are generated.
            steps: sampler steps of each level.
            batch_size: homes in a batch; memory grows with it, the traces do not change.
            skip: homes at the beginning that are not needed again.

        Raises:
            ValueError: arguments out of range, weather that does not cover the span.
        """
        sampler = replace(
            self.sampler, steps=steps or self.sampler.steps, solver=solver or self.sampler.solver
        )
        if steps is not None and steps < 1:
            raise ValueError(f"steps={steps}; sampling needs at least 1")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}; a batch holds at least 1 home")
        if device not in ("cpu", "cuda"):
            raise ValueError(f"unknown device {device!r}; there are cpu and cuda")
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device cuda asked for, but torch finds no CUDA card; use cpu")
        span = make_span(start, years, time_zone, self.low.config, self.high.config)
        _check_weather(weather, span)
        people = self.households(
            homes, seed, mode=mode, household=household, readings=readings,
            annual_kwh=annual_kwh, pv_kwp=pv_kwp,
        )  # fmt: skip

        def batches() -> Iterator[Traces]:
            self.low.to(device)
            self.high.to(device)
            path = resolve(self.regional, span.grid.dates, seed, weather)
            sampling = _Sampling(self, span, path, seed, sampler, device)
            total, done = homes * span.years, skip * span.years
            with tqdm(total=total, initial=done, unit="home-year", disable=not progress) as bar:
                for begin in range(skip, homes, batch_size):
                    yield sampling.traces(people[begin : begin + batch_size], bar)

        return batches()


def _check_weather(weather: pd.DataFrame | None, span: Span) -> None:
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


class _Sampling:
    """One call's shared parts: span, weather, sky, schedule."""

    def __init__(
        self, model: HiDiff, span: Span, weather: pd.DataFrame, seed: int, sampler: SamplerConfig, device: str
    ) -> None:
        self.model, self.span, self.seed, self.sampler, self.device = model, span, seed, sampler, device
        values = torch.from_numpy(weather.to_numpy(dtype=np.float32))
        self.high_condition = high_level.condition(
            span.grid, standardise(values, model.high.weather_scale.cpu())
        )
        self.low_condition = low_level.shared_condition(
            span.grid, standardise(values, model.low.weather_scale.cpu())
        )[: span.layout.days]
        self.sky = solar.clear_sky_of_days(span.grid.dates[: span.layout.days])
        self.solve = SAMPLERS[sampler.solver]
        self.high_sigmas = karras(sampler.steps, model.high.config.sigma_min, model.high.config.sigma_max)
        self.low_sigmas = karras(sampler.steps, model.low.config.sigma_min, model.low.config.sigma_max)

    @torch.no_grad()
    def traces(self, people: list[Household], bar: tqdm[Any]) -> Traces:
        """Traces of some homes over the whole span."""
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.sampler.bf16):
            tokens = self.days(people)
            load, pv = [], []
            for person, own in zip(people, tokens, strict=True):
                signal, envelope = self.half_hours(person, own)
                kilowatts = to_kilowatts(signal, own, envelope, person)
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
                "roof_tilt_deg": [person.roof.tilt_deg for person in people],
                "roof_azimuth_deg": [person.roof.azimuth_deg for person in people],
            },
            index=pd.Index([person.name for person in people], name="home"),
        )
        return Traces(load_kw, pv_kw, span.time, homes, span.time_zone)

    def days(self, people: list[Household]) -> Array:
        """Daily tokens of each home in natural units, ``(home, day, 8)``."""
        model, config = self.model.high, self.model.high.config
        raw = np.stack([person.statistics for person in people])
        statistics = standardise(torch.from_numpy(raw), model.statistics_scale.cpu()).clamp(-4, 4)
        stride, size = config.window_days - config.context_days, self.sampler.homes_a_pass
        path = torch.zeros(len(people), len(self.span.grid), TOKENS)
        for window, start in enumerate(range(0, len(self.span.grid) - config.context_days, stride)):
            inside = slice(start, start + config.window_days)
            is_known = torch.zeros(size, config.window_days)
            is_known[:, : config.context_days if window else 0] = 1
            condition = self.high_condition[inside].expand(size, -1, -1)
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
                    self.high_sigmas, noise, model.denoise, known, is_known, condition, statistics[rows]
                )
                drawn = torch.where(is_known[..., None] > 0, known, drawn)
                path[begin : begin + size, inside] = drawn[: min(size, len(people) - begin)]
        mean, spread = identity.token_scale(raw)
        tokens: Array = path.numpy() * spread[:, None] + mean[:, None]
        tokens[..., CLEARNESS] = np.clip(tokens[..., CLEARNESS], 0.02, 1.2)
        return tokens.astype(np.float32)

    def half_hours(self, person: Household, tokens: Array) -> tuple[Array, Array]:
        """Log load ratio and clearness of one home ``(day, 48, 2)``, its envelope per kWp ``(day, 48)``."""
        model, config, layout = self.model.low, self.model.low.config, self.span.layout
        size = self.sampler.windows_a_pass
        envelope = solar.envelope_kw(self.sky, person.roof, 1.0).reshape(-1, STEPS_PER_DAY)
        statistics = standardise(torch.from_numpy(person.statistics), model.statistics_scale.cpu()).clamp(
            -4, 4
        )
        household = model.household(statistics, torch.from_numpy(person.style)).expand(size, -1)
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
                    self.low_condition[days], torch.from_numpy(envelope)[days], scaled[days], token_noise
                )
                drawn = self._solve(
                    self.low_sigmas, noise, model.denoise, known, is_known, condition, household
                )
                drawn = drawn.view(size, config.window_days, STEPS_PER_DAY, 2)
                for row in range(len(chunk)):
                    free = ~settled[days[row]]
                    signal[days[row][free]] = drawn[row][free]
            for start in starts:
                settled[start : start + config.window_days] = True
        return restore(signal, model.signal_scale.cpu()).numpy(), envelope

    def _noise(self, person: Household, start: int) -> Tensor:
        """Noise of a window ``(step, 2)``: the load's its own, the clearness's partly that of the region."""
        shape = (self.model.low.config.window_days * STEPS_PER_DAY, 2)
        own = random.normal(shape, self.seed, person.key, "low", start)
        region = random.normal(shape, self.seed, "region", "low", start)
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


def to_kilowatts(signal: Array, tokens: Array, envelope: Array, person: Household) -> tuple[Array, Array]:
    """Load and PV [kW], ``(day, 48)`` each, with the energy of each day as its tokens say.

    Load is at most the day's peak, PV at most the capacity and 1.3 times the clear sky; where these bounds
    bind, the rest of the day makes up for it.
    """
    days = len(signal)
    own = tokens[:days]
    ratio = np.maximum(np.exp(signal[..., 0]) - LOAD_OFFSET, 0)
    energy = preparation.day_energy_ratio(own)
    peak = np.maximum(preparation.peak_ratio(own), energy * 1.02)
    load = (
        scale_to_energy(ratio, energy, np.repeat(peak[:, None], STEPS_PER_DAY, axis=1)) * person.mean_load_kw
    )
    clear_kw = envelope * person.capacity_kwp
    cap = np.minimum(solar.MAX_CLEARNESS * clear_kw, person.capacity_kwp)
    shape = np.clip(signal[..., 1], 0.005, solar.MAX_CLEARNESS) * clear_kw
    pv = scale_to_energy(shape, own[:, CLEARNESS] * clear_kw.mean(1), cap)
    return load.astype(np.float32), pv.astype(np.float32)


def load(folder: Path | str | None = None) -> HiDiff:
    """The shipped model, or the one in ``folder``."""
    return HiDiff.load(folder)
