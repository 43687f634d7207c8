"""Meter rows of 5 to 60 minutes to half-hours, energy kept."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.errors import DataFormatError

from .meter_report import IngestReport

HALF_HOUR_MIN = 30
LONGEST_YEARS = 60


def half_hours(
    rows: pd.DataFrame, report: IngestReport, *, fill_gap_h: float
) -> tuple[list[str], pd.DatetimeIndex, NDArray[np.float64], NDArray[np.float64]]:
    """Mean power per half-hour; a half-hour that is not wholly covered is NaN.

    Args:
        rows: ``line``, ``home``, ``start`` (naive UTC), ``step`` [min], ``load_kw``, ``pv_kw``, ``has_pv``;
            one row a home and start.

    Returns:
        Names, interval starts in UTC, load and PV ``(home, step)`` [kW].
    """
    if rows.empty:
        raise DataFormatError(f"{report.file} has no usable row left.\n{report}")
    rows = rows.reset_index(drop=True)
    start_min = rows["start"].to_numpy().astype("datetime64[m]").astype(np.int64)
    exact = rows["start"].to_numpy() == start_min.astype("datetime64[m]")
    first = int(start_min.min()) // HALF_HOUR_MIN
    count = int((start_min + rows["step"].to_numpy()).max() - 1) // HALF_HOUR_MIN - first + 1
    if count > LONGEST_YEARS * 366 * 48:
        stamps = rows["start"].sort_values()
        raise DataFormatError(
            f"{report.file} runs from {stamps.iloc[0]} to {stamps.iloc[-1]}; "
            "one of these is no meter reading, remove it"
        )
    names = [str(name) for name in pd.unique(rows["home"])]
    result = np.full((2, len(names), count), np.nan)
    for place, (_, part) in enumerate(rows.groupby("home", sort=False)):
        step = int(part["step"].iloc[0])
        mine, whole = start_min[part.index], exact[part.index]
        piece = math.gcd(step, HALF_HOUR_MIN)
        phase = int(np.bincount(mine % step).argmax())
        off = (mine % step != phase) | ~whole
        if off.any() or phase % piece:
            row = part.iloc[int(np.argmax(off))]
            raise DataFormatError(
                f"{report.file}: {int(off.sum()) or len(part)} times of home {names[place]!r} are off its "
                f"grid of {step} minutes (which must meet the half-hours), first in line {row['line']}: "
                f"{row['start']} UTC"
            )
        pieces = np.full((2, count * (HALF_HOUR_MIN // piece)), np.nan)
        cells = (mine - first * HALF_HOUR_MIN) // piece
        for shift in range(step // piece):
            pieces[:, cells + shift] = part[["load_kw", "pv_kw"]].to_numpy().T
        result[:, place] = pieces.reshape(2, count, HALF_HOUR_MIN // piece).mean(axis=2)
        if not part["has_pv"].iloc[0]:
            result[1, place] = 0.0  # nothing to measure, so no gap where load is missing
    _note_steps(report)
    starts = ((first + np.arange(count)) * HALF_HOUR_MIN).astype("M8[m]").astype("M8[us]")
    time = pd.DatetimeIndex(starts).tz_localize("UTC")
    if fill_gap_h > 0:
        _fill_short(result, names, time, round(fill_gap_h * 2), report)
    for channel, name in enumerate(("load", "PV")):
        _count_gaps(result[channel], name, names, time, report)
    report.homes, report.half_hours = len(names), count
    report.period = f"{time[0]} to {time[-1] + pd.Timedelta(minutes=HALF_HOUR_MIN)}"
    return names, time, result[0], result[1]


def gap_runs(is_gap: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First step and length of each run of gaps of one home."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_gap, [False]]).astype(np.int8)))
    return [(int(start), int(end - start)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _fill_short(
    result: NDArray[np.float64], names: list[str], time: pd.DatetimeIndex, longest: int, report: IngestReport
) -> None:
    """Fill inner gaps of up to ``longest`` half-hours by a straight line, in place."""
    places = []
    for channel, word in enumerate(("load", "PV")):
        for home, series in enumerate(result[channel]):
            known = np.flatnonzero(~np.isnan(series))
            for start, length in gap_runs(np.isnan(series)):
                if length <= longest and start > 0 and start + length < len(series):
                    steps = np.arange(start, start + length)
                    series[steps] = np.interp(steps, known, series[known])
                    places.append(f"home {names[home]!r} {word} at {time[start]}, {length} half-hours")
    report.add("short gap", "filled by a straight line", places)


def _count_gaps(
    array: NDArray[np.float64], word: str, names: list[str], time: pd.DatetimeIndex, report: IngestReport
) -> None:
    places, total = [], 0
    for home, series in enumerate(array):
        for start, length in gap_runs(np.isnan(series)):
            total += length
            places.append(f"home {names[home]!r} from {time[start]}, {length} half-hours")
    report.add(f"half-hour without {word}", "NaN", places, total)


def _note_steps(report: IngestReport) -> None:
    steps = sorted(set(report.step_minutes.values()))
    for step in steps:
        if step > HALF_HOUR_MIN:
            report.notes.append(
                f"steps of {step} minutes are spread evenly over half-hours: peaks are flattened"
            )
    if len(steps) > 1:
        report.notes.append(f"homes have different steps: {', '.join(map(str, steps))} minutes")
