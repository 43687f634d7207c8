"""Scores of fans: arrays of paths ``(scenario, step)`` against what happened ``(step,)``; lower is better.

All ensemble scores are the fair ones (Ferro 2014), whose expectation does not depend on the number of scenarios, so
that seven real days are not punished for being seven.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def crps(fan: Floats, truth: Floats) -> Floats:
    """Continuous ranked probability score of each step, ``(step,)``, in the unit of the fan."""
    count = len(fan)
    rank = 2 * np.arange(count) - count + 1
    spread = (np.sort(fan, axis=0) * rank[:, None]).sum(0) / (count * (count - 1))
    return np.asarray(np.abs(fan - truth).mean(0) - spread)


def energy_score(fan: Floats, truth: Floats) -> float:
    """The same for whole paths, with the Euclidean distance."""
    count = len(fan)
    square = (fan**2).sum(1)
    apart = np.sqrt(np.maximum(square[:, None] + square - 2 * fan @ fan.T, 0))
    return float(np.linalg.norm(fan - truth, axis=1).mean() - apart.sum() / (2 * count * (count - 1)))


def variogram_score(fan: Floats, truth: Floats, power: float = 0.5) -> float:
    """Mean squared error of ``|x_i - x_j| ** power`` over all pairs of steps, less what few scenarios add to it."""
    apart = np.abs(fan[:, :, None] - fan[:, None]) ** power
    error = (np.abs(truth[:, None] - truth) ** power - apart.mean(0)) ** 2 - apart.var(0, ddof=1) / len(fan)
    return float(error.mean())


def covered(fan: Floats, truth: Floats, share: float) -> Floats:
    """Whether each step lies in the central interval of ``share``; half where it ends exactly on a bound."""
    low, high = np.quantile(fan, [(1 - share) / 2, (1 + share) / 2], axis=0, method="weibull")
    inside = (truth > low) & (truth < high)
    return np.where(inside, 1.0, np.where((truth == low) | (truth == high), 0.5, 0.0))


def scores(load: Floats, pv: Floats, true_load: Floats, true_pv: Floats) -> dict[str, float]:
    """All scores of the first 48 steps of a fan."""
    sunny = (pv.max(0) > 0.01) | (true_pv > 0.01)
    result = {
        "load CRPS [W]": crps(load, true_load).mean() * 1000,
        "load energy score [kW]": energy_score(load, true_load),
        "load variogram score": variogram_score(load, true_load),
        "load, day's energy CRPS [kWh]": crps(load.sum(1, keepdims=True) / 2, true_load.sum() / 2).item(),
        "load, day's peak CRPS [kW]": crps(load.max(1, keepdims=True), true_load.max()).item(),
        "PV CRPS [W]": crps(pv, true_pv).mean() * 1000,
        "PV energy score [kW]": energy_score(pv, true_pv),
        "PV variogram score": variogram_score(pv, true_pv),
        "PV, day's energy CRPS [kWh]": crps(pv.sum(1, keepdims=True) / 2, true_pv.sum() / 2).item(),
        "net load CRPS [W]": crps(load - pv, true_load - true_pv).mean() * 1000,
        "net load energy score [kW]": energy_score(load - pv, true_load - true_pv),
        "load bias [W]": (load.mean() - true_load.mean()) * 1000,
        "PV bias [W]": (pv.mean() - true_pv.mean()) * 1000,
    }
    for share in (0.5, 0.9):
        result[f"load in {share:.0%} interval"] = covered(load, true_load, share).mean()
        result[f"load day in {share:.0%} interval"] = covered(
            load.sum(1, keepdims=True), true_load.sum(), share
        ).mean()
        result[f"PV in {share:.0%} interval"] = covered(pv, true_pv, share)[sunny].mean()
    return {name: float(value) for name, value in result.items()}
