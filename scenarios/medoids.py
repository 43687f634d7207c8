"""Weighted k-medoids by FasterPAM (Schubert, Rousseeuw 2021, doi:10.1016/j.is.2021.101804), from the paper.

k-medoids is optimal scenario reduction with redistributed weights: the same objective as in ``selection.py``, but
taken scenarios may be swapped for better ones until no single swap helps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 64  # candidates of one matrix product: the best swap of a block is made at once


def faster_pam(
    cost: NDArray[np.float32], probability: NDArray[np.float64], start: NDArray[np.int64], rounds: int = 100
) -> NDArray[np.int64]:
    """Medoids, ascending, at least as good as ``start``.

    For a candidate x, the change of the total by swapping it for medoid m is shared by all m (points that x takes
    from their medoid) but for m's own points, which fall to x or to their second medoid: all k swaps cost one pass
    over the points.

    Args:
        cost: symmetric, ``(scenario, scenario)``.
        rounds: over all candidates, at most.
    """
    medoids = np.array(start, dtype=np.int64)
    count, k = len(cost), len(medoids)
    if k == 1:
        return np.array([int(np.argmin(cost @ probability.astype(np.float32)))])
    weight = probability.astype(np.float32)
    everyone = np.arange(count)
    near, first, second = _two_nearest(cost[:, medoids])
    total = float(probability @ first)
    blocks = [everyone[at : at + BLOCK] for at in range(0, count, BLOCK)]
    owner = np.zeros((count, k), dtype=np.float32)
    owner[everyone, near] = weight
    is_medoid = np.zeros(count, dtype=bool)
    is_medoid[medoids] = True
    quiet = 0
    for number in range(rounds * len(blocks)):
        block = blocks[number % len(blocks)]
        to_block = cost[block]  # a copy: (candidate, scenario)
        own = np.minimum(to_block, second)
        np.maximum(own, first, out=own)
        own -= first
        to_block -= first
        np.minimum(to_block, 0, out=to_block)
        shared = to_block @ weight
        change = shared[:, None] + own @ owner  # (candidate, medoid): removed points fall to x or second
        change[is_medoid[block]] = np.inf
        candidate, slot = np.unravel_index(int(np.argmin(change)), change.shape)
        quiet += 1
        if change[candidate, slot] < 0:
            trial = medoids.copy()
            trial[slot] = block[candidate]
            parts = _two_nearest(cost[:, trial])
            # float32 sums may promise what float64 does not keep; a total that must fall cannot cycle
            trial_total = float(probability @ parts[1])
            if trial_total < total * (1 - 1e-9):
                is_medoid[medoids[slot]], is_medoid[trial[slot]] = False, True
                medoids, total, quiet = trial, trial_total, 0
                near, first, second = parts
                owner[:] = 0
                owner[everyone, near] = weight
        if quiet >= len(blocks):
            break
    return np.sort(medoids)


def _two_nearest(
    cost: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Of each row of ``(scenario, medoid)``: the column of the least cost, that cost, and the next."""
    lines = np.arange(len(cost))
    near = cost.argmin(axis=1)
    first = cost[lines, near]
    rest = cost.copy()
    rest[lines, near] = np.inf
    return near, first, rest.min(axis=1)
