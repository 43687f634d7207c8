"""``Tally``: sums and peaks of the steps of many homes: the main indicators of an episode without its record.

Names and definitions of the indicators are those of `hidiff.envs.kpis`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from . import core
from .market import Trade
from .ops import Ops, Value

OF_OUTCOME = (
    "import_kw", "export_kw", "pv_used_kw", "curtailed_kw", "excess_kw", "discomfort_kh", "wear_cost", "service_cost",
    "discomfort_cost",
)  # fmt: skip
"""What is summed as it happens; powers in kW, so that a step costs no product."""
SETTLE_STEPS = 32
"""Steps that are summed in the precision of the fleet, before they go to a sum in double precision: single precision
is fast, but a year of it would lose cents."""


class Tally:
    """What has been summed since the episodes began; values ``(env, home)``, made when they first occur."""

    def __init__(self, ops: Ops, *, has_limits: bool) -> None:
        self._ops = ops
        self._names = [name for name in OF_OUTCOME if has_limits or name != "excess_kw"]
        self.clear()

    def clear(self, fresh: Value | None = None) -> None:
        """Begin anew, all environments or those that are ``fresh`` ``(env, 1)``."""
        if fresh is None:
            self._recent: dict[str, Value] = {}
            self._settled: dict[str, Value] = {}
            self._peak_import_kw: Value = 0.0
            self._steps = 0
            return
        self._change(lambda value: self._ops.where(fresh, 0.0, value))

    def detach(self) -> None:
        """Cut the graph behind the sums."""
        self._change(lambda value: value.detach())

    def _change(self, change: Callable[[Value], Value]) -> None:
        self._recent = {name: change(value) for name, value in self._recent.items()}
        self._settled = {name: change(value) for name, value in self._settled.items()}
        if not isinstance(self._peak_import_kw, float):
            self._peak_import_kw = change(self._peak_import_kw)

    def add(
        self, happened: core.Outcome, cost: Value, penalty: Value, end_value: Value | None, trade: Trade | None,
        active: Value | None = None,
    ) -> None:  # fmt: skip
        """Count one more step, of all environments or of those that are ``active`` ``(env, 1)``.

        Args:
            end_value: None on a step that ends no episode.
        """
        m = self._ops
        values = {name: getattr(happened, name) for name in self._names} | {"cost": cost}
        if not isinstance(happened.battery_kw, float):
            values |= {"battery_kw": happened.battery_kw, "discharge_kw": m.minimum(happened.battery_kw, 0.0)}
        if "excess_kw" in values:
            values["penalty"] = penalty
        if end_value is not None:
            values["end_value"] = end_value
        if trade is not None:
            values |= {"bought_kw": trade.bought_kw, "sold_kw": trade.sold_kw}
        import_kw = happened.import_kw
        if active is not None:
            values = {name: m.where(active, value, 0.0) for name, value in values.items()}
            import_kw = values["import_kw"]
        for name, value in values.items():
            if isinstance(value, float):  # 0: of a device that nobody has
                continue
            if name in self._recent:
                self._recent[name] += value  # in place, which is what keeps it cheap
            else:
                self._recent[name] = 0.0 + value
        self._peak_import_kw = m.maximum(self._peak_import_kw, import_kw)
        self._steps += 1
        if self._steps % SETTLE_STEPS == 0:
            self._settled, self._recent = self._sums(), {}

    def _sums(self) -> dict[str, Value]:
        """Sums of all steps so far, in double precision."""
        recent = {name: _double(value) for name, value in self._recent.items()}
        return self._settled | {
            name: self._settled[name] + value if name in self._settled else value
            for name, value in recent.items()
        }

    def indicators(
        self, home: SimpleNamespace, dt_h: float, zero: Value, *, has_market: bool
    ) -> dict[str, Value]:
        """Indicators by name, ``(env, home)`` each; those of devices and markets that nobody has are left out.

        Args:
            home: parameters of the homes, for the devices that there are.
            zero: zeros ``(env, home)``.
        """
        sums: Mapping[str, Any] = self._sums()

        def of(name: str) -> Value:
            return sums.get(name, 0.0)

        costs = ("cost", "wear_cost", "service_cost", "discomfort_cost", "penalty")
        grid_kw = of("import_kw") + of("pv_used_kw") - of("export_kw")
        found = {
            "bill": of("cost"), "wear_cost": of("wear_cost"), "service_cost": of("service_cost"),
            "discomfort_cost": of("discomfort_cost"), "penalty": of("penalty"),
            "total_cost": sum(of(name) for name in costs) - of("end_value"),
            "consumption_kwh": (grid_kw - of("battery_kw")) * dt_h,
            "pv_kwh": (of("pv_used_kw") + of("curtailed_kw")) * dt_h, "import_kwh": of("import_kw") * dt_h,
            "export_kwh": of("export_kw") * dt_h, "pv_used_kwh": of("pv_used_kw") * dt_h,
            "curtailed_kwh": of("curtailed_kw") * dt_h, "peak_import_kw": self._peak_import_kw,
            "excess_kwh": of("excess_kw") * dt_h,
            "battery_throughput_kwh": (of("battery_kw") - 2 * of("discharge_kw")) * dt_h,
            "discomfort_kh": of("discomfort_kh"), "bought_kwh": of("bought_kw") * dt_h,
            "sold_kwh": of("sold_kw") * dt_h,
        }  # fmt: skip
        has = {
            "wear_cost": home.battery or home.car, "battery_throughput_kwh": home.battery,
            "service_cost": home.car or home.tank, "discomfort_cost": home.heat_pump, "discomfort_kh": home.heat_pump,
            "bought_kwh": has_market, "sold_kwh": has_market,
        }  # fmt: skip
        return {name: _double(zero) + value for name, value in found.items() if has.get(name, True)}


def _double(value: Value) -> Value:
    """A copy in double precision."""
    return value.double() if hasattr(value, "double") else value.astype(float)
