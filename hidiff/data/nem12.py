"""NEM12 meter files of the Australian market, read by the ``nemreader`` library."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from hidiff.errors import DataFormatError, DependencyMissing

from .meter_report import IngestReport

# The market's clock has no daylight saving.
NEM_TIME_ZONE = "Etc/GMT-10"
TO_KWH = {"kwh": 1.0, "wh": 0.001, "mwh": 1000.0}


def is_nem12(path: Path) -> bool:
    """Whether the first line is a NEM12 header or, where the header was cut, a details record."""
    with path.open("rb") as stream:
        start = stream.read(64).lstrip(b'\xef\xbb\xbf\r\n\t "')
    return start.startswith((b"100,NEM12", b"200,"))


def read_nem12_rows(path: Path, report: IngestReport) -> pd.DataFrame:
    """Readings of every NMI: load is the sum of its E registers, PV the sum of its B registers.

    Returns:
        ``line`` (0: the library does not keep it), ``home`` (the NMI), ``start`` (naive UTC), ``step`` [min],
        ``load_kw``, ``pv_kw``, ``has_pv``.

    Raises:
        DependencyMissing: nemreader is not installed.
        DataFormatError: a damaged file, a register in another unit, no E register.
    """
    try:
        from nemreader import read_nem_file
    except ImportError as error:
        raise DependencyMissing("NEM12 files need nemreader; pip install 'hidiff[nem12]'") from error
    log = logging.getLogger("nemreader")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        data = read_nem_file(str(path))
    except (ValueError, UnicodeDecodeError, AttributeError, TypeError, IndexError) as error:
        raise DataFormatError(f"{path} starts like NEM12 but cannot be read: {error}") from error
    finally:
        log.setLevel(level)
    parts = [
        _register(path, str(nmi), str(suffix), readings)
        for nmi, registers in data.readings.items()
        for suffix, readings in registers.items()
        if str(suffix)[:1] in ("E", "B") and readings
    ]
    if not any(part["channel"].iloc[0] == "load_kw" for part in parts):
        raise DataFormatError(f"{path} has no E register (consumption) with readings")
    long = pd.concat(parts, ignore_index=True)
    report.rows = len(long)
    report.columns = {"load": "E registers", "pv": "B registers"}
    if (long["channel"] == "pv_kw").any():
        report.notes.append(
            "B registers are read as PV generation; on a net meter they are export, and load is import"
        )
    double = long.duplicated(["home", "register", "start"], keep="last")
    report.add(
        "reading given twice",
        "the later one kept",
        [f"NMI {home} at {start} UTC" for home, start in long.loc[double, ["home", "start"]].to_numpy()[:6]],
        int(double.sum()),
    )
    long = long[~double]
    cells = long.groupby(["home", "start", "channel"])["kw"].agg(["sum", "count"])
    # A half-hour that one of several registers lacks is a gap, not a smaller sum.
    registers = cells.groupby(["home", "channel"])["count"].transform("max")
    wide = cells["sum"].where(cells["count"] == registers).unstack("channel")
    has_pv = set(long.loc[long["channel"] == "pv_kw", "home"])
    rows = wide.reset_index()
    if "pv_kw" not in rows:
        rows["pv_kw"] = 0.0
    rows["has_pv"] = rows["home"].isin(has_pv)
    steps = long.groupby("home")["step"].agg(["min", "max"])
    if (steps["min"] != steps["max"]).any():
        raise DataFormatError(
            f"{path}: NMI {steps.index[(steps['min'] != steps['max'])][0]} changes its interval length"
        )
    rows["step"] = rows["home"].map(steps["min"])
    rows["line"] = 0
    report.step_minutes = {str(home): int(step) for home, step in steps["min"].items()}
    return rows[["line", "home", "start", "step", "load_kw", "pv_kw", "has_pv"]]


def _register(path: Path, nmi: str, suffix: str, readings: list) -> pd.DataFrame:  # type: ignore[type-arg]
    unit = str(readings[0].uom).lower()
    if unit not in TO_KWH:
        raise DataFormatError(
            f"{path}: register {suffix} of NMI {nmi} is in {readings[0].uom}; kWh, Wh or MWh can be read"
        )
    start = pd.DatetimeIndex([reading.t_start for reading in readings])
    step = int((readings[0].t_end - readings[0].t_start).total_seconds() // 60)
    # The library gives None for a field that is empty or no number.
    kwh = pd.Series([reading.read_value for reading in readings], dtype=float) * TO_KWH[unit]
    return pd.DataFrame(
        {
            "home": nmi,
            "register": suffix,
            "channel": "load_kw" if suffix.startswith("E") else "pv_kw",
            "start": start.tz_localize(NEM_TIME_ZONE).tz_convert("UTC").tz_localize(None).as_unit("us"),
            "step": step,
            "kw": kwh * 60 / step,
        }
    )
