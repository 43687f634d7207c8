"""One run of HiGHS on a problem in matrices: options, what its answer means, and a mixed-integer answer made exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hidiff.errors import InfeasibleError, NotConverged

from .require import require

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrices:
    """``minimise cost @ x + constant`` with ``row_lower <= A x <= row_upper`` and bounds; ``A`` in compressed form."""

    cost: Floats
    constant: float
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    starts: NDArray[np.int32]
    indices: NDArray[np.int32]
    coefficients: Floats
    is_by_column: bool
    """Whether ``starts`` are of columns; else of rows."""
    is_integer: NDArray[np.bool_]
    is_maximised: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """What the solver found."""

    values: Floats
    """Of the columns."""
    objective: float
    gap: float
    """Relative distance that is left to the bound; 0 for a linear programme that ran to its end."""


def run_highs(matrices: Matrices, *, time_limit_s: float | None, relative_gap: float) -> Solution:
    """Solve; a mixed-integer answer is solved once more with its integers fixed, so that it is exact.

    Raises:
        InfeasibleError: no solution, or one without bound.
        NotConverged: the solver stopped without any solution.
    """
    highspy = require("highspy")
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", relative_gap)
    if time_limit_s is not None:
        solver.setOptionValue("time_limit", float(time_limit_s))
    solver.passModel(highs_problem(highspy, matrices))
    solver.run()
    status = solver.getModelStatus()
    name = solver.modelStatusToString(status)
    refused = highspy.HighsModelStatus
    if status in (refused.kInfeasible, refused.kUnbounded, refused.kUnboundedOrInfeasible):
        raise InfeasibleError(f"HiGHS reports: {name}")
    info = solver.getInfo()
    integers = np.flatnonzero(matrices.is_integer).astype(np.int32)
    if status not in (refused.kOptimal, refused.kModelEmpty) and not (
        len(integers) and info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    ):
        raise NotConverged(
            f"HiGHS stopped before it had a solution: {name}; raise time_limit_s={time_limit_s}"
        )
    values = np.array(solver.getSolution().col_value)
    if not len(integers):
        return Solution(values=values, objective=float(info.objective_function_value), gap=0.0)
    gap = float(info.mip_gap)
    fixed = np.round(values[integers])
    solver.changeColsBounds(len(integers), integers, fixed, fixed)
    solver.changeColsIntegrality(
        len(integers), integers, np.full(len(integers), int(highspy.HighsVarType.kContinuous), np.uint8)
    )
    solver.setOptionValue("time_limit", float("inf"))
    solver.run()
    if solver.getModelStatus() != refused.kOptimal:  # the integers hold to the solver's tolerance only
        return Solution(values=values, objective=float(info.objective_function_value), gap=gap)
    objective = float(solver.getInfo().objective_function_value)
    return Solution(values=np.array(solver.getSolution().col_value), objective=objective, gap=gap)


def highs_problem(highspy: Any, matrices: Matrices) -> Any:
    """The problem as an object of HiGHS."""
    problem = highspy.HighsLp()
    problem.num_row_, problem.num_col_ = len(matrices.row_lower), len(matrices.cost)
    problem.col_cost_ = matrices.cost
    problem.offset_ = matrices.constant
    problem.col_lower_, problem.col_upper_ = matrices.lower, matrices.upper
    problem.row_lower_, problem.row_upper_ = matrices.row_lower, matrices.row_upper
    layout = highspy.MatrixFormat
    problem.a_matrix_.format_ = layout.kColwise if matrices.is_by_column else layout.kRowwise
    problem.a_matrix_.start_ = matrices.starts
    problem.a_matrix_.index_ = matrices.indices
    problem.a_matrix_.value_ = matrices.coefficients
    if matrices.is_integer.any():
        kinds = highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger
        problem.integrality_ = [kinds[flag] for flag in matrices.is_integer.tolist()]
    if matrices.is_maximised:
        problem.sense_ = highspy.ObjSense.kMaximize
    return problem
