"""Nested (process) distance between scenario trees: Pflug, Pichler 2012 (doi:10.1137/110825054).

The Wasserstein distance sees only the values on the way to the leaves; the nested distance also sees when they become
known. It bounds how far the optima of multistage problems on the two trees can lie apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .distances import Norm, check_norm, cost_between, transport_cost
from .tree import Tree


def nested_distance(one: Tree, other: Tree, *, norm: Norm = "l2", order: float = 1.0) -> float:
    """Exact nested distance, from the leaves to the root.

    The cost of two nodes is the least mean cost of moving one's branches to the other's, given the costs of the
    branches. Where one of the two has a single branch, as in a fan, no linear programme is needed; else one is
    solved for each pair of nodes in a stage.

    Raises:
        ValueError: trees whose stages differ in number, steps or features.
    """
    check_norm(norm, order)
    shapes = [[part.shape[1:] for part in tree.values] for tree in (one, other)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"stages have (steps, features) {shapes[0]} and {shapes[1]}; build both with the same starts"
        )
    flat = [tree.leaf_values().reshape(len(tree.leaves), -1) for tree in (one, other)]
    cost = cost_between(flat[0], flat[1], norm, order)
    for stage in range(len(one.values) - 1, -1, -1):
        families, others = _families(one, stage), _families(other, stage)
        above = np.empty((len(families), len(others)))
        for i, (rows, p) in enumerate(families):
            part = cost[rows]
            for j, (columns, q) in enumerate(others):
                above[i, j] = transport_cost(part[:, columns], p, q)
        cost = above
    return float(max(cost[0, 0], 0.0) ** (1 / order))


def _families(tree: Tree, stage: int) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """For every node of the stage before (for the root of all, if it is the first): its branches, as positions in
    ``stage``, and their conditional probabilities."""
    nodes = np.flatnonzero(tree.stage == stage)
    parents = np.unique(tree.parent[nodes]) if stage == 0 else np.flatnonzero(tree.stage == stage - 1)
    families = []
    for parent in parents:
        rows = np.flatnonzero(tree.parent[nodes] == parent)
        weight = tree.probability[nodes[rows]]
        total = weight.sum()
        families.append((rows, weight / total if total > 0 else np.full(len(rows), 1 / len(rows))))
    return families
