"""What knowing ahead, and planning for more than the mean, are worth; what a decision costs in scenarios to come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .stochastic import Floats, StochasticProgramme, cvar
from .stochastic_solve import decided_or_infinite, decision_costs, solve_stochastic, wait_and_see


@dataclass(frozen=True, kw_only=True)
class StochasticValue:
    """Mean costs of three who know more or less."""

    wait_and_see: float
    """Of one who knows each scenario ahead."""
    stochastic: float
    """Of the decision that is best for all scenarios."""
    mean_decision: float
    """Of a decision that is best for the mean scenario (where several are, the solver's); inf where it does not fit
    every scenario."""

    @property
    def evpi(self) -> float:
        """Expected value of perfect information, at least 0."""
        return self.stochastic - self.wait_and_see

    @property
    def vss(self) -> float:
        """Value of the stochastic solution, at least 0."""
        return self.mean_decision - self.stochastic


def stochastic_value(programme: StochasticProgramme, *, progress: bool = False) -> StochasticValue:
    """EVPI and VSS of a programme of two stages, by the mean cost.

    Raises:
        ValueError: more stages; a decision for the mean is then not one for the tree.
        InfeasibleError: no decision fits all scenarios.
    """
    if programme.stages != 2:
        raise ValueError(f"the programme has {programme.stages} stages; EVPI and VSS here are those of two")
    p = programme.probability
    mean = solve_stochastic(programme.mean()).first
    return StochasticValue(
        wait_and_see=float(p @ wait_and_see(programme, progress=progress)),
        stochastic=solve_stochastic(programme, progress=progress).expected,
        mean_decision=float(p @ decided_or_infinite(programme, mean, progress)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class OutOfSample:
    """Cost of a decision in scenarios that it was not made on."""

    costs: Floats
    """``(scenario,)``"""
    mean: float
    low: float
    """Of the confidence interval of the mean; likewise ``high``."""
    high: float
    cvar: float
    """Mean of the worst 5 %."""


def out_of_sample(
    programme: StochasticProgramme, first: Floats, *, confidence: float = 0.95, progress: bool = False
) -> OutOfSample:
    """Cost of a decision in the scenarios of ``programme``, with Student's interval of its mean.

    Args:
        programme: scenarios that were drawn apart from those that ``first`` was made on; ones that are alike (days
            of one week) are worth less than the interval believes.

    Raises:
        InfeasibleError: a scenario that the decision does not fit.
        ValueError: fewer than two scenarios, which have no interval.
    """
    costs = decision_costs(programme, first, progress=progress)
    mean, low, high = mean_interval(costs, programme.probability, confidence)
    return OutOfSample(
        costs=costs, mean=mean, low=low, high=high, cvar=cvar(costs, programme.probability, 0.95)
    )


def mean_interval(
    values: Floats, probability: Floats | None = None, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Mean of independent draws and Student's interval of it; weights count as the number of equal ones they equal."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1")
    if len(values) < 2:
        raise ValueError(f"{len(values)} value has no interval; give at least two scenarios")
    p = np.full(len(values), 1 / len(values)) if probability is None else probability
    mean, size = float(p @ values), 1 / float(p @ p)
    if size <= 1 + 1e-9:
        raise ValueError("all the probability is on one scenario, which has no interval; give at least two")
    spread = float(p @ (values - mean) ** 2) * size / (size - 1)
    half = float(stats.t.ppf((1 + confidence) / 2, size - 1)) * (spread / size) ** 0.5
    return mean, mean - half, mean + half
