"""Time stamps of meter files: text to clock time, and clock time to UTC across the clock changes."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.errors import DataFormatError

Stamps = NDArray[np.datetime64]
DAY_FIRST = ("%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y", "%d.%m.%Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y")
MONTH_FIRST = ("%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y")
CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
HAS_OFFSET = r"\d:\d\d(?::\d\d(?:\.\d+)?)?\s?(?:Z|UTC|[+-]\d\d:?\d\d)$"


def parse_stamps(
    text: pd.Series[str], *, day_first: bool, time_format: str
) -> tuple[pd.Series[pd.Timestamp], bool]:
    """Clock times that the texts mean, NaT where none is understood, and whether they are UTC already.

    Raises:
        DataFormatError: stamps with and without an offset mixed, or dates that only fit the other order of
            day and month.
    """
    text = text.str.strip()
    has_offset = text.str.contains(HAS_OFFSET, regex=True)
    if has_offset.any():
        if not has_offset[text != ""].all():
            row = text[~has_offset & (text != "")].iloc[0]
            raise DataFormatError(
                f"some times carry an offset from UTC and some do not, e.g. {row!r}; make them alike"
            )
        return _parse(text, "ISO8601", utc=True), True
    # Interval ends are often written 24:00, which no parser takes.
    midnight = text.str.contains(r"[ T]24:00(?::00)?$", regex=True)
    text = text.str.replace(r"([ T])24:00", r"\g<1>00:00", regex=True)
    if time_format:
        parsed = _parse(text, time_format)
    else:
        parsed = _best(text, ("ISO8601", *_formats(DAY_FIRST if day_first else MONTH_FIRST)))
        other = _best(text, _formats(MONTH_FIRST if day_first else DAY_FIRST[:4]))
        if int(other.notna().sum()) > int(parsed.notna().sum()):
            row = text[parsed.isna() & other.notna()].iloc[0]
            raise DataFormatError(
                f"{row!r} does not fit day_first={day_first}; set day_first={not day_first}"
            )
    return parsed + pd.to_timedelta(midnight.astype(np.int64), unit="D"), False


def _formats(dates: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{date} {clock}" for date in dates for clock in CLOCKS)


def _parse(text: pd.Series[str], time_format: str, utc: bool = False) -> pd.Series[pd.Timestamp]:
    parsed = pd.to_datetime(text, format=time_format, errors="coerce", utc=utc)
    if isinstance(parsed.dtype, pd.DatetimeTZDtype):
        parsed = parsed.dt.tz_convert("UTC").dt.tz_localize(None)
    return parsed.astype("datetime64[us]")


def _best(text: pd.Series[str], formats: tuple[str, ...]) -> pd.Series[pd.Timestamp]:
    """The parse with the fewest failures; a sample decides which formats are worth a full try."""
    sample = text.iloc[:: max(1, len(text) // 200)]
    best = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
    for time_format in formats:
        if _parse(sample, time_format).notna().any():
            parsed = _parse(text, time_format)
            if int(parsed.notna().sum()) > int(best.notna().sum()):
                best = parsed
        if best.notna().all():
            break
    return best


def step_minutes(clock: Stamps) -> int:
    """Step length of one home's stamps in any order, their most common distance [min]; 0 if there is none."""
    distances = np.diff(np.unique(clock)).astype("timedelta64[s]").astype(np.int64)
    if not len(distances):
        return 0
    values, counts = np.unique(distances, return_counts=True)
    seconds = int(values[np.argmax(counts)])
    return seconds // 60 if seconds % 60 == 0 else -1


def starts_in_utc(clock: Stamps, step: int, time_zone: str, interval: Literal["start", "end"]) -> Stamps:
    """Interval starts in UTC of one home's naive stamps in file order; NaT for a time the clock never showed.

    A time that the clock showed twice is resolved by order: its first row is daylight saving time, its second
    is standard time. Around a change, interval ends are written in two ways: the clock at the end, or the
    clock at the start plus one step. Both are understood; a lone row means what both ways agree on.
    """
    width = pd.Timedelta(minutes=step)
    index = pd.DatetimeIndex(clock)
    # A file with the newest row first would hand out the two passes of the repeated hour in the wrong order.
    backwards = len(clock) > 1 and int((np.diff(clock.astype(np.int64)) < 0).sum()) * 2 > len(clock)
    if interval == "start":
        first, second = (_localize(index, time_zone, is_summer) for is_summer in (True, False))
        options = np.stack([first, second])
        agreed = options
    else:
        at_end = np.stack([_localize(index, time_zone, is_summer) for is_summer in (True, False)])
        at_start = np.stack([_localize(index - width, time_zone, is_summer) for is_summer in (True, False)])
        options = np.concatenate([at_end - width.to_numpy(), at_start])
        agreed = at_end - width.to_numpy()
    starts = options[0].copy()
    open_rows = np.flatnonzero((options != options[0]).any(axis=0) | np.isnat(options).any(axis=0))
    groups: dict[np.datetime64, list[int]] = {}
    for row in open_rows[::-1] if backwards else open_rows:
        groups.setdefault(clock[row], []).append(int(row))
    taken = set(np.delete(starts, open_rows).tolist())
    for _, rows in sorted(groups.items()):
        row = rows[0]
        choices = np.unique(options[:, row][~np.isnat(options[:, row])])
        if interval == "end" and len(choices) > 1 and len(rows) == 1:
            shared = [c for c in choices if c in agreed[:, row] and c in options[2:, row]]
            choices = np.array(shared or choices, dtype=choices.dtype)
        if (
            len(rows) == 1
            and len(choices) == 1
            and choices[0].item() in taken
            and np.isnat(options[:, row]).any()
        ):
            choices = choices[:0]  # the skipped hour written out under labels that did not exist
        for place, row in enumerate(rows):
            starts[row] = choices[min(place, len(choices) - 1)] if len(choices) else np.datetime64("NaT")
            taken.add(starts[row].item())
    return np.asarray(starts)


def _localize(index: pd.DatetimeIndex, time_zone: str, is_summer: bool) -> Stamps:
    flags = np.full(len(index), is_summer)
    local = index.tz_localize(time_zone, ambiguous=flags, nonexistent="NaT")
    return np.asarray(local.tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy())
