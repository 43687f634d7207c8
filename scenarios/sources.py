"""Where the homes of a set come from, read scenario by scenario: the model, or a bootstrap of traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from hidiff.baselines.bootstrap import FittedDayBootstrap
from hidiff.data.traces import Traces
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.household import Household

from .scenario_set import Channel, Rows, ScenarioSet, Values

HOMES_AT_ONCE = 32
"""Homes that are made together; a block of them stays in memory."""
BLOCKS_KEPT = 4


def generated(
    model: HiDiff, people: Sequence[Household], homes: pd.DataFrame, scenarios: pd.DataFrame, *, start: str, years: int,
    time_zone: str, weather: Sequence[pd.DataFrame | None], device: str = "cpu", workers: int | None = None,
) -> ScenarioSet:  # fmt: skip
    """Years of the same households in every scenario, made when they are read, the same ones each time.

    Args:
        homes: table of the homes, a row for each of ``people``.
        scenarios: table of scenarios, with the column ``seed`` that draws what is by chance in each.
        weather: of each scenario, as `HiDiff.sample_batches` takes it; None is a generated path.
    """
    seeds = [int(seed) for seed in scenarios["seed"]]

    def make(scenario: int, first: int) -> Traces:
        block = people[first : first + HOMES_AT_ONCE]
        return model.sample(
            list(block), years, start, seeds[scenario], weather=weather[scenario], time_zone=time_zone, device=device,
            workers=workers,
        )  # fmt: skip

    time = _span(start, years, time_zone)
    return _made_in_blocks(make, homes, scenarios, time, time_zone)


def bootstrapped(
    fitted: FittedDayBootstrap, names: Sequence[str], scenarios: pd.DataFrame, *, start: str, years: int
) -> ScenarioSet:
    """Years made of the fitted homes' own days, drawn anew in every scenario."""
    seeds = [int(seed) for seed in scenarios["seed"]]
    source = fitted.traces.select(list(names))

    def make(scenario: int, first: int) -> Traces:
        return fitted.sample(list(names[first : first + HOMES_AT_ONCE]), years, start, seeds[scenario])

    time = _span(start, years, source.time_zone, source.dt_h)
    return _made_in_blocks(make, source.homes, scenarios, time, source.time_zone)


def _span(start: str, years: int, time_zone: str, dt_h: float = 0.5) -> pd.DatetimeIndex:
    first = pd.Timestamp(start)
    bounds = [
        stamp.tz_localize(time_zone, nonexistent="shift_forward", ambiguous=True).tz_convert("UTC")
        for stamp in (first, first + pd.DateOffset(years=years))
    ]
    return pd.date_range(*bounds, freq=pd.Timedelta(hours=dt_h), inclusive="left", name="time")


def _made_in_blocks(
    make: Callable[[int, int], Traces], homes: pd.DataFrame, scenarios: pd.DataFrame, time: pd.DatetimeIndex,
    time_zone: str,
) -> ScenarioSet:  # fmt: skip
    """Load and PV of what ``make`` gives for a scenario and the position of the first home of a block."""
    block = lru_cache(maxsize=BLOCKS_KEPT)(make)

    def channel(name: str) -> Channel:
        def read(scenario: int, rows: Rows) -> Values:
            values = np.empty((len(rows), len(time)), dtype=np.float32)
            firsts = rows - rows % HOMES_AT_ONCE
            for first in np.unique(firsts):
                mine = firsts == first
                values[mine] = getattr(block(scenario, int(first)), name)[rows[mine] - first]
            return values

        return Channel(read=read)

    return ScenarioSet(
        scenarios=scenarios, homes=homes, time=time, time_zone=time_zone,
        channels={name: channel(name) for name in ("load_kw", "pv_kw")},
    )  # fmt: skip
