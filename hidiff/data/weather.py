"""The regional weather path: what all homes of a region share, one row a day.

Columns: ``temperature_max_c``, ``temperature_min_c`` [deg C] and ``clearness`` (PV energy of the region's
roofs over their clear-sky energy, 0..1.3). The index holds naive standard-time dates.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from hidiff.errors import DataFormatError

from . import solar
from .prepare import CLEARNESS, Prepared

COLUMNS = ["temperature_max_c", "temperature_min_c", "clearness"]


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise ValueError(f"weather file {path} does not exist")
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise DataFormatError(f"{path} cannot be read as a table ({error}); give CSV or Parquet") from error


def read_weather(path: Path) -> pd.DataFrame:
    """Daily weather from a file, any of the columns of `COLUMNS` that can be had from it.

    The file has one row a day (``date`` and columns of `COLUMNS`) or one row a step (``time`` or
    ``local_time``, naive local **standard** time or zone-aware, with ``temperature_c`` and, if known,
    ``clearness`` or ``ghi_w_m2``; the latter is divided by the clear sky over Sydney).

    Raises:
        DataFormatError: no time column, no column that says anything of the weather, a value that is no
            number, NaN, or days missing in between.
    """
    table = _read_table(path)
    column = next((name for name in ("date", "time", "local_time") if name in table.columns), None)
    if column is None:
        raise DataFormatError(
            f"{path} has no column 'date', 'time' or 'local_time'; "
            f"it has {', '.join(map(str, table.columns[:12]))}"
        )
    try:
        stamps = pd.DatetimeIndex(pd.to_datetime(table[column]))
    except (ValueError, TypeError) as error:
        raise DataFormatError(f"{path}: column {column!r} does not hold dates ({error})") from error
    if stamps.tz is not None:
        stamps = stamps.tz_convert(solar.SYDNEY_STANDARD_TIME).tz_localize(None)
    if not len(stamps) or stamps.hasnans:
        raise DataFormatError(f"{path}: column {column!r} has no date in some row, or the file has no rows")
    for name in [*COLUMNS, "temperature_c", "ghi_w_m2"]:
        if name in table.columns:
            try:
                table[name] = pd.to_numeric(table[name])
            except (ValueError, TypeError) as error:
                raise DataFormatError(f"{path}: column {name!r} is not all numbers ({error})") from error
    day = stamps.normalize()
    groups = table.groupby(day)
    daily = pd.DataFrame(index=pd.DatetimeIndex(sorted(day.unique())))
    for name in COLUMNS:
        if name in table.columns:
            daily[name] = groups[name].mean()
    if "temperature_c" in table.columns:
        daily["temperature_max_c"] = groups["temperature_c"].max()
        daily["temperature_min_c"] = groups["temperature_c"].min()
    if "ghi_w_m2" in table.columns and "clearness" not in table.columns:
        step_h = 24 / groups.size().mode().iloc[0]
        clear_kwh = solar.clear_sky_of_days(daily.index).ghi.reshape(-1, 48).sum(1) / 2000
        daily["clearness"] = np.clip(
            groups["ghi_w_m2"].sum() * step_h / 1000 / clear_kwh, 0, solar.MAX_CLEARNESS
        )
    if daily.shape[1] == 0:
        raise DataFormatError(
            f"{path} has none of {', '.join(COLUMNS)}, temperature_c, ghi_w_m2; name the columns so"
        )
    holes = pd.date_range(daily.index[0], daily.index[-1], freq="D").difference(daily.index)
    if len(holes):
        raise DataFormatError(
            f"{path} misses {len(holes)} days, the first {holes[0].date()}; fill them first"
        )
    bad = daily.columns[daily.isna().any()]
    if len(bad):
        row = daily.index[int(np.argmax(daily[bad[0]].isna()))]
        raise DataFormatError(f"{path}: column {bad[0]!r} has no value on {row.date()}; fill it first")
    limits = {"temperature_max_c": (-60.0, 60.0), "temperature_min_c": (-60.0, 60.0), "clearness": (0.0, 1.3)}
    for name in daily.columns:
        low, high = limits[name]
        if not daily[name].between(low, high).all():
            worst = daily[name][~daily[name].between(low, high)].iloc[0]
            raise DataFormatError(f"{path}: {name} reaches {worst:g}, outside {low:g}..{high:g}")
    return daily


def observed_weather(prepared: Prepared, temperature_file: Path) -> pd.DataFrame:
    """The region's weather on the days of ``prepared``: temperature from a file, clearness from the homes.

    Days that no home knows (the first and the last are often cut) are filled from their neighbours.

    Raises:
        DataFormatError: no temperature in the file, or none on a day that a home knows.
        ValueError: no home has PV.
    """
    daily = read_weather(temperature_file)
    lacking = [name for name in COLUMNS[:2] if name not in daily.columns]
    if lacking:
        raise DataFormatError(f"{temperature_file} has neither {lacking[0]!r} nor 'temperature_c'; add one")
    daily = daily.reindex(prepared.grid.dates)
    gaps = daily[COLUMNS[:2]].isna().any(axis=1).to_numpy() & prepared.is_known.any(axis=0)
    if gaps.any():
        gap = daily.index[int(np.argmax(gaps))]
        raise DataFormatError(f"no weather for {gap.date()} in {temperature_file}, which the homes cover")
    daily["clearness"] = regional_clearness(prepared)
    return daily[COLUMNS].interpolate(limit_direction="both")


def regional_clearness(prepared: Prepared) -> pd.Series[float]:
    """Mean clearness over the homes with PV, one value a day; NaN on days that none of them knows.

    Raises:
        ValueError: no home has PV.
    """
    tokens = prepared.tokens[prepared.capacity_kwp > 0][:, :, CLEARNESS]
    if not len(tokens):
        raise ValueError("no home has PV, so nothing tells how clear the days were; add homes with PV")
    known = ~np.isnan(tokens).all(axis=0)
    clearness = pd.Series(np.nan, index=prepared.grid.dates)
    clearness[known] = np.nanmean(tokens[:, known], axis=0)
    return clearness
