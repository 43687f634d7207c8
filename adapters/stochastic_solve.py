"""The extensive form of a stochastic programme, solved by HiGHS; a decision priced in every scenario."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse

from hidiff.errors import InfeasibleError, NotConverged

from .highs_run import Matrices, highs_problem
from .require import require
from .stochastic import Floats, Integers, Risk, StochasticProgramme, cvar

Method = Literal["choose", "simplex", "ipm"]


@dataclass(frozen=True, kw_only=True, eq=False)
class StochasticSolution:
    """The best decisions that were found, and how far they may be from the best there are."""

    values: Floats
    """Of every column, ``(scenario, column)``; scenarios of one node have the same."""
    first: Floats
    """Of the columns of stage 0, in order."""
    costs: Floats
    """``(scenario,)``"""
    expected: float
    """Mean cost."""
    cvar: float
    """Mean cost of the worst ``1 - cvar_level``."""
    objective: float
    """What was minimised."""
    bound: float
    """No decision's objective is below this."""
    status: str
    """``optimal``, or what stopped the solver."""
    seconds: float
    """Wall clock [s]."""

    @property
    def gap(self) -> float:
        """``objective`` above ``bound``, relative to the objective; 0 at the optimum."""
        return (self.objective - self.bound) / max(abs(self.objective), 1e-12)

    @property
    def is_optimal(self) -> bool:
        """Whether the solver ran to its end."""
        return self.status == "optimal"


@dataclass(frozen=True, kw_only=True, eq=False)
class ExtensiveForm:
    """All scenarios in one programme, nodes' decisions as single columns."""

    matrices: Matrices
    place: Integers
    """Column of the form that each scenario's column is, ``(scenario, column)``."""


def extensive_form(programme: StochasticProgramme, risk: Risk | None = None) -> ExtensiveForm:
    """The extensive form: scenarios of a node share columns, and the rows that do not tell them apart."""
    risk = risk or Risk()
    count = len(programme)
    holder = programme.first_of_node[programme.column_stage].T  # (scenario, column)
    is_own = holder == np.arange(count)[:, None]
    number = np.cumsum(is_own).reshape(is_own.shape) - 1
    place = np.take_along_axis(number, holder, axis=0)
    width = int(is_own.sum())
    weight = programme.probability[:, None]
    cost = (1 - risk.cvar_weight) * np.bincount(
        place.ravel(), (weight * programme.cost).ravel(), minlength=width
    )
    lower, upper = np.full(width, -np.inf), np.full(width, np.inf)
    np.maximum.at(lower, place.ravel(), programme.lower.ravel())
    np.minimum.at(upper, place.ravel(), programme.upper.ravel())
    is_row = _own_rows(programme)
    row_place = np.cumsum(is_row).reshape(is_row.shape) - 1
    height = int(is_row.sum())
    if len(programme.matrices) == 1:
        matrix = programme.matrices[0]
        row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        is_kept = is_row[:, row]
        rows, columns = row_place[:, row][is_kept], place[:, matrix.indices][is_kept]
        values = np.broadcast_to(matrix.data, is_kept.shape)[is_kept]
    else:
        parts = []
        for scenario, matrix in enumerate(programme.matrices):
            row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
            kept = is_row[scenario, row]
            parts.append(
                (row_place[scenario, row][kept], place[scenario, matrix.indices][kept], matrix.data[kept])
            )
        rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    row_lower, row_upper = programme.row_lower[is_row], programme.row_upper[is_row]
    if risk.cvar_weight > 0:  # Rockafellar, Uryasev 2000, doi:10.21314/JOR.2000.038
        costly, column = np.nonzero(programme.cost)
        each = np.arange(count)
        rows = np.concatenate([rows, height + costly, height + each, height + each])
        columns = np.concatenate([columns, place[costly, column], width + 1 + each, np.full(count, width)])
        values = np.concatenate([values, -programme.cost[costly, column], np.ones(2 * count)])
        excess = risk.cvar_weight / (1 - risk.cvar_level) * programme.probability
        cost = np.concatenate([cost, [risk.cvar_weight], excess])
        lower = np.concatenate([lower, [-np.inf], np.zeros(count)])
        upper = np.concatenate([upper, np.full(count + 1, np.inf)])
        row_lower = np.concatenate([row_lower, programme.constant])
        row_upper = np.concatenate([row_upper, np.full(count, np.inf)])
    form = sparse.csr_matrix((values, (rows, columns)), shape=(len(row_lower), len(cost)))
    return ExtensiveForm(
        matrices=Matrices(
            cost=np.asarray(cost, dtype=np.float64),
            constant=(1 - risk.cvar_weight) * float(programme.probability @ programme.constant),
            lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper,
            starts=form.indptr, indices=form.indices, coefficients=form.data, is_by_column=False,
            is_integer=np.zeros(len(cost), bool),
        ),
        place=place,
    )  # fmt: skip


