"""Homes with a heat pump: what is asked of them, and houses and habits drawn for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import pandas as pd

from hidiff.data.solar import SYDNEY_LATITUDE, SYDNEY_LONGITUDE
from hidiff.rc_house import RCHouse
from hidiff.rng import generator

FACADES_DEG = (0.0, 90.0, 180.0, -90.0)
"""Directions of the windows: north, east, south, west."""
AIR_KWH_PER_K_M2 = 10 / 3600
"""Air and furniture, 10 kJ/(K m2): EN ISO 52016-1."""
SURFACE_KW_PER_K_M2 = 1 / (1 / (3.45 * 4.5) + 1 / (9.1 * 2.5)) / 1000
"""Air to mass per floor area: EN ISO 13790's h_is on 4.5 m2 of surface and h_ms on 2.5 m2 of mass, in series."""
AIR_KWH_PER_K_M3 = 0.33e-3
"""Heat that a cubic metre of air carries."""
CEILING_M = 2.5
WINDOWS_OPEN_ACH = 5.0
"""Air changes an hour when people open the windows instead of cooling."""
SHARE_OF_LOAD_AS_HEAT = 0.8
"""Share of a home's metered load that ends as heat indoors; the rest leaves with water and air."""
Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class HeatPumpConfig:
    """Houses, habits and machines. A range is what homes are drawn from, evenly."""

    emitter: Literal["air", "floor", "radiator"] = "air"
    """What the heat pump feeds: supply air at 35 degC, or water by When2Heat's heating curves."""
    is_cooling: bool = True
    """Whether the machine cools too (reverse cycle)."""
    floor_m2: Range = (60.0, 200.0)
    """Floor area [m2]."""
    conditioned_share: Range = (0.4, 0.8)
    """Share of the floor that is heated and cooled."""
    wall_u_w_per_k_m2: Range = (0.5, 2.0)
    """U-value of the walls: insulated to bare brick veneer."""
    roof_u_w_per_k_m2: Range = (0.25, 1.0)
    """U-value of the roof with its ceiling."""
    floor_u_w_per_k_m2: Range = (0.4, 1.0)
    """U-value of the floor."""
    window_u_w_per_k_m2: Range = (3.0, 6.0)
    """U-value of the windows: double to single glazing."""
    window_share: Range = (0.12, 0.25)
    """Window area over floor area."""
    solar_gain: Range = (0.15, 0.45)
    """Share of the sun on the windows that comes in: glass, frame, curtain and eaves."""
    air_changes_per_h: Range = (0.4, 1.1)
    """Air exchange with closed windows; the CSIRO inspections' mean of 15.4 per hour at 50 Pa is about 0.77."""
    mass_kj_per_k_m2: Range = (80.0, 260.0)
    """Heat capacity of the structure per floor area: EN ISO 13790's classes very light to heavy."""
    heating_set_c: Range = (18.0, 22.0)
    """Set-point of heating while somebody is up and at home [degC]."""
    cooling_set_c: Range = (23.5, 27.0)
    """Set-point of cooling while somebody is at home [degC]."""
    set_back_k: Range = (2.0, 6.0)
    """How far the set-points give way at night (heating) and while nobody is at home [K]."""
    at_home_share: float = 0.5
    """Share of homes where somebody is in on weekdays."""
    sizing: Range = (0.9, 1.4)
    """Capacity over the steady loss on the design day."""
    design_outdoor_c: float = 4.0
    """Outdoor temperature that heating is sized for [degC]."""
    design_cooling_c: float = 36.0
    """Outdoor temperature that cooling is sized for [degC]."""
    backup_kw: float = 0.0
    """Direct electric heater that helps when the heat pump is at its limit [kW]; 0 for none."""
    people_kw: float = 0.15
    """Heat of the people and of what no meter sees [kW]."""
    efficiency: float = 0.85
    """Field over laboratory COP; When2Heat's correction."""
    latitude_deg: float = SYDNEY_LATITUDE
    """Latitude of the homes, for the sun [deg north]."""
    longitude_deg: float = SYDNEY_LONGITUDE
    """Longitude of the homes, for the sun [deg east]."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple) and not (len(value) == 2 and 0 < value[0] <= value[1] < np.inf):
                raise ValueError(f"{field.name}={value}; give (least, greatest), both above 0")
        for name in ("conditioned_share", "window_share", "solar_gain"):
            if getattr(self, name)[1] > 1:
                raise ValueError(f"{name}={getattr(self, name)}; a share lies within 0..1")
        if self.emitter not in ("air", "floor", "radiator"):
            raise ValueError(f"emitter={self.emitter!r}; use air, floor or radiator")
        if not self.heating_set_c[1] < self.cooling_set_c[0]:
            raise ValueError(
                f"heating_set_c={self.heating_set_c} reaches cooling_set_c={self.cooling_set_c}; part them"
            )
        if not self.design_outdoor_c < self.heating_set_c[0]:
            raise ValueError(
                f"design_outdoor_c={self.design_outdoor_c} is not below heating_set_c={self.heating_set_c}"
            )
        if not self.design_cooling_c > self.cooling_set_c[1]:
            raise ValueError(
                f"design_cooling_c={self.design_cooling_c} is not above cooling_set_c={self.cooling_set_c}"
            )
        if not 0 <= self.at_home_share <= 1:
            raise ValueError(f"at_home_share={self.at_home_share} lies outside 0..1")
        if not 0 < self.efficiency <= 1:
            raise ValueError(f"efficiency={self.efficiency} lies outside (0, 1]")
        for name in ("backup_kw", "people_kw"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name}={getattr(self, name)}; it must be at least 0")
        if not (abs(self.latitude_deg) <= 66 and abs(self.longitude_deg) <= 180):
            raise ValueError(
                f"latitude_deg={self.latitude_deg}, longitude_deg={self.longitude_deg}; give a place within 66 deg of "
                "the equator"
            )


def draw_houses(homes: Sequence[str], config: HeatPumpConfig, seed: int) -> pd.DataFrame:
    """House, habits and machine of each home, one row a home; a home's row does not depend on the others."""
    rows = [_draw(home, config, seed) for home in homes]
    return pd.DataFrame(rows, index=pd.Index([str(home) for home in homes], name="home", dtype=object))


