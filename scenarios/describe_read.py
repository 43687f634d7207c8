"""One pass over a set, a scenario and a block of homes at a time: what its description is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .describe_numbers import Doubles
from .scenario_set import Channel, Rows, ScenarioSet, Values

NET = "net_kw"
NET_SIGNS: Mapping[str, int] = MappingProxyType(
    {"load_kw": 1, "ev_kw": 1, "heat_kw": 1, "battery_kw": 1, "pv_kw": -1}
)
"""Channels that make up the exchange of a home with the grid, and whether they add to it or take from it."""
VALUES_PER_BLOCK = 4_000_000
"""Homes times steps that are in memory at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Totals:
    """What is kept of a set: rows are scenarios, and nothing is as large as homes times steps."""

    aggregate: dict[str, Values]
    """Sum over homes of power and energy channels and of the net power, and what homes share, ``(scenario, step)``."""
    kwh: dict[str, Doubles]
    """Energy of each home of power, energy and event channels and of the net power, ``(scenario, home)`` [kWh]."""
    peak_kw: dict[str, Doubles]
    """Highest step of each home of power channels and of the net power, ``(scenario, home)`` [kW]."""
    level: dict[str, Doubles]
    """Mean, least and greatest value of each channel, ``(scenario, 3)``."""


def net_parts(scenario_set: ScenarioSet) -> list[str]:
    """Channels that the net power is computed from; none where a set holds one alone, or knows the net power."""
    found = [name for name, part in scenario_set.channels.items() if name in NET_SIGNS and part.has_homes]
    return found if len(found) > 1 and NET not in scenario_set.channels else []


def adds_up(channel: Channel) -> bool:
    """Whether a channel has an aggregate: homes' powers and energies add up, and what they share is theirs."""
    return channel.kind in ("power", "energy") or not channel.has_homes


def read_totals(scenario_set: ScenarioSet, *, progress: bool = False) -> Totals:
    """Totals of a set.

    Raises:
        ValueError: a value that is NaN or infinite.
    """
    scenarios, homes, steps = scenario_set.shape
    parts, dt_h = net_parts(scenario_set), scenario_set.dt_h
    net = {NET: scenario_set.channels[parts[0]]} if parts else {}
    known: dict[str, Channel] = {**scenario_set.channels, **net}
    totals = Totals(
        aggregate={
            name: np.zeros((scenarios, steps), dtype=np.float32)
            for name, part in known.items()
            if adds_up(part)
        },
        kwh={
            name: np.zeros((scenarios, homes if part.has_homes else 1))
            for name, part in known.items()
            if part.kind != "state"
        },
        peak_kw={
            name: np.zeros((scenarios, homes if part.has_homes else 1))
            for name, part in known.items()
            if part.kind == "power"
        },
        level={name: np.tile([0.0, np.inf, -np.inf], (scenarios, 1)) for name in known},
    )
    per_block = max(1, VALUES_PER_BLOCK // steps)
    blocks = [np.arange(first, min(first + per_block, homes)) for first in range(0, homes, per_block)]

    def note(name: str, row: int, rows: Rows, values: Values) -> None:
        many = np.atleast_2d(values)
        sums = many.sum(axis=1, dtype=np.float64)
        if not np.isfinite(sums).all():
            raise ValueError(
                f"{name} of scenario {scenario_set.names[row]!r} holds values that are NaN or infinite; fill them, or "
                "select() that scenario out"
            )
        level = totals.level[name][row]
        level[:] = (
            level[0] + sums.sum() / steps,
            min(level[1], float(many.min())),
            max(level[2], float(many.max())),
        )
        if name in totals.kwh:
            totals.kwh[name][row, rows] = sums * (dt_h if known[name].kind == "power" else 1)
        if name in totals.peak_kw:
            totals.peak_kw[name][row, rows] = many.max(axis=1)
        if name in totals.aggregate:
            totals.aggregate[name][row] += many.sum(axis=0, dtype=np.float64)

    only: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
    for row in tqdm(range(scenarios), "describe", unit="scenario", disable=not progress):
        for name, channel in scenario_set.channels.items():
            if not channel.has_homes:
                note(name, row, only, channel.read(row, only))
        for rows in blocks:
            exchange = np.zeros((len(rows), steps), dtype=np.float32) if parts else None
            for name, channel in scenario_set.channels.items():
                if channel.has_homes:
                    values = channel.read(row, rows)
                    note(name, row, rows, values)
                    if exchange is not None and name in parts:
                        exchange += NET_SIGNS[name] * values
                    del values  # the next block is read while this one would still be held
            if exchange is not None:
                note(NET, row, rows, exchange)
        for name, part in known.items():
            totals.level[name][row, 0] /= homes if part.has_homes else 1
    return totals
