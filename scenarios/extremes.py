"""The extreme weeks of a set: peaks, ramps, dark spells, heat waves, cold spells, long imports.

Days are runs of 24 hours from the first local midnight, so a change of the clock moves their edges by an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hidiff.config import suggestion

from .scenario_set import Channel, Rows, ScenarioSet, Values, normalised

Floats = NDArray[np.float64]
Found = tuple[int, int, float]
"""First step (or day), number of them, and the value that ranks the event."""
KINDS = {
    "peak": "kW", "export_peak": "kW", "ramp": "kW", "cloudy": "days", "long_import": "h", "heat_wave": "K2",
    "cold_spell": "K2",
}  # fmt: skip
"""What can be searched for, and the unit of its value."""
LEAST_YEAR_H = 8760 - 24
CLOUDY = 0.4
"""A day below this share of a bright day of its season is cloudy."""


# ---------------------------------------------------------------- on arrays


def runs(flags: ArrayLike) -> list[tuple[int, int]]:
    """Start and length of each run of true values."""
    padded = np.concatenate([[False], np.asarray(flags, dtype=bool), [False]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(padded))
    return [(int(start), int(end - start)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def longest_run(flags: ArrayLike) -> tuple[int, int]:
    """Start and length of the longest run of true values, the first of equals; ``(0, 0)`` if there is none."""
    return max(runs(flags), key=lambda run: run[1], default=(0, 0))


def excess_heat_factor(daily_mean_c: ArrayLike, threshold_c: float | None = None) -> Floats:
    """Excess heat factor of each day with the next two, ``(day,)`` [K2]; NaN where there is too little past or future.

    ``(T3 - T95) * max(1, T3 - T30)``: three-day mean over the climate's 95 % quantile, times how far it is above
    the 30 days before. Above 0 is a heat wave. Nairn and Fawcett 2015, doi:10.3390/ijerph120100227.

    Args:
        daily_mean_c: mean of each day's maximum and minimum, ``(day,)``.
        threshold_c: T95; from the days themselves by default, which needs a year or more to mean something.
    """
    mean = np.asarray(daily_mean_c, dtype=np.float64)
    if mean.ndim != 1 or not np.isfinite(mean).all():
        raise ValueError(f"daily_mean_c has shape {mean.shape} or gaps; give one finite number a day")
    result = np.full(len(mean), np.nan)
    if len(mean) < 33:
        return result
    limit = float(np.quantile(mean, 0.95)) if threshold_c is None else threshold_c
    total = np.concatenate([[0.0], np.cumsum(mean)])
    first = np.arange(30, len(mean) - 2)
    three = (total[first + 3] - total[first]) / 3
    before = (total[first] - total[first - 30]) / 30
    result[first] = (three - limit) * np.maximum(1, three - before)
    return result


def excess_cold_factor(daily_mean_c: ArrayLike, threshold_c: float | None = None) -> Floats:
    """The same of cold, as a positive number: `excess_heat_factor` of the temperature's negative (T05)."""
    return excess_heat_factor(
        -np.asarray(daily_mean_c, dtype=np.float64), None if threshold_c is None else -threshold_c
    )


def brightness(daily_pv_kwh: ArrayLike) -> Floats:
    """Daily PV energy over the brightest day within 30 days either side, ``(day,)``, 0..1; no clear sky needed."""
    energy = pd.Series(np.asarray(daily_pv_kwh, dtype=np.float64))
    best = energy.rolling(61, center=True, min_periods=1).max().to_numpy()
    return np.asarray(np.divide(energy.to_numpy(), best, out=np.ones(len(energy)), where=best > 0))


