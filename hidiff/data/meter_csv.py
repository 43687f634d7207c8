"""Any meter file to `Traces`: CSV, long or wide, of 5 to 60 minutes, and NEM12; with a report."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from hidiff.errors import DataFormatError
from hidiff.output import check_out, folder_when_done

from .meter_clock import parse_stamps, starts_in_utc, step_minutes
from .meter_report import IngestReport
from .meter_table import ROLES, WAY_OUT, find_columns, read_table, unit_in_name
from .nem12 import is_nem12, read_nem12_rows
from .parquet import SET_CONTENT, read_set, write_set
from .resample import half_hours
from .traces import Traces, measured_homes

# Above this share of unreadable rows the columns are more likely wrong than the rows.
BAD_SHARE_LIMIT = 0.05
EMPTY = ("", "na", "n/a", "nan", "null", "none", "-", "--")


@dataclass(frozen=True, kw_only=True)
class MeterCsvConfig:
    """How to read a meter file."""

    time_zone: str = "Australia/Sydney"
    """clock of the homes and of stamps without an offset from UTC, an IANA name"""
    interval: Literal["start", "end"] = "start"
    """whether a stamp marks the start or the end of its interval"""
    unit: Literal["auto", "kwh", "wh", "kw", "w"] = "auto"
    """unit of the values; auto takes it from the column's name, or else kWh per interval"""
    columns: str = ""
    """which column is what, e.g. "time=Timestamp,load=Usage,pv=Solar,home=Meter", or "time=Date+Time" """
    layout: Literal["auto", "long", "wide"] = "auto"
    """long: one row a home and time; wide: one row a time, one load column a home ("<home>_pv": its PV)"""
    home: str = "home"
    """name of the home where the file has one and does not name it"""
    pv_kwp: float | None = None
    """PV capacity of every home [kWp]; unset, the highest half-hour measured, which is a lower bound"""
    duplicates: Literal["refuse", "first"] = "refuse"
    """rows that contradict each other for one home and time: refuse the file, or keep the first"""
    negatives: Literal["refuse", "gap", "zero"] = "refuse"
    """negative values: refuse the file, make them gaps, or make them 0"""
    fill_gap_h: float = 0.0
    """fill gaps up to this length by a straight line [h]; longer ones stay gaps"""
    day_first: bool = True
    """1/07/2012 is the first of July"""
    time_format: str = ""
    """strptime format of the stamps, where the usual ones do not fit"""

    def __post_init__(self) -> None:
        for name, allowed in (
            ("interval", ("start", "end")),
            ("unit", ("auto", "kwh", "wh", "kw", "w")),
            ("layout", ("auto", "long", "wide")),
            ("duplicates", ("refuse", "first")),
            ("negatives", ("refuse", "gap", "zero")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}; choose {', '.join(allowed)}")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(
                f"time_zone={self.time_zone!r} is no IANA zone; e.g. Australia/Sydney or UTC"
            ) from error
        if self.pv_kwp is not None and not 0 <= self.pv_kwp < math.inf:
            raise ValueError(f"pv_kwp={self.pv_kwp}; it must be 0 or more kWp")
        if not 0 <= self.fill_gap_h < math.inf:
            raise ValueError(f"fill_gap_h={self.fill_gap_h}; it must be 0 or more hours")
        if not self.home:
            raise ValueError("home is empty; give the home a name")
        _ = self.column_map

    @property
    def column_map(self) -> dict[str, str]:
        """Role to column name, from ``columns``."""
        pairs = [part.partition("=") for part in self.columns.split(",") if part.strip()]
        found = {role.strip(): name.strip() for role, _, name in pairs}
        for role, name in found.items():
            if role not in ROLES or not name:
                raise ValueError(
                    f"columns={self.columns!r}: cannot read {role!r}; write role=Column, roles {ROLES}"
                )
        if len(found) != len(pairs):
            raise ValueError(f"columns={self.columns!r} names a role twice")
        return found


