"""Quantiles, duration curves, distances and their map have known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hidiff.scenarios.describe_numbers import (
    block_means,
    classical_scaling,
    deviations,
    distances,
    duration_curves,
    weighted_quantiles,
)


def test_a_weighted_quantile_is_the_first_value_that_holds_enough_probability() -> None:
    found = weighted_quantiles([30.0, 10.0, 20.0], [0.2, 0.5, 0.3], (0.05, 0.5, 0.51, 0.8, 0.81, 1))
    assert found.tolist() == [10, 10, 20, 20, 30, 30]


def test_quantiles_are_taken_at_each_step_by_itself() -> None:
    values = np.array([[1.0, 6.0], [2.0, 5.0], [3.0, 4.0]])
    assert weighted_quantiles(values, [1, 1, 1], (0.5, 1.0)).tolist() == [[2, 5], [3, 6]]


def test_a_scenario_that_cannot_happen_is_no_quantile() -> None:
    assert weighted_quantiles([-9.0, 1.0, 2.0, 99.0], [0, 0.5, 0.5, 0], (0, 1)).tolist() == [1, 2]


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 5)), min_size=1, max_size=20), st.floats(0, 1))
def test_a_weight_is_as_good_as_repeats(pairs: list[tuple[float, int]], share: float) -> None:
    values, counts = [value for value, _ in pairs], [count for _, count in pairs]
    weighted = weighted_quantiles(values, counts, (share,))
    repeated = weighted_quantiles(np.repeat(values, counts), np.ones(sum(counts)), (share,))
    assert weighted[0] == repeated[0]


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1,\).*2 values need"):
        weighted_quantiles([1.0, 2.0], [1.0], (0.5,))
    with pytest.raises(ValueError, match="sum above 0"):
        weighted_quantiles([1.0, 2.0], [0.0, 0.0], (0.5,))


def test_a_duration_curve_falls_from_the_peak_to_the_least() -> None:
    values = np.array([[3.0, 1.0, 2.0, 4.0, 0.0]])
    assert duration_curves(values, [0, 0.25, 0.5, 1]).tolist() == [[4, 3, 2, 0]]


def test_block_means_weigh_each_step_alike() -> None:
    values = np.arange(6, dtype=np.float32)[None]
    assert block_means(values, np.array([0, 1, 4])).tolist() == [[0, 2, 4.5]]


def test_the_squared_distance_from_the_mean_scenario_has_mean_one() -> None:
    rng = np.random.default_rng(3)
    probability = rng.dirichlet(np.ones(7))
    load, price = 1000 * rng.random((7, 30)), 0.01 * rng.random((7, 30))
    features = deviations([load, price, np.ones((7, 30))], probability)
    assert features.shape == (7, 60)  # the channel that does not vary is left out
    assert probability @ (features**2).sum(axis=1) == pytest.approx(1)
    half = (features[:, :30] ** 2).sum(axis=1)
    assert probability @ half == pytest.approx(0.5)  # kilowatts do not outweigh prices
    assert np.allclose(probability @ features, 0)


def test_scenarios_that_are_all_alike_are_no_distance_apart() -> None:
    features = deviations([np.full((3, 5), 0.1)], np.full(3, 1 / 3))
    assert distances(features).tolist() == np.zeros((3, 3)).tolist()
    places, share = classical_scaling(distances(features), np.full(3, 1 / 3))
    assert (places.tolist(), share) == (np.zeros((3, 2)).tolist(), 1.0)


def test_a_plane_keeps_the_distances_of_points_that_lie_in_one() -> None:
    rng = np.random.default_rng(5)
    flat = rng.normal(size=(9, 2)) @ rng.normal(size=(2, 6))
    probability = rng.dirichlet(np.ones(9))
    places, share = classical_scaling(distances(flat), probability)
    assert share == pytest.approx(1)
    assert np.allclose(distances(places), distances(flat))
    assert np.allclose(probability @ places, 0)


def test_a_corner_of_a_tetrahedron_cannot_be_drawn_without_loss() -> None:
    places, share = classical_scaling(np.ones((4, 4)) - np.eye(4), np.full(4, 0.25))
    assert share == pytest.approx(2 / 3)
    assert places.shape == (4, 2)


@pytest.mark.parametrize("count", [1, 2])
def test_a_map_of_one_or_two_scenarios_has_two_axes_still(count: int) -> None:
    places, _ = classical_scaling(np.ones((count, count)) - np.eye(count), np.full(count, 1 / count))
    assert places.shape == (count, 2)
