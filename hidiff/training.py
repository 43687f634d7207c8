"""``hidiff train``: from homes on disk to a model directory; what is kept for validation is not seen."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import hidiff
from hidiff import checkpoint
from hidiff import rng as random
from hidiff.data import prepare as preparation
from hidiff.data import weather as weather_data
from hidiff.data.ausgrid import read_traces
from hidiff.data.prepare import Prepared
from hidiff.data.splits import split_homes
from hidiff.data.traces import Traces
from hidiff.diffusion import distill, habit, identity, loop
from hidiff.diffusion.habit import HabitPrior
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.high import HighConfig, HighData, HighLevel, token_limits
from hidiff.diffusion.identity import Prior, WindowReader
from hidiff.diffusion.loop import LoopConfig, Loss
from hidiff.diffusion.low import LowConfig, LowData, LowLevel
from hidiff.diffusion.network import Transformer
from hidiff.diffusion.precondition import denoise
from hidiff.diffusion.regional import RegionalWeather
from hidiff.diffusion.sampling import SamplerConfig

log = logging.getLogger(__name__)
Array = NDArray[np.float32]
READER_WEEKS = (2, 4, 8, 13, 26, 52)
"""Lengths of readings for which the trust in them is fitted."""
STRETCH_WEEKS = (*READER_WEEKS, 52, 52)
"""Lengths of the stretches from which a household is learned to be recognised: mostly a year, as homes are known."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What to train on, for how long, and what to keep aside."""

    data: Path
    """Homes: a set folder, a folder in the wide Ausgrid layout, or original Ausgrid files."""
    out: Path
    """Directory of the model; the training state lives in OUT/state until the model is finished."""
    weather: Path | None = None
    """File with half-hourly or daily temperature of the same days; without it temperature has no say."""
    preset: Literal["cpu", "gpu"] = "cpu"
    """Length of training: cpu is about an hour on two cores, gpu ten times the steps on one card."""
    minutes: float | None = None
    """Stop each level after this long, save, and go on with --resume."""
    start_from: Path | None = None
    """Model directory whose levels training starts from, to teach it more homes or longer."""
    low_steps: int | None = None
    """Optimiser steps of the low level, instead of the preset's; 0 leaves that of --start-from as it is."""
    high_steps: int | None = None
    """Optimiser steps of the high level, likewise."""
    learning_rate: float | None = None
    """Highest learning rate of the levels, instead of the preset's 0.001."""
    student_steps: int | None = None
    """Optimiser steps of each student, instead of the preset's and at most its level's; 0 for no students."""
    validation_share: float = 0.2
    """Share of the clean homes that is never trained on."""
    odd_share: float = 0.5
    """Share of the homes that are not clean whose load trains the low level; the rest audit what the weights tell."""
    hidden_year_share: float = 0.25
    """Share of the training homes with three years whose last year is never trained on."""
    seed: int = 0
    """Seed of the split, the batches and the weights."""
    device: str = "cpu"
    """cpu or cuda."""
    resume: bool = False
    """Go on from the state in OUT/state."""
    force: bool = False
    """Replace a model that is in OUT."""

    def __post_init__(self) -> None:
        for name in ("validation_share", "hidden_year_share", "odd_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}; it must lie in 0..1, below 1")
        for name in ("minutes", "low_steps", "high_steps", "learning_rate"):
            value = getattr(self, name)
            is_left = value == 0 and name.endswith("steps") and self.start_from is not None
            if value is not None and not value > 0 and not is_left:
                raise ValueError(f"{name}={value}; it must be above 0")
        if self.student_steps is not None and not self.student_steps >= 0:
            raise ValueError(f"student_steps={self.student_steps}; it must be at least 0")
        if self.device not in ("cpu", "cuda"):
            raise ValueError(f"unknown device {self.device!r}; there are cpu and cuda")


@dataclass(frozen=True)
class Split:
    """Who is trained on and what is kept aside."""

    train: list[str]
    validation: list[str]
    hidden_year: list[str]
    """Homes of ``train`` whose last year is kept aside."""
    hidden_from: pd.Timestamp
    """Start of the last year."""
    odd: list[str] = field(default_factory=list)
    """Homes that are not clean, whose load trains the low level."""
    odd_aside: list[str] = field(default_factory=list)
    """Homes that are not clean and never trained on: a random part, so that an audit can tell members from them."""


