"""Devices refuse what cannot be, by name and limit, NaN among it."""

import math
from typing import Any

import pytest

from hidiff.home import Appliance, Battery, ElectricCar, HeatPump, HotWaterTank, House


@pytest.mark.parametrize(
    ("device", "field", "value", "limit"),
    [
        (Battery, "standby_kw", -0.1, "at least 0"),
        (Battery, "replacement_cost", math.nan, "at least 0"),
        (Battery, "soc_loss", 0.2, "between 0.0 and 0.1"),
        (Battery, "state_of_health", 0.0, "above 0 and at most 1"),
        (Battery, "cycle_fade", math.nan, "between 0.0 and 1.0"),
        (ElectricCar, "public_price_per_kwh", math.inf, "at least 0 and finite"),
        (House, "air_kwh_per_k", 0.0, "above 0"),
        (House, "solar_aperture_m2", -1.0, "at least 0"),
        (House, "load_as_heat", 1.5, "between 0.0 and 1.0"),
        (HeatPump, "power_max_kw", math.nan, "above 0"),
        (HeatPump, "low_c", 26.0, "not below high_c"),
        (HotWaterTank, "volume_l", -250.0, "above 0"),
        (HotWaterTank, "temperature_min_c", 70.0, "below temperature_max_c"),
        (HotWaterTank, "temperature_initial_c", 30.0, "between 45.0 and 65.0"),
        (Appliance, "duration_h", 12.0, "does not fit"),
        (Appliance, "probability", 1.1, "between 0.0 and 1.0"),
        (Appliance, "earliest_h", 24.0, "below 24"),
    ],
)
def test_a_value_that_cannot_be_is_refused(device: Any, field: str, value: float, limit: str) -> None:
    with pytest.raises(ValueError, match=rf"{field}.*{limit}"):
        device(**{field: value})


def test_losses_that_eat_the_last_kilowatt_are_refused() -> None:
    with pytest.raises(ValueError, match=r"loss_per_kw=0.2 loses all that the last of 5.0 kW brings"):
        Battery(loss_per_kw=0.2)


def test_capacity_that_is_left_bounds_the_energy() -> None:
    aged = Battery(capacity_kwh=10, state_of_health=0.8, soc_min=0.1, soc_max=0.9, soc_initial=0.5)
    assert (aged.energy_min_kwh, aged.energy_initial_kwh, aged.energy_max_kwh) == pytest.approx(
        (0.8, 4.0, 7.2)
    )


def test_a_window_over_midnight_is_as_long_as_it_is() -> None:
    assert Appliance(earliest_h=19, latest_h=6).window_h == 11
    assert Appliance(earliest_h=8, latest_h=12).window_h == 4


def test_the_heat_of_a_tank_is_that_of_its_water() -> None:
    tank = HotWaterTank(volume_l=1000, cold_water_c=15, temperature_min_c=45, temperature_max_c=65)
    assert (tank.heat_min_kwh, tank.heat_max_kwh) == pytest.approx((34.89, 58.15))
