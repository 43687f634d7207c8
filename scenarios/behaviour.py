"""What a person does with a car: the day's decisions, one after the other, each with the person's own habit.

A car's day runs from 04:00 to 04:00 on the local clock. Its decisions are a tree: does a connected car leave today,
and when; does an unconnected one plug in (again), and when; does it stay until another day, and if not, for how long;
which share of what could be charged is charged. Each is a categorical draw (a *head*) whose logits are

    sum of W[factor level] + L[workday or weekend] z

where z, the person's habit, is one vector for all heads. What day it was, is the *day type*: stay (connected all
day), away (no plug-in), day (plugged in and out again), night (one plug-in, stays), several.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DAY_TYPES = ("stay", "away", "day", "night", "several")
DAY_START_MIN = 4 * 60
"""A car's day begins at 04:00 local time: nobody in the sessions comes or goes less than at that hour."""
DAY_MIN = 24 * 60
BIN_MIN = 30
BINS = DAY_MIN // BIN_MIN
DWELL_EDGES_MIN = np.concatenate([[1.0], np.geomspace(10, 24 * 60, 17)])
CHARGER_EDGES_KW = np.array([1.4, 2.0, 2.8, 3.2, 3.8, 5.5, 6.5, 7.8])
CAPACITY_EDGES_KWH = np.geomspace(4.5, 81.0, 13)
FRACTIONS = 20


class Head(NamedTuple):
    """One decision: the sizes of its factors, and of its outcome."""

    factors: dict[str, int]
    outcomes: int
    is_smooth: bool


WEEKDAYS = 4
"""Monday to Thursday, Friday, Saturday, Sunday."""
HEADS: Mapping[str, Head] = {
    "charger": Head({}, len(CHARGER_EDGES_KW) - 1, False),
    "capacity": Head({"charger": 2}, len(CAPACITY_EDGES_KWH) - 1, True),
    "leaves": Head({"weekday": WEEKDAYS, "nights": 4, "car": 3, "yesterday": 5}, 2, False),
    "leaves_at": Head({"weekday": WEEKDAYS}, BINS, True),
    "plugs_in": Head(
        {"weekday": WEEKDAYS, "hour": 13, "since": 8, "today": 3, "week_ago": 2, "car": 3, "yesterday": 5},
        2,
        False,
    ),
    "plugs_in_at": Head({"weekday": WEEKDAYS, "today": 3}, BINS, True),
    "stays": Head({"weekday": WEEKDAYS, "hour": 12, "today": 3, "car": 3}, 2, False),
    "dwell": Head({"weekend": 2, "hour": 12, "car": 3}, len(DWELL_EDGES_MIN) - 1, True),
    "fraction": Head({"limit": 7, "gap": 7, "car": 3, "left_over": 2}, FRACTIONS, True),
}
"""The decisions, in the order in which a person meets them."""
_LIMITS = (0.05, 0.1, 0.2, 0.4, 0.7, 0.999)
_GAPS_H = (1, 4, 9, 16, 36, 72)


def weekday_class(weekday: int) -> int:
    """0 Monday to Thursday, 1 Friday, 2 Saturday, 3 Sunday, of Python's ``weekday``."""
    return max(weekday - 3, 0)


