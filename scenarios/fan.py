"""A fan of the coming days as a set of equally likely scenarios."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hidiff.data.traces import Traces
from hidiff.diffusion.conditional import Fan
from hidiff.diffusion.hierarchy import HiDiff

from .scenario_set import ScenarioSet


def from_fan(fan: Fan) -> ScenarioSet:
    """Load and PV of ``fan``, each scenario with probability ``1 / len(fan)``."""
    return ScenarioSet.from_arrays(
        {"load_kw": fan.load_kw, "pv_kw": fan.pv_kw},
        time=fan.time,
        homes=fan.homes,
        probability=np.full(len(fan), 1 / len(fan)),
        time_zone=fan.time_zone,
        provenance=fan.provenance,
    )


def fan(
    model: HiDiff, readings: Traces, *, days: int = 1, n: int = 200, seed: int = 0,
    weather: pd.DataFrame | None = None,
) -> ScenarioSet:  # fmt: skip
    """The days that follow ``readings``, see `HiDiff.conditional`."""
    return from_fan(model.conditional(readings, days, n, seed, weather=weather))
