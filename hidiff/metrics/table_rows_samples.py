"""Rows of the table about days and weeks as points of many dimensions: joint distribution and diversity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hidiff import rng

from . import distances, diversity, encoder, joint, temporal
from .metric import MEASURED, Metric, Panel, row

Array = NDArray[np.float64]
Named = tuple[Array, list[str]]
"""``(home, window, feature)`` and the names of the homes."""

PROFILES = (("days", 1, 1), ("weeks", 7, 2))
"""Name, days, and hours averaged. Finer than two hours, the spikes of any two weeks miss one another and all
distances are alike; energies of days alone would not see load and PV of one hour together."""
LARGEST_SIDE = 1500
"""Days or weeks a side, which bound time and memory."""

_CODES: WeakKeyDictionary[Panel, Array] = WeakKeyDictionary()
"""Codes of panels in use: five rows ask for them, and they take longer than all that follows."""


def sample_rows(seed: int, *, has_classifier: bool) -> list[Metric]:
    """Rows of the groups joint and diversity, in order.

    Args:
        seed: of the days and weeks drawn and of the classifiers' folds.
        has_classifier: whether to train the two-sample classifiers.
    """
    classifiers = _classifiers(seed) if has_classifier else ()
    return [*_distances(seed), *classifiers, *_manifolds(seed), *_spreads()]


def _distances(seed: int) -> Iterator[Metric]:
    for text, days, mean_h in PROFILES:
        measure = partial(_drawn_profiles, seed, days, mean_h)
        yield _joint(f"energy distance of {text}", "kW", measure, distances.energy_distance)
    for text, days, mean_h in PROFILES:
        # Between homes, levels differ so much that two halves of real homes are further apart than naive:
        # with the levels taken out (they are in kW above) few homes tell shapes apart.
        measure_shapes = partial(_drawn_shapes, seed, days, mean_h)
        yield _joint(
            f"MMD squared of {text}, load and PV over their means", "1", measure_shapes, _mmd_squared
        )
    name = "Frechet distance of weeks, random convolutions"
    yield _joint(name, "1", lambda p: distances.code_moments(_week_codes(p)), distances.frechet_distance)


def _joint(name: str, unit: str, measure: Callable[[Panel], Any], compare: Any, **more: Any) -> Metric:
    return Metric(
        group="joint", name=name, channel="all", unit=unit, measure=measure, compare=compare, **more
    )


def _drawn_profiles(seed: int, days: int, mean_h: int, p: Panel) -> Array:
    profiles = joint.profiles(p.load_kw, p.pv_kw, p.clock, p.dt_h, days=days, mean_h=mean_h)
    stream = rng.generator(seed, "evaluate", "windows", days)
    return distances.draw_windows(profiles, stream, LARGEST_SIDE)


def _drawn_shapes(seed: int, days: int, mean_h: int, p: Panel) -> Named:
    shapes = replace(p, load_kw=joint.over_own_mean(p.load_kw), pv_kw=joint.over_own_mean(p.pv_kw))
    return _drawn_profiles(seed, days, mean_h, shapes), p.homes


def _mmd_squared(a: Named, b: Named, weights: Array | None) -> Array:
    return distances.mmd_squared(a[0], b[0], a[1], b[1], weights)


def _week_codes(p: Panel) -> Array:
    if p not in _CODES:
        load_kw, pv_kw = (joint.windows(power, p.clock, p.dt_h, 7) for power in (p.load_kw, p.pv_kw))
        _CODES[p] = encoder.week_codes(load_kw, pv_kw, p.dt_h)
    return _CODES[p]


def _classifiers(seed: int) -> Iterator[Metric]:
    name = "classifier AUROC, single days (0.5 is best)"
    yield _joint(name, "1", partial(_features, joint.day_features), partial(_auroc, seed), has_interval=False)
    weeks = partial(_features, joint.week_features)
    for text, has_other_windows in (("weeks", False), ("weeks, of other dates than learned from", True)):
        auroc = partial(
            _auroc,
            seed,
            max_bins=63,
            has_other_windows=has_other_windows,
        )
        yield _joint(f"classifier AUROC, {text} (0.5 is best)", "1", weeks, auroc, has_interval=False)


def _features(features: Callable[..., Array], p: Panel) -> Named:
    return features(p.load_kw, p.pv_kw, p.clock, p.dt_h), p.homes


def _auroc(seed: int, a: Named, b: Named, weights: Array | None, **choices: Any) -> Array:
    stream = rng.generator(seed, "evaluate", "classifier")
    return np.array([joint.classifier_auroc(a[0], b[0], a[1], b[1], stream, **choices)])


def _manifolds(seed: int) -> Iterator[Metric]:
    for number in ("precision", "recall", "density", "coverage"):
        yield Metric(
            group="diversity",
            name=f"{number} of weeks, difference from real against real",
            channel="all",
            unit="1",
            measure=lambda p: (_week_codes(p), p.homes),
            compare=partial(_manifold_difference, seed, number),
            has_interval=False,
        )


def _manifold_difference(seed: int, number: str, a: Named, b: Named, weights: Array | None) -> Array:
    """Difference from what real homes score against other real homes."""
    if min(len(a[1]), len(b[1])) < 4:
        return np.array([np.nan])  # a half of the real homes may be too small to be halved again
    stream = rng.generator(seed, "evaluate", "manifold")
    found, real = diversity.manifold_beside_real(a[0], b[0], a[1], b[1], stream)
    return np.array([abs(getattr(found, number) - getattr(real, number))])


def _spreads() -> Iterator[Metric]:
    for c in MEASURED:
        for text, of_a_home in (("homes and days", False), ("the days of a home", True)):
            name = f"spread of daily energy in a month and day type over {text}, |log ratio|"
            compare = partial(diversity.spread_log_ratio, of_a_home=of_a_home)
            yield row("diversity", name, c, "1", _moments, compare)


def _moments(p: Panel, x: Array) -> Array:
    energy_kwh, dates = temporal.daily_energy(x, p.clock, p.dt_h)
    return diversity.moments_by_condition(energy_kwh, diversity.conditions(dates))