def hour_class(minute_of_day: float) -> int:
    """Two-hour class of a minute counted from 04:00."""
    return min(int(minute_of_day // 120), 11)


def since_class(days: int) -> int:
    """Class of the days since the last plug-in."""
    return bisect.bisect_right((1, 2, 3, 4, 5, 7, 12), days)


def gap_class(hours: float) -> int:
    """Class of the hours since the last plug-out."""
    return bisect.bisect_right(_GAPS_H, hours)


def limit_class(share: float) -> int:
    """Class of the energy that the stay allows, as a share of the car's largest charge."""
    return bisect.bisect_right(_LIMITS, share)


def car_class(largest_kwh: float) -> int:
    """0 plug-in hybrids and small batteries, 1 middle, 2 large."""
    return bisect.bisect_right((12.0, 32.0), largest_kwh)


@dataclass(frozen=True, kw_only=True, eq=False)
class Behaviour:
    """Fitted parameters of a population of car owners; no person of the fit can be read from them."""

    weights: Mapping[str, Mapping[str, Array]]
    """For each head and factor ``(level, outcome)``; the factor ``""`` is the intercept ``(1, outcome)``."""
    loadings: Mapping[str, Array]
    """For each head ``(workday or weekend, habit, outcome)``."""
    mean: Array
    """Mean habit of the population ``(habit,)``."""
    spread: Array
    """Lower triangular root of its covariance ``(habit, habit)``."""


class Person:
    """A car owner: the habit, the car, and the chances of each decision, made when they are first needed."""

    def __init__(
        self, behaviour: Behaviour, rng: np.random.Generator, *, charger_kw: float | None = None,
        largest_kwh: float | None = None,
    ) -> None:  # fmt: skip
        habit = behaviour.mean + behaviour.spread @ rng.standard_normal(len(behaviour.mean))
        self._behaviour = behaviour
        self._own = {name: np.einsum("r,gro->go", habit, part) for name, part in behaviour.loadings.items()}
        self._cache: dict[tuple[str, tuple[int, ...], int], Array] = {}
        places = rng.random(4)
        fitted_kw = self._place("charger", (), CHARGER_EDGES_KW, places[:2])
        self.charger_kw = fitted_kw if charger_kw is None else charger_kw
        fitted_kwh = self._place("capacity", (int(fitted_kw > 5.0),), CAPACITY_EDGES_KWH, places[2:])
        self.largest_kwh = fitted_kwh if largest_kwh is None else largest_kwh
        self.car = car_class(self.largest_kwh)

    def _place(self, name: str, levels: tuple[int, ...], edges: Array, uniforms: Array) -> float:
        number = _draw(np.cumsum(self.chances(name, levels, 0)), float(uniforms[0]))
        return float(edges[number] + uniforms[1] * (edges[number + 1] - edges[number]))

    def chances(self, name: str, levels: tuple[int, ...], is_weekend: int) -> Array:
        """Probabilities ``(outcome,)`` of a head at the levels of its factors."""
        key = (name, levels, is_weekend)
        if key not in self._cache:
            weights = self._behaviour.weights[name]
            logits = weights[""][0] + self._own[name][is_weekend]
            for factor, level in zip(HEADS[name].factors, levels, strict=True):
                logits = logits + weights[factor][level]
            chances = np.exp(logits - logits.max())
            self._cache[key] = chances / chances.sum()
        return self._cache[key]


@dataclass(frozen=True, kw_only=True, eq=False)
class DayPull:
    """What a home's load says about its car: zero everywhere where nothing is known or asked."""

    presence: Array
    """Added to the logit of plugging in, for each day ``(day,)``."""
    arrival: Array
    """Factors on the chances of the half-hours of plugging in ``(day, bin)``, counted from 04:00."""


class Stay(NamedTuple):
    """One connection, on the local clock."""

    start_min: float
    """Plug-in, counted from 00:00 of day 0 [min]."""
    end_min: float
    fraction_key: float
    """Uniform number from which the energy is drawn."""


def live(
    person: Person, weekdays: NDArray[np.int64], rng: np.random.Generator, pull: DayPull | None = None
) -> tuple[list[Stay], list[int]]:
    """Connections and day types of consecutive days.

    Args:
        weekdays: Python's weekday of each day.
        rng: the stream of the days; equal streams give equal days for as many days as are asked.
    """
    stays: list[Stay] = []
    types: list[int] = []
    plugged: set[int] = set()
    is_connected, nights, began = False, 0, 0.0
    last_plugged, yesterday = -1, 1
    uniform = _uniforms(rng)

    def yes(name: str, levels: tuple[int, ...], is_weekend: int, shift: float = 0.0) -> bool:
        chance = float(person.chances(name, levels, is_weekend)[1])
        if shift:
            odds = chance / max(1 - chance, 1e-12) * math.exp(shift)
            chance = odds / (1 + odds)
        return uniform() < chance

    for day, weekday in enumerate(weekdays.tolist()):
        kind = weekday_class(weekday)
        is_weekend = int(kind >= 2)
        opens = day * DAY_MIN + DAY_START_MIN
        now, today, is_fresh = 0.0, 0, True
        if is_connected:
            if not yes("leaves", (kind, min(nights - 1, 3), person.car, yesterday), is_weekend):
                nights += 1
                yesterday = 0
                types.append(0)
                continue
            number = _draw(np.cumsum(person.chances("leaves_at", (kind,), is_weekend)), uniform())
            now = (number + uniform()) * BIN_MIN
            stays.append(Stay(began, opens + now, uniform()))
            is_connected, is_fresh = False, False
        while now < DAY_MIN - 2:
            count = min(today, 2)
            since = since_class(day - last_plugged)
            place = 12 if is_fresh else hour_class(now)
            levels = (kind, place, since, count, int(day - 7 in plugged), person.car, yesterday)
            if not yes("plugs_in", levels, is_weekend, 0.0 if pull is None else float(pull.presence[day])):
                break
            chances = person.chances("plugs_in_at", (kind, count), is_weekend)
            if pull is not None:
                chances = chances * pull.arrival[day]
            now = _within(chances, now, uniform(), uniform())
            start = opens + now
            today, last_plugged = today + 1, day
            plugged.add(day)
            clock = hour_class(now)
            if yes("stays", (kind, clock, min(today - 1, 2), person.car), is_weekend):
                is_connected, nights, began = True, 1, start
                break
            chances = person.chances("dwell", (is_weekend, clock, person.car), is_weekend)
            now += _dwell(chances, DAY_MIN - now, uniform(), uniform())
            stays.append(Stay(start, opens + now, uniform()))
            is_fresh = False
        yesterday = day_type(today, is_connected)
        types.append(yesterday)
    if is_connected:
        stays.append(Stay(began, len(weekdays) * DAY_MIN + DAY_START_MIN, uniform()))
    return stays, types


def day_type(plug_ins: int, is_connected: bool) -> int:
    """Place in `DAY_TYPES` of a day with so many plug-ins, connected at its end or not."""
    return 1 if plug_ins == 0 else 4 if plug_ins > 1 else 3 if is_connected else 2


def charge(
    person: Person, start_h: Array, end_h: Array, keys: Array, *, scale: float = 1.0
) -> Array:  # fmt: skip
    """Energy of each connection [kWh], at most what the charger gives in that time.

    What was asked for and did not fit into one connection is asked for again in the next, up to the car's
    largest charge.

    Args:
        start_h, end_h: connections on the true clock, in order [h].
        keys: uniform numbers, one a connection.
        scale: factor on the energy that the person's habit asks for.
    """
    energy = np.zeros(len(keys))
    debt, left_over, last_end = 0.0, 0, -24.0
    for number, key in enumerate(keys.tolist()):
        gives = person.charger_kw * float(end_h[number] - start_h[number])
        allowed = min(person.largest_kwh, gives)
        levels = (
            limit_class(allowed / person.largest_kwh), gap_class(float(start_h[number]) - last_end),
            person.car, left_over,
        )  # fmt: skip
        sums = np.cumsum(person.chances("fraction", levels, 0))
        place = _draw(sums, key)
        below = sums[place - 1] if place else 0.0
        inside = (key * sums[-1] - below) / max(sums[place] - below, 1e-12)
        fraction = (place + min(max(inside, 0.02), 1.0)) / FRACTIONS
        wanted = fraction * allowed * scale + debt
        energy[number] = min(wanted, allowed)
        debt = min(wanted - energy[number], person.largest_kwh)
        left_over = is_left_over(fraction, allowed, person.largest_kwh)
        last_end = float(end_h[number])
    return energy


def is_left_over(fraction: float, allowed: float, largest_kwh: float) -> int:
    """1 where the stay, and not the car, ended the charge: some need is left for the next."""
    return int(fraction > 0.85 and allowed < 0.95 * largest_kwh)


def _draw(sums: Array, uniform: float) -> int:
    return min(int(np.searchsorted(sums, uniform * sums[-1], side="right")), len(sums) - 1)


def _within(chances: Array, now: float, first: float, second: float) -> float:
    """Minute from 04:00, at or after ``now``, in a half-hour drawn by its chance."""
    bin_now = int(now // BIN_MIN)
    left = chances[bin_now:].copy()
    left[0] *= 1 - (now - bin_now * BIN_MIN) / BIN_MIN
    number = bin_now + _draw(np.cumsum(left + 1e-12), first)
    low = max(now, number * BIN_MIN)
    return low + second * ((number + 1) * BIN_MIN - low)


def _dwell(chances: Array, room: float, first: float, second: float) -> float:
    """Minutes plugged in, shorter than ``room``."""
    last = max(int(np.searchsorted(DWELL_EDGES_MIN, room, side="left")), 1)
    number = _draw(np.cumsum(chances[:last]), first)
    low = min(DWELL_EDGES_MIN[number], room)
    high = min(DWELL_EDGES_MIN[number + 1], room)
    return float(low * (high / low) ** second)


def _uniforms(rng: np.random.Generator) -> Callable[[], float]:
    """Uniform numbers of a stream one by one, drawn in blocks: a call of the generator costs more than a decision."""
    block: list[float] = []

    def take() -> float:
        if not block:
            block.extend(rng.random(512)[::-1].tolist())
        return block.pop()

    return take