def read_meter_csv(path: Path | str, config: MeterCsvConfig | None = None) -> tuple[Traces, IngestReport]:
    """Half-hourly traces of a meter file, and the report of what was found in it.

    Energy is kept: shorter steps are averaged, longer ones spread evenly, and a half-hour that is not wholly
    covered is a gap (NaN). Identical rows for one home and time count once; of contradicting rows none is
    guessed (see ``duplicates``).

    Raises:
        DataFormatError: a file that cannot be understood, with what was seen and the way out.
    """
    path, config = Path(path), config or MeterCsvConfig()
    report = IngestReport(file=path.name)
    if path.is_file() and is_nem12(path):
        rows = read_nem12_rows(path, report)
    else:
        rows = _csv_rows(path, config, report)
    rows = _without_duplicates(_without_negatives(rows, config, report), config, report)
    names, time, load_kw, pv_kw = half_hours(rows, report, fill_gap_h=config.fill_gap_h)
    homes = measured_homes(names, pv_kw)
    if config.pv_kwp is not None:
        homes["pv_capacity_kwp"] = float(config.pv_kwp)
    return Traces(load_kw, pv_kw, time, homes, config.time_zone), report


def ingest(
    path: Path | str, out: Path | str, config: MeterCsvConfig | None = None, *, force: bool = False
) -> Path:
    """Turn a meter file into a set folder that also holds its config (``ingest.json``) and ``report.txt``.

    The folder appears whole or not at all.

    Raises:
        ValueError: ``out`` is not empty and ``force`` is not given.
    """
    out, config = Path(out), config or MeterCsvConfig()
    check_out(out, SET_CONTENT, force=force)
    traces, report = read_meter_csv(path, config)
    with folder_when_done(out) as folder:
        write_set(folder, traces)
        (folder / "ingest.json").write_text(json.dumps(asdict(config), indent=2) + "\n")
        (folder / "report.txt").write_text(str(report) + "\n")
    return out


def read_readings(path: Path | str, config: MeterCsvConfig | None = None) -> Traces:
    """A user's own readings, without gaps: a set folder, a Parquet file, a NEM12 file or a CSV.

    Raises:
        DataFormatError: as the readers do, and on any gap.
    """
    path = Path(path)
    if path.is_dir() or path.suffix == ".parquet":
        return read_set(path)
    traces, report = read_meter_csv(path, config)
    for name, array in (("load", traces.load_kw), ("PV", traces.pv_kw)):
        gaps = np.isnan(array)
        if gaps.any():
            home, step = np.unravel_index(int(np.argmax(gaps)), gaps.shape)
            raise DataFormatError(
                f"{path}: home {traces.names[home]!r} has no {name} in {int(gaps[home].sum())} half-hours, "
                f"first at {traces.time[step].tz_convert(traces.time_zone)}; cut the file to a span without "
                f"gaps, or ingest it with fill_gap_h first.\n{report}"
            )
    return traces


