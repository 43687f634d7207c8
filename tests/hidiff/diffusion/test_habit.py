"""Habits: profiles of both halves of the year, what a few days of one half are worth, and habits of new homes."""

import numpy as np
import pandas as pd
import pytest

from hidiff.data import calendars
from hidiff.data.prepare import Prepared, last_year, prepare
from hidiff.data.traces import Traces
from hidiff.diffusion import habit
from hidiff.diffusion.habit import CARRY, DAYS_TO_TRUST, HABIT, MODES, PARTS, PROFILE, HabitPrior

SCALE = np.stack([np.zeros(HABIT), np.ones(HABIT)]).astype(np.float32)


def year_with_a_pulse(hour: int, *, on_the_wall: bool, days: int = 365) -> Prepared:
    """A home that draws 5 kW for an hour a day, at a time of the wall clock or of standard time."""
    time = pd.date_range("2011-06-30 14:00", periods=48 * days, freq="30min", tz="UTC")
    clock = time.tz_convert("Australia/Sydney" if on_the_wall else "Etc/GMT-10")
    load = np.where(clock.hour == hour, 5.0, 0.2)[None]
    homes = pd.DataFrame({"pv_capacity_kwp": [0.0]}, index=pd.Index(["a"], name="home"))
    return prepare(Traces(load, 0 * load, time, homes))


def test_summer_runs_from_the_first_sunday_of_october_to_that_of_april() -> None:
    dates = pd.date_range("2011-01-01", "2013-12-31")
    noon = (dates + pd.Timedelta(hours=12)).tz_localize("Australia/Sydney")
    assert calendars.is_summer(dates).tolist() == [stamp.dst() > pd.Timedelta(0) for stamp in noon]


@pytest.mark.parametrize("on_the_wall", [True, False])
def test_a_time_switch_on_standard_time_is_seen_as_sharp_as_a_clock_on_the_wall(on_the_wall: bool) -> None:
    prepared = year_with_a_pulse(22, on_the_wall=on_the_wall)
    found, count = habit.profiles(prepared, 0, np.flatnonzero(prepared.is_known[0]))
    winter, summer = found[:, :48]
    assert count.sum() == prepared.is_known.sum() and count.min() > 170
    assert winter.argmax() in (44, 45) and summer.argmax() in ((44, 45) if on_the_wall else (46, 47))
    for profile in (winter, summer):  # both halves at full height: nearly no day lies between
        assert np.ptp(profile) == pytest.approx(np.log((5 + 0.04) / (0.2 + 0.04)), rel=0.1)


def test_a_half_that_was_not_seen_is_taken_from_the_other() -> None:
    found, count = np.zeros((2, PROFILE), np.float32), np.array([28.0, 0.0], np.float32)
    found[0] = 2.0
    winter, summer = habit.read(found, count, SCALE).reshape(2, PROFILE)
    trust = 28 / (28 + DAYS_TO_TRUST)
    assert winter[0] == pytest.approx(2 * trust) and summer[0] == pytest.approx(2 * trust * CARRY)


def test_many_days_are_believed_and_none_is_the_population() -> None:
    rng = np.random.default_rng(0)
    found = rng.normal(size=(3, 2, PROFILE)).astype(np.float32)
    sure = habit.read(found, np.full((3, 2), 1e6, np.float32), SCALE)
    np.testing.assert_allclose(sure, found.reshape(3, HABIT), atol=1e-4)
    assert not habit.read(found, np.zeros((3, 2), np.float32), SCALE).any()


def test_modes_span_the_habits_they_were_made_of() -> None:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(2, HABIT))
    habits = (3 + rng.normal(size=(200, 2)) @ directions).astype(np.float32)
    prior = HabitPrior.fit(habits)
    scores = prior.scores(habits)
    assert prior.modes.shape == (MODES, HABIT)
    np.testing.assert_allclose(scores[:, :2].std(0), 1, atol=0.02)
    np.testing.assert_allclose(prior.smooth(scores), habits, atol=1e-3)


def test_a_new_habit_has_each_part_of_the_day_from_another_home() -> None:
    homes = np.arange(6)
    rest = np.repeat(homes[:, None] + 1.0, HABIT, axis=1).astype(np.float32)
    prior = HabitPrior(np.zeros(HABIT, np.float32), np.zeros((MODES, HABIT), np.float32), rest)
    made = prior.compose(np.zeros(MODES, np.float32), np.random.default_rng(0))
    parts = [set(made[habit.places_of(*part)].tolist()) for part in PARTS]
    assert all(len(part) == 1 for part in parts) and len(set.union(*parts)) == len(PARTS)
    again = prior.compose(np.zeros(MODES, np.float32), np.random.default_rng(0))
    np.testing.assert_array_equal(made, again)


def test_the_parts_of_the_day_are_all_of_it_once() -> None:
    places = np.concatenate([habit.places_of(*part) for part in PARTS])
    assert sorted(places.tolist()) == list(range(HABIT))


def test_the_last_year_is_scaled_to_its_own_mean() -> None:
    time = pd.date_range("2010-06-30 14:00", periods=48 * 730, freq="30min", tz="UTC")
    rng = np.random.default_rng(0)
    load = rng.uniform(0.2, 1.0, (1, len(time)))
    load[:, : 48 * 365] *= 3  # it used three times as much the year before
    homes = pd.DataFrame({"pv_capacity_kwp": [0.0]}, index=pd.Index(["a"], name="home"))
    whole = prepare(Traces(load, 0 * load, time, homes))
    recent = last_year(whole)
    assert recent.is_known.sum() == 365 and recent.is_known[0, -1]
    alone = prepare(Traces(load[:, 48 * 365 :], 0 * load[:, 48 * 365 :], time[48 * 365 :], homes))
    assert recent.scale_kw[0] == pytest.approx(alone.scale_kw[0], rel=1e-3)
    np.testing.assert_allclose(recent.tokens[0, -30:], alone.tokens[0, -30:], atol=2e-3)
    np.testing.assert_allclose(recent.load_log_ratio[0, -30:], alone.load_log_ratio[0, -30:], atol=2e-3)
    assert whole.scale_kw[0] == pytest.approx(2 * recent.scale_kw[0], rel=0.02)
