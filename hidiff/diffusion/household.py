"""Households to sample: drawn from the prior, like a training home, or from a user's readings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hidiff.data.solar import Roof

from .habit import HabitPrior
from .identity import LEARNED, PLACE, STATISTICS, Prior, roof_of

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Household:
    """One home to sample, in natural units."""

    name: str
    key: str
    """What its noise is keyed by."""
    mode: str
    statistics: Array
    """``(26,)``, see `identity.STATISTICS`."""
    style: Array
    """``(352,)``, see `identity.STYLE`: what is learned, then the habit."""
    capacity_kwp: float
    day_quantiles: Array | None = None
    """``(9, 7)``, see `identity.day_quantiles`; none where nobody knows how its days are spread."""
    annual_kwh: float | None = None
    """Mean annual load that was asked for; the traces are scaled to it."""
    source: str = ""
    """The home that it is like or was read from; empty for a new one."""

    @property
    def source_home(self) -> str:
        """Name of the home behind it: its own for a new one."""
        return self.source or self.name

    @property
    def mean_load_kw(self) -> float:
        """Mean load that the statistics ask for [kW]."""
        return float(np.exp(self.statistics[PLACE["log_mean_load"]]))

    @property
    def roof(self) -> Roof:
        """Plane and gain of the panels."""
        return roof_of(self.statistics)


def known_days(quantiles: Array) -> Array | None:
    """``quantiles``, or none where they are not known."""
    return quantiles if np.isfinite(quantiles).all() else None


def asked(statistics: Array, annual_kwh: float | None, pv_kwp: float | None) -> tuple[Array, float]:
    """Statistics with the asked size written in, and the PV capacity [kWp] that follows."""
    result = statistics.copy()
    if annual_kwh is not None:
        result[PLACE["log_mean_load"]] = np.log(annual_kwh / 8766)
    if pv_kwp is not None:
        result[PLACE["log_capacity"]] = np.log(max(pv_kwp, 0.05))
        return result, pv_kwp
    return result, float(np.exp(result[PLACE["log_capacity"]]))


def new_household(
    prior: Prior, habits: HabitPrior, rng: np.random.Generator, place: int, annual_kwh: float | None,
    pv_kwp: float | None,
) -> Household:  # fmt: skip
    """A home drawn from the priors; asked sizes bend the other statistics the way the population does."""
    given: dict[int, float] = {}
    if annual_kwh is not None:
        given[PLACE["log_mean_load"]] = float(np.log(annual_kwh / 8766))
    if pv_kwp is not None:
        given[PLACE["log_capacity"]] = float(np.log(max(pv_kwp, 0.05)))
    values = prior.sample(rng, given)
    count = len(STATISTICS)
    statistics, capacity = asked(values[:count], annual_kwh, pv_kwp)
    name = f"new-{place:06d}"
    learned, scores = values[count : count + LEARNED], values[count + LEARNED :]
    style = np.concatenate([learned, habits.compose(scores, rng)])
    return Household(name, name, "new", statistics, style, capacity, annual_kwh=annual_kwh)
