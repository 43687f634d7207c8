"""Payoffs of homes by way of clusters, against the exact game where it can be solved."""

import numpy as np
import pytest

from hidiff.adapters.clustered_game import cluster_homes, clustered_game, mean_deviation
from hidiff.adapters.coalitions import CoalitionProgramme, coalition_costs, community, savings
from hidiff.adapters.core_check import check_core
from hidiff.data.synthetic import synthetic_homes
from hidiff.envs.market.games import largest_excess, nucleolus, sampled_shapley, shapley
from hidiff.home import Battery, Home, Tariff

BATTERIES = (Battery(capacity_kwh=5), Battery(capacity_kwh=10), None, None)


def joined(homes, seed=0, copies=1):
    """Made-up homes, half of them with one of two batteries; with ``copies`` each is there several times."""
    traces = synthetic_homes(homes, 1, "2012-11-06", seed=seed)
    rng = np.random.default_rng(seed)
    members = [Home(battery=BATTERIES[rng.integers(4)], tariff=Tariff.time_of_use()) for _ in range(homes)]
    return community(
        members * copies,
        np.tile(traces.load_kw, (copies, 1)),
        np.tile(traces.pv_kw, (copies, 1)),
        traces.time,
    )


@pytest.mark.parametrize(("solution", "solve"), [("nucleolus", nucleolus), ("shapley", shapley)])
def test_a_cluster_for_every_home_is_the_exact_game(solution, solve):
    homes = joined(6)
    exact = solve(savings(coalition_costs(homes)))
    game = clustered_game(homes, clusters=6, solution=solution)
    np.testing.assert_allclose(game.payoffs, exact, atol=1e-7)
    assert mean_deviation(game.payoffs, exact) < 1e-6


@pytest.mark.parametrize("sharing", ["marginal", "internal_price", "energy"])
@pytest.mark.parametrize("solution", ["nucleolus", "shapley"])
def test_homes_share_exactly_what_they_save_together_and_clusters_what_they_get(solution, sharing):
    homes = joined(9, 4)
    game = clustered_game(homes, clusters=4, solution=solution, sharing=sharing)
    together = game.standalone_costs.sum() - game.schedule.cost
    assert game.payoffs.sum() == pytest.approx(together)
    assert game.bills.sum() == pytest.approx(game.schedule.cost)
    np.testing.assert_allclose(np.bincount(game.cluster_of, weights=game.payoffs), game.cluster_payoffs)
    assert game.payoffs.min() >= -1e-9


def test_clusters_of_two_homes_come_near_the_exact_nucleolus_and_nearer_when_tightened():
    deviations = {}
    for is_tightened in (True, False):
        found = []
        for seed in range(4):
            homes = joined(10, seed)
            exact = nucleolus(savings(coalition_costs(homes)))
            game = clustered_game(homes, clusters=5, is_tightened=is_tightened)
            found.append(mean_deviation(game.payoffs, exact))
        deviations[is_tightened] = np.mean(found)
    assert deviations[True] < 0.10
    assert deviations[True] < deviations[False]


def test_the_reported_excess_is_that_of_a_coalition_and_never_above_the_largest_of_all():
    for seed in range(3):
        homes = joined(8, seed)
        values = savings(coalition_costs(homes))
        for solution in ("nucleolus", "shapley"):
            game = clustered_game(homes, clusters=4, solution=solution)
            assert game.largest_excess <= largest_excess(values, game.payoffs)[0] + 1e-7
            place = int(game.worst_coalition @ 2 ** np.arange(8))
            own = values[place] - game.payoffs[game.worst_coalition].sum()
            assert game.largest_excess == pytest.approx(own, abs=1e-7)


def test_equal_homes_are_of_one_cluster_and_get_the_same():
    game = clustered_game(joined(4, 1, copies=5), clusters=4)
    for copy in range(1, 5):
        np.testing.assert_array_equal(game.cluster_of[:4], game.cluster_of[4 * copy : 4 * copy + 4])
        np.testing.assert_allclose(game.payoffs[4 * copy : 4 * copy + 4], game.payoffs[:4], atol=1e-6)


def test_more_clusters_than_different_homes_leave_no_cluster_empty():
    profiles = np.tile(np.arange(3.0)[:, None], (4, 8))
    assert set(cluster_homes(profiles, 6).tolist()) == {0, 1, 2}


def test_a_hundred_homes_are_shared_out_and_the_core_is_checked_over_all_of_them():
    homes = joined(100, 2)
    game = clustered_game(homes)
    check = check_core(homes, game.bills, is_exact=False)
    assert game.payoffs.sum() > 1.0
    assert check.bound >= game.largest_excess - 1e-6
    assert check.bound < 0.05 * game.payoffs.sum()
    equally = check_core(homes, game.standalone_costs - game.payoffs.mean(), is_exact=False)
    assert equally.bound > check.bound


def test_the_programme_prices_the_coalitions_of_sampled_shapley():
    homes = joined(5, 3)
    costs = coalition_costs(homes)
    alone, programme = costs[2 ** np.arange(5)], CoalitionProgramme(homes)
    found = sampled_shapley(
        lambda members: float(alone @ members) - programme.cost(members),
        5,
        np.random.default_rng(0),
        rounds=40,
    )
    assert (np.abs(found.payoffs - shapley(savings(costs))) <= 4 * found.standard_error + 1e-6).all()


def test_unknown_names_and_impossible_numbers_of_clusters_are_refused():
    homes = joined(3)
    with pytest.raises(ValueError, match="use one of nucleolus, shapley"):
        clustered_game(homes, clusters=2, solution="core")
    with pytest.raises(ValueError, match="use 'marginal', 'internal_price' or 'energy'"):
        clustered_game(homes, clusters=2, sharing="equal")
    with pytest.raises(ValueError, match="clusters is 4; it must be 1 to 3 for 3 homes"):
        clustered_game(homes, clusters=4)
    with pytest.raises(ValueError, match="clusters is 0"):
        clustered_game(homes, clusters=0)
