"""The meter: what each step adds to the bill, months and highest powers included, one formula for all kinds of value.

The increments of a span sum to its `hidiff.envs.tariffs.bill`. Values are floats, or arrays or tensors of shape
(env, home) with a tariff whose fields may be arrays (home,) (`stack_tariffs`). Marks of steps are 0.0 or 1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hidiff.tariff import Tariff

from .ops import Ops, Value

INTERVAL_TOLERANCE_H = 1e-3
"""An interval is over when its length is reached but for this, more than float32 loses in a day [h]."""


class DemandState(NamedTuple):
    """What the meter remembers for one demand charge."""

    billed_kw: Value
    """Power that the present month has been charged for so far [kW]."""
    peaks_kw: tuple[Value, ...]
    """Highest power of the present month, then of the months before, as many as the charge looks back [kW]."""
    interval_kwh: Value
    """Energy of the averaging interval that runs [kWh]."""
    interval_h: Value
    """Its length so far [h]."""


class MeterState(NamedTuple):
    """What the meter remembers from one step to the next; empty for a tariff of prices and a daily charge."""

    import_kwh: Value
    """Import of the present month [kWh]."""
    charged_export_kwh: Value
    """Export of the present month at a negative price [kWh]."""
    demand: tuple[DemandState, ...]
    """One for each demand charge of the tariff."""


class StackedDemand(NamedTuple):
    """One demand charge of each home, ``(home,)``; fields as of `hidiff.tariff.DemandCharge`."""

    price_per_kw: Value
    minimum_kw: Value
    interval_h: Value
    months_back: Value
    most_months_back: int
    """Largest ``months_back`` of the homes."""


class StackedBlock(NamedTuple):
    """One block of each home, ``(home,)``; fields as of `hidiff.tariff.Block`."""

    above_kwh_per_month: Value
    extra_per_kwh: Value


class StackedTariff(NamedTuple):
    """What the meter reads of several homes' tariffs, ``(home,)``; fields as of `hidiff.tariff.Tariff`."""

    daily_charge: Value
    export_allowance_kwh_per_month: Value
    blocks: tuple[StackedBlock, ...]
    demand: tuple[StackedDemand, ...]
    is_energy_only: bool


def stack_tariffs(
    tariffs: Sequence[Tariff], convert: Callable[[NDArray[np.float64]], Value] | None = None
) -> StackedTariff:
    """Tariffs of several homes as one, for `meter_step`; missing charges and blocks get a price of zero.

    Prices by the hour are not in it: they come in as series (`hidiff.prices.stack_price_series`).

    Args:
        convert: makes of an array what the meter is to run on, such as ``torch.as_tensor``; NumPy by default.

    Raises:
        ValueError: no tariff.
    """
    if not tariffs:
        raise ValueError("there is no tariff to stack; give one for each home")

    def column(configs: Sequence[Any], name: str) -> Value:
        """One field of each home's charge or block, 0 where a home has none."""
        values = np.array([getattr(config, name, 0.0) for config in configs], dtype=float)
        return values if convert is None else convert(values)

    def ranks(name: str) -> list[list[Any]]:
        """First charges or blocks of all homes, then the second, and so on; None where a home has no more."""
        lists = [getattr(tariff, name) for tariff in tariffs]
        return [
            [own[rank] if rank < len(own) else None for own in lists] for rank in range(max(map(len, lists)))
        ]

    return StackedTariff(
        daily_charge=column(tariffs, "daily_charge"),
        export_allowance_kwh_per_month=column(tariffs, "export_allowance_kwh_per_month"),
        blocks=tuple(
            StackedBlock(*(column(rank, name) for name in StackedBlock._fields)) for rank in ranks("blocks")
        ),
        demand=tuple(
            StackedDemand(
                price_per_kw=column(rank, "price_per_kw"),
                minimum_kw=column(rank, "minimum_kw"),
                interval_h=column(rank, "interval_h"),
                months_back=column(rank, "months_back"),
                most_months_back=max(int(getattr(charge, "months_back", 1)) for charge in rank),
            )
            for rank in ranks("demand")
        ),
        is_energy_only=all(tariff.is_energy_only for tariff in tariffs),
    )


