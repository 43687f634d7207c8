"""``HomeEnv``: one home with load, PV, devices and a tariff, as a Gymnasium environment."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data.traces import Traces
from hidiff.home import Home

from . import core
from .actions import action_space, shares_of
from .checks import check_power, check_span, check_step
from .clock import Clock
from .episode import Episode
from .exogenous import device_exogenous
from .forecasts import Forecast
from .meter import MeterState, meter_step, start_meter
from .observation import CALENDAR_H, PRICE_BOUND_PER_KWH, features
from .observation_rows import known_rows
from .ops import FLOATS
from .parameters import one_home
from .record import Kept, before_start, record
from .rules import HomeState
from .sources import Source, TraceSource, Window
from .sources_given import own_arrays

Observation = NDArray[np.float32]
Step = tuple[Observation, float, bool, bool, dict[str, Any]]


class HomeEnv(gymnasium.Env[Observation, Any]):
    """Run the devices of one home so that its bill is small and its people are served.

    Within a step, load, PV and devices are constant; the inverter curtails PV where the export limit asks for
    it or where the prices reward it (see ``physics.connection.settle``). The energies of every step balance:
    ``demand + export = import + pv_used``, where the demand is the load and all devices.

    Observation:
        ``Box(float32)``, 10 + ``look_ahead_steps`` numbers for a home with a battery only; ``feature_table()``
        lists all of them for the home at hand. Load and PV are those of the step that is about to run; times are
        those of the local clock.

        ===== ============================== ============= ===== =====
        index name                           unit          low   high
        ===== ============================== ============= ===== =====
        0, 1  sine, cosine of time of day    -             -1    1
        2, 3  sine, cosine of time of year   -             -1    1
        4     weekend (Saturday, Sunday)     -             0     1
        5     state of charge                -             0     1
        6     load                           kW            0     100
        7     PV available                   kW            0     100
        8     export price                   currency/kWh  -100  100
        9     import price now               currency/kWh  -100  100
        10 …  import price, 1 … steps ahead  currency/kWh  -100  100
        ===== ============================== ============= ===== =====

        Then, where the home has them: of the car its charge, whether it is at home, the hours to its next departure
        (up to 48) and the energy of that trip; of the house five temperatures; the tank's fill; of each appliance
        how long its start may wait (-1: nothing waits) and how long it still runs; of a tariff the peaks and the
        import of the billing month.

    Action:
        ``Box(-1, 1, float32)``, one number for the battery and one for each other device, in the order car, heat
        pump, tank, appliances. For battery and car it is a share of the largest charge power (> 0) or discharge
        power (< 0); without a power limit the share is of the power that fills or empties the battery within
        one step. The heat pump heats (> 0) or cools (< 0) at a share of its power; the tank is heated at a share
        (> 0) or off; an appliance that waits starts above 0. What a device's state or a limit of the connection
        does not allow is cut off; ``info`` reports what was applied, and ``requested_kw`` of the battery. A home
        without a battery accepts actions that do nothing.

    Reward:
        ``-(cost + wear_cost + service_cost + discomfort_cost + penalty) + end_value``, a Python float.
        ``cost``, summed over the episode, is the bill. ``wear_cost`` pays for the battery's fade, ``service_cost``
        for energy that a trip or a draw of hot water lacked, ``discomfort_cost`` for temperatures outside their
        bounds. ``penalty = limit_penalty_per_kwh * excess_kw * dt_h`` counts
        import above ``import_limit_kw`` (a load that neither PV nor the battery covered: it is still supplied
        and paid for), or export above ``export_limit_kw`` (only PV that cannot be curtailed). ``end_value``
        is 0 until the last step, then it pays for the energy gained in battery, car and tank since the start, so that
        emptying them earns nothing.

    Start:
        A random home and a random local midnight from which the whole episode has measurements; the devices
        stand at their initial states. ``reset(options={"home": name, "start": stamp})`` names either or both;
        ``info["episode"]`` given back as ``options={"episode": …}`` replays an episode, whatever the source;
        ``options={"exogenous": {"load_kw": …, "pv_kw": …}, "start": stamp}`` runs an episode of your own arrays.

    End:
        Truncated after ``episode_days`` of 24 h; never terminated.

    Arguments:
        traces: load and PV to draw episodes from; None makes synthetic homes (no download).
        source: where episodes come from instead of traces: see `hidiff.envs.sources`; its windows say how long an
            episode is.
        home: devices, tariff, PV and limits; the default is a 13.5 kWh battery on a time-of-use tariff.
        episode_days: length of an episode [days of 24 h].
        look_ahead_steps: import prices shown beyond the present one.
        end_value_per_kwh: worth of energy stored at the end [currency/kWh]; None takes the episode's mean
            import price times the discharge efficiency, 0 lets the stores be emptied for free.
        limit_penalty_per_kwh: penalty for energy above a limit of the connection [currency/kWh].
        forecast: what is told of the coming load and PV: see `hidiff.envs.forecasts`; None tells nothing.
        levels: None: actions are continuous; a number >= 2: each is one of so many even levels from -1 to 1, as
            ``Discrete(levels)`` for one device and ``MultiDiscrete`` for several.
        render_mode: "rgb_array" draws the local day in progress and the one before it, ``(600, 800, 3)``.
        check: raise where a step breaks the account of energy or a bound; for tests.

    Versions:
        v0: first version.

    Raises:
        ValueError: traces shorter than an episode, or values beyond the bounds of the observation.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's own form)
        "render_modes": ["rgb_array"], "render_fps": 10,
    }  # fmt: skip

    def __init__(
        self,
        traces: Traces | None = None,
        home: Home | None = None,
        *,
        source: Source | None = None,
        episode_days: float = 7,
        look_ahead_steps: int = 16,
        end_value_per_kwh: float | None = None,
        limit_penalty_per_kwh: float = 10.0,
        render_mode: str | None = None,
        forecast: Forecast | None = None,
        levels: int | None = None,
        check: bool = False,
    ) -> None:
        if not 0 < episode_days < math.inf:
            raise ValueError(f"episode_days is {episode_days}; it must be above 0 and finite")
        if source is not None and traces is not None:
            raise ValueError(
                "traces and source are both given; the source alone says where episodes come from"
            )
        if not look_ahead_steps >= 0:
            raise ValueError(f"look_ahead_steps is {look_ahead_steps}; it must be at least 0")
        if not 0 <= limit_penalty_per_kwh < math.inf:
            raise ValueError(
                f"limit_penalty_per_kwh is {limit_penalty_per_kwh}; it must be at least 0 and finite"
            )
        if end_value_per_kwh is not None and not math.isfinite(end_value_per_kwh):
            raise ValueError(f"end_value_per_kwh is {end_value_per_kwh}; it must be finite, or None")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode is {render_mode!r}; use None or 'rgb_array'")
        self.home = Home() if home is None else home
        if source is None:
            if traces is None:
                from hidiff.data.synthetic import synthetic_homes

                traces = synthetic_homes(4, 35)
            source = TraceSource(traces, round(episode_days * 24 / traces.dt_h))
            check_power(self.home, traces)
        self.source: Source = source
        self.dt_h = source.dt_h
        self.render_mode = render_mode
        self._look_ahead_steps = look_ahead_steps
        self._asked_end_value = end_value_per_kwh
        self._limit_penalty_per_kwh = limit_penalty_per_kwh
        self._check = check
        self.parameters = one_home(self.home, dt_h=self.dt_h)
        self._forecast = forecast
        self._clocks: dict[tuple[int, int], Clock] = {}

        self._features = features(
            self.parameters, look_ahead_steps=look_ahead_steps, demand_charges=len(self.home.tariff.demand),
            has_blocks=bool(self.home.tariff.blocks), forecast_steps=forecast.horizon_steps if forecast else 0,
        )  # fmt: skip
        low = np.array([feature.low for feature in self._features], np.float32)
        high = np.array([feature.high for feature in self._features], np.float32)
        self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        self.action_names = core.action_names(self.parameters)
        self._levels = levels
        self.action_space = action_space(len(self.action_names), levels)
        self._place = {feature.name: place for place, feature in enumerate(self._features)}
        self._step = self._steps = 0
        self._kept: list[Kept] = []

    def feature_table(self) -> pd.DataFrame:
        """Name, unit and bounds of every number of the observation."""
        return pd.DataFrame(self._features)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; ``options`` may hold ``home``, ``start``, ``episode`` and ``exogenous``.

        Raises:
            ValueError: an unknown option or home, or a start without a whole episode behind it.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        unknown = sorted(set(options) - {"home", "start", "episode", "exogenous"})
        if unknown:
            raise ValueError(
                f"unknown option {unknown[0]!r}; reset takes 'home', 'start', 'episode' and 'exogenous'"
            )
        source, given = self.source, options.pop("exogenous", None)
        if given is not None:
            if not {"load_kw"} <= set(given) or "start" not in options:
                raise ValueError("an episode of your own needs exogenous['load_kw'] and the option 'start'")
            source = own_arrays(given, options.pop("start"), self.dt_h)
        self._begin(source.draw(self.np_random, **options))
        window = self.window
        return self._observation(), {
            "home": window.home, "start": self.time[0].isoformat(), "episode": window.episode
        }  # fmt: skip

    def _clock_of(self, window: Window) -> tuple[Clock, int]:
        """Calendar and prices of a window, and where it begins in them."""
        wholesale = window.given.get("wholesale_per_kwh")
        if wholesale is not None or len(window.record_time) == window.steps:
            return self._new_clock(window.time, window.time_zone, wholesale), 0
        record = window.record_time
        key = record[0].value, len(record)
        if key not in self._clocks:
            self._clocks[key] = self._new_clock(record, window.time_zone, None)
        return self._clocks[key], window.first

    def _new_clock(self, time: pd.DatetimeIndex, time_zone: str, wholesale: Any) -> Clock:
        clock = Clock(
            self.home.tariff, time, time_zone, ahead=self._look_ahead_steps, wholesale_per_kwh=wholesale
        )
        series = clock.series
        price = float(max(np.abs(series.import_price).max(), np.abs(series.export_price).max()))
        if price > PRICE_BOUND_PER_KWH:
            raise ValueError(
                f"a price of {price} per kWh lies beyond {PRICE_BOUND_PER_KWH:g}; use a larger currency unit"
            )
        return clock

    def _begin(self, window: Window) -> None:
        """Lay the episode out as plain floats, which is what keeps a step fast."""
        clock, first = self._clock_of(window)
        span = slice(first, first + window.steps)
        self.window, self._clock = window, clock
        self.time: pd.DatetimeIndex = window.time
        pv_scale = self.home.pv_scale(window.pv_capacity_kwp)
        series = {"load_kw": window.load_kw.astype(float), "pv_kw": window.pv_kw.astype(float) * pv_scale}
        check_span(series, window.home)
        # the calendar of the car, and what is seen after the last step, reach beyond the window
        beyond = 0 if window.given else len(window.record_time) - window.first - window.steps
        longer = replace(window, steps=window.steps + min(beyond, round(CALENDAR_H / self.dt_h) + 1))
        found = device_exogenous(self.home, longer)
        series |= {name: values[: window.steps] for name, values in found.items()}
        series["import_price"] = np.asarray(window.given.get("import_price", clock.import_price[span]))
        series["export_price"] = np.asarray(window.given.get("export_price", clock.export_price[span]))
        self.series: dict[str, NDArray[np.float64]] = series
        """What the episode brings from outside, by the names of `hidiff.envs.core.Exogenous`, ``(step,)``."""
        self._may_be_negative = bool((series["import_price"] < 0).any() or (series["export_price"] < 0).any())
        self._outside = self._lay_out(series)
        self._rows = known_rows(
            self._features, window, clock, first, series, found, pv_scale=pv_scale, forecast=self._forecast
        )
        marks = clock.series.is_month_start[span].copy()
        marks[0] = 1.0
        self._month_start = marks.tolist()
        self._demand_window = clock.series.in_demand_window[:, span].T.tolist()
        self._state = self._start = core.start(self.parameters)
        self._kept = []
        self._meter: MeterState = start_meter(self.home.tariff)
        self._start_kwh = self._stored_kwh()
        if self._asked_end_value is not None:
            self.end_value_per_kwh = self._asked_end_value
        else:
            self.end_value_per_kwh = float(series["import_price"].mean()) * self.parameters.store_efficiency
        self._step, self._steps = 0, window.steps

    def _lay_out(self, series: dict[str, NDArray[np.float64]]) -> list[core.Exogenous]:
        """One tuple of floats a step."""
        count = len(series["load_kw"])
        missing = core.Exogenous._field_defaults
        columns = []
        for name in core.Exogenous._fields:
            if name == "appliance_request":
                requests = series.get(name, np.zeros((count, len(self.home.appliances))))
                columns.append([tuple(row) for row in requests.tolist()])
            else:
                columns.append(series[name].tolist() if name in series else [missing[name]] * count)
        return list(map(core.Exogenous._make, zip(*columns, strict=True)))

    @property
    def load_kw(self) -> NDArray[np.float64]:
        """Load of the present episode, ``(step,)`` [kW]."""
        return self.series["load_kw"].copy()

    @property
    def pv_kw(self) -> NDArray[np.float64]:
        """PV available in the present episode, scaled to the home, ``(step,)`` [kW]."""
        return self.series["pv_kw"].copy()

    @property
    def episode(self) -> Episode:
        """The record of the present episode so far; for indicators and reports.

        Raises:
            ResetNeeded: no step was made.
        """
        if not self._kept:
            raise gymnasium.error.ResetNeeded("nothing has happened yet; call reset() and step() first")
        return record(self._kept, self.series, self.window, self.home, self.dt_h, start=self._start)

    def render(self) -> NDArray[np.uint8] | None:
        """The local day in progress and the one before it; None without a render mode."""
        if self.render_mode is None:
            return None
        from .render import DAYS_SHOWN, frame  # matplotlib, which only a picture needs

        if self._kept:
            first = max(len(self._kept) - round(24 * DAYS_SHOWN / self.dt_h), 0)
            shown = record(
                self._kept[first:], self.series, self.window, self.home, self.dt_h, start=self._start, first=first
            )  # fmt: skip
        elif self._steps:
            shown = before_start(self.series, self.window, self.home, self.dt_h, self._start)
        else:
            raise gymnasium.error.ResetNeeded("there is nothing to draw yet; call reset() first")
        return frame(shown, self.home)

    @property
    def state(self) -> HomeState:
        """What a rule sees at the step that is about to run."""
        self._check_running()
        t = self._step
        outside = self._outside[t]
        day = slice(t, t + round(24 / self.dt_h))
        return HomeState(
            outside.load_kw, outside.pv_kw, self._state.battery_kwh, outside.import_price, outside.export_price,
            self.series["import_price"][day].tolist(), self._state, outside, self.parameters, self.dt_h,
        )  # fmt: skip

    @property
    def steps_done(self) -> int:
        """Steps of the present episode that have run."""
        return self._step

    @property
    def meter(self) -> MeterState:
        """What the tariff has counted so far."""
        return self._meter

    def _check_running(self) -> None:
        if self._step >= self._steps:
            raise gymnasium.error.ResetNeeded("no episode is running; call reset() first")

    def _stored_kwh(self) -> float:
        """Electric energy that the stores stand for [kWh]."""
        state, home = self._state, self.parameters
        tank_kwh = state.tank_kwh / home.tank.cop if home.tank else 0.0
        return float(state.battery_kwh + state.car_kwh + tank_kwh)

    def _observation(self) -> Observation:
        row: Observation = self._rows[self._step].copy()
        state, home, place = self._state, self.parameters, self._place
        if home.battery:
            row[5] = state.battery_kwh / home.battery.usable_kwh
        if home.car:
            row[place["car: state of charge"]] = state.car_kwh / home.car.usable_kwh
        if home.heat_pump:
            row[place["house: air indoors"]], row[place["house: structure"]] = state.air_c, state.mass_c
        if home.tank:
            span_kwh = home.tank.heat_max_kwh - home.tank.heat_min_kwh
            row[place["tank: fill"]] = (state.tank_kwh - home.tank.heat_min_kwh) / span_kwh
        for number, (waiting_h, running_h) in enumerate(zip(state.waiting_h, state.running_h, strict=True)):
            row[place[f"appliance {number}: start may wait"]] = waiting_h
            row[place[f"appliance {number}: runs for"]] = running_h
        for number, demand in enumerate(self._meter.demand):
            row[place[f"peak of the month, demand charge {number}"]] = demand.peaks_kw[0]
        if self.home.tariff.blocks:
            row[place["import of the month"]] = self._meter.import_kwh
        return row

    def step(self, action: Any) -> Step:
        """Run one step at shares of the devices' powers.

        Raises:
            ValueError: an action outside -1 to 1, or not one number a device.
        """
        shares = action.tolist() if self._levels is None else shares_of(action, self._levels).tolist()
        count = len(self.action_names)
        if len(shares) != count or not all(-1.0 <= share <= 1.0 for share in shares):
            expected = "one number" if count == 1 else f"{count} numbers ({', '.join(self.action_names)})"
            raise ValueError(f"action is {action}; it must be {expected} from -1 to 1, so clip it first")
        return self.step_request(core.request(shares, self.parameters, FLOATS))

    def step_power(self, power_kw: float) -> Step:
        """Run one step at a battery power in kW, > 0 charges; other devices stay off."""
        return self.step_request(core.Request(power_kw, start=(0.0,) * len(self.home.appliances)))

    def step_request(self, asked: core.Request) -> Step:
        """Run one step at powers in kW; what is not possible is cut off and reported.

        Raises:
            ValueError: a power that is not a finite number.
            ResetNeeded: no episode is running.
        """
        self._check_running()
        if not math.isfinite(asked.battery_kw + asked.car_kw + asked.heat_pump_kw + asked.tank_kw):
            raise ValueError(f"the request is {asked}; powers must be finite")
        t, dt_h, before = self._step, self.dt_h, self._state
        outside = self._outside[t]
        self._state, happened = core.step(
            before, asked, outside, self.parameters, dt_h, FLOATS, may_be_negative=self._may_be_negative
        )
        if self._check:
            check_step(before, outside, happened, self._state, self.parameters, dt_h)
        self._meter, cost = meter_step(
            self._meter, happened.import_kw, happened.export_kw, outside.import_price, outside.export_price,
            self._month_start[t], self._demand_window[t], self.home.tariff, dt_h, FLOATS,
        )  # fmt: skip
        penalty = self._limit_penalty_per_kwh * happened.excess_kw * dt_h
        self._step = t + 1
        is_over = self._step >= self._steps
        end_value = self.end_value_per_kwh * (self._stored_kwh() - self._start_kwh) if is_over else 0.0
        self._kept.append(Kept(happened, asked.battery_kw, cost, penalty, end_value))
        info = happened._asdict()
        info["requested_kw"] = asked.battery_kw
        info["load_kw"], info["pv_kw"] = outside.load_kw, outside.pv_kw
        info["cost"], info["penalty"], info["end_value"] = cost, penalty, end_value
        paid = cost + penalty + happened.wear_cost + happened.service_cost + happened.discomfort_cost
        return self._observation(), end_value - paid, False, is_over, info
