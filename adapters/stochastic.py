"""Linear programmes under uncertainty: one programme a scenario, and which decisions scenarios must share.

All scenarios have the same columns and rows; costs, bounds and coefficients may differ. A column belongs to a stage,
and scenarios that stand in one node of a stage decide the same there::

    min  risk over s of  cost_s x_s + constant_s
    row_lower_s <= matrix_s x_s <= row_upper_s,   lower_s <= x_s <= upper_s
    x_s[c] = x_r[c]   where node_of[stage of c, s] = node_of[stage of c, r]

Two stages and a fan, many stages and a tree, and a single scenario are all this one structure; `two_stage` takes the
textbook's T, W, q, h. `hidiff.adapters.stochastic_solve` solves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
PROBABILITY_ERROR = 1e-9
"""How far the sum of the probabilities may be from one."""


@dataclass(frozen=True, kw_only=True)
class Risk:
    """What is minimised: ``(1 - cvar_weight) * mean + cvar_weight * CVaR``."""

    cvar_weight: float = 0.0
    """Share of the conditional value at risk, 0 (the mean alone) to 1."""
    cvar_level: float = 0.95
    """The CVaR is the mean cost of the worst ``1 - cvar_level`` of what may come."""

    def __post_init__(self) -> None:
        if not 0 <= self.cvar_weight <= 1:
            raise ValueError(f"cvar_weight is {self.cvar_weight}; it must lie between 0 and 1")
        if not 0 <= self.cvar_level < 1:
            raise ValueError(f"cvar_level is {self.cvar_level}; it must be at least 0 and below 1")

    def __call__(self, costs: Floats, probability: Floats) -> float:
        """Of costs ``(scenario,)``."""
        mean = float(probability @ costs)
        if self.cvar_weight == 0:
            return mean
        return (1 - self.cvar_weight) * mean + self.cvar_weight * cvar(costs, probability, self.cvar_level)


def cvar(costs: Floats, probability: Floats, level: float) -> float:
    """Mean of the worst ``1 - level`` of the costs; an atom at the edge counts in part."""
    order = np.argsort(costs)[::-1]
    before = np.concatenate([[0.0], np.cumsum(probability[order])[:-1]])
    share = np.clip(1 - level - before, 0.0, probability[order])
    return float(share @ costs[order] / share.sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class StochasticProgramme:
    """Scenarios of one linear programme; see the head of the module.

    Raises:
        ValueError: shapes that differ, probabilities that do not sum to one, numbers that are missing, nodes that join
            scenarios which an earlier stage keeps apart.
    """

    matrices: tuple[sparse.csr_matrix, ...]
    """One for all scenarios, or one for each; ``(row, column)``."""
    cost: Floats
    """``(scenario, column)``"""
    lower: Floats
    """``(scenario, column)``"""
    upper: Floats
    """``(scenario, column)``"""
    row_lower: Floats
    """``(scenario, row)``"""
    row_upper: Floats
    """``(scenario, row)``"""
    column_stage: Integers
    """Stage in which each column is decided, from 0."""
    node_of: Integers
    """``(stage, scenario)``, as `hidiff.scenarios.tree.Tree` has it."""
    probability: Floats
    """``(scenario,)``"""
    constant: Floats
    """Cost of each scenario whatever is decided, ``(scenario,)``."""
    names: tuple[str, ...]
    """Of the scenarios."""

    def __post_init__(self) -> None:
        rows, columns = self.matrices[0].shape
        count, stages = len(self.probability), len(self.node_of)
        shapes = {
            "cost": (count, columns), "lower": (count, columns), "upper": (count, columns),
            "row_lower": (count, rows), "row_upper": (count, rows), "column_stage": (columns,),
            "node_of": (stages, count), "constant": (count,),
        }  # fmt: skip
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}; give {shape}")
        if len(self.names) != count or len(self.matrices) not in (1, count):
            raise ValueError(
                f"{count} probabilities, {len(self.names)} names, {len(self.matrices)} matrices; give one name a "
                "scenario, and one matrix for all or one each"
            )
        for name, matrix in zip(self.names, self.matrices, strict=False):
            if matrix.shape != (rows, columns):
                raise ValueError(
                    f"the matrix of scenario {name!r} has shape {matrix.shape}, not {(rows, columns)}"
                )
        self._check_numbers()
        if self.column_stage.min(initial=0) < 0 or self.column_stage.max(initial=0) >= stages:
            raise ValueError(
                f"column_stage runs to {self.column_stage.max()}; node_of has {stages} stages, from 0"
            )
        for stage in range(1, stages):
            first = self.first_of_node[stage]
            if (self.node_of[stage - 1] != self.node_of[stage - 1][first]).any():
                raise ValueError(
                    f"stage {stage} joins scenarios in a node that stage {stage - 1} keeps apart; what is known is "
                    "not forgotten"
                )

    def _check_numbers(self) -> None:
        if not (np.isfinite(self.probability) & (self.probability >= 0)).all():
            row = int(np.argmin(np.nan_to_num(self.probability, nan=-np.inf)))
            raise ValueError(
                f"the probability of scenario {self.names[row]!r} is {self.probability[row]}; it must be at least 0"
            )
        if not abs(self.probability.sum() - 1) <= PROBABILITY_ERROR:
            raise ValueError(
                f"the probabilities sum to {self.probability.sum():.12g}, not to 1; divide by their sum"
            )
        for name in ("cost", "constant", "lower", "upper", "row_lower", "row_upper"):
            values = getattr(self, name)
            is_bad = ~np.isfinite(values) if name in ("cost", "constant") else np.isnan(values)
            if is_bad.any():
                place = tuple(int(number) for number in np.argwhere(is_bad)[0])
                raise ValueError(
                    f"{name} of scenario {self.names[place[0]]!r} is {values[place]} at {place[1:]}; "
                    "fill gaps, or leave the scenario out"
                )
        for name, matrix in zip(self.names, self.matrices, strict=False):
            if not np.isfinite(matrix.data).all():
                raise ValueError(f"the matrix of scenario {name!r} holds a coefficient that is not finite")

    def __len__(self) -> int:
        return len(self.probability)

    @property
    def stages(self) -> int:
        """Number of stages."""
        return len(self.node_of)

    @cached_property
    def first_of_node(self) -> Integers:
        """First scenario of the node that each scenario stands in, ``(stage, scenario)``."""
        found = np.empty_like(self.node_of)
        for stage, nodes in enumerate(self.node_of):
            _, first, own = np.unique(nodes, return_index=True, return_inverse=True)
            found[stage] = first[own.reshape(-1)]
        return found

    def matrix(self, scenario: int) -> sparse.csr_matrix:
        """Coefficients of a scenario."""
        return self.matrices[scenario if len(self.matrices) > 1 else 0]

    def mean(self) -> StochasticProgramme:
        """One scenario in which every number is its mean."""
        p = self.probability
        matrix = self.matrices[0]
        if len(self.matrices) > 1:
            matrix = sum(weight * one for weight, one in zip(p, self.matrices, strict=True))

        def average(values: Floats) -> Floats:
            with np.errstate(invalid="ignore"):  # 0 * inf of a scenario without weight
                return np.asarray((p[p > 0][:, None] * values[p > 0]).sum(0, keepdims=True))

        return StochasticProgramme(
            matrices=(sparse.csr_matrix(matrix),),
            cost=average(self.cost), lower=average(self.lower), upper=average(self.upper),
            row_lower=average(self.row_lower), row_upper=average(self.row_upper),
            column_stage=self.column_stage, node_of=np.zeros((self.stages, 1), np.int64), probability=np.ones(1),
            constant=np.array([p @ self.constant]), names=("mean",),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstStage:
    """What is decided before anything is known: ``cost @ x`` with ``row_lower <= matrix @ x <= row_upper``."""

    cost: ArrayLike
    """``(column,)``"""
    lower: ArrayLike = 0.0
    """A number or ``(column,)``; likewise ``upper``."""
    upper: ArrayLike = np.inf
    matrix: ArrayLike | sparse.spmatrix | None = None
    """``(row, column)``, or None."""
    row_lower: ArrayLike = -np.inf
    """A number or ``(row,)``; likewise ``row_upper``."""
    row_upper: ArrayLike = np.inf


@dataclass(frozen=True, kw_only=True, eq=False)
class SecondStage:
    """Recourse of each scenario: ``cost @ y`` with ``row_lower <= technology @ x + recourse @ y <= row_upper``.

    A matrix is one for all scenarios, or a list of one each; numbers and arrays are broadcast to ``(scenario, …)``.
    """

    technology: ArrayLike | sparse.spmatrix | Sequence[ArrayLike | sparse.spmatrix]
    """T, ``(row, first-stage column)``."""
    recourse: ArrayLike | sparse.spmatrix | Sequence[ArrayLike | sparse.spmatrix]
    """W, ``(row, column)``."""
    cost: ArrayLike
    """q, ``(scenario, column)``."""
    row_lower: ArrayLike = -np.inf
    """h, ``(scenario, row)``; likewise ``row_upper``, the same for an equation."""
    row_upper: ArrayLike = np.inf
    lower: ArrayLike = 0.0
    """``(scenario, column)``; likewise ``upper``."""
    upper: ArrayLike = np.inf


def two_stage(
    first: FirstStage,
    second: SecondStage,
    probability: ArrayLike,
    *,
    names: Sequence[str] | None = None,
) -> StochasticProgramme:
    """The programme of two stages; columns are those of the first stage, then those of the recourse.

    Args:
        probability: ``(scenario,)``.
        names: of the scenarios; s0, s1, … by default.

    Raises:
        ValueError: shapes that do not fit together.
    """
    weights = np.asarray(probability, dtype=np.float64)
    count = len(weights)
    technology, recourse = _matrices(second.technology, count), _matrices(second.recourse, count)
    columns, own = technology[0].shape[1], recourse[0].shape[1]
    if np.shape(first.cost) != (columns,) or technology[0].shape[0] != recourse[0].shape[0]:
        raise ValueError(
            f"first.cost has shape {np.shape(first.cost)}, technology {technology[0].shape}, recourse "
            f"{recourse[0].shape}; give one cost a column of technology, and as many rows in both"
        )
    head = sparse.csr_matrix((0, columns) if first.matrix is None else first.matrix)
    if head.shape[1] != columns:
        raise ValueError(f"first.matrix has {head.shape[1]} columns, technology {columns}; give the same")
    each = range(max(len(technology), len(recourse)))
    matrices = tuple(
        sparse.bmat(
            [
                [head, sparse.csr_matrix((head.shape[0], own))],
                [technology[row % len(technology)], recourse[row % len(recourse)]],
            ],
            format="csr",
        )
        for row in each
    )
    rows = recourse[0].shape[0]

    def join(name: str, left: ArrayLike, left_size: int, right: ArrayLike, right_size: int) -> Floats:
        try:
            parts = [
                np.broadcast_to(np.asarray(left, np.float64), (count, left_size)),
                np.broadcast_to(np.asarray(right, np.float64), (count, right_size)),
            ]
        except ValueError as error:
            raise ValueError(
                f"{name} has shapes {np.shape(left)} and {np.shape(right)}; they must fit {left_size} of the first "
                f"and ({count}, {right_size}) of the second stage"
            ) from error
        return np.concatenate(parts, axis=1)

    return StochasticProgramme(
        matrices=matrices,
        cost=join("cost", first.cost, columns, second.cost, own),
        lower=join("lower", first.lower, columns, second.lower, own),
        upper=join("upper", first.upper, columns, second.upper, own),
        row_lower=join("row_lower", first.row_lower, head.shape[0], second.row_lower, rows),
        row_upper=join("row_upper", first.row_upper, head.shape[0], second.row_upper, rows),
        column_stage=np.repeat([0, 1], [columns, own]),
        node_of=np.stack([np.zeros(count, np.int64), np.arange(count)]),
        probability=weights,
        constant=np.zeros(count),
        names=scenario_names(count) if names is None else tuple(names),
    )


def scenario_names(count: int) -> tuple[str, ...]:
    """s0, s1, …"""
    return tuple(f"s{number}" for number in range(count))


def _matrices(given: Any, count: int) -> list[sparse.csr_matrix]:
    """One matrix or a list of one for each scenario, sparse."""
    is_each = (
        isinstance(given, list | tuple)
        and len(given) > 0
        and (sparse.issparse(given[0]) or np.ndim(given[0]) == 2)
    )
    found = [sparse.csr_matrix(one) for one in given] if is_each else [sparse.csr_matrix(given)]
    if len(found) not in (1, count):
        raise ValueError(f"{len(found)} matrices for {count} scenarios; give one for all, or one for each")
    return found
