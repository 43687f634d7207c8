"""Charging sessions of real cars: read, cleaned, and cut into the windows in which a car was seen.

The layout is that of Sørensen et al. (2021), *Residential electric vehicle charging datasets from apartment
buildings*, doi:10.1016/j.dib.2021.107105, data doi:10.17632/jbks2rcwyj.1, CC BY 4.0: semicolons, decimal commas,
day-first stamps on the local clock without a zone, ``NA`` or nothing where no plug-out was recorded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hidiff.errors import DataFormatError

COLUMNS = ("User_ID", "User_type", "Start_plugin", "End_plugout", "El_kWh")
SAME_CONNECTION_MIN = 5
"""Sessions that follow each other within this time are one connection that the charger counted twice."""
UNSEEN_DAYS = 21
"""A car that is not plugged in for longer is out of sight: moved, sold, or charged by another charger."""


def read_sessions(path: str | Path, *, time_zone: str = "Europe/Oslo") -> pd.DataFrame:
    """One row a session: ``user``, ``is_private``, ``start`` and ``end`` (UTC), ``energy_kwh``, in order.

    Sessions without a plug-out are left out, as are those without energy or length. `Duration_hours` is not used:
    it is an hour off on the days of a clock change.

    Raises:
        DataFormatError: a missing column, or a stamp or number that cannot be read.
    """
    path = Path(path)
    raw = pd.read_csv(path, sep=";", dtype=str, encoding="utf-8-sig")
    missing = [name for name in COLUMNS if name not in raw.columns]
    if missing:
        raise DataFormatError(
            f"{path} has no column {missing[0]!r}; the sessions table has {', '.join(COLUMNS)}, separated by ';'"
        )
    table = pd.DataFrame(
        {
            "user": raw["User_ID"].astype(object),
            "is_private": raw["User_type"].str.strip().str.lower().eq("private"),
            "start": _stamps(raw["Start_plugin"], path, time_zone),
            "end": _stamps(raw["End_plugout"], path, time_zone),
            "energy_kwh": _numbers(raw["El_kWh"], path),
        }
    )
    if table["start"].isna().any():
        row = int(np.flatnonzero(table["start"].isna())[0])
        raise DataFormatError(f"{path}, row {row + 2}: no Start_plugin; every session needs one")
    is_whole = table["end"].notna() & (table["end"] > table["start"]) & (table["energy_kwh"] > 0)
    return table[is_whole].sort_values(["user", "start"]).reset_index(drop=True)


def clean_sessions(sessions: pd.DataFrame) -> pd.DataFrame:
    """One connection after the other for each user, with the ``window`` (number) in which the car was in sight.

    A session that begins before the last has ended cuts it short (a car has one plug); sessions at most five
    minutes apart are one. After three weeks without one, a new window begins.
    """
    parts = []
    for user, own in sessions.sort_values(["user", "start"]).groupby("user", sort=True):
        start, end = own["start"].to_list(), own["end"].to_list()
        energy, private = own["energy_kwh"].to_list(), own["is_private"].to_list()
        rows: list[list[Any]] = []
        window = 0
        for a, b, kwh, is_private in zip(start, end, energy, private, strict=True):
            if rows:
                last = rows[-1]
                gap_min = (a - last[2]).total_seconds() / 60
                if gap_min > UNSEEN_DAYS * 24 * 60:
                    window += 1
                elif 0 <= gap_min <= SAME_CONNECTION_MIN:
                    last[2], last[3] = b, last[3] + kwh
                    continue
                elif gap_min < 0:
                    if a == last[1]:
                        last[2], last[3] = max(b, last[2]), last[3] + kwh
                        continue
                    last[2] = a
            rows.append([user, a, b, kwh, is_private, window])
        parts.append(
            pd.DataFrame(rows, columns=["user", "start", "end", "energy_kwh", "is_private", "window"])
        )
    return pd.concat(parts, ignore_index=True)


def home_users(sessions: pd.DataFrame, *, least_sessions: int = 20, least_days: int = 28) -> list[str]:
    """Users with a charger of their own (most of their sessions), seen often enough to show a habit."""
    table = sessions.groupby("user").agg(
        share=("is_private", "mean"), count=("start", "size"), first=("start", "min"), last=("end", "max")
    )
    is_in = (
        (table["share"] >= 0.5)
        & (table["count"] >= least_sessions)
        & ((table["last"] - table["first"]) >= pd.Timedelta(days=least_days))
    )
    return [str(name) for name in table.index[is_in]]


def _stamps(texts: pd.Series, path: Path, time_zone: str) -> pd.Series:
    known = texts.str.strip().replace({"NA": None, "": None})
    stamps = pd.to_datetime(known, format="%d.%m.%Y %H:%M", errors="coerce")
    bad = stamps.isna() & known.notna()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataFormatError(
            f"{path}, row {row + 2}: {known.iloc[row]!r} in {texts.name} is no stamp like 21.12.2018 10:20"
        )
    local = stamps.dt.tz_localize(
        time_zone, ambiguous=np.ones(len(stamps), bool), nonexistent="shift_forward"
    )
    return local.dt.tz_convert("UTC")


def _numbers(texts: pd.Series, path: Path) -> pd.Series:
    numbers = pd.to_numeric(texts.str.strip().str.replace(",", ".", regex=False), errors="coerce")
    if numbers.isna().any():
        row = int(np.flatnonzero(numbers.isna())[0])
        raise DataFormatError(
            f"{path}, row {row + 2}: {texts.iloc[row]!r} in {texts.name} is no number of kWh"
        )
    return numbers
