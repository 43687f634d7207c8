"""The Ausgrid solar home data: the original yearly files, and the same homes as wide Parquet.

Original files are on the local clock with 48 values on every day. On the day the clock goes forward the two
slots of the skipped hour hold fake zeros; on the day it goes back the two slots of the repeated hour hold
both hours added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.errors import DataFormatError

from .parquet import read_homes, read_set
from .traces import Floats, Traces, require_columns

TIME_ZONE = "Australia/Sydney"
SLOTS = 48
DATE_FORMATS = ("%d-%b-%y", "%d/%m/%Y", "%d-%b-%Y", "%Y-%m-%d")
KEYS = ["Customer", "Generator Capacity", "Postcode", "Consumption Category", "date"]
CATEGORIES = ("GC", "CL", "GG")  # general consumption, controlled load, gross generation


def read_ausgrid_yearly(paths: Path | str | Sequence[Path | str]) -> Traces:
    """Traces of original yearly files (or of all ``*.csv`` in a folder), customers joined over the years.

    Load is general consumption plus controlled load where a home has one. ``homes`` also holds ``postcode``,
    ``has_controlled_load``, ``estimated_rows`` (rows marked NA in Row Quality) and ``dropped_kwh`` (energy
    that stood in hours which the clock skipped; 0 in the files as published).

    Raises:
        DataFormatError: a file in another layout, an unreadable date or value (with its line), two rows for
            one customer, category and date.
    """
    files = _files(paths)
    table = pd.concat([_read_year(file) for file in files], ignore_index=True)
    double = table.duplicated(["Customer", "Consumption Category", "date"])
    if double.any():
        row = table.loc[int(np.argmax(double.to_numpy()))]
        raise DataFormatError(
            f"{row['where']}: a second row for customer {row['Customer']}, {row['Consumption Category']}, "
            f"{row['date']:%d %b %Y}; give each file once"
        )
    first = table["date"].min()
    days = int((table["date"].max() - first).days) + 1
    names = sorted(
        table["Customer"].unique(), key=lambda name: (len(name), name) if name.isdigit() else (99, name)
    )
    row_of = {name: row for row, name in enumerate(names)}
    kwh = {name: np.full((len(names), days, SLOTS), np.nan) for name in CATEGORIES}
    home, day = (
        table["Customer"].map(row_of).to_numpy(dtype=np.int64),
        (table["date"] - first).dt.days.to_numpy(),
    )
    values = table[list(range(SLOTS))].to_numpy(dtype=np.float64)
    has_rows: dict[str, NDArray[np.bool_]] = {}
    for category, array in kwh.items():
        mine = (table["Consumption Category"] == category).to_numpy()
        array[home[mine], day[mine]] = values[mine]
        has_rows[category] = np.bincount(home[mine], minlength=len(names)) > 0
        if (
            category != "GC"
        ):  # a home without such a meter has none of it; a home with one has gaps where rows lack
            array[~has_rows[category]] = 0.0
    # Controlled load is listed only for the days on which the meter reported any.
    load_kwh = kwh["GC"] + np.nan_to_num(kwh["CL"], nan=0.0)
    time, load_kw, dropped_kwh = slots_to_utc(load_kwh, first)
    _, pv_kw, dropped_pv_kwh = slots_to_utc(kwh["GG"], first)
    latest = table.sort_values("date", kind="stable").groupby("Customer").last().loc[names]
    homes = pd.DataFrame(
        {
            "pv_capacity_kwp": latest["Generator Capacity"].to_numpy(dtype=np.float64),
            "postcode": latest["Postcode"].to_numpy(),
            "has_controlled_load": has_rows["CL"],
            "estimated_rows": table.groupby("Customer")["is_estimated"]
            .sum()
            .loc[names]
            .to_numpy(dtype=np.int64),
            "dropped_kwh": dropped_kwh + dropped_pv_kwh,
        },
        index=pd.Index(names, name="home", dtype=object),
    )
    return Traces(load_kw, pv_kw, time, homes, TIME_ZONE)


def slots_to_utc(
    energy_kwh: NDArray[np.float64], first: pd.Timestamp, time_zone: str = TIME_ZONE
) -> tuple[pd.DatetimeIndex, NDArray[np.float64], NDArray[np.float64]]:
    """Mean power in UTC half-hours from 48 local clock slots a day, clock changes repaired.

    Args:
        energy_kwh: energy per slot, ``(home, day, 48)``, slot 0 starts at midnight [kWh].
        first: local date of day 0.

    Returns:
        Interval starts, power ``(home, step)`` [kW], and per home the energy that stood in skipped hours
        [kWh].
    """
    homes, days, _ = energy_kwh.shape
    bounds = [stamp.tz_localize(time_zone) for stamp in (first, first + pd.Timedelta(days=days))]
    time = pd.date_range(bounds[0], bounds[1], freq="30min", inclusive="left").tz_convert("UTC").as_unit("us")
    clock = time.tz_convert(time_zone).tz_localize(None)
    slot = (
        (clock.normalize() - first).days.to_numpy() * SLOTS
        + clock.hour.to_numpy() * 2
        + clock.minute.to_numpy() // 30
    )
    uses = np.bincount(slot, minlength=days * SLOTS)  # 0 in the skipped hour, 2 in the repeated one
    flat = energy_kwh.reshape(homes, days * SLOTS)
    power_kw = flat[:, slot] / uses[slot] * 2.0
    return time, power_kw, np.asarray(np.nansum(flat[:, uses == 0], axis=1))


def read_ausgrid_wide(folder: Path | str) -> Traces:
    """Traces of ``load_kwh.parquet``, ``pv_kwh.parquet`` (kWh a step, one column a home) and ``homes.csv``.

    Values stay float32 as stored; the doubling to kW is exact. Homes with fewer years are NaN there.
    """
    folder = Path(folder)
    try:
        load, pv = (pd.read_parquet(folder / f"{name}_kwh.parquet") for name in ("load", "pv"))
    except (ValueError, OSError) as error:
        raise DataFormatError(
            f"{folder} does not hold readable load_kwh.parquet and pv_kwh.parquet: {error}"
        ) from error
    homes = read_homes(folder / "homes.csv")
    if not load.index.equals(pv.index):
        raise DataFormatError(f"{folder}: load_kwh.parquet and pv_kwh.parquet do not have the same times")
    for name, table in (("load_kwh", load), ("pv_kwh", pv)):
        require_columns(table.columns, list(homes.index), f"{folder / name}.parquet")
    time = pd.DatetimeIndex(load.index)
    steps_per_hour = np.float32(pd.Timedelta(hours=1) / (time[1] - time[0]))
    arrays: list[Floats] = [
        np.ascontiguousarray(table[list(homes.index)].to_numpy().T) * steps_per_hour for table in (load, pv)
    ]
    return Traces(arrays[0], arrays[1], time, homes, TIME_ZONE)


def read_traces(path: Path | str, *, allow_gaps: bool = True) -> Traces:
    """Traces of a set that hidiff wrote, of Ausgrid's wide Parquet, or of Ausgrid's yearly files.

    Args:
        allow_gaps: keep gaps as NaN; else a set with a gap is refused.
    """
    path = Path(path)
    if not path.exists():
        raise DataFormatError(f"{path} does not exist")
    if path.suffix == ".parquet" or (path.is_dir() and any(path.glob("traces-*.parquet"))):
        return read_set(path, allow_gaps=allow_gaps)
    if (path / "load_kwh.parquet").exists():
        return read_ausgrid_wide(path)
    csv_files = [path] if path.is_file() else sorted(path.glob("*.csv"))
    if csv_files and all(_header_line(file) is not None for file in csv_files):
        return read_ausgrid_yearly(csv_files)
    raise DataFormatError(
        f"{path} holds none of: (1) a set that hidiff wrote (traces-*.parquet and homes.csv), "
        "(2) Ausgrid wide Parquet (load_kwh.parquet, pv_kwh.parquet, homes.csv), (3) original Ausgrid yearly "
        "files (*.csv with Customer and Consumption Category); turn any other meter file into a set with "
        "`hidiff ingest`"
    )


def _files(paths: Path | str | Sequence[Path | str]) -> list[Path]:
    if isinstance(paths, (str, Path)):
        folder = Path(paths)
        files = sorted(folder.glob("*.csv")) if folder.is_dir() else [folder]
    else:
        files = [Path(path) for path in paths]
    if not files:
        raise DataFormatError(f"{paths} holds no *.csv file")
    for file in files:
        if not file.is_file():
            raise DataFormatError(f"{file} does not exist")
    return files


def _header_line(file: Path) -> int | None:
    """Position of the header among the first lines, which may be titles; None in another layout."""
    try:
        with file.open(encoding="utf-8-sig") as stream:
            for number, line in zip(range(5), stream, strict=False):
                if line.lower().startswith("customer,") and "consumption category" in line.lower():
                    return number
    except UnicodeDecodeError:
        return None
    return None


def _read_year(file: Path) -> pd.DataFrame:
    """Rows of one file: the keys, columns 0..47, ``is_estimated`` and ``where`` (file and line)."""
    header = _header_line(file)
    if header is None:
        raise DataFormatError(
            f"{file} is not an Ausgrid yearly file: no header with Customer and Consumption Category"
        )
    columns = [
        str(name) for name in pd.read_csv(file, skiprows=header, nrows=0, encoding="utf-8-sig").columns
    ]
    require_columns(columns, KEYS, str(file))
    slots = {name: _slot(name) for name in columns if ":" in name}
    if sorted(slots.values()) != list(range(SLOTS)):
        raise DataFormatError(
            f"{file} has {len(slots)} half-hour columns; 48 are needed, 0:30 to 23:30 and 0:00"
        )
    try:
        # Row Quality says NA for estimated: only the values may read an empty field as missing.
        table = pd.read_csv(
            file,
            skiprows=header,
            keep_default_na=False,
            na_values={name: [""] for name in slots},
            dtype=dict.fromkeys(slots, np.float64) | {"Generator Capacity": np.float64, "Customer": str},
            encoding="utf-8-sig",
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise DataFormatError(f"{file} has a value that is not a number, or a broken row: {error}") from error
    table["where"] = [f"{file.name}, line {line}" for line in range(header + 2, header + 2 + len(table))]
    unknown = ~table["Consumption Category"].isin(CATEGORIES)
    if unknown.any():
        row = table.loc[int(np.argmax(unknown.to_numpy()))]
        raise DataFormatError(
            f"{row['where']}: category {row['Consumption Category']!r}; known are GC, CL and GG"
        )
    table["date"] = _dates(table["date"].astype(str), table["where"])
    quality = table["Row Quality"] if "Row Quality" in columns else pd.Series("", index=table.index)
    table["is_estimated"] = quality.astype(str).str.strip().eq("NA")
    table["Customer"] = table["Customer"].astype(object)
    return table.rename(columns=slots)[[*KEYS, *range(SLOTS), "is_estimated", "where"]]


def _slot(label: str) -> int:
    """Slot that a column label means: labels are interval ends, ``0:00`` is the end of the row's date."""
    hour, minute = (int(part) for part in label.split(":")[:2])
    return (hour * 2 + minute // 30 - 1) % SLOTS


def _dates(text: pd.Series[str], where: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    dates = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
    for style in DATE_FORMATS:
        dates = dates.fillna(
            pd.to_datetime(text.str.strip(), format=style, errors="coerce").astype("datetime64[us]")
        )
    if dates.isna().any():
        row = int(np.argmax(dates.isna().to_numpy()))
        raise DataFormatError(f"{where[row]}: date {text[row]!r} is neither like 1-Jul-10 nor like 1/07/2012")
    return dates
