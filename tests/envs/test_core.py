"""One step of a home: the same on floats, arrays and tensors, on steps of any length, and true to its accounts."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hidiff.envs import core
from hidiff.envs.checks import check_step
from hidiff.envs.ops import ARRAYS, FLOATS, tensors
from hidiff.envs.parameters import many_homes, one_home
from hidiff.envs.physics.battery import energy_after, feasible_power
from hidiff.home import Appliance, Battery, ElectricCar, HeatPump, Home, HotWaterTank, House

BATTERY = Battery(
    loss_per_kw=0.004, soc_loss=0.05, standby_kw=0.02, cycle_fade=5e-5, calendar_fade_per_year=0.015,
    calendar_fade_soc_slope=0.5, replacement_cost=8000,
)  # fmt: skip
V2G = Battery(capacity_kwh=60, charge_max_kw=7.4, discharge_max_kw=5, soc_min=0.1, soc_max=0.9)
FULL = Home(
    battery=BATTERY, car=ElectricCar(battery=V2G), heat_pump=HeatPump(), tank=HotWaterTank(),
    appliances=(Appliance(),),
)  # fmt: skip
LIMITED = replace(FULL, import_limit_kw=6.0, export_limit_kw=2.0, pv_curtailable=False)
LINEAR = replace(FULL, battery=Battery(), import_limit_kw=5.0, export_limit_kw=1.0)


def episode(count: int, devices: int, seed: int = 0) -> tuple[list[core.Exogenous], list[list[float]]]:
    random = np.random.default_rng(seed)
    outside, actions = [], []
    for step in range(count):
        slot = step % 48
        angle = 2 * math.pi * slot / 48
        outside.append(
            core.Exogenous(
                load_kw=random.gamma(1, 1), pv_kw=max(0.0, -math.cos(angle)) * 5,
                import_price=random.uniform(-0.1, 0.5), export_price=random.uniform(-0.1, 0.1),
                outdoor_c=15 + 8 * math.sin(angle), heating_cop=4.0, cooling_cop=3.5, low_c=20.0, high_c=25.0,
                heat_gain_kw=0.5, hot_water_kw=random.uniform(0, 1), car_is_home=float(slot < 16 or slot > 36),
                car_trip_kwh=14.0 if slot == 16 else 0.0, appliance_request=(float(slot == 38),),
            )
        )  # fmt: skip
        actions.append(random.uniform(-1, 1, devices).tolist())
    return outside, actions


@pytest.mark.parametrize("home", [FULL, LIMITED, LINEAR])
@pytest.mark.parametrize("kind", ["arrays", "tensors"])
def test_floats_arrays_and_tensors_take_the_same_steps(home: Home, kind: str) -> None:
    alone = one_home(home, dt_h=0.5)
    m = ARRAYS if kind == "arrays" else tensors()
    whole: Callable[[Any], Any] = np.asarray if kind == "arrays" else torch.as_tensor

    def like(values: NDArray[Any]) -> Any:
        return values if kind == "arrays" else torch.from_numpy(values)

    def spread(value: float) -> Any:
        return like(np.full((1, 2), value))

    # the second home has nothing but a battery, and may not disturb the first
    both = many_homes([home, Home(tariff=home.tariff)], dt_h=0.5, like=like)
    outside, actions = episode(400, len(core.action_names(alone)))
    state, states = core.start(alone), core.start(both, spread(0.0))
    for now, shares in zip(outside, actions, strict=True):
        state, happened = core.step(state, core.request(shares, alone, FLOATS), now, alone, 0.5, FLOATS)
        spread_now = core.Exogenous(
            *(tuple(map(spread, value)) if isinstance(value, tuple) else spread(value) for value in now)
        )
        asked = core.request([spread(share) for share in shares], both, m)
        states, happenings = core.step(states, asked, spread_now, both, 0.5, m)
        for name, value, values in zip(happened._fields, happened, happenings, strict=True):
            first = np.asarray(whole(values)).reshape(-1)[0]
            assert first == pytest.approx(value, abs=1e-9), name
    assert float(np.asarray(states.car_kwh)[0, 1]) == 0


@pytest.mark.parametrize("home", [FULL, LIMITED, LINEAR])
def test_no_step_breaks_an_account_or_a_bound(home: Home) -> None:
    alone = one_home(home, dt_h=0.5)
    outside, actions = episode(1000, len(core.action_names(alone)), seed=3)
    state = core.start(alone)
    for now, shares in zip(outside, actions, strict=True):
        after, happened = core.step(state, core.request(shares, alone, FLOATS), now, alone, 0.5, FLOATS)
        check_step(state, now, happened, after, alone, 0.5)
        state = after


def test_the_check_of_a_step_sees_energy_that_is_made_up() -> None:
    alone = one_home(LINEAR, dt_h=0.5)
    outside, actions = episode(1, len(core.action_names(alone)))
    before = core.start(alone)
    after, happened = core.step(
        before, core.request(actions[0], alone, FLOATS), outside[0], alone, 0.5, FLOATS
    )
    for wrong in (
        (after._replace(battery_kwh=after.battery_kwh + 0.1), happened),
        (after._replace(car_kwh=after.car_kwh - 0.1), happened),
        (after, happened._replace(import_kw=happened.import_kw + 0.1)),
        (after._replace(tank_kwh=999.0), happened),
    ):
        with pytest.raises(RuntimeError, match="fault of the environment"):
            check_step(before, outside[0], wrong[1], wrong[0], alone, 0.5)


@pytest.mark.parametrize(("dt_h", "parts"), [(0.5, 2), (0.5, 6), (1.0, 2), (1.0, 4), (1.0, 12)])
def test_steps_of_any_length_lead_to_the_same_state(dt_h: float, parts: int) -> None:
    """Powers within limits, held for a step: cut in parts, energy, temperature, fade and money are the same."""
    coarse, fine = one_home(FULL, dt_h=dt_h), one_home(FULL, dt_h=dt_h / parts)
    one, many = core.start(coarse), core.start(fine)
    outside, _ = episode(36, 5)
    paid = [0.0, 0.0]
    for step, now in enumerate(outside):
        now = now._replace(appliance_request=(0.0,), car_trip_kwh=0.0)
        asked = core.Request(
            1.5 * math.sin(step), 1.0 * math.cos(step), 0.8 * math.sin(step / 7), 0.5, (0.0,)
        )
        one, happened = core.step(one, asked, now, coarse, dt_h, FLOATS)
        paid[0] += happened.import_kw * dt_h * now.import_price
        for _ in range(parts):
            many, happened = core.step(many, asked, now, fine, dt_h / parts, FLOATS)
            paid[1] += happened.import_kw * dt_h / parts * now.import_price
    for name in ("battery_kwh", "car_kwh", "air_c", "mass_c", "tank_kwh"):
        assert getattr(many, name) == pytest.approx(getattr(one, name), rel=1e-6), name
    # the mean charge of a step is taken for that of its ends, which losses that follow the charge bend a little
    assert many.fade == pytest.approx(one.fade, rel=2e-5 * dt_h)
    assert paid[1] == pytest.approx(paid[0], rel=1e-9)


@pytest.mark.parametrize("dt_h", [1 / 12, 0.5, 1.0])
@pytest.mark.parametrize("soc", [0.0, 0.03, 0.4, 0.97, 1.0])
def test_the_feasible_power_of_a_battery_with_all_losses_fills_and_empties_it_just_so(
    dt_h: float, soc: float
) -> None:
    battery = replace(BATTERY, charge_max_kw=40, discharge_max_kw=40, soc_loss=0.1)
    energy_kwh = soc * battery.usable_kwh
    low_kw, high_kw = feasible_power(energy_kwh, battery, dt_h)
    full, empty = (energy_after(energy_kwh, power_kw, battery, dt_h) for power_kw in (high_kw, low_kw))
    assert low_kw <= 0 <= high_kw
    assert high_kw == 40 or full == pytest.approx(battery.energy_max_kwh, abs=1e-5)
    assert low_kw == -40 or empty == pytest.approx(battery.energy_min_kwh, abs=1e-5)


def test_losses_grow_with_power_and_towards_full_and_empty() -> None:
    plain = replace(BATTERY, soc_loss=0.0)
    slow, fast = (energy_after(5.0, power_kw, plain, 1 / power_kw) - 5.0 for power_kw in (1.0, 4.0))
    assert fast == pytest.approx(plain.efficiency_charge - 0.004 * 4, abs=1e-9)
    assert slow > fast
    at_low, at_high = (energy_after(energy_kwh, 2.0, BATTERY, 0.1) - energy_kwh for energy_kwh in (1.0, 12.0))
    assert at_low > at_high
    out_low, out_high = (
        energy_kwh - energy_after(energy_kwh, -2.0, BATTERY, 0.1) for energy_kwh in (1.0, 12.0)
    )
    assert out_low > out_high


def test_a_full_cycle_and_a_year_take_the_fade_that_was_asked_for() -> None:
    battery = Battery(
        charge_max_kw=20, discharge_max_kw=20, cycle_fade=1e-4, calendar_fade_per_year=0.02, soc_initial=0.5
    )
    home = one_home(Home(battery=battery), dt_h=1.0)
    nothing = core.Exogenous(0.0, 0.0, 0.3, 0.05)
    state = core.start(home)
    for power_kw in (20.0, -20.0):
        state, _ = core.step(state, core.Request(power_kw), nothing, home, 1.0, FLOATS)
    assert state.fade == pytest.approx(1e-4 + 2 * 0.02 / 8766, rel=0.6)  # a calendar part hangs on the charge
    aged = one_home(Home(battery=replace(battery, cycle_fade=0.0)), dt_h=24.0)
    state = core.start(aged)
    for _ in range(365):
        state, _ = core.step(state, core.Request(), nothing, aged, 24.0, FLOATS)
    assert state.fade == pytest.approx(0.02 * 365 * 24 / 8766)


def test_a_trip_takes_its_energy_and_what_it_lacks_is_bought_on_the_way() -> None:
    car = ElectricCar(
        battery=replace(V2G, soc_initial=0.2), public_price_per_kwh=0.9
    )  # 12 kWh, 6 at the least
    home = one_home(Home(battery=None, car=car), dt_h=0.5)
    away = core.Exogenous(0.0, 0.0, 0.3, 0.05, car_is_home=0.0, car_trip_kwh=4.0)
    state, happened = core.step(core.start(home), core.Request(car_kw=7.0), away, home, 0.5, FLOATS)
    assert (state.car_kwh, happened.car_kw, happened.public_kwh) == (8.0, 0.0, 0.0)
    state, happened = core.step(state, core.Request(), away, home, 0.5, FLOATS)
    assert (state.car_kwh, happened.public_kwh) == (6.0, 2.0)
    assert happened.service_cost == pytest.approx(1.8)


def test_a_house_that_floats_settles_at_the_outdoor_temperature_and_gains() -> None:
    house = House()
    home = one_home(Home(battery=None, heat_pump=HeatPump(house=house)), dt_h=0.5)
    state = core.start(home)
    cold = core.Exogenous(0.0, 0.0, 0.3, 0.05, outdoor_c=5.0, low_c=20.0, high_c=25.0, heat_gain_kw=1.0)
    for _ in range(3000):
        state, happened = core.step(state, core.Request(), cold, home, 0.5, FLOATS)
    # steady state by hand: the conductances from air and mass to outdoors, joined by that between them
    out, between, behind = 0.08, 1.2, 0.12
    air_k, mass_k = np.linalg.solve([[out + between, -between], [-between, behind + between]], [0.5, 0.5])
    assert (state.air_c, state.mass_c) == pytest.approx((5 + air_k, 5 + mass_k), abs=1e-6)
    assert happened.discomfort_kh == pytest.approx((20 - state.air_c) * 0.5)


def test_a_tank_never_overheats_and_boosts_what_a_draw_lacks() -> None:
    tank = HotWaterTank(cop=3.0)
    home = one_home(Home(battery=None, tank=tank), dt_h=0.5)
    state = core.start(home)
    idle = core.Exogenous(0.0, 0.0, 0.3, 0.05)
    for _ in range(48):
        state, _ = core.step(state, core.Request(tank_kw=9.0), idle, home, 0.5, FLOATS)
    assert state.tank_kwh == pytest.approx(tank.heat_max_kwh)
    _, happened = core.step(
        state._replace(tank_kwh=tank.heat_min_kwh),
        core.Request(),
        idle._replace(hot_water_kw=4.0),
        home,
        0.5,
        FLOATS,
    )
    assert happened.boost_kwh == pytest.approx(2.0, abs=0.05)
    assert happened.service_cost == pytest.approx(happened.boost_kwh * tank.boost_price_per_kwh)


@pytest.mark.parametrize(
    ("asks", "starts"), [(lambda step: step == 3, 3), (lambda step: False, 19), (lambda step: True, 0)]
)
def test_an_appliance_starts_when_asked_and_at_the_latest_when_it_can_wait_no_longer(
    asks: Callable[[int], bool], starts: int
) -> None:
    appliance = Appliance(power_kw=1.0, duration_h=1.25, earliest_h=19, latest_h=6)  # 9.75 h of slack
    home = one_home(Home(battery=None, appliances=(appliance,)), dt_h=0.5)
    state, power_kw = core.start(home), []
    for step in range(40):
        now = core.Exogenous(0.0, 0.0, 0.3, 0.05, appliance_request=(float(step == 0),))
        state, happened = core.step(state, core.Request(start=(float(asks(step)),)), now, home, 0.5, FLOATS)
        power_kw.append(happened.appliance_kw)
    assert power_kw[starts : starts + 3] == pytest.approx([1.0, 1.0, 0.5])
    assert sum(power_kw) * 0.5 == pytest.approx(1.25)


def test_devices_give_way_to_the_import_limit_in_their_order() -> None:
    home = one_home(replace(LINEAR, import_limit_kw=4.0), dt_h=0.5)
    state = core.start(home)._replace(air_c=15.0)
    now = core.Exogenous(
        1.0, 0.0, 0.3, 0.05, outdoor_c=5.0, heating_cop=3.0, low_c=20.0, high_c=25.0, car_is_home=1.0,
        appliance_request=(0.0,),
    )  # fmt: skip
    _, happened = core.step(state, core.Request(5.0, 7.0, 2.0, 3.6, (0.0,)), now, home, 0.5, FLOATS)
    assert (happened.heat_pump_kw, happened.tank_kw, happened.car_kw, happened.battery_kw) == (
        2.0,
        1.0,
        0.0,
        0.0,
    )
    _, happened = core.step(state, core.Request(-5.0, 7.0, 2.0, 3.6, (0.0,)), now, home, 0.5, FLOATS)
    assert happened.car_kw == pytest.approx(2.4)  # what the battery gives lets it charge
    assert happened.import_kw == pytest.approx(4.0)


def test_gradients_flow_from_the_action_to_what_is_stored_and_imported() -> None:
    home = many_homes([LINEAR], dt_h=0.5, like=lambda values: torch.from_numpy(np.asarray(values)))
    outside, _ = episode(1, 5)
    now = core.Exogenous(
        *(
            tuple(map(torch.tensor, value)) if isinstance(value, tuple) else torch.tensor(value)
            for value in outside[0]
        )
    )

    def bill(share: torch.Tensor) -> torch.Tensor:
        state = core.start(home, torch.zeros(1, 1, dtype=torch.float64))
        shares = [
            share,
            torch.zeros(1, 1).double(),
            torch.zeros(1, 1).double(),
            torch.zeros(1, 1).double(),
            torch.zeros(1, 1),
        ]
        state, happened = core.step(state, core.request(shares, home, tensors()), now, home, 0.5, tensors())
        result: torch.Tensor = happened.import_kw * 0.3 - state.battery_kwh * 0.2
        return result

    share = torch.full((1, 1), 0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(bill, (share,))
    (slope,) = torch.autograd.grad(bill(share).sum(), share)
    assert slope.abs().item() > 0.01
