"""One step of a home: pure functions on floats, NumPy arrays or torch tensors, the same formulas for all.

Shapes: a float each for one home; ``(env, home)`` for many. ``home`` is what `hidiff.envs.parameters` makes.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

from .ops import Ops, Value
from .physics import appliance, battery, heat_pump, tank
from .physics.connection import export_room, import_room, settle


class Exogenous(NamedTuple):
    """What a step brings from outside; names of devices that nobody has stay 0."""

    load_kw: Value
    pv_kw: Value
    import_price: Value
    """[currency/kWh]"""
    export_price: Value
    """[currency/kWh]"""
    outdoor_c: Value = 0.0
    heating_cop: Value = 1.0
    cooling_cop: Value = 1.0
    low_c: Value = 0.0
    high_c: Value = 0.0
    heat_gain_kw: Value = 0.0
    hot_water_kw: Value = 0.0
    """Heat drawn with the hot water."""
    car_is_home: Value = 0.0
    car_trip_kwh: Value = 0.0
    """Energy that a trip takes from the car, on the trip's first step."""
    appliance_request: tuple[Value, ...] = ()
    """1 where a machine is filled, for each."""


class State(NamedTuple):
    """What persists from step to step."""

    battery_kwh: Value
    fade: Value
    """Share of the battery's capacity lost since the start."""
    car_kwh: Value
    air_c: Value
    mass_c: Value
    tank_kwh: Value
    """Heat above cold water."""
    waiting_h: tuple[Value, ...]
    running_h: tuple[Value, ...]


class Request(NamedTuple):
    """Powers that are asked for, > 0 into the device [kW]; what is not possible is cut off."""

    battery_kw: Value = 0.0
    car_kw: Value = 0.0
    heat_pump_kw: Value = 0.0
    """Electric power; > 0 heats, < 0 cools."""
    tank_kw: Value = 0.0
    start: tuple[Value, ...] = ()
    """> 0 starts a machine that waits."""


class Outcome(NamedTuple):
    """What happened in a step: mean powers [kW], energies and temperatures at its end, money [currency]."""

    battery_kw: Value
    battery_kwh: Value
    car_kw: Value
    car_kwh: Value
    public_kwh: Value
    """Charged on the way, because a trip lacked it."""
    heat_pump_kw: Value
    """Electric power, a magnitude."""
    heat_kw: Value
    """Heat into the air, < 0 where it cools."""
    air_c: Value
    discomfort_kh: Value
    tank_kw: Value
    tank_kwh: Value
    boost_kwh: Value
    appliance_kw: Value
    demand_kw: Value
    """Load, standby and all devices."""
    pv_used_kw: Value
    curtailed_kw: Value
    import_kw: Value
    export_kw: Value
    excess_kw: Value
    wear_cost: Value
    service_cost: Value
    """Public charging and boosted hot water."""
    discomfort_cost: Value
    fade: Value
    """Share of the battery's capacity that the step took."""


def start(home: SimpleNamespace, zero: Value = 0.0) -> State:
    """State at the beginning of an episode; ``zero`` has the shape of the state, such as zeros ``(env, home)``."""
    return State(
        battery_kwh=zero + (home.battery.energy_initial_kwh if home.battery else 0.0),
        fade=zero,
        car_kwh=zero + (home.car.energy_initial_kwh if home.car else 0.0),
        air_c=zero + (home.heat_pump.initial_c if home.heat_pump else 0.0),
        mass_c=zero + (home.heat_pump.initial_c if home.heat_pump else 0.0),
        tank_kwh=zero + (home.tank.heat_initial_kwh if home.tank else 0.0),
        waiting_h=tuple(zero + appliance.IDLE for _ in home.appliances),
        running_h=tuple(zero for _ in home.appliances),
    )


