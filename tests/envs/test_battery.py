"""The battery keeps its energy account and its limits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hidiff.envs.physics.battery import charge, feasible_power, power_span, terminal_power
from hidiff.home import Battery

EFFICIENCIES = st.floats(0.5, 1.0)


def test_round_trip_loses_both_efficiencies() -> None:
    battery = Battery(efficiency_charge=0.9, efficiency_discharge=0.8)
    full_kwh = charge(2.0, 4.0, battery, dt_h=0.5)
    assert full_kwh == pytest.approx(2.0 + 0.9 * 4.0 * 0.5)
    assert charge(full_kwh, -4.0 * 0.9 * 0.8, battery, dt_h=0.5) == pytest.approx(2.0)


def test_two_half_steps_store_what_one_whole_step_does() -> None:
    battery = Battery()
    twice = charge(charge(5.0, -2.0, battery, dt_h=0.25), -2.0, battery, dt_h=0.25)
    assert twice == pytest.approx(charge(5.0, -2.0, battery, dt_h=0.5), abs=1e-12)


@given(
    soc=st.floats(0.1, 0.9), gain=EFFICIENCIES, drain=EFFICIENCIES, dt_h=st.sampled_from([1 / 12, 0.5, 1.0])
)
def test_both_ends_of_the_feasible_power_can_be_run(
    soc: float, gain: float, drain: float, dt_h: float
) -> None:
    battery = Battery(soc_min=0.1, soc_max=0.9, efficiency_charge=gain, efficiency_discharge=drain)
    energy_kwh = soc * battery.capacity_kwh
    for power_kw in feasible_power(energy_kwh, battery, dt_h=dt_h):
        after_kwh = charge(energy_kwh, power_kw, battery, dt_h=dt_h)
        assert battery.energy_min_kwh <= after_kwh <= battery.energy_max_kwh
        assert terminal_power(energy_kwh, after_kwh, battery, dt_h=dt_h) == pytest.approx(power_kw, abs=1e-9)
        is_at_edge = math.isclose(after_kwh, battery.energy_min_kwh) or math.isclose(
            after_kwh, battery.energy_max_kwh
        )
        assert is_at_edge or abs(power_kw) == 5.0


def test_without_a_power_limit_one_step_fills_or_empties() -> None:
    battery = Battery(
        capacity_kwh=8, charge_max_kw=math.inf, discharge_max_kw=math.inf, efficiency_discharge=0.5
    )
    charge_kw, discharge_kw = power_span(battery, dt_h=0.5)
    assert charge(0.0, charge_kw, battery, dt_h=0.5) == pytest.approx(8)
    assert charge(8.0, -discharge_kw, battery, dt_h=0.5) == pytest.approx(0)


def test_a_power_or_an_energy_beyond_the_limits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"power_kw is 6.0, outside .* clip it to feasible_power first"):
        charge(1.0, 6.0, Battery(), dt_h=0.5)
    with pytest.raises(ValueError, match="power_kw is nan"):
        charge(1.0, math.nan, Battery(), dt_h=0.5)
    with pytest.raises(ValueError, match="energy would reach -"):
        charge(1.0, -5.0, Battery(), dt_h=0.5)
