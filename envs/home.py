"""``HomeEnv``: one home with load, PV, a battery and a tariff, as a Gymnasium environment."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data.traces import Traces
from hidiff.home import Home

from .physics.battery import charge, feasible_power, power_span
from .physics.connection import battery_window, settle
from .rules import HomeState
from .sources import TraceSource, Window
from .tariffs import energy_cost, export_price_per_kwh, import_price_per_kwh, local_clock

POWER_BOUND_KW = 100.0
"""Largest load and PV that the observation space covers [kW]."""
PRICE_BOUND_PER_KWH = 100.0
"""Largest price, up or down, that the observation space covers [currency/kWh]."""
SOC_COLUMN = 5

Observation = NDArray[np.float32]


class HomeEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """Run the battery of one home so that its bill is small.

    Within a step, load, PV and battery are constant; the inverter curtails PV where the export limit asks for
    it or where the prices reward it (see ``physics.connection.settle``). The energies of every step balance:
    ``load + battery + export = import + pv_used``.

    Observation:
        ``Box(10 + look_ahead_steps, float32)``; load and PV are those of the step that is about to run.

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

        Times are those of the local clock.

    Action:
        ``Box(-1, 1, (1,), float32)``: battery power as a share of its largest charge power (> 0) or discharge
        power (< 0); without a power limit the share is of the power that fills or empties the battery within
        one step. What the state of charge or a limit of the connection does not allow is cut off; ``info``
        reports ``requested_kw`` and ``battery_kw`` (applied). A home without a battery accepts actions that
        do nothing.

    Reward:
        ``-(cost + penalty) + end_value``, a Python float.
        ``cost = (import_kw * import_price - export_kw * export_price) * dt_h + daily_charge * dt_h / 24``:
        summed over the episode it is the bill. ``penalty = limit_penalty_per_kwh * excess_kw * dt_h`` counts
        import above ``import_limit_kw`` (a load that neither PV nor the battery covered: it is still supplied
        and paid for), or export above ``export_limit_kw`` (only PV that cannot be curtailed). ``end_value``
        is 0 until the last step, then ``end_value_per_kwh * (energy stored now - energy at the start)``, so
        that emptying the battery earns nothing.

    Start:
        A random home and a random local midnight from which the whole episode has measurements; the battery
        stands at ``soc_initial``. ``reset(options={"home": name, "start": stamp})`` names either or both.

    End:
        Truncated after ``episode_days`` of 24 h; never terminated.

    Arguments:
        traces: load and PV to draw episodes from; None makes synthetic homes (no download).
        home: battery, tariff, PV and limits; the default is a 13.5 kWh battery on a time-of-use tariff.
        episode_days: length of an episode [days of 24 h].
        look_ahead_steps: import prices shown beyond the present one.
        end_value_per_kwh: worth of stored energy at the end [currency/kWh]; None takes the episode's mean
            import price times the discharge efficiency, 0 lets the battery be emptied for free.
        limit_penalty_per_kwh: penalty for energy above a limit of the connection [currency/kWh].

    Versions:
        v0: first version.

    Raises:
        ValueError: traces shorter than an episode, or values beyond the bounds of the observation.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own form)

    def __init__(
        self,
        traces: Traces | None = None,
        home: Home | None = None,
        *,
        episode_days: float = 7,
        look_ahead_steps: int = 16,
        end_value_per_kwh: float | None = None,
        limit_penalty_per_kwh: float = 10.0,
        render_mode: None = None,
    ) -> None:
        if traces is None:
            from hidiff.data.synthetic import synthetic_homes

            traces = synthetic_homes(4, 35)
        if not 0 < episode_days < math.inf:
            raise ValueError(f"episode_days is {episode_days}; it must be above 0 and finite")
        if not look_ahead_steps >= 0:
            raise ValueError(f"look_ahead_steps is {look_ahead_steps}; it must be at least 0")
        if not 0 <= limit_penalty_per_kwh < math.inf:
            raise ValueError(
                f"limit_penalty_per_kwh is {limit_penalty_per_kwh}; it must be at least 0 and finite"
            )
        if end_value_per_kwh is not None and not math.isfinite(end_value_per_kwh):
            raise ValueError(f"end_value_per_kwh is {end_value_per_kwh}; it must be finite, or None")
        if render_mode is not None:
            raise ValueError(f"render_mode is {render_mode!r}; HomeEnv draws nothing, use None")
        self.home = Home() if home is None else home
        self.dt_h = traces.dt_h
        self.source = TraceSource(traces, round(episode_days * 24 / self.dt_h))
        self.render_mode = render_mode
        self._end_value_per_kwh = end_value_per_kwh
        self._limit_penalty_per_kwh = limit_penalty_per_kwh
        battery = self.home.battery
        self._span_kw = (0.0, 0.0) if battery is None else power_span(battery, dt_h=self.dt_h)
        self._day_share = self.home.tariff.daily_charge * self.dt_h / 24
        self._clock = self._clock_features(traces, look_ahead_steps)
        self._check_bounds(traces)

        power, price = [POWER_BOUND_KW] * 2, [PRICE_BOUND_PER_KWH] * (2 + look_ahead_steps)
        high = np.array([1, 1, 1, 1, 1, 1, *power, *price], np.float32)
        low = np.array([-1, -1, -1, -1, 0, 0, 0, 0, *(-value for value in price)], np.float32)
        self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._step = self._steps = 0

    def _clock_features(self, traces: Traces, look_ahead_steps: int) -> NDArray[np.float64]:
        """What follows from the clock alone, ``(step, feature)``; one step more than the traces have."""
        gap = pd.Timedelta(hours=self.dt_h)
        count = len(traces.time) + 1  # the observation after the last step has a clock and a price as well
        time = pd.date_range(traces.time[0], periods=count + look_ahead_steps, freq=gap)
        local = local_clock(time, traces.time_zone)[:count]
        day = 2 * np.pi * np.asarray(local.hour + local.minute / 60) / 24
        year = 2 * np.pi * np.asarray(local.day_of_year - 1) / 366
        weekend = np.asarray(local.day_of_week >= 5, float)
        prices = import_price_per_kwh(self.home.tariff, time, traces.time_zone)
        ahead = np.lib.stride_tricks.sliding_window_view(prices, look_ahead_steps + 1)
        export = export_price_per_kwh(self.home.tariff, time[:count], traces.time_zone)
        angles = [np.sin(day), np.cos(day), np.sin(year), np.cos(year)]
        return np.column_stack([*angles, weekend, export, ahead])

    def _check_bounds(self, traces: Traces) -> None:
        scale = self.home.pv_capacity_kwp
        pv_kw = traces.pv_kw
        if scale is not None:
            pv_kw = pv_kw * np.array([[self.home.pv_scale(kwp)] for kwp in traces.homes["pv_capacity_kwp"]])
        for name, power_kw in (("load_kw", traces.load_kw), ("pv_kw", pv_kw)):
            worst = float(np.nanmax(power_kw)), float(np.nanmin(power_kw))
            if not (worst[0] <= POWER_BOUND_KW and worst[1] >= 0):
                raise ValueError(
                    f"{name} runs from {worst[1]:.3g} to {worst[0]:.3g} kW, outside 0 to {POWER_BOUND_KW:g} "
                    "kW; repair the traces, or leave out the homes that are no households"
                )
        price = float(np.abs(self._clock[:, SOC_COLUMN:]).max())
        if price > PRICE_BOUND_PER_KWH:
            raise ValueError(
                f"a price of {price} per kWh lies beyond {PRICE_BOUND_PER_KWH:g}; use a larger currency unit"
            )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; ``options`` may hold ``home`` (a name) and ``start`` (a stamp).

        Raises:
            ValueError: an unknown option or home, or a start without a whole episode behind it.
        """
        super().reset(seed=seed)
        options = options or {}
        unknown = sorted(set(options) - {"home", "start"})
        if unknown:
            raise ValueError(f"unknown option {unknown[0]!r}; reset takes 'home' and 'start'")
        self._begin(self.source.draw(self.np_random, home=options.get("home"), start=options.get("start")))
        return self._observation(), {"home": self.window.home, "start": self.time[0].isoformat()}

    def _begin(self, window: Window) -> None:
        """Lay the window's load, PV and prices out as plain floats, which is what keeps a step fast."""
        traces = self.source.traces
        span = slice(window.first, window.first + window.steps)
        self.window = window
        self.time: pd.DatetimeIndex = traces.time[span]
        pv_scale = self.home.pv_scale(float(traces.homes["pv_capacity_kwp"].iloc[window.row]))
        load_kw = traces.load_kw[window.row, span].astype(float)
        pv_kw = traces.pv_kw[window.row, span].astype(float) * pv_scale
        clock = self._clock[span]
        self._rows = self._observations(window, pv_scale)
        self._load_kw, self._pv_kw = load_kw.tolist(), pv_kw.tolist()
        self._export_price, self._import_price = clock[:, 5].tolist(), clock[:, 6].tolist()
        battery = self.home.battery
        self._energy_kwh = 0.0 if battery is None else battery.soc_initial * battery.capacity_kwh
        self._energy_start_kwh = self._energy_kwh
        if self._end_value_per_kwh is not None:
            self._worth_per_kwh = self._end_value_per_kwh
        else:
            efficiency = 0.0 if battery is None else battery.efficiency_discharge
            self._worth_per_kwh = float(clock[:, 6].mean()) * efficiency
        self._step, self._steps = 0, window.steps

    def _observations(self, window: Window, pv_scale: float) -> Observation:
        """Observations of the window and the step after it, ``(step + 1, feature)``, state of charge left 0.

        Where the traces end with the window, or have a gap there, the last load and PV stand in.
        """
        traces = self.source.traces
        steps = np.arange(window.first, window.first + window.steps + 1)
        known = np.minimum(steps, len(traces.time) - 1)
        load_kw = traces.load_kw[window.row, known]
        pv_kw = traces.pv_kw[window.row, known] * pv_scale
        power_kw = np.stack([load_kw, pv_kw], axis=1)
        if np.isnan(power_kw[-1]).any():
            power_kw[-1] = power_kw[-2]
        clock = self._clock[steps]
        soc = np.zeros(len(steps))
        return np.column_stack([clock[:, :5], soc, power_kw, clock[:, 5:]]).astype(np.float32)

    @property
    def load_kw(self) -> NDArray[np.float64]:
        """Load of the present episode, ``(step,)`` [kW]."""
        return np.array(self._load_kw)

    @property
    def pv_kw(self) -> NDArray[np.float64]:
        """PV available in the present episode, scaled to the home, ``(step,)`` [kW]."""
        return np.array(self._pv_kw)

    @property
    def state(self) -> HomeState:
        """What a rule sees at the step that is about to run."""
        self._check_running()
        t = self._step
        return HomeState(
            self._load_kw[t], self._pv_kw[t], self._energy_kwh, self._import_price[t], self._export_price[t]
        )

    def _check_running(self) -> None:
        if self._step >= self._steps:
            raise gymnasium.error.ResetNeeded("no episode is running; call reset() first")

    def _observation(self) -> Observation:
        row: Observation = self._rows[self._step].copy()
        if self.home.battery is not None:
            row[SOC_COLUMN] = self._energy_kwh / self.home.battery.capacity_kwh
        return row

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Run one step at a share of the battery's power.

        Raises:
            ValueError: an action outside -1 to 1, or not one number.
        """
        share = float(action[0])
        if len(action) != 1 or not -1.0 <= share <= 1.0:
            raise ValueError(f"action is {action}; it must be one number from -1 to 1, so clip it first")
        return self.step_power(share * (self._span_kw[0] if share > 0 else self._span_kw[1]))

    def step_power(self, power_kw: float) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Run one step at a battery power in kW, > 0 charges; what is not possible is cut off and reported.

        Raises:
            ValueError: a power that is not a finite number.
            ResetNeeded: no episode is running.
        """
        self._check_running()
        if not math.isfinite(power_kw):
            raise ValueError(f"battery power is {power_kw} kW; it must be finite")
        t, dt_h, home, battery = self._step, self.dt_h, self.home, self.home.battery
        load_kw, pv_kw = self._load_kw[t], self._pv_kw[t]
        applied_kw = 0.0
        if battery is not None:
            low_kw, high_kw = feasible_power(self._energy_kwh, battery, dt_h=dt_h)
            open_low_kw, open_high_kw = battery_window(load_kw, pv_kw, home)
            applied_kw = min(max(power_kw, low_kw, open_low_kw), high_kw, open_high_kw)
            self._energy_kwh = charge(self._energy_kwh, applied_kw, battery, dt_h=dt_h)
        import_price, export_price = self._import_price[t], self._export_price[t]
        flows = settle(
            load_kw + applied_kw,
            pv_kw,
            home,
            import_price_per_kwh=import_price,
            export_price_per_kwh=export_price,
        )
        cost = (
            energy_cost(flows.import_kw, flows.export_kw, import_price, export_price, dt_h=dt_h)
            + self._day_share
        )
        penalty = self._limit_penalty_per_kwh * flows.excess_kw * dt_h
        self._step = t + 1
        is_over = self._step >= self._steps
        end_value = self._worth_per_kwh * (self._energy_kwh - self._energy_start_kwh) if is_over else 0.0
        info = {
            "requested_kw": power_kw,
            "battery_kw": applied_kw,
            "energy_kwh": self._energy_kwh,
            "load_kw": load_kw,
            "pv_kw": pv_kw,
            "pv_used_kw": flows.pv_used_kw,
            "curtailed_kw": pv_kw - flows.pv_used_kw,
            "import_kw": flows.import_kw,
            "export_kw": flows.export_kw,
            "excess_kw": flows.excess_kw,
            "cost": cost,
            "penalty": penalty,
            "end_value": end_value,
        }
        return self._observation(), end_value - cost - penalty, False, is_over, info
