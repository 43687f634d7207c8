"""Days of the scenarios on the local clock: whole days, their season and kind, and what shapes they take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data.calendars import is_holiday
from hidiff.data.traces import Traces
from hidiff.report_numbers import SEASONS, day_kwh, on_local_days, season_names
from hidiff.rng import generator

from .describe_numbers import Doubles, weighted_quantiles
from .scenario_set import Values

Labels = NDArray[np.int64]
MOST_TYPES = 5
"""Shapes that days are sorted into: as many as a reader tells apart."""
_DAYS_FITTED = 20_000
_AUSTRALIA = {
    "Sydney": "NSW", "Melbourne": "VIC", "Brisbane": "QLD", "Adelaide": "SA", "Perth": "WA", "Hobart": "TAS",
    "Darwin": "NT", "Canberra": "ACT",
}  # fmt: skip
KINDS = ("weekday", "weekend", "holiday")


def clock_of(time: pd.DatetimeIndex, time_zone: str) -> Traces:
    """A clock as the numbers of the report take it: traces without homes."""
    nothing = np.empty((0, len(time)), dtype=np.float32)
    homes = pd.DataFrame({"pv_capacity_kwp": np.empty(0)}, index=pd.Index([], name="home", dtype=object))
    return Traces(nothing, nothing, time, homes, time_zone)


def whole_days(clock: Traces) -> pd.DatetimeIndex:
    """Local days that the clock covers from midnight to midnight; none where steps do not divide a day."""
    slots = 24 / clock.dt_h
    if slots < 1 or abs(slots - round(slots)) > 1e-6:
        return pd.DatetimeIndex([])
    return day_kwh(clock, clock.load_kw)[0]


def by_day(clock: Traces, values: Values) -> Values:
    """``values`` ``(row, step)`` as ``(row, day, slot)`` of the whole local days.

    The hour that the clock skips in spring is drawn straight from the one before to the one after.
    """
    days, grid = on_local_days(clock, values)
    kept = np.asarray(grid[:, days.get_indexer(whole_days(clock))])
    gap = ~np.isfinite(kept).all(axis=(0, 2))
    for day in np.flatnonzero(gap):
        known = np.isfinite(kept[0, day])
        slots = np.arange(kept.shape[2])
        for row in kept[:, day]:
            row[~known] = np.interp(slots[~known], slots[known], row[known])
    return kept


def is_southern(time_zone: str) -> bool | None:
    """Hemisphere of a time zone, where its name tells; else the seasons are named by their months."""
    return {"Australia": True, "Europe": False}.get(time_zone.split("/")[0])


def seasons_of(days: pd.DatetimeIndex) -> Labels:
    """Quarter of the year of each day, 0 from December to February."""
    return np.asarray(SEASONS[days.month - 1])


def season_names_of(time_zone: str) -> list[str]:
    """Names of the quarters where the homes are."""
    return season_names(is_southern(time_zone))


def kinds_of(days: pd.DatetimeIndex, time_zone: str) -> Labels:
    """Place in ``KINDS`` of each day; holidays (25-31 December among them) are known of Australian cities."""
    kind = np.where(days.day_of_week >= 5, 1, 0)
    region, _, city = time_zone.partition("/")
    if region == "Australia" and city in _AUSTRALIA:
        kind[is_holiday(days, "AU", _AUSTRALIA[city])] = 2
    return np.asarray(kind, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class DayTypes:
    """Days of all scenarios sorted by their shape, from the least net energy to the most."""

    days: pd.DatetimeIndex
    label: Labels
    """Type of each day, ``(scenario, day)``."""
    names: list[str]
    profile_kw: Doubles
    """Probability-weighted quartiles of each type at each slot, ``(type, 3, slot)`` [kW]."""
    mean_kw: Doubles
    """Probability-weighted mean, ``(type, slot)`` [kW]."""
    shares: pd.DataFrame
    """Columns season, kind, type (numbers) and share (of all scenario-days, weighted); the shares sum to one."""


def day_types(
    net_kw: Values, days: pd.DatetimeIndex, probability: Doubles, time_zone: str, most: int = MOST_TYPES
) -> DayTypes:
    """K-means of the hourly means of days of the aggregate.

    Args:
        net_kw: ``(scenario, day, slot)``.
        days: the local days, ``(day,)``.
        probability: ``(scenario,)``.
    """
    from sklearn.cluster import KMeans

    scenarios, count, slots = net_kw.shape
    hours = net_kw.reshape(scenarios, count, 24, -1).mean(axis=3) if slots % 24 == 0 else net_kw
    sample = np.asarray(hours, dtype=np.float64).reshape(scenarios * count, -1)
    weight = np.repeat(probability / count, count)
    chosen = np.flatnonzero(weight > 0)
    if len(chosen) > _DAYS_FITTED:
        chosen = np.sort(generator(0, "day types").choice(chosen, _DAYS_FITTED, replace=False))
    wanted = min(most, len(np.unique(sample[chosen], axis=0)))
    model = KMeans(wanted, n_init=4, random_state=0).fit(sample[chosen], sample_weight=weight[chosen])
    found = np.asarray(model.predict(sample), dtype=np.int64)
    present = np.unique(found[weight > 0])
    order = present[np.argsort(model.cluster_centers_[present].mean(axis=1))]
    place = np.zeros(wanted, dtype=np.int64)
    place[order] = np.arange(len(order))
    label = place[found].reshape(scenarios, count)
    flat, of_day = label.reshape(-1), net_kw.reshape(-1, slots)
    members = [np.flatnonzero((flat == number) & (weight > 0)) for number in range(len(order))]
    mean = np.stack([weight[rows] @ of_day[rows] / weight[rows].sum() for rows in members])
    season, kind = seasons_of(days), kinds_of(days, time_zone)
    shares = pd.DataFrame(
        {
            "season": np.tile(season, scenarios),
            "kind": np.tile(kind, scenarios),
            "type": flat,
            "share": weight,
        }
    )
    return DayTypes(
        days=days,
        label=label,
        names=type_names(mean),
        profile_kw=np.stack(
            [weighted_quantiles(of_day[rows], weight[rows], (0.25, 0.5, 0.75)) for rows in members]
        ),
        mean_kw=mean,
        shares=shares.groupby(["season", "kind", "type"], as_index=False)["share"].sum(),
    )


def type_names(profiles: Doubles) -> list[str]:
    """Name of each profile ``(type, slot)``, in order of its mean, by what it does at midday and when it peaks."""
    hour = 24 * (np.arange(profiles.shape[1]) + 0.5) / profiles.shape[1]
    names = [_shape(profile, hour) for profile in profiles]
    levels: dict[int, tuple[str, ...]] = {2: ("lower", "higher"), 3: ("low", "middle", "high")}
    named = []
    for number, name in enumerate(names):
        twins = [other for other, same in enumerate(names) if same == name]
        words = levels.get(len(twins), tuple(f"level {rank + 1}" for rank in range(len(twins))))
        named.append(name if len(twins) == 1 else f"{name} ({words[twins.index(number)]})")
    return named


def _shape(profile: Doubles, hour: Doubles) -> str:
    scale, mean = float(np.abs(profile).max()), float(profile.mean())
    if np.ptp(profile) <= 0.3 * scale:
        return "flat"
    # Means of hours, so that a water heater on a timer does not outweigh an evening.
    bounds = {"night": (22, 6), "morning": (6, 10), "midday": (10, 15), "evening": (17, 22)}
    level = {
        name: float(
            profile[(hour >= start) & (hour < end) if start < end else (hour >= start) | (hour < end)].mean()
        )
        for name, (start, end) in bounds.items()
    }
    peak = max(level, key=lambda name: level[name])
    if level["midday"] < -0.05 * scale:
        return f"midday export, {peak} peak"
    if peak != "midday" and level["midday"] < 0.75 * mean:
        return f"midday dip, {peak} peak"
    return f"{peak} peak"
