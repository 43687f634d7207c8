"""``HomeProblem``: one home's episode as an optimiser needs it, named arrays and conditions, with no solver inside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from types import SimpleNamespace
from typing import Any, Literal
from zoneinfo import ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.envs.parameters import one_home
from hidiff.envs.tariffs import step_length_h
from hidiff.home import Battery, Home
from hidiff.prices import PriceSeries, local_clock, month_number, price_series

Floats = NDArray[np.float64]
End = Literal["initial", "free"]

NEEDED = {
    "car": ("car_is_home", "car_trip_kwh"),
    "heat_pump": ("outdoor_c", "heating_cop", "low_c", "high_c", "heat_gain_kw"),
    "tank": ("hot_water_kw",),
}
"""Names of the arrays that each device needs, on top of ``load_kw`` and ``pv_kw``."""
PRICES = ("import_price", "export_price")
MAY_BE_NEGATIVE = {"outdoor_c", "low_c", "high_c", "heat_gain_kw", *PRICES}


@dataclass(frozen=True, kw_only=True, eq=False)
class HomeProblem:
    """A home and all that its episode brings, known ahead; both models are made from it."""

    home: Home
    """Devices, tariff, PV and limits."""
    time: pd.DatetimeIndex
    """Step starts, evenly spaced, zone-aware."""
    exogenous: Mapping[str, Floats]
    """What the episode brings, ``(step,)`` each: ``load_kw``, ``pv_kw`` (scaled to the home), and for the devices that
    the home has ``car_is_home``, ``car_trip_kwh``, ``outdoor_c``, ``heating_cop``, ``cooling_cop`` (where it cools),
    ``low_c``, ``high_c``, ``heat_gain_kw``, ``hot_water_kw``, ``appliance_request`` (``(step, appliance)``);
    ``import_price`` and ``export_price`` replace the tariff's; ``co2_g_per_kwh`` of the grid's electricity."""
    time_zone: str = "Australia/Sydney"
    """Zone of the clock that the tariff's hours and months are read on."""
    wholesale_per_kwh: Floats | None = None
    """Wholesale price, ``(step,)`` [currency/kWh], for a tariff that follows it."""
    end: End = "initial"
    """Battery: ``initial`` asks for at least the energy of the start at the end, ``free`` for nothing."""
    end_value_per_kwh: float = 0.0
    """Worth of the electric energy that battery, car and tank (heat over its COP) gain until the end [currency/kWh]."""
    car_end: End = "initial"
    """Likewise of the car."""
    tank_end: End = "initial"
    """Likewise of the tank."""
    house_end: End = "free"
    """``initial`` asks that air and structure end at least as warm as they began."""
    appliances_end: End = "initial"
    """``initial`` has every machine done by the end where it can be; ``free`` lets a run that may wait that long begin
    after the end, where it costs nothing, as the environment does."""
    limits: Literal["hard", "soft"] = "hard"
    """``hard`` keeps the limits of the connection; ``soft`` lets what cannot give way exceed them at
    ``limit_penalty_per_kwh``, as the environment does."""
    limit_penalty_per_kwh: float = 10.0
    """Charged for energy above a soft limit [currency/kWh]."""
    reserve_kwh: float = 0.0
    """Energy that the battery keeps at all times, such as for an outage [kWh]."""
    co2_price_per_kg: float = 0.0
    """What the emissions of an imported kWh count in the aim, at ``co2_g_per_kwh`` [currency/kg]."""
    import_weight_per_kwh: float = 0.0
    """What an imported kWh counts in the aim beside its price, for more self-sufficiency [currency/kWh]."""
    dt_h: float = field(init=False)
    """Step length [h]."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dt_h", step_length_h(self.time))
        self._check_clock()
        self._check_numbers()
        for battery, name in ((self.home.battery, "battery"), (self.car_battery, "car.battery")):
            if battery is not None:
                _check_linear(battery, name)
        object.__setattr__(self, "exogenous", self._checked_series())
        self._check_tariff()

    def _check_clock(self) -> None:
        try:
            local_clock(self.time, self.time_zone)
        except (ZoneInfoNotFoundError, OSError) as error:
            raise ValueError(
                f"time_zone {self.time_zone!r} is unknown; use an IANA name such as 'Europe/London'"
            ) from error
        if str(self.time.tz) not in ("UTC", self.time_zone):
            raise ValueError(
                f"time is in {self.time.tz}, the tariff's clock is time_zone={self.time_zone!r}; name the home's own "
                "zone, or convert time to UTC"
            )

    def _check_numbers(self) -> None:
        for name in ("end", "car_end", "tank_end", "house_end", "appliances_end"):
            if getattr(self, name) not in ("initial", "free"):
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; use 'initial' (at least as at the start) or 'free'"
                )
        if self.limits not in ("hard", "soft"):
            raise ValueError(f"limits is {self.limits!r}; use 'hard' or 'soft'")
        if not math.isfinite(self.end_value_per_kwh):
            raise ValueError(f"end_value_per_kwh is {self.end_value_per_kwh}; it must be finite")
        for name in ("limit_penalty_per_kwh", "reserve_kwh", "co2_price_per_kg", "import_weight_per_kwh"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and finite")
        battery = self.home.battery
        if self.reserve_kwh > 0 and (battery is None or self.reserve_kwh > battery.energy_max_kwh):
            most_kwh = 0.0 if battery is None else battery.energy_max_kwh
            raise ValueError(f"reserve_kwh is {self.reserve_kwh}; the battery holds at most {most_kwh:g} kWh")

    def _names(self) -> tuple[list[str], list[str]]:
        """Names of series that are needed, and of those that may be given."""
        home = self.home
        needed = ["load_kw", "pv_kw"]
        for device, names in NEEDED.items():
            if getattr(home, device) is not None:
                needed += names
        optional = [*PRICES, "co2_g_per_kwh"]
        if home.heat_pump is not None:
            (needed if home.heat_pump.is_cooling else optional).append("cooling_cop")
        if home.appliances:
            needed.append("appliance_request")
        if self.co2_price_per_kg > 0:
            needed.append("co2_g_per_kwh")
        return needed, needed + optional

    def _checked_series(self) -> dict[str, Floats]:
        needed, known = self._names()
        for name in self.exogenous:
            if name not in known:
                close = get_close_matches(name, known, 1)
                hint = f"did you mean {close[0]!r}?" if close else "the home has no device that it belongs to"
                raise ValueError(f"exogenous has {name!r}, which this home does not use; {hint}")
        missing = [name for name in needed if name not in self.exogenous]
        if missing:
            raise ValueError(f"exogenous lacks {missing[0]!r}; this home needs {', '.join(needed)}")
        checked = {name: self._series(name, values) for name, values in self.exogenous.items()}
        if "car_trip_kwh" in checked:
            at_home = np.flatnonzero((checked["car_trip_kwh"] > 0) & (checked["car_is_home"] > 0))
            if len(at_home):
                raise ValueError(
                    f"car_trip_kwh is {checked['car_trip_kwh'][at_home[0]]} at step {at_home[0]}, where car_is_home is "
                    "1; a trip begins on a step when the car is not at home"
                )
        return checked

    def _series(self, name: str, values: Any) -> Floats:
        if isinstance(values, pd.Series):
            values = self._by_stamp(name, values)
        array = np.asarray(values, dtype=np.float64)
        count = len(self.time)
        shape = (count, len(self.home.appliances)) if name == "appliance_request" else (count,)
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}; time has {count} steps, so give {shape}")
        is_switch = name in ("car_is_home", "appliance_request")
        is_good = np.isfinite(array)
        if is_switch:
            is_good &= (array == 0) | (array == 1)
        elif name not in MAY_BE_NEGATIVE:
            is_good &= array >= 0
        if not is_good.all():
            first = tuple(int(place) for place in np.argwhere(~is_good)[0])
            what = "it must be 0 or 1" if is_switch else "fill gaps and repair signs first"
            raise ValueError(f"{name} is {array[first]} at step {first[0]}; {what}")
        return array

    def _by_stamp(self, name: str, values: pd.Series) -> Floats:
        index = values.index
        if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
            raise ValueError(f"{name} is a series without zone-aware stamps; give an array, or stamp it")
        if len(index) != len(self.time) or not (index.asi8 == self.time.as_unit(index.unit).asi8).all():
            raise ValueError(
                f"{name} runs over {len(index)} steps from {index[0]} ({index.tz}), time over {len(self.time)} from "
                f"{self.time[0]} ({self.time.tz}); give the same instants"
            )
        return np.asarray(values, dtype=np.float64)

    def _check_tariff(self) -> None:
        tariff = self.home.tariff
        for block in tariff.blocks:
            if block.extra_per_kwh < 0:
                raise ValueError(
                    f"a block has extra_per_kwh={block.extra_per_kwh}: more energy gets cheaper, which a linear "
                    "programme cannot model; use blocks with extra_per_kwh >= 0"
                )
        if not tariff.is_energy_only and any(name in self.exogenous for name in PRICES):
            raise ValueError(
                "import_price or export_price replaces the prices of a tariff that has demand charges, blocks or an "
                "export allowance; give periods or wholesale_per_kwh instead"
            )
        if tariff.export_allowance_kwh_per_month > 0:
            for month in range(self.month_count):
                charged = self.prices.export_price[(self.month == month) & (self.prices.export_price < 0)]
                if len(charged) and charged.max() > charged.min() + 1e-12:
                    raise ValueError(
                        f"export_allowance_kwh_per_month={tariff.export_allowance_kwh_per_month} spares the first "
                        f"export of a month, which is charged from {-charged.max():g} to {-charged.min():g} per kWh; a "
                        "linear programme models one charge a month"
                    )

    @property
    def car_battery(self) -> Battery | None:
        """The car's battery, or None."""
        return None if self.home.car is None else self.home.car.battery

    @cached_property
    def parameters(self) -> SimpleNamespace:
        """Parameters of the devices as the environment's core has them."""
        return one_home(self.home, dt_h=self.dt_h)

    @cached_property
    def prices(self) -> PriceSeries:
        """Prices, starts of months and hours of demand charges, ``(step,)``."""
        given = {name: np.asarray(self.exogenous[name], float) for name in PRICES if name in self.exogenous}
        tariff = self.home.tariff
        if "import_price" in given and self.wholesale_per_kwh is None:
            tariff = replace(tariff, wholesale_multiplier=0.0)
        if "export_price" in given and self.wholesale_per_kwh is None:
            tariff = replace(tariff, wholesale_export_multiplier=0.0)
        return replace(price_series(tariff, self.time, self.time_zone, self.wholesale_per_kwh), **given)

    @cached_property
    def month(self) -> NDArray[np.int64]:
        """Month of each step on the local clock, from 0."""
        number = month_number(local_clock(self.time, self.time_zone))
        return np.asarray(number - number[0])

    @property
    def month_count(self) -> int:
        """Months that the episode touches."""
        return int(self.month[-1]) + 1

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.time)

    @cached_property
    def import_aim(self) -> Floats:
        """What an imported kWh counts beside its price, ``(step,)`` [currency/kWh]."""
        co2 = self.exogenous.get("co2_g_per_kwh", np.zeros(self.steps))
        return np.asarray(self.import_weight_per_kwh + self.co2_price_per_kg * co2 / 1000.0)


def _check_linear(battery: Battery, name: str) -> None:
    """Refuse what a linear programme cannot model of a battery."""
    if not battery.is_linear:
        field_name = "loss_per_kw" if battery.loss_per_kw else "soc_loss"
        raise ValueError(
            f"{name}.{field_name} is {getattr(battery, field_name)}: such losses are not in proportion to power, and a "
            "linear programme needs loss_per_kw=0 and soc_loss=0; choose efficiencies that match the usual power"
        )
    if name != "battery" and battery.standby_kw:
        raise ValueError(f"{name}.standby_kw is {battery.standby_kw}; add a charger's standby to load_kw")
