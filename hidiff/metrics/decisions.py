"""What decisions taken on generated years cost on real ones: the size of a battery, a day-ahead purchase.

Battery: a year of every home is run with every size under the self-consumption rule (surplus charges, deficit
discharges; no charging from the grid, no foresight), the plainest operation there is and the one most home
batteries ship with. A home buys the size of least yearly cost: bill plus annualised cost of the battery.

Purchase: energy is committed a day ahead for each hour; what is missing costs ``shortfall_per_kwh`` more than
the day-ahead price and what is left over is sold back for ``surplus_per_kwh`` less. The energy itself costs
the same whatever was committed; the rest is the newsvendor's pinball loss, so the best commitment is the
``shortfall / (shortfall + surplus)`` quantile of the net energy of the hour (Arrow, Harris and Marschak 1951,
DOI 10.2307/1906813; Koenker and Bassett 1978, DOI 10.2307/1913643). No solver is needed and the answer is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data.calendars import is_holiday
from hidiff.home import Battery, Tariff
from hidiff.prices import export_price_per_kwh, import_price_per_kwh

Floats = NDArray[np.floating]
Array = NDArray[np.float64]
Integers = NDArray[np.int64]

CELLS = 12 * 2 * 24
"""Kinds of hour: month x (working or free day) x hour of the clock."""
HOMES_AT_ONCE = 16
"""Homes run together; bounds the memory (16 homes x 15 sizes x 17,520 steps are 34 MB an array)."""


@dataclass(frozen=True, kw_only=True)
class BatteryChoice:
    """The batteries to choose from and what they cost."""

    sizes_kwh: tuple[float, ...] = tuple(float(size) for size in range(15))
    """Capacities to choose from [kWh]; 0 is no battery."""
    annual_cost_per_kwh: float = 40.0
    """Yearly cost of a kWh of capacity [currency/kWh]: 480 a kWh over 15 years at 3 % interest is 40."""
    battery: Battery = field(default_factory=lambda: Battery(soc_initial=0.0))
    """Efficiencies, state-of-charge window and power per capacity of every size; empty at the start, so that
    no bill gains from what a battery held."""
    tariff: Tariff = field(default_factory=Tariff.time_of_use)
    """What energy costs."""

    def __post_init__(self) -> None:
        if not self.sizes_kwh or not all(0 <= size < np.inf for size in self.sizes_kwh):
            raise ValueError(
                f"sizes_kwh is {self.sizes_kwh}; give at least one size, each at least 0 and finite"
            )
        if not 0 <= self.annual_cost_per_kwh < np.inf:
            raise ValueError(f"annual_cost_per_kwh is {self.annual_cost_per_kwh}; it must be at least 0")
        self.tariff.require_energy_only("BatteryChoice")
        if self.tariff.needs_wholesale:
            raise ValueError(
                "the tariff follows a wholesale price, which BatteryChoice does not have; set wholesale_multiplier and "
                "wholesale_export_multiplier to 0"
            )
        prices = (self.tariff.import_price_per_kwh, *(p.price_per_kwh for p in self.tariff.periods))
        sold = (self.tariff.export_price_per_kwh, *(p.price_per_kwh for p in self.tariff.export_periods))
        for price in sold:
            if not 0 <= price <= min(prices):
                raise ValueError(
                    f"export_price_per_kwh is {price}; it must lie between 0 and the lowest import price "
                    f"{min(prices)}, or self-consumption is not what a home would do"
                )


@dataclass(frozen=True, kw_only=True)
class ImbalancePrices:
    """What a kWh of a wrong day-ahead commitment costs, above its day-ahead price [currency/kWh]."""

    shortfall_per_kwh: float = 0.20
    """For energy that was used and not committed."""
    surplus_per_kwh: float = 0.05
    """For energy that was committed and not used."""

    def __post_init__(self) -> None:
        for name in ("shortfall_per_kwh", "surplus_per_kwh"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0 and finite")

    @property
    def quantile(self) -> float:
        """Level of the best commitment, 0..1."""
        return self.shortfall_per_kwh / (self.shortfall_per_kwh + self.surplus_per_kwh)


def battery_power(net_kw: Floats, sizes_kwh: Floats, battery: Battery, *, dt_h: float) -> tuple[Array, Array]:
    """Battery power of every home with every size under self-consumption, and the energy left at the end.

    ``battery = -net`` within the limits of power and energy; losses are counted on both ways:
    ``e' = e + eta_c * p+ * dt - p- * dt / eta_d``.

    Args:
        net_kw: load - PV, ``(home, step)`` [kW].
        sizes_kwh: capacities, ``(size,)`` [kWh]; power limits grow in proportion to ``battery``'s.
        battery: efficiencies, state-of-charge window and power per capacity.
        dt_h: step length [h].
    Returns:
        Power at the terminals, > 0 charges, ``(step, home, size)`` [kW], and ``(home, size)`` [kWh].
    """
    sizes = np.asarray(sizes_kwh, dtype=np.float64)
    # a battery of 0 kWh has no power, also where the limit is inf
    share = sizes / battery.capacity_kwh
    charge_max, discharge_max = (
        np.multiply(share, limit, out=np.zeros_like(share), where=share > 0)
        for limit in (battery.charge_max_kw, battery.discharge_max_kw)
    )
    floor_kwh, window_kwh = battery.soc_min * sizes, (battery.soc_max - battery.soc_min) * sizes
    stored = np.tile(battery.soc_initial * sizes - floor_kwh, (len(net_kw), 1))  # above the lower limit
    into, out_of = battery.efficiency_charge * dt_h, dt_h / battery.efficiency_discharge
    power = np.empty((net_kw.shape[1], *stored.shape))
    for step, net in enumerate(np.ascontiguousarray(net_kw.T, dtype=np.float64)[:, :, None]):
        high = np.minimum(charge_max, (window_kwh - stored) / into)
        low = np.minimum(discharge_max, stored / out_of)
        applied = np.minimum(np.maximum(-net, -low), high, out=power[step])
        stored += np.where(applied > 0, applied * into, applied * out_of)
        np.maximum(stored, 0.0, out=stored)  # rounding only
    return power, stored + floor_kwh


def yearly_cost(
    load_kw: Floats, pv_kw: Floats, clock: pd.DatetimeIndex, choice: BatteryChoice, *, dt_h: float
) -> Array:
    """Bill plus annualised cost of the battery, of every home with every size, ``(home, size)`` [currency/year].

    Args:
        load_kw: ``(home, step)`` [kW], without gaps; likewise ``pv_kw``.
        clock: start of each step on the homes' clock.
        choice: sizes, costs, tariff.
        dt_h: step length [h].
    Raises:
        ValueError: shapes that do not fit, or gaps.
    """
    net_kw = _net(load_kw, pv_kw, clock)
    price = import_price_per_kwh(choice.tariff, clock, str(clock.tz))
    sale_price = export_price_per_kwh(choice.tariff, clock, str(clock.tz))
    sizes = np.array(choice.sizes_kwh)
    cost = np.empty((len(net_kw), len(sizes)))
    for home in range(0, len(net_kw), HOMES_AT_ONCE):
        rows = net_kw[home : home + HOMES_AT_ONCE]
        power, _ = battery_power(rows, sizes, choice.battery, dt_h=dt_h)
        exchange = rows.T[:, :, None] + power
        bought = np.tensordot(price, np.maximum(exchange, 0.0), axes=1)
        sold = np.tensordot(sale_price, np.maximum(-exchange, 0.0), axes=1)
        cost[home : home + HOMES_AT_ONCE] = (bought - sold) * dt_h
    days = len(clock) * dt_h / 24
    cost += choice.tariff.daily_charge * days
    return np.asarray(cost * 365.25 / days + choice.annual_cost_per_kwh * sizes)


def chosen_size(cost: Array, groups: list[Integers]) -> Integers:
    """Position of the size of least mean cost over the homes of each group, ``(group,)``; ties go to the first.

    Args:
        cost: ``(home, size)`` [currency/year].
        groups: rows of ``cost`` that decide together.
    """
    return np.array([int(np.argmin(cost[rows].mean(axis=0))) for rows in groups], dtype=np.int64)


def hour_cells(clock: pd.DatetimeIndex) -> Integers:
    """Kind of each step, 0 to ``CELLS - 1``: month x free day (weekend, public holiday) x hour, ``(step,)``."""
    dates = clock.tz_localize(None).normalize()
    days = dates.unique()
    is_free = ((days.day_of_week >= 5) | is_holiday(days))[days.get_indexer(dates)]
    return np.asarray(
        (np.asarray(clock.month) - 1) * 48 + is_free * 24 + np.asarray(clock.hour), dtype=np.int64
    )


def hourly_net(
    load_kw: Floats, pv_kw: Floats, clock: pd.DatetimeIndex, *, dt_h: float
) -> tuple[Array, pd.DatetimeIndex]:
    """Net load by the hour, ``(home, hour)`` [kW], > 0 is import, and the start of each hour.

    Raises:
        ValueError: steps that do not divide an hour, or a start that is not on the hour.
    """
    steps = round(1 / dt_h)
    if steps < 1 or abs(steps * dt_h - 1) > 1e-9:
        raise ValueError(f"dt_h={dt_h} does not divide an hour; resample to 60 minutes or a part of it")
    if clock[0].minute:
        raise ValueError(f"the first step starts at {clock[0]}, not on the hour; cut the traces there")
    hours = len(clock) // steps
    net_kw = _net(load_kw, pv_kw, clock)[:, : hours * steps].reshape(len(load_kw), hours, steps).mean(axis=2)
    return net_kw, clock[: hours * steps : steps]


def commitment(net_kw: Array, cells: Integers, prices: ImbalancePrices) -> Array:
    """Power to commit for each kind of hour: the quantile over its hours of all rows, ``(CELLS,)`` [kW].

    NaN where no hour is of that kind.

    Args:
        net_kw: ``(scenario, hour)`` [kW].
        cells: of `hour_cells`, ``(hour,)``.
    """
    order = np.argsort(cells, kind="stable")
    bounds = np.searchsorted(cells[order], np.arange(CELLS + 1))
    committed = np.full(CELLS, np.nan)
    for cell in np.flatnonzero(np.diff(bounds)):
        values = np.sort(net_kw[:, order[bounds[cell] : bounds[cell + 1]]], axis=None)
        # one of the scenarios and not a value between two: a minimiser of their pinball loss; the small number
        # keeps rounding from taking the next one up
        committed[cell] = values[max(int(np.ceil(prices.quantile * len(values) - 1e-9)) - 1, 0)]
    return committed


def imbalance_cost(net_kw: Array, cells: Integers, committed: Array, prices: ImbalancePrices) -> Array:
    """Yearly cost of having committed ``committed``, above the day-ahead price, ``(home,)`` [currency/year].

    Args:
        net_kw: what came, ``(home, hour)`` [kW]; hourly steps, so also kWh.
        cells: of `hour_cells`, ``(hour,)``.
        committed: of `commitment`, ``(CELLS,)`` [kW].
    Raises:
        ValueError: an hour of a kind that nothing was committed for.
    """
    missing = np.setdiff1d(cells, np.flatnonzero(np.isfinite(committed)))
    if len(missing):
        month, kind = divmod(int(missing[0]), 48)
        raise ValueError(
            f"nothing was committed for hour {kind % 24} of a {'free' if kind >= 24 else 'working'} day in "
            f"month {month + 1}; commit from at least a whole year"
        )
    short_kw = net_kw - committed[cells]
    loss = np.where(short_kw > 0, prices.shortfall_per_kwh * short_kw, -prices.surplus_per_kwh * short_kw)
    return np.asarray(loss.mean(axis=1) * 24 * 365.25)


def _net(load_kw: Floats, pv_kw: Floats, clock: pd.DatetimeIndex) -> Array:
    """Load - PV after checking both, ``(home, step)`` [kW]."""
    if load_kw.shape != pv_kw.shape or load_kw.shape[1:] != (len(clock),):
        raise ValueError(f"load_kw {load_kw.shape}, pv_kw {pv_kw.shape} and {len(clock)} steps do not fit")
    net_kw = load_kw.astype(np.float64) - pv_kw
    if not np.isfinite(net_kw).all():
        missing = int((~np.isfinite(net_kw)).sum())
        raise ValueError(f"{missing} steps have no value; select homes and years without gaps")
    return net_kw