def rc_house(houses: pd.DataFrame) -> RCHouse:
    """The thermal columns of `draw_houses`."""
    names = [field.name for field in fields(RCHouse)]
    return RCHouse(**{name: houses[name].to_numpy(dtype=np.float64) for name in names})


def _draw(home: str, config: HeatPumpConfig, seed: int) -> dict[str, float]:
    random = generator(seed, "heat pump", str(home))

    def within(ends: Range) -> float:
        return float(random.uniform(*ends))

    whole_m2 = within(config.floor_m2)
    area_m2 = whole_m2 * within(config.conditioned_share)
    window_m2 = area_m2 * within(config.window_share)
    wall_m2 = max(4 * np.sqrt(whole_m2) * CEILING_M * area_m2 / whole_m2 - window_m2, 0.2 * area_m2)
    opaque = (
        wall_m2 * within(config.wall_u_w_per_k_m2)
        + area_m2 * within(config.roof_u_w_per_k_m2)
        + area_m2 * within(config.floor_u_w_per_k_m2)
    ) / 1000
    airing = AIR_KWH_PER_K_M3 * CEILING_M * area_m2
    direct = window_m2 * within(config.window_u_w_per_k_m2) / 1000 + airing * within(config.air_changes_per_h)
    facades = random.dirichlet(np.full(len(FACADES_DEG), 4.0))
    aperture_m2 = window_m2 * within(config.solar_gain)
    loss = direct + 1 / (1 / opaque + 1 / (SURFACE_KW_PER_K_M2 * area_m2))
    sizing = within(config.sizing)
    heating, cooling = within(config.heating_set_c), within(config.cooling_set_c)
    row = {
        "floor_m2": whole_m2,
        "conditioned_m2": area_m2,
        "air_to_outdoor_kw_per_k": direct,
        "air_to_mass_kw_per_k": SURFACE_KW_PER_K_M2 * area_m2,
        "mass_to_outdoor_kw_per_k": opaque,
        "air_kwh_per_k": AIR_KWH_PER_K_M2 * area_m2,
        "mass_kwh_per_k": within(config.mass_kj_per_k_m2) / 3600 * area_m2,
        "open_windows_kw_per_k": airing * WINDOWS_OPEN_ACH,
        "heating_set_c": heating,
        "cooling_set_c": cooling,
        "set_back_k": within(config.set_back_k),
        "wake_h": float(np.clip(random.normal(6.5, 0.8), 4.5, 9.5)),
        "sleep_h": float(np.clip(random.normal(22.3, 0.8), 20.0, 23.9)),
        "leave_h": float(np.clip(random.normal(8.3, 0.7), 6.0, 11.0)),
        "return_h": float(np.clip(random.normal(17.0, 1.2), 13.0, 20.0)),
        "is_home_weekdays": float(random.random() < config.at_home_share),
        "heating_capacity_kw": sizing * loss * (heating - config.design_outdoor_c) + 0.5,
        "cooling_capacity_kw": sizing * (loss * (config.design_cooling_c - cooling) + 0.5 * aperture_m2)
        + 0.5,
    }
    return row | {
        f"aperture_{int(deg)}_m2": aperture_m2 * share
        for deg, share in zip(FACADES_DEG, facades, strict=True)
    }