def request(action: Any, home: SimpleNamespace, m: Ops) -> Request:
    """Powers of an action: shares of each device's largest power, -1 to 1, in the order of `action_names`."""
    place = 1
    battery_kw = _share_of(action[0], home.battery, m) if home.battery else 0.0
    car_kw = heat_pump_kw = tank_kw = 0.0
    if home.car:
        car_kw, place = _share_of(action[place], home.car, m), place + 1
    if home.heat_pump:
        share, place = action[place], place + 1
        heat_pump_kw = (
            m.maximum(share, 0.0) * home.heat_pump.power_max_kw
            + m.minimum(share, 0.0) * home.heat_pump.cooling_max_kw
        )
    if home.tank:
        tank_kw, place = m.maximum(action[place], 0.0) * home.tank.power_max_kw, place + 1
    return Request(battery_kw, car_kw, heat_pump_kw, tank_kw, tuple(action[place:]))


def action_names(home: SimpleNamespace) -> list[str]:
    """What each number of an action is for; the battery's is there in any case."""
    devices = [name for name in ("car", "heat_pump", "tank") if getattr(home, name)]
    return ["battery", *devices, *(f"appliance_{place}" for place in range(len(home.appliances)))]


def _share_of(share: Value, device: SimpleNamespace, m: Ops) -> Value:
    return m.maximum(share, 0.0) * device.charge_span_kw + m.minimum(share, 0.0) * device.discharge_span_kw


