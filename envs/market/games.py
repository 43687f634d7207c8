"""Cooperative games with transferable payoffs: who gets what of what a group gains together.

A game of ``n`` players is a table ``values`` of ``2**n`` numbers. The place of a coalition is the sum of ``2**i`` over
its players ``i``, so ``values[0]`` is the empty one's, 0, and ``values[-1]`` that of all together, the grand coalition.
The **excess** of a coalition is what it could gain on its own less what its members are given; above 0 it had better
leave. Payoffs without a coalition of positive excess form the **core**.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.special import comb

from hidiff.errors import NotConverged

Floats = NDArray[np.float64]
Members = NDArray[np.bool_]

PLAYERS_MAX = 20
"""Most players of a table; above, sample or join players to clusters."""
TOLERANCE = 1e-9
"""Of the linear programmes, relative to the largest value of the game."""
ROWS_ADDED = 20


def players_of(values: Floats) -> int:
    """Number of players of a table.

    Raises:
        ValueError: a length that is no power of two, too many players, missing values, or an empty coalition with a
            value.
    """
    players = len(values).bit_length() - 1
    if np.ndim(values) != 1 or players < 1 or len(values) != 2**players:
        raise ValueError(
            f"values has shape {np.shape(values)}; a game of n players needs 2**n values, the empty coalition's first"
        )
    if players > PLAYERS_MAX:
        raise ValueError(
            f"values is of {players} players, above {PLAYERS_MAX}; use sampled_shapley or join players to clusters"
        )
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"values[{first}] is {values[first]}; every coalition needs a finite value")
    if values[0] != 0:
        raise ValueError(f"values[0] is {values[0]}; the empty coalition has 0, subtract it first")
    return players


def members_of(coalition: int, players: int) -> Members:
    """Which players the coalition at a place of the table has, ``(player,)``."""
    return (coalition >> np.arange(players) & 1).astype(bool)


def coalition_sums(amounts: Floats) -> Floats:
    """Sum of the players' amounts in every coalition, ``(coalition,)``."""
    sums = np.zeros(1)
    for amount in amounts:
        sums = np.concatenate([sums, sums + amount])
    return sums


def excesses(values: Floats, payoffs: Floats) -> Floats:
    """What each coalition could gain on its own less what its members are given, ``(coalition,)``."""
    players = players_of(values)
    if np.shape(payoffs) != (players,):
        raise ValueError(f"payoffs has shape {np.shape(payoffs)}; the game has {players} players")
    return np.asarray(values - coalition_sums(np.asarray(payoffs, float)))


def largest_excess(values: Floats, payoffs: Floats) -> tuple[float, int]:
    """The largest excess and its coalition, neither the empty one nor the grand one; ``-inf`` for one player."""
    inner = excesses(values, payoffs)[1:-1]
    if not len(inner):
        return -np.inf, 0
    worst = int(inner.argmax())
    return float(inner[worst]), worst + 1


def is_in_core(values: Floats, payoffs: Floats, *, tolerance: float = 1e-7) -> bool:
    """Whether the payoffs share the grand coalition's value and no coalition had better leave.

    Args:
        tolerance: how much may be missing, relative to the largest value of the game.
    """
    slack = tolerance * float(np.abs(values).max())
    gap = abs(float(np.sum(payoffs)) - float(values[-1]))
    return bool(gap <= slack and largest_excess(values, payoffs)[0] <= slack)


def shapley(values: Floats) -> Floats:
    """Shapley value: each player's mean marginal contribution over all orders of joining, ``(player,)``.

    Shapley (1953): ``sum_S |S|! (n - |S| - 1)! / n! * (v(S + i) - v(S))`` over coalitions without player ``i``.
    """
    players = players_of(values)
    size = coalition_sums(np.ones(players)).astype(int)
    weight = 1 / (players * comb(players - 1, np.arange(players)))
    payoffs = np.empty(players)
    for player in range(players):
        without, joined = np.moveaxis(values.reshape(-1, 2, 2**player), 1, 0)
        sizes = size.reshape(-1, 2, 2**player)[:, 0]
        payoffs[player] = (weight[sizes] * (joined - without)).sum()
    return payoffs


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledShapley:
    """An unbiased estimate of the Shapley value."""

    payoffs: Floats
    """``(player,)``; they sum to the value of the grand coalition exactly."""
    standard_error: Floats
    """Of each payoff, from the spread between rounds, ``(player,)``."""


