"""The habit of a home: the profile of its half-hours in each half of the year, as read from its days.

A profile is the mean, the low and the high log load of each half-hour on the wall clock, and the weekend
contrast of each hour. The two halves are kept apart, for a quarter of the Ausgrid homes has loads that a time
switch holds to standard time all year: one profile on the wall clock shows them twice, at half their height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hidiff.data import calendars
from hidiff.data.calendars import STEPS_PER_DAY, Grid
from hidiff.data.prepare import Prepared

Array = NDArray[np.float32]
PROFILE = 3 * STEPS_PER_DAY + 24
"""Mean, low and high profile by half-hour, weekend contrast by hour."""
HALVES = 2
"""Winter, then summer: see `calendars.is_summer`."""
HABIT = HALVES * PROFILE
DAYS_TO_TRUST = 7.0
"""Days of a half that count as much as what is known without them."""
CARRY = 0.6
"""Share of a profile's departure from the population that the other half of the year has too."""
MODES = 24
"""Numbers that span most of a habit; the sharp rest is taken from parts of the day of several homes."""
PARTS = ((3, 9), (9, 15), (15, 21), (21, 27))
"""Hours of the parts of the day that a new home takes from one home each; they run on past midnight."""


def on_the_clock(days: Array, grid: Grid, places: NDArray[np.integer]) -> Array:
    """Rows of 48 half-hours turned so that slot 0 is midnight on the wall clock."""
    shift = np.rint(grid.clock_hour[places, 0] * 2).astype(int)
    slots = (np.arange(STEPS_PER_DAY)[None] - shift[:, None]) % STEPS_PER_DAY
    return np.take_along_axis(days, slots, axis=1)


def profile(load: Array, is_weekend: NDArray[np.bool_]) -> Array:
    """Profile of some days, ``(168,)``, from their log load on the wall clock, ``(day, 48)``."""
    low, high = np.quantile(load, [0.1, 0.9], axis=0)
    hourly = load.reshape(len(load), 24, 2).mean(2)
    has_both = 0 < is_weekend.sum() < len(load)
    contrast = hourly[is_weekend].mean(0) - hourly[~is_weekend].mean(0) if has_both else np.zeros(24)
    return np.concatenate([load.mean(0), low, high, contrast]).astype(np.float32)


def profiles(prepared: Prepared, home: int, days: NDArray[np.integer]) -> tuple[Array, Array]:
    """Profiles of a home in both halves of the year, ``(2, 168)``, and the days behind each, ``(2,)``.

    A half without a day has zeros.

    Args:
        home: place of the home.
        days: places of known days.
    """
    summer = calendars.is_summer(prepared.grid.dates[days])
    found, count = np.zeros((HALVES, PROFILE), dtype=np.float32), np.zeros(HALVES, dtype=np.float32)
    for half in range(HALVES):
        chosen = days[summer == half]
        if len(chosen):
            load = on_the_clock(prepared.load_log_ratio[home, chosen], prepared.grid, chosen)
            found[half] = profile(load, prepared.grid.weekday[chosen] >= 5)
            count[half] = len(chosen)
    return found, count


def read(found: Array, count: Array, scale: Array) -> Array:
    """Best guess of the habit, ``(…, 336)`` in units of the spread between homes, 0 being the population's.

    A half of few days leans on the other half, and both on the population.

    Args:
        found: see `profiles`, ``(…, 2, 168)``.
        count: days behind them, ``(…, 2)``.
        scale: mean and spread between homes, ``(2, 336)``.
    """
    own = (found - scale[0].reshape(HALVES, PROFILE)) / scale[1].reshape(HALVES, PROFILE)
    trust = (count / (count + DAYS_TO_TRUST))[..., None]
    alone = trust * own
    other = alone[..., ::-1, :]
    expected = CARRY * other
    guess = expected + trust * (own - expected)
    return np.asarray(guess, dtype=np.float32).reshape(*found.shape[:-2], HABIT)


@dataclass(frozen=True)
class HabitPrior:
    """What the habits of new homes are made of: a smooth part that `identity.Prior` draws, and sharp parts."""

    centre: Array
    """Mean habit of the training homes, ``(336,)``."""
    modes: Array
    """Principal directions of their habits, each as long as homes spread along it, ``(24, 336)``."""
    rest: Array
    """What the modes leave of the habit of each training home, ``(home, 336)``."""

    @staticmethod
    def fit(habits: Array) -> HabitPrior:
        """From the habits of the training homes, ``(home, 336)``."""
        centre = habits.mean(0)
        _, spread, directions = np.linalg.svd(habits - centre, full_matrices=False)
        modes = np.zeros((MODES, HABIT), dtype=np.float32)
        found = directions[:MODES] * (spread[:MODES, None] / max(len(habits) - 1, 1) ** 0.5)
        modes[: len(found)] = found
        draft = HabitPrior(centre.astype(np.float32), modes, np.zeros((0, HABIT), dtype=np.float32))
        rest = habits - draft.smooth(draft.scores(habits))
        return HabitPrior(draft.centre, modes, rest.astype(np.float32))

    def scores(self, habits: Array) -> Array:
        """Where ``habits`` ``(home, 336)`` lie along the modes, ``(home, 24)``, each of unit spread."""
        length = np.maximum((self.modes**2).sum(1), 1e-6)
        return np.asarray((habits - self.centre) @ self.modes.T / length, dtype=np.float32)

    def smooth(self, scores: Array) -> Array:
        """The habit that ``scores`` ``(…, 24)`` alone describe, ``(…, 336)``."""
        return np.asarray(self.centre + scores @ self.modes, dtype=np.float32)

    def compose(self, scores: Array, rng: np.random.Generator) -> Array:
        """Habit of a new home, ``(336,)``: the smooth one, and for each part of the day the rest of some home.

        No two parts come from one home where there are homes enough, so a new home has nobody's day.
        """
        habit = self.smooth(scores).copy()
        homes = len(self.rest)
        chosen = rng.choice(homes, len(PARTS), replace=homes < len(PARTS))
        for home, (begin, end) in zip(chosen, PARTS, strict=True):
            places = places_of(begin, end)
            habit[places] += self.rest[home, places]
        return habit


def places_of(begin: int, end: int) -> NDArray[np.int64]:
    """Places in a habit ``(336,)`` that belong to the hours ``begin`` to ``end`` (of the next day from 24)."""
    hours = np.arange(begin, end) % 24
    slots = np.concatenate([2 * hours, 2 * hours + 1])
    half = np.concatenate([slots + row * STEPS_PER_DAY for row in range(3)] + [3 * STEPS_PER_DAY + hours])
    return np.sort(np.concatenate([half + row * PROFILE for row in range(HALVES)])).astype(np.int64)