def return_period_years(values: ArrayLike, probability: ArrayLike, span_years: float) -> Floats:
    """Mean time between events at least as extreme, ``(scenario,)`` [years].

    From the largest value of each scenario: ``span / P(value reached)``, with Weibull's plotting positions
    (``rank / (n + 1)`` when all are equally likely). NaN for spans under a year, whose season decides.
    """
    value, weight = np.asarray(values, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    if span_years < LEAST_YEAR_H / 8760:
        return np.full(len(value), np.nan)
    reached = np.array([weight[value >= one].sum() for one in value])
    return np.asarray(span_years / (reached * len(value) / (len(value) + 1)))


# ---------------------------------------------------------------- on a set


def find_extremes(
    scenario_set: ScenarioSet, kinds: Sequence[str] | None = None, *, homes: Literal["aggregate", "each"] = "aggregate",
    temperature_threshold_c: tuple[float, float] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The most extreme event of each kind in each scenario, the worst first within a kind.

    | kind | event | value |
    |---|---|---|
    | peak, export_peak | step of highest net import, export | kW |
    | ramp | step after which net load rises most | kW |
    | cloudy | longest run of days below `CLOUDY` of a bright day | days, plus its missing brightness, 0..1 |
    | long_import | longest run of net import | h |
    | heat_wave, cold_spell | day of the highest excess heat (cold) factor, three days | K2 |

    Net load is load and devices (``ev_kw``, ``heat_kw`` if there) less PV.

    Args:
        kinds: those whose channels the set has, by default.
        homes: all as one, or each for itself.
        temperature_threshold_c: 95 % and 5 % quantiles of the climate's daily means; else of the set's own days.

    Returns:
        Columns kind, scenario, home, start (UTC), length_h, value, unit, probability, return_period_years.
        A scenario without an event of a kind has no row.
    """
    asked = _possible(scenario_set) if kinds is None else list(kinds)
    for kind in asked:
        if kind not in KINDS:
            raise ValueError(f"no extreme {kind!r}{suggestion(kind, KINDS)}")
        if kind not in _possible(scenario_set):
            raise ValueError(
                f"{kind} needs {_needs(kind)}, which the set does not have; add it with with_channels()"
            )
    if homes not in ("aggregate", "each"):
        raise ValueError(f"homes={homes!r}; use 'aggregate' or 'each'")
    weather = [kind for kind in asked if kind in ("heat_wave", "cold_spell")]
    limits = (
        _climate(scenario_set) if weather and temperature_threshold_c is None else temperature_threshold_c
    )
    rows = []
    for number in range(len(scenario_set)):
        for kind in weather:
            assert limits is not None
            found = _spell(_daily_mean(scenario_set, number), kind, limits)
            rows += [_row(scenario_set, number, kind, "all", found)] if found else []
        dwellings = [kind for kind in asked if kind not in weather]
        groups = [None] if homes == "aggregate" else range(len(scenario_set.homes))
        for home in groups if dwellings else []:
            picked = np.arange(len(scenario_set.homes)) if home is None else np.array([home])
            power = _power(scenario_set, number, picked)
            name = "aggregate" if home is None else scenario_set.home_names[home]
            for kind in dwellings:
                found = _SEARCH[kind](scenario_set, *power)
                rows += [_row(scenario_set, number, kind, name, found)] if found else []
    columns = ["kind", "scenario", "home", "start", "length_h", "value", "unit", "probability"]
    table = pd.DataFrame(rows, columns=columns)
    years = len(scenario_set.time) * scenario_set.dt_h / 8760
    period = pd.Series(np.nan, index=table.index)
    for _, group in table.groupby(["kind", "home"]):
        period.loc[group.index] = return_period_years(group["value"], group["probability"], years)
    table["return_period_years"] = period
    order = table.assign(rank=table["kind"].map({kind: n for n, kind in enumerate(asked)}))
    return (
        order.sort_values(["rank", "value"], ascending=[True, False], kind="stable")
        .drop(columns="rank")
        .reset_index(drop=True)
    )


def cut_weeks(scenario_set: ScenarioSet, events: pd.DataFrame, *, days: int = 7) -> ScenarioSet:
    """A small set with one scenario for each event: the days around it, from a local midnight.

    The first event's clock serves for all; ``week_start``, ``kind``, ``value``, ``return_period_years`` and
    ``source_scenario`` label the scenarios. Probabilities are those of their scenarios, divided by their sum: how
    likely the scenario was among those cut, not how often such a week comes (see the return period).

    Args:
        events: rows of `find_extremes`, such as the first of each kind.

    Raises:
        ValueError: no events, or weeks longer than the set.
    """
    steps = round(days * 24 / scenario_set.dt_h)
    if not 1 <= steps <= len(scenario_set.time):
        raise ValueError(f"days={days} asks for {steps} steps; the set has {len(scenario_set.time)}")
    if not len(events):
        raise ValueError("there are no events; give rows of find_extremes()")
    per_day, first = _days(scenario_set)[:2]
    begins = []
    for start, length_h in zip(events["start"], events["length_h"], strict=True):
        middle = int(scenario_set.time.searchsorted(start)) + round(length_h / scenario_set.dt_h) // 2
        day = (middle - first) // per_day - days // 2
        last = len(scenario_set.time) - steps
        begin = first + day * per_day
        if begin > last:  # keep to midnights
            begin -= -(-(begin - last) // per_day) * per_day
        begins.append(min(max(begin, first if first <= last else 0), last))
    source = scenario_set.scenario_rows(list(dict.fromkeys(events["scenario"])))
    place = dict(zip(dict.fromkeys(events["scenario"]), source, strict=True))
    owner = [int(place[name]) for name in events["scenario"]]
    table = pd.DataFrame(
        {
            "probability": normalised(scenario_set.probability[owner]),
            "source_scenario": list(events["scenario"]),
            "week_start": [
                scenario_set.time[b].tz_convert(scenario_set.time_zone).isoformat() for b in begins
            ],
            **{name: list(events[name]) for name in ("kind", "home", "value")},
            "return_period_years": list(events["return_period_years"]),
        },
        index=pd.Index(
            [f"{kind}-{n}" for n, kind in enumerate(events["kind"])], name="scenario", dtype=object
        ),
    )

    def cut(channel: Channel) -> Channel:
        def read(row: int, rows: Rows) -> Values:
            return channel.read(owner[row], rows)[..., begins[row] : begins[row] + steps]

        return replace(channel, read=read)

    return replace(
        scenario_set, scenarios=table, time=scenario_set.time[begins[0] : begins[0] + steps],
        channels={name: cut(part) for name, part in scenario_set.channels.items()},
    )  # fmt: skip


def _needs(kind: str) -> str:
    return {"cloudy": "pv_kw", "heat_wave": "temperature_c", "cold_spell": "temperature_c"}.get(
        kind, "load_kw"
    )


def _possible(scenario_set: ScenarioSet) -> list[str]:
    return [kind for kind in KINDS if _needs(kind) in scenario_set.channels]


def _power(scenario_set: ScenarioSet, scenario: int, homes: Rows) -> tuple[Floats, Floats]:
    """Net load and PV of homes together, ``(step,)`` each."""

    def total(name: str) -> Floats:
        if name not in scenario_set.channels:
            return np.zeros(len(scenario_set.time))
        return np.asarray(scenario_set.read(name, scenario, homes).sum(0, dtype=np.float64))

    pv = total("pv_kw")
    return sum((total(name) for name in ("load_kw", "ev_kw", "heat_kw")), start=-pv), pv


def _days(scenario_set: ScenarioSet) -> tuple[int, int, int]:
    """Steps of a day, first step at a local midnight, whole days from there."""
    per_day = round(24 / scenario_set.dt_h)
    local = scenario_set.time[: per_day + 1].tz_convert(scenario_set.time_zone).tz_localize(None)
    midnights = np.flatnonzero(local == local.normalize())
    first = int(midnights[0]) if len(midnights) else 0
    return per_day, first, (len(scenario_set.time) - first) // per_day


def _daily(scenario_set: ScenarioSet, values: Floats | Values) -> Floats:
    """``(day, step)``."""
    per_day, first, days = _days(scenario_set)
    return np.asarray(values[first : first + days * per_day].reshape(days, per_day), dtype=np.float64)


def _daily_mean(scenario_set: ScenarioSet, scenario: int) -> Floats:
    by_day = _daily(scenario_set, scenario_set.read("temperature_c", scenario))
    return np.asarray((by_day.max(1) + by_day.min(1)) / 2)


def _climate(scenario_set: ScenarioSet) -> tuple[float, float]:
    """95 % and 5 % quantile of the daily means of all scenarios."""
    means = np.concatenate([_daily_mean(scenario_set, n) for n in range(len(scenario_set))])
    if not len(means):
        raise ValueError("the set has no whole day; heat waves and cold spells need at least 33")
    high, low = np.quantile(means, [0.95, 0.05])
    return float(high), float(low)


def _spell(daily_mean_c: Floats, kind: str, limits: tuple[float, float]) -> tuple[str, Found] | None:
    factor = (
        excess_heat_factor(daily_mean_c, limits[0])
        if kind == "heat_wave"
        else excess_cold_factor(daily_mean_c, limits[1])
    )
    if not np.nanmax(factor, initial=0) > 0:
        return None
    day = int(np.nanargmax(factor))
    return "day", (day, 3, float(factor[day]))


def _highest(sign: float) -> Callable[[ScenarioSet, Floats, Floats], tuple[str, Found] | None]:
    def search(scenario_set: ScenarioSet, net: Floats, pv: Floats) -> tuple[str, Found] | None:
        step = int(np.argmax(sign * net))
        return ("step", (step, 1, float(sign * net[step]))) if sign * net[step] > 0 else None

    return search


def _ramp(scenario_set: ScenarioSet, net: Floats, pv: Floats) -> tuple[str, Found] | None:
    rise = np.diff(net)
    if not len(rise) or not rise.max() > 0:
        return None
    step = int(rise.argmax())
    return "step", (step, 2, float(rise[step]))


def _cloudy(scenario_set: ScenarioSet, net: Floats, pv: Floats) -> tuple[str, Found] | None:
    bright = brightness(_daily(scenario_set, pv).sum(1))
    found = [
        (start, length, length + 1 - bright[start : start + length].mean())
        for start, length in runs(bright < CLOUDY)
    ]
    return ("day", max(found, key=lambda run: run[2])) if found else None


def _long_import(scenario_set: ScenarioSet, net: Floats, pv: Floats) -> tuple[str, Found] | None:
    start, length = longest_run(net > 0)
    return ("step", (start, length, length * scenario_set.dt_h)) if length else None


_SEARCH: dict[str, Callable[[ScenarioSet, Floats, Floats], tuple[str, Found] | None]] = {
    "peak": _highest(1), "export_peak": _highest(-1), "ramp": _ramp, "cloudy": _cloudy, "long_import": _long_import,
}  # fmt: skip


def _row(
    scenario_set: ScenarioSet, scenario: int, kind: str, home: str, found: tuple[str, Found]
) -> tuple[str, str, str, pd.Timestamp, float, float, str, float]:
    what, (start, length, value) = found
    per_day, first, _ = _days(scenario_set)
    step, count = (first + start * per_day, length * per_day) if what == "day" else (start, length)
    return (
        kind, scenario_set.names[scenario], home, scenario_set.time[step], count * scenario_set.dt_h, value, KINDS[kind],
        float(scenario_set.probability[scenario]),
    )  # fmt: skip
