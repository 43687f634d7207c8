"""Tables of a described set: its scenarios, its homes, its channels; pure functions of its totals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hidiff.data.traces import Traces

from .describe_days import by_day, whole_days
from .describe_numbers import Doubles, block_means, deviations, weighted_quantiles
from .describe_read import NET, NET_SIGNS, Totals
from .scenario_set import ScenarioSet

SHARES = {"p05": 0.05, "p50": 0.5, "p95": 0.95}
SHORT_DAYS = 14
"""Up to this span a set is looked at hour by hour and shown whole."""
SEASON_DAYS = 92
"""Up to this span scenarios are compared day by day, above it week by week."""


def compared(span_days: float) -> str:
    """Means that scenarios of a span are compared by."""
    return "hour" if span_days <= SHORT_DAYS else "day" if span_days <= SEASON_DAYS else "week"


def scenario_features(scenario_set: ScenarioSet, totals: Totals, clock: Traces) -> Doubles:
    """Deviations of the channels' means over hours, days or weeks, ``(scenario, feature)``.

    A net power that was computed is left out: it is a sum of the others.
    """
    local = clock.time.tz_convert(clock.time_zone).tz_localize(None)
    word = compared(len(local) * clock.dt_h / 24)
    block = local.floor("h") if word == "hour" else local.normalize()
    if word == "week":
        block = pd.Index((block - block[0]).days // 7)
    first = np.flatnonzero(np.append(True, block[1:] != block[:-1]))
    own = [values for name, values in totals.aggregate.items() if name in scenario_set.channels]
    return deviations([block_means(values, first) for values in own], scenario_set.probability)


def scenario_rows(
    scenario_set: ScenarioSet, totals: Totals, clock: Traces, features: Doubles
) -> pd.DataFrame:
    """One row a scenario: all homes together, and the set's own labels last."""
    local = clock.time.tz_convert(clock.time_zone)
    columns: dict[str, Any] = {"probability": scenario_set.probability}
    columns |= {_energy(name): kwh.sum(axis=1) for name, kwh in totals.kwh.items()}
    power = [name for name in (NET, "load_kw") if name in totals.aggregate and name in totals.peak_kw][:1]
    for name in power or [name for name in totals.aggregate if name in totals.peak_kw][:1]:
        stem, values = name.removesuffix("_kw"), totals.aggregate[name]
        columns[f"{stem}_peak_kw"] = values.max(axis=1).astype(np.float64)
        columns[f"{stem}_peak_at"] = local[values.argmax(axis=1)].strftime("%Y-%m-%d %H:%M")
        if values.min() < 0:
            columns[f"{stem}_least_kw"] = values.min(axis=1).astype(np.float64)
    for name in totals.aggregate:
        if name in scenario_set.channels and scenario_set.channels[name].kind == "state":
            columns[f"{name}_mean"] = totals.level[name][:, 0]
    days = whole_days(clock)
    if "temperature_c" in totals.aggregate and len(days):
        daily = by_day(clock, totals.aggregate["temperature_c"]).mean(axis=2, dtype=np.float64)
        for word, at in (("coldest", daily.argmin(axis=1)), ("hottest", daily.argmax(axis=1))):
            columns[f"{word}_day"] = days[at].strftime("%Y-%m-%d")
            columns[f"{word}_day_c"] = daily[np.arange(len(daily)), at]
    columns["distance_to_mean"] = np.sqrt((features**2).sum(axis=1))
    table = pd.DataFrame(columns, index=scenario_set.scenarios.index)
    labels = scenario_set.scenarios.drop(columns=table.columns, errors="ignore")
    return pd.concat([table, labels], axis=1)


def home_rows(scenario_set: ScenarioSet, totals: Totals) -> pd.DataFrame:
    """One row a home: quantiles over the scenarios of its energies and highest steps, the net power first."""
    columns: dict[str, Doubles] = {}
    for name in (NET, *NET_SIGNS, *totals.kwh):
        for values, stem in (
            (totals.kwh.get(name), _energy(name)),
            (totals.peak_kw.get(name), f"{name.removesuffix('_kw')}_peak_kw"),
        ):
            if values is None or values.shape[1] != len(scenario_set.homes) or f"{stem}_p50" in columns:
                continue
            found = weighted_quantiles(values, scenario_set.probability, tuple(SHARES.values()))
            columns |= {f"{stem}_{word}": row for word, row in zip(SHARES, found, strict=True)}
    return pd.DataFrame(columns, index=scenario_set.homes.index)


def channel_rows(scenario_set: ScenarioSet, totals: Totals, units: Mapping[str, str]) -> pd.DataFrame:
    """One row a channel, and one of the net power where it was computed."""
    probability = scenario_set.probability
    rows = []
    for name, level in totals.level.items():
        happens = level[probability > 0]
        row: dict[str, Any] = {"channel": name, "unit": units[name], "mean": probability @ level[:, 0]}
        row |= {"least": happens[:, 1].min(), "greatest": happens[:, 2].max()}
        energy = totals.kwh[name].sum(axis=1) if name in totals.kwh else None
        found = None if energy is None else weighted_quantiles(energy, probability, tuple(SHARES.values()))
        row |= {
            f"all_homes_kwh_{word}": np.nan if found is None else found[i] for i, word in enumerate(SHARES)
        }
        rows.append(row)
    return pd.DataFrame(rows).set_index("channel")


def cell(value: float) -> str:
    """A number of a table in four digits or more."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"


def _energy(name: str) -> str:
    return f"{name.removesuffix('_kw').removesuffix('_kwh')}_kwh"