def _csv_rows(path: Path, config: MeterCsvConfig, report: IngestReport) -> pd.DataFrame:
    """Readings of a CSV as `half_hours` takes them."""
    table = read_table(path, config.column_map)
    cells, report.rows = table.cells, len(table.cells)
    roles = find_columns(list(cells.columns), config.column_map, str(path))
    time_columns = roles["time"].split("+") if roles["time"] not in cells.columns else [roles["time"]]
    rest = [name for name in cells.columns if name not in time_columns]
    wide = _is_wide(path, cells, roles, rest, config, report)
    report.columns = {"time": roles["time"], "homes": ", ".join(rest[:6])} if wide else roles
    text = cells[time_columns[0]].str.strip()
    for name in time_columns[1:]:
        text = text + " " + cells[name].str.strip()
    clock, is_utc = parse_stamps(text, day_first=config.day_first, time_format=config.time_format)
    bad = clock.isna()
    report.add("unreadable time", "row left out", _lines(text[bad]))
    _refuse_if_many(path, bad, f"times in {roles['time']!r}", text)
    cells, clock = cells[~bad], clock[~bad]
    columns = rest if wide else [roles[role] for role in ("load", "pv") if role in roles]
    values = {name: _numbers(path, cells[name], table.delimiter, report) for name in columns}
    parts = []
    if wide:
        loads = [name for name in rest if not (name.endswith("_pv") and name.removesuffix("_pv") in rest)]
        for name in loads:
            pv = values.get(f"{name}_pv", pd.Series(0.0, index=cells.index))
            parts.append(pd.DataFrame({"home": name, "clock": clock, "load": values[name], "pv": pv}))
    else:
        home = (
            cells[roles["home"]].str.strip() if "home" in roles else pd.Series(config.home, index=cells.index)
        )
        pv = values[roles["pv"]] if "pv" in roles else pd.Series(0.0, index=cells.index)
        whole = pd.DataFrame({"home": home, "clock": clock, "load": values[roles["load"]], "pv": pv})
        report.add("empty home name", "row left out", _lines(home[home == ""]))
        parts = [part for name, part in whole.groupby("home", sort=False) if name != ""]
        if "pv" not in roles:
            report.notes.append("no PV column: PV is 0")
    units = {name: _unit(name, config, report) for name in columns}
    done = [_in_kw(path, part, wide, is_utc, roles, units, config, report) for part in parts]
    if not done:
        raise DataFormatError(f"{path} has no row with a home and a time")
    return pd.concat(done, ignore_index=True)


def _is_wide(
    path: Path,
    cells: pd.DataFrame,
    roles: dict[str, str],
    rest: list[str],
    config: MeterCsvConfig,
    report: IngestReport,
) -> bool:
    """Whether each column is a home; completes ``roles`` with a load column where only one can be meant."""
    if config.layout == "wide":
        return True
    if "load" in roles:
        return False
    numeric = [
        name
        for name in rest
        if name not in roles.values()
        and pd.to_numeric(cells[name].str.replace(",", "."), errors="coerce").notna().mean() > 0.5
    ]
    if config.layout == "auto" and len(rest) > 1 and all(name.removesuffix("_pv").isdigit() for name in rest):
        report.notes.append(
            "all columns but the time are meter numbers: read as wide, one load column a home"
        )
        return True
    if len(numeric) == 1:
        roles["load"] = numeric[0]
        report.notes.append(f"{numeric[0]!r} is the only column of numbers: read as load")
        return False
    raise DataFormatError(
        f"{path}: cannot tell which of {', '.join(rest[:20])} is the load; {WAY_OUT}"
        if numeric
        else f"{path} has no column of numbers beside {roles['time']!r}: {', '.join(rest[:20])}; {WAY_OUT}"
    )


def _numbers(path: Path, text: pd.Series[str], delimiter: str, report: IngestReport) -> pd.Series[float]:
    text = text.str.strip()
    empty = text.str.lower().isin(EMPTY)
    if delimiter != "," and text.str.contains(",").any():
        report.notes.append(f"{text.name!r}: a comma is read as the decimal point")
        text = text.str.replace(",", ".")
    values = pd.to_numeric(text.where(~empty, "nan"), errors="coerce").astype(np.float64)
    bad = (values.isna() & ~empty) | np.isinf(values)
    report.add("empty value", f"gap in {text.name!r}", _lines(text[empty]))
    report.add("unreadable value", f"gap in {text.name!r}", _lines(text[bad]))
    _refuse_if_many(path, bad, f"values in {text.name!r}", text)
    return values.mask(bad)


def _unit(name: str, config: MeterCsvConfig, report: IngestReport) -> str:
    named = unit_in_name(name)
    unit = config.unit if config.unit != "auto" else named or "kwh"
    if named is None and config.unit == "auto":
        report.notes.append(f"{name!r} names no unit: read as kWh per interval")
    elif named not in (None, unit):
        report.notes.append(f"{name!r} is read as {unit}, as asked, though its name says {named}")
    return unit


