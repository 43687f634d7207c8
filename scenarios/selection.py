"""Which scenarios to keep, by greedy search: fast forward selection and simultaneous backward reduction.

Both minimise ``sum_i p_i min_{j kept} c(i, j)``, the cost of the reduced set with optimally redistributed weights
(Dupačová, Gröwe-Kuska, Römisch 2003, doi:10.1007/s10107-002-0331-0; Heitsch, Römisch 2003,
doi:10.1023/A:1021805924152).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BATCH = 32  # candidates that are looked at together


def forward_selection(
    cost: NDArray[np.float32], probability: NDArray[np.float64], n: int, start: Sequence[int] = ()
) -> NDArray[np.int64]:
    """Rows in the order in which fast forward selection takes them.

    What a scenario would save never grows as others are taken, so savings that were computed earlier are upper
    bounds: only candidates whose bound beats the best of this round are computed again. The choice is that of the
    full search, ties going to the lower row.

    Args:
        cost: symmetric, ``(scenario, scenario)``.
        start: rows that are taken already.
    """
    weight = probability.astype(np.float32)
    taken = list(start)
    if not taken:
        taken = [int(np.argmin(cost @ weight))]
    nearest = cost[taken].min(axis=0)
    bound = np.empty(len(cost), dtype=np.float32)

    def saved(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        gain = nearest - cost[rows]
        np.maximum(gain, 0, out=gain)
        return np.asarray(gain @ weight)

    for first in range(0, len(cost), 256):
        rows = np.arange(first, min(first + 256, len(cost)))
        bound[rows] = saved(rows)
    bound[taken] = -1
    for _ in range(n - len(taken)):
        fresh = np.zeros(len(cost), dtype=bool)
        best = np.float32(-1)
        while True:
            open_rows = np.flatnonzero((bound >= best) & ~fresh & (bound >= 0))
            if not len(open_rows):
                break
            if len(open_rows) > BATCH:
                open_rows = open_rows[np.argpartition(-bound[open_rows], BATCH)[:BATCH]]
            bound[open_rows] = saved(open_rows)
            fresh[open_rows] = True
            best = max(best, bound[open_rows].max())
        choice = int(np.argmax(np.where(fresh, bound, -1)))
        taken.append(choice)
        bound[choice] = -1
        np.minimum(nearest, cost[choice], out=nearest)
    return np.array(taken, dtype=np.int64)


def backward_reduction(
    cost: NDArray[np.float32], probability: NDArray[np.float64], n: int
) -> NDArray[np.int64]:
    """Rows that simultaneous backward reduction keeps, ascending.

    Each round drops the scenario whose loss is least, given that all that was dropped, and it, move to the nearest
    scenario that stays. Every scenario knows its two nearest kept ones, so a round touches only the few that
    lose one of them.
    """
    count = len(cost)
    if count == 1:
        return np.array([0])
    open_cost = cost.copy()
    first = np.arange(count)
    nearest = np.zeros(count)
    np.fill_diagonal(open_cost, np.inf)
    second = open_cost.argmin(axis=1)
    next_nearest = open_cost[first, second].astype(np.float64)
    np.fill_diagonal(open_cost, 0)
    loss = probability * (next_nearest - nearest)  # of dropping each; infinite once dropped
    for _ in range(count - max(n, 2)):
        gone = int(np.argmin(loss))
        loss[gone] = np.inf
        open_cost[:, gone] = np.inf
        touched = np.flatnonzero((first == gone) | (second == gone))
        was_first = first[touched]
        held = probability[touched] * (next_nearest[touched] - nearest[touched])
        np.subtract.at(loss, was_first[was_first != gone], held[was_first != gone])
        part = open_cost[touched]
        lines = np.arange(len(touched))
        first[touched] = part.argmin(axis=1)
        nearest[touched] = part[lines, first[touched]]
        part[lines, first[touched]] = np.inf
        second[touched] = part.argmin(axis=1)
        next_nearest[touched] = part[lines, second[touched]]
        np.add.at(loss, first[touched], probability[touched] * (next_nearest[touched] - nearest[touched]))
    kept = np.flatnonzero(np.isfinite(loss))
    return kept if n >= len(kept) else kept[[int(np.argmax(loss[kept]))]]
