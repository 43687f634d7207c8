"""Controls that any generator must beat: days out of order, a mean profile with noise, last year again."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data.traces import Traces

Floats = NDArray[np.floating]


def shuffled_days(traces: Traces, rng: np.random.Generator) -> Traces:
    """Each home's days in an order of their own: whole days are kept; seasons, weeks and neighbours are lost.

    Days are equal blocks of 24 hours from the first step; a part of a day at the end stays where it is.
    """
    steps = round(24 / traces.dt_h)
    days = len(traces.time) // steps
    if days < 2:
        raise ValueError(f"{len(traces.time)} steps make {days} days; shuffling needs at least 2")
    load_kw, pv_kw = traces.load_kw.copy(), traces.pv_kw.copy()
    for home in range(len(traces)):
        order = rng.permutation(days)
        for power_kw, source_kw in ((load_kw, traces.load_kw), (pv_kw, traces.pv_kw)):
            blocks = source_kw[home, : days * steps].reshape(days, steps)
            power_kw[home, : days * steps] = blocks[order].ravel()
    return Traces(load_kw, pv_kw, traces.time, traces.homes, traces.time_zone)


def mean_profile_with_noise(traces: Traces, rng: np.random.Generator) -> Traces:
    """Each home's mean profile of the month plus independent normal noise as wide as what it varies by.

    Mean and standard deviation are taken by home, calendar month and time of day. Power is cut at zero, which
    is part of the definition: load and PV are not negative.
    """
    clock = traces.time.tz_convert(traces.time_zone)
    minute = np.asarray(clock.hour * 60 + clock.minute)
    _, cell = np.unique(np.asarray(clock.month) * 1440 + minute, return_inverse=True)
    count = np.bincount(cell)
    made = []
    for power_kw in (traces.load_kw, traces.pv_kw):
        noisy = np.empty(power_kw.shape)
        for home, row in enumerate(power_kw.astype(np.float64)):
            mean = np.bincount(cell, weights=row) / count
            variance = np.bincount(cell, weights=(row - mean[cell]) ** 2) / count
            noisy[home] = mean[cell] + np.sqrt(variance)[cell] * rng.standard_normal(len(row))
        made.append(np.maximum(noisy, 0.0))
    return Traces(made[0], made[1], traces.time, traces.homes, traces.time_zone)


def last_year_repeated(traces: Traces) -> Traces:
    """The same traces 52 weeks later, so that weekdays meet weekdays; the plainest forecast of a year.

    For homes that are known only. As a population it is the real year itself.
    """
    return Traces(
        traces.load_kw, traces.pv_kw, traces.time + pd.Timedelta(weeks=52), traces.homes, traces.time_zone
    )
