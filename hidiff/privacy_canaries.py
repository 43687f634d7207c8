"""Canaries: outlier homes that a coin puts among the training homes, so that an audit can tell who was in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff import rng as random
from hidiff.data.traces import Traces, concat_homes
from hidiff.diffusion import identity

Bools = NDArray[np.bool_]


def canary_homes(traces: Traces, count: int, seed: int = 0) -> Traces:
    """Outlier homes that no household is like, made of real ones, to be put among training homes.

    Each has the PV of a real home, drawn without repeat while there are enough, and its load with every 24 hours
    (from the first step on) run backwards, doubled, plus a pulse of 3 to 6 kW in one half-hour of every ``p``,
    where ``p`` is an odd number of 5 to 47 steps and its phase is the canary's own: it keeps no clock that the
    model knows.

    Args:
        traces: homes to make them of, at least as many as need be known by name.
        count: how many.
        seed: canary ``i`` of a seed is the same however many are made.
    Raises:
        ValueError: a count below 1.
    """
    if count < 1:
        raise ValueError(f"count={count}; make at least 1 canary")
    order = random.generator("canary", seed, "sources").permutation(len(traces))
    sources = [traces.names[order[place % len(order)]] for place in range(count)]
    base = traces.select(list(dict.fromkeys(sources)))
    place_of = {name: place for place, name in enumerate(base.names)}
    rows = [place_of[name] for name in sources]
    load, pv = base.load_kw[rows].astype(np.float32), base.pv_kw[rows].copy()
    steps = round(24 / traces.dt_h)
    whole = len(traces.time) // steps * steps
    names = [f"canary-{place:03d}" for place in range(count)]
    for place, name in enumerate(names):
        rng = random.generator("canary", seed, name)
        period = int(rng.choice(np.arange(5, 48, 2)))
        phase, pulse_kw = int(rng.integers(period)), rng.uniform(3, 6)
        load[place, :whole] = load[place, :whole].reshape(-1, steps)[:, ::-1].ravel()
        load[place] *= 2
        load[place, phase::period] += pulse_kw
    table = base.homes.iloc[rows].set_axis(pd.Index(names, name="home", dtype=object)).assign(source=sources)
    return Traces(load, pv, traces.time, table, traces.time_zone)


def included_canaries(names: Sequence[str], seed: int = 0) -> Bools:
    """Whether each canary is trained on, ``(canary,)``: a fair coin each, as the bound of the audit asks for."""
    return np.array([random.generator("included", seed, name).random() < 0.5 for name in names], dtype=bool)


def with_canaries(traces: Traces, canaries: Traces, included: Bools) -> Traces:
    """Training data with the included canaries in it, and in a way that `hidiff.training.train` keeps them all.

    They are marked clean and their last year is taken out: homes without it are never put aside for validation.
    Canaries that stand among ``traces`` already (odd real homes) take the place of themselves, and those that were not
    drawn go out.

    Raises:
        ValueError: no canary is included, or fewer than two weeks are left of them.
    """
    chosen = [name for name, is_in in zip(canaries.names, included, strict=True) if is_in]
    if not chosen:
        raise ValueError(f"none of {len(canaries)} canaries is included; take more, or another seed")
    last = np.asarray(
        traces.time >= traces.time[-1] + pd.Timedelta(hours=traces.dt_h) - pd.DateOffset(years=1)
    )
    if (~last).sum() * traces.dt_h < 24 * identity.DAYS_TO_KNOW:
        raise ValueError(
            f"{(~last).sum() * traces.dt_h / 24:.0f} days stand before the last year; canaries are trained on those "
            f"alone and need {identity.DAYS_TO_KNOW}: give longer traces"
        )
    picked = canaries.select(chosen)
    load, pv = picked.load_kw.copy(), picked.pv_kw.copy()
    load[:, last], pv[:, last] = np.nan, np.nan
    columns = [name for name in traces.homes.columns if name in picked.homes.columns]
    table = picked.homes[columns].copy()
    if "is_clean" in traces.homes.columns:
        table["is_clean"] = True
    rest = traces.select([name for name in traces.names if name not in canaries.names])
    return concat_homes([rest, Traces(load, pv, picked.time, table, picked.time_zone)])
