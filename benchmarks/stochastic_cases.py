"""Fans and generated years of real homes for benchmarks/stochastic.py, drawn once and kept in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from fans import day
from numpy.typing import NDArray

import hidiff
from hidiff.data.ausgrid import read_traces
from hidiff.data.traces import Traces
from hidiff.training import clean

ORIGINS = pd.date_range("2012-07-18", periods=3, freq="117D")
"""Winter, spring (a workday each) and summer's end."""
YEARS = ("2010-07-01", "2011-07-01", "2012-07-01", "2013-07-01")
"""The first year is read, the two that follow are what a size is paid in."""
Floats = NDArray[np.floating[Any]]


class Day(NamedTuple):
    """One home's day: what was drawn for it and what came."""

    home: str
    origin: pd.Timestamp
    load_kw: Floats
    """Fan, ``(scenario, 48)``; likewise ``pv_kw``."""
    pv_kw: Floats
    true_load_kw: Floats
    """``(48,)``"""
    true_pv_kw: Floats
    readings: Traces
    """The home's year before the day."""


class Sizing(NamedTuple):
    """One home's years, arrays ``(year, step)`` of whole years of 365 days."""

    home: str
    capacity_kwp: float
    drawn_load_kw: Floats
    drawn_pv_kw: Floats
    read_load_kw: Floats
    """The year that the generator was shown, ``(1, step)``."""
    read_pv_kw: Floats
    true_load_kw: Floats
    true_pv_kw: Floats


def whole_homes(real: Traces, names: list[str], start: str, end: str) -> Traces:
    """Those homes that lack no half-hour of the span."""
    span = real.select(names).between(start, end)
    is_whole = ~(np.isnan(span.load_kw) | np.isnan(span.pv_kw)).any(1)
    return span.select([name for name, good in zip(span.names, is_whole, strict=True) if good])


def days(real_folder: Path, work: Path, homes: int, scenarios: int) -> list[Day]:
    """Fans of ``homes`` validation homes on each of `ORIGINS`, drawn where ``work`` does not have them."""
    work.mkdir(parents=True, exist_ok=True)
    model = hidiff.load()
    names = model.notes["split"]["validation_homes"]
    start = str((ORIGINS[0] - pd.Timedelta(days=365)).date())
    span = whole_homes(
        clean(read_traces(real_folder)), names, start, str((ORIGINS[-1] + pd.Timedelta(days=2)).date())
    )
    span = span.select(span.names[:homes])
    found = []
    for origin in ORIGINS:
        path = work / f"fans-{origin:%Y-%m-%d}-{homes}-{scenarios}.npz"
        past = span.between(origin - pd.Timedelta(days=365), origin)
        if not path.exists():
            fan = model.conditional(past, 1, scenarios, 0)
            np.savez(path, load=fan.load_kw, pv=fan.pv_kw)
        fans = np.load(path)
        true_load, true_pv = day(span, origin)
        for row, name in enumerate(span.names):
            found.append(
                Day(
                    name, origin, fans["load"][:, row], fans["pv"][:, row], true_load[row], true_pv[row],
                    past.select([name]),
                )
            )  # fmt: skip
    return found


def years(real_folder: Path, work: Path, homes: int, drawn_years: int) -> list[Sizing]:
    """Generated years of validation homes with PV, from the first real year of each."""
    work.mkdir(parents=True, exist_ok=True)
    model = hidiff.load()
    names = model.notes["split"]["validation_homes"]
    real = clean(read_traces(real_folder))
    span = whole_homes(real, names, YEARS[0], YEARS[-1])
    span = span.select(span.names[:homes])
    path = work / f"years-{homes}-{drawn_years}.npz"
    if not path.exists():
        readings = span.between(YEARS[0], YEARS[1])
        drawn = model.sample(
            len(readings), drawn_years, "2030-07-01", 0, mode="from-readings", readings=readings, workers=1
        )
        np.savez(path, load=drawn.load_kw, pv=drawn.pv_kw)
    drawn_load, drawn_pv = (np.load(path)[name] for name in ("load", "pv"))
    read, true = span.between(YEARS[0], YEARS[1]), span.between(YEARS[1], YEARS[3])
    return [
        Sizing(
            name, float(span.homes["pv_capacity_kwp"].iloc[row]), by_year(drawn_load[row]), by_year(drawn_pv[row]),
            by_year(read.load_kw[row]), by_year(read.pv_kw[row]), by_year(true.load_kw[row]), by_year(true.pv_kw[row]),
        )
        for row, name in enumerate(span.names)
    ]  # fmt: skip


def by_year(values: Floats, steps: int = 365 * 48) -> Floats:
    """Years of 365 days, ``(year, step)``; what a leap day leaves over at the end is dropped."""
    count = len(values) // steps
    return values[: count * steps].reshape(count, steps)
