"""Parts of a `ScenarioSet` for training, validation and test that share no home, year or scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from hidiff.config import suggestion
from hidiff.rng import generator

from .scenario_set import ScenarioSet

PARTS = ("train", "validation", "test")
By = Literal["home", "year", "scenario"]


def split(
    scenario_set: ScenarioSet, by: str | Sequence[str] = "home", *,
    shares: tuple[float, float, float] = (0.7, 0.15, 0.15), seed: int = 0,
) -> dict[str, ScenarioSet]:  # fmt: skip
    """Parts ``train``, ``validation`` and ``test``.

    By ``home``, a home's part depends on ``seed`` and on the home behind it (``source_home``, else its name)
    alone: twins of one real home never stand on two sides, and more homes move no other. By ``scenario``, likewise,
    by name. By ``year``, whole local years in order, train first. By several at once, a part holds its own homes in
    its own years: what is unseen in one way is unseen in all, and the rest is left out.

    Args:
        shares: of the three parts, which sum to one; met on average by home and scenario. A share of 0 leaves the
            part out.

    Raises:
        ValueError: shares that do not sum to one, or a part that nothing falls to.
    """
    ways = [by] if isinstance(by, str) else list(by)
    if not ways or len(set(ways)) < len(ways):
        raise ValueError(f"by={ways}; name home, year or scenario, each once")
    for way in ways:
        if way not in ("home", "year", "scenario"):
            raise ValueError(f"by={way!r}{suggestion(way, ('home', 'year', 'scenario'))}")
    if not (len(shares) == 3 and min(shares) >= 0 and abs(sum(shares) - 1) <= 1e-9):
        raise ValueError(f"shares={shares}; three numbers from 0 to 1 that sum to 1")
    parts = {name: scenario_set for name, share in zip(PARTS, shares, strict=True) if share > 0}
    for way in ways:
        if way == "year":
            bounds = _year_bounds(scenario_set, shares)
            parts = {name: part.between(*bounds[name]) for name, part in parts.items()}
            continue
        names = _origin(scenario_set) if way == "home" else scenario_set.names
        side = _sides(names, shares, seed, way)
        for name, part in parts.items():
            rows = [row for row, own in enumerate(side) if own == name]
            if not rows:
                raise ValueError(
                    f"no {way} of {len(names)} falls to {name!r}; give more, another seed, or a share of 0"
                )
            parts[name] = part.select(homes=rows) if way == "home" else part.select(scenarios=rows)
    return parts


def _origin(scenario_set: ScenarioSet) -> list[str]:
    """The home behind each home: twins have one."""
    homes = scenario_set.homes
    if "source_home" not in homes.columns:
        return scenario_set.home_names
    source = homes["source_home"].astype(object)
    return [
        str(own if pd.isna(one) or one == "" else one) for one, own in zip(source, homes.index, strict=True)
    ]


def _sides(names: list[str], shares: tuple[float, float, float], seed: int, way: str) -> list[str]:
    edges = np.cumsum(shares)[:-1]
    return [
        PARTS[int(np.searchsorted(edges, generator("split", way, seed, name).random(), side="right"))]
        for name in names
    ]


def _year_bounds(
    scenario_set: ScenarioSet, shares: tuple[float, float, float]
) -> dict[str, tuple[pd.Timestamp, pd.Timestamp]]:
    """Span of each part: whole years from the first step on the local clock, at least one each."""
    zone = scenario_set.time_zone
    first = scenario_set.time[0].tz_convert(zone).tz_localize(None)
    end = scenario_set.time[-1] + pd.Timedelta(hours=scenario_set.dt_h)
    starts = [scenario_set.time[0]]
    while True:
        stamp = (first + pd.DateOffset(years=len(starts))).tz_localize(
            zone, ambiguous=True, nonexistent="shift_forward"
        )
        if stamp > end:
            break
        starts.append(stamp)
    years = len(starts) - 1
    asked = [name for name, share in zip(PARTS, shares, strict=True) if share > 0]
    if years < len(asked):
        raise ValueError(
            f"the set holds {years} whole years, {len(asked)} parts are asked for; split by home or scenario, or "
            "leave a part out with a share of 0"
        )
    counts = dict.fromkeys(asked, 1)
    wanted = dict(zip(PARTS, shares, strict=True))
    for _ in range(years - len(asked)):  # the part that lacks most gets the next year
        counts[max(asked, key=lambda name: wanted[name] * years - counts[name])] += 1
    bounds, at = {}, 0
    for name in asked:
        bounds[name] = (starts[at], starts[at + counts[name]])
        at += counts[name]
    return bounds