def sampled_shapley(
    value: Callable[[Members], float],
    players: int,
    rng: np.random.Generator,
    *,
    rounds: int = 8,
    positions: int | None = None,
) -> SampledShapley:
    """Shapley value by sampling that is stratified over the size of the coalition that a player joins.

    A round draws one random order of joining and turns it like a wheel, so that every player joins once at each
    of ``positions`` evenly spread places: the strata of coalition sizes are all sampled, and equally. Coalitions
    follow each other with one player more, which suits a solver that starts from its last solution. It takes about
    ``rounds * positions * players`` values.

    Args:
        value: value of the coalition of a mask, ``(player,)``.
        rounds: independent rounds, at least 2, which the standard error is told from.
        positions: turns of a round, 1 to ``players``, all by default.
    """
    turns = players if positions is None else positions
    if players < 1 or rounds < 2 or not 1 <= turns <= players:
        raise ValueError(
            f"players={players}, rounds={rounds}, positions={turns}; at least 1 player, 2 rounds, and 1 to "
            f"{players} positions"
        )
    grand = value(np.ones(players, bool))
    found = np.zeros((rounds, players))
    for number in range(rounds):
        order = rng.permutation(players)
        for turn in np.arange(turns) * players // turns:
            members, before = np.zeros(players, bool), 0.0
            for player in np.roll(order, turn):
                members[player] = True
                after = grand if members.all() else value(members)
                found[number, player] += after - before
                before = after
    found /= turns
    return SampledShapley(
        payoffs=found.mean(axis=0), standard_error=found.std(axis=0, ddof=1) / np.sqrt(rounds)
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class LeastCore:
    """The smallest subsidy with which no coalition had better leave."""

    largest_excess: float
    """Least possible value of the largest excess; at most 0 where the core is not empty."""
    payoffs: Floats
    """Payoffs with this largest excess, not unique in general; the nucleolus is one of them."""


def least_core(values: Floats) -> LeastCore:
    """Payoffs of the grand coalition's value whose largest excess is least; one player alone has none, ``-inf``."""
    players = players_of(values)
    if players == 1:
        return LeastCore(largest_excess=-np.inf, payoffs=np.array([values[-1]], float))
    programme = _LeastExcess(values, floor=None)
    payoffs, excess, _ = programme.solve()
    return LeastCore(largest_excess=excess * programme.scale, payoffs=payoffs * programme.scale)


def is_balanced(values: Floats, *, tolerance: float = 1e-7) -> bool:
    """Whether the core is not empty, which balanced games are (Bondareva 1963, Shapley 1967)."""
    return least_core(values).largest_excess <= tolerance * float(np.abs(values).max())


def nucleolus(values: Floats) -> Floats:
    """The payoffs whose sorted excesses are lexicographically least, among those that give each player its own value.

    Schmeidler (1969), by a sequence of linear programmes: each makes the largest excess least; coalitions whose
    excess cannot be lower in any optimum, known by their positive dual, are then held, and the next programme looks
    at those whose excess is not settled by the held ones. It lies in the core where there is one.

    Raises:
        ValueError: the players get more on their own than together, so that no payoffs satisfy each.
    """
    players = players_of(values)
    alone = values[2 ** np.arange(players)]
    surplus = float(values[-1] - alone.sum())
    scale = float(np.abs(values).max())
    if surplus < -1e-7 * scale:
        raise ValueError(
            f"values[-1]={values[-1]:.6g} is below the sum of what players get alone, {alone.sum():.6g}; the nucleolus "
            "needs a game where all together gain no less"
        )
    if players == 1 or surplus <= TOLERANCE * scale:
        return np.asarray(alone + surplus / players)
    programme = _LeastExcess(values, floor=alone)
    while True:
        payoffs, excess, held = programme.solve()
        programme.hold(held, excess)
        if not programme.is_free.any():
            return np.asarray(payoffs * programme.scale)


class _LeastExcess:
    """``min e`` with ``x(S) >= v(S) - e`` for the free coalitions, ``x(S)`` given for the held ones.

    Of the ``2**n`` rows only those that matter are ever in the programme: it begins with few, and the most violated
    are added until none is.
    """

    def __init__(self, values: Floats, floor: Floats | None) -> None:
        self.players = players_of(values)
        self.scale = max(float(np.abs(values).max()), 1e-300)
        self._values = np.asarray(values, float) / self.scale
        lowest = np.full(self.players, -np.inf) if floor is None else floor / self.scale
        self._bounds = [*((low, np.inf) for low in lowest), (-np.inf, np.inf)]
        self._held_rows = np.ones((1, self.players))
        self._held_sums = np.array([self._values[-1]])
        self.is_free = np.ones(len(values), bool)
        self.is_free[[0, -1]] = False
        single = 2 ** np.arange(self.players)
        self._working = np.unique(np.concatenate([single, len(values) - 1 - single]))

    def solve(self) -> tuple[Floats, float, NDArray[np.int64]]:
        """Payoffs, least largest excess, and the coalitions that have it in every optimum; all in scale."""
        while True:
            if not len(self._working):
                self._working = np.flatnonzero(self.is_free)[:ROWS_ADDED]
            rows = self._rows(self._working)
            found = linprog(
                np.append(np.zeros(self.players), 1.0),
                A_ub=-np.hstack([rows, np.ones((len(rows), 1))]),
                b_ub=-self._values[self._working],
                A_eq=np.hstack([self._held_rows, np.zeros((len(self._held_rows), 1))]),
                b_eq=self._held_sums,
                bounds=self._bounds,
                method="highs-ds",
                options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
            )
            if found.x is None:
                raise NotConverged(f"the programme of the least excess was not solved: {found.message}")
            payoffs, excess = found.x[:-1], float(found.x[-1])
            violation = np.where(self.is_free, self._values - coalition_sums(payoffs), -np.inf) - excess
            violation[self._working] = -np.inf
            worst = np.argpartition(violation, -min(ROWS_ADDED, len(violation)))[-ROWS_ADDED:]
            worst = worst[violation[worst] > TOLERANCE]
            if not len(worst):
                return payoffs, excess, self._working[-found.ineqlin.marginals > TOLERANCE]
            self._working = np.concatenate([self._working, worst])

    def hold(self, coalitions: NDArray[np.int64], excess: float) -> None:
        """Keep the excess of these coalitions, and let go of all whose payoff follows from the held ones."""
        self._held_rows = np.vstack([self._held_rows, self._rows(coalitions)])
        self._held_sums = np.append(self._held_sums, self._values[coalitions] - excess)
        keep = _independent(self._held_rows)
        self._held_rows, self._held_sums = self._held_rows[keep], self._held_sums[keep]
        _, _, directions = np.linalg.svd(self._held_rows)
        settled = np.ones(len(self.is_free), bool)
        for direction in directions[len(self._held_rows) :]:
            settled &= np.abs(coalition_sums(direction)) <= 1e-7
        self.is_free &= ~settled
        self._working = self._working[self.is_free[self._working]]

    def _rows(self, coalitions: NDArray[np.int64]) -> Floats:
        return (coalitions[:, None] >> np.arange(self.players) & 1).astype(float)


def _independent(rows: Floats) -> list[int]:
    """Places of the rows that do not follow from earlier ones."""
    keep: list[int] = []
    for place in range(len(rows)):
        if np.linalg.matrix_rank(rows[[*keep, place]]) > len(keep):
            keep.append(place)
    return keep
