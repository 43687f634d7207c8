"""The point where a home meets the grid: what is imported, exported and curtailed in one step.

``home`` is a `hidiff.home.Home`, or parameters under the same names, whose limits are numbers or arrays; ``None`` or
infinity stands for no limit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from hidiff.envs.ops import FLOATS, Ops, Value


class Flows(NamedTuple):
    """Mean powers of one step, all magnitudes [kW]; ``demand + export = import + pv_used``."""

    pv_used_kw: Value
    import_kw: Value
    export_kw: Value
    excess_kw: Value
    """Import or export above its limit; only what cannot give way forces it."""


def _limit(limit_kw: Value) -> Value:
    return math.inf if limit_kw is None else limit_kw


def import_room(demand_kw: Value, pv_kw: Value, home: Value, m: Ops = FLOATS) -> Value:
    """What may be drawn beyond ``demand_kw`` before import reaches its limit, >= 0 [kW]."""
    return m.maximum(_limit(home.import_limit_kw) + pv_kw - demand_kw, 0.0)


def export_room(demand_kw: Value, pv_kw: Value, home: Value, m: Ops = FLOATS) -> Value:
    """What may be fed in beside ``demand_kw`` before export reaches its limit, curtailable PV turned down [kW]."""
    must_run_kw = 0.0 if home.pv_curtailable is True else m.where(home.pv_curtailable, 0.0, pv_kw)
    return m.maximum(_limit(home.export_limit_kw) + demand_kw - must_run_kw, 0.0)


def settle(
    demand_kw: Value, pv_kw: Value, home: Value, *, import_price_per_kwh: Value, export_price_per_kwh: Value,
    m: Ops = FLOATS, may_be_negative: bool = True,
) -> Flows:  # fmt: skip
    """Flows of one step, with PV curtailed where the export limit asks for it or where the prices reward it.

    The inverter uses the amount of PV that makes the step cheapest; with prices >= 0 that is all the PV which
    the load, the battery and the export limit can take.

    Args:
        demand_kw: load plus all devices, < 0 when a battery gives more than the load takes [kW].
        pv_kw: generation available [kW].
        may_be_negative: False where no price is below 0, which leaves a choice out.
    """
    import_limit_kw, export_limit_kw = _limit(home.import_limit_kw), _limit(home.export_limit_kw)
    most_kw = m.minimum(pv_kw, m.maximum(demand_kw + export_limit_kw, 0.0))
    used_kw = most_kw
    if may_be_negative:
        # the cost is piecewise linear in the PV used, so the cheapest amount is an end or the kink
        least_kw = m.minimum(most_kw, m.maximum(demand_kw - import_limit_kw, 0.0))
        kink_kw = m.minimum(m.maximum(demand_kw, least_kw), most_kw)
        cost = _exchange_cost(demand_kw - most_kw, import_price_per_kwh, export_price_per_kwh, m)
        for other_kw in (kink_kw, least_kw):
            other = _exchange_cost(demand_kw - other_kw, import_price_per_kwh, export_price_per_kwh, m)
            used_kw, cost = m.where(other < cost, other_kw, used_kw), m.minimum(other, cost)
    if home.pv_curtailable is not True:
        used_kw = m.where(home.pv_curtailable, used_kw, pv_kw)
    net_kw = demand_kw - used_kw
    import_kw, export_kw = m.maximum(net_kw, 0.0), m.maximum(-net_kw, 0.0)
    excess_kw = m.maximum(m.maximum(import_kw - import_limit_kw, export_kw - export_limit_kw), 0.0)
    return Flows(used_kw, import_kw, export_kw, excess_kw)


def _exchange_cost(net_kw: Value, import_price: Value, export_price: Value, m: Ops) -> Value:
    return import_price * m.maximum(net_kw, 0.0) + export_price * m.minimum(net_kw, 0.0)
