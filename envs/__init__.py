"""Environments: homes with devices and tariffs. Importing this folder registers their Gymnasium ids."""

import gymnasium

from .home import HomeEnv
from .rules import HomeState, Simulation, do_nothing, self_consumption, simulate
from .sources import TraceSource, Window
from .tariffs import Bill, bill, export_price_per_kwh, import_price_per_kwh

__all__ = [
    "Bill",
    "HomeEnv",
    "HomeState",
    "Simulation",
    "TraceSource",
    "Window",
    "bill",
    "do_nothing",
    "export_price_per_kwh",
    "import_price_per_kwh",
    "self_consumption",
    "simulate",
]

if "hidiff/Home-v0" not in gymnasium.registry:
    gymnasium.register(id="hidiff/Home-v0", entry_point="hidiff.envs.home:HomeEnv")
