"""The meter adds up to the bill, step by step, for any tariff, step length and kind of number."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hidiff.envs import bill, meter_step, stack_tariffs, start_meter
from hidiff.envs.ops import ARRAYS, FLOATS, Ops, tensors
from hidiff.home import Block, DemandCharge, Period, Tariff
from hidiff.prices import PriceSeries, price_series, stack_price_series

ZONE = "Australia/Sydney"
Floats = NDArray[np.float64]


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False).map(lambda value: round(value, 4))


@st.composite
def hours(draw: st.DrawFn) -> dict[str, Any]:
    start_h, end_h = draw(
        st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda pair: pair[0] != pair[1])
    )
    months = draw(st.sampled_from([(), (), (1, 3), (2,)]))
    return {
        "start_h": start_h,
        "end_h": end_h,
        "days": draw(st.sampled_from(["all", "weekday", "weekend"])),
        "months": months,
    }


periods = st.builds(lambda price, when: Period(price_per_kwh=price, **when), numbers(-0.5, 0.5), hours())
charges = st.builds(
    lambda price, when, back, minimum, interval: DemandCharge(
        price_per_kw=price, months_back=back, minimum_kw=minimum, interval_h=interval, **when
    ),
    numbers(0, 20),
    hours(),
    st.sampled_from([1, 2, 12]),
    st.sampled_from([0.0, 2.5]),
    st.sampled_from([0.0, 0.5, 1.0, 3.0]),
)
blocks = st.builds(
    lambda above, extra: Block(above_kwh_per_month=above, extra_per_kwh=extra),
    numbers(0, 900),
    numbers(-0.2, 0.2),
)
tariffs = st.builds(
    Tariff,
    import_price_per_kwh=numbers(-0.2, 0.6),
    export_price_per_kwh=numbers(-0.2, 0.2),
    daily_charge=numbers(0, 2),
    periods=st.lists(periods, max_size=2).map(tuple),
    export_periods=st.lists(periods, max_size=2).map(tuple),
    export_allowance_kwh_per_month=st.sampled_from([0.0, 0.0, 120.0]),
    wholesale_multiplier=st.sampled_from([0.0, 1.1]),
    wholesale_export_multiplier=st.sampled_from([0.0, 1.0]),
    blocks=st.lists(blocks, max_size=2).map(tuple),
    demand=st.lists(charges, max_size=2).map(tuple),
)


def index(start: str, days: float, minutes: int = 60) -> pd.DatetimeIndex:
    first = pd.Timestamp(start, tz=ZONE).tz_convert("UTC")
    return pd.date_range(first, periods=round(days * 1440 / minutes), freq=f"{minutes}min")


def increments(
    import_kw: Any, export_kw: Any, series: PriceSeries, tariff: Any, dt_h: float, m: Ops, like: Any = 0.0
) -> list[Any]:
    state, costs = start_meter(tariff, like), []
    for t in range(len(import_kw)):
        state, cost = meter_step(
            state,
            import_kw[t],
            export_kw[t],
            series.import_price[t],
            series.export_price[t],
            series.is_month_start[t],
            [measured[t] for measured in series.in_demand_window],
            tariff,
            dt_h,
            m,
        )
        costs.append(cost)
    return costs


def flows(seed: int, steps: int) -> tuple[Floats, Floats, Floats]:
    """Import, export and a wholesale price."""
    rng = np.random.default_rng(seed)
    net_kw = rng.normal(0, 2, steps) * (rng.random(steps) < 0.8)
    return np.maximum(net_kw, 0), np.maximum(-net_kw, 0), rng.normal(0.05, 0.2, steps)


@settings(deadline=None, max_examples=60)
@given(
    tariff=tariffs,
    seed=st.integers(0, 99),
    days=st.integers(1, 75),
    start=st.sampled_from(["01-01", "01-20"]),
)
def test_increments_add_up_to_the_bill_of_any_tariff(
    tariff: Tariff, seed: int, days: int, start: str
) -> None:
    time = index(f"2030-{start}", days)
    import_kw, export_kw, spot = flows(seed, len(time))
    series = price_series(tariff, time, ZONE, spot)
    costs = increments(import_kw.tolist(), export_kw.tolist(), series, tariff, 1.0, FLOATS)
    answer = bill(import_kw, export_kw, tariff, time, ZONE, spot)
    size = abs(answer.import_cost) + abs(answer.export_credit) + answer.demand_cost + answer.daily_charge
    assert math.fsum(costs) == pytest.approx(answer.total, rel=1e-9, abs=1e-9 * max(size, 1.0))


@settings(deadline=None, max_examples=40)
@given(tariff=tariffs, seed=st.integers(0, 99), minutes=st.sampled_from([5, 15, 30]))
def test_a_bill_does_not_depend_on_the_step_length(tariff: Tariff, seed: int, minutes: int) -> None:
    charge = DemandCharge(price_per_kw=9.0, start_h=15, end_h=21, interval_h=1.0)  # averages over the hour
    tariff = replace(tariff, demand=(charge, replace(charge, months_back=3, interval_h=3.0, end_h=24)))
    hourly, fine = index("2030-01-20", 20), index("2030-01-20", 20, minutes)
    whole = flows(seed, len(hourly))
    parts = [np.repeat(values, 60 // minutes) for values in whole]
    first, second = (
        bill(values[0], values[1], tariff, time, ZONE, values[2])
        for values, time in ((whole, hourly), (parts, fine))
    )
    for name in ("import_cost", "export_credit", "block_cost", "demand_cost", "daily_charge"):
        assert getattr(second, name) == pytest.approx(getattr(first, name), rel=1e-9, abs=1e-9), name
    series = price_series(tariff, fine, ZONE, parts[2])
    costs = increments(parts[0].tolist(), parts[1].tolist(), series, tariff, minutes / 60, FLOATS)
    assert math.fsum(costs) == pytest.approx(first.total, rel=1e-9, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(homes=st.lists(tariffs, min_size=1, max_size=4), seed=st.integers(0, 99))
def test_a_stack_of_tariffs_bills_each_home_as_its_own_meter_does(homes: list[Tariff], seed: int) -> None:
    time = index("2030-01-20", 16)
    envs, steps, count = 2, len(time), len(homes)
    rows = [flows(seed + k, steps) for k in range(envs * count)]
    import_kw = np.stack([row[0] for row in rows]).T.reshape(steps, envs, count)
    export_kw = np.stack([row[1] for row in rows]).T.reshape(steps, envs, count)
    spot = rows[0][2]
    each = [price_series(tariff, time, ZONE, spot) for tariff in homes]
    expected = np.array(
        [
            increments(
                rows[k][0].tolist(), rows[k][1].tolist(), each[k % count], homes[k % count], 1.0, FLOATS
            )
            for k in range(envs * count)
        ]
    ).T.reshape(steps, envs, count)
    series = stack_price_series(each)
    arrays = increments(import_kw, export_kw, series, stack_tariffs(homes), 1.0, ARRAYS, import_kw[0])
    assert np.stack(arrays) == pytest.approx(expected, rel=1e-9, abs=1e-9)

    names = ("import_price", "export_price", "is_month_start", "in_demand_window")
    as_tensors: Any = replace(series, **{name: torch.as_tensor(getattr(series, name)) for name in names})
    stacked = stack_tariffs(homes, torch.as_tensor)
    imported, exported = torch.as_tensor(import_kw), torch.as_tensor(export_kw)
    costs = increments(imported, exported, as_tensors, stacked, 1.0, tensors(), imported[0])
    assert torch.stack(costs).numpy() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_one_tariff_runs_on_arrays_of_homes() -> None:
    tariff = replace(Tariff.with_demand(), blocks=(Block(above_kwh_per_month=50, extra_per_kwh=0.1),))
    time = index("2030-06-29", 4, 30)
    series = price_series(tariff, time, ZONE)
    import_kw = np.random.default_rng(1).gamma(2.0, 1.0, (len(time), 3, 2))
    costs = increments(import_kw, import_kw * 0, series, tariff, 0.5, ARRAYS, import_kw[0])
    for env, home in itertools.product(range(3), range(2)):
        own = bill(import_kw[:, env, home], np.zeros(len(time)), tariff, time, ZONE)
        assert np.stack(costs)[:, env, home].sum() == pytest.approx(own.total, rel=1e-9)


def test_gradients_reach_the_peak_alone() -> None:
    tariff = replace(Tariff.flat(0.0, 0.0, daily_charge=0.0), demand=(DemandCharge(price_per_kw=7.0),))
    series = price_series(tariff, index("2030-01-01", 1), ZONE)
    import_kw = torch.ones(24, dtype=torch.float64)
    import_kw[18] = 5.0
    import_kw.requires_grad_()
    total = sum(increments(import_kw, import_kw * 0, series, tariff, 1.0, tensors(), import_kw[0].detach()))
    total.backward()  # type: ignore[union-attr]
    assert import_kw.grad is not None
    assert import_kw.grad.nonzero().flatten().tolist() == [18]
    assert float(import_kw.grad[18]) == 7.0


def test_a_monthly_charge_begins_anew_and_a_rolling_one_remembers() -> None:
    time = index("2030-01-01", 31 + 28 + 31)
    import_kw = np.full(len(time), 1.0)
    import_kw[100] = 6.0  # January
    import_kw[1000] = 3.0  # February

    def charged(**changes: Any) -> list[float]:
        tariff = Tariff.flat(0.0, 0.0, daily_charge=0.0)
        tariff = replace(tariff, demand=(DemandCharge(price_per_kw=10.0, **changes),))
        table = bill(import_kw, import_kw * 0, tariff, time, ZONE).table()
        assert table.index.tolist() == ["2030-01", "2030-02", "2030-03"]
        return [float(value) for value in table["demand_cost"]]

    assert charged() == [60.0, 30.0, 10.0]
    assert charged(minimum_kw=2.0) == [60.0, 30.0, 20.0]
    assert charged(months_back=2) == [60.0, 60.0, 30.0]
    assert charged(months_back=12) == [60.0, 60.0, 60.0]
    assert charged(months=(1, 3), months_back=2, minimum_kw=2.0) == [60.0, 0.0, 20.0]
    assert charged(interval_h=2.0) == [35.0, 20.0, 10.0]


def test_blocks_count_each_month_by_itself() -> None:
    time = index("2030-01-30", 4)  # 48 h of January and 48 h of February
    block = (
        Block(above_kwh_per_month=30, extra_per_kwh=0.5),
        Block(above_kwh_per_month=40, extra_per_kwh=-0.2),
    )
    tariff = Tariff(import_price_per_kwh=0.1, blocks=block)
    table = bill(np.ones(96), np.zeros(96), tariff, time, ZONE).table()
    assert table["block_cost"].tolist() == pytest.approx([18 * 0.5 - 8 * 0.2] * 2)
    assert table["total"].tolist() == pytest.approx([4.8 + 9 - 1.6] * 2)


def test_the_allowance_spares_the_first_export_that_costs_money() -> None:
    time = index("2030-01-01", 2)
    tariff = Tariff.two_way_export(0.02, 0.04, 8.0, daily_charge=0.0)
    answer = bill(np.zeros(48), np.ones(48), tariff, time, ZONE)
    assert answer.export_credit == pytest.approx(2 * 5 * 0.04 - (2 * 5 - 8) * 0.02)


def test_a_plain_tariff_needs_no_memory() -> None:
    state = start_meter(Tariff.time_of_use())
    after, cost = meter_step(state, 2.0, 0.0, 0.3, 0.05, 0.0, (), Tariff.time_of_use(), 0.5, FLOATS)
    assert after is state
    assert cost == pytest.approx(0.3 + 0.9 / 48)


def test_a_stack_of_no_tariffs_and_series_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="give one for each home"):
        stack_tariffs([])
    days = [price_series(Tariff(), index("2030-01-01", n), ZONE) for n in (1, 2)]
    with pytest.raises(ValueError, match=r"lengths \[24, 48\]"):
        stack_price_series(days)
