"""Other shapes of a `ScenarioSet`: another step, all homes as one, years as scenarios. Energy is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from .scenario_set import Channel, Rows, ScenarioSet, Values, normalised

LONGEST_STEP_H = 24


def resample(scenario_set: ScenarioSet, step: str | pd.Timedelta) -> ScenarioSet:
    """The set on another step: a whole part of its own, or a multiple of it.

    To longer steps, powers and states are averaged, energies and events summed. To shorter ones, powers and
    states stay as they are within a step, an energy is divided evenly, and an event falls on the first part.

    Raises:
        ValueError: a step that neither divides the set's own nor is a multiple of it, is longer than a day, or
            does not divide the span or begin with it on the local clock.
    """
    try:
        new = pd.Timedelta(step)
    except ValueError as error:
        raise ValueError(f"step {step!r} is no length of time; write it as 15min or 1h") from error
    old = pd.Timedelta(hours=scenario_set.dt_h)
    if not pd.Timedelta(0) < new <= pd.Timedelta(hours=LONGEST_STEP_H):
        raise ValueError(f"step {step} lies outside 0..{LONGEST_STEP_H} h; choose one such as 15min or 1h")
    if new == old:
        return scenario_set
    if new < old:
        parts = _whole(old, new)
        time = _clock(scenario_set.time[0], new, len(scenario_set.time) * parts)
        return _on(scenario_set, time, lambda channel: _finer(channel, parts))
    parts = _whole(new, old)
    start = scenario_set.time[0].tz_convert(scenario_set.time_zone).tz_localize(None)
    if (start - start.normalize()) % new:
        raise ValueError(
            f"the set begins at {start} local time, within a step of {step}; cut it with between()"
        )
    if len(scenario_set.time) % parts:
        raise ValueError(
            f"{len(scenario_set.time)} steps are not a whole number of {step}; cut the end with between()"
        )
    time = _clock(scenario_set.time[0], new, len(scenario_set.time) // parts)
    return _on(scenario_set, time, lambda channel: _coarser(channel, parts))


def aggregate(scenario_set: ScenarioSet, name: str = "neighbourhood") -> ScenarioSet:
    """All homes as one home: powers and energies add up, states are averaged, capacities are summed."""
    homes = scenario_set.homes
    sums = {
        column: float(homes[column].sum())
        for column in ("pv_capacity_kwp", "annual_kwh", "annual_pv_kwh")
        if column in homes.columns
    }
    table = pd.DataFrame(
        [sums | {"home_count": len(homes)}], index=pd.Index([name], name="home", dtype=object)
    )
    everyone = np.arange(len(homes))

    def summed(channel: Channel) -> Channel:
        if not channel.has_homes:
            return channel
        read, is_mean = channel.read, channel.kind == "state"

        def total(row: int, rows: Rows) -> Values:
            values = read(row, everyone).sum(axis=0, dtype=np.float64)
            one = (values / len(everyone) if is_mean else values).astype(np.float32)
            return np.repeat(one[None], len(rows), axis=0)

        return replace(channel, read=total)

    return replace(
        scenario_set, homes=table, channels={key: summed(part) for key, part in scenario_set.channels.items()}
    )


def years_as_scenarios(scenario_set: ScenarioSet) -> ScenarioSet:
    """Each scenario cut into its years, every year a scenario of its own on the clock of the first.

    Years are counted from the first step on the local clock. All must have as many steps: of leap years the last
    day is left out. Steps keep their place in the year, so days of the week move against the calendar, and each
    year's clock changes on its own dates; the label ``year_start`` says which year a scenario was.

    Raises:
        ValueError: less than two whole years.
    """
    zone = scenario_set.time_zone
    first = scenario_set.time[0].tz_convert(zone).tz_localize(None)
    end = scenario_set.time[-1] + pd.Timedelta(hours=scenario_set.dt_h)
    starts: list[int] = []
    stamps: list[pd.Timestamp] = []
    while True:
        stamp = (first + pd.DateOffset(years=len(starts))).tz_localize(
            zone, ambiguous=True, nonexistent="shift_forward"
        )
        if stamp + pd.Timedelta(days=365) > end:
            break
        starts.append(int(scenario_set.time.searchsorted(stamp)))
        stamps.append(stamp)
    if len(starts) < 2:
        raise ValueError(f"the set holds {len(starts)} whole years; years as scenarios need two or more")
    steps = round(365 * 24 / scenario_set.dt_h)
    old = scenario_set.scenarios
    table = old.loc[old.index.repeat(len(starts))].copy()
    years = [str(stamp.date()) for stamp in stamps]
    table["year_start"] = years * len(old)
    table.index = pd.Index(
        [f"{name}-{year}" for name in scenario_set.names for year in years], name="scenario", dtype=object
    )
    table["probability"] = normalised(table["probability"].to_numpy(dtype=np.float64))

    def cut(channel: Channel) -> Channel:
        read = channel.read

        def year(row: int, rows: Rows) -> Values:
            scenario, place = divmod(row, len(starts))
            return read(scenario, rows)[..., starts[place] : starts[place] + steps]

        return replace(channel, read=year)

    return replace(
        scenario_set, scenarios=table, time=scenario_set.time[:steps],
        channels={key: cut(part) for key, part in scenario_set.channels.items()},
    )  # fmt: skip


def _whole(longer: pd.Timedelta, shorter: pd.Timedelta) -> int:
    if longer % shorter:
        raise ValueError(
            f"steps of {longer.total_seconds() / 60:g} and {shorter.total_seconds() / 60:g} minutes do not fit into "
            "each other; choose a divisor or a multiple"
        )
    return int(longer // shorter)


def _clock(start: pd.Timestamp, step: pd.Timedelta, count: int) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq=step, name="time")


def _on(
    scenario_set: ScenarioSet, time: pd.DatetimeIndex, change: Callable[[Channel], Callable[[Values], Values]]
) -> ScenarioSet:
    def part(channel: Channel) -> Channel:
        read, changed = channel.read, change(channel)
        return replace(channel, read=lambda row, rows: changed(read(row, rows)))

    return replace(
        scenario_set, time=time, channels={key: part(one) for key, one in scenario_set.channels.items()}
    )


def _finer(channel: Channel, parts: int) -> Callable[[Values], Values]:
    def change(values: Values) -> Values:
        result = np.repeat(values, parts, axis=-1)
        if channel.kind == "energy":
            result /= parts
        elif channel.kind == "event":
            is_first = np.arange(result.shape[-1]) % parts == 0
            result *= is_first
        return result

    return change


def _coarser(channel: Channel, parts: int) -> Callable[[Values], Values]:
    is_sum = channel.kind in ("energy", "event")

    def change(values: Values) -> Values:
        grouped = values.reshape(*values.shape[:-1], -1, parts)
        total = grouped.sum(axis=-1, dtype=np.float64)
        return np.asarray(total if is_sum else total / parts, dtype=np.float32)

    return change
