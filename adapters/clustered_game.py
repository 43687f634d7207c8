"""What sharing saves, shared out among 10 to 1,000 homes: clusters of homes play, then share within.

A game of all homes has ``2**homes`` coalitions, so homes are joined: K-means groups the energy profiles that they have
in the optimum of the grand coalition, the few clusters are the players of a game that is solved exactly, and each
cluster's payoff is shared among its homes (Han, Morstyn, McCulloch 2019, arXiv 1903.10965). How far that is from the
exact payoffs, and what a coalition could still gain by leaving, is reported and not assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hidiff.envs.market.games import coalition_sums, largest_excess, members_of, nucleolus, shapley

from .coalitions import (
    CoalitionProgramme,
    Community,
    CommunitySchedule,
    coalition_costs,
    standalone_costs,
)
from .require import require

Floats = NDArray[np.float64]
Members = NDArray[np.bool_]
Solution = Literal["nucleolus", "shapley"]
Sharing = Literal["marginal", "internal_price", "energy"]

SOLUTIONS = {"nucleolus": nucleolus, "shapley": shapley}
CLUSTERS_MAX = 14


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusteredGame:
    """Payoffs of homes by way of their clusters [currency]."""

    cluster_of: NDArray[np.int64]
    """Cluster of each home, 0 to the number of clusters less 1, ``(home,)``."""
    cluster_values: Floats
    """What every coalition of clusters saves, ``(2**clusters,)``."""
    cluster_payoffs: Floats
    """``(cluster,)``"""
    payoffs: Floats
    """What each home saves, ``(home,)``; they sum to what all save together."""
    standalone_costs: Floats
    """What each home pays on its own, ``(home,)``."""
    schedule: CommunitySchedule
    """The optimum of the grand coalition."""
    largest_excess: float
    """Most that a coalition could gain by leaving, of those that were priced: every coalition of clusters, every home
    alone, all homes but one. At most 0 if none of these had better leave; `largest_excess_of_homes` looks at all."""
    worst_coalition: Members
    """The coalition that has it, ``(home,)``."""

    @property
    def bills(self) -> Floats:
        """What each home pays, ``(home,)``: its cost alone less its payoff."""
        return self.standalone_costs - self.payoffs


def cluster_homes(profiles: Floats, clusters: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Cluster of each home by K-means on its energy profile, ``(home,)``; homes that are equal may leave fewer.

    Args:
        profiles: ``(home, step)`` [kW].
        clusters: 1 to the number of homes.

    Raises:
        ValueError: more clusters than homes or than can be solved exactly.
    """
    most = min(len(profiles), CLUSTERS_MAX)
    if not 1 <= clusters <= most:
        raise ValueError(f"clusters is {clusters}; it must be 1 to {most} for {len(profiles)} homes")
    different = len(np.unique(profiles, axis=0))
    k_means = require("sklearn.cluster").KMeans(min(clusters, different), n_init=10, random_state=seed)
    labels = k_means.fit_predict(profiles)
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def clustered_game(
    homes: Community,
    *,
    clusters: int = 6,
    solution: Solution = "nucleolus",
    sharing: Sharing = "marginal",
    is_tightened: bool = True,
    seed: int = 0,
) -> ClusteredGame:
    """Payoffs of all homes: clusters play, and each shares its payoff among its homes.

    A cluster that plays as one has more power than its homes: it can threaten to take all of them away. The tightened
    game takes that away again. No home can ask for more than it adds to all the others, its marginal contribution
    ``m``, so clusters ``S`` are worth at least ``v(all) - sum of m outside S``: payoffs in the core of the game of
    homes keep to that anyhow. It costs one optimum a home.

    Args:
        clusters: players of the game that is solved exactly; ``2**clusters - 1`` optima are needed.
        solution: what clusters get.
        sharing: within a cluster, in proportion to a home's marginal contribution to the grand coalition
            (``marginal``), to what it saves at the internal price, or to the energy that it exchanges.
        is_tightened: whether the nucleolus is that of the tightened game; the Shapley value never is.
        seed: of K-means.

    Raises:
        ValueError: an unknown solution or sharing, or too many clusters.
    """
    if solution not in SOLUTIONS:
        raise ValueError(f"solution is {solution!r}; use one of {', '.join(SOLUTIONS)}")
    if sharing not in ("marginal", "internal_price", "energy"):
        raise ValueError(f"sharing is {sharing!r}; use 'marginal', 'internal_price' or 'energy'")
    programme = CoalitionProgramme(homes)
    schedule = programme.schedule(np.ones(len(homes), bool))
    cluster_of = cluster_homes(schedule.net_kw, clusters, seed=seed)
    alone = standalone_costs(homes)
    values = coalition_sums(_by_cluster(alone, cluster_of)) - coalition_costs(homes, cluster_of)
    marginal = marginal_contributions(programme, alone, schedule.cost)
    game = values
    if is_tightened and solution == "nucleolus":
        of_clusters = _by_cluster(marginal, cluster_of)
        game = np.maximum(values, values[-1] - (of_clusters.sum() - coalition_sums(of_clusters)))
        game[0] = 0.0
    cluster_payoffs = SOLUTIONS[solution](game)
    weights = {
        "marginal": marginal,
        "internal_price": alone - schedule.internal_bill,
        "energy": np.abs(schedule.net_kw).sum(axis=1),
    }
    payoffs = _share(cluster_payoffs, weights[sharing], cluster_of)
    excess, members = _worst(values, cluster_payoffs, cluster_of, payoffs, marginal)
    return ClusteredGame(
        cluster_of=cluster_of,
        cluster_values=values,
        cluster_payoffs=cluster_payoffs,
        payoffs=payoffs,
        standalone_costs=alone,
        schedule=schedule,
        largest_excess=excess,
        worst_coalition=members,
    )


