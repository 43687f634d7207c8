"""The home's configuration refuses what cannot be."""

import math

import pytest

from hidiff.config import read_config, to_mapping
from hidiff.home import Battery, Block, DemandCharge, Home, Period, Tariff


def test_the_default_battery_returns_ninety_percent() -> None:
    battery = Battery()
    assert battery.efficiency_charge * battery.efficiency_discharge == pytest.approx(0.9, abs=1e-12)
    assert battery.energy_min_kwh == 0
    assert battery.energy_max_kwh == 13.5


@pytest.mark.parametrize(
    "field",
    [
        "capacity_kwh",
        "charge_max_kw",
        "discharge_max_kw",
        "efficiency_charge",
        "soc_min",
        "soc_max",
        "soc_initial",
    ],
)
@pytest.mark.parametrize("value", [math.nan, -0.1])
def test_a_battery_names_the_field_that_is_wrong(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} is"):
        Battery(**{field: value})


def test_a_battery_may_have_no_power_limit_but_must_have_a_finite_capacity() -> None:
    assert Battery(charge_max_kw=math.inf).charge_max_kw == math.inf
    with pytest.raises(ValueError, match="capacity_kwh is inf"):
        Battery(capacity_kwh=math.inf)


def test_the_soc_window_must_hold_the_initial_state() -> None:
    with pytest.raises(ValueError, match=r"soc_initial is 0.5; it must lie between 0.6 and 0.9"):
        Battery(soc_min=0.6, soc_max=0.9)
    with pytest.raises(ValueError, match="not below"):
        Battery(soc_min=0.5, soc_max=0.5)


def test_a_tariff_refuses_nan_and_impossible_hours() -> None:
    with pytest.raises(ValueError, match="export_price_per_kwh is nan"):
        Tariff(export_price_per_kwh=math.nan)
    with pytest.raises(ValueError, match="start_h is 24"):
        Period(price_per_kwh=0.1, start_h=24, end_h=6)
    with pytest.raises(ValueError, match="end_h is 6"):
        Period(price_per_kwh=0.1, start_h=6, end_h=6)
    with pytest.raises(ValueError, match="'holiday'"):
        Period(price_per_kwh=0.1, start_h=6, end_h=7, days="holiday")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="months are 1 to 12"):
        Period(price_per_kwh=0.1, start_h=6, end_h=7, months=(0,))


def test_charges_and_blocks_name_the_field_that_is_wrong() -> None:
    with pytest.raises(ValueError, match="price_per_kw is -1; it must be at least 0"):
        DemandCharge(price_per_kw=-1)
    with pytest.raises(ValueError, match=r"months_back is 0; .* from 1 \(monthly\) to 24"):
        DemandCharge(price_per_kw=1, months_back=0)
    with pytest.raises(ValueError, match="minimum_kw is nan"):
        DemandCharge(price_per_kw=1, minimum_kw=math.nan)
    with pytest.raises(ValueError, match="interval_h is 25"):
        DemandCharge(price_per_kw=1, interval_h=25)
    with pytest.raises(ValueError, match="end_h is 9"):
        DemandCharge(price_per_kw=1, start_h=9, end_h=9)
    with pytest.raises(ValueError, match="above_kwh_per_month is -5"):
        Block(above_kwh_per_month=-5, extra_per_kwh=0.1)
    with pytest.raises(ValueError, match="extra_per_kwh is inf"):
        Block(above_kwh_per_month=5, extra_per_kwh=math.inf)
    with pytest.raises(ValueError, match="export_allowance_kwh_per_month is -1"):
        Tariff(export_allowance_kwh_per_month=-1)


@pytest.mark.parametrize(
    "tariff", [Tariff.wholesale(), Tariff.with_demand(), Tariff.two_way_export(), Tariff.time_of_use()]
)
def test_a_tariff_comes_back_from_a_file_as_it_was(tariff: Tariff) -> None:
    assert read_config(to_mapping(tariff), Tariff) == tariff


def test_a_file_with_a_wrong_demand_charge_says_where() -> None:
    written = {"demand": [{"price_per_kw": 10}, {"price_per_kw": 10, "months_bak": 12}]}
    with pytest.raises(ValueError, match=r"'demand\[1\].months_bak'; did you mean 'months_back'"):
        read_config(written, Tariff)


def test_readers_of_energy_prices_refuse_what_a_month_adds() -> None:
    Tariff.time_of_use().require_energy_only("this reader")
    for tariff, name in (
        (Tariff.with_demand(), "demand"),
        (Tariff(blocks=(Block(above_kwh_per_month=5, extra_per_kwh=0.1),)), "blocks"),
        (Tariff.two_way_export(), "export_allowance_kwh_per_month"),
    ):
        assert not tariff.is_energy_only
        with pytest.raises(ValueError, match=f"this reader counts .* the tariff has {name}="):
            tariff.require_energy_only("this reader")


@pytest.mark.parametrize("field", ["pv_capacity_kwp", "import_limit_kw", "export_limit_kw"])
def test_a_home_refuses_nan_and_negative_limits(field: str) -> None:
    for value in (math.nan, -1.0):
        with pytest.raises(ValueError, match=f"{field} is"):
            Home(**{field: value})


def test_pv_is_scaled_by_capacity() -> None:
    assert Home(pv_capacity_kwp=4.0).pv_scale(1.04) == pytest.approx(4 / 1.04)
    assert Home().pv_scale(0.0) == 1.0
    assert Home(pv_capacity_kwp=0.0).pv_scale(0.0) == 0.0
    with pytest.raises(ValueError, match="choose a home with PV"):
        Home(pv_capacity_kwp=4.0).pv_scale(0.0)
