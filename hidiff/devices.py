"""What stands in a house, as plain configuration: battery, car, heat pump, hot water, appliances."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


def check_positive(config: object, *names: str) -> None:
    """Raise unless each of these fields is above 0 and finite; NaN fails as well."""
    for name in names:
        if not 0 < getattr(config, name) < math.inf:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be above 0 and finite")


def check_not_negative(config: object, *names: str) -> None:
    """Raise unless each of these fields is at least 0 and finite; NaN fails as well."""
    for name in names:
        if not 0 <= getattr(config, name) < math.inf:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be at least 0 and finite")


def check(name: str, value: float, low: float, high: float) -> None:
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
    loss_per_kw: float = 0.0
    """Losses that grow with the square of the power, at the terminals: ``loss_per_kw * power_kw**2`` [1/kW]."""
    soc_loss: float = 0.0
    """Share that is lost more, charging when full and discharging when empty; 0 to 0.1, linear in between."""
    standby_kw: float = 0.0
    """What the electronics draw from the home's side at all times [kW]; part of the home's demand."""
    state_of_health: float = 1.0
    """Capacity left of ``capacity_kwh``; an episode is lived with the capacity that it begins with."""
    cycle_fade: float = 0.0
    """Share of the capacity that an equivalent full cycle takes, such as 5e-5."""
    calendar_fade_per_year: float = 0.0
    """Share of the capacity that a year takes at half charge, such as 0.015."""
    calendar_fade_soc_slope: float = 0.0
    """How much faster a full battery ages than a half-full one, relative, 0 to 1; an empty one slower by as much."""
    replacement_cost: float = 0.0
    """What a new battery costs [currency]; fade is paid for as its share of ``end_of_life_fade``."""
    end_of_life_fade: float = 0.2
    """Fade at which a battery is replaced."""

    def __post_init__(self) -> None:
        if not 0 < self.capacity_kwh < math.inf:
            raise ValueError(
                f"capacity_kwh is {self.capacity_kwh}; it must be above 0 and finite, or use battery=None"
            )
        check("charge_max_kw", self.charge_max_kw, 0.0, math.inf)
        check("discharge_max_kw", self.discharge_max_kw, 0.0, math.inf)
        for name in ("efficiency_charge", "efficiency_discharge"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ValueError(f"{name} is {value}; it must be above 0 and at most 1")
        check("soc_min", self.soc_min, 0.0, 1.0)
        check("soc_max", self.soc_max, 0.0, 1.0)
        if not self.soc_min < self.soc_max:
            raise ValueError(f"soc_min={self.soc_min} is not below soc_max={self.soc_max}")
        check("soc_initial", self.soc_initial, self.soc_min, self.soc_max)
        check_not_negative(self, "loss_per_kw", "standby_kw", "replacement_cost")
        check("soc_loss", self.soc_loss, 0.0, 0.1)
        for name in ("state_of_health", "end_of_life_fade"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ValueError(f"{name} is {value}; it must be above 0 and at most 1")
        for name in ("cycle_fade", "calendar_fade_per_year", "calendar_fade_soc_slope"):
            check(name, getattr(self, name), 0.0, 1.0)
        if self.loss_per_kw > 0:
            largest_kw = max(self.charge_max_kw, self.discharge_max_kw)
            # beyond this power, more input would store less
            if not 2 * self.loss_per_kw * largest_kw <= self.efficiency_charge:
                raise ValueError(
                    f"loss_per_kw={self.loss_per_kw} loses all that the last of {largest_kw} kW brings; it must be at "
                    "most efficiency_charge / (2 * the larger power limit)"
                )

    @property
    def usable_kwh(self) -> float:
        """Capacity that is left, ``capacity_kwh * state_of_health`` [kWh]."""
        return self.capacity_kwh * self.state_of_health

    @property
    def energy_min_kwh(self) -> float:
        """Energy at ``soc_min`` [kWh]."""
        return self.soc_min * self.usable_kwh

    @property
    def energy_max_kwh(self) -> float:
        """Energy at ``soc_max`` [kWh]."""
        return self.soc_max * self.usable_kwh

    @property
    def energy_initial_kwh(self) -> float:
        """Energy at ``soc_initial`` [kWh]."""
        return self.soc_initial * self.usable_kwh

    @property
    def is_linear(self) -> bool:
        """Whether losses are in proportion to power, as a linear programme needs."""
        return self.loss_per_kw == 0 and self.soc_loss == 0


@dataclass(frozen=True, kw_only=True)
class ElectricCar:
    """A car and its charger; the trips come with the episode, its charge persists between them."""

    battery: Battery = field(
        default_factory=lambda: Battery(
            capacity_kwh=60.0, charge_max_kw=7.4, discharge_max_kw=0.0, efficiency_charge=0.9,
            efficiency_discharge=0.9, soc_min=0.1, soc_max=0.9, soc_initial=0.6,
        )
    )  # fmt: skip
    """The car's battery as seen at the home's charger; ``discharge_max_kw`` above 0 lets it feed the home."""
    public_price_per_kwh: float = 0.80
    """What a trip lacks is charged on the way, at this price per kWh in the battery [currency/kWh]."""

    def __post_init__(self) -> None:
        check_not_negative(self, "public_price_per_kwh")


@dataclass(frozen=True, kw_only=True)
class House:
    """A house as three conductances and two heat capacities; the default is an insulated house of 120 m2."""

    air_to_outdoor_kw_per_k: float = 0.08
    """Windows and air exchange [kW/K]."""
    air_to_mass_kw_per_k: float = 1.2
    """Surfaces of walls, floor and ceiling [kW/K]."""
    mass_to_outdoor_kw_per_k: float = 0.12
    """Opaque parts of the envelope [kW/K]."""
    air_kwh_per_k: float = 1.0
    """Heat capacity of air and furniture [kWh/K]."""
    mass_kwh_per_k: float = 8.0
    """Heat capacity of the structure [kWh/K]."""
    solar_aperture_m2: float = 4.0
    """Sun that enters, as an area; the irradiance is taken from the home's PV per kWp [m2]."""
    load_as_heat: float = 0.5
    """Share of the home's load that warms its rooms."""
    people_kw: float = 0.1
    """Heat of those who live there [kW]."""

    def __post_init__(self) -> None:
        check_positive(
            self,
            "air_to_outdoor_kw_per_k",
            "air_to_mass_kw_per_k",
            "mass_to_outdoor_kw_per_k",
            "air_kwh_per_k",
            "mass_kwh_per_k",
        )
        check_not_negative(self, "solar_aperture_m2", "people_kw")
        check("load_as_heat", self.load_as_heat, 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class HeatPump:
    """A reversible air-source heat pump and the house whose air it keeps."""

    house: House = field(default_factory=House)
    power_max_kw: float = 2.5
    """Largest electric power, heating or cooling [kW]."""
    efficiency: float = 0.85
    """Factor on the laboratory COP curve: defrosting, control, ducts."""
    is_cooling: bool = True
    """Whether it cools as well."""
    low_c: float = 20.0
    """Indoor temperature below which it is too cold by day [deg C]."""
    high_c: float = 25.0
    """Indoor temperature above which it is too warm [deg C]."""
    night_set_back_k: float = 3.0
    """By how much ``low_c`` is lower from 22:00 to 06:00 on the local clock [K]."""
    discomfort_price_per_kh: float = 0.30
    """What a kelvin outside these bounds costs in an hour [currency/(K h)]."""
    initial_c: float = 21.0
    """Indoor temperature at the start, of air and structure [deg C]."""

    def __post_init__(self) -> None:
        check_positive(self, "power_max_kw", "efficiency")
        check_not_negative(self, "night_set_back_k", "discomfort_price_per_kh")
        check("low_c", self.low_c, -50.0, 50.0)
        check("high_c", self.high_c, -50.0, 60.0)
        check("initial_c", self.initial_c, -50.0, 60.0)
        if not self.low_c < self.high_c:
            raise ValueError(f"low_c={self.low_c} is not below high_c={self.high_c}")


WATER_KWH_PER_L_K = 1.163e-3
"""Heat capacity of water [kWh/(l K)]."""


@dataclass(frozen=True, kw_only=True)
class HotWaterTank:
    """A mixed tank of hot water with a resistance element or a heat pump of constant COP."""

    volume_l: float = 250.0
    """[l]"""
    power_max_kw: float = 3.6
    """Largest electric power [kW]."""
    cop: float = 1.0
    """Heat per electricity: 1 for an element, about 3 for a heat pump."""
    temperature_min_c: float = 45.0
    """Below it the water is too cold to use [deg C]."""
    temperature_max_c: float = 65.0
    """Hottest allowed [deg C]."""
    temperature_initial_c: float = 55.0
    """At the start of an episode [deg C]."""
    cold_water_c: float = 15.0
    """Of the mains [deg C]."""
    room_c: float = 20.0
    """Around the tank [deg C]."""
    loss_kw_per_k: float = 0.0018
    """Standing loss per kelvin above the room [kW/K]."""
    use_kwh_per_day: float = 6.0
    """Mean hot water drawn [kWh/day], where the episode brings none of its own."""
    boost_price_per_kwh: float = 1.0
    """What a draw lacks is heated at once, at this price per kWh of heat [currency/kWh]."""

    def __post_init__(self) -> None:
        check_positive(self, "volume_l", "power_max_kw", "cop")
        check_not_negative(self, "loss_kw_per_k", "use_kwh_per_day", "boost_price_per_kwh")
        check("temperature_max_c", self.temperature_max_c, 0.0, 100.0)
        check("cold_water_c", self.cold_water_c, 0.0, 40.0)
        check("room_c", self.room_c, -30.0, 60.0)
        if not self.cold_water_c <= self.temperature_min_c < self.temperature_max_c:
            raise ValueError(
                f"temperature_min_c={self.temperature_min_c} must be at least cold_water_c={self.cold_water_c} and "
                f"below temperature_max_c={self.temperature_max_c}"
            )
        check(
            "temperature_initial_c",
            self.temperature_initial_c,
            self.temperature_min_c,
            self.temperature_max_c,
        )

    @property
    def kwh_per_k(self) -> float:
        """Heat capacity of the water [kWh/K]."""
        return self.volume_l * WATER_KWH_PER_L_K

    @property
    def heat_min_kwh(self) -> float:
        """Heat above cold water at ``temperature_min_c`` [kWh]."""
        return self.kwh_per_k * (self.temperature_min_c - self.cold_water_c)

    @property
    def heat_max_kwh(self) -> float:
        """Heat above cold water at ``temperature_max_c`` [kWh]."""
        return self.kwh_per_k * (self.temperature_max_c - self.cold_water_c)

    @property
    def heat_initial_kwh(self) -> float:
        """Heat above cold water at ``temperature_initial_c`` [kWh]."""
        return self.kwh_per_k * (self.temperature_initial_c - self.cold_water_c)


@dataclass(frozen=True, kw_only=True)
class Appliance:
    """A machine that runs once a day, uninterrupted, at any time between two hours of the local clock."""

    name: str = "dishwasher"
    power_kw: float = 0.8
    """Mean power of a run [kW]."""
    duration_h: float = 1.5
    """Length of a run [h]."""
    earliest_h: float = 19.0
    """Hour from which it may start, 0 <= earliest_h < 24 [h]."""
    latest_h: float = 6.0
    """Hour by which it must be done, 0 < latest_h <= 24 [h]; below ``earliest_h`` it is the next day's."""
    probability: float = 0.6
    """Chance that it is filled on a day."""

    def __post_init__(self) -> None:
        check_positive(self, "power_kw", "duration_h")
        check("probability", self.probability, 0.0, 1.0)
        if not 0 <= self.earliest_h < 24 or not 0 < self.latest_h <= 24:
            raise ValueError(
                f"earliest_h={self.earliest_h} must be at least 0 and below 24, latest_h={self.latest_h} above 0 "
                "and at most 24"
            )
        if self.window_h < self.duration_h:
            raise ValueError(
                f"duration_h={self.duration_h} does not fit from earliest_h={self.earliest_h} to "
                f"latest_h={self.latest_h}"
            )

    @property
    def window_h(self) -> float:
        """From the earliest start to the latest end [h]."""
        span_h = self.latest_h - self.earliest_h
        return span_h if span_h > 0 else span_h + 24