def _own_rows(programme: StochasticProgramme) -> Any:
    """Rows ``(scenario, row)`` that say something new: not those that an earlier scenario of the node has said."""
    matrices = programme.matrices
    rows = matrices[0].shape[0]
    stage = np.zeros(rows, np.int64)
    for matrix in matrices:
        row = np.repeat(np.arange(rows), np.diff(matrix.indptr))
        np.maximum.at(stage, row, programme.column_stage[matrix.indices])
    holder = programme.first_of_node[stage].T
    each = np.arange(rows)
    is_own = (holder == np.arange(len(programme))[:, None]) | (
        (programme.row_lower != programme.row_lower[holder, each])
        | (programme.row_upper != programme.row_upper[holder, each])
    )
    if len(matrices) > 1:
        for scenario, matrix in enumerate(matrices):
            shared = np.flatnonzero(~is_own[scenario])
            for other in np.unique(holder[scenario, shared]):
                some = shared[holder[scenario, shared] == other]
                apart = (matrix[some] != matrices[other][some]).sum(axis=1)
                is_own[scenario, some[np.asarray(apart).ravel() > 0]] = True
    return is_own


def solve_stochastic(
    programme: StochasticProgramme,
    *,
    risk: Risk | None = None,
    method: Method = "choose",
    time_limit_s: float | None = None,
    progress: bool = False,
) -> StochasticSolution:
    """The decisions of least mean cost, CVaR or a mix, by the extensive form.

    Args:
        risk: the mean where it is not given.
        method: of HiGHS; ``ipm`` is often faster for few first-stage columns and long scenarios.
        time_limit_s: longest run on the extensive form [s]. A run that is stopped returns the better of what HiGHS
            had and of the mean scenario's decision, and a bound from scenarios that are each known ahead; ``status``
            says so. These two take as long as each scenario alone.
        progress: whether to show iterations and seconds on stderr.

    Raises:
        InfeasibleError: no decision fits all scenarios, or the cost has no bound.
        NotConverged: stopped, and the mean scenario's decision does not fit every scenario.
    """
    risk = risk or Risk()
    began = time.monotonic()
    form = extensive_form(programme, risk)
    highspy = require("highspy")
    solver = _solver(highspy, form.matrices, method, time_limit_s)
    with _shown(solver, progress):
        solver.run()
    status = solver.getModelStatus()
    name = solver.modelStatusToString(status)
    kinds = highspy.HighsModelStatus
    if status in (kinds.kInfeasible, kinds.kUnbounded, kinds.kUnboundedOrInfeasible):
        raise InfeasibleError(
            f"HiGHS reports of the extensive form: {name}; wait_and_see() says which scenario cannot be met even if it "
            "is known ahead"
        )
    values = np.array(solver.getSolution().col_value)
    if status in (kinds.kOptimal, kinds.kModelEmpty):
        return _solution(programme, risk, values[form.place], None, "optimal", began)
    bound = risk(wait_and_see(programme), programme.probability)
    found = []
    if solver.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        found.append(values[form.place])
    mean = programme.mean()
    plan = _solution(mean, Risk(), _each_alone(mean)[1], None, "optimal", began).values[0]
    costs, recourse = _each_alone(programme, plan, programme.stages - 1)
    if np.isfinite(costs).all():
        found.append(recourse)
    if not found:
        raise NotConverged(
            f"HiGHS stopped ({name}) without a decision, and that of the mean scenario does not fit every scenario; "
            f"raise time_limit_s={time_limit_s}"
        )
    choices = [_solution(programme, risk, one, bound, name, began) for one in found]
    return min(choices, key=lambda one: one.objective)


def _solution(
    programme: StochasticProgramme, risk: Risk, values: Floats, bound: float | None, status: str, began: float
) -> StochasticSolution:
    costs = (programme.cost * values).sum(1) + programme.constant
    objective = risk(costs, programme.probability)
    return StochasticSolution(
        values=values,
        first=values[0, programme.column_stage == 0],
        costs=costs,
        expected=float(programme.probability @ costs),
        cvar=cvar(costs, programme.probability, risk.cvar_level),
        objective=objective,
        bound=objective if bound is None else min(bound, objective),
        status=status,
        seconds=time.monotonic() - began,
    )


def wait_and_see(programme: StochasticProgramme, *, progress: bool = False) -> Floats:
    """Least cost of each scenario that is known ahead, ``(scenario,)``.

    Raises:
        InfeasibleError: a scenario that cannot be met; the message names it.
    """
    costs, _ = _each_alone(programme, progress=progress)
    return _finite(programme, costs, "even if it is known ahead")