def split(traces: Traces, config: TrainConfig) -> Split:
    """Validation homes and hidden years, by a hash of the home's name: more homes never move one across.

    Only homes that have the last year on record can be validated on it; the others are always trained on.
    """
    hidden_from = traces.time[-1] + pd.Timedelta(minutes=30) - pd.DateOffset(years=1)
    last = np.asarray(traces.time >= hidden_from)
    has_last: NDArray[np.bool_] = np.asarray(~np.isnan(traces.load_kw[:, last]).any(axis=1))
    recorded = [name for name, whole in zip(traces.names, has_last, strict=True) if whole]
    _, validation = split_homes(recorded, config.validation_share, config.seed)
    train = [name for name in traces.names if name not in validation]
    aside = config.validation_share + (1 - config.validation_share) * config.hidden_year_share
    hidden_year = [name for name in split_homes(recorded, aside, config.seed)[1] if name not in validation]
    return Split(train, validation, hidden_year, hidden_from)


def hide(traces: Traces, names: list[str], start: pd.Timestamp) -> Traces:
    """The homes with everything from ``start`` on taken out for those in ``names``."""
    rows = np.array([traces.names.index(name) for name in names], dtype=np.int64)
    load, pv = traces.load_kw.copy(), traces.pv_kw.copy()
    late = np.asarray(traces.time >= start)
    load[np.ix_(rows, late)], pv[np.ix_(rows, late)] = np.nan, np.nan
    return Traces(load, pv, traces.time, traces.homes, traces.time_zone)


class Tables(NamedTuple):
    """What is known of households, from their whole record and from stretches of it."""

    statistics: Array
    """``(home, 26)``."""
    features: Array
    """Style features of stretches, ``(home, stretch, 253)``."""
    profiles: Array
    """Profiles of the same stretches, ``(home, stretch, 2, 168)``, see `habit.profiles`."""
    profile_days: Array
    """Days behind the profiles, ``(home, stretch, 2)``."""


def household_tables(prepared: Prepared, weather: Array, seed: int, stretches: int = 48) -> Tables:
    """What is known of each home.

    Raises:
        ValueError: a home with less than two weeks of whole days.
    """
    parts: list[tuple[Array, ...]] = []
    for home, name in enumerate(prepared.names):
        known = np.flatnonzero(prepared.is_known[home])
        if len(known) < identity.DAYS_TO_KNOW:
            raise ValueError(
                f"home {name!r} has {len(known)} whole days of readings; {identity.DAYS_TO_KNOW} are needed "
                "to know a household, drop it first"
            )
        rng = random.generator("stretches", seed, name)
        rows = []
        for index in range(stretches):
            days = min(7 * STRETCH_WEEKS[index % len(STRETCH_WEEKS)], len(known))
            start = int(rng.integers(len(known) - days + 1))
            chosen = known[start : start + days]
            features = identity.style_features(prepared, home, chosen)
            rows.append((features, *habit.profiles(prepared, home, chosen)))
        of_stretches = (np.stack(column) for column in zip(*rows, strict=True))
        parts.append((identity.home_statistics(prepared, home, known, weather), *of_stretches))
    return Tables(*(np.stack(column) for column in zip(*parts, strict=True)))


def _scale(values: NDArray[np.floating]) -> torch.Tensor:
    """Mean and spread over the rows, ``(2, value)``."""
    spread = np.maximum(values.std(0), 1e-3)
    return torch.from_numpy(np.stack([values.mean(0), spread]).astype(np.float32))


def scales(
    low: LowLevel, high: HighLevel, prepared: Prepared, weather: Array, statistics: Array, features: Array
) -> None:
    """Measure the scales of everything the levels see.

    Args:
        statistics: see `Tables`.
        features: likewise.
    """
    known, sunny = prepared.is_known, prepared.is_sunny
    load, clear = prepared.load_log_ratio[known], prepared.clearness[sunny]
    signal = torch.tensor([[load.mean(), clear.mean()], [load.std(), clear.std()]], dtype=torch.float32)
    low.signal_scale.copy_(signal)
    low.token_scale.copy_(_scale(prepared.tokens[known]))
    low.feature_scale.copy_(_scale(features.reshape(-1, features.shape[-1])))
    low.habit_scale.copy_(_scale(habit_of_records(prepared)))
    high.token_limits.copy_(torch.from_numpy(token_limits(prepared, statistics)))
    for level in (low, high):
        level.statistics_scale.copy_(_scale(statistics))
        level.weather_scale.copy_(_scale(weather))


