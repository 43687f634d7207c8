"""Wholesale prices laid on any span: whole weeks of the recorded years, at the same season and hour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data.traces import require_columns
from hidiff.errors import DataFormatError
from hidiff.rng import generator

DAYS_PER_YEAR = 365.25


def read_wholesale(path: Path | str) -> pd.Series[float]:
    """Wholesale price [currency/kWh] by the start of its step in UTC.

    Args:
        path: Parquet or CSV with ``time`` (with zone) and ``price_per_mwh``.

    Raises:
        DataFormatError: another kind of file, a missing column, a naive, double or uneven time, a missing price.
    """
    path = Path(path)
    if path.suffix not in (".parquet", ".csv"):
        raise DataFormatError(f"{path} ends in {path.suffix!r}; wholesale prices come as .parquet or .csv")
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise DataFormatError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if table.index.name == "time":
        table = table.reset_index()
    require_columns(table.columns, ["time", "price_per_mwh"], str(path))
    time = pd.DatetimeIndex(pd.to_datetime(table["time"]))
    if time.tz is None:
        raise DataFormatError(f"{path}: column time has no zone; write stamps such as 2012-07-01T00:00:00Z")
    price = pd.Series(
        table["price_per_mwh"].to_numpy(dtype=np.float64) / 1000, time.tz_convert("UTC").as_unit("us")
    )
    price = price.sort_index()
    gaps = np.diff(price.index.asi8)
    if len(price) < 2 or not (gaps == gaps[0]).all() or gaps[0] <= 0:
        raise DataFormatError(
            f"{path}: column time is not evenly spaced, or has double stamps; fill or cut it"
        )
    if not np.isfinite(price.to_numpy()).all():
        raise DataFormatError(f"{path} has {int(price.isna().sum())} missing prices; fill them")
    return price


def lay_on(
    price: pd.Series[float], time: pd.DatetimeIndex, time_zone: str, *key: int | str
) -> tuple[NDArray[np.float32], str]:
    """Price of each step, ``(step,)`` [currency/kWh], and the local day of the file that the span begins with.

    A span that the file covers gets its own prices. Any other gets those of the same season: stamps on the local
    clock are moved by whole weeks, to within three days of the same day of the year, so that days of the week and
    hours stay what they are. Where several years of the file fit, ``key`` draws one. What weather and prices had to
    do with each other in the recorded years is lost when the weather is not theirs.

    Raises:
        ValueError: the file holds no stretch of this length and season.
    """
    local = time.tz_convert(time_zone).tz_localize(None)
    step = time[1] - time[0] if len(time) > 1 else price.index[1] - price.index[0]
    end = price.index[-1] + (price.index[1] - price.index[0])
    if price.index[0] <= time[0] and time[-1] + step <= end:
        return _at(price, time, step), str(local[0].date())
    fits = []
    years_back = round(
        (local[0] - price.index[0].tz_convert(time_zone).tz_localize(None)).days / DAYS_PER_YEAR
    )
    for years in range(years_back - 200, years_back + 2):
        weeks = round(years * DAYS_PER_YEAR / 7)
        moved = (local - pd.Timedelta(weeks=weeks)).tz_localize(
            time_zone, ambiguous=np.zeros(len(local), dtype=bool), nonexistent="shift_forward"
        )
        if price.index[0] <= moved[0] and moved[-1] + step <= end:
            fits.append(moved)
    if not fits:
        raise ValueError(
            f"prices from {price.index[0].date()} to {end.date()} hold no stretch of {len(time) * step} that begins "
            f"about {local[0]:%d %B}; give a longer file or a shorter span"
        )
    moved = fits[int(generator(*key, "price year").integers(len(fits)))]
    return _at(price, moved.tz_convert("UTC"), step), str(moved[0].tz_convert(time_zone).date())


def _at(price: pd.Series[float], time: pd.DatetimeIndex, step: pd.Timedelta) -> NDArray[np.float32]:
    """Mean price over each step."""
    own = price.index[1] - price.index[0]
    parts = max(int(step // own), 1)
    found = [
        price.to_numpy()[
            np.clip(price.index.searchsorted(time + part * own, side="right") - 1, 0, len(price) - 1)
        ]
        for part in range(parts)
    ]
    return np.asarray(np.mean(found, axis=0), dtype=np.float32)
