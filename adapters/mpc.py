"""Rolling model predictive control of a home: each step begins the cheapest plan of the time ahead."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.envs.core import Request
from hidiff.envs.forecasts import Forecast
from hidiff.envs.rules import HomeState
from hidiff.envs.sources import Window

from .home_optimum import solve_home
from .mpc_chance import Chance, decide_by_chance
from .mpc_model import Ahead, WarmModel
from .mpc_outlook import Outlook, forecast_outlook, scenario_outlook
from .mpc_problem import first_request, horizon_problem

if TYPE_CHECKING:
    from hidiff.diffusion.hierarchy import HiDiff
    from hidiff.envs.home import HomeEnv

Floats = NDArray[np.float64]
Kind = Literal["deterministic", "two-stage", "chance"]


@dataclass(frozen=True, kw_only=True)
class MpcConfig:
    """How a home is controlled ahead."""

    kind: Kind = "deterministic"
    """``deterministic`` takes one forecast for true; ``two-stage`` plans one present step for all scenarios, and later
    steps for each; ``chance`` is ``two-stage`` with an aim that a share of the scenarios keeps."""
    chance: Chance | None = None
    """Aim and share of ``chance``."""
    horizon_h: float = 24.0
    """Time that a plan covers, the present step included [h]; it ends with the episode at the latest."""
    forecast: Forecast = field(default_factory=Forecast)
    """Of load and PV: their mean for ``deterministic``; for the others the last seven days as scenarios
    (``persistence``) or ``members`` paths of the generator (``ensemble``). Its ``horizon_steps`` do not matter."""
    end_value_per_kwh: float | None = None
    """Worth of a kWh stored at the horizon's end [currency/kWh]; None takes the horizon's mean import price times the
    discharge efficiency. At the end of the episode it is the environment's own."""
    limit_penalty_per_kwh: float = 10.0
    """What energy above a limit of the connection counts, as in the environment [currency/kWh]."""

    def __post_init__(self) -> None:
        if self.kind not in ("deterministic", "two-stage", "chance"):
            raise ValueError(f"kind is {self.kind!r}; use 'deterministic', 'two-stage' or 'chance'")
        if (self.kind == "chance") != (self.chance is not None):
            raise ValueError(
                f"kind is {self.kind!r} and chance is {self.chance}; give a Chance to kind='chance' alone"
            )
        if not 0 < self.horizon_h <= 24 * 14:
            raise ValueError(f"horizon_h is {self.horizon_h}; it must be above 0 and at most 336 (two weeks)")
        if self.end_value_per_kwh is not None and not math.isfinite(self.end_value_per_kwh):
            raise ValueError(f"end_value_per_kwh is {self.end_value_per_kwh}; it must be finite, or None")
        if not 0 <= self.limit_penalty_per_kwh < math.inf:
            raise ValueError(
                f"limit_penalty_per_kwh is {self.limit_penalty_per_kwh}; it must be at least 0 and finite"
            )


