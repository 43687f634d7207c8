"""``HiDiff``: both levels together, from a seed and a span of time to the traces of whole years."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
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
from hidiff.data import prepare as preparation
from hidiff.data.calendars import STEPS_PER_DAY
from hidiff.data.prepare import CLEARNESS, Prepared
from hidiff.data.traces import Traces, concat_homes
from hidiff.errors import CheckpointError

from . import conditional, distill, engine, habit, identity
from .conditional import Fan
from .habit import HabitPrior
from .high import HighConfig, HighLevel
from .household import Household, asked, known_days, new_household
from .identity import Prior, WindowReader
from .low import LowConfig, LowLevel, standardise
from .network import Transformer
from .noise import NoiseShares
from .regional import RegionalWeather, resolve
from .sampling import SamplerConfig, Sampling, check_weather, make_span

Array = NDArray[np.float32]
SHIPPED = Path(__file__).resolve().parents[1] / "models" / "ausgrid"
"""The model that comes with the package."""


Asked = float | Sequence[float | None] | None
"""A size asked of every home, of each home, or of none."""


def is_weight(value: Tensor) -> bool:
    """Whether a tensor may be stored in half precision: the matrices of a network, which run in bfloat16 anyway."""
    return value.ndim >= 2 and value.numel() > 10_000 and value.is_floating_point()


class HiDiff:
    """A trained hierarchical diffusion generator of household load and PV."""

    def __init__(
        self, low: LowLevel, high: HighLevel, prior: Prior, habits: HabitPrior, regional: RegionalWeather,
        reader: WindowReader, homes: Sequence[str], statistics: Array, styles: Array, day_quantiles: Array,
        capacity_kwp: Array,
        sampler: SamplerConfig | None = None, notes: dict[str, Any] | None = None,
        students: dict[str, Transformer] | None = None,
    ) -> None:  # fmt: skip
        """Put the parts together; `load` and `hidiff.training.train` are the usual ways to get one.

        Args:
            homes: names of the training homes.
            statistics: theirs, ``(home, 26)``.
            styles: theirs, ``(home, 352)``.
            day_quantiles: theirs, ``(home, 9, 7)``.
            capacity_kwp: theirs, ``(home,)``.
            notes: what the config should say besides: data, split, training.
            students: distilled networks of the levels ``low`` and ``high`` (see `distill`), or none.
        """
        self.low, self.high = low.eval(), high.eval()
        self.prior, self.habits, self.regional, self.reader = prior, habits, regional, reader
        self.homes, self.statistics, self.styles = list(homes), statistics, styles
        self.day_quantiles, self.capacity_kwp = day_quantiles, capacity_kwp
        self.sampler = sampler or SamplerConfig()
        self.notes = notes or {}
        self.students = {name: student.eval() for name, student in (students or {}).items()}
        self.model_hash: str | None = None

    # ---------------------------------------------------------------- on disk

    def save(self, folder: Path, card: str) -> None:
        """Write a model directory (see `hidiff.checkpoint`)."""
        tensors = {f"low.{name}": value for name, value in self.low.state_dict().items()}
        tensors |= {f"high.{name}": value for name, value in self.high.state_dict().items()}
        for level, student in self.students.items():
            tensors |= {f"student.{level}.{name}": value for name, value in student.state_dict().items()}
        tensors = {name: value.half() if is_weight(value) else value for name, value in tensors.items()}
        parts = {"prior": self.prior, "habits": self.habits, "regional": self.regional, "reader": self.reader}
        for prefix, part in parts.items():
            tensors |= {f"{prefix}.{name}": torch.from_numpy(value) for name, value in vars(part).items()}
        for name in ("statistics", "styles", "day_quantiles", "capacity_kwp"):
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
            sampler = {**config["sampler"], "noise": NoiseShares(**config["sampler"]["noise"])}
            students = {}
            for name, level in (("low", low), ("high", high)):
                if part(f"student.{name}"):
                    students[name] = Transformer(replace(level.config.network(), dropout=0.0))
                    students[name].load_state_dict(part(f"student.{name}"))
            known = {"format", "weights_sha256", "low", "high", "sampler", "homes"}
            model = HiDiff(
                low, high, Prior(**arrays("prior")), HabitPrior(**arrays("habits")),
                RegionalWeather(**arrays("regional")), WindowReader(**arrays("reader")),
                config["homes"], homes["statistics"], homes["styles"], homes["day_quantiles"],
                homes["capacity_kwp"], SamplerConfig(**sampler),
                {key: value for key, value in config.items() if key not in known}, students,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{folder} does not hold a model of this version ({error})") from error
        model.model_hash = config["weights_sha256"]
        return model

    # ---------------------------------------------------------------- households

    def households(
        self, homes: int, seed: int, *, mode: str = "new", household: Sequence[str] = (),
        readings: Traces | None = None, annual_kwh: Asked = None, pv_kwp: Asked = None,
    ) -> list[Household]:  # fmt: skip
        """The homes of a call; home number i is the same however many are asked for.

        Args:
            annual_kwh: mean annual load [kWh], of every home or one for each; None leaves it to the prior.
            pv_kwp: PV capacity [kWp], likewise.

        Raises:
            ValueError: no such mode or household, readings of less than two weeks, sizes out of range.
        """
        at = self._household_at(homes, seed, mode, household, readings, annual_kwh, pv_kwp)
        return [at(place) for place in range(homes)]

    def _household_at(
        self, homes: int, seed: int, mode: str, household: Sequence[str], readings: Traces | None,
        annual_kwh: Asked, pv_kwp: Asked,
    ) -> Callable[[int], Household]:  # fmt: skip
        """What draws a home of a call, by its place; all that was asked is checked at once."""
        if isinstance(homes, bool) or int(homes) != homes or homes < 1:
            raise ValueError(f"homes={homes}; ask for a whole number of homes, at least 1")
        annual_kwh_of = _each("annual_kwh", annual_kwh, homes, 100, 200_000)
        pv_kwp_of = _each("pv_kwp", pv_kwp, homes, 0, 1000)
        household = (household,) if isinstance(household, str) else tuple(household)
        if household and mode != "like":
            raise ValueError(f"household names {household[0]!r} but mode is {mode!r}; ask for mode like")
        if (readings is not None) != (mode == "from-readings"):
            raise ValueError("mode from-readings and readings go together; give both or neither")
        if mode == "new":
            return lambda place: new_household(
                self.prior, self.habits, random.generator(seed, "household", place), place, annual_kwh_of(place),
                pv_kwp_of(place),
            )  # fmt: skip
        if mode == "like":
            known = self._training_homes(household, seed)
        elif mode == "from-readings" and readings is not None:
            known = self._homes_from(readings)
        else:
            raise ValueError(f"unknown mode {mode!r}; there are new, like and from-readings")
        if homes < len(household):
            raise ValueError(
                f"homes={homes}, but {len(household)} households are named; ask for one home of each or more"
            )

        def known_household(place: int) -> Household:
            base, turn = known[place % len(known)], place // len(known)
            name = base.name if turn == 0 else f"{base.name}-{turn + 1}"
            energy_kwh, size_kwp = annual_kwh_of(place), pv_kwp_of(place)
            statistics, capacity = asked(base.statistics, energy_kwh, size_kwp)
            capacity = base.capacity_kwp if size_kwp is None else capacity
            return replace(
                base, name=name, key=name, statistics=statistics, capacity_kwp=capacity, annual_kwh=energy_kwh
            )

        return known_household

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
                float(self.capacity_kwp[i]), known_days(self.day_quantiles[i]), source=self.homes[i],
            )
            for i in places
        ]  # fmt: skip

    def _homes_from(self, readings: Traces) -> list[Household]:
        return self.homes_of(preparation.last_year(preparation.prepare(readings)))

    def homes_of(self, prepared: Prepared) -> list[Household]:
        """Homes as their own prepared days describe them."""
        days = prepared.is_known.sum(1)
        if (days < identity.DAYS_TO_KNOW).any():
            row = int(days.argmin())
            raise ValueError(
                f"home {prepared.names[row]!r} has {days[row]} whole days of readings; "
                f"{identity.DAYS_TO_KNOW} are needed to know a household"
            )
        weather = self.regional.climatology(prepared.grid.dates).to_numpy(dtype=np.float32)
        styles = self.encode(prepared)
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
            key = f"readings-{name}"
            result.append(
                Household(
                    key,
                    key,
                    "from-readings",
                    statistics,
                    styles[row],
                    float(prepared.capacity_kwp[row]),
                    known_days(identity.day_quantiles(prepared.select(np.array([row])), statistics[None])[0]),
                    source=name,
                )
            )
        return result

    @torch.no_grad()
    def encode(self, prepared: Prepared) -> Array:
        """Styles of prepared homes ``(home, 352)`` from all their known days: what is learned, then the habit."""
        known = [np.flatnonzero(row) for row in prepared.is_known]
        features = [identity.style_features(prepared, row, days) for row, days in enumerate(known)]
        scaled = standardise(torch.from_numpy(np.stack(features)), self.low.feature_scale.cpu()).clamp(-5, 5)
        device = next(self.low.parameters()).device
        learned = self.low.encoder(scaled.to(device)).cpu().numpy()
        found, count = zip(
            *(habit.profiles(prepared, row, days) for row, days in enumerate(known)), strict=True
        )
        own = habit.read(np.stack(found), np.stack(count), self.low.habit_scale.cpu().numpy())
        return np.concatenate([learned, own], axis=1)

    # ---------------------------------------------------------------- sampling

    def daily_weather(
        self, years: int = 1, start: str = "2030-01-01", seed: int = 0, *, weather: pd.DataFrame | None = None,
        time_zone: str = "Australia/Sydney",
    ) -> pd.DataFrame:  # fmt: skip
        """The weather that `sample_batches` gives its homes: one row a standard-time day that the span touches."""
        span = make_span(start, years, time_zone, self.low.config, self.high.config)
        check_weather(weather, span)
        dates = span.grid.dates
        kept = slice(span.lead // STEPS_PER_DAY, -(-(span.lead + len(span.time)) // STEPS_PER_DAY))
        return resolve(self.regional, dates, seed, weather).iloc[kept]

    def sampler_for(self, steps: int | None, solver: str | None) -> SamplerConfig:
        """The sampler of a call; who asks for steps asks for a solver that can take any number of them.

        Raises:
            ValueError: no such solver, no steps, a student where there is none or with steps of another number.
        """
        if steps is not None and steps < 1:
            raise ValueError(f"steps={steps}; sampling needs at least 1")
        if solver is None:
            is_student = self.sampler.solver == "student"
            solver = "dpm++2m" if steps is not None and is_student else self.sampler.solver
        own = len(distill.SIGMAS["low"]) - 1
        if solver == "student":
            if not self.students:
                raise ValueError("this model has no student; choose the solver dpm++2m or heun")
            if steps not in (None, own):
                raise ValueError(f"steps={steps}, but the student takes {own}; choose the solver dpm++2m")
            steps = own
        return replace(self.sampler, steps=steps or self.sampler.steps, solver=solver)

    def sample(
        self, homes: int | Sequence[Household] = 1, years: int = 1, start: str = "2030-01-01", seed: int = 0, *,
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
        self, homes: int | Sequence[Household], years: int = 1, start: str = "2030-01-01", seed: int = 0, *,
        mode: str = "new", household: Sequence[str] = (), readings: Traces | None = None,
        annual_kwh: Asked = None, pv_kwp: Asked = None, weather: pd.DataFrame | None = None,
        time_zone: str = "Australia/Sydney", steps: int | None = None, solver: str | None = None,
        batch_size: int | None = None, device: str = "cpu", workers: int | None = None, skip: int = 0,
        progress: bool = False,
    ) -> Iterator[Traces]:  # fmt: skip
        """Traces in batches of homes; a home's trace depends neither on the batch nor on the other homes.

        What is asked is checked at once; the work is done as the batches are taken.

        Args:
            homes: how many; or households of `households`, who live another life with every ``seed``.
            mode: ``new`` homes from the prior, ``like`` training homes, or ``from-readings``.
            household: training homes to be like; all in a random order where empty.
            readings: at least two weeks of one or more homes, for ``from-readings``.
            annual_kwh: mean annual load [kWh], of every home or one for each.
            pv_kwp: PV capacity [kWp], likewise.
            weather: daily weather, see `data.weather.read_weather`; columns it lacks are generated.
            steps: sampler steps of the low level; the high level takes twice as many. Not for the student.
            solver: student, dpm++2m or heun, see `SamplerConfig`.
            batch_size: homes in a batch; memory grows with it, the traces do not change. As many as a part of
                the free memory holds where it is not given.
            device: cpu or cuda. What a card does has been tested on a CPU; on a card it has not been run yet.
            workers: threads, each of which takes a core; every core where it is not given. The traces are the same
                bits for any number.
            skip: homes at the beginning that are not needed again.

        Raises:
            ValueError: arguments out of range, weather that does not cover the span.
        """
        sampler = self.sampler_for(steps, solver)
        for name, value in (("batch_size", batch_size), ("workers", workers)):
            if value is not None and (isinstance(value, bool) or int(value) != value or value < 1):
                raise ValueError(
                    f"{name}={value}; give a whole number, at least 1, or none to have it chosen"
                )
        if device not in ("cpu", "cuda"):
            raise ValueError(f"unknown device {device!r}; there are cpu and cuda")
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device cuda asked for, but torch finds no CUDA card; use cpu")
        span = make_span(start, years, time_zone, self.low.config, self.high.config)
        check_weather(weather, span)
        if isinstance(homes, Sequence):
            people, count = list(homes), len(homes)
            household_at: Callable[[int], Household] = people.__getitem__
            if (mode, *household, readings, annual_kwh, pv_kwp) != ("new", None, None, None):
                raise ValueError("homes were drawn; ask mode, readings and sizes of households()")
        else:
            count = homes
            household_at = self._household_at(count, seed, mode, household, readings, annual_kwh, pv_kwp)
        if isinstance(skip, bool) or int(skip) != skip or not 0 <= skip <= count:
            raise ValueError(f"skip={skip}; it must lie in 0..{count}, the number of homes")
        crew = workers or engine.workers_that_fit(device)
        size = batch_size or engine.homes_that_fit(device, span.years, crew)

        def batches() -> Iterator[Traces]:
            path = resolve(self.regional, span.grid.dates, seed, weather)
            usual = None if weather is None else resolve(self.regional, span.grid.dates, seed, None)
            sampling = Sampling(
                self.low, self.high, self.regional, span, path, seed, sampler, device, self.students, usual
            )

            def traces(places: range) -> Traces:
                return sampling.traces([household_at(place) for place in places])

            at_once = (
                1 if device == "cpu" else size
            )  # a core takes home by home, a card as many as it can get
            pieces = (range(begin, min(begin + at_once, count)) for begin in range(skip, count, at_once))
            total, done = count * span.years, skip * span.years
            with tqdm(total=total, initial=done, unit="home-year", disable=not progress) as bar:
                waiting: list[Traces] = []
                for piece in engine.in_order(traces, pieces, crew):
                    waiting.append(piece)
                    bar.update(len(piece) * span.years)
                    if sum(map(len, waiting)) >= size:
                        yield concat_homes(waiting)
                        waiting = []
                if waiting:
                    yield concat_homes(waiting)

        return batches()

    def conditional(
        self, readings: Traces, days: int = 1, n: int = 200, seed: int = 0, *,
        weather: pd.DataFrame | None = None, steps: int | None = None, solver: str | None = None,
    ) -> Fan:  # fmt: skip
        """``n`` equally likely paths of the ``days`` that follow ``readings``, of each of their homes.

        In a scenario all homes have one weather; it goes on from the clearness that their PV tells of the last weeks.
        Scenario number i of a home is the same however many are asked for; of fewer homes it is the same where
        ``weather`` tells the clearness of the known days as well.

        Args:
            readings: half-hourly, at least two weeks (a year makes a household well known), up to a local midnight,
                the last seven days without a gap.
            days: 1 to 14.
            n: scenarios.
            weather: what is known of the last days or forecast of the coming ones, any columns and days of
                `data.weather.read_weather`; NaN and the rest are drawn.
            steps: sampler steps, see `sample_batches`.
            solver: likewise.

        Raises:
            ValueError: readings that are too short, negative, end with a gap or not at midnight; numbers out of range.
        """
        sampler = self.sampler_for(steps, solver)
        return conditional.fan(self, readings, days, n, seed, weather, sampler)


def _each(name: str, value: Asked, homes: int, low: float, high: float) -> Callable[[int], float | None]:
    """What was asked of each home, by its place."""
    values = [value] if value is None or isinstance(value, (int, float)) else list(value)
    if len(values) not in (1, homes):
        raise ValueError(
            f"{name} has {len(values)} entries for {homes} homes; give one, or one for each home"
        )
    for one in values:
        if one is not None and not low <= one <= high:
            raise ValueError(f"{name}={one:g} lies outside {low:g}..{high:g}")
    return lambda place: values[place % len(values)]


def load(folder: Path | str | None = None) -> HiDiff:
    """The shipped model, or the one in ``folder``."""
    return HiDiff.load(folder)
