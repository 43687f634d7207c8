"""What may not be: traces of no household, and steps that break an account of energy or leave a bound.

`check_step` is on in tests and off in training.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hidiff.data.traces import Traces
from hidiff.home import Home

from .core import Exogenous, Outcome, State
from .observation import POWER_BOUND_KW

TOLERANCE = 1e-6


def check_step(
    before: State, outside: Exogenous, happened: Outcome, after: State, home: SimpleNamespace, dt_h: float
) -> None:
    """Raise where a step of one home breaks an account or leaves a bound.

    Raises:
        RuntimeError: which account, and by how much.
    """
    devices_kw = (
        happened.battery_kw + happened.car_kw + happened.heat_pump_kw + happened.tank_kw + happened.appliance_kw
    )  # fmt: skip
    accounts = {
        "demand": happened.demand_kw - outside.load_kw - home.standby_kw - devices_kw,
        "exchange": happened.demand_kw + happened.export_kw - happened.import_kw - happened.pv_used_kw,
        "PV": happened.pv_used_kw + happened.curtailed_kw - outside.pv_kw,
    }
    if home.battery and home.battery.is_linear:
        accounts["battery"] = (
            after.battery_kwh - before.battery_kwh - _stored(happened.battery_kw, home.battery, dt_h)
        )
    if home.car:
        accounts["car"] = (
            after.car_kwh - before.car_kwh + outside.car_trip_kwh - happened.public_kwh
            - _stored(happened.car_kw, home.car, dt_h)
        )  # fmt: skip
    for name, residual in accounts.items():
        if not abs(residual) <= TOLERANCE:
            raise RuntimeError(
                f"the account of {name} is off by {residual:.3g}; this is a fault of the environment"
            )
    bounds = {"import or export at once": (min(happened.import_kw, happened.export_kw), 0.0, 0.0)}
    bounds["curtailed PV"] = (happened.curtailed_kw, 0.0, outside.pv_kw)
    for name, device, energy_kwh in (
        ("battery", home.battery, after.battery_kwh),
        ("car", home.car, after.car_kwh),
    ):
        if device:
            bounds[f"energy of the {name}"] = (energy_kwh, device.energy_min_kwh, device.energy_max_kwh)
    if home.tank:
        bounds["heat of the tank"] = (after.tank_kwh, home.tank.heat_min_kwh, home.tank.heat_max_kwh)
    for name, (value, low, high) in bounds.items():
        if not low - TOLERANCE <= value <= high + TOLERANCE:
            raise RuntimeError(
                f"{name} is {value:.6g}, outside {low:.6g} to {high:.6g}; this is a fault of the environment"
            )


def _stored(power_kw: float, device: SimpleNamespace, dt_h: float) -> float:
    if power_kw > 0:
        return float(device.efficiency_charge * power_kw * dt_h)
    return float(power_kw * dt_h / device.efficiency_discharge)


def check_power(home: Home, traces: Traces) -> None:
    """Refuse traces of no household.

    Raises:
        ValueError: load or PV outside 0 to `POWER_BOUND_KW`.
    """
    scale = np.ones((len(traces), 1))
    if home.pv_capacity_kwp is not None:
        scale = np.array([[home.pv_scale(kwp)] for kwp in traces.homes["pv_capacity_kwp"]])
    check_span({"load_kw": traces.load_kw, "pv_kw": traces.pv_kw * scale})


def check_span(powers: dict[str, NDArray[Any]], name: str | None = None) -> None:
    """Refuse load and PV outside the bounds of an observation.

    Raises:
        ValueError: which, and how far.
    """
    for quantity, power_kw in powers.items():
        worst = float(np.nanmax(power_kw)), float(np.nanmin(power_kw))
        if not (worst[0] <= POWER_BOUND_KW and worst[1] >= 0):
            raise ValueError(
                f"{quantity}{f' of home {name!r}' if name else ''} runs from {worst[1]:.3g} to {worst[0]:.3g} kW, "
                f"outside 0 to {POWER_BOUND_KW:g} kW; repair the traces, or leave out the homes that are no households"
            )
