"""Electric cars of homes: connections, trips and channels on a set's clock, from a fitted `Behaviour`.

A home's owner (habit, car) is drawn from the population seed and the home's name alone and so lives in every scenario;
the days are drawn from the scenario's seed and the home's name. Nothing depends on which other homes are asked for.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hidiff import rng as random_numbers

from .behaviour import (
    BIN_MIN,
    BINS,
    DAY_START_MIN,
    DAY_TYPES,
    Array,
    Behaviour,
    DayPull,
    Person,
    charge,
    live,
)
from .ev_fit import read_behaviour

WARM_UP_DAYS = 31
"""Days lived before the first of January of the first year, so that the year does not begin with an empty memory."""
MARGIN_DAYS = 8
"""Days lived after the last, so that the connections at the end of the span have a departure."""
REFERENCE_DAYS = 3 * 364
"""Days from which a person's yearly energy is known."""
REDRAWS = 20
"""Persons that are drawn, one after the other, until one can charge the energy that is asked for."""
LARGEST_PULL = 2.0
"""Standard deviations of load at which its pull on the car stops growing."""


@dataclass(frozen=True, kw_only=True)
class EvConfig:
    """An electric car at a home; what is None is drawn for each owner from the fitted population."""

    charger_kw: float | None = None
    """Power of the charger [kW]; fitted owners have 1.4 to 7.8 kW."""
    capacity_kwh: float | None = None
    """Usable battery capacity [kWh]; it limits a single charge to capacity / efficiency."""
    efficiency: float = 0.9
    """Energy in the battery per energy at the charger, (0, 1]."""
    annual_kwh: float | None = None
    """Mean energy at the charger in a year [kWh]: the kilometres of a year times about 0.2, less what is charged
    elsewhere. The owner's rhythm stays, each charge is scaled."""
    load_link: float = 0.2
    """How strongly the home's load pulls its car, 0 (not at all) to 1: plugging in is likelier on days of much load and
    in half-hours when the load rises. Assumed: the sessions of the fit come without load."""

    def __post_init__(self) -> None:
        for name in ("charger_kw", "capacity_kwh", "annual_kwh"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; it must be above 0, or None for what the fit says")
        if not 0 < self.efficiency <= 1:
            raise ValueError(f"efficiency is {self.efficiency}; it must lie in (0, 1]")
        if not 0 <= self.load_link <= 1:
            raise ValueError(f"load_link is {self.load_link}; it must lie in 0..1, 0 switches it off")


def ev_sessions(
    time: pd.DatetimeIndex, time_zone: str, *, seed: int | str, home: str, population_seed: int = 0,
    config: EvConfig | None = None, load_kw: ArrayLike | None = None, behaviour: Behaviour | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Connections of a home's car that touch the span of ``time``, one row each, in order.

    Args:
        time: start of each step, zone-aware and even.
        time_zone: IANA name of the clock that the home lives by.
        seed: of the scenario: other days of the same owner.
        home: name of the home.
        population_seed: of the owners: another owner of the home's car.
        load_kw: load of the home ``(step,)`` [kW]; it pulls by ``config.load_link``.
        behaviour: of another fit than the one that ships.
    Returns:
        ``plug_in``, ``plug_out`` (UTC), ``energy_kwh`` at the charger, ``charger_kw``. Two spans that begin in the
        same year share their connections, as far as load does not pull.
    Raises:
        ValueError: a naive or uneven clock, a load of another length, or an annual energy that no owner can charge.
    """
    return _lived(time, time_zone, seed, home, population_seed, config, load_kw, behaviour)[0]


def ev_day_types(
    time: pd.DatetimeIndex, time_zone: str, *, seed: int | str, home: str, population_seed: int = 0,
    config: EvConfig | None = None, load_kw: ArrayLike | None = None, behaviour: Behaviour | None = None,
) -> pd.Series:  # fmt: skip
    """Type of each local day of the span, from 04:00 on: stay, away, day, night or several; as `ev_sessions`."""
    return _lived(time, time_zone, seed, home, population_seed, config, load_kw, behaviour)[1]


def ev_trips(sessions: pd.DataFrame, config: EvConfig | None = None) -> pd.DataFrame:
    """Absences between the connections of `ev_sessions`: ``departure``, ``arrival``, ``used_kwh``.

    An absence is plug-out to plug-in: the car may have made several trips, or have stood at home without its plug.
    The energy used is inferred: what the next connection puts into the battery.
    """
    efficiency = (config or EvConfig()).efficiency
    return pd.DataFrame(
        {
            "departure": sessions["plug_out"].iloc[:-1].to_numpy(),
            "arrival": sessions["plug_in"].iloc[1:].to_numpy(),
            "used_kwh": sessions["energy_kwh"].iloc[1:].to_numpy() * efficiency,
        }
    )


def ev_channels(
    time: pd.DatetimeIndex, time_zone: str, *, seed: int | str, home: str, population_seed: int = 0,
    config: EvConfig | None = None, load_kw: ArrayLike | None = None, behaviour: Behaviour | None = None,
) -> dict[str, Array]:  # fmt: skip
    """``ev_kw``, ``ev_is_home`` and ``ev_need_kwh`` of a home ``(step,)``; arguments as `ev_sessions`."""
    sessions = ev_sessions(
        time, time_zone, seed=seed, home=home, population_seed=population_seed, config=config, load_kw=load_kw,
        behaviour=behaviour,
    )  # fmt: skip
    return channels_of(sessions, time)


def channels_of(sessions: pd.DataFrame, time: pd.DatetimeIndex) -> dict[str, Array]:
    """Channels of connections on a clock.

    ``ev_kw``: full power from plug-in until the energy is in. ``ev_is_home``: 1 in steps in any part of which the car
    is plugged in. ``ev_need_kwh``: energy at the charger, on the step of plug-in. What a connection charges before or
    after the span counts on neither side, so that ``sum(ev_kw) * dt_h == sum(ev_need_kwh)``.
    """
    dt_s = _step_s(time)
    origin = time[0].timestamp()
    edges = np.arange(len(time) + 1) * dt_s
    start, end = (
        np.array([stamp.timestamp() for stamp in sessions[name]]) - origin for name in ("plug_in", "plug_out")
    )
    energy, power = sessions["energy_kwh"].to_numpy(float), sessions["charger_kw"].to_numpy(float)
    full = np.minimum(start + energy / power * 3600, end)
    ev_kw, is_home, need = np.zeros(len(time)), np.zeros(len(time)), np.zeros(len(time))
    if len(start):
        knots = np.stack([start, full], axis=1).ravel()
        sums = np.stack([np.cumsum(energy) - energy, np.cumsum(energy)], axis=1).ravel()
        ev_kw = np.minimum(np.diff(np.interp(edges, knots, sums)) / dt_s * 3600, power.max())
    first = np.clip(np.floor(start / dt_s), 0, len(time) - 1).astype(int)
    last = np.clip(np.ceil(end / dt_s), 0, len(time)).astype(int)
    inside_h = np.maximum(np.minimum(full, edges[-1]) - np.maximum(start, 0.0), 0.0) / 3600
    length_h = np.maximum(full - start, 1e-9) / 3600
    for a, z, kwh in zip(first, last, energy * inside_h / length_h, strict=True):
        is_home[a:z] = 1.0
        need[a] += kwh
    return {"ev_kw": np.maximum(ev_kw, 0.0) * is_home, "ev_is_home": is_home, "ev_need_kwh": need}


@dataclass(frozen=True, kw_only=True, eq=False)
class Owner:
    """The person of a home's car, and the factor on the energy that the habit asks for."""

    person: Person
    scale: float


@functools.lru_cache(maxsize=1)
def shipped_behaviour() -> Behaviour:
    """The fit that ships with the package, read once."""
    return read_behaviour()


@functools.lru_cache(maxsize=128)
def owner(home: str, population_seed: int, config: EvConfig, behaviour: Behaviour) -> Owner:
    """The owner of a home's car.

    Raises:
        ValueError: none of twenty owners can charge ``config.annual_kwh`` with their habit and car.
    """
    largest = None if config.capacity_kwh is None else config.capacity_kwh / config.efficiency
    best = 0.0
    for attempt in range(REDRAWS):
        person = Person(
            behaviour, random_numbers.generator(population_seed, "ev", "person", home, attempt),
            charger_kw=config.charger_kw, largest_kwh=largest,
        )  # fmt: skip
        if config.annual_kwh is None:
            return Owner(person=person, scale=1.0)
        stream = random_numbers.generator(population_seed, "ev", "reference", home, attempt)
        stays, _ = live(person, np.arange(REFERENCE_DAYS) % 7, stream)
        start, end, keys = (np.array([stay[k] for stay in stays]) for k in range(3))

        def yearly(
            scale: float, person: Person = person, start: Array = start, end: Array = end, keys: Array = keys
        ) -> float:
            energy = charge(person, start / 60, end / 60, keys, scale=scale)
            return float(energy.sum()) * 365.25 / REFERENCE_DAYS

        high = 1.0
        while (most := yearly(high)) < config.annual_kwh and high < 64:
            high *= 2
        best = max(best, most)
        if most < config.annual_kwh:
            continue
        low = 0.0
        for _ in range(18):
            middle = (low + high) / 2
            low, high = (middle, high) if yearly(middle) < config.annual_kwh else (low, middle)
        return Owner(person=person, scale=high)
    raise ValueError(
        f"annual_kwh={config.annual_kwh:g} is more than the car of home {home!r} can charge ({best:,.0f} kWh "
        f"with the most eager of {REDRAWS} owners); ask for less, or give more charger_kw or capacity_kwh"
    )


def _lived(
    time: pd.DatetimeIndex, time_zone: str, seed: int | str, home: str, population_seed: int,
    config: EvConfig | None, load_kw: ArrayLike | None, behaviour: Behaviour | None,
) -> tuple[pd.DataFrame, pd.Series]:  # fmt: skip
    config = config or EvConfig()
    dt_s = _step_s(time)
    first = time[0].tz_convert(time_zone).tz_localize(None)
    end = time[-1] + pd.Timedelta(seconds=dt_s)
    final = end.tz_convert(time_zone).tz_localize(None)
    origin = pd.Timestamp(first.year, 1, 1) - pd.Timedelta(days=WARM_UP_DAYS)
    days = (final.normalize() - origin).days + 1 + MARGIN_DAYS
    lives = owner(home, population_seed, config, behaviour or shipped_behaviour())
    pull = None
    if load_kw is not None and config.load_link > 0:
        pull = load_pull(
            np.asarray(load_kw, dtype=np.float64), time, time_zone, origin, days, config.load_link
        )
    weekdays = (origin.weekday() + np.arange(days)) % 7
    stays, types = live(lives.person, weekdays, random_numbers.generator(seed, "ev", "days", home), pull)
    start, stop, keys = (np.array([stay[k] for stay in stays]) for k in range(3))
    plug_in, plug_out = (_utc(origin, part, time_zone) for part in (start, stop))
    hours = [(part - plug_in[0]).total_seconds().to_numpy() / 3600 for part in (plug_in, plug_out)]
    is_some = hours[1] > hours[0]  # a connection inside the hour that the clock leaves out has no length
    energy = np.zeros(len(keys))
    energy[is_some] = charge(
        lives.person, hours[0][is_some], hours[1][is_some], keys[is_some], scale=lives.scale
    )
    table = pd.DataFrame({"plug_in": plug_in, "plug_out": plug_out, "energy_kwh": energy})
    table["charger_kw"] = lives.person.charger_kw
    is_in = is_some & (plug_out > time[0]) & (plug_in < end)
    dates = pd.date_range(origin, periods=days, freq="D", name="date")
    named = pd.Series(pd.Categorical.from_codes(types, DAY_TYPES), index=dates, name="day_type")
    return table[is_in].reset_index(drop=True), named[(dates >= first.normalize()) & (dates < final)]


def load_pull(
    load_kw: Array, time: pd.DatetimeIndex, time_zone: str, origin: pd.Timestamp, days: int, link: float
) -> DayPull:
    """What the load of a home says about the presence and the arrival of its car.

    Presence: the day's load against its own 29 days, in standard deviations. Arrival: from noon on, the rise of the load
    from the two hours before a half-hour to the two hours after, in standard deviations of all rises.

    Raises:
        ValueError: a load of another length than the clock.
    """
    if load_kw.shape != (len(time),):
        raise ValueError(f"load_kw has the shape {load_kw.shape}, expected ({len(time)},): one value a step")
    known = np.isfinite(load_kw)
    filled = np.where(known, load_kw, load_kw[known].mean() if known.any() else 0.0)
    local = time.tz_convert(time_zone).tz_localize(None)
    minute = ((local - origin).total_seconds() / 60).to_numpy() - DAY_START_MIN
    number = np.floor(minute / BIN_MIN).astype(int)
    count = np.bincount(np.maximum(number, 0), minlength=days * BINS)[: days * BINS]
    total = np.bincount(np.maximum(number, 0), weights=filled, minlength=days * BINS)[: days * BINS]
    bins = pd.Series(np.where(count > 0, total / np.maximum(count, 1), np.nan)).ffill(limit=BINS // 4)
    before = bins.rolling(4, min_periods=2).mean().shift(1)
    after = bins[::-1].rolling(4, min_periods=2).mean()[::-1]
    rise = (after - before).to_numpy().reshape(days, BINS)
    rise = np.nan_to_num(rise / max(float(np.nanstd(rise)) if np.isfinite(rise).any() else 0.0, 1e-9))
    rise[:, : (12 * 60 - DAY_START_MIN) // BIN_MIN] = 0.0
    daily = bins.to_numpy().reshape(days, BINS)
    is_whole = np.isfinite(daily).all(axis=1)
    mean = pd.Series(np.where(is_whole, np.nansum(daily, axis=1) / BINS, np.nan))
    change = mean - mean.rolling(29, center=True, min_periods=3).mean()
    spread = change.std()
    presence = np.nan_to_num((change / spread).to_numpy()) if spread > 1e-9 else np.zeros(days)
    clip = functools.partial(np.clip, a_min=-LARGEST_PULL, a_max=LARGEST_PULL)
    return DayPull(presence=link * clip(presence), arrival=np.exp(link * clip(rise)))


def _utc(origin: pd.Timestamp, minutes: Array, time_zone: str) -> pd.DatetimeIndex:
    """Local clock minutes as UTC, whole minutes: the first of two equal hours, and past the hour left out."""
    local = pd.DatetimeIndex(origin + pd.to_timedelta(np.round(minutes), unit="min"))
    first: NDArray[np.bool_] = np.ones(len(local), dtype=bool)
    return local.tz_localize(time_zone, ambiguous=first, nonexistent="shift_forward").tz_convert("UTC")


def _step_s(time: pd.DatetimeIndex) -> float:
    if not isinstance(time, pd.DatetimeIndex) or time.tz is None:
        raise ValueError("time is naive or no DatetimeIndex; give it with its zone, such as tz='UTC'")
    if len(time) < 2:
        raise ValueError(f"time has {len(time)} steps; give at least 2")
    steps = np.unique(np.diff(time.as_unit("ns").asi8))
    step_s = float(steps[0]) / 1e9
    if len(steps) > 1 or step_s <= 0 or (24 * 3600) % step_s:
        raise ValueError(
            f"time has steps of {step_s / 60:g} minutes or uneven ones; use even steps that divide a day"
        )
    return step_s
