"""The generators that `benchmarks/fidelity.py` compares: one interface, the same homes, days, weather and minutes.

Every trained rival learns from the windows that hidiff learns from, is told the same calendar, weather and
household, and samples the households that hidiff samples. Rivals that paste real days are given the training
homes' year before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import hidiff
from hidiff import rng, training
from hidiff.baselines import windows, years
from hidiff.baselines.bootstrap import DayBootstrap
from hidiff.baselines.hidiff_energy import HiDiffEnergy, HiDiffEnergyConfig
from hidiff.baselines.last_year import LastYear
from hidiff.baselines.markov import DayMarkov
from hidiff.baselines.plain import Plain
from hidiff.baselines.timegan import TimeGan
from hidiff.baselines.timevae import TimeVae
from hidiff.baselines.tsdiff import TSDiff, TSDiffConfig
from hidiff.data import prepare
from hidiff.data.prepare import Prepared, day_energy_ratio
from hidiff.data.traces import Traces
from hidiff.data.weather import observed_weather
from hidiff.diffusion import identity, sampling
from hidiff.diffusion.assemble import Layout
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.household import Household
from hidiff.diffusion.regional import resolve
from hidiff.diffusion.sampling import Sampling, make_span

START, KNOWN = "2012-07-01", "2011-07-01"
"""First days of the year that is judged and of the year before it."""
REFERENCE = HiDiffEnergyConfig(width=32, batch=32, sampling_steps=10)
"""The reference design at a quarter of its width and with 10 strided steps for its 500: whole, it makes one step of
training in nine seconds on a core and a home-year in an hour."""
Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Study:
    """What every generator is given."""

    model: HiDiff
    """The model whose split, households and weather are used."""
    real: Traces
    """All clean homes, as recorded."""
    data: Path
    weather_file: Path
    minutes: float
    """Training time of a rival."""
    folder: Path

    def known_year(self, names: Sequence[str]) -> Traces:
        """The year before the judged one."""
        return self.real.select(list(names)).between(KNOWN, START)

    def prepared(self) -> tuple[Prepared, Array]:
        """Training homes without what was kept aside, and their weather."""
        parts = self.model.notes["split"]
        seen = training.hide(self.real, parts["hidden_year_homes"], pd.Timestamp(parts["hidden_from"]))
        everyone = prepare.prepare(seen)
        weather = observed_weather(everyone, self.weather_file).to_numpy(dtype=np.float32)
        rows = [everyone.names.index(name) for name in self.model.homes]
        return everyone.select(np.array(rows)), weather

    def people(self, homes: int, seed: int, named: Sequence[str]) -> list[Household]:
        """The households that hidiff itself would sample."""
        mode = "like" if named else "new"
        return self.model.households(homes, seed, mode=mode, household=named)


class Generator(Protocol):
    """Something that makes a year of homes; ``named`` asks for homes like those training homes."""

    def sample(self, homes: int, seed: int, named: Sequence[str]) -> Traces: ...


@dataclass(frozen=True, kw_only=True)
class Ours:
    """hidiff itself, as shipped or with a part of it put out of action."""

    model: HiDiff
    part: Callable[[], AbstractContextManager[Any]] = nullcontext
    choices: tuple[tuple[str, Any], ...] = ()
    regional: bool = True

    def sample(self, homes: int, seed: int, named: Sequence[str]) -> Traces:
        asked: dict[str, Any] = {"mode": "like", "household": named} if named else {}
        asked |= dict(self.choices)
        with self.part():
            if self.regional:
                return self.model.sample(homes, 1, START, seed, progress=True, **asked)
            span = make_span(START, 1, "Australia/Sydney", self.model.low.config, self.model.high.config)
            made = []
            for home in range(homes):  # weather and clouds of its own for every home
                path = resolve(self.model.regional, span.grid.dates, 1000 * seed + home, None)
                batches = self.model.sample_batches(
                    home + 1, 1, START, seed, skip=home, weather=path, **asked
                )
                made += list(batches)
        return Traces(
            np.concatenate([one.load_kw for one in made]), np.concatenate([one.pv_kw for one in made]),
            made[0].time, pd.concat([one.homes for one in made]), made[0].time_zone,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Windowed:
    """A rival that makes windows, with years stitched from them."""

    study: Study
    model: windows.WindowModel
    scale: windows.Scale
    stitch: years.Stitch = "overlap"

    def sample(self, homes: int, seed: int, named: Sequence[str]) -> Traces:
        ours = self.study.model
        span = make_span(START, 1, "Australia/Sydney", ours.low.config, ours.high.config)
        people = [
            years.AskedHome(
                name=person.name, key=person.key, household=person.statistics, roof=person.roof,
                capacity_kwp=person.capacity_kwp, mean_load_kw=person.mean_load_kw,
                source_home=person.source_home,
            )
            for person in self.study.people(homes, seed, named)
        ]  # fmt: skip
        path = resolve(ours.regional, span.grid.dates, seed, None)
        return years.years(
            self.model, self.scale, people, time=span.time, weather=path, stitch=self.stitch, seed=seed
        )


@dataclass(frozen=True, kw_only=True)
class Pasted:
    """A rival that puts real days of the training homes together anew."""

    study: Study
    method: Any

    def sample(self, homes: int, seed: int, named: Sequence[str]) -> Traces:
        fitted = self.method.fit(self.study.known_year(named or self.study.model.homes))
        return fitted.sample(list(named) if named else homes, start=START, seed=seed)


def windowed(make: Callable[[], windows.WindowModel], stitch: years.Stitch = "overlap") -> Any:
    """Trains a window model for the study's minutes, or takes up where it stopped."""

    def build(study: Study, name: str) -> Generator:
        learned, weather = study.prepared()
        model, statistics = make(), study.model.statistics
        scale = windows.Scale.fit(learned, weather, statistics)
        laid_out = windows.lay_out(learned, weather, statistics, scale, model.days)
        model.fit(laid_out, minutes=study.minutes, seed=0, folder=study.folder / "trained" / name)
        return Windowed(study=study, model=model, scale=scale, stitch=stitch)

    return build


