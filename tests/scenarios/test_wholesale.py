from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hidiff.errors import DataFormatError
from hidiff.scenarios.wholesale import lay_on, read_wholesale

ZONE = "Australia/Sydney"


def prices(years: int = 3) -> "pd.Series[float]":
    """A price that says when it was: day of the week, local hour, day of the year."""
    time = pd.date_range("2010-07-01", periods=years * 365 * 48, freq="30min", tz=ZONE)
    value = time.day_of_week * 10_000 + time.hour * 100 + time.day_of_year / 10
    return pd.Series(np.asarray(value, dtype=float), time.tz_convert("UTC"))


def span(start: str, days: int, freq: str = "30min") -> pd.DatetimeIndex:
    first = pd.Timestamp(start, tz=ZONE)
    return pd.date_range(first, first + pd.Timedelta(days=days), freq=freq, inclusive="left").tz_convert(
        "UTC"
    )


def test_a_span_of_the_file_gets_its_own_prices() -> None:
    price, time = prices(), span("2011-10-01", 5)
    found, start = lay_on(price, time, ZONE, 1)
    np.testing.assert_array_equal(found, price.loc[time].to_numpy().astype(np.float32))
    assert start == "2011-10-01"


def test_another_year_gets_prices_of_its_weekday_hour_and_season() -> None:
    time = span("2031-01-01", 365)
    local = time.tz_convert(ZONE)
    found, start = lay_on(prices(), time, ZONE, 1)
    weekday, rest = np.divmod(found.astype(float), 10_000)
    hour, day = np.divmod(rest, 100)
    assert (weekday == local.day_of_week).mean() > 0.99  # but for the hours after a clock change
    assert (hour == local.hour).mean() > 0.99
    apart = np.abs(day * 10 - local.day_of_year)
    assert np.minimum(apart, 365 - apart).max() <= 5
    assert pd.Timestamp(start).month in (12, 1)


def test_scenarios_draw_different_years_and_each_its_own_again() -> None:
    time = span("2031-01-01", 30)
    starts = {lay_on(prices(), time, ZONE, 1, number)[1][:4] for number in range(20)}
    assert len(starts) >= 2
    assert lay_on(prices(), time, ZONE, 1, 4)[1] == lay_on(prices(), time, ZONE, 1, 4)[1]


def test_longer_steps_get_mean_prices_and_shorter_ones_the_price_they_lie_in() -> None:
    price = prices()
    hourly, _ = lay_on(price, span("2011-10-05", 2, "1h"), ZONE, 1)
    half, _ = lay_on(price, span("2011-10-05", 2), ZONE, 1)
    quarter, _ = lay_on(price, span("2011-10-05", 2, "15min"), ZONE, 1)
    np.testing.assert_allclose(hourly, half.reshape(-1, 2).mean(1), rtol=1e-6)
    np.testing.assert_array_equal(quarter, np.repeat(half, 2))


def test_a_span_longer_than_the_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"prices from 2010-06-30 to .* hold no stretch of 1095 days"):
        lay_on(prices(2), span("2031-01-01", 1095), ZONE, 1)


def test_files_are_read_or_refused(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"time": ["2012-07-01T00:00Z", "2012-07-01T00:30Z"], "price_per_mwh": [50.0, -147.0]}
    )
    table.to_csv(tmp_path / "p.csv", index=False)
    assert read_wholesale(tmp_path / "p.csv").tolist() == [0.05, -0.147]
    table.assign(time=["2012-07-01T00:00", "2012-07-01T00:30"]).to_csv(tmp_path / "naive.csv", index=False)
    with pytest.raises(DataFormatError, match="no zone"):
        read_wholesale(tmp_path / "naive.csv")
    table.rename(columns={"price_per_mwh": "price"}).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(DataFormatError, match="no column 'price_per_mwh'"):
        read_wholesale(tmp_path / "other.csv")
    table.assign(price_per_mwh=[1.0, None]).to_csv(tmp_path / "gap.csv", index=False)
    with pytest.raises(DataFormatError, match="1 missing prices"):
        read_wholesale(tmp_path / "gap.csv")
    with pytest.raises(DataFormatError, match="come as"):
        read_wholesale(tmp_path / "p.xlsx")


@pytest.mark.real
def test_the_recorded_prices_of_new_south_wales_are_read(data_dir: Path) -> None:
    price = read_wholesale(data_dir / "prices" / "nsw1_wholesale_2010_2013.parquet")
    assert price.min() == pytest.approx(-0.147, abs=5e-4) and price.max() == pytest.approx(12.136, abs=1e-3)
