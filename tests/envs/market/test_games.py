"""Cooperative games: published answers, and what must hold for every game."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from hidiff.envs.market.games import (
    coalition_sums,
    excesses,
    is_balanced,
    is_in_core,
    largest_excess,
    least_core,
    members_of,
    nucleolus,
    sampled_shapley,
    shapley,
)

seeds = st.integers(0, 2**32 - 1)


def by_size(*values):
    """A game whose values are listed as in books: single players, then pairs 12, 13, …, then threes …"""
    players = (len(values) + 1).bit_length() - 1
    game, listed = np.zeros(2**players), iter(values)
    for size in range(1, players + 1):
        for members in combinations(range(players), size):
            game[sum(2**player for player in members)] = next(listed)
    return game


def estate_game(estate, claims):
    """What is left of an estate when all others have had their claims."""
    claims = np.asarray(claims, float)
    return np.maximum(estate - (claims.sum() - coalition_sums(claims)), 0.0)


def any_game(seed, most=6):
    """Values at random; about half of the games have a core."""
    rng = np.random.default_rng(seed)
    players = int(rng.integers(2, most + 1))
    values = rng.random(2**players) * coalition_sums(np.ones(players)) * 10.0 ** rng.integers(-3, 4)
    values[0] = 0
    single = 2 ** np.arange(players)
    values[single] *= 0.2
    values[-1] = max(values.max(), values[single].sum()) * (1 if rng.random() < 0.5 else 2)
    return values


# Coalition values and answers as printed in: the manual of R CoopGame 0.2.2 (nucleolus; its "final example" is the
# estates of Aumann and Maschler 1985); the manual of R coopProductGame 2.0 (nucleolus); Ferguson, Game Theory, part IV
NUCLEOLI = [
    (by_size(0, 0, 0, 0, 5, 5, 8, 9, 10, 8, 13, 15, 16, 17, 21), (3.5, 4.5, 5.5, 7.5)),
    (by_size(68, 102, 0, 170, 710, 762, 992), (149, 192, 651)),
    (by_size(-1, 0, 1, 3, 4, 2, 5), (8 / 3, 2 / 3, 5 / 3)),
    (estate_game(100, (100, 200, 300)), (100 / 3, 100 / 3, 100 / 3)),
    (estate_game(200, (100, 200, 300)), (50, 75, 75)),
    (estate_game(300, (100, 200, 300)), (50, 100, 150)),
]
# Barron, Game Theory, problem 5.19 (doctors Moe, Larry, Curly and Shemp), as in webpages.math.luc.edu/~enb; the
# Sage reference manual (a taxi shared by three); R coopProductGame 2.0; Aumann 2010 (Ibn Ezra), as in R CoopGame 0.2.2
SHAPLEYS = [
    (by_size(0, 0, 0, 0, 4, 4, 3, 6, 2, 2, 10, 7, 7, 8, 13), (10 / 3, 23 / 6, 23 / 6, 2)),
    (by_size(6, 12, 42, 12, 42, 42, 42), (2, 5, 35)),
    (by_size(68, 102, 0, 170, 710, 762, 992), (229, 272, 491)),
    (
        by_size(120, 60, 40, 30, 120, 120, 120, 60, 60, 40, 120, 120, 120, 60, 120),
        (80.83333, 20.83333, 10.83333, 7.5),
    ),
]


@pytest.mark.parametrize(("values", "expected"), NUCLEOLI)
def test_the_nucleolus_is_the_published_one(values, expected):
    np.testing.assert_allclose(nucleolus(values), expected, rtol=1e-9)


@pytest.mark.parametrize(("values", "expected"), SHAPLEYS)
def test_the_shapley_value_is_the_published_one(values, expected):
    np.testing.assert_allclose(shapley(values), expected, rtol=1e-6)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_payoffs_share_exactly_what_all_gain(seed):
    values = any_game(seed)
    for payoffs in (shapley(values), nucleolus(values), least_core(values).payoffs):
        assert payoffs.sum() == pytest.approx(values[-1], rel=1e-8)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_payoffs_follow_the_players_when_they_are_numbered_otherwise(seed):
    values = any_game(seed)
    players = len(values).bit_length() - 1
    order = np.random.default_rng(seed).permutation(players)
    places = coalition_sums(2.0**order).astype(
        int
    )  # where a coalition of the new numbers stands in the old table
    for solve in (shapley, nucleolus):
        np.testing.assert_allclose(
            solve(values[places]), solve(values)[order], atol=1e-7 * np.abs(values).max()
        )


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_players_that_add_the_same_get_the_same_and_one_that_adds_nothing_gets_nothing(seed):
    inner = any_game(seed, most=4)
    size = np.abs(inner).max()
    dummy = np.concatenate([inner, inner])  # the last player changes no coalition
    for solve in (shapley, nucleolus):
        assert abs(solve(dummy)[-1]) <= 1e-7 * size
        np.testing.assert_allclose(solve(dummy)[:-1], solve(inner), atol=1e-7 * size)
    sums = coalition_sums(np.array([1.0, 1.0, 3.0, 5.0]))
    alike = (
        np.random.default_rng(seed).random(11).cumsum()[sums.astype(int)]
    )  # players 0 and 1 have the same weight
    alike -= alike[0]
    alike[-1] = 2 * alike[-1]
    for solve in (shapley, nucleolus):
        assert solve(alike)[0] == pytest.approx(solve(alike)[1], abs=1e-7 * alike[-1])


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_the_nucleolus_is_in_the_core_exactly_where_there_is_one(seed):
    values = any_game(seed)
    assert is_in_core(values, nucleolus(values)) == is_balanced(values)
    assert is_balanced(values) == (least_core(values).largest_excess <= 1e-7 * values.max())


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_no_other_payoffs_have_lexicographically_smaller_excesses(seed):
    values = any_game(seed)
    players, slack = len(values).bit_length() - 1, 1e-7 * values.max()
    best = nucleolus(values)
    alone = values[2 ** np.arange(players)]
    assert (best >= alone - slack).all()
    sorted_best = np.sort(excesses(values, best)[1:-1])[::-1]
    rng = np.random.default_rng(seed)
    for size in (1.0, 0.1, 0.01, 1e-3):
        step = rng.normal(size=players)
        other = best + size * values.max() * (step - step.mean())
        if (other < alone).any():
            continue
        difference = np.sort(excesses(values, other)[1:-1])[::-1] - sorted_best
        decisive = np.flatnonzero(np.abs(difference) > slack)
        assert len(decisive) and difference[decisive[0]] > 0


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_the_least_core_with_few_rows_is_that_with_all(seed):
    values = any_game(seed)
    players = len(values).bit_length() - 1
    rows = np.array([members_of(place, players) for place in range(1, len(values) - 1)], float)
    whole = linprog(
        [*np.zeros(players), 1],
        A_ub=-np.hstack([rows, np.ones((len(rows), 1))]),
        b_ub=-values[1:-1],
        A_eq=[[*np.ones(players), 0]],
        b_eq=values[-1:],
        bounds=(None, None),
    )
    found = least_core(values)
    assert found.largest_excess == pytest.approx(whole.fun, abs=1e-7 * values.max())
    assert largest_excess(values, found.payoffs)[0] == pytest.approx(whole.fun, abs=1e-7 * values.max())


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_the_shapley_value_is_the_mean_over_all_orders_of_joining(seed):
    values = any_game(seed, most=5)
    players = len(values).bit_length() - 1
    total, orders = np.zeros(players), list(permutations(range(players)))
    for order in orders:
        place = 0
        for player in order:
            total[player] += values[place + 2**player] - values[place]
            place += 2**player
    np.testing.assert_allclose(shapley(values), total / len(orders), atol=1e-9 * np.abs(values).max())


def test_sampling_finds_the_shapley_value_within_its_own_error():
    values = any_game(7)
    players = len(values).bit_length() - 1

    def value(members):
        return float(values[int(members @ 2 ** np.arange(players))])

    for positions in (None, 2):
        found = sampled_shapley(value, players, np.random.default_rng(0), rounds=400, positions=positions)
        assert found.payoffs.sum() == pytest.approx(values[-1])
        assert (np.abs(found.payoffs - shapley(values)) <= 4 * found.standard_error).all()
        assert found.standard_error.max() < 0.1 * values.max()


def test_sampling_by_position_has_no_error_where_only_the_size_of_a_coalition_counts():
    found = sampled_shapley(lambda members: float(members.sum()) ** 2, 5, np.random.default_rng(3), rounds=2)
    np.testing.assert_allclose(found.payoffs, 5.0)
    np.testing.assert_allclose(found.standard_error, 0.0, atol=1e-12)


def test_the_coalition_with_the_largest_excess_is_named():
    values = by_size(0, 0, 0, 9, 1, 1, 10)
    excess, coalition = largest_excess(values, np.array([1.0, 2.0, 7.0]))
    assert excess == pytest.approx(6.0)
    assert members_of(coalition, 3).tolist() == [True, True, False]


def test_one_player_gets_all_and_a_game_without_surplus_gives_each_its_own():
    assert nucleolus(np.array([0.0, 3.0])).tolist() == [3.0]
    assert shapley(np.array([0.0, 3.0])).tolist() == [3.0]
    np.testing.assert_allclose(nucleolus(coalition_sums(np.array([1.0, -2.0, 4.0]))), [1, -2, 4])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(6), "2\\*\\*n values"),
        (np.zeros((2, 2)), "2\\*\\*n values"),
        (np.array([0.0, 1.0, np.nan, 2.0]), r"values\[2\] is nan"),
        (np.array([1.0, 1.0, 1.0, 2.0]), "the empty coalition has 0"),
        (np.zeros(2**21), "above 20"),
    ],
)
def test_a_table_that_is_no_game_is_refused(values, message):
    for solve in (shapley, nucleolus, least_core, is_balanced):
        with pytest.raises(ValueError, match=message):
            solve(values)


def test_a_nucleolus_is_refused_where_players_gain_more_alone():
    with pytest.raises(ValueError, match="below the sum of what players get alone"):
        nucleolus(by_size(2, 2, 3))


def test_sampling_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="2 rounds"):
        sampled_shapley(lambda members: 0.0, 3, np.random.default_rng(0), rounds=1)
    with pytest.raises(ValueError, match="positions=4"):
        sampled_shapley(lambda members: 0.0, 3, np.random.default_rng(0), positions=4)
