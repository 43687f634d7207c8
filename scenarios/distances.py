"""Distances between scenarios and between discrete distributions of them.

With cost ``c(i, j) = distance(i, j) ** order``, the Wasserstein (Kantorovich) distance of two distributions is the
least mean cost of moving one into the other, to the power ``1 / order``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_matrix
from scipy.spatial.distance import cdist

Norm = Literal["l1", "l2"]
METRICS = {"l1": "cityblock", "l2": "euclidean"}


def check_probability(probability: ArrayLike | None, count: int) -> NDArray[np.float64]:
    """Probabilities of ``count`` scenarios as an array that sums to one; equal ones for None.

    Raises:
        ValueError: another shape, a negative or missing value, a sum that is off by more than 1e-6.
    """
    if probability is None:
        return np.full(count, 1 / count)
    values = np.asarray(probability, dtype=np.float64)
    if values.shape != (count,):
        raise ValueError(f"probability has shape {values.shape}; {count} scenarios ask for ({count},)")
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError(
            "probability holds a negative or missing value; every scenario needs one from 0 to 1"
        )
    if abs(values.sum() - 1) > 1e-6:
        raise ValueError(f"probability sums to {values.sum():.9g}, not 1; divide it by its sum")
    return np.asarray(values / values.sum())


def check_norm(norm: str, order: float) -> None:
    """Refuse a norm or an order of which no Wasserstein distance exists here."""
    if norm not in METRICS:
        raise ValueError(f"norm {norm!r} is none of {', '.join(METRICS)}")
    if not (np.isfinite(order) and order >= 1):
        raise ValueError(f"order {order} is below 1 (or no number); a Wasserstein distance needs at least 1")


def cost_matrix(
    features: NDArray[np.floating], norm: Norm = "l2", order: float = 1.0,
    others: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:  # fmt: skip
    """Costs ``(scenario, other)`` in float32, for searching only: 36 MB for 3,000 scenarios among themselves.

    The 2-norm comes from one matrix product, which blurs distances far below the spread of the features;
    whatever is reported is computed again by `cost_between`.
    """
    if norm == "l1":
        cost = cdist(features, features if others is None else others, "cityblock").astype(np.float32)
    else:
        centre = features.mean(axis=0)
        x = np.asarray(features - centre, dtype=np.float32)
        y = x if others is None else np.asarray(others - centre, dtype=np.float32)
        cost = x @ y.T
        cost *= -2
        cost += np.einsum("ij,ij->i", x, x)[:, None]
        cost += np.einsum("ij,ij->i", y, y)
        np.maximum(cost, 0, out=cost)
        if others is None:
            np.fill_diagonal(cost, 0)
        if order == 2:
            return np.asarray(cost)
        np.sqrt(cost, out=cost)
    return np.asarray(cost if order == 1 else cost**order, dtype=np.float32)


def cost_between(
    one: NDArray[np.floating], other: NDArray[np.floating], norm: Norm = "l2", order: float = 1.0
) -> NDArray[np.float64]:
    """Costs ``(row of one, row of other)`` in float64."""
    distance = cdist(np.asarray(one, np.float64), np.asarray(other, np.float64), METRICS[norm])
    return np.asarray(distance if order == 1 else distance**order, dtype=np.float64)


def transport_cost(cost: NDArray[np.float64], one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Least mean cost of moving the weights ``one`` (rows) to ``other`` (columns): a linear programme in HiGHS.

    Raises:
        ValueError: the solver found no plan, which equal sums exclude.
    """
    rows, columns = np.flatnonzero(one > 0), np.flatnonzero(other > 0)
    cost, supply, demand = cost[np.ix_(rows, columns)], one[rows], other[columns]
    if 1 in cost.shape:
        return float(supply @ cost @ demand)
    m, n = cost.shape
    row, column = np.divmod(np.arange(m * n), n)
    # The last demand follows from the others; naming it would ask for sums equal to the last bit.
    take = np.flatnonzero(column < n - 1)
    entries = np.concatenate([np.arange(m * n), take])
    equations = coo_matrix(
        (np.ones(len(entries)), (np.concatenate([row, m + column[take]]), entries)), shape=(m + n - 1, m * n)
    )
    plan = linprog(
        cost.ravel(), A_eq=equations.tocsc(), b_eq=np.concatenate([supply, demand[:-1]]), method="highs"
    )
    if not plan.success:
        raise ValueError(f"no transport plan: {plan.message}; do both weights sum to the same?")
    return float(plan.fun)


def wasserstein_distance(
    one: NDArray[np.floating], other: NDArray[np.floating], one_probability: ArrayLike | None = None,
    other_probability: ArrayLike | None = None, *, norm: Norm = "l2", order: float = 1.0,
) -> float:  # fmt: skip
    """Exact Wasserstein distance between two sets of scenarios, rows of features with probabilities.

    The linear programme has one variable a pair: a few seconds for 3,000 against 50.
    """
    check_norm(norm, order)
    p, q = check_probability(one_probability, len(one)), check_probability(other_probability, len(other))
    return float(max(transport_cost(cost_between(one, other, norm, order), p, q), 0.0) ** (1 / order))
