"""``Home``: what stands in a house and what its energy costs, as plain configuration.

The environments give it physics, the optimisers give it constraints; both read the same description, so that
a schedule costs the same in either. Money is in whatever currency the tariff is written in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .devices import Appliance, Battery, ElectricCar, HeatPump, HotWaterTank, House
from .tariff import Block, DemandCharge, Period, Tariff

__all__ = [
    "Appliance", "Battery", "Block", "DemandCharge", "ElectricCar", "HeatPump", "Home", "HotWaterTank", "House",
    "Period", "Tariff",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Home:
    """A house: its battery, its tariff, its PV and what its connection allows."""

    battery: Battery | None = field(default_factory=Battery)
    """The battery, or None."""
    car: ElectricCar | None = None
    """The electric car, or None."""
    heat_pump: HeatPump | None = None
    """The heat pump and its house, or None; its electricity comes on top of the recorded load."""
    tank: HotWaterTank | None = None
    """The hot-water tank, or None; its electricity comes on top of the recorded load."""
    appliances: tuple[Appliance, ...] = ()
    """Machines whose start may be chosen; their electricity comes on top of the recorded load."""
    tariff: Tariff = field(default_factory=Tariff.time_of_use)
    """What energy costs."""
    pv_capacity_kwp: float | None = None
    """PV size that the recorded generation is scaled to [kWp]; None keeps it as recorded, 0 takes it away."""
    pv_curtailable: bool = True
    """Whether generation may be turned down; if not, all of it is used or exported."""
    import_limit_kw: float | None = None
    """Largest import the connection allows [kW]; None for no limit."""
    export_limit_kw: float | None = None
    """Largest export the connection allows [kW]; None for no limit, 0 for none (surplus is curtailed)."""

    def __post_init__(self) -> None:
        if self.pv_capacity_kwp is not None and not 0 <= self.pv_capacity_kwp < math.inf:
            raise ValueError(
                f"pv_capacity_kwp is {self.pv_capacity_kwp}; it must be at least 0, or None to keep it"
            )
        for name in ("import_limit_kw", "export_limit_kw"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} is {value}; it must be at least 0, or None for no limit")

    def pv_scale(self, recorded_kwp: float) -> float:
        """Factor that brings generation recorded at ``recorded_kwp`` [kWp] to this home's PV size.

        Raises:
            ValueError: a size is asked for, but the recorded home has no PV to scale.
        """
        if self.pv_capacity_kwp is None:
            return 1.0
        if self.pv_capacity_kwp == 0:
            return 0.0
        if not recorded_kwp > 0:
            raise ValueError(
                f"pv_capacity_kwp={self.pv_capacity_kwp} cannot be scaled from a home with {recorded_kwp} "
                "kWp; choose a home with PV, or set pv_capacity_kwp=None"
            )
        return self.pv_capacity_kwp / recorded_kwp
