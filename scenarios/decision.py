"""What a reduction costs the one who decides by it, and a reduction that looks at just that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .distances import check_probability
from .moments import match_moments
from .reduce import Reduction, check_features, describe, reduce_scenarios


class Study(Protocol):
    """A decision under uncertainty: what to do now, when ``scenarios`` (rows of features) say what may come."""

    def solve(self, scenarios: NDArray[np.float64], probability: NDArray[np.float64]) -> Any:
        """The decision that is best for these scenarios."""

    def evaluate(
        self, decision: Any, scenarios: NDArray[np.float64], probability: NDArray[np.float64]
    ) -> float:
        """What the decision costs over all these scenarios, as the study weighs them."""


class PricedStudy(Study, Protocol):
    """A study that also says what a decision costs in each scenario, and decides by the mean of that."""

    def costs(self, decision: Any, scenarios: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cost of each scenario, ``(scenario,)``, when its best recourse follows."""


@dataclass(frozen=True, kw_only=True)
class DecisionError:
    """Loss by deciding on a reduced set, judged on the full one."""

    reduced_cost: float
    """Of the reduced set's best decision, on the full set."""
    full_cost: float
    """Of the full set's best decision, on the full set."""

    @property
    def relative(self) -> float:
        """Loss as a share of the full optimum's size."""
        return (self.reduced_cost - self.full_cost) / abs(self.full_cost) if self.full_cost else np.nan


def decision_error(
    study: Study, full: ArrayLike, reduction: Reduction, probability: ArrayLike | None = None, *,
    full_cost: float | None = None,
) -> DecisionError:  # fmt: skip
    """What the optimum of the reduced set loses on the full set.

    Args:
        full: scenarios of the full set, in the study's own units (not the scaled features of the reduction).
        full_cost: of the full optimum, where it is known already; else the full problem is solved.
    """
    scenarios = check_features(full)
    p = check_probability(probability, len(scenarios))
    if len(scenarios) != len(reduction.assignment):
        raise ValueError(
            f"{len(scenarios)} scenarios, but the reduction is of {len(reduction.assignment)}; pass its own"
        )
    reduced = study.evaluate(study.solve(scenarios[reduction.kept], reduction.probability), scenarios, p)
    if full_cost is None:
        full_cost = study.evaluate(study.solve(scenarios, p), scenarios, p)
    return DecisionError(reduced_cost=reduced, full_cost=full_cost)


def reduce_for_study(
    study: PricedStudy, full: ArrayLike, features: ArrayLike, probability: ArrayLike | None, n: int, *,
    rounds: int = 8, pilots: int = 10, importance: float = 10.0, seed: int = 0,
) -> Reduction:  # fmt: skip
    """``n`` scenarios and weights under which decisions cost what they cost on the full set.

    A decision taken on a reduced set is good when the reduced set prices decisions as the full set does. Pilot
    decisions (the optima of ``pilots`` random reductions and of the medoids) are priced in every scenario;
    scenarios and weights are then chosen so that the mean price of every pilot, and the features' means, are those
    of the full set. The optimum of that reduced set becomes a pilot too, ``rounds`` times, and the reduction whose
    optimum was cheapest on the full set is returned. The full problem is never solved; ``pilots + rounds + 1``
    problems of ``n`` scenarios are, and as many decisions are priced in all scenarios: worth it where the full
    problem is much harder than that. (Problem-driven reduction: Bertsimas, Mundru 2023,
    doi:10.1287/opre.2022.2265; Keutchayan, Ortmann, Rei 2023, doi:10.1007/s10287-023-00446-2; this algorithm is
    simpler and our own.)

    Args:
        full: scenarios in the study's own units.
        features: the same scenarios, scaled, as `reduce_scenarios` takes them.
        importance: of the error of a pilot's mean price beside that of one feature's mean.
    """
    scenarios, x = check_features(full), check_features(features)
    p = check_probability(probability, len(scenarios))
    if len(x) != len(scenarios):
        raise ValueError(f"{len(x)} rows of features for {len(scenarios)} scenarios; give one row each")
    if rounds < 0 or pilots < 0:
        raise ValueError(f"rounds {rounds} and pilots {pilots} must not be negative")
    starts = [reduce_scenarios(x, p, n, "random", seed=seed + number) for number in range(pilots)]
    starts.append(reduce_scenarios(x, p, n))
    choices = [(start.kept, start.probability) for start in starts]
    prices: list[NDArray[np.float64]] = []
    for number in range(len(starts) + rounds):
        if number >= len(starts):
            choices.append(_match_prices(prices, x, p, n, importance))
        kept, weights = choices[number]
        prices.append(study.costs(study.solve(scenarios[kept], weights), scenarios))
    best = int(np.argmin(np.array(prices) @ p))
    kept, weights = choices[best]
    return describe(x, p, kept, weights, "study")


def _match_prices(
    prices: list[NDArray[np.float64]], features: NDArray[np.float64], probability: NDArray[np.float64], n: int,
    importance: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:  # fmt: skip
    """Scenarios and weights under which the pilots' mean prices, and the features' means, are the full set's.

    What all pilots' prices share is one column of its own: how pilots differ is what ranks decisions.
    """
    columns = np.array(prices).T
    shared = columns.mean(axis=1, keepdims=True)
    table = np.concatenate([shared, columns - shared, features], axis=1)
    weight = np.ones(table.shape[1])
    weight[: columns.shape[1] + 1] = importance
    return match_moments(table, probability, n, second=0.0, importance=weight)
