"""Whether a side has the variety of the other: manifolds of nearest neighbours, and spread within a condition."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .distances import draw_windows, pair_distances

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

NEIGHBOURS = 5
"""Nearest windows of other homes that a ball around a window reaches."""
CONDITIONS = 24
"""Calendar months, each on weekdays and at weekends."""


@dataclass(frozen=True, kw_only=True)
class Manifold:
    """How two sets of windows overlap, by balls around each window that reach its k-th nearest."""

    precision: float
    """Share of the generated windows inside a ball of a real one [0..1]."""
    recall: float
    """Share of the real windows inside a ball of a generated one [0..1]."""
    density: float
    """Mean number of real balls that hold a generated window, over k; about 1 for equal distributions."""
    coverage: float
    """Share of the real balls that hold a generated window [0..1]."""


def manifold(
    generated: Array,
    real: Array,
    homes_generated: list[str],
    homes_real: list[str],
    neighbours: int = NEIGHBOURS,
) -> Manifold:
    """Precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991), density and coverage (Naeem et al.
    2020, arXiv:2002.09797).

    Windows of one home are much nearer to one another than to those of others, so neighbours are windows of
    other homes, on one side and across.

    Args:
        generated: ``(home, window, feature)``; give both sides the same size, coverage and recall grow with it.
        real: ``(home, window, feature)``.
        homes_generated: name of the home (or of the real home behind it), ``(home,)``.
        homes_real: the same of ``real``.
        neighbours: k.
    """
    reach_generated = _reach(generated, homes_generated, neighbours)
    reach_real = _reach(real, homes_real, neighbours)
    distances = _to_other_homes(generated, real, homes_generated, homes_real)
    in_real, in_generated = distances < reach_real, distances < reach_generated[:, None]
    return Manifold(
        precision=float(in_real.any(axis=1).mean()),
        recall=float(in_generated.any(axis=0).mean()),
        density=float(in_real.sum(axis=1).mean() / neighbours),
        coverage=float(in_real.any(axis=0).mean()),
    )


def manifold_beside_real(
    generated: Array,
    real: Array,
    homes_generated: list[str],
    homes_real: list[str],
    rng: np.random.Generator,
    *,
    splits: int = 5,
    max_windows: int = 750,
) -> tuple[Manifold, Manifold]:
    """How generated and how real homes overlap with other real homes, in samples of one size.

    Half of the real homes is drawn ``splits`` times. As many of the homes not in it, once generated and once
    real, are held against it; the means over the splits. Real homes do not score 1, since no two are alike:
    what a generator is to reach is the second answer, and copies of real homes score above it.

    Args:
        generated: ``(home, window, feature)``.
        real: ``(home, window, feature)``.
        homes_generated: name of the home (or of the real home behind it), ``(home,)``.
        homes_real: the same of ``real``.
        rng: draws homes and windows.
        splits: number of draws.
        max_windows: windows of each sample.
    Returns:
        Of the generated homes, of the real homes.
    """
    size = min(len(homes_generated), len(homes_real)) // 2
    if size < 2:
        raise ValueError(f"{2 * size} homes cannot be split in halves of at least 2; give at least 4 a side")
    found: dict[str, list[Manifold]] = {"generated": [], "real": []}
    for _ in range(splits):
        kept = rng.permutation(len(real))[:size]
        kept_names = [homes_real[home] for home in kept]
        target = draw_windows(real[kept], rng, max_windows)
        seed = int(rng.integers(2**31))
        for side, windows, names in (("generated", generated, homes_generated), ("real", real, homes_real)):
            stream = np.random.default_rng(seed)  # the same draw of equal sides
            others = [home for home, name in enumerate(names) if name not in kept_names]
            chosen = stream.permutation(others)[:size]
            drawn = draw_windows(windows[chosen], stream, max_windows)
            found[side].append(manifold(drawn, target, [names[home] for home in chosen], kept_names))
    of_generated, of_real = (
        Manifold(**{f.name: float(np.mean([getattr(m, f.name) for m in each])) for f in fields(Manifold)})
        for each in found.values()
    )
    return of_generated, of_real


def _reach(windows: Array, homes: list[str], neighbours: int) -> Array:
    """Distance from each window to its k-th nearest of other homes, ``(home x window,)``."""
    distances = _to_other_homes(windows, windows, homes, homes)
    fewest = int(np.isfinite(distances).sum(axis=1).min())
    if not 1 <= neighbours <= fewest:
        raise ValueError(f"neighbours={neighbours} is outside 1..{fewest}, the windows of other homes")
    return np.asarray(np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1])


def _to_other_homes(a: Array, b: Array, homes_a: list[str], homes_b: list[str]) -> Array:
    """Distances ``(home x window of a, home x window of b)``; infinite within a home."""
    is_same = np.array(homes_a)[:, None] == np.array(homes_b)[None, :]
    distances = np.where(is_same[:, None, :, None], np.inf, pair_distances(a, b))
    return np.asarray(distances.reshape(a.shape[0] * a.shape[1], -1))


def conditions(dates: pd.DatetimeIndex) -> Labels:
    """Month and day type of each date, ``2 x (month - 1) + is weekend``, 0..23, ``(day,)``."""
    return np.asarray(2 * (dates.month - 1) + (dates.day_of_week >= 5), dtype=np.int64)


def moments_by_condition(values: Array, labels: Labels, count: int = CONDITIONS) -> Array:
    """Mean and mean square of each home's values in each condition, ``(home, condition, 2)``; NaN if none.

    Args:
        values: ``(home, day)``, e.g. daily energy [kWh].
        labels: condition of each day, ``(day,)``.
        count: number of conditions.
    """
    days = np.bincount(labels, minlength=count).astype(np.float64)
    found = np.full((len(values), count, 2), np.nan)
    for power in (1, 2):
        sums = np.stack([np.bincount(labels, weights=row**power, minlength=count) for row in values])
        np.divide(sums, days, out=found[:, :, power - 1], where=days > 0)
    return found


def spread_log_ratio(a: Array, b: Array, weights: Array | None = None, *, of_a_home: bool = False) -> Array:
    """``|log(spread of a / spread of b)|``, mean over the conditions, for each row of ``weights`` [1].

    The spread is the standard deviation over homes and days, or that over the days of a home (root mean
    square over homes). It falls below that of real homes where a generator gives a mean for each condition.

    Args:
        a: of ``moments_by_condition``.
        b: the other side.
        weights: shares of the homes of ``a``, ``(resample, home)``; equal shares by default.
        of_a_home: over the days of a home only.
    Returns:
        ``(resample,)``, one value where no weights are given; infinite where one side has no spread.
    """
    shares = np.full((1, len(a)), 1 / len(a)) if weights is None else weights
    equal = np.full((1, len(b)), 1 / len(b))
    spread_a, spread_b = _spread(a, shares, of_a_home), _spread(b, equal, of_a_home)
    with np.errstate(divide="ignore"):
        log_ratio = np.abs(np.log(spread_a) - np.log(spread_b))
    is_known = np.isfinite(a[0, :, 0]) & np.isfinite(b[0, :, 0])
    if not is_known.any():
        raise ValueError("the two sides share no condition; compare the same months")
    return np.asarray(log_ratio[:, is_known].mean(axis=1))


def _spread(moments: Array, shares: Array, of_a_home: bool) -> Array:
    """Standard deviation in each condition, ``(resample, condition)``."""
    mean, square = moments[:, :, 0], moments[:, :, 1]
    squared = shares @ (square - mean**2) if of_a_home else shares @ square - (shares @ mean) ** 2
    return np.asarray(np.sqrt(np.maximum(squared, 0)))
