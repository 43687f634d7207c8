"""Sets put together: more scenarios of the same homes, or more homes in the same scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .scenario_set import Channel, Rows, ScenarioSet, Values, normalised


def concat_scenarios(parts: Sequence[ScenarioSet], weights: ArrayLike | None = None) -> ScenarioSet:
    """All scenarios of parts that share clock, homes and channels: a mixture, each part with its weight.

    Args:
        weights: of the parts, ``(part,)``; in proportion to their numbers of scenarios by default.

    Raises:
        ValueError: parts that differ in clock, homes or channels, or share a scenario's name.
    """
    first = _same(parts, ("time", "homes", "channels"))
    share = normalised(np.array([len(p) for p in parts] if weights is None else weights, dtype=np.float64))
    table = pd.concat(
        [
            part.scenarios.assign(probability=w * part.probability)
            for w, part in zip(share, parts, strict=True)
        ]
    )
    table = table.assign(probability=normalised(table["probability"].to_numpy(dtype=np.float64)))
    _refuse_double(table.index, "scenario")
    table.index.name = "scenario"
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    place = np.concatenate([np.arange(len(part)) for part in parts])

    def joined(name: str) -> Channel:
        reads = [part.channels[name].read for part in parts]
        return replace(first.channels[name], read=lambda row, rows: reads[owner[row]](int(place[row]), rows))

    return replace(first, scenarios=table, channels={name: joined(name) for name in first.channels})


def concat_homes(parts: Sequence[ScenarioSet]) -> ScenarioSet:
    """All homes of parts that share clock, scenarios and channels; what homes share is taken from the first.

    Raises:
        ValueError: parts that differ in clock, scenarios or channels, or share a home's name.
    """
    first = _same(parts, ("time", "scenarios", "channels"))
    homes = pd.concat([part.homes for part in parts])
    _refuse_double(homes.index, "home")
    homes.index.name = "home"
    owner = np.repeat(np.arange(len(parts)), [len(part.homes) for part in parts])
    place = np.concatenate([np.arange(len(part.homes)) for part in parts])

    def joined(name: str) -> Channel:
        channel = first.channels[name]
        reads = [part.channels[name].read for part in parts]

        def read(row: int, rows: Rows) -> Values:
            values = np.empty((len(rows), len(first.time)), dtype=np.float32)
            for number, own in enumerate(reads):
                mine = np.flatnonzero(owner[rows] == number)
                if len(mine):
                    values[mine] = own(row, place[rows[mine]])
            return values

        return replace(channel, read=read) if channel.has_homes else channel

    return replace(first, homes=homes, channels={name: joined(name) for name in first.channels})


def _same(parts: Sequence[ScenarioSet], shared: tuple[str, ...]) -> ScenarioSet:
    """The first part, when all others have the same clock, and the same scenarios or homes, and channels."""
    if not parts:
        raise ValueError("nothing to put together; give at least one ScenarioSet")
    first = parts[0]
    for number, part in enumerate(parts[1:], start=1):
        differs = {
            "time": not part.time.equals(first.time) or part.time_zone != first.time_zone,
            "homes": part.home_names != first.home_names,
            "scenarios": part.names != first.names or not np.array_equal(part.probability, first.probability),
            "channels": {n: (c.unit, c.kind, c.has_homes) for n, c in part.channels.items()}
            != {n: (c.unit, c.kind, c.has_homes) for n, c in first.channels.items()},
        }
        for name in shared:
            if differs[name]:
                raise ValueError(
                    f"part {number} has other {name} than part 0; select() or between() what they share"
                )
    return first


def _refuse_double(names: pd.Index, word: str) -> None:
    double = names[names.duplicated()]
    if len(double):
        raise ValueError(f"{word} {double[0]!r} is in two parts; rename one, or select() it out")
