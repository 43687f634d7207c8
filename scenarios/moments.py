"""Scenarios and weights that keep moments: means, variances and correlations rather than distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

Array = NDArray[np.float64]

SUM_WEIGHT = 1e3  # of the equation that weights sum to one, beside the moments


def match_moments(
    features: Array, probability: Array, n: int, *, second: float = 1.0, importance: Array | None = None
) -> tuple[NDArray[np.int64], Array]:
    """Rows and weights whose moments come closest to those of the full set.

    Features are divided by their standard deviations (a constant one says nothing). What is minimised over rows
    and weights >= 0 is the mean squared error of the F means, plus ``second`` times that of the F x F second
    moments, which hold variances and correlations. Moments enter only by products of scenarios, so nothing of
    size F x F x scenarios is made. Rows are taken greedily, the weights fitted anew (non-negative least
    squares) after each.

    Args:
        importance: of the error of each feature, ``(feature,)``.

    Returns:
        At most ``n`` rows, ascending (a row with no weight left is dropped), and their weights, which sum to one.
    """
    mean = probability @ features
    spread = np.sqrt(np.maximum(probability @ (features - mean) ** 2, 0))
    varies = spread > 1e-9 * np.maximum(np.abs(mean), 1e-300)
    x = (features[:, varies] - mean[varies]) / spread[varies]
    if importance is not None:
        x *= np.sqrt(importance[varies])
    width = max(x.shape[1], 1)
    moment = (x.T * probability) @ x

    def product(rows: NDArray[np.int64] | slice, others: NDArray[np.int64]) -> Array:
        inner = x[rows] @ x[others].T / width
        return np.asarray(SUM_WEIGHT + inner + second * inner**2)

    # products of every scenario with the full set, whose means are zero
    aim = SUM_WEIGHT + second * np.einsum("if,if->i", x @ moment, x) / width**2
    norm = np.sqrt(_squared_norms(x, width, second))
    taken: list[int] = []
    columns = np.empty((len(x), n))
    weights = np.empty(0)
    for number in range(n):
        slope = (aim - columns[:, :number] @ weights) / norm
        slope[taken] = -np.inf
        taken.append(int(np.argmax(slope)))
        rows = np.array(taken)
        columns[:, number] = product(slice(None), rows[-1:])[:, 0]
        weights = fit_weights(columns[rows, : number + 1], aim[rows])
    rows, weights = np.array(taken), weights / weights.sum()
    order = np.argsort(rows)
    order = order[weights[order] > 0]
    return rows[order], weights[order]


def _squared_norms(x: Array, width: int, second: float) -> Array:
    """Products of scenarios with themselves."""
    inner = np.einsum("if,if->i", x, x) / width
    return np.asarray(SUM_WEIGHT + inner + second * inner**2)


def fit_weights(gram: Array, aim: Array) -> Array:
    """Weights >= 0 that minimise ``w @ gram @ w - 2 * w @ aim``."""
    ridge = 1e-10 * np.trace(gram) / len(gram)
    lower = cholesky(gram + ridge * np.eye(len(gram)), lower=True)
    weights, _ = nnls(lower.T, solve_triangular(lower, aim, lower=True), maxiter=100 * len(gram))
    return np.asarray(weights)
