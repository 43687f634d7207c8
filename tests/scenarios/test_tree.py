"""Scenario trees and their nested distance: invariants, and examples computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hidiff.scenarios.distances import wasserstein_distance
from hidiff.scenarios.nested_distance import nested_distance
from hidiff.scenarios.reduce import reduce_scenarios
from hidiff.scenarios.tree import Tree, build_tree, fan_tree

STARTS = [0, 2, 4]
seeds = st.integers(0, 2**32 - 1)


def draw_fan(seed, count=12):
    rng = np.random.default_rng(seed)
    weight = rng.random(count) + 0.05
    return rng.normal(size=(count, 6, 2)).cumsum(axis=1), weight / weight.sum()


def wasserstein_of_leaves(one, other, **choices):
    flat = [tree.leaf_values().reshape(len(tree.leaves), -1) for tree in (one, other)]
    return wasserstein_distance(*flat, one.leaf_probability, other.leaf_probability, **choices)


@given(seeds, st.sampled_from(["forward", "backward"]), st.sampled_from(["mean", "medoid"]))
@settings(max_examples=60, deadline=None)
def test_nodes_hold_the_scenarios_that_pass_through_them(seed, method, value):
    fan, p = draw_fan(seed)
    tree = build_tree(fan, p, STARTS, [1, 3, 7], method=method, value=value)
    assert [len(part) for part in tree.values] == [1, 3, 7]
    for stage in range(3):
        nodes = tree.stage == stage
        assert abs(tree.probability[nodes].sum() - 1) <= 1e-12
        held = np.bincount(tree.node_of[stage], p, minlength=len(nodes))
        np.testing.assert_allclose(held[nodes], tree.probability[nodes], atol=1e-12)
        if stage:
            np.testing.assert_array_equal(tree.parent[tree.node_of[stage]], tree.node_of[stage - 1])
    assert tree.leaf_values().shape == (7, 6, 2)
    if value == "mean":
        mean = tree.leaf_probability @ tree.leaf_values().reshape(7, -1)
        np.testing.assert_allclose(mean, p @ fan.reshape(12, -1), atol=1e-10)


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_a_tree_of_one_stage_is_the_reduction(method):
    fan, p = draw_fan(5)
    tree = build_tree(fan, p, [0], [4], method=method, value="medoid")
    reduction = reduce_scenarios(fan.reshape(12, -1), p, 4, method)
    order = np.argsort(tree.leaf_probability)
    np.testing.assert_allclose(tree.leaf_probability[order], np.sort(reduction.probability), atol=1e-12)
    np.testing.assert_array_equal(
        tree.leaf_of[:, None] == tree.leaf_of, reduction.assignment[:, None] == reduction.assignment
    )


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_a_tree_with_a_node_for_every_scenario_is_the_fan(method):
    fan, p = draw_fan(6)
    tree = build_tree(fan, p, STARTS, [12, 12, 12], method=method)
    assert nested_distance(fan_tree(fan, p, STARTS), tree) == 0


def test_a_fan_that_is_a_tree_is_found_again():
    values = np.array(
        [[0, 0, 1, 1, 5, 5], [0, 0, 1, 1, 9, 9], [0, 0, -1, -1, 3, 3], [0, 0, -1, -1, -3, -3.0]]
    )
    for method in ("forward", "backward"):
        tree = build_tree(values, None, STARTS, [1, 2, 4], method=method)
        assert tree.node_of[1].tolist() in ([1, 1, 2, 2], [2, 2, 1, 1])
        assert nested_distance(tree, fan_tree(values, None, STARTS)) == pytest.approx(0, abs=1e-12)


def test_knowing_earlier_is_far_in_nested_distance_though_the_leaves_are_near():
    """Paths 2, 2 +- e, then 3 or 1, against 2, 2, then 3 or 1: the first knows the end one step before.

    The 1-norms of the differences are e for equal ends and e + 2 for others, so the Wasserstein distance is e. After
    the middle step the first tree's node has one branch, the other's has two at a half each: their cost is
    (e + e + 2) / 2 = 1 + e, whichever way the nodes are matched.
    """
    e = 0.1
    early = fan_tree([[2, 2 + e, 3], [2, 2 - e, 1]], None, [0, 1, 2])
    late = fan_tree([[2, 2, 3], [2, 2, 1]], None, [0, 1, 2])
    assert wasserstein_of_leaves(early, late, norm="l1") == pytest.approx(e)
    assert nested_distance(early, late, norm="l1") == pytest.approx(1 + e)


def test_nested_distance_of_two_trees_whose_nodes_must_be_matched():
    """Two trees of 0 -> (1 -> 2 or 4, -1 -> -2) and 0 -> (1 -> 3, -1 -> -2), branches equally likely.

    Upper nodes: the branches 2 and 4 go to 3, |2-3|/2 + |4-3|/2 = 1. Lower nodes: 0. Crosswise costs at least 2 + 5
    a half each. So the distance is 1/2 * 1 + 1/2 * 0.
    """
    one = fan_tree([[0, 1, 2], [0, 1, 4], [0, -1, -2]], [0.25, 0.25, 0.5], [0, 1, 2])
    other = fan_tree([[0, 1, 3], [0, -1, -2]], None, [0, 1, 2])
    assert nested_distance(one, other, norm="l1") == pytest.approx(0.5)


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_nested_distance_is_a_metric_not_below_the_wasserstein_distance(seed):
    trees = [
        build_tree(*draw_fan(seed + number, 8), STARTS, [2, 3, 5], value="medoid") for number in range(3)
    ]
    a, b, c = trees
    assert nested_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert nested_distance(a, b) == pytest.approx(nested_distance(b, a), abs=1e-7)
    assert nested_distance(a, c) <= nested_distance(a, b) + nested_distance(b, c) + 1e-7
    assert nested_distance(a, b) >= wasserstein_of_leaves(a, b) - 1e-7


@pytest.mark.parametrize(
    ("starts", "nodes", "says"),
    [
        ([1, 2], [1, 2], "begin with 0"),
        ([0, 6], [1, 2], "end before 6"),
        ([0, 2], [3, 2], "not falling"),
        ([0, 2], [1, 13], "12 scenarios"),
    ],
)
def test_stages_that_do_not_fit_the_fan_are_refused(starts, nodes, says):
    with pytest.raises(ValueError, match=says):
        build_tree(*draw_fan(1), starts, nodes)


def test_a_tree_whose_probabilities_do_not_add_up_is_refused():
    with pytest.raises(ValueError, match="children must sum"):
        Tree(
            stage=np.array([0, 1, 1]), parent=np.array([-1, 0, 0]), probability=np.array([1, 0.5, 0.4]),
            values=(np.zeros((1, 1, 1)), np.zeros((2, 1, 1))), node_of=np.array([[0, 0], [1, 2]]),
        )  # fmt: skip