def step(
    state: State, asked: Request, outside: Exogenous, home: SimpleNamespace, dt_h: float, m: Ops,
    *, may_be_negative: bool = True,
) -> tuple[State, Outcome]:  # fmt: skip
    """State after a step, and what happened in it; what the exchange with the grid costs is `meter_step`'s matter.

    Where the import limit is short, heat pump, tank, car and battery are served in this order, after what the load
    takes and a battery gives; feeding in stops at the export limit, the car's first.

    Args:
        asked: powers wanted; each device first cuts them to what its own state allows.
        may_be_negative: False where no price is below 0.
    """
    load_kw = outside.load_kw + home.standby_kw
    waiting, running, appliance_kw = [], [], 0.0
    for place, machine in enumerate(home.appliances):
        done = appliance.run(
            state.waiting_h[place], state.running_h[place], outside.appliance_request[place], asked.start[place],
            machine, dt_h, m,
        )  # fmt: skip
        waiting.append(done.waiting_h)
        running.append(done.running_h)
        appliance_kw = appliance_kw + done.power_kw
    load_kw = load_kw + appliance_kw

    # what the devices' own states allow
    battery_kw = car_kw = heat_pump_kw = tank_kw = public_kwh = 0.0
    car_kwh = state.car_kwh
    if home.battery:
        low_kw, high_kw = battery.feasible_power(state.battery_kwh, home.battery, dt_h, m)
        battery_kw = m.minimum(m.maximum(asked.battery_kw, low_kw), high_kw)
    if home.car:
        car_kwh = car_kwh - outside.car_trip_kwh
        public_kwh = m.maximum(home.car.energy_min_kwh - car_kwh, 0.0)
        car_kwh = car_kwh + public_kwh
        low_kw, high_kw = battery.feasible_power(car_kwh, home.car, dt_h, m)
        car_kw = m.minimum(m.maximum(asked.car_kw, low_kw), high_kw) * outside.car_is_home
    if home.heat_pump:
        pump = home.heat_pump
        heat_pump_kw = m.minimum(m.maximum(asked.heat_pump_kw, -pump.cooling_max_kw), pump.power_max_kw)
    if home.tank:
        most_kw = tank.power_max(state.tank_kwh, outside.hot_water_kw, home.tank, m)
        tank_kw = m.minimum(m.maximum(asked.tank_kw, 0.0), most_kw)

    # what the connection allows
    if home.has_import_limit:
        given_kw = m.minimum(battery_kw, 0.0) + m.minimum(car_kw, 0.0)
        room_kw = import_room(load_kw + given_kw, outside.pv_kw, home, m)
        if home.heat_pump:
            heat_pump_kw = m.minimum(m.maximum(heat_pump_kw, -room_kw), room_kw)
            room_kw = room_kw - m.maximum(heat_pump_kw, -heat_pump_kw)
        if home.tank:
            tank_kw = m.minimum(tank_kw, room_kw)
            room_kw = room_kw - tank_kw
        if home.car:
            car_kw = m.minimum(car_kw, room_kw)
            room_kw = room_kw - m.maximum(car_kw, 0.0)
        battery_kw = m.minimum(battery_kw, room_kw)
    pump_kw = m.maximum(heat_pump_kw, -heat_pump_kw)
    if home.has_export_limit:
        taken_kw = load_kw + pump_kw + tank_kw + m.maximum(battery_kw, 0.0)
        if home.car:
            room_kw = export_room(taken_kw, outside.pv_kw, home, m)
            battery_first_kw = m.maximum(-battery_kw, 0.0)
            car_kw = m.maximum(car_kw, -m.maximum(room_kw - battery_first_kw, 0.0))
        room_kw = export_room(taken_kw + m.maximum(car_kw, 0.0), outside.pv_kw, home, m)
        battery_kw = m.maximum(battery_kw, -room_kw)

    demand_kw = load_kw + battery_kw + car_kw + pump_kw + tank_kw
    flows = settle(
        demand_kw, outside.pv_kw, home, import_price_per_kwh=outside.import_price,
        export_price_per_kwh=outside.export_price, m=m, may_be_negative=may_be_negative,
    )  # fmt: skip

    # where it leaves the devices
    battery_kwh, fade_now, wear_cost = state.battery_kwh, 0.0, 0.0
    if home.battery:
        battery_kwh = battery.energy_after(state.battery_kwh, battery_kw, home.battery, dt_h, m)
        battery_kwh = _held(battery_kwh, home.battery, m)
        if home.battery.ages:
            fade_now = battery.fade(state.battery_kwh, battery_kwh, home.battery, dt_h, m)
            wear_cost = fade_now * home.battery.cost_of_fade
    service_cost: Value = 0.0
    if home.car:
        plugged_kwh = _held(battery.energy_after(car_kwh, car_kw, home.car, dt_h, m), home.car, m)
        if home.car.ages:
            wear_cost = (
                wear_cost + battery.fade(car_kwh, plugged_kwh, home.car, dt_h, m) * home.car.cost_of_fade
            )
        car_kwh = plugged_kwh
        service_cost = public_kwh * home.car.public_price_per_kwh
    air_c, mass_c, heat_kw, discomfort_kh, discomfort_cost = state.air_c, state.mass_c, 0.0, 0.0, 0.0
    if home.heat_pump:
        heat_kw = heat_pump.heat_of(heat_pump_kw, outside.heating_cop, outside.cooling_cop, m)
        air_c, mass_c = heat_pump.temperatures_after(
            state.air_c, state.mass_c, outside.outdoor_c, outside.heat_gain_kw, heat_kw, home.heat_pump
        )
        discomfort_kh = (
            heat_pump.discomfort(air_c, outside.low_c, outside.high_c, dt_h, m) * home.heat_pump.exists
        )
        discomfort_cost = discomfort_kh * home.heat_pump.discomfort_price_per_kh
    tank_kwh, boost_kwh = state.tank_kwh, 0.0
    if home.tank:
        tank_kwh = tank.heat_after(state.tank_kwh, tank_kw, outside.hot_water_kw, home.tank)
        boost_kwh = m.maximum(home.tank.heat_min_kwh - tank_kwh, 0.0)
        tank_kwh = m.minimum(m.maximum(tank_kwh, home.tank.heat_min_kwh), home.tank.heat_max_kwh)
        service_cost = service_cost + boost_kwh * home.tank.boost_price_per_kwh

    after = State(
        battery_kwh, state.fade + fade_now, car_kwh, air_c, mass_c, tank_kwh, tuple(waiting), tuple(running)
    )
    happened = Outcome(
        battery_kw, battery_kwh, car_kw, car_kwh, public_kwh, pump_kw, heat_kw, air_c, discomfort_kh, tank_kw, tank_kwh,
        boost_kwh, appliance_kw, demand_kw, flows.pv_used_kw, outside.pv_kw - flows.pv_used_kw, flows.import_kw,
        flows.export_kw, flows.excess_kw, wear_cost, service_cost, discomfort_cost, fade_now,
    )  # fmt: skip
    return after, happened


def _held(energy_kwh: Value, device: SimpleNamespace, m: Ops) -> Value:
    """The energy within its window; only rounding is taken away."""
    return m.minimum(m.maximum(energy_kwh, device.energy_min_kwh), device.energy_max_kwh)