def habit_of_records(prepared: Prepared) -> Array:
    """Profiles of the whole record of each home, ``(home, 336)``; a half that was not seen is like the other."""
    result = []
    for home, is_known in enumerate(prepared.is_known):
        found, count = habit.profiles(prepared, home, np.flatnonzero(is_known))
        result.append(np.where(count[:, None] > 0, found, found[::-1]).ravel())
    return np.stack(result)


def low_data(level: LowLevel, prepared: Prepared, weather: Array, tables: Tables) -> LowData:
    """Training windows of the low level."""
    habits = habit.read(tables.profiles, tables.profile_days, level.habit_scale.cpu().numpy())
    return LowData(level, prepared, weather, tables.statistics, tables.features, habits)


VALIDATION_BATCHES = 4
"""Batches of 32, always the same ones, that validation averages over."""
_HIGH = LoopConfig(steps=1100, batch=16, warmup_steps=100, ema_halflife_steps=150.0, validate_every=100)
_STUDENT = LoopConfig(
    steps=1000, batch=16, learning_rate=3e-4, warmup_steps=50, ema_halflife_steps=100.0, validate_every=100
)
PRESETS = {
    "cpu": {"low": LoopConfig(steps=4400), "high": _HIGH, "student": _STUDENT},
    "gpu": {
        "low": LoopConfig(steps=40_000, batch=128, ema_halflife_steps=2000.0),
        "high": replace(_HIGH, steps=4000, batch=64),
        "student": replace(_STUDENT, steps=8000, batch=128),
    },
}
"""How levels and students are trained; the high level stops gaining on unseen homes within minutes."""


def clean(traces: Traces) -> Traces:
    """The homes that are marked clean, where the table of homes says so; all others otherwise."""
    if "is_clean" not in traces.homes.columns:
        return traces
    return traces.select([str(name) for name in traces.homes.index[traces.homes["is_clean"].astype(bool)]])


def load_only(prepared: Prepared, names: list[str]) -> Prepared:
    """Some homes without a say in what PV is like: their sun never counts as measured."""
    chosen = prepared.select(np.array([prepared.names.index(name) for name in names], dtype=np.int64))
    return replace(chosen, is_sunny=np.zeros_like(chosen.is_sunny))


