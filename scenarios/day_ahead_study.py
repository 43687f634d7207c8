"""A home with a battery that buys tomorrow's grid energy today: a small two-stage study to judge reductions by.

First stage: a grid profile bought day-ahead. Second stage: load, PV and the spot price are seen, the battery is
dispatched, and what is missing or left over is settled at the spot price, less favourably by a penalty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hidiff.errors import InfeasibleError

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class DayAheadStudy:
    """Scenarios are rows of net load [kW] a step, then spot price [per kWh] a step."""

    day_ahead_price_per_kwh: Array
    """Per step; as a rule the mean of the spot prices."""
    dt_h: float = 0.5
    penalty_per_kwh: float = 0.10
    """Paid above the spot price for missing energy, and lost below it for energy left over."""
    capacity_kwh: float = 10.0
    power_kw: float = 5.0
    efficiency: float = 0.95
    """Each way."""
    import_kw: float = 10.0
    export_kw: float = 5.0

    @property
    def steps(self) -> int:
        """Of a day."""
        return len(self.day_ahead_price_per_kwh)

    def solve(self, scenarios: Array, probability: Array) -> Array:
        """Day-ahead purchase, ``(step,)`` [kW], of least expected cost: one linear programme of all scenarios."""
        steps, count = self.steps, len(scenarios)
        net_load, spot = self._split(scenarios)
        second, lower, upper = self._recourse
        weight = np.asarray(probability)[:, None]
        cost = np.concatenate(
            [self.dt_h * self.day_ahead_price_per_kwh, (weight * self._recourse_cost(spot)).ravel()]
        )
        link = sparse.vstack([sparse.eye(steps), sparse.csr_matrix((steps, steps))])
        matrix = sparse.hstack(
            [sparse.vstack([link] * count), sparse.block_diag([second] * count)], format="csc"
        )
        rows = np.concatenate([net_load, np.broadcast_to(self._storage_rows, (count, steps))], axis=1).ravel()
        highs = _model(
            cost, np.concatenate([np.full(steps, -self.export_kw), np.tile(lower, count)]),
            np.concatenate([np.full(steps, self.import_kw), np.tile(upper, count)]), matrix, rows,
        )  # fmt: skip
        highs.setOptionValue("solver", "ipm")
        return np.asarray(_run(highs)[:steps])

    def costs(self, decision: Array, scenarios: Array) -> Array:
        """Cost of each scenario, ``(scenario,)``; one model, whose prices and balances change."""
        steps = self.steps
        net_load, spot = self._split(scenarios)
        second, lower, upper = self._recourse
        prices = self._recourse_cost(spot)
        balance = net_load - decision
        highs = _model(
            prices[0], lower, upper, second.tocsc(), np.concatenate([balance[0], self._storage_rows])
        )
        columns = np.arange(second.shape[1], dtype=np.int32)
        rows = np.arange(steps, dtype=np.int32)
        result = np.empty(len(scenarios))
        for number in range(len(scenarios)):
            highs.changeColsCost(len(columns), columns, prices[number])
            highs.changeRowsBounds(len(rows), rows, balance[number], balance[number])
            _run(highs)
            result[number] = highs.getInfo().objective_function_value
        return result + self.dt_h * float(self.day_ahead_price_per_kwh @ decision)

    def evaluate(self, decision: Array, scenarios: Array, probability: Array) -> float:
        """Expected cost of a day."""
        return float(np.asarray(probability) @ self.costs(decision, scenarios))

    def _split(self, scenarios: Array) -> tuple[Array, Array]:
        if scenarios.ndim != 2 or scenarios.shape[1] != 2 * self.steps:
            raise ValueError(
                f"scenarios have shape {scenarios.shape}; {self.steps} steps ask for (scenario, {2 * self.steps})"
            )
        return scenarios[:, : self.steps], scenarios[:, self.steps :]

    def _recourse_cost(self, spot: Array) -> Array:
        nothing = np.zeros((len(spot), 3 * self.steps))
        short, left = spot + self.penalty_per_kwh, spot - self.penalty_per_kwh
        return np.concatenate([nothing, self.dt_h * short, -self.dt_h * left], axis=1)

    @cached_property
    def _storage_rows(self) -> Array:
        """Right sides of the storage equations: half full at the start."""
        rows = np.zeros(self.steps)
        rows[0] = self.capacity_kwh / 2
        return rows

    @cached_property
    def _recourse(self) -> tuple[sparse.csr_matrix, Array, Array]:
        """Matrix and bounds of one scenario's columns: charge, discharge, state of charge, missing, left over.

        Rows: bought + missing - left over + discharge - charge = net load; stored - before - in + out = start.
        """
        steps = self.steps
        one, none = sparse.eye(steps), sparse.csr_matrix((steps, steps))
        before = sparse.eye(steps, k=-1)
        matrix = sparse.bmat(
            [
                [-one, one, none, one, -one],
                [
                    -self.efficiency * self.dt_h * one,
                    self.dt_h / self.efficiency * one,
                    one - before,
                    none,
                    none,
                ],
            ]
        )
        unbounded = np.full(2 * steps, highspy.kHighsInf)
        upper = np.concatenate(
            [np.full(2 * steps, self.power_kw), np.full(steps, self.capacity_kwh), unbounded]
        )
        lower = np.zeros(5 * steps)
        lower[3 * steps - 1] = self.capacity_kwh / 2  # the day ends with as much as it began
        return matrix.tocsr(), lower, upper


def _model(cost: Array, lower: Array, upper: Array, matrix: sparse.csc_matrix, rows: Array) -> Any:
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = matrix.shape[1], matrix.shape[0]
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, lower, upper
    lp.row_lower_ = lp.row_upper_ = rows
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.passModel(lp)
    return highs


def _run(highs: Any) -> Array:
    highs.run()
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise InfeasibleError(
            f"the day-ahead study ended as {highs.modelStatusToString(status)}; check its limits"
        )
    return np.asarray(highs.getSolution().col_value)