class MpcController:
    """A rule for `hidiff.envs.rules.simulate`, and for whoever steps a `HomeEnv` by hand::

        env = HomeEnv(traces, home)
        run = simulate(env, MpcController(env))

    Load and PV of the present step are known, as are prices, and what the episode brings to the further devices
    (weather, trips, hot water, machines that are filled); load and PV of later steps are forecast.

    A battery under a tariff of energy prices alone is planned by one HiGHS model that stays warm. A home with more
    devices, or a tariff that counts months, is planned by the model of `hidiff.adapters.home_optimum`, built anew at
    each step.

    Args:
        env: the environment that it controls.
        model: generator of an ensemble; the shipped one by default.

    Raises:
        ValueError: a horizon shorter than three steps, a battery that a linear programme cannot model, scenarios for a
            home that is not a battery under energy prices.
    """

    def __init__(self, env: HomeEnv, config: MpcConfig | None = None, *, model: HiDiff | None = None) -> None:
        self.env, self.config, self._generator = env, config or MpcConfig(), model
        self.horizon_steps = round(self.config.horizon_h / env.dt_h)
        if self.horizon_steps < 3:
            raise ValueError(
                f"horizon_h is {self.config.horizon_h}, less than three steps of {env.dt_h:g} h; look further ahead"
            )
        home = env.home
        self.is_warm = (
            home.battery is not None
            and not (home.car or home.heat_pump or home.tank or home.appliances)
            and home.tariff.is_energy_only
        )
        """Whether the fast model is used."""
        if home.battery is not None and not home.battery.is_linear:
            raise ValueError(
                f"the battery has loss_per_kw={home.battery.loss_per_kw} and soc_loss={home.battery.soc_loss}; a linear "
                "programme needs both at 0"
            )
        if self.config.kind != "deterministic" and not self.is_warm:
            raise ValueError(
                f"kind={self.config.kind!r} plans a battery under energy prices; this home has more devices or a tariff "
                "that counts months: use kind='deterministic'"
            )
        self._window: Window | None = None
        self._outlook: Outlook
        self._model: WarmModel

    def __call__(self, state: HomeState) -> Request:
        """What to do in the step that begins."""
        env = self.env
        if env.window is not self._window:
            self._begin(env.window)
        step = env.steps_done
        load_kw, pv_kw = self._outlook(step)
        steps = min(self.horizon_steps, len(env.time) - step)
        span = slice(step, step + steps)
        load_kw, pv_kw = load_kw[:, : steps - 1], pv_kw[:, : steps - 1]
        if not self.is_warm:
            return self._anew(state, span, load_kw[0], pv_kw[0])
        ahead = Ahead(
            load_kw=load_kw, pv_kw=pv_kw, import_price=env.series["import_price"][span],
            export_price=env.series["export_price"][span], end_value_per_kwh=self._end_value(span),
        )  # fmt: skip
        if self.config.chance is not None and steps > 1:
            kept = decide_by_chance(
                env.home, self.config.chance, dt_h=env.dt_h, energy_kwh=state.energy_kwh, load_kw=state.load_kw,
                pv_kw=state.pv_kw, ahead=ahead, penalty_per_kwh=self.config.limit_penalty_per_kwh,
            )  # fmt: skip
            return Request(kept.battery_kw)
        decision = self._model.decide(step, state.energy_kwh, state.load_kw, state.pv_kw, ahead)
        if not decision.is_one_way and self.config.kind == "deterministic":
            return self._anew(state, span, load_kw[0], pv_kw[0])
        return Request(decision.battery_kw)

    def _begin(self, window: Window) -> None:
        """Forecast a new episode."""
        env, forecast, ahead = self.env, self.config.forecast, self.horizon_steps - 1
        pv_scale = env.home.pv_scale(window.pv_capacity_kwp)
        scenarios = 1
        if self.config.kind == "deterministic":
            self._outlook = forecast_outlook(forecast, window, ahead, pv_scale, self._generator)
        else:
            self._outlook, scenarios = scenario_outlook(forecast, window, ahead, pv_scale, self._generator)
        if self.is_warm and (self._window is None or scenarios != self._model.scenarios):
            self._model = WarmModel(
                env.home, dt_h=env.dt_h, horizon_steps=self.horizon_steps, scenarios=scenarios,
                limit_penalty_per_kwh=self.config.limit_penalty_per_kwh,
            )  # fmt: skip
        self._window = window

    def _end_value(self, span: slice) -> float:
        env = self.env
        if span.stop == len(env.time):
            return float(env.end_value_per_kwh)
        if self.config.end_value_per_kwh is not None:
            return self.config.end_value_per_kwh
        return float(env.series["import_price"][span].mean()) * float(env.parameters.store_efficiency)

    def _anew(self, state: HomeState, span: slice, load_kw: Floats, pv_kw: Floats) -> Request:
        """First step of the horizon's optimum, by a model built for it."""
        env = self.env
        series = {name: values[span] for name, values in env.series.items()}
        series["load_kw"], series["pv_kw"] = np.append(state.load_kw, load_kw), np.append(state.pv_kw, pv_kw)
        time, given = env.time[span], env.window.given.get("wholesale_per_kwh")
        wholesale = None if given is None else np.resize(np.asarray(given[span], float), max(len(time), 2))
        if len(time) == 1:  # a problem has two steps at least: one in which nothing pays follows the last
            time, series = _padded(env.time[-2:], series, self._end_value(span))
        problem = horizon_problem(
            env.home, state, env.meter, time, series, time_zone=env.window.time_zone,
            end_value_per_kwh=self._end_value(span), limit_penalty_per_kwh=self.config.limit_penalty_per_kwh,
            wholesale_per_kwh=wholesale,
        )  # fmt: skip
        return first_request(solve_home(problem), env.home, state)


def _padded(
    last: pd.DatetimeIndex, series: dict[str, Floats], end_value_per_kwh: float
) -> tuple[pd.DatetimeIndex, dict[str, Floats]]:
    """The last step and one after it, without load, PV and any reason to buy."""
    longer = {name: np.append(values, np.zeros_like(values[:1]), axis=0) for name, values in series.items()}
    for name in ("outdoor_c", "heating_cop", "cooling_cop", "low_c", "high_c", "heat_gain_kw"):
        if name in series:
            longer[name][-1] = series[name][-1]
    longer["import_price"][-1] = 2 * (abs(end_value_per_kwh) + 1)
    return last[1:].append(last[1:] + (last[1] - last[0])), longer
