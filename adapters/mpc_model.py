"""The programme that model predictive control of a battery solves at each step: one HiGHS model that stays warm.

The step that begins is known and shared; after it come ``scenarios`` futures. A future's steps lie on a ring: the step
that was decided leaves its place to the step that enters at the horizon, so that nearly all numbers, and the basis,
stay where they are. Only the place where the ring is cut moves on, by the coefficients of the stored energy there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hidiff.errors import NotConverged
from hidiff.home import Battery, Home

from .home_arrays import span, wear
from .home_schedule import TOLERANCE_KW
from .require import require

Floats = NDArray[np.float64]
Places = NDArray[np.int32]
NAMES = (
    "charge_kw", "discharge_kw", "battery_kwh", "import_kw", "export_kw", "pv_used_kw", "import_excess_kw",
    "export_excess_kw",
)  # fmt: skip
MOST_KW = 1000.0
"""Bound of a connection without a limit [kW]: it keeps the relaxation finite at any price."""


class Ahead(NamedTuple):
    """What is known, or taken for true, of the steps from the present one on, at most a horizon of them."""

    load_kw: Floats
    """Of later steps, ``(scenario, step)``, likewise ``pv_kw`` [kW]."""
    pv_kw: Floats
    import_price: Floats
    """From the present step on, ``(1 + step,)``, likewise ``export_price`` [currency/kWh]."""
    export_price: Floats
    end_value_per_kwh: float
    """Worth of a kWh in store after the last step [currency/kWh]."""


class Decision(NamedTuple):
    """What to do in the present step."""

    battery_kw: float
    """> 0 charges."""
    objective: float
    """Expected cost of the horizon, less what is constant [currency]."""
    is_one_way: bool
    """Whether no step of any scenario charges and discharges, or imports and exports, at once."""


class WarmModel:
    """Cheapest use of a battery over a horizon, solved again and again as time goes on.

    Args:
        horizon_steps: steps from the present one on, at least 3.
        scenarios: equally likely futures; they share the present step.
        limit_penalty_per_kwh: of energy above a limit of the connection that nothing can avoid.
    """

    def __init__(
        self,
        home: Home,
        *,
        dt_h: float,
        horizon_steps: int,
        scenarios: int = 1,
        limit_penalty_per_kwh: float = 10.0,
    ) -> None:
        if home.battery is None:
            raise ValueError("the home has no battery, so there is nothing to control")
        self.home, self.battery, self.dt_h = home, home.battery, dt_h
        self.ring, self.scenarios = horizon_steps - 1, scenarios
        self.blocks = 1 + self.ring * scenarios  # the present step, then the scenarios' rings
        self._limit_penalty = limit_penalty_per_kwh
        self._wear = wear(self.battery, dt_h)
        self._weight = np.append(1.0, np.full(self.blocks - 1, 1.0 / scenarios))
        self._at = np.arange(self.blocks, dtype=np.int32)
        self._columns = {name: place * self.blocks + self._at for place, name in enumerate(NAMES)}
        self._first = 1 + self.ring * np.arange(scenarios, dtype=np.int32)  # first block of each scenario
        self._cut: int | None = None
        self._pass_model()

    def _pass_model(self) -> None:
        """Build the programme once, with all rings closed and nothing drawn yet."""
        highspy = require("highspy")
        blocks, at, battery, dt_h = self.blocks, self._at, self.battery, self.dt_h
        column, ones = self._columns, np.ones(self.blocks)
        charge_max, discharge_max = span(battery, dt_h)
        before = at - 1
        before[self._first] += self.ring
        later = at[1:]
        entries = [
            (at, column["charge_kw"], ones), (at, column["discharge_kw"], -ones),
            (at, column["import_kw"], -ones), (at, column["import_excess_kw"], -ones),
            (at, column["export_kw"], ones), (at, column["export_excess_kw"], ones),
            (at, column["pv_used_kw"], -ones),
            (blocks + at, column["battery_kwh"], ones),
            (blocks + at, column["charge_kw"], -battery.efficiency_charge * dt_h * ones),
            (blocks + at, column["discharge_kw"], dt_h / battery.efficiency_discharge * ones),
            (blocks + later, column["battery_kwh"][before[1:]], -ones[1:]),
        ]  # fmt: skip
        rows, columns, values = (np.concatenate(part) for part in zip(*entries, strict=True))
        order = np.argsort(columns, kind="stable")
        zero, most = 0 * ones, MOST_KW * ones
        limits = [
            most if limit is None else limit * ones
            for limit in (self.home.import_limit_kw, self.home.export_limit_kw)
        ]
        upper = [
            charge_max * ones,
            discharge_max * ones,
            battery.energy_max_kwh * ones,
            *limits,
            zero,
            zero,
            zero,
        ]
        lower = [zero, zero, battery.energy_min_kwh * ones, *[zero] * 5]
        problem = highspy.HighsLp()
        problem.num_col_, problem.num_row_ = len(NAMES) * blocks, 2 * blocks
        self._cost = np.zeros(problem.num_col_)
        self._cost[column["discharge_kw"]] = self._weight * self._wear.per_discharge_kw
        self._upper, self._lower = np.concatenate(upper), np.concatenate(lower)
        self._right = np.zeros(2 * blocks)
        problem.col_cost_, problem.col_lower_, problem.col_upper_ = self._cost, self._lower, self._upper
        problem.row_lower_ = problem.row_upper_ = self._right
        problem.a_matrix_.start_ = np.searchsorted(columns[order], np.arange(problem.num_col_ + 1)).astype(
            np.int32
        )
        problem.a_matrix_.index_ = rows[order].astype(np.int32)
        problem.a_matrix_.value_ = values[order]
        solver = highspy.Highs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.passModel(problem)
        self._highspy, self._solver = highspy, solver

    def decide(self, step: int, energy_kwh: float, load_kw: float, pv_kw: float, ahead: Ahead) -> Decision:
        """Cheapest present step.

        Args:
            step: number of the present step; the model is warmest where it grows by one from call to call.
            energy_kwh: in store now.
            load_kw: of the present step.
            pv_kw: likewise, what is available.
            ahead: the later steps; fewer than the horizon where the episode ends.
        """
        self._cut_at((step + 1) % self.ring)
        self._write(step, energy_kwh, load_kw, pv_kw, ahead)
        values, objective = self._run()
        is_one_way = self._is_one_way(values, ahead)
        target_kwh = values[self._columns["battery_kwh"][0]]
        if (
            min(values[0], values[self.blocks]) > TOLERANCE_KW
        ):  # charges and discharges now: the better of the two ways
            target_kwh, objective = self._one_way_now()
        return Decision(power_between(energy_kwh, target_kwh, self.battery, self.dt_h), objective, is_one_way)

    def _cut_at(self, place: int) -> None:
        """Cut the rings before ``place``, where the energy of the present step flows in."""
        if place == self._cut:
            return
        energy, change = self._columns["battery_kwh"], self._solver.changeCoeff
        for first in self._first.tolist():
            for cut, now, ring in ((self._cut, 0.0, -1.0), (place, -1.0, 0.0)):
                if cut is not None:
                    row = self.blocks + first + cut
                    change(row, int(energy[0]), now)
                    change(row, int(energy[first + (cut - 1) % self.ring]), ring)
        self._cut = place

    def _write(self, step: int, energy_kwh: float, load_kw: float, pv_kw: float, ahead: Ahead) -> None:
        """Bring costs, bounds and right-hand sides up to date; what stays the same is not touched."""
        count = len(ahead.import_price) - 1  # of later steps, at most the ring
        places = (step + 1 + np.arange(count)) % self.ring
        net = np.zeros((3, self.blocks))  # load, PV, whether the step exists
        net[:, 0] = load_kw, pv_kw, 1.0
        prices = np.zeros((3, self.blocks))  # import, export, energy
        worth = np.full(1 + count, 2 * self._wear.per_kwh)
        worth[-1] = self._wear.per_kwh - ahead.end_value_per_kwh
        by_step = np.stack([self.dt_h * ahead.import_price, -self.dt_h * ahead.export_price, worth])
        prices[:, 0] = by_step[:, 0]
        rings, ring_prices = (
            net[:, 1:].reshape(3, self.scenarios, -1),
            prices[:, 1:].reshape(3, self.scenarios, -1),
        )
        rings[0][:, places], rings[1][:, places], rings[2][:, places] = ahead.load_kw, ahead.pv_kw, 1.0
        ring_prices[:, :, places] = by_step[:, None, 1:]
        prices *= self._weight
        load, pv, exists = net
        load = load + self.battery.standby_kw * exists
        self._exists = exists

        cost = self._cost.copy()
        column, home, penalty = (
            self._columns,
            self.home,
            self._limit_penalty * self.dt_h * self._weight * exists,
        )
        cost[column["import_kw"]], cost[column["export_kw"]] = prices[0], prices[1]
        cost[column["battery_kwh"]] = prices[2]
        upper, lower = self._upper.copy(), self._lower
        upper[column["pv_used_kw"]] = pv
        if not home.pv_curtailable:
            lower = lower.copy()
            lower[column["pv_used_kw"]] = pv
        if home.import_limit_kw is not None:
            cost[column["import_excess_kw"]] = prices[0] + penalty
            upper[column["import_excess_kw"]] = np.maximum(load - pv - home.import_limit_kw, 0.0)
        if home.export_limit_kw is not None and not home.pv_curtailable:
            cost[column["export_excess_kw"]] = prices[1] + penalty
            upper[column["export_excess_kw"]] = np.maximum(pv - load - home.export_limit_kw, 0.0)
        right = np.concatenate([-load, np.zeros(self.blocks)])
        right[self.blocks] = energy_kwh
        self._change(cost, lower, upper, right)

    def _change(self, cost: Floats, lower: Floats, upper: Floats, right: Floats) -> None:
        solver = self._solver
        at = np.flatnonzero(cost != self._cost).astype(np.int32)
        if len(at):
            solver.changeColsCost(len(at), at, cost[at])
        at = np.flatnonzero((upper != self._upper) | (lower != self._lower)).astype(np.int32)
        if len(at):
            solver.changeColsBounds(len(at), at, lower[at], upper[at])
        at = np.flatnonzero(right != self._right).astype(np.int32)
        if len(at):
            solver.changeRowsBounds(len(at), at, right[at], right[at])
        self._cost, self._lower, self._upper, self._right = cost, lower, upper, right

    def _run(self) -> tuple[list[float], float]:
        solver = self._solver
        solver.run()
        if solver.getModelStatus() != self._highspy.HighsModelStatus.kOptimal:
            solver.clearSolver()  # a basis can go stale numerically; a cold start has none
            solver.run()
        status = solver.getModelStatus()
        if status != self._highspy.HighsModelStatus.kOptimal:
            raise NotConverged(
                f"HiGHS stopped with {solver.modelStatusToString(status)!r} on a programme that has a solution"
            )
        return solver.getSolution().col_value, float(solver.getInfo().objective_function_value)

    def _is_one_way(self, values: list[float], ahead: Ahead) -> bool:
        if (
            self.home.pv_curtailable
            and ahead.export_price.min() >= 0
            and (ahead.import_price >= ahead.export_price).all()
        ):
            return True  # to burn energy, or to turn it over, never pays
        flows = np.array(values).reshape(len(NAMES), self.blocks) * self._exists
        return not any(
            (np.minimum(flows[one], flows[other]) > TOLERANCE_KW).any() for one, other in ((0, 1), (3, 4))
        )

    def _one_way_now(self) -> tuple[float, float]:
        """Energy and cost where the present step only charges, or only discharges, whichever is cheaper."""
        found = []
        for name in ("discharge_kw", "charge_kw"):
            place = int(self._columns[name][0])
            self._solver.changeColBounds(place, 0.0, 0.0)
            values, objective = self._run()
            found.append((objective, values[int(self._columns["battery_kwh"][0])]))
            self._solver.changeColBounds(place, 0.0, float(self._upper[place]))
        objective, target_kwh = min(found)
        return target_kwh, objective


def power_between(before_kwh: float, after_kwh: float, battery: Battery, dt_h: float) -> float:
    """Power at the terminals that takes a linear battery from one energy to another, within its limits [kW]."""
    change_kwh = after_kwh - before_kwh
    if change_kwh > 0:
        return min(change_kwh / (battery.efficiency_charge * dt_h), battery.charge_max_kw)
    return max(change_kwh * battery.efficiency_discharge / dt_h, -battery.discharge_max_kw)
