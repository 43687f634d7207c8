"""Scenario reduction: a few scenarios with new probabilities in the place of many, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hidiff.rng import generator

from .distances import Norm, check_norm, check_probability, cost_between, cost_matrix, transport_cost
from .medoids import faster_pam
from .moments import match_moments
from .scenario_set import ScenarioSet
from .selection import backward_reduction, forward_selection

Method = Literal["medoids", "forward", "backward", "moments", "random"]

MAX_SCENARIOS = 20_000  # whose cost matrix takes 1.5 GiB


@dataclass(frozen=True, kw_only=True, eq=False)
class Reduction:
    """Which scenarios are kept, how likely each now is, and how far that is from the full set."""

    kept: NDArray[np.int64]
    """Rows of the full set, ascending."""
    probability: NDArray[np.float64]
    """Of the kept scenarios, in the order of ``kept``; sums to one."""
    assignment: NDArray[np.int64]
    """Per scenario of the full set, the position in ``kept`` of its nearest kept scenario."""
    distance: float
    """Wasserstein distance to the full set, in the features' unit."""
    relative_distance: float
    """``distance`` divided by that of the best single scenario: 0 is lossless, 1 is no better than one scenario."""
    method: str
    norm: str
    order: float

    def __len__(self) -> int:
        return len(self.kept)


def reduce_scenarios(
    features: ArrayLike, probability: ArrayLike | None, n: int, method: Method = "medoids", *,
    norm: Norm = "l2", order: float = 1.0, seed: int = 0,
) -> Reduction:  # fmt: skip
    """``n`` of the scenarios with the probabilities that stand for all.

    ``medoids`` swaps the scenarios of fast forward selection (``forward``) until no swap helps, so it is never
    farther from the full set; ``backward`` drops one after the other; ``random`` draws, by ``seed``. In all four
    a dropped scenario's probability goes to the nearest kept one, which is optimal for the distance. ``moments``
    keeps means, variances and correlations instead, and may keep fewer than ``n``.

    Args:
        features: ``(scenario, feature)``, scaled so that a difference of one weighs the same everywhere.
        probability: ``(scenario,)``, or None for equally likely ones.
        norm: of differences between scenarios.
        order: of the Wasserstein distance.

    Raises:
        ValueError: values that are missing, an ``n`` outside 1..scenarios, an unknown method or norm, more than
            ``MAX_SCENARIOS`` scenarios for a method that needs all their distances.
    """
    x = check_features(features)
    p = check_probability(probability, len(x))
    check_norm(norm, order)
    if method not in get_args(Method):
        raise ValueError(f"method {method!r} is none of {', '.join(get_args(Method))}")
    if not 1 <= n <= len(x):
        raise ValueError(f"n {n} lies outside 1..{len(x)}, the number of scenarios")
    if method == "moments":
        kept, weights = match_moments(x, p, n)
        return describe(x, p, kept, weights, method, norm, order)
    if method == "random":
        kept = generator(seed, "reduce").choice(len(x), n, replace=False)
    else:
        if len(x) > MAX_SCENARIOS:
            raise ValueError(
                f"{len(x):,} scenarios need {4 * len(x) ** 2 / 2**30:.1f} GiB of distances; {method} takes up to "
                f"{MAX_SCENARIOS:,}: use method='moments', or reduce parts of the set first"
            )
        cost = cost_matrix(x, norm, order)
        if method == "backward":
            kept = backward_reduction(cost, p, n)
        else:
            kept = forward_selection(cost, p, n)
            if method == "medoids":
                kept = faster_pam(cost, p, kept)
    return describe(x, p, kept, None, method, norm, order)


def describe(
    features: NDArray[np.float64], probability: NDArray[np.float64], kept: NDArray[np.int64],
    weights: NDArray[np.float64] | None, method: str, norm: Norm = "l2", order: float = 1.0,
) -> Reduction:  # fmt: skip
    """The reduction to ``kept`` with its distance; without ``weights``, redistributed optimally.

    With weights of another origin the distance is a transport problem, which is solved exactly.
    """
    ranks = np.argsort(kept)
    kept = kept[ranks]
    cost = cost_between(features, features[kept], norm, order)
    assignment = cost.argmin(axis=1)
    assignment[kept] = np.arange(len(kept))  # of equal scenarios, each kept one stands for itself
    if weights is None:
        share = np.bincount(assignment, probability, minlength=len(kept)).astype(np.float64)
        total = float(probability @ cost[np.arange(len(cost)), assignment])
    else:
        share = weights[ranks]
        total = transport_cost(cost, probability, share)
    distance = max(total, 0.0) ** (1 / order)
    alone = _best_single(features, probability, norm, order)
    return Reduction(
        kept=kept,
        probability=share / share.sum(),
        assignment=assignment,
        distance=distance,
        relative_distance=distance / alone if alone > 0 else 0.0,
        method=method,
        norm=norm,
        order=order,
    )


