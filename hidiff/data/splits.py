"""Splits by home and by date that cannot leak."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from hidiff.rng import generator

from .traces import Traces


def split_homes(names: Iterable[str], share: float, seed: int = 0) -> tuple[list[str], list[str]]:
    """Names kept and names held out; each name's side depends on it and ``seed`` alone.

    Adding or removing homes therefore never moves another one, at the price that the held-out share is met on
    average and not exactly.

    Args:
        share: share of homes to hold out, 0..1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share={share}; it must lie in 0..1")
    kept: list[str] = []
    held_out: list[str] = []
    for name in names:
        (held_out if generator("split", seed, name).random() < share else kept).append(name)
    return kept, held_out


def split_dates(traces: Traces, at: str | pd.Timestamp) -> tuple[Traces, Traces]:
    """Steps before ``at`` and steps from ``at`` on; a naive stamp is read on the homes' clock.

    Raises:
        ValueError: one side would be empty.
    """
    stamp = pd.Timestamp(at)
    stamp = stamp.tz_localize(traces.time_zone) if stamp.tz is None else stamp
    end = traces.time[-1] + pd.Timedelta(hours=traces.dt_h)
    if not traces.time[0] < stamp < end:
        raise ValueError(f"{at} is not inside the traces, {traces.time[0]} to {end}; choose a date between")
    return traces.between(traces.time[0], stamp), traces.between(stamp, end)


def check_no_leak(first: Traces, second: Traces) -> None:
    """Raise when the two sides of a split share a home at a time.

    Raises:
        ValueError: naming a home and the span that both sides hold.
    """
    homes = set(first.names) & set(second.names)
    if not homes or not len(first.time) or not len(second.time):
        return
    start = max(first.time[0], second.time[0])
    end = min(
        first.time[-1] + pd.Timedelta(hours=first.dt_h), second.time[-1] + pd.Timedelta(hours=second.dt_h)
    )
    if start < end:
        raise ValueError(
            f"leak: {len(homes)} homes stand on both sides from {start} to {end}, e.g. {min(homes)!r}; "
            "split by home (split_homes) or by date (split_dates)"
        )