def train(config: TrainConfig) -> Path:
    """Train both levels, fit prior, weather and reader, and write the model directory.

    Raises:
        ValueError: a model is in the way, homes that cannot be trained on.
        DataFormatError: files that cannot be read.
    """
    state = config.out / "state"
    may_replace = config.force or (config.resume and state.is_dir())  # of a model that is not finished
    if (config.out / checkpoint.CONFIG).exists() and not may_replace:
        raise ValueError(f"{config.out} holds a model already; choose another --out or give --force")
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda asked for, but torch finds no CUDA card; use cpu")
    everything = read_traces(config.data)
    traces = clean(everything)
    not_clean = [name for name in everything.names if name not in set(traces.names)]
    odd, odd_aside = split_homes(not_clean, 1 - config.odd_share, config.seed)
    parts = replace(split(traces, config), odd=odd, odd_aside=odd_aside)
    if not parts.train:
        raise ValueError(f"all {len(traces)} homes fell to validation; give more, or lower validation_share")
    seen = hide(traces, parts.hidden_year, parts.hidden_from)
    log.info("preparing %d homes", len(seen))
    prepared = preparation.prepare(seen)
    weather = _weather(prepared, config)
    values = weather.to_numpy(dtype=np.float32)
    rows = {name: row for row, name in enumerate(prepared.names)}
    learned = prepared.select(np.array([rows[name] for name in parts.train]))
    held_out = prepared.select(np.array([rows[name] for name in parts.validation or parts.train]))
    tables = household_tables(learned, values, config.seed)
    held_tables = household_tables(held_out, values, config.seed)

    everyone, everyone_tables = learned, tables
    if odd:
        others = load_only(preparation.prepare(everything.select(odd)), odd)
        everyone = preparation.together(learned, others)
        more = household_tables(others, values, config.seed)
        everyone_tables = Tables(*(np.concatenate(both) for both in zip(tables, more, strict=True)))

    torch.manual_seed(config.seed)
    base = None if config.start_from is None else HiDiff.load(config.start_from)
    if base is None:
        low, high = LowLevel(LowConfig()), HighLevel(HighConfig())
        scales(low, high, learned, values, tables.statistics, tables.features)
    else:  # with its scales, or its weights would mean something else
        low, high = base.low, base.high
    low, high = low.to(config.device), high.to(config.device)
    levels: dict[str, LowLevel | HighLevel] = {"low": low, "high": high}
    seen_data: dict[str, LowData | HighData] = {
        "low": low_data(low, everyone, values, everyone_tables),
        "high": HighData(high, learned, values, tables.statistics),
    }
    held_data: dict[str, LowData | HighData] = {
        "low": low_data(low, held_out, values, held_tables),
        "high": HighData(high, held_out, values, held_tables.statistics),
    }
    students: dict[str, Transformer] = {}
    histories: dict[str, list[dict[str, float]]] = {}
    is_finished = True
    for name in ("low", "high", "low student", "high student"):
        of = name.split()[0]
        if name != of and (config.student_steps == 0 or not is_finished):
            continue  # a teacher that still learns has no students
        if base is not None and getattr(config, f"{of}_steps") == 0:
            if name != of and of in base.students:
                students[of] = base.students[of]
            continue
        level, learning, checking = levels[of], seen_data[of], held_data[of]
        module: nn.Module = level
        loss: Loss = learning.loss
        check: Loss = partial(checking.loss, training=False)
        steps, preset = getattr(config, f"{of}_steps"), PRESETS[config.preset][of]
        if name != of:
            level.eval()
            module = students[of] = distill.start(level.network)
            loss, check = (distill_loss(students[of], level, data, of) for data in (learning, checking))
            preset = PRESETS[config.preset]["student"]
            steps = config.student_steps or min(preset.steps, steps or preset.steps)
        elif config.learning_rate is not None:
            preset = replace(preset, learning_rate=config.learning_rate)
        settings = replace(preset, steps=steps or preset.steps, max_minutes=config.minutes, seed=config.seed)
        histories[name] = loop.fit(
            module, loss, partial(validation_loss, check), settings, state / name.replace(" ", "-"),
            resume=config.resume, device=config.device, name=name,
        )  # fmt: skip
        if histories[name][-1]["step"] < settings.steps:
            is_finished = False
            log.warning("the %s stopped after %g minutes; go on with --resume", name, config.minutes)
    training = (
        {"minutes": {}, "steps": {}, "best_validation_loss": {}} if base is None else base.notes["training"]
    )
    record(training, histories)
    model = finish(low.cpu(), high.cpu(), students, learned, weather, tables, config, parts, training)
    card = write_card(model)
    model.save(config.out, card)
    if is_finished:
        shutil.rmtree(state, ignore_errors=True)
    return config.out


def record(training: dict[str, Any], histories: dict[str, list[dict[str, float]]]) -> None:
    """Add what was trained now to what a model was trained before; students begin anew each time."""
    for name, history in histories.items():
        for unit in ("minutes", "step"):
            total = training[unit.removesuffix("s") + "s"]
            before = 0 if name.endswith("student") else total.get(name, 0)
            total[name] = round(before + history[-1][unit], 2)
        training["best_validation_loss"][name] = min(row["validation_loss"] for row in history)


def validation_loss(check: Loss) -> float:
    """Mean over batches that are always the same ones."""
    rngs = [random.generator("validate", index) for index in range(VALIDATION_BATCHES)]
    return float(np.mean([float(check(rng, 32)) for rng in rngs]))


def distill_loss(
    student: Transformer, level: LowLevel | HighLevel, data: LowData | HighData, of: str
) -> Loss:
    """What a student of ``level`` is trained by."""

    def loss(rng: np.random.Generator, batch: int) -> Tensor:
        with torch.no_grad():
            example = data.draw(rng, batch)
        return distill.loss(partial(denoise, student), level.denoise, example, rng, distill.SIGMAS[of])

    return loss


def _weather(prepared: Prepared, config: TrainConfig) -> pd.DataFrame:
    if config.weather is not None:
        return weather_data.observed_weather(prepared, config.weather)
    log.warning("no --weather file: temperature will have no say in what the model generates")
    frame = (
        weather_data.regional_clearness(prepared).to_frame("clearness").interpolate(limit_direction="both")
    )
    frame[["temperature_max_c", "temperature_min_c"]] = 20.0
    return frame[weather_data.COLUMNS]


