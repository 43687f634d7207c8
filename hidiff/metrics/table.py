"""The list of metrics, in the order of the table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hidiff import rng

from . import comparisons, marginals, peaks, physics, population, temporal
from .metric import CHANNELS, MEASURED, Channel, Metric, Panel, row
from .table_rows_samples import sample_rows

__all__ = ["Metric", "Panel", "metrics"]

Array = NDArray[np.float64]


def metrics(*, seed: int, subset_sizes: tuple[int, ...], has_classifier: bool) -> list[Metric]:
    """All rows of the table, in order.

    Args:
        seed: of the random sets of homes, of days and weeks, and of the classifiers' folds.
        subset_sizes: numbers of homes for the coincidence factor.
        has_classifier: whether to train the two-sample classifiers.
    """
    rows = [*_marginals(), *_temporal(), *_peaks(), *_physics(), *_population(seed, subset_sizes)]
    return [*rows, *sample_rows(seed, has_classifier=has_classifier)]


def _marginals() -> Iterator[Metric]:
    levels = marginals.QUANTILE_LEVELS
    for c in CHANNELS:
        yield row(
            "marginals", "W1 by month and hour", c, "kW", _by_month_hour, comparisons.pooled_wasserstein
        )
        for name, chosen in (
            ("quantiles, mean error at nine levels", levels),
            ("0.999 quantile, error", (0.999,)),
        ):
            yield row(
                "marginals", name, c, "kW", lambda p, x: x, partial(comparisons.quantile_difference, chosen)
            )
    for limit_kw in (0.005, 0.05):
        for c in MEASURED:
            within = partial(_share_within, limit_kw)
            yield row(
                "marginals",
                f"share of steps within {limit_kw} kW of zero",
                c,
                "1",
                within,
                level=comparisons.mean_level,
            )


def _by_month_hour(p: Panel, x: Array) -> comparisons.Pooled:
    return x, marginals.month_hour(p.clock)


def _share_within(limit_kw: float, p: Panel, x: Array) -> Array:
    return marginals.share_within(x, limit_kw)


def _temporal() -> Iterator[Metric]:
    for c in CHANNELS:
        for text, lag_h in (("30 min", 0.5), ("1 day", 24.0), ("1 week", 168.0)):
            yield row(
                "time",
                f"ACF at {text}",
                c,
                "1",
                partial(_autocorrelation, lag_h),
                level=comparisons.mean_level,
            )
    for c in CHANNELS:
        for days in (1, 7, 14, 28):
            measure = partial(_daily_autocorrelation, days)
            yield row("time", f"daily-energy ACF at {days} d", c, "1", measure, level=comparisons.mean_level)
    for c in CHANNELS:
        spectrum, difference = (
            (lambda p, x: temporal.log_spectrum(x, p.dt_h)),
            comparisons.root_mean_square_difference,
        )
        yield row("time", "log-PSD distance", c, "decades", spectrum, difference)
        yield row("time", "ramps, W1", c, "kW", _ramps, comparisons.pooled_wasserstein)
    for c in MEASURED:
        yield row(
            "time", "monthly shares of energy", c, "1", lambda p, x: temporal.monthly_shares(x, p.clock)
        )
        for part, text in enumerate(("between months", "weeks within months", "days within weeks")):
            shares = partial(_variance_share, part)
            yield row(
                "time", f"variance of daily energy {text}", c, "1", shares, level=comparisons.mean_level
            )
    number: dict[str, Any] = {"compare": comparisons.number_difference, "has_interval": False, "level": float}
    yield row("time", "correlation across midnight, 2 h and 2 h", "load", "1", _across_midnight, **number)
    limit: dict[str, Any] = {"kind": "limit", "has_interval": False}
    for c in MEASURED[:1]:
        yield row(
            "time", "seam test: correlation lost at joints", c, "1", _seam_test, _correlation_lost, **limit
        )
        yield row("time", "seam test: p-value", c, "1", _seam_test, _p_value, **limit)


def _autocorrelation(lag_h: float, p: Panel, x: Array) -> Array:
    return temporal.autocorrelation(x, (round(lag_h / p.dt_h),))


def _daily_autocorrelation(days: int, p: Panel, x: Array) -> Array:
    return temporal.autocorrelation(temporal.daily_energy(x, p.clock, p.dt_h)[0], (days,))


def _ramps(p: Panel, x: Array) -> comparisons.Pooled:
    return temporal.ramps(x), np.zeros(x.shape[1] - 1, dtype=np.int64)


def _variance_share(part: int, p: Panel, x: Array) -> Array:
    return temporal.variance_shares(*temporal.daily_energy(x, p.clock, p.dt_h))[:, part]


def _across_midnight(p: Panel, x: Array) -> float:
    return temporal.boundary_correlation(x, temporal.steps_at_hour(p.clock, 0))


def _seam_test(p: Panel, x: Array) -> temporal.SeamTest:
    return temporal.seam_test(x, p.joints, p.others)


def _correlation_lost(a: temporal.SeamTest, b: temporal.SeamTest, weights: Array | None) -> Array:
    return np.array([a.elsewhere - a.at_joints])


def _p_value(a: temporal.SeamTest, b: temporal.SeamTest, weights: Array | None) -> Array:
    return np.array([a.p_value])


def _peaks() -> Iterator[Metric]:
    between: dict[str, Any] = {"compare": comparisons.between_homes, "level": comparisons.mean_level}
    for c in CHANNELS:
        energy = "annual energy, W1 between homes"
        yield row("peaks", energy, c, "kWh", lambda p, x: peaks.annual_energy_kwh(x), **between)
        yield row("peaks", "annual peak, W1 between homes", c, "kW", lambda p, x: peaks.peak_kw(x), **between)
        yield row("peaks", "load-duration curve", c, "kW", lambda p, x: peaks.load_duration_kw(x))
    for c in MEASURED:
        name = "load factor, W1 between homes"
        yield row("peaks", name, c, "1", lambda p, x: peaks.load_factor(x), **between)
    net_and_load: tuple[Channel, ...] = ("load", "net")
    for c in net_and_load:
        hour, month = "hour of the daily peak, total variation", "month of the annual peak, total variation"
        shares = lambda p, x: peaks.daily_peak_hour_shares(x, p.clock)  # noqa: E731
        yield row("peaks", hour, c, "1", shares, comparisons.total_variation)
        yield row(
            "peaks", month, c, "1", lambda p, x: peaks.peak_month(x, p.clock), comparisons.total_variation
        )


def _physics() -> Iterator[Metric]:
    limit: dict[str, Any] = {"kind": "limit", "level": comparisons.mean_level}
    between: dict[str, Any] = {"compare": comparisons.between_homes, "level": comparisons.mean_level}
    yield row(
        "physics",
        "night energy, a home-year (limit 0)",
        "pv",
        "kWh",
        _night_energy,
        comparisons.itself,
        **limit,
    )
    yield row(
        "physics",
        "maximum / capacity, worst home (limit 1)",
        "pv",
        "1",
        _over_capacity,
        comparisons.itself_at_most,
        **limit,
    )
    for c in MEASURED:
        negative = lambda p, x: physics.negative_share(x)  # noqa: E731
        yield row(
            "physics", "share of negative steps (limit 0)", c, "1", negative, comparisons.itself, **limit
        )
    yield row("physics", "self-consumption, W1 between homes", "net", "1", _self_consumption, **between)
    yield row("physics", "self-sufficiency, W1 between homes", "net", "1", _self_sufficiency, **between)


def _night_energy(p: Panel, x: Array) -> Array:
    return physics.night_energy_kwh(x, p.night, p.dt_h)


def _over_capacity(p: Panel, x: Array) -> Array:
    return physics.max_over_capacity(x, p.capacity_kwp)


def _self_consumption(p: Panel, x: Array) -> Array:
    return physics.self_consumption(p.load_kw, p.pv_kw)


def _self_sufficiency(p: Panel, x: Array) -> Array:
    return physics.self_sufficiency(p.load_kw, p.pv_kw)


def _population(seed: int, subset_sizes: tuple[int, ...]) -> Iterator[Metric]:
    number: dict[str, Any] = {"compare": comparisons.number_difference, "has_interval": False, "level": float}
    for c in CHANNELS:
        for size in subset_sizes:
            factor = partial(_coincidence, size, seed)
            yield row("population", f"coincidence factor, {size} homes", c, "1", factor, **number)
    pairs: dict[str, Any] = {"compare": comparisons.pair_difference, "level": _pair_level}
    for c in MEASURED:
        matrix = lambda p, x: population.correlation_matrix(x)  # noqa: E731
        yield row("population", "pairwise correlation", c, "1", matrix, **pairs)
    name = "pairwise correlation of clearness within the day"
    yield row("population", name, "pv", "1", _clearness_correlation, **pairs)


def _coincidence(size: int, seed: int, p: Panel, x: Array) -> float:
    if size > len(x):
        return float("nan")  # a half of the real homes may be too small
    return population.coincidence_factor(x, size, rng.generator(seed, "evaluate", "coincidence", size))


def _clearness_correlation(p: Panel, x: Array) -> Array:
    return population.correlation_matrix(population.clearness_anomaly(x, p.time, p.clock))


def _pair_level(matrix: Array) -> float:
    return float(population.mean_of_pairs(matrix)[0])