def decision_costs(programme: StochasticProgramme, first: Floats, *, progress: bool = False) -> Floats:
    """Cost of each scenario when stage 0 is decided as ``first`` and the rest is then the best, ``(scenario,)``.

    With more than two stages the rest is known ahead, so the costs are a bound from below.

    Args:
        programme: the scenarios to price in, such as days that came, not those that were decided on.

    Raises:
        InfeasibleError: a scenario that the decision does not fit.
        ValueError: a decision of another length.
    """
    return _finite(programme, decided_or_infinite(programme, first, progress), "with this decision")


def decided_or_infinite(programme: StochasticProgramme, first: Floats, progress: bool = False) -> Floats:
    is_first = programme.column_stage == 0
    plan = np.zeros(len(is_first))
    if np.shape(first) != (int(is_first.sum()),):
        raise ValueError(
            f"first has shape {np.shape(first)}; the programme has {int(is_first.sum())} columns in stage 0"
        )
    plan[is_first] = first
    return _each_alone(programme, plan, 1, progress=progress)[0]


def _finite(programme: StochasticProgramme, costs: Floats, when: str) -> Floats:
    bad = np.flatnonzero(~np.isfinite(costs))
    if len(bad):
        raise InfeasibleError(
            f"scenario {programme.names[bad[0]]!r} ({len(bad)} of {len(costs)}) cannot be met {when}; widen its limits "
            "or leave it out"
        )
    return costs


def _each_alone(
    programme: StochasticProgramme,
    plan: Floats | None = None,
    fixed_stages: int = 0,
    *,
    progress: bool = False,
) -> tuple[Floats, Floats]:
    """Costs and columns of each scenario by itself, columns of the first stages as in ``plan``; inf if infeasible."""
    highspy = require("highspy")
    is_fixed = programme.column_stage < fixed_stages
    columns = np.arange(len(is_fixed), dtype=np.int32)
    rows = np.arange(programme.row_lower.shape[1], dtype=np.int32)
    costs, values = np.empty(len(programme)), np.zeros(programme.cost.shape)
    solver = None
    bar = require("tqdm").tqdm(range(len(programme)), unit="scenario", disable=not progress)
    for scenario in bar:
        matrix = programme.matrix(scenario)
        lower, upper = programme.lower[scenario].copy(), programme.upper[scenario].copy()
        row_lower, row_upper = programme.row_lower[scenario], programme.row_upper[scenario]
        if plan is not None:
            lower[is_fixed] = upper[is_fixed] = plan[is_fixed]
            # rows of fixed columns alone hold as far as the solver that fixed them was exact
            free = np.asarray(abs(matrix) @ (~is_fixed).astype(float)) == 0
            row_lower, row_upper = np.where(free, -np.inf, row_lower), np.where(free, np.inf, row_upper)
        if solver is None or len(programme.matrices) > 1:
            solver = _solver(
                highspy,
                Matrices(
                    cost=programme.cost[scenario], constant=0.0, lower=lower, upper=upper, row_lower=row_lower,
                    row_upper=row_upper, starts=matrix.indptr, indices=matrix.indices, coefficients=matrix.data,
                    is_by_column=False, is_integer=np.zeros(len(columns), bool),
                ),
                "choose", None,
            )  # fmt: skip
        else:
            solver.changeColsCost(len(columns), columns, programme.cost[scenario])
            solver.changeColsBounds(len(columns), columns, lower, upper)
            solver.changeRowsBounds(len(rows), rows, row_lower, row_upper)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            costs[scenario] = np.inf
            continue
        values[scenario] = solver.getSolution().col_value
        costs[scenario] = programme.cost[scenario] @ values[scenario] + programme.constant[scenario]
    return costs, values


def _solver(highspy: Any, matrices: Matrices, method: Method, time_limit_s: float | None) -> Any:
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("solver", method)
    if time_limit_s is not None:
        solver.setOptionValue("time_limit", float(time_limit_s))
    solver.passModel(highs_problem(highspy, matrices))
    return solver


@contextmanager
def _shown(solver: Any, progress: bool) -> Iterator[None]:
    """A bar of the solver's iterations on stderr."""
    if not progress:
        yield
        return
    with require("tqdm").tqdm(unit="iteration", desc="extensive form") as bar:

        def update(event: Any) -> None:
            done = event.data_out.simplex_iteration_count + event.data_out.ipm_iteration_count
            bar.update(max(done - bar.n, 0))

        for callback in (solver.cbSimplexInterrupt, solver.cbIpmInterrupt):
            callback.subscribe(update)
        yield
