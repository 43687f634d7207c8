"""The point where a home meets the grid: what is imported, exported and curtailed in one step."""

from __future__ import annotations

import math
from typing import NamedTuple

from hidiff.home import Home


class Flows(NamedTuple):
    """Mean powers of one step, all magnitudes [kW]; ``load + battery + export = import + pv_used``."""

    pv_used_kw: float
    import_kw: float
    export_kw: float
    excess_kw: float
    """Import or export above its limit; only the load, or PV that cannot be curtailed, forces it."""


def battery_window(load_kw: float, pv_kw: float, home: Home) -> tuple[float, float]:
    """Battery powers that the connection leaves open, > 0 charges [kW].

    Charging stops where import reaches its limit, discharging where export does with all curtailable PV
    turned down. Idle is always open: a load above the limit is reported by ``settle``, it does not command
    the battery.
    """
    high_kw, low_kw = math.inf, -math.inf
    if home.import_limit_kw is not None:
        high_kw = max(home.import_limit_kw + pv_kw - load_kw, 0.0)
    if home.export_limit_kw is not None:
        must_run_kw = 0.0 if home.pv_curtailable else pv_kw
        low_kw = min(must_run_kw - load_kw - home.export_limit_kw, 0.0)
    return low_kw, high_kw


def settle(
    demand_kw: float, pv_kw: float, home: Home, *, import_price_per_kwh: float, export_price_per_kwh: float
) -> Flows:
    """Flows of one step, with PV curtailed where the export limit asks for it or where the prices reward it.

    The inverter uses the amount of PV that makes the step cheapest; with prices >= 0 that is all the PV which
    the load, the battery and the export limit can take.

    Args:
        demand_kw: load plus battery power, < 0 when the battery gives more than the load takes [kW].
        pv_kw: generation available [kW].
    """
    import_limit_kw = math.inf if home.import_limit_kw is None else home.import_limit_kw
    export_limit_kw = math.inf if home.export_limit_kw is None else home.export_limit_kw
    used_kw = pv_kw
    if home.pv_curtailable:
        used_kw = min(pv_kw, max(demand_kw + export_limit_kw, 0.0))
        if import_price_per_kwh < 0 or export_price_per_kwh < 0:
            # the cost is piecewise linear in the PV used, so the cheapest amount is an end or the kink
            least_kw = min(used_kw, max(demand_kw - import_limit_kw, 0.0))
            kink_kw = min(max(demand_kw, least_kw), used_kw)
            used_kw = min(
                (used_kw, kink_kw, least_kw),
                key=lambda used: (
                    import_price_per_kwh * max(demand_kw - used, 0.0)
                    - export_price_per_kwh * max(used - demand_kw, 0.0)
                ),
            )
    net_kw = demand_kw - used_kw
    import_kw, export_kw = max(net_kw, 0.0), max(-net_kw, 0.0)
    excess_kw = max(import_kw - import_limit_kw, export_kw - export_limit_kw, 0.0)
    return Flows(used_kw, import_kw, export_kw, excess_kw)