def reduce_set(
    scenario_set: ScenarioSet, n: int, method: Method = "medoids", *, channels: Sequence[str] | None = None,
    norm: Norm = "l2", order: float = 1.0, seed: int = 0, max_features: int = 4096,
) -> tuple[ScenarioSet, Reduction]:  # fmt: skip
    """The set with ``n`` of its scenarios, and how far it is from the whole; see `reduce_scenarios`.

    Args:
        channels: that the distance looks at; all by default.
        max_features: a scenario; see `set_features`.
    """
    features = set_features(scenario_set, channels, max_features)
    reduction = reduce_scenarios(
        features, scenario_set.probability, n, method, norm=norm, order=order, seed=seed
    )
    reduced = scenario_set.select(scenarios=reduction.kept.tolist()).with_probability(reduction.probability)
    entry = {
        "method": method, "norm": norm, "order": order, "scenarios": len(scenario_set), "kept": len(reduction),
        "distance": reduction.distance, "relative_distance": reduction.relative_distance,
        "channels": list(channels or scenario_set.channels),
    }  # fmt: skip
    return reduced.with_provenance(reduction=entry), reduction


def set_features(
    scenario_set: ScenarioSet, channels: Sequence[str] | None = None, max_features: int = 4096
) -> NDArray[np.float64]:
    """Features ``(scenario, channel x home x step)`` of a set, read one scenario at a time.

    Every channel is divided by its standard deviation over all scenarios, homes and steps. Where that makes more
    than ``max_features``, homes are averaged first and then blocks of neighbouring steps, in as small a measure
    as the limit asks for.

    Raises:
        ValueError: a channel that the set lacks, or a limit below the number of channels.
    """
    names = list(scenario_set.channels) if channels is None else list(channels)
    if max_features < len(names):
        raise ValueError(f"max_features {max_features} is below the number of channels, {len(names)}")
    _, homes, steps = scenario_set.shape
    own = [scenario_set.select(channels=[name]).channels[name].has_homes for name in names]
    by_home = steps * sum(homes if has else 1 for has in own) <= max_features
    block = 1 if by_home else -(-steps * len(names) // max_features)
    starts = np.arange(0, steps, block)
    while not by_home and len(starts) * len(names) > max_features:
        block += 1
        starts = np.arange(0, steps, block)
    parts = []
    for name in names:
        rows = []
        for scenario in range(len(scenario_set)):
            values = np.atleast_2d(scenario_set.read(name, scenario=scenario)).astype(np.float64)
            if not by_home:
                values = np.add.reduceat(values.mean(axis=0, keepdims=True), starts, axis=1)
                values /= np.diff(np.append(starts, steps))
            rows.append(values.ravel().astype(np.float32))
        channel = np.array(rows)
        spread = float(channel.std(dtype=np.float64))
        parts.append(channel / spread if spread > 0 else channel)
    return np.concatenate(parts, axis=1).astype(np.float64)


def check_features(features: ArrayLike) -> NDArray[np.float64]:
    """Features as a table of numbers, ``(scenario, feature)``.

    Raises:
        ValueError: another shape, no scenario, a value that is missing or infinite.
    """
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or not x.size:
        raise ValueError(
            f"features have shape {x.shape}; reduction takes (scenario, feature), at least 1 x 1"
        )
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        raise ValueError(
            f"scenario {int(np.argmax(bad))} (of {bad.sum():,}) holds a missing or infinite value; fill or drop it"
        )
    return x


def _best_single(
    features: NDArray[np.float64], probability: NDArray[np.float64], norm: Norm, order: float
) -> float:
    """Distance of the full set to its best single scenario, which is sought in blocks of float32 costs."""
    weight = probability.astype(np.float32)
    step = max(1, 2**22 // len(features))
    mean = [
        weight @ cost_matrix(features, norm, order, features[at : at + step])
        for at in range(0, len(features), step)
    ]
    best = int(np.argmin(np.concatenate(mean)))
    cost = cost_between(features, features[best : best + 1], norm, order)[:, 0]
    return float((probability @ cost) ** (1 / order))
