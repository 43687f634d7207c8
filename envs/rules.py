"""Rule-based controllers, and the loop that runs one through an environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .core import Exogenous, Request, State
from .episode import Episode
from .ops import FLOATS
from .physics import battery as battery_physics
from .physics import heat_pump, tank

if TYPE_CHECKING:
    from .home import HomeEnv

Floats = NDArray[np.float64]


class HomeState(NamedTuple):
    """What a rule sees at the start of a step."""

    load_kw: float
    """Mean load of the step that begins [kW]."""
    pv_kw: float
    """Mean generation available in the step that begins [kW]."""
    energy_kwh: float
    """Energy stored in the battery [kWh]."""
    import_price_per_kwh: float
    export_price_per_kwh: float
    prices_ahead: list[float]
    """Import prices from this step on, up to 24 h [currency/kWh]."""
    state: State
    """All that persists, the devices' included."""
    outside: Exogenous
    """All that the step brings from outside."""
    home: SimpleNamespace
    """Parameters of the home: see `hidiff.envs.parameters`."""
    dt_h: float


Rule = Callable[[HomeState], "float | Request"]
"""Maps a state to the battery power wanted, > 0 charges [kW], or to a `Request` for all devices. With a number the
other devices run unmanaged. The environment cuts it to what is possible."""


def unmanaged(state: HomeState, battery_kw: float = 0.0) -> Request:
    """Devices as they run without management: the car charges when it is plugged in, thermostats keep air and water,
    machines start when they are filled.
    """
    home, outside = state.home, state.outside
    car_kw = home.car.charge_max_kw if home.car else 0.0
    heat_pump_kw = thermostat(state) if home.heat_pump else 0.0
    tank_kw = 0.0
    if home.tank:
        # heats what a draw and the losses take, and from half full on only what keeps it half full
        middle_kwh = (home.tank.heat_min_kwh + home.tank.heat_max_kwh) / 2
        after_kwh = tank.heat_after(state.state.tank_kwh, 0.0, outside.hot_water_kw, home.tank)
        tank_kw = max(middle_kwh - after_kwh, 0.0) / (home.tank.act_h * home.tank.cop)
    return Request(battery_kw, car_kw, heat_pump_kw, tank_kw, (1.0,) * len(home.appliances))


def thermostat(state: HomeState) -> float:
    """Electric power that brings the air to the nearer comfort bound at the end of the step; 0 within them [kW]."""
    house, outside, now = state.home.heat_pump, state.outside, state.state
    free_c, _ = heat_pump.temperatures_after(
        now.air_c, now.mass_c, outside.outdoor_c, outside.heat_gain_kw, 0.0, house
    )
    heat_kw = (min(max(free_c, outside.low_c), outside.high_c) - free_c) / house.air_per_kw
    return float(heat_kw / (outside.heating_cop if heat_kw > 0 else outside.cooling_cop))


def _others_kw(asked: Request, state: HomeState) -> float:
    """Power of the devices but the battery in the step, as far as their own limits let them [kW]."""
    home, now, outside = state.home, state.state, state.outside
    power_kw = abs(asked.heat_pump_kw) + asked.tank_kw
    if home.heat_pump:
        power_kw += min(abs(asked.heat_pump_kw), home.heat_pump.power_max_kw) - abs(asked.heat_pump_kw)
    if home.tank:
        most_kw = tank.power_max(now.tank_kwh, outside.hot_water_kw, home.tank, FLOATS)
        power_kw += min(asked.tank_kw, most_kw) - asked.tank_kw
    if home.car:
        car_kwh = max(now.car_kwh - outside.car_trip_kwh, home.car.energy_min_kwh)
        _, high_kw = battery_physics.feasible_power(car_kwh, home.car, state.dt_h)
        power_kw += min(asked.car_kw, high_kw) * outside.car_is_home
    return float(power_kw)


def do_nothing(state: HomeState) -> Request:
    """Leave the battery idle; the other devices run unmanaged."""
    return unmanaged(state)


def self_consumption(state: HomeState) -> Request:
    """Charge with all surplus, discharge for all deficit: ``battery = pv - load - devices``."""
    asked = unmanaged(state)
    surplus_kw = state.pv_kw - state.load_kw - state.home.standby_kw - _others_kw(asked, state)
    return asked._replace(battery_kw=surplus_kw)


def time_of_use(state: HomeState) -> Request:
    """Self-consumption that also fills battery, car and tank in the cheapest hours of the day ahead.

    The battery is filled from the grid where the dearest price of the next 24 h pays for the losses, and does not
    discharge at the cheapest price. The car waits for the cheapest price unless its next trip lacks energy.
    """
    asked = self_consumption(state)
    low, high = min(state.prices_ahead), max(state.prices_ahead)
    is_cheap = state.import_price_per_kwh <= low + 1e-9
    battery_kw, car_kw = asked.battery_kw, asked.car_kw
    if state.home.battery:
        round_trip = state.home.battery.efficiency_charge * state.home.battery.efficiency_discharge
        if is_cheap and low < high * round_trip:
            battery_kw = state.home.battery.charge_max_kw
        elif is_cheap:
            battery_kw = max(battery_kw, 0.0)
    if state.home.car and not is_cheap:
        car_kw = min(max(state.pv_kw - state.load_kw, 0.0), car_kw)
    tank_kw = asked.tank_kw
    if state.home.tank and is_cheap:
        tank_kw = state.home.tank.power_max_kw
    return asked._replace(battery_kw=battery_kw, car_kw=car_kw, tank_kw=tank_kw)


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation:
    """One episode, step by step; arrays of shape ``(step,)``, mean power in kW."""

    steps: dict[str, Floats]
    """Every number of ``info`` by its name, `hidiff.envs.core.Outcome` and `Exogenous` among them."""
    reward: Floats
    episode: Episode
    """The record that indicators, comparisons and reports read."""

    def __getattr__(self, name: str) -> Floats:
        """A column of ``steps``, such as ``run.battery_kw``."""
        try:
            return self.__dict__["steps"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"no {name!r} in the episode; there are {', '.join(self.steps)}") from None

    @property
    def energy_kwh(self) -> Floats:
        """Energy stored in the battery at the END of each step [kWh]."""
        return self.steps["battery_kwh"]

    @property
    def step_cost(self) -> Floats:
        """Bill of each step, the daily charge included [currency]."""
        return self.steps["cost"]

    @property
    def cost(self) -> float:
        """Bill of the episode [currency]."""
        return float(self.steps["cost"].sum())


def simulate(
    env: HomeEnv, rule: Rule, *, seed: int | None = None, options: dict[str, Any] | None = None
) -> Simulation:
    """Run one episode of ``env`` under ``rule``.

    Args:
        seed: seed of the reset.
        options: options of the reset, such as ``{"home": "12", "start": "2011-11-29"}``.
    """
    env.reset(seed=seed, options=options)
    infos: list[dict[str, Any]] = []
    rewards: list[float] = []
    is_over = False
    while not is_over:
        state = env.state
        asked = rule(state)
        if not isinstance(asked, Request):
            asked = unmanaged(state, float(asked))
        _, reward, _, is_over, info = env.step_request(asked)
        infos.append(info)
        rewards.append(reward)
    names = [name for name, value in infos[0].items() if isinstance(value, float)]
    steps = {name: np.array([info[name] for info in infos], float) for name in names}
    return Simulation(steps=steps, reward=np.array(rewards), episode=env.episode)