def short(study: Study, name: str) -> Generator:
    """hidiff trained from nothing for the rivals' minutes, four fifths of them for the low level."""
    out = study.folder / "trained" / name
    if not (out / "config.json").exists():
        steps = {"low": int(39 * study.minutes), "high": int(9 * study.minutes)}  # at 1.2 s a step
        training.train(
            training.TrainConfig(
                data=study.data, out=out, weather=study.weather_file, low_steps=steps["low"],
                high_steps=steps["high"], student_steps=0, odd_share=0.0, resume=True,
            )
        )  # fmt: skip
    return Ours(model=hidiff.load(out))


def _pasted_windows() -> AbstractContextManager[Any]:
    """Windows side by side, none of which knows its neighbour."""

    def cover(days: int, window_days: int, context_days: int = 2) -> Layout:
        first = np.arange(-(-days // window_days)) * window_days
        return Layout(int(first[-1]) + window_days, first, first[:0], 0)

    return patch.object(sampling.Layout, "cover", staticmethod(cover))


def _lone_days() -> AbstractContextManager[Any]:
    """Daily tokens with the home's mean and spread, and nothing else: no season, weather or yesterday."""

    def days(self: Sampling, people: list[Household]) -> tuple[Array, Array]:
        raw = np.stack([person.statistics for person in people])
        mean, spread = identity.token_scale(raw)
        shape = (len(self.span.grid), mean.shape[1])
        noise = [rng.normal(shape, self.seed, person.key, "lone days") for person in people]
        tokens = np.clip(np.stack(noise), -3, 3) * spread[:, None] + mean[:, None]
        tokens[..., -1] = np.clip(tokens[..., -1], 0.02, 1.2)
        unit_kw = np.array([person.mean_load_kw for person in people])
        return tokens.astype(np.float32), unit_kw / day_energy_ratio(tokens).mean(1)

    return patch.object(Sampling, "days", days)


def _nobody(model: HiDiff) -> HiDiff:
    """The model with households that differ in size alone."""
    statistics = np.broadcast_to(model.statistics.mean(0), model.statistics.shape).copy()
    own = [identity.PLACE[name] for name in ("log_mean_load", "log_capacity")]
    statistics[:, own] = model.statistics[:, own]
    anonymous = HiDiff(
        model.low, model.high, model.prior, model.habits, model.regional, model.reader, model.homes, statistics,
        np.broadcast_to(model.styles.mean(0), model.styles.shape).copy(), np.full_like(model.day_quantiles, np.nan),
        model.capacity_kwp,
        model.sampler, model.notes, model.students,
    )  # fmt: skip
    quantiles = np.repeat(anonymous.prior.quantiles.mean(1, keepdims=True), 65, axis=1)
    quantiles[own] = model.prior.quantiles[own]
    anonymous.prior = replace(model.prior, quantiles=quantiles)
    anonymous.habits = replace(model.habits, modes=0 * model.habits.modes, rest=0 * model.habits.rest)
    return anonymous


def _ours(**more: Any) -> Callable[[Study, str], Generator]:
    return lambda study, name: Ours(model=study.model, **more)


def _pasted(method: Any) -> Callable[[Study, str], Generator]:
    return lambda study, name: Pasted(study=study, method=method)


GENERATORS: dict[str, Callable[[Study, str], Generator]] = {
    "hidiff": _ours(),
    "hidiff-short": short,
    "plain": windowed(Plain),
    "plain-pasted": windowed(Plain, "naive"),
    "tsdiff": windowed(lambda: TSDiff(TSDiffConfig(is_conditional=True))),
    "timegan": windowed(TimeGan),
    "timevae": windowed(TimeVae),
    "reference": windowed(lambda: HiDiffEnergy(REFERENCE), "naive"),
    "reference-repaired": windowed(lambda: HiDiffEnergy(replace(REFERENCE, repaired=True))),
    "markov": _pasted(DayMarkov()),
    "bootstrap": _pasted(DayBootstrap()),
    "last-year": _pasted(LastYear()),
    "no-high-level": _ours(part=_lone_days),
    "no-seams": _ours(part=_pasted_windows),
    "no-region": lambda study, name: Ours(
        model=replace_sampler(study.model, noise=replace(study.model.sampler.noise, regional=0.0)),
        regional=False,
    ),
    "no-identity": lambda study, name: Ours(model=_nobody(study.model)),
    "steps-4": _ours(choices=(("solver", "dpm++2m"), ("steps", 4))),
    "steps-8": _ours(choices=(("solver", "dpm++2m"), ("steps", 8))),
    "heun-18": _ours(choices=(("solver", "heun"), ("steps", 18))),
}
"""Rivals, then ablations, then samplers."""
ABLATIONS = ("no-high-level", "no-seams", "no-region", "no-identity")
SAMPLERS = ("steps-4", "steps-8", "heun-18")


def replace_sampler(model: HiDiff, **choices: Any) -> HiDiff:
    """The same model with other defaults of its sampler."""
    return HiDiff(
        model.low, model.high, model.prior, model.habits, model.regional, model.reader, model.homes, model.statistics,
        model.styles, model.day_quantiles, model.capacity_kwp, replace(model.sampler, **choices), model.notes,
        model.students,
    )  # fmt: skip
