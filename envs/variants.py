"""The registered environments: `HomeEnv` and `HomeVectorEnv` with homes that people ask for.

Each takes the arguments of its class; ``home`` replaces the home of the variant.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium

from hidiff.home import Appliance, Battery, ElectricCar, HeatPump, Home, HotWaterTank

CAR = Home(car=ElectricCar())
HEAT = Home(heat_pump=HeatPump(), tank=HotWaterTank())
V2G_BATTERY = Battery(
    capacity_kwh=60.0, charge_max_kw=7.4, discharge_max_kw=7.4, efficiency_charge=0.9, efficiency_discharge=0.9,
    soc_min=0.1, soc_max=0.9, soc_initial=0.6,
)  # fmt: skip
FULL = replace(HEAT, car=ElectricCar(battery=V2G_BATTERY), appliances=(Appliance(),))
LEVELS = 11

VARIANTS: dict[str, dict[str, Any]] = {
    "hidiff/Home-v0": {},
    "hidiff/HomeDiscrete-v0": {"levels": LEVELS},
    "hidiff/HomeCar-v0": {"home": CAR},
    "hidiff/HomeHeat-v0": {"home": HEAT},
    "hidiff/HomeFull-v0": {"home": FULL},
}
"""Ids and what each asks of the class: a battery; with levels as actions; with a car; with heat pump and hot water;
with all of these, a car that feeds the home and a dishwasher."""

COMMUNITY = "hidiff/Community-v0"
"""The id of `CommunityCentralEnv`: all homes of a neighbourhood under one agent."""


def make(variant: str, **arguments: Any) -> gymnasium.Env[Any, Any]:
    """A single home."""
    from .home import HomeEnv

    return HomeEnv(**(VARIANTS[variant] | arguments))


def make_vector(variant: str, **arguments: Any) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    """Many homes."""
    from .vector import HomeVectorEnv

    return HomeVectorEnv(**(VARIANTS[variant] | arguments))


def register() -> None:
    """Make the ids known to Gymnasium, once."""
    if COMMUNITY not in gymnasium.registry:
        gymnasium.register(id=COMMUNITY, entry_point="hidiff.envs.community_central:CommunityCentralEnv")
    for name in VARIANTS:
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name, entry_point="hidiff.envs.variants:make",
                vector_entry_point="hidiff.envs.variants:make_vector", kwargs={"variant": name},
            )  # fmt: skip
