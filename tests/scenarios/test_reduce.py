"""Scenario reduction: what must hold for every set, and small sets whose answers are known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hidiff.scenarios.distances import cost_between, cost_matrix, wasserstein_distance
from hidiff.scenarios.medoids import faster_pam
from hidiff.scenarios.moments import match_moments
from hidiff.scenarios.reduce import reduce_scenarios, reduce_set, set_features
from hidiff.scenarios.selection import backward_reduction, forward_selection

METHODS = ("medoids", "forward", "backward", "moments", "random")
seeds = st.integers(0, 2**32 - 1)


def draw(seed, most=30):
    rng = np.random.default_rng(seed)
    count, width = int(rng.integers(2, most)), int(rng.integers(1, 6))
    weight = rng.random(count) + 0.01
    return rng.normal(size=(count, width)), weight / weight.sum(), int(rng.integers(1, count + 1))


@given(seeds, st.sampled_from(METHODS), st.sampled_from(["l1", "l2"]), st.sampled_from([1.0, 2.0]))
@settings(max_examples=150, deadline=None)
def test_a_reduction_keeps_a_subset_whose_probabilities_sum_to_one(seed, method, norm, order):
    x, p, n = draw(seed)
    result = reduce_scenarios(x, p, n, method, norm=norm, order=order, seed=seed)
    assert abs(result.probability.sum() - 1) <= 1e-12
    assert (result.probability > 0).all()
    assert (np.diff(result.kept) > 0).all() and result.kept[0] >= 0 and result.kept[-1] < len(x)
    assert len(result) <= n if method == "moments" else len(result) == n
    nearest = cost_between(x, x[result.kept], norm).min(axis=1)
    own = np.take_along_axis(cost_between(x, x[result.kept], norm), result.assignment[:, None], axis=1)[:, 0]
    np.testing.assert_array_equal(own, nearest)


@given(seeds, st.sampled_from(METHODS), st.sampled_from(["l1", "l2"]), st.sampled_from([1.0, 2.0]))
@settings(max_examples=40, deadline=None)
def test_the_reported_distance_is_the_exact_transport_distance(seed, method, norm, order):
    x, p, n = draw(seed, 15)
    result = reduce_scenarios(x, p, n, method, norm=norm, order=order)
    exact = wasserstein_distance(x, x[result.kept], p, result.probability, norm=norm, order=order)
    assert result.distance == pytest.approx(exact, abs=1e-6)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_forward_selection_is_the_full_search_and_more_scenarios_are_never_farther(seed):
    x, p, _ = draw(seed)
    cost = cost_matrix(x)
    order = forward_selection(cost, p, len(x))
    taken, distances = [], []
    for choice in order:
        totals = [p @ cost[[*taken, row]].min(axis=0) for row in range(len(x))]
        assert totals[choice] == pytest.approx(min(totals), rel=1e-5, abs=1e-6)
        taken.append(int(choice))
        distances.append(reduce_scenarios(x, p, len(taken), "forward").distance)
    assert sorted(taken) == list(range(len(x)))
    assert (np.diff(distances) <= 1e-9).all()
    assert distances[-1] == 0


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_backward_reduction_drops_what_costs_least_in_every_round(seed):
    x, p, n = draw(seed, 15)
    cost = cost_matrix(x)
    alive = set(range(len(x)))
    while len(alive) > n:
        totals = {row: p @ cost[sorted(alive - {row})].min(axis=0) for row in alive}
        alive.remove(min(totals, key=lambda row: (totals[row], row)))
    by_rule = p @ cost[sorted(alive)].min(axis=0)
    kept = backward_reduction(cost, p, n)
    assert len(kept) == n
    assert p @ cost[kept].min(axis=0) == pytest.approx(by_rule, rel=1e-5, abs=1e-6)


@given(seeds)
@settings(max_examples=50, deadline=None)
def test_swaps_never_make_medoids_worse_and_end_where_no_swap_helps(seed):
    x, p, n = draw(seed)
    cost = cost_matrix(x)
    start = np.random.default_rng(seed).choice(len(x), n, replace=False)
    kept = faster_pam(cost, p, start)
    total = p @ cost[kept].min(axis=0)
    assert len(set(kept.tolist())) == n
    assert total <= p @ cost[start].min(axis=0) + 1e-12
    for slot, row in itertools.product(range(n), set(range(len(x))) - set(kept.tolist())):
        other = np.append(np.delete(kept, slot), row)
        assert p @ cost[other].min(axis=0) >= total - 1e-5


def test_medoids_find_the_best_subset_of_two_clear_groups():
    x = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
    result = reduce_scenarios(x, [0.1, 0.2, 0.1, 0.1, 0.4, 0.1], 2)
    assert result.kept.tolist() == [1, 4]
    np.testing.assert_allclose(result.probability, [0.4, 0.6], atol=1e-15)
    assert result.distance == pytest.approx(0.4)
    assert result.relative_distance == pytest.approx(
        0.4 / 4.2
    )  # the best single one is 10: 1 + 1.8 + 0.8 + 0 + 0.4 + 0.2


@given(seeds, st.sampled_from(["medoids", "forward", "backward", "moments"]))
@settings(max_examples=40, deadline=None)
def test_another_order_of_scenarios_only_reorders_the_result(seed, method):
    x, p, n = draw(seed)
    turn = np.random.default_rng(seed + 1).permutation(len(x))
    one, other = reduce_scenarios(x, p, n, method), reduce_scenarios(x[turn], p[turn], n, method)
    if method in ("forward", "backward"):
        assert sorted(turn[other.kept].tolist()) == one.kept.tolist()
    if method != "medoids":  # swaps are taken in the order of the rows, and may end in another local optimum
        assert other.distance == pytest.approx(one.distance, rel=1e-6, abs=1e-6)
    assert other.distance <= reduce_scenarios(x, p, n, "forward").distance + 1e-6 or method != "medoids"


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_the_wasserstein_distance_is_a_metric(seed):
    x, p, _ = draw(seed, 8)
    y, z = x + 1, np.flip(x, axis=0) * 2

    def distance(a, b):
        return wasserstein_distance(a, b, p, p)

    assert distance(x, x) == pytest.approx(0, abs=1e-9)
    assert distance(x, y) == pytest.approx(distance(y, x), abs=1e-7)
    assert distance(x, y) == pytest.approx(np.sqrt(x.shape[1]), abs=1e-7)  # a shift costs its length
    assert distance(x, z) <= distance(x, y) + distance(y, z) + 1e-7


def test_matched_moments_are_those_of_the_full_set_when_enough_scenarios_are_kept():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]]) + 5
    p = np.full(200, 1 / 200)
    kept, weights = match_moments(x, p, 12)
    mean = p @ x
    np.testing.assert_allclose(weights @ x[kept], mean, atol=1e-3)
    np.testing.assert_allclose(np.cov(x[kept].T, aweights=weights, ddof=0), np.cov(x.T, ddof=0), atol=5e-3)


def test_equal_scenarios_cost_nothing_to_merge():
    x = np.repeat(np.arange(3.0)[:, None], 4, axis=0)
    for method in METHODS[:3]:
        result = reduce_scenarios(x, None, 3, method)
        assert result.distance == 0 and result.relative_distance == 0
        np.testing.assert_allclose(result.probability, 1 / 3)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([[1.0], [np.nan]], None, 1), "scenario 1 .* missing"),
        (([[1.0], [2.0]], None, 3), "n 3 lies outside 1..2"),
        (([[1.0], [2.0]], [0.5, 0.6], 1), "sums to 1.1"),
        (([[1.0], [2.0]], [1.5, -0.5], 1), "negative"),
        (([[1.0], [2.0]], None, 1, "kmeans"), "'kmeans' is none of medoids"),
        (([1.0, 2.0], None, 1), r"\(scenario, feature\)"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(arguments, says):
    with pytest.raises(ValueError, match=says):
        reduce_scenarios(*arguments)


def test_a_reduced_set_holds_the_kept_scenarios_and_says_how_far_it_is(scenario_set):
    reduced, reduction = reduce_set(scenario_set, 2, channels=["load_kw", "import_price_per_kwh"])
    assert reduced.names == [scenario_set.names[row] for row in reduction.kept]
    np.testing.assert_allclose(reduced.probability, reduction.probability, atol=1e-15)
    np.testing.assert_array_equal(reduced["pv_kw"], scenario_set["pv_kw"][reduction.kept])
    assert reduced.provenance["reduction"]["distance"] == reduction.distance > 0
    assert reduced.provenance["seed"] == scenario_set.provenance["seed"]


def test_features_of_a_set_weigh_channels_alike_and_stay_below_their_limit(scenario_set):
    full = set_features(scenario_set, ["load_kw", "import_price_per_kwh"])
    assert full.shape == (4, 3 * 96 + 96)
    assert full[:, :288].std() == pytest.approx(1, abs=1e-5)
    coarse = set_features(scenario_set, ["load_kw", "import_price_per_kwh"], max_features=50)
    assert coarse.shape == (4, 2 * 24)
    load = scenario_set["load_kw"].mean(axis=1).reshape(4, 24, 4).mean(axis=2)
    np.testing.assert_allclose(coarse[:, :24] / coarse[0, 0], load / load[0, 0], rtol=1e-4)
    with pytest.raises(ValueError, match="max_features 1"):
        set_features(scenario_set, ["load_kw", "pv_kw"], max_features=1)
