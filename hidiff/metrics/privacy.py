"""What generated homes give away about the homes they were trained on: distances, attacks, and a bound.

*Members* are homes that were trained on, *others* are homes of the same kind that were not. A record is a day, a
week or a profile of a home. Distances are root mean squares over the values of a record, in the records' own unit.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hidiff import rng as random

Floats = NDArray[np.floating]
Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

CHUNK = 2048
"""Queries in one product of matrices, which bounds memory."""
SMALLEST = 10
"""Records of a home whose distances the score ``mean_of_smallest`` is the mean of."""
NEIGHBOURS = 5
"""The neighbour whose distance says how dense the generated records are."""
CLOSEST = 1e-6
"""Distances below this count as this where a logarithm is taken: a copy is a copy."""
FALSE_POSITIVES = 0.1
"""Share of others that an attack may take for members where its true positives are counted."""


# ---------------------------------------------------------------- records


def records(
    power_kw: Floats, clock: pd.DatetimeIndex, dt_h: float, *, days: int = 1, every: int = 1
) -> Array:
    """Whole days, or weeks from Monday on, of every home, ``(home, record, step)`` [kW].

    Runs of days that hold a clock change are left out, and so are parts of days at the ends.

    Args:
        power_kw: ``(home, step)`` [kW]; a record with NaN stays NaN.
        clock: start of each step on the homes' clock (zone-aware, local).
        dt_h: step length [h].
        days: length of a record; multiples of 7 begin on Mondays.
        every: keep the first of every so many records.
    Raises:
        ValueError: no whole record.
    """
    dates = clock.tz_localize(None).normalize()
    first = np.flatnonzero(np.r_[True, dates[1:] != dates[:-1]])
    steps = round(24 / dt_h)
    is_whole = np.diff(np.r_[first, len(clock)]) == steps
    whole_before = np.r_[0, np.cumsum(is_whole)]
    starts = np.flatnonzero(whole_before[days:] - whole_before[:-days] == days)
    if days % 7 == 0:
        starts = starts[np.asarray(dates[first[starts]].day_of_week) == 0]
    else:
        starts = starts[(starts - starts[:1]) % days == 0]
    if not len(starts):
        raise ValueError(f"{len(clock)} steps hold no record of {days} whole days; give a longer stretch")
    index = first[starts[::every], None] + np.arange(days * steps)
    return power_kw[:, index].astype(np.float64)


def profile(power_kw: Floats, clock: pd.DatetimeIndex) -> Array:
    """Mean power by month and hour of each home, ``(home, 1, 288)`` [kW]: its whole year as one record.

    NaN steps do not count; a month and hour without a step is NaN.
    """
    cell = (np.asarray(clock.month) - 1) * 24 + np.asarray(clock.hour)
    known = np.isfinite(power_kw)
    sums = np.stack([np.bincount(cell, row, 288) for row in np.where(known, power_kw, 0.0)])
    counts = np.stack([np.bincount(cell, row, 288) for row in known])
    mean = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.asarray(mean[:, None])


# ---------------------------------------------------------------- distances


def _squares(queries: Array, pool: Array) -> Array:
    """Squared root-mean-square distances, ``(query, record)``; rounding may not make them negative."""
    product = queries @ pool.T
    total = (queries**2).sum(1)[:, None] + (pool**2).sum(1) - 2 * product
    return np.asarray(np.maximum(total, 0) / queries.shape[1])


def nearest_of_homes(queries: Array, homes: Array) -> Array:
    """Distance of each query to the nearest record of each home, ``(query, home)``.

    Args:
        queries: ``(query, value)``; NaN in one makes its distances NaN.
        homes: ``(home, record, value)``; records with NaN do not count, a home without any is infinitely far.
    """
    nearest = np.full((len(queries), len(homes)), np.inf)
    for place, home in enumerate(homes):
        pool = home[np.isfinite(home).all(1)]
        if not len(pool):
            continue
        for begin in range(0, len(queries), CHUNK):
            part = slice(begin, begin + CHUNK)
            nearest[part, place] = np.sqrt(_squares(queries[part], pool).min(1))
    return nearest


def nearest_records(queries: Array, pool: Array, count: int = 1) -> Array:
    """Distances of each query to the ``count`` nearest records of the pool, rising, ``(query, count)``.

    Args:
        queries: ``(query, value)``; NaN in one makes its distances NaN.
        pool: ``(record, value)``; records with NaN do not count.
    Raises:
        ValueError: fewer records than ``count``.
    """
    pool = pool[np.isfinite(pool).all(1)]
    if len(pool) < count:
        raise ValueError(f"count={count} of {len(pool)} whole records; ask for fewer, or give more records")
    nearest = np.empty((len(queries), count))
    for begin in range(0, len(queries), CHUNK):
        part = slice(begin, begin + CHUNK)
        near = np.partition(_squares(queries[part], pool), count - 1, axis=1)[:, :count]
        nearest[part] = np.sqrt(np.sort(near, axis=1))
    return nearest


def nearer_to_members(
    distances: Array, is_member: Bools, query_home: Integers, rng: np.random.Generator, resamples: int = 1000
) -> dict[str, float]:
    """Share of records whose nearest real home was trained on, both kinds counted as if equally many.

    With ``a`` records nearest to one of ``n`` members and ``b`` nearest to one of ``m`` others it is
    ``(a / n) / (a / n + b / m)``: 0.5 is no leak, 1 a copy, and with ``n = m`` the usual share of records whose
    distance to the closest record (DCR) is smaller in training than in a hold-out set of the same size.

    Args:
        distances: of each record to each real home, ``(record, home)``.
        is_member: ``(home,)``.
        query_home: number of the home that each record is of, ``(record,)``.
        rng: draws homes of all three kinds for the interval, and swaps labels for the p-value.
        resamples: how often.

    Returns:
        ``share``, its 95 % interval ``low_95`` and ``high_95`` over homes, real and generated, and ``p_value``: the
        share of random labellings of the real homes that give as much.
    """
    _both(is_member)
    is_nearest = distances == distances.min(1, keepdims=True)  # equally near homes share a record
    parts = is_nearest / is_nearest.sum(1, keepdims=True)
    counts = np.zeros((int(query_home.max()) + 1, len(is_member)))
    np.add.at(counts, query_home, parts)  # (generated home, real home)
    counts = counts[np.unique(query_home)]
    generated, members, others = len(counts), int(is_member.sum()), int((~is_member).sum())

    def share(by_member: Array, by_other: Array) -> Array:
        a, b = by_member / members, by_other / others
        total = a + b
        return np.asarray(np.divide(a, total, out=np.full(total.shape, 0.5), where=total > 0))

    def drawn(count: int) -> Array:
        return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)

    by_home = drawn(generated) @ counts
    sample = share(
        (by_home[:, is_member] * drawn(members)).sum(1), (by_home[:, ~is_member] * drawn(others)).sum(1)
    )
    total = counts.sum(0)
    found = float(share(total[is_member].sum()[None], total[~is_member].sum()[None])[0])
    labels = rng.permuted(np.tile(is_member, (resamples, 1)), axis=1)
    null = share(labels @ total, (~labels) @ total)
    low, high = np.quantile(sample, [0.025, 0.975])
    return {
        "share": found, "low_95": float(low), "high_95": float(high),
        "p_value": float(((null >= found - 1e-12).sum() + 1) / (resamples + 1)),
    }  # fmt: skip


def distance_ratio(distances: Array, is_member: Bools, rng: np.random.Generator, draws: int = 50) -> float:
    """Median over records of the distance to the closest member over that to the closest other home.

    Of members and others equally many homes are drawn; the mean over the draws. 1 is no leak, 0 a copy.
    """
    _both(is_member)
    members, others = np.flatnonzero(is_member), np.flatnonzero(~is_member)
    size = min(len(members), len(others))
    medians = []
    for _ in range(draws):
        near, far = (distances[:, rng.permutation(side)[:size]].min(1) for side in (members, others))
        medians.append(np.median(np.maximum(near, CLOSEST) / np.maximum(far, CLOSEST)))
    return float(np.mean(medians))


def nearest_neighbour_ratio(distances: Array) -> Array:
    """Distance to the nearest home over that to the second nearest (NNDR), ``(record,)``.

    Near 0 a record is close to one home and to no other, as a copy is; near 1 it is like several.
    """
    if distances.shape[1] < 2:
        raise ValueError(f"{distances.shape[1]} homes to be near to; the ratio needs at least 2")
    two = np.maximum(np.sort(np.partition(distances, 1, axis=1)[:, :2], axis=1), CLOSEST)
    return np.asarray(two[:, 0] / two[:, 1])


def share_below(values: Array, limit: float, home: Integers, rng: np.random.Generator) -> dict[str, float]:
    """Share of records below ``limit`` with its 95 % interval over homes.

    Args:
        values: one a record, ``(record,)``.
        home: number of the home that each record is of, ``(record,)``.
        rng: draws homes.
    """
    by_home = np.array([(values[home == number] < limit).mean() for number in np.unique(home)])
    drawn = by_home[rng.integers(len(by_home), size=(1000, len(by_home)))].mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"share": float(by_home.mean()), "low_95": float(low), "high_95": float(high)}


# ---------------------------------------------------------------- membership attacks


def black_box_scores(to_generated: Array, to_real: Array) -> dict[str, Array]:
    """Scores of an attacker who holds a home's readings and a generated set; higher says "trained on".

    - ``nearest``: minus the smallest distance of a record of the home to a generated record;
    - ``mean_of_smallest``: minus the mean over the ten records that have a generated one nearest to them;
    - ``density``: minus the mean log distance to the fifth nearest generated record (a nearest-neighbour estimate
      of how densely the generator covers the home);
    - ``calibrated``: minus the mean log of the distance to the nearest generated record over the distance to
      the nearest record of other real homes, so that a home is not suspect for being common (Chen et al. 2020,
      GAN-Leaks, arXiv:1909.03935).

    Args:
        to_generated: distances of the records of each home to their nearest generated records, rising,
            ``(home, record, neighbour)``; records that are NaN do not count.
        to_real: distance to the nearest record of another real home, ``(home, record)``.
    """
    first, last = to_generated[..., 0], to_generated[..., -1]
    log_first = np.log(np.maximum(first, CLOSEST))
    return {
        "nearest": -np.nanmin(first, axis=1),
        "mean_of_smallest": -np.nanmean(np.sort(first, axis=1)[:, :SMALLEST], axis=1),
        "density": -np.nanmean(np.log(np.maximum(last, CLOSEST)), axis=1),
        "calibrated": -np.nanmean(log_first - np.log(np.maximum(to_real, CLOSEST)), axis=1),
    }


def attack(
    scores: Array, is_member: Bools, rng: np.random.Generator, resamples: int = 1000
) -> dict[str, float]:
    """How well ``scores`` tell members from others, with 95 % intervals over homes.

    Rates by side do not depend on how many homes there are on each, so all are used.

    Args:
        scores: higher says "trained on", ``(home,)``.
        is_member: ``(home,)``.
        rng: draws homes of either side.
        resamples: how often.

    Returns:
        ``auroc`` (0.5 is chance) with ``low_95``, ``high_95`` and the one-sided ``p_value`` of Mann and Whitney;
        ``tpr``, the share of members found where at most 10 % of the others are taken for members (0.1 is chance;
        Carlini et al. 2022, arXiv:2112.03570), with ``tpr_low_95`` and ``tpr_high_95``.
    Raises:
        ValueError: one side is empty, or a score is NaN.
    """
    _both(is_member)
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).sum())} scores are not finite; leave those homes out")
    inside, outside = scores[is_member], scores[~is_member]
    wins = _wins(inside, outside)
    allowed = int(FALSE_POSITIVES * len(outside))

    def true_positives(inside: Array, outside: Array) -> Array:
        """Members above the highest other that must not be let through, ``(resample,)``."""
        limit = np.sort(outside, axis=1)[:, -allowed - 1]
        return np.asarray((inside > limit[:, None]).mean(1))

    row, column = (rng.integers(len(side), size=(resamples, len(side))) for side in (inside, outside))
    weights = _shares(row, len(inside)), _shares(column, len(outside))
    area = np.einsum("ri,ij,rj->r", weights[0], wins, weights[1], optimize=True)
    found = true_positives(inside[row], outside[column])
    low, high = np.quantile(area, [0.025, 0.975])
    tpr_low, tpr_high = np.quantile(found, [0.025, 0.975])
    return {
        "auroc": float(wins.mean()), "low_95": float(low), "high_95": float(high),
        "p_value": float(stats.mannwhitneyu(inside, outside, alternative="greater").pvalue),
        "tpr": float(true_positives(inside[None], outside[None])[0]),
        "tpr_low_95": float(tpr_low), "tpr_high_95": float(tpr_high),
    }  # fmt: skip


def excess_auroc(
    scores: Array, control: Array, is_member: Bools, rng: np.random.Generator, resamples: int = 1000
) -> dict[str, float]:
    """AUROC of the scores less that of a control on the same homes, with its 95 % interval over homes.

    The control is the same attack on real homes that the model has not seen, in the place of the generated ones: what
    it finds is how the two sides happen to differ, and no leak.
    """
    _both(is_member)
    differences = np.subtract(*(_wins(side[is_member], side[~is_member]) for side in (scores, control)))
    drawn = (rng.integers(count, size=(resamples, count)) for count in differences.shape)
    weights = [_shares(draw, count) for draw, count in zip(drawn, differences.shape, strict=True)]
    sample = np.einsum("ri,ij,rj->r", weights[0], differences, weights[1], optimize=True)
    low, high = np.quantile(sample, [0.025, 0.975])
    return {"excess": float(differences.mean()), "excess_low_95": float(low), "excess_high_95": float(high)}


def _wins(inside: Array, outside: Array) -> Array:
    """1 where a member scores above an other, one half where they are equal, ``(member, other)``."""
    return np.asarray((inside[:, None] > outside) + 0.5 * (inside[:, None] == outside))


def _shares(drawn: Integers, count: int) -> Array:
    """How often each home was drawn, over the draws, ``(resample, home)``."""
    return np.stack([np.bincount(draw, minlength=count) / count for draw in drawn])


def holm(p_values: Array) -> Array:
    """P-values that hold for all tests together (Holm 1979), ``(test,)``."""
    order = np.argsort(p_values)
    raised = np.maximum.accumulate(p_values[order] * (len(p_values) - np.arange(len(p_values))))
    result = np.empty(len(p_values))
    result[order] = np.minimum(raised, 1)
    return result


def _both(is_member: Bools) -> None:
    if not is_member.any() or is_member.all():
        raise ValueError(
            f"{int(is_member.sum())} members of {len(is_member)} homes; an attack needs members and others"
        )


# ---------------------------------------------------------------- canaries


def epsilon_lower_bound(correct: int, guesses: int, confidence: float = 0.95) -> float:
    """What epsilon of differential privacy is at least, after so many right guesses of inclusion.

    Of an epsilon-private training, right guesses number at most as many as ``Binomial(guesses, e^eps / (1 + e^eps))``
    (Steinke, Nasr and Jagielski 2023, arXiv:2305.08846, theorem 5.2 with delta 0). The bound is the epsilon at which
    ``correct`` or more would have the chance ``1 - confidence``, and 0 where that is negative.

    Raises:
        ValueError: more right guesses than guesses, none, or a confidence outside 0..1.
    """
    if not 0 <= correct <= guesses or guesses < 1:
        raise ValueError(
            f"{correct} right of {guesses} guesses; give 0 <= right <= guesses, at least 1 guess"
        )
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}; it must lie between 0 and 1")
    if correct == 0:
        return 0.0
    chance = float(stats.beta.ppf(1 - confidence, correct, guesses - correct + 1))  # Clopper and Pearson 1934
    return max(float(np.log(chance / (1 - chance))), 0.0)


def audit(
    scores: Array, included: Bools, *, guesses: int | None = None, confidence: float = 0.95
) -> tuple[float, float]:
    """Accuracy of guessing which canaries were trained on, and the lower bound on epsilon that follows.

    The canaries of the highest scores are guessed to be in, as many of the lowest to be out, and the rest not
    guessed. Valid for canaries included by independent fair coins that the scores have not seen.

    Args:
        scores: higher says "trained on", ``(canary,)``.
        included: whether it was, ``(canary,)``.
        guesses: how many to guess, fixed before looking; all (less one of an odd number) by default.
        confidence: of the bound.

    Returns:
        Share of right guesses, and epsilon.
    Raises:
        ValueError: NaN among the scores, or no room for the guesses.
    """
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{int((~np.isfinite(scores)).sum())} scores are not finite; leave those canaries out"
        )
    half = (len(scores) if guesses is None else guesses) // 2
    if not 1 <= half <= len(scores) // 2:
        raise ValueError(f"guesses={guesses} of {len(scores)} canaries; guess 2 to {len(scores)} of them")
    ties = random.generator("audit", len(scores)).permutation(len(scores))  # no order of canaries may help
    order = np.lexsort((ties, scores))
    correct = int(included[order[-half:]].sum() + (~included[order[:half]]).sum())
    return correct / (2 * half), epsilon_lower_bound(correct, 2 * half, confidence)
