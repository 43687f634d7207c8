"""Environments: homes with devices and tariffs. Importing this folder registers their Gymnasium ids."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .community_central import CommunityCentralEnv
from .episode import Episode
from .fleet import Fleet
from .forecasts import Forecast
from .home import HomeEnv
from .kpis import compare
from .meter import MeterState, StackedTariff, meter_step, stack_tariffs, start_meter
from .rules import HomeState, Simulation, do_nothing, self_consumption, simulate, time_of_use, unmanaged
from .sources import TraceSource, Window, split_source
from .tariffs import Bill, bill, export_price_per_kwh, import_price_per_kwh
from .variants import register
from .vector import HomeVectorEnv

if TYPE_CHECKING:
    from .community import Community
    from .report import write_report

__all__ = [
    "Bill",
    "Community",
    "CommunityCentralEnv",
    "Episode",
    "Fleet",
    "Forecast",
    "HomeEnv",
    "HomeState",
    "HomeVectorEnv",
    "MeterState",
    "Simulation",
    "StackedTariff",
    "TraceSource",
    "Window",
    "bill",
    "compare",
    "do_nothing",
    "export_price_per_kwh",
    "import_price_per_kwh",
    "meter_step",
    "self_consumption",
    "simulate",
    "split_source",
    "stack_tariffs",
    "start_meter",
    "time_of_use",
    "unmanaged",
    "write_report",
]

_WHEN_ASKED = {"Community": ".community", "write_report": ".report"}
"""Names whose modules need PettingZoo, an extra, or matplotlib."""


def __getattr__(name: str) -> Any:
    """What is loaded when it is asked for."""
    if name in _WHEN_ASKED:
        return getattr(import_module(_WHEN_ASKED[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


register()