def start_meter(tariff: Tariff | StackedTariff, like: Value = 0.0) -> MeterState:
    """A meter that has seen nothing.

    Args:
        like: any value without gaps of the kind and shape that import has, such as the load of the first step.
    """
    zero = like * 0.0
    if tariff.is_energy_only:
        return MeterState(zero, zero, ())
    months = [
        charge.most_months_back if isinstance(charge, StackedDemand) else charge.months_back
        for charge in tariff.demand
    ]
    return MeterState(zero, zero, tuple(DemandState(zero, (zero,) * count, zero, zero) for count in months))


def meter_step(
    state: MeterState,
    import_kw: Value,
    export_kw: Value,
    import_price: Value,
    export_price: Value,
    is_month_start: Value,
    in_demand_window: Sequence[Value],
    tariff: Tariff | StackedTariff,
    dt_h: float,
    m: Ops,
) -> tuple[MeterState, Value]:
    """What a step adds to the bill [currency], and the meter after it.

    A demand charge is paid where the month's highest power rises, the least that it is due for with its first step in
    the hours of the charge. Without charges, blocks and allowance the step is a handful of multiplications.

    Args:
        import_kw: mean import of the step, a magnitude [kW]; likewise ``export_kw``.
        import_price: of `hidiff.prices.PriceSeries`, one step of it; likewise the three that follow.
        in_demand_window: one value, or array (home,), for each demand charge of ``tariff``.
    """
    cost = (import_kw * import_price - export_kw * export_price + tariff.daily_charge / 24.0) * dt_h
    if tariff.is_energy_only:
        return state, cost

    goes_on = 1.0 - is_month_start
    before_kwh = state.import_kwh * goes_on
    import_kwh = before_kwh + import_kw * dt_h
    for block in tariff.blocks:
        above = block.above_kwh_per_month
        cost = cost + block.extra_per_kwh * (
            m.maximum(import_kwh - above, 0.0) - m.maximum(before_kwh - above, 0.0)
        )

    allowance = tariff.export_allowance_kwh_per_month
    charged_before_kwh = state.charged_export_kwh * goes_on
    charged_price = export_price * (export_price < 0)
    charged_export_kwh = charged_before_kwh + export_kw * (export_price < 0) * dt_h
    spared_kwh = m.minimum(charged_export_kwh, allowance) - m.minimum(charged_before_kwh, allowance)
    cost = cost + spared_kwh * charged_price

    charges: Sequence[Any] = tariff.demand
    demand = []
    for charge, seen, is_measured in zip(charges, state.demand, in_demand_window, strict=True):
        after, rise_kw = _demand_step(
            charge, seen, import_kw * is_measured, is_measured, is_month_start, dt_h, m
        )
        cost = cost + charge.price_per_kw * rise_kw
        demand.append(after)
    return MeterState(import_kwh, charged_export_kwh, tuple(demand)), cost


def _demand_step(
    charge: Any,
    seen: DemandState,
    power_kw: Value,
    is_measured: Value,
    is_month_start: Value,
    dt_h: float,
    m: Ops,
) -> tuple[DemandState, Value]:
    """The memory of one demand charge after a step, and by how much the power to be paid for has risen [kW]."""
    goes_on = 1.0 - is_month_start
    energy_kwh = seen.interval_kwh + power_kw * dt_h
    length_h = seen.interval_h + dt_h
    runs_on = 1.0 * (length_h < charge.interval_h - INTERVAL_TOLERANCE_H)
    mean_kw = energy_kwh / length_h * (1.0 - runs_on)

    peaks_kw: tuple[Value, ...] = (m.maximum(seen.peaks_kw[0] * goes_on, mean_kw),)
    due_kw = charge.minimum_kw
    for back in range(1, len(seen.peaks_kw)):
        past_kw = seen.peaks_kw[back] * goes_on + seen.peaks_kw[back - 1] * is_month_start
        due_kw = m.maximum(due_kw, past_kw * (charge.months_back > back))
        peaks_kw = (*peaks_kw, past_kw)
    billed_before_kw = seen.billed_kw * goes_on
    # the minimum and the months before are due from the month's first measured step on
    billed_kw = m.maximum(m.maximum(billed_before_kw, peaks_kw[0]), due_kw * is_measured)
    after = DemandState(billed_kw, peaks_kw, energy_kwh * runs_on, length_h * runs_on)
    return after, billed_kw - billed_before_kw
