"""CityLearn's district scores of an episode, under CityLearn's names and by its formulas.

A score is a cost of the controlled episode over that of a baseline, below 1 is better. Left out are those that mean
something else here: ``discomfort_proportion`` (CityLearn widens the bounds by a band and counts occupied hours only),
resilience and unserved energy (homes here are always supplied).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from .episode import Episode
from .kpis import check_same_steps
from .kpis_table import Floats

Cost = Callable[[Floats], float]
MONTH_H = 730
"""CityLearn's month [h]."""


def citylearn_scores(
    episode: Episode, baseline: Episode, *, co2_kg_per_kwh: Floats | None = None
) -> pd.Series:
    """CityLearn's ``evaluate()`` at the level ``District``, of one home or a community.

    ``cost_total`` prices import at ``import_price`` and gives export no revenue, as CityLearn does in each step whose
    cost is negative; ``ramping_average`` counts rises only, its default. Scores per building are averaged over homes.

    Args:
        baseline: the same episode without control, such as under ``do_nothing``.
        co2_kg_per_kwh: emissions of imported energy, ``(step,)``; without it no ``carbon_emissions_total``.

    Raises:
        ValueError: episodes of other times or homes.
    """
    check_same_steps(episode, baseline)
    own_kw, other_kw = _net_kw(episode), _net_kw(baseline)
    weights = {"electricity_consumption_total": np.ones(episode.steps)}
    if co2_kg_per_kwh is not None:
        weights["carbon_emissions_total"] = np.asarray(co2_kg_per_kwh, np.float64)
    if "import_price" in episode:
        weights["cost_total"] = episode["import_price"]
    day, month = (max(round(hours / episode.dt_h), 1) for hours in (24, MONTH_H))
    district: dict[str, Cost] = {
        "ramping_average": lambda net: float(np.maximum(np.diff(net), 0).sum()),
        "daily_one_minus_load_factor_average": lambda net: _one_minus_load_factor(net, day),
        "monthly_one_minus_load_factor_average": lambda net: _one_minus_load_factor(net, month),
        "daily_peak_average": lambda net: _mean_peak(net, day),
        "all_time_peak_average": lambda net: _mean_peak(net, len(net)),
    }
    scores = {name: _ratio_of_homes(own_kw, other_kw, weight) for name, weight in weights.items()}
    nets = zip(own_kw.sum(axis=0).T, other_kw.sum(axis=0).T, strict=True)
    scores["zero_net_energy"] = _mean([_quotient(one, other) for one, other in nets])
    for name, cost in district.items():
        scores[name] = _quotient(cost(own_kw.sum(axis=1)), cost(other_kw.sum(axis=1)))
    return pd.Series(scores, name="value").rename_axis("cost_function")


def _net_kw(episode: Episode) -> Floats:
    net = episode["import_kw"] - episode["export_kw"]
    return net.reshape(episode.steps, -1)


def _ratio_of_homes(own_kw: Floats, other_kw: Floats, weight: Floats) -> float:
    """Mean over homes of the weighted sum of import over the baseline's."""
    weight = weight.reshape(len(own_kw), -1)
    own, other = ((np.maximum(net, 0) * np.maximum(weight, 0)).sum(axis=0) for net in (own_kw, other_kw))
    return _mean([_quotient(above, below) for above, below in zip(own, other, strict=True)])


def _windows(net_kw: Floats, steps: int) -> list[Floats]:
    return [net_kw[first : first + steps] for first in range(0, len(net_kw), steps)]


def _quotient(own: float, other: float) -> float:
    """CityLearn's division: nothing over nothing is 1, something over nothing is no score."""
    if other == 0:
        return 1.0 if own == 0 else float("nan")
    return own / other


def _mean(values: list[float]) -> float:
    """Mean of those that are numbers."""
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")


def _one_minus_load_factor(net_kw: Floats, steps: int) -> float:
    return _mean(
        [1 - window.mean() / window.max() for window in _windows(net_kw, steps) if window.max() != 0]
    )


def _mean_peak(net_kw: Floats, steps: int) -> float:
    return float(np.mean([window.max() for window in _windows(net_kw, steps)]))