def finish(
    low: LowLevel, high: HighLevel, students: dict[str, Transformer], learned: Prepared, weather: pd.DataFrame,
    tables: Tables, config: TrainConfig, parts: Split, training: dict[str, Any],
) -> HiDiff:  # fmt: skip
    """The model around two trained levels: styles of the homes, prior, weather, reader."""
    values = weather.to_numpy(dtype=np.float32)
    regional = RegionalWeather.fit(weather)
    rng = random.generator("reader", config.seed)
    reader = WindowReader.fit(learned, values, tables.statistics, READER_WEEKS, rng)
    notes = {
        "hidiff_version": hidiff.__version__,
        "training": {
            "data": config.data.name, "homes": len(parts.train), "home_days": int(learned.is_known.sum()),
            "first_day": str(learned.grid.dates[0].date()), "last_day": str(learned.grid.dates[-1].date()),
            "preset": config.preset, "seed": config.seed, "device": config.device, "torch": torch.__version__,
            **{name: training[name] for name in ("minutes", "steps", "best_validation_loss")},
        },
        "split": {
            "validation_homes": parts.validation, "hidden_year_homes": parts.hidden_year,
            "hidden_from": str(parts.hidden_from),
            "odd_homes": parts.odd, "odd_homes_aside": parts.odd_aside,
        },
    }  # fmt: skip
    recent = preparation.last_year(learned)
    statistics = np.stack(
        [
            identity.home_statistics(recent, home, np.flatnonzero(is_known), values)
            for home, is_known in enumerate(recent.is_known)
        ]
    )
    none = np.zeros((len(statistics), identity.STYLE), dtype=np.float32)
    habits = HabitPrior.fit(none[:, identity.LEARNED :])
    model = HiDiff(
        low, high, Prior.fit(none), habits, regional, reader, learned.names, statistics, none,
        identity.day_quantiles(recent, statistics), learned.capacity_kwp,
        SamplerConfig(solver="student") if students else SamplerConfig(), notes,
        {name: student.cpu() for name, student in students.items()},
    )  # fmt: skip
    model.styles = model.encode(recent)
    learned_style, habit_of_homes = np.split(model.styles, [identity.LEARNED], axis=1)
    model.habits = HabitPrior.fit(habit_of_homes)
    scores = model.habits.scores(habit_of_homes)
    model.prior = Prior.fit(np.concatenate([statistics, learned_style, scores], axis=1))
    return model


def write_card(model: HiDiff) -> str:
    """Model card of a freshly trained model: what it is, what it was trained on, what it is for."""
    training, parts = model.notes["training"], model.notes["split"]
    minutes = ", ".join(f"{name} level {value:g}" for name, value in training["minutes"].items())
    size = sum(p.numel() for level in (model.low, model.high) for p in level.parameters()) / 1e6
    return f"""# hidiff model: half-hourly load and PV of single homes

A hierarchical diffusion model ({size:.1f} M parameters): daily tokens of a year, then half-hours in windows of
{model.low.config.window_days} days. It makes years of load and PV of homes in the climate of Sydney, Australia.

| | |
|---|---|
| trained on | {training["homes"]} homes, {training["home_days"]:,} home-days, {training["first_day"]} to {training["last_day"]} ({training["data"]}) |
| kept aside | homes {", ".join(parts["validation_homes"])}; and the year from {parts["hidden_from"]} of homes {", ".join(parts["hidden_year_homes"])} |
| cost | minutes: {minutes} ({training["device"]}, preset {training["preset"]}); steps {training["steps"]}; torch {training["torch"]} |
| validation loss | {", ".join(f"{name} {value:.4f}" for name, value in training["best_validation_loss"].items())} |
| hidiff | {model.notes["hidiff_version"]}, checkpoint format {checkpoint.FORMAT} |

**Data.** Ausgrid, Solar Home Electricity Data (2010-2013), quoted as CC BY 3.0 AU; temperature of Sydney Airport,
Bureau of Meteorology. The weights are Apache-2.0; name Ausgrid as the source of the data when you publish results.

**Intended use.** Research and planning studies that need many plausible home-years: reinforcement learning,
stochastic optimisation, teaching. **Limits.** One city, homes that bought small PV systems under a gross feed-in
tariff in 2010-2013, consumption of that time (few electric cars, few heat pumps); controlled load is part of the load.
Not for billing, not for statements about an individual customer. Homes made with mode `like` resemble a named
training home by design, and the weights hold the 441 numbers that describe each of them; mode `new` draws from a smooth
prior over all of them, and the sharp parts of a day's profile from several homes. Whoever holds the weights and a home's readings can tell better than
chance whether it was trained on (docs/privacy.md); the weights deserve the care that the meters do. The daily clearness of the region,
which the weather generator learns from, is the mean over all homes, those kept aside among them.

Scores against held-out real homes: `docs/fidelity.md` in the source repository.
"""  # noqa: E501