def marginal_contributions(programme: CoalitionProgramme, alone: Floats, grand_cost: float) -> Floats:
    """What each home adds to what all the others save, ``(home,)`` [currency].

    Args:
        alone: what each home pays on its own, ``(home,)``.
        grand_cost: what all homes pay together.
    """
    found = np.empty(len(alone))
    for home in range(len(alone)):
        others = np.ones(len(alone), bool)
        others[home] = False
        found[home] = alone[home] - (grand_cost - programme.cost(others))
    return found


def _by_cluster(amounts: Floats, cluster_of: NDArray[np.int64]) -> Floats:
    """Sum of the homes' amounts in each cluster, ``(cluster,)``."""
    return np.bincount(cluster_of, weights=amounts).astype(np.float64)


def _share(cluster_payoffs: Floats, weight: Floats, cluster_of: NDArray[np.int64]) -> Floats:
    """Each cluster's payoff among its homes by weight; equally where none has any."""
    weight = np.where(weight > 1e-9 * np.abs(weight).max(), weight, 0.0)  # below is rounding of the optima
    total = _by_cluster(weight, cluster_of)[cluster_of]
    equal = 1 / np.bincount(cluster_of)[cluster_of]
    share = np.divide(weight, total, out=equal, where=total > 0)
    return np.asarray(cluster_payoffs[cluster_of] * share)


def _worst(
    values: Floats, cluster_payoffs: Floats, cluster_of: NDArray[np.int64], payoffs: Floats, marginal: Floats
) -> tuple[float, Members]:
    """The largest excess of the coalitions whose values are known, and its coalition of homes."""
    homes = np.arange(len(payoffs))
    single, missing = int(payoffs.argmin()), int((payoffs - marginal).argmax())
    found = [
        (-float(payoffs[single]), homes == single),
        (float(payoffs[missing] - marginal[missing]), homes != missing),
    ]
    if len(cluster_payoffs) > 1:
        excess, coalition = largest_excess(values, cluster_payoffs)
        found.append((excess, members_of(coalition, len(cluster_payoffs))[cluster_of]))
    return max(found, key=lambda candidate: candidate[0])


def mean_deviation(payoffs: Floats, exact: Floats) -> float:
    """Mean absolute difference of payoffs, relative to the mean payoff."""
    return float(np.abs(payoffs - exact).sum() / np.abs(exact).sum())
