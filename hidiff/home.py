"""``Home``: what stands in a house and what its energy costs, as plain configuration.

The environments give it physics, the optimisers give it constraints; both read the same description, so that
a schedule costs the same in either. Money is in whatever currency the tariff is written in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

Days = Literal["all", "weekday", "weekend"]


def _check(name: str, value: float, low: float, high: float) -> None:
    """Raise unless ``low <= value <= high``; NaN fails as well."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; it must lie between {low} and {high}")


@dataclass(frozen=True, kw_only=True)
class Battery:
    """A battery seen at its terminals; the default has 13.5 kWh and 5 kW and returns 90 % of what goes in."""

    capacity_kwh: float = 13.5
    """Energy between empty and full [kWh]."""
    charge_max_kw: float = 5.0
    """Largest power into the battery, at the terminals [kW]; ``inf`` for no limit."""
    discharge_max_kw: float = 5.0
    """Largest power out of the battery, at the terminals, a magnitude [kW]; ``inf`` for no limit."""
    efficiency_charge: float = math.sqrt(0.9)
    """Energy stored per energy taken in."""
    efficiency_discharge: float = math.sqrt(0.9)
    """Energy given per energy taken out of store."""
    soc_min: float = 0.0
    """Lowest state of charge, a fraction of the capacity."""
    soc_max: float = 1.0
    """Highest state of charge, a fraction of the capacity."""
    soc_initial: float = 0.5
    """State of charge at the start of an episode, a fraction of the capacity."""

    def __post_init__(self) -> None:
        if not 0 < self.capacity_kwh < math.inf:
            raise ValueError(
                f"capacity_kwh is {self.capacity_kwh}; it must be above 0 and finite, or use battery=None"
            )
        _check("charge_max_kw", self.charge_max_kw, 0.0, math.inf)
        _check("discharge_max_kw", self.discharge_max_kw, 0.0, math.inf)
        for name in ("efficiency_charge", "efficiency_discharge"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ValueError(f"{name} is {value}; it must be above 0 and at most 1")
        _check("soc_min", self.soc_min, 0.0, 1.0)
        _check("soc_max", self.soc_max, 0.0, 1.0)
        if not self.soc_min < self.soc_max:
            raise ValueError(f"soc_min={self.soc_min} is not below soc_max={self.soc_max}")
        _check("soc_initial", self.soc_initial, self.soc_min, self.soc_max)

    @property
    def energy_min_kwh(self) -> float:
        """Energy at ``soc_min`` [kWh]."""
        return self.soc_min * self.capacity_kwh

    @property
    def energy_max_kwh(self) -> float:
        """Energy at ``soc_max`` [kWh]."""
        return self.soc_max * self.capacity_kwh


@dataclass(frozen=True, kw_only=True)
class Period:
    """Hours of the local clock in which an import price of its own holds."""

    price_per_kwh: float
    """Import price [currency/kWh]; may be negative."""
    start_h: float
    """First hour of the local clock, 0 <= start_h < 24 [h]."""
    end_h: float
    """Hour at which the period is over, 0 < end_h <= 24 [h]; below ``start_h`` it runs past midnight."""
    days: Days = "all"
    """``all``, ``weekday`` (Monday to Friday) or ``weekend``; each step is judged by its own day."""
    months: tuple[int, ...] = ()
    """Months it holds in, 1 to 12; empty for every month."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.price_per_kwh):
            raise ValueError(f"price_per_kwh is {self.price_per_kwh}; it must be finite")
        if not 0 <= self.start_h < 24:
            raise ValueError(f"start_h is {self.start_h}; it must be at least 0 and below 24")
        if not 0 < self.end_h <= 24 or self.end_h == self.start_h:
            raise ValueError(
                f"end_h is {self.end_h}; it must be above 0, at most 24 and not start_h={self.start_h}"
            )
        if self.days not in ("all", "weekday", "weekend"):
            raise ValueError(f"days is {self.days!r}; use 'all', 'weekday' or 'weekend'")
        if any(month not in range(1, 13) for month in self.months):
            raise ValueError(f"months is {self.months}; months are 1 to 12")


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """What energy costs: a base import price, periods that replace it, an export price and a daily charge."""

    import_price_per_kwh: float = 0.30
    """Price of imported energy outside every period [currency/kWh]."""
    periods: tuple[Period, ...] = ()
    """Periods with their own import price; where several hold, the first one counts."""
    export_price_per_kwh: float = 0.05
    """Paid for exported energy [currency/kWh]; negative if exporting costs money."""
    daily_charge: float = 0.0
    """Fixed charge per 24 h of metered time [currency/day]."""

    def __post_init__(self) -> None:
        for name in ("import_price_per_kwh", "export_price_per_kwh", "daily_charge"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be finite")

    @classmethod
    def flat(
        cls,
        import_price_per_kwh: float = 0.30,
        export_price_per_kwh: float = 0.05,
        *,
        daily_charge: float = 0.90,
    ) -> Tariff:
        """One price all day."""
        return cls(
            import_price_per_kwh=import_price_per_kwh,
            export_price_per_kwh=export_price_per_kwh,
            daily_charge=daily_charge,
        )

    @classmethod
    def time_of_use(
        cls,
        peak_per_kwh: float = 0.52,
        shoulder_per_kwh: float = 0.31,
        off_peak_per_kwh: float = 0.22,
        export_price_per_kwh: float = 0.05,
        *,
        daily_charge: float = 0.90,
    ) -> Tariff:
        """Ausgrid's classic hours: peak 14-20 on weekdays, shoulder else from 7 to 22, off-peak at night."""
        return cls(
            import_price_per_kwh=off_peak_per_kwh,
            periods=(
                Period(price_per_kwh=peak_per_kwh, start_h=14, end_h=20, days="weekday"),
                Period(price_per_kwh=shoulder_per_kwh, start_h=7, end_h=22),
            ),
            export_price_per_kwh=export_price_per_kwh,
            daily_charge=daily_charge,
        )


@dataclass(frozen=True, kw_only=True)
class Home:
    """A house: its battery, its tariff, its PV and what its connection allows."""

    battery: Battery | None = field(default_factory=Battery)
    """The battery, or None."""
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
