"""A scenario tree of a set, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .nested_distance import nested_distance
from .scenario_set import ScenarioSet
from .tree import Tree, build_tree, fan_tree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

THICKEST = 7.0
"""Width of the branch that every scenario takes [points]."""


def tree_of(
    scenario_set: ScenarioSet, starts: Sequence[int], nodes: Sequence[int], *,
    method: Literal["forward", "backward"] = "forward",
) -> tuple[Tree, float]:  # fmt: skip
    """Tree, and its nested distance from the scenarios.

    Of the net load of all homes and, where it is there, of the import price, each on its own spread.

    Args:
        starts: first step of every stage, beginning with 0.
        nodes: most nodes of every stage, not falling.
    """
    together = scenario_set.aggregate()
    net = np.zeros((len(scenario_set), len(scenario_set.time)))
    for name, sign in (("load_kw", 1.0), ("ev_kw", 1.0), ("heat_kw", 1.0), ("pv_kw", -1.0)):
        if name in together.channels:
            net += sign * together[name][:, 0]
    parts = [net]
    if "import_price_per_kwh" in together.channels:
        parts.append(together["import_price_per_kwh"].astype(np.float64))
    spread = [float(np.sqrt(((part - part.mean(0)) ** 2).mean())) for part in parts]
    scaled = [part / width for part, width in zip(parts, spread, strict=True) if width > 0]
    if not scaled:
        raise ValueError("the scenarios do not differ in net load or price; a tree needs some that do")
    fan, probability = np.stack(scaled, axis=-1), scenario_set.probability
    tree = build_tree(fan, probability, starts, nodes, method=method)
    return tree, nested_distance(fan_tree(fan, probability, starts), tree)


def with_tree(scenario_set: ScenarioSet, tree: Tree, starts: Sequence[int], distance: float) -> ScenarioSet:
    """The set with its tree in the provenance, under ``tree``, where `describe` and other readers find it."""
    return scenario_set.with_provenance(
        tree={
            "starts": [int(step) for step in starts],
            "stage": tree.stage.tolist(),
            "parent": tree.parent.tolist(),
            "probability": tree.probability.tolist(),
            "node_of": tree.node_of.tolist(),
            "nested_distance": distance,
        }
    )


def draw_tree(tree: Mapping[str, Any], axes: Axes) -> None:
    """Draw a tree, as `with_tree` keeps it, from the left to the right: a branch is as thick as it is likely.

    Nodes stand at the middle of their children; leaves from the likeliest branch downwards.
    """
    stage, parent = np.asarray(tree["stage"]), np.asarray(tree["parent"])
    probability = np.asarray(tree["probability"], dtype=np.float64)
    children: dict[int, list[int]] = {node: [] for node in range(len(stage))}
    for node, above in enumerate(parent.tolist()):
        if above >= 0:
            children[int(above)].append(node)
    height = np.zeros(len(stage))
    leaves = 0

    def place(node: int) -> None:
        nonlocal leaves
        below = sorted(children[node], key=lambda child: -probability[child])
        for child in below:
            place(child)
        if below:
            height[node] = float(np.mean(height[below]))
        else:
            height[node] = leaves
            leaves += 1

    for root in np.flatnonzero(parent < 0):
        place(int(root))
    last = int(stage.max())
    for node, above in enumerate(parent.tolist()):
        if above >= 0:
            middle = stage[node] - 0.5
            axes.plot(
                [stage[above], middle, middle, stage[node]],
                [height[above], height[above], height[node], height[node]],
                color="#4878a8", linewidth=max(THICKEST * probability[node], 0.6), solid_joinstyle="round",
                solid_capstyle="round", alpha=0.75,
            )  # fmt: skip
    axes.scatter(stage, height, s=12 + 160 * probability, color="#1f3b57", zorder=3)
    if leaves <= 40:
        for node in map(int, np.flatnonzero(stage == last)):
            axes.annotate(
                f"{100 * probability[node]:.0f} %", (last, height[node]), xytext=(10, 0), textcoords="offset points",
                va="center", fontsize=8,
            )  # fmt: skip
    steps = tree.get("starts")
    labels = [f"stage {number}" if steps is None else f"step {steps[number]}" for number in range(last + 1)]
    axes.set_xticks(range(last + 1), labels)
    axes.set_xlim(-0.2, last + 0.4)
    axes.set_yticks([])
    axes.invert_yaxis()
    axes.set_xlabel("stage begins at")
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
