"""Prices follow the local clock, and bills add up."""

import numpy as np
import pandas as pd
import pytest

from hidiff.envs.tariffs import bill, export_price_per_kwh, import_price_per_kwh, step_length_h
from hidiff.home import DemandCharge, Period, Tariff
from hidiff.prices import price_series

ZONE = "Australia/Sydney"


def index(start: str, days: float) -> pd.DatetimeIndex:
    first = pd.Timestamp(start, tz=ZONE).tz_convert("UTC")
    return pd.date_range(first, periods=round(days * 48), freq="30min")


def test_time_of_use_follows_weekday_and_weekend_hours() -> None:
    price = import_price_per_kwh(
        Tariff.time_of_use(0.5, 0.3, 0.2), index("2030-01-04", 2), ZONE
    )  # Friday, Saturday
    friday, saturday = price[:48], price[48:]
    assert friday.tolist() == [0.2] * 14 + [0.3] * 14 + [0.5] * 12 + [0.3] * 4 + [0.2] * 4
    assert saturday.tolist() == [0.2] * 14 + [0.3] * 30 + [0.2] * 4


def test_prices_stay_on_the_local_clock_over_the_clock_change() -> None:
    tariff = Tariff.time_of_use(0.5, 0.3, 0.2)
    for day in ("2011-10-03", "2012-04-02"):  # Mondays after the spring and the autumn change
        assert (import_price_per_kwh(tariff, index(day, 1), ZONE)[28:40] == 0.5).all()


def test_a_period_runs_past_midnight_and_the_first_one_counts() -> None:
    night = Period(price_per_kwh=0.1, start_h=22, end_h=6)
    late = Period(price_per_kwh=0.7, start_h=23, end_h=24, months=(1,))
    price = import_price_per_kwh(Tariff(periods=(late, night)), index("2030-01-31", 2), ZONE)
    assert price[:48].tolist() == [0.1] * 12 + [0.3] * 32 + [0.1] * 2 + [0.7] * 2
    assert price[-1] == 0.1  # February


def test_a_bill_is_energy_times_price_and_a_charge_a_day() -> None:
    time = index("2030-01-04", 1)
    import_kw, export_kw = np.full(48, 2.0), np.full(48, 1.0)
    answer = bill(import_kw, export_kw, Tariff.flat(0.3, 0.05, daily_charge=0.9), time, ZONE)
    assert answer.import_cost == pytest.approx(48 * 0.3)
    assert answer.export_credit == pytest.approx(24 * 0.05)
    assert answer.total == pytest.approx(48 * 0.3 - 24 * 0.05 + 0.9)


def test_export_periods_and_the_wholesale_price_make_the_export_price() -> None:
    evening = Period(price_per_kwh=0.2, start_h=16, end_h=21)
    tariff = Tariff(export_periods=(evening,), wholesale_export_multiplier=2.0)
    time = index("2030-01-04", 1)
    price = export_price_per_kwh(tariff, time, ZONE, np.full(48, 0.1))
    assert price == pytest.approx(np.array([0.25] * 32 + [0.4] * 10 + [0.25] * 6))
    assert import_price_per_kwh(tariff, time, ZONE).tolist() == [0.3] * 48


def test_a_wholesale_tariff_passes_the_spot_price_through_and_will_not_do_without() -> None:
    tariff, time, spot = Tariff.wholesale(0.1, multiplier=1.5), index("2030-01-04", 1), np.arange(48) / 100
    assert import_price_per_kwh(tariff, time, ZONE, spot) == pytest.approx(0.1 + 1.5 * spot)
    answer = bill(np.ones(48), np.zeros(48), tariff, time, ZONE, spot)
    assert answer.total == pytest.approx(24 * 0.1 + 0.75 * spot.sum() + 0.9)
    with pytest.raises(ValueError, match=r"wholesale_multiplier=1.5 and no wholesale price"):
        import_price_per_kwh(tariff, time, ZONE)
    with pytest.raises(ValueError, match=r"shape \(47,\)"):
        import_price_per_kwh(tariff, time, ZONE, spot[:47])
    with pytest.raises(ValueError, match="1 missing values"):
        bill(np.ones(48), np.zeros(48), tariff, time, ZONE, np.append(spot[:47], np.nan))


def test_months_begin_at_local_midnight_and_demand_hours_follow_the_clock() -> None:
    charge = DemandCharge(price_per_kw=1.0, start_h=15, end_h=21, days="weekday", months=(2,))
    series = price_series(Tariff(demand=(charge,)), index("2030-01-31", 3), ZONE)  # Thursday to Saturday
    assert np.flatnonzero(series.is_month_start).tolist() == [0, 48]
    assert np.flatnonzero(series.in_demand_window[0]).tolist() == list(range(48 + 30, 48 + 42))
    assert price_series(Tariff(), index("2030-01-31", 3), ZONE).in_demand_window.shape == (0, 144)


def test_the_table_of_a_bill_has_its_items_month_by_month() -> None:
    time = index("2030-01-30", 4)
    answer = bill(np.ones(192), np.ones(192) / 2, Tariff.with_demand(), time, ZONE)
    table = answer.table()
    assert table.index.tolist() == ["2030-01", "2030-02"]
    assert table["total"].sum() == pytest.approx(answer.total)
    assert table["demand_cost"].tolist() == pytest.approx([11.14, 11.14])  # each month whole
    assert table["export_credit"].tolist() == pytest.approx([1.2, 1.2])


def test_a_bill_refuses_missing_negative_and_misshapen_flows() -> None:
    time, zero = index("2030-01-04", 1), np.zeros(48)
    for wrong in (np.full(48, np.nan), np.full(48, -1.0)):
        with pytest.raises(ValueError, match="negative or missing"):
            bill(wrong, zero, Tariff(), time, ZONE)
    with pytest.raises(ValueError, match=r"export_kw has shape \(47,\)"):
        bill(zero, zero[:47], Tariff(), time, ZONE)
    with pytest.raises(ValueError, match="no zone"):
        bill(zero, zero, Tariff(), time.tz_localize(None), ZONE)


def test_the_step_length_needs_even_steps() -> None:
    assert step_length_h(index("2030-01-04", 1)) == 0.5
    with pytest.raises(ValueError, match="two are needed"):
        step_length_h(index("2030-01-04", 1)[:1])
    with pytest.raises(ValueError, match="not evenly spaced"):
        step_length_h(index("2030-01-04", 1)[[0, 1, 3]])
