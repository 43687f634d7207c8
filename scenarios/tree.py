"""Scenario trees for several stages, built from a fan of scenarios.

A fan says from the first step on which scenario is the one; a tree lets scenarios share nodes until their stage has
come, so that decisions cannot use what is not known yet. Construction: Heitsch, Römisch 2009
(doi:10.1007/s10107-007-0197-2); Gröwe-Kuska, Heitsch, Römisch 2003 (doi:10.1109/PTC.2003.1304379).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .distances import Norm, check_norm, check_probability, cost_between, cost_matrix
from .selection import backward_reduction, forward_selection

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """Nodes, numbered stage by stage, as plain arrays.

    Raises:
        ValueError: shapes, parents or probabilities that are not those of a tree.
    """

    stage: Rows
    """Of each node, ascending."""
    parent: Rows
    """Of each node; -1 in stage 0."""
    probability: Array
    """Of passing through each node; sums to one in every stage."""
    values: tuple[Array, ...]
    """Per stage, ``(node of the stage, step of the stage, feature)``."""
    node_of: Rows
    """Non-anticipativity, ``(stage, scenario)``: scenarios with the same node must decide the same there."""

    def __post_init__(self) -> None:
        count, stages = len(self.stage), len(self.values)
        if not (len(self.parent) == len(self.probability) == count and self.node_of.shape[0] == stages):
            raise ValueError(
                f"{count} nodes with {len(self.parent)} parents and {len(self.probability)} probabilities, "
                f"{stages} stages with {self.node_of.shape[0]} rows of node_of; they must agree"
            )
        sizes = [len(part) for part in self.values]
        if not np.array_equal(self.stage, np.repeat(np.arange(stages), sizes)):
            raise ValueError(f"stage does not number the nodes of sizes {sizes} stage by stage")
        later = self.stage > 0
        parents = self.parent[later]
        if (
            (self.parent[~later] != -1).any()
            or (parents < 0).any()
            or (self.stage[parents] != self.stage[later] - 1).any()
        ):
            raise ValueError("a node's parent is not in the stage before (or not -1 in stage 0)")
        children = np.bincount(parents, self.probability[later], minlength=count)
        off = np.abs(children - self.probability)[self.stage < stages - 1].max(initial=0.0)
        off = max(off, abs(self.probability[~later].sum() - 1))
        if off > 1e-12 or (self.probability < 0).any():
            raise ValueError(
                f"probabilities are off by {off:.3g}: children must sum to their parent, stage 0 to 1"
            )

    @property
    def leaves(self) -> Rows:
        """Nodes of the last stage."""
        return np.flatnonzero(self.stage == len(self.values) - 1)

    @property
    def leaf_of(self) -> Rows:
        """Leaf of each scenario of the fan."""
        return np.asarray(self.node_of[-1])

    def paths(self) -> Rows:
        """Nodes on the way to each leaf, ``(stage, leaf)``."""
        way = [self.leaves]
        while len(way) < len(self.values):
            way.append(self.parent[way[-1]])
        return np.array(way[::-1])

    def leaf_values(self) -> Array:
        """Values along the way to each leaf, ``(leaf, step, feature)``: the tree as scenarios."""
        first = np.searchsorted(self.stage, np.arange(len(self.values)))
        return np.concatenate(
            [part[nodes - at] for part, nodes, at in zip(self.values, self.paths(), first, strict=True)],
            axis=1,
        )

    @property
    def leaf_probability(self) -> Array:
        """Of each leaf, in the order of `leaf_values`."""
        return self.probability[self.leaves]


def build_tree(
    values: ArrayLike, probability: ArrayLike | None, starts: Sequence[int], nodes: Sequence[int], *,
    method: Literal["forward", "backward"] = "forward", value: Literal["mean", "medoid"] = "mean",
    norm: Norm = "l2", order: float = 1.0,
) -> Tree:  # fmt: skip
    """Tree with at most ``nodes`` nodes a stage.

    ``forward`` splits, from the first stage on, the scenarios of each node by the values of the next stage; all
    nodes of a stage compete for its number, so branches come where the fan spreads. ``backward`` reduces the
    whole scenarios to the leaves and then merges histories, stage by stage towards the root. Both reduce greedily by
    the cost of optimal redistribution.

    Args:
        values: fan, ``(scenario, step, feature)`` or ``(scenario, step)``, each feature scaled to count alike.
        starts: first step of every stage, beginning with 0.
        nodes: of every stage, not falling; 1 in the first for a stage that is known when the tree is used.
        value: of a node: mean of its scenarios, or the values of the one nearest to all others.

    Raises:
        ValueError: stages or numbers of nodes that do not fit the fan.
    """
    fan, p = check_fan(values, probability)
    bounds = check_stages(starts, fan.shape[1])
    counts = [int(number) for number in nodes]
    if len(counts) != len(starts) or counts[0] < 1 or counts[-1] > len(fan) or sorted(counts) != counts:
        raise ValueError(
            f"nodes {counts} for {len(starts)} stages and {len(fan)} scenarios; give one number a stage, from 1 to "
            f"{len(fan)}, not falling"
        )
    check_norm(norm, order)
    if method not in ("forward", "backward") or value not in ("mean", "medoid"):
        raise ValueError(f"method {method!r} must be forward or backward, value {value!r} mean or medoid")
    build = _forward if method == "forward" else _backward
    return tree_of_groups(fan, p, bounds, build(fan, p, bounds, counts, norm, order), value, norm, order)


def fan_tree(values: ArrayLike, probability: ArrayLike | None, starts: Sequence[int]) -> Tree:
    """The fan itself as a tree: scenarios share a node exactly as long as their values are equal."""
    fan, p = check_fan(values, probability)
    bounds = check_stages(starts, fan.shape[1])
    groups = [
        np.unique(fan[:, :end].reshape(len(fan), -1), axis=0, return_inverse=True)[1].reshape(-1)
        for end in bounds[1:]
    ]
    return tree_of_groups(fan, p, bounds, groups)


def tree_of_groups(
    fan: Array, probability: Array, bounds: Sequence[int], groups: Sequence[Rows], value: str = "mean",
    norm: Norm = "l2", order: float = 1.0,
) -> Tree:  # fmt: skip
    """Tree in which scenarios with the same label share a node, per stage; labels must refine those before."""
    stage: list[int] = []
    parent: list[int] = []
    weight: list[float] = []
    parts, node_of = [], np.empty((len(groups), len(fan)), dtype=np.int64)
    for number, labels in enumerate(groups):
        _, first, own = np.unique(labels, return_index=True, return_inverse=True)
        node_of[number] = len(stage) + own.reshape(-1)
        if number and (node_of[number - 1] != node_of[number - 1][first][own]).any():
            raise ValueError(f"groups of stage {number} join scenarios that stage {number - 1} keeps apart")
        parent += [-1] * len(first) if number == 0 else node_of[number - 1][first].tolist()
        here = fan[:, bounds[number] : bounds[number + 1]]
        nodes = []
        for members in (np.flatnonzero(own == node) for node in range(len(first))):
            share = probability[members]
            share = share if share.sum() > 0 else np.ones(len(members))
            if value == "medoid":
                flat = here[members].reshape(len(members), -1)
                nodes.append(here[members[int(np.argmin(share @ cost_between(flat, flat, norm, order)))]])
            elif (here[members] == here[members[0]]).all():
                nodes.append(here[members[0]])  # no rounding where there is nothing to average
            else:
                nodes.append(np.tensordot(share / share.sum(), here[members], axes=1))
            weight.append(float(probability[members].sum()))
        stage += [number] * len(first)
        parts.append(np.array(nodes))
    return Tree(
        stage=np.array(stage), parent=np.array(parent), probability=np.array(weight), values=tuple(parts),
        node_of=node_of,
    )  # fmt: skip


def _forward(
    fan: Array, probability: Array, bounds: Sequence[int], counts: Sequence[int], norm: Norm, order: float
) -> list[Rows]:
    label = np.zeros(len(fan), dtype=np.int64)
    groups = []
    for number, count in enumerate(counts):
        here = fan[:, bounds[number] : bounds[number + 1]].reshape(len(fan), -1)
        cost = cost_matrix(here, norm, order)
        apart = label[:, None] != label
        far = 2 * float(cost.max()) + 1
        cost[apart] = far  # a scenario stays with its own node's branches
        start = []
        for node in np.unique(label):
            members = np.flatnonzero(label == node)
            inner = cost[np.ix_(members, members)] @ probability[members]
            start.append(int(members[np.argmin(inner)]))
        kept = forward_selection(cost, probability, count, start)
        exact = cost_between(here, here[kept], norm, order)
        exact[label[:, None] != label[kept]] = np.inf
        choice = exact.argmin(axis=1)
        choice[kept] = np.arange(len(kept))
        label = kept[choice]
        groups.append(label)
    return groups


def _backward(
    fan: Array, probability: Array, bounds: Sequence[int], counts: Sequence[int], norm: Norm, order: float
) -> list[Rows]:
    label = np.arange(len(fan))
    groups = []
    for number in reversed(range(len(counts))):
        alive, own = np.unique(label, return_inverse=True)
        history = fan[alive, : bounds[number + 1]].reshape(len(alive), -1)
        share = np.bincount(own.reshape(-1), probability, minlength=len(alive)).astype(np.float64)
        kept = np.sort(
            backward_reduction(cost_matrix(history, norm, order), share, min(counts[number], len(alive)))
        )
        choice = cost_between(history, history[kept], norm, order).argmin(axis=1)
        choice[kept] = np.arange(len(kept))
        label = alive[kept][choice][own.reshape(-1)]
        groups.append(label)
    return groups[::-1]


def check_fan(values: ArrayLike, probability: ArrayLike | None) -> tuple[Array, Array]:
    """Fan as ``(scenario, step, feature)`` and its probabilities."""
    fan = np.asarray(values, dtype=np.float64)
    fan = fan[..., None] if fan.ndim == 2 else fan
    if fan.ndim != 3 or not fan.size:
        raise ValueError(
            f"fan has shape {fan.shape}; a tree takes (scenario, step, feature) or (scenario, step)"
        )
    if not np.isfinite(fan).all():
        raise ValueError(
            f"fan holds {int((~np.isfinite(fan)).sum()):,} missing or infinite values; fill or drop them"
        )
    return fan, check_probability(probability, len(fan))


def check_stages(starts: Sequence[int], steps: int) -> list[int]:
    """First step of every stage, and the end."""
    bounds = [*(int(start) for start in starts), steps]
    if bounds[0] != 0 or len(bounds) < 2 or min(np.diff(bounds)) < 1:
        raise ValueError(f"starts {bounds[:-1]} of {steps} steps; begin with 0, rise, and end before {steps}")
    return bounds