def _in_kw(
    path: Path,
    part: pd.DataFrame,
    wide: bool,
    is_utc: bool,
    roles: dict[str, str],
    units: dict[str, str],
    config: MeterCsvConfig,
    report: IngestReport,
) -> pd.DataFrame:
    """One home's rows with UTC interval starts and mean power."""
    home, clock = str(part["home"].iloc[0]), part["clock"].to_numpy()
    step = step_minutes(clock)
    if not (5 <= step <= 60 and 60 % step == 0):
        seen = "fewer than two times" if step == 0 else f"steps of {step if step > 0 else 'uneven'} minutes"
        raise DataFormatError(
            f"{path}: home {home!r} has {seen}; 5, 6, 10, 12, 15, 20, 30 or 60 minutes can be "
            'read. If the file has several homes, name their column: --columns "home=…"'
        )
    report.step_minutes[home] = step
    if is_utc:
        starts = clock - np.timedelta64(step if config.interval == "end" else 0, "m")
    else:
        starts = starts_in_utc(clock, step, config.time_zone, config.interval)
    skipped = np.isnat(starts)
    places = [f"line {line}: {stamp}" for line, stamp in part["clock"][skipped].items()]
    report.add("time that the clock skipped", "row left out", places)
    rows = pd.DataFrame({"line": part.index, "home": home, "start": starts, "step": step})
    for channel, column in (
        ("load", home if wide else roles["load"]),
        ("pv", f"{home}_pv" if wide else roles.get("pv")),
    ):
        unit = units.get(column or "", "kwh")  # a channel without a column is 0 in any unit
        to_kw = {"kwh": 60 / step, "wh": 0.06 / step, "kw": 1.0, "w": 0.001}[unit]
        rows[f"{channel}_kw"] = part[channel].to_numpy() * to_kw
    rows["has_pv"] = (f"{home}_pv" in units) if wide else "pv" in roles
    return rows[~skipped]


def _without_negatives(rows: pd.DataFrame, config: MeterCsvConfig, report: IngestReport) -> pd.DataFrame:
    for name in ("load_kw", "pv_kw"):
        bad = rows[name] < 0
        action = {"refuse": "file refused", "gap": "made a gap", "zero": "made 0"}[config.negatives]
        first = rows[bad].head(6)
        places = [f"line {line}: {kw:.4g} kW" for line, kw in zip(first["line"], first[name], strict=True)]
        report.add(f"negative {name}", action, places, int(bad.sum()))
        if bad.any() and config.negatives == "refuse":
            raise DataFormatError(
                f"{report.file}: {int(bad.sum())} values of {name} are negative, first {places[0]}; load "
                "and PV are magnitudes (a net meter cannot be split). Turn the sign in the file, or set "
                "negatives to gap or zero"
            )
        rows[name] = rows[name].mask(bad, 0.0 if config.negatives == "zero" else np.nan)
    return rows


def _without_duplicates(rows: pd.DataFrame, config: MeterCsvConfig, report: IngestReport) -> pd.DataFrame:
    key = ["home", "start"]
    again = rows.duplicated(key)
    if not again.any():
        return rows
    same = rows.duplicated([*key, "load_kw", "pv_kw"])
    report.add("identical row", "counted once", [f"line {line}" for line in rows.loc[again & same, "line"]])
    clash = again & ~same
    places = [
        f"line {line}: home {home!r} at {start} UTC"
        for line, home, start in rows.loc[clash, ["line", *key]].to_numpy()
    ]
    report.add(
        "contradicting row", "file refused" if config.duplicates == "refuse" else "first row kept", places
    )
    if places and config.duplicates == "refuse":
        raise DataFormatError(
            f"{report.file}: {len(places)} rows contradict an earlier one, first {places[0]}; repair the "
            "file, name the column of homes, or set duplicates to first"
        )
    return rows[~again]


def _lines(text: pd.Series[str]) -> list[str]:
    return [f"line {line}: {value!r}" for line, value in text.items()]


def _refuse_if_many(path: Path, bad: pd.Series[bool], what: str, text: pd.Series[str]) -> None:
    if bad.mean() > BAD_SHARE_LIMIT:
        raise DataFormatError(
            f"{path}: {int(bad.sum())} of {len(bad)} {what} cannot be read, first {_lines(text[bad])[0]}; "
            "name another column with --columns, or the format with time_format"
        )
