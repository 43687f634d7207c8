"""Numbers of a described set that know neither clock nor channel: quantiles, curves, distances, a map of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.spatial.distance import pdist, squareform

Doubles = NDArray[np.float64]
_ROUNDING = 1e-12


def weighted_quantiles(values: ArrayLike, weights: ArrayLike, shares: Sequence[float]) -> Doubles:
    """Quantiles over the first dimension, ``(share, …)``: the least value that is not exceeded with that weight.

    With few scenarios a quantile is the value of one of them, never one in between that none of them takes.

    Args:
        values: ``(scenario, …)``.
        weights: ``(scenario,)``, at least 0.
        shares: 0..1.
    """
    sample, weight = np.asarray(values), np.asarray(weights, dtype=np.float64)
    if sample.shape[:1] != weight.shape or not weight.sum() > 0:
        raise ValueError(
            f"weights has shape {weight.shape} and sum {weight.sum():g}; {len(sample)} values need "
            "one each, and a sum above 0"
        )
    happens = weight > 0
    sample, weight = sample[happens], weight[happens] / weight.sum()
    order = np.argsort(sample, axis=0, kind="stable")
    ordered = np.take_along_axis(sample, order, axis=0)
    reached = np.cumsum(weight[order], axis=0)
    found = [
        np.take_along_axis(ordered, np.argmax(reached >= min(share, 1) - _ROUNDING, axis=0)[None], axis=0)[0]
        for share in shares
    ]
    return np.asarray(found, dtype=np.float64)


def duration_curves(values: ArrayLike, shares: ArrayLike) -> Doubles:
    """Level that each row is at or above for a share of its steps, ``(row, share)``; it falls along the shares."""
    found = np.quantile(np.asarray(values), 1 - np.asarray(shares, dtype=np.float64), axis=1)
    return np.asarray(found, dtype=np.float64).T


def block_means(values: NDArray[np.float32], first: NDArray[np.int64]) -> Doubles:
    """Means over runs of steps, ``(row, block)``; ``first`` holds the first step of each run."""
    count = np.diff(np.append(first, values.shape[1]))
    return np.asarray(np.add.reduceat(values, first, axis=1, dtype=np.float64) / count)


def deviations(channels: Sequence[Doubles], probability: Doubles) -> Doubles:
    """Features of scenarios: how far each is from the mean scenario, channels put on one scale, ``(row, feature)``.

    Each channel is divided by its own root-mean-square deviation and all by the root of their number, so that the
    squared length of a row is its squared distance from the mean scenario and has mean 1. Channels that are the same
    in every scenario tell none of them apart and are left out.

    Args:
        channels: ``(scenario, block)`` each.
        probability: ``(scenario,)``.
    """
    parts = []
    for values in channels:
        away = values - probability @ values
        spread = np.sqrt(probability @ (away**2).sum(axis=1))
        if spread > 1e-6 * (1e-12 + np.sqrt(probability @ (values**2).sum(axis=1))):
            parts.append(away / spread)
    if not parts:
        return np.zeros((len(probability), 1))
    return np.asarray(np.concatenate(parts, axis=1) / np.sqrt(len(parts)))


def distances(features: Doubles) -> Doubles:
    """Euclidean distance of each scenario from each other, ``(scenario, scenario)``."""
    return np.asarray(squareform(pdist(features)))


def classical_scaling(distance: Doubles, probability: Doubles, axes: int = 2) -> tuple[Doubles, float]:
    """Places in a plane that keep distances as well as a plane can, and the share of their squares that it keeps.

    Torgerson's scaling. All scenarios count alike in the choice of the plane, since a likely one would draw it towards
    itself and look odd; the probability-weighted mean is then moved to the origin.

    Args:
        distance: ``(scenario, scenario)``.

    Returns:
        ``(scenario, axis)``, and 0..1 (1 where all distances are 0).
    """
    count = len(distance)
    centre = np.eye(count) - 1 / count
    products = -0.5 * centre @ distance**2 @ centre
    kept = min(axes, count)
    values, vectors = eigh((products + products.T) / 2, subset_by_index=[count - kept, count - 1])
    values = np.maximum(values[::-1], 0)
    places = np.zeros((count, axes))
    places[:, :kept] = vectors[:, ::-1] * np.sqrt(values)
    # The sign of an axis is free: the farthest scenario stands to the right and on top on every machine.
    places *= np.where(places[np.argmax(np.abs(places), axis=0), np.arange(axes)] < 0, -1, 1)
    total = float(np.trace(products))
    return places - probability @ places, float(values.sum() / total) if total > _ROUNDING else 1.0
