"""The list of metrics: what is measured on a population of homes, and how two measurements are compared.

A measurement keeps the homes apart where it can (first axis), so that an interval over homes is cheap:
``compare`` takes shares of the homes, ``(resample, home)``, and answers for each row; None is equal shares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff import rng

from . import joint, marginals, peaks, physics, population, temporal

Array = NDArray[np.float64]
Compare = Callable[[Any, Any, Array | None], Array]
Channel = Literal["load", "pv", "net"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """One year of many homes, with everything that the metrics ask of it."""

    load_kw: Array
    """``(home, step)`` [kW]."""
    pv_kw: Array
    """``(home, step)`` [kW]."""
    time: pd.DatetimeIndex
    """Start of each step, UTC."""
    clock: pd.DatetimeIndex
    """The same instants on the homes' clock."""
    dt_h: float
    """Step length [h]."""
    night: NDArray[np.bool_]
    """Whether the sun is down, ``(step,)``."""
    capacity_kwp: Array
    """PV capacity, ``(home,)`` [kWp]."""
    homes: list[str]
    """Name of the home, or of the real home behind it."""
    joints: NDArray[np.int64]
    """First steps of the windows that the year may have been put together from."""
    others: NDArray[np.int64]
    """First steps of the other standard-time days."""

    def power_kw(self, channel: Channel) -> Array:
        """``(home, step)`` [kW]; net is load - PV."""
        return {"load": self.load_kw, "pv": self.pv_kw}.get(channel, self.load_kw - self.pv_kw)

    def take(self, rows: NDArray[np.int64]) -> Panel:
        """The homes at ``rows``."""
        return replace(
            self,
            load_kw=self.load_kw[rows],
            pv_kw=self.pv_kw[rows],
            capacity_kwp=self.capacity_kwp[rows],
            homes=[self.homes[row] for row in rows],
        )


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row of the table."""

    group: str
    name: str
    channel: str
    unit: str
    measure: Callable[[Panel], Any]
    compare: Compare
    kind: Literal["distance", "limit"] = "distance"
    """A distance to the real homes, or a quantity with a physical limit, reported as it is."""
    has_interval: bool = True
    """Whether ``compare`` heeds the shares of the homes."""
    level: Callable[[Any], float] | None = None
    """What a side measures by itself, in one number, such as the mean over homes."""


def _level(measured: Any) -> float:
    """Mean over homes of a measurement with one number a home; the number itself if it is one."""
    return float(_mean(np.atleast_1d(np.asarray(measured, dtype=np.float64)), None)[0, 0])


def _mean(values: Array, weights: Array | None) -> Array:
    """Mean over homes, ``(resample, …)``; homes that are NaN do not count."""
    rows = values.reshape(len(values), -1)
    weights = marginals.uniform_weights(len(rows)) if weights is None else weights
    known = np.isfinite(rows)
    total, share = weights @ np.where(known, rows, 0.0), weights @ known.astype(np.float64)
    return np.asarray(np.divide(total, share, out=np.full_like(total, np.nan), where=share > 0))


def _mean_difference(a: Array, b: Array, weights: Array | None) -> Array:
    """Absolute difference of the means over homes, mean over what else is measured."""
    return np.asarray(np.abs(_mean(a, weights) - _mean(b, None)).mean(axis=1))


def _root_mean_square_difference(a: Array, b: Array, weights: Array | None) -> Array:
    return np.asarray(np.sqrt(((_mean(a, weights) - _mean(b, None)) ** 2).mean(axis=1)))


def _total_variation(a: Array, b: Array, weights: Array | None) -> Array:
    mean_b = _mean(b, None)[0]
    return np.array([peaks.total_variation(row, mean_b) for row in _mean(a, weights)])


def _between_homes(a: Array, b: Array, weights: Array | None) -> Array:
    """W1 between the homes of either side; homes that are NaN do not count."""
    known = np.isfinite(a)
    shares = marginals.uniform_weights(len(a)) if weights is None else weights
    if not known.any() or not np.isfinite(b).any():
        return np.full(len(shares), np.nan)
    shares = shares[:, known] / shares[:, known].sum(axis=1, keepdims=True)
    cell = np.zeros(1, dtype=np.int64)
    return marginals.wasserstein_by_cell(a[known][:, None], b[np.isfinite(b)][:, None], cell, cell, shares)


Pooled = tuple[Array, NDArray[np.int64]]


def _pooled_wasserstein(a: Pooled, b: Pooled, weights: Array | None) -> Array:
    return marginals.wasserstein_by_cell(a[0], b[0], a[1], b[1], weights)


def _quantile_difference(levels: tuple[float, ...], a: Array, b: Array, weights: Array | None) -> Array:
    difference = marginals.quantiles(a, levels, weights) - marginals.quantiles(b, levels)
    return np.asarray(np.abs(difference).mean(axis=1))


def _pair_difference(a: Array, b: Array, weights: Array | None) -> Array:
    return np.abs(population.mean_of_pairs(a, weights) - population.mean_of_pairs(b))


def _number_difference(a: float, b: float, weights: Array | None) -> Array:
    return np.array([abs(a - b)])


def _itself(a: Array, b: Array, weights: Array | None) -> Array:
    return _mean(a, weights)[:, 0]


def _itself_at_most(a: Array, b: Array, weights: Array | None) -> Array:
    shares = marginals.uniform_weights(len(a)) if weights is None else weights
    return np.array([np.max(a[row > 0], initial=-np.inf, where=np.isfinite(a[row > 0])) for row in shares])


def metrics(*, seed: int, subset_sizes: tuple[int, ...], has_classifier: bool) -> list[Metric]:
    """All rows of the table, in order.

    Args:
        seed: of the random sets of homes and of the classifier's folds.
        subset_sizes: numbers of homes for the coincidence factor.
        has_classifier: whether to train the two-sample classifier.
    """
    rows = [*_marginals(), *_temporal(), *_peaks(), *_physics(), *_population(seed, subset_sizes)]
    return [*rows, _classifier(seed)] if has_classifier else rows


def _row(
    group: str,
    name: str,
    channel: Channel,
    unit: str,
    measure: Callable[[Panel, Array], Any],
    compare: Compare = _mean_difference,
    **more: Any,
) -> Metric:
    """A metric whose ``measure`` gets the panel and the power of the channel."""
    return Metric(
        group=group,
        name=name,
        channel=channel,
        unit=unit,
        measure=lambda panel: measure(panel, panel.power_kw(channel)),
        compare=compare,
        **more,
    )


CHANNELS: tuple[Channel, ...] = ("load", "pv", "net")
MEASURED: tuple[Channel, ...] = ("load", "pv")


def _marginals() -> Iterator[Metric]:
    levels = marginals.QUANTILE_LEVELS
    for c in CHANNELS:
        yield _row("marginals", "W1 by month and hour", c, "kW", _by_month_hour, _pooled_wasserstein)
        for name, chosen in (
            ("quantiles, mean error at nine levels", levels),
            ("0.999 quantile, error", (0.999,)),
        ):
            yield _row("marginals", name, c, "kW", lambda p, x: x, partial(_quantile_difference, chosen))
    for limit_kw in (0.005, 0.05):
        for c in MEASURED:
            within = partial(_share_within, limit_kw)
            yield _row(
                "marginals", f"share of steps within {limit_kw} kW of zero", c, "1", within, level=_level
            )


def _by_month_hour(p: Panel, x: Array) -> Pooled:
    return x, marginals.month_hour(p.clock)


def _share_within(limit_kw: float, p: Panel, x: Array) -> Array:
    return marginals.share_within(x, limit_kw)


def _temporal() -> Iterator[Metric]:
    for c in CHANNELS:
        for text, lag_h in (("30 min", 0.5), ("1 day", 24.0), ("1 week", 168.0)):
            yield _row("time", f"ACF at {text}", c, "1", partial(_autocorrelation, lag_h), level=_level)
    for c in CHANNELS:
        for days in (1, 7, 14, 28):
            measure = partial(_daily_autocorrelation, days)
            yield _row("time", f"daily-energy ACF at {days} d", c, "1", measure, level=_level)
    for c in CHANNELS:
        spectrum, difference = (lambda p, x: temporal.log_spectrum(x, p.dt_h)), _root_mean_square_difference
        yield _row("time", "log-PSD distance", c, "decades", spectrum, difference)
        yield _row("time", "ramps, W1", c, "kW", _ramps, _pooled_wasserstein)
    for c in MEASURED:
        yield _row(
            "time", "monthly shares of energy", c, "1", lambda p, x: temporal.monthly_shares(x, p.clock)
        )
        for part, text in enumerate(("between months", "weeks within months", "days within weeks")):
            shares = partial(_variance_share, part)
            yield _row("time", f"variance of daily energy {text}", c, "1", shares, level=_level)
    number: dict[str, Any] = {"compare": _number_difference, "has_interval": False, "level": float}
    yield _row("time", "correlation across midnight, 2 h and 2 h", "load", "1", _across_midnight, **number)
    limit: dict[str, Any] = {"kind": "limit", "has_interval": False}
    for c in MEASURED[:1]:
        yield _row(
            "time", "seam test: correlation lost at joints", c, "1", _seam_test, _correlation_lost, **limit
        )
        yield _row("time", "seam test: p-value", c, "1", _seam_test, _p_value, **limit)


def _autocorrelation(lag_h: float, p: Panel, x: Array) -> Array:
    return temporal.autocorrelation(x, (round(lag_h / p.dt_h),))


def _daily_autocorrelation(days: int, p: Panel, x: Array) -> Array:
    return temporal.autocorrelation(temporal.daily_energy(x, p.clock, p.dt_h)[0], (days,))


def _ramps(p: Panel, x: Array) -> Pooled:
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
    between: dict[str, Any] = {"compare": _between_homes, "level": _level}
    for c in CHANNELS:
        energy = "annual energy, W1 between homes"
        yield _row("peaks", energy, c, "kWh", lambda p, x: peaks.annual_energy_kwh(x), **between)
        yield _row(
            "peaks", "annual peak, W1 between homes", c, "kW", lambda p, x: peaks.peak_kw(x), **between
        )
        yield _row("peaks", "load-duration curve", c, "kW", lambda p, x: peaks.load_duration_kw(x))
    for c in MEASURED:
        name = "load factor, W1 between homes"
        yield _row("peaks", name, c, "1", lambda p, x: peaks.load_factor(x), **between)
    net_and_load: tuple[Channel, ...] = ("load", "net")
    for c in net_and_load:
        hour, month = "hour of the daily peak, total variation", "month of the annual peak, total variation"
        shares = lambda p, x: peaks.daily_peak_hour_shares(x, p.clock)  # noqa: E731
        yield _row("peaks", hour, c, "1", shares, _total_variation)
        yield _row("peaks", month, c, "1", lambda p, x: peaks.peak_month(x, p.clock), _total_variation)


def _physics() -> Iterator[Metric]:
    limit: dict[str, Any] = {"kind": "limit", "level": _level}
    between: dict[str, Any] = {"compare": _between_homes, "level": _level}
    yield _row("physics", "night energy, a home-year (limit 0)", "pv", "kWh", _night_energy, _itself, **limit)
    yield _row(
        "physics",
        "maximum / capacity, worst home (limit 1)",
        "pv",
        "1",
        _over_capacity,
        _itself_at_most,
        **limit,
    )
    for c in MEASURED:
        negative = lambda p, x: physics.negative_share(x)  # noqa: E731
        yield _row("physics", "share of negative steps (limit 0)", c, "1", negative, _itself, **limit)
    yield _row("physics", "self-consumption, W1 between homes", "net", "1", _self_consumption, **between)
    yield _row("physics", "self-sufficiency, W1 between homes", "net", "1", _self_sufficiency, **between)


def _night_energy(p: Panel, x: Array) -> Array:
    return physics.night_energy_kwh(x, p.night, p.dt_h)


def _over_capacity(p: Panel, x: Array) -> Array:
    return physics.max_over_capacity(x, p.capacity_kwp)


def _self_consumption(p: Panel, x: Array) -> Array:
    return physics.self_consumption(p.load_kw, p.pv_kw)


def _self_sufficiency(p: Panel, x: Array) -> Array:
    return physics.self_sufficiency(p.load_kw, p.pv_kw)


def _population(seed: int, subset_sizes: tuple[int, ...]) -> Iterator[Metric]:
    number: dict[str, Any] = {"compare": _number_difference, "has_interval": False, "level": float}
    for c in CHANNELS:
        for size in subset_sizes:
            factor = partial(_coincidence, size, seed)
            yield _row("population", f"coincidence factor, {size} homes", c, "1", factor, **number)
    pairs: dict[str, Any] = {"compare": _pair_difference, "level": _pair_level}
    for c in MEASURED:
        matrix = lambda p, x: population.correlation_matrix(x)  # noqa: E731
        yield _row("population", "pairwise correlation", c, "1", matrix, **pairs)
    name = "pairwise correlation of clearness within the day"
    yield _row("population", name, "pv", "1", _clearness_correlation, **pairs)


def _coincidence(size: int, seed: int, p: Panel, x: Array) -> float:
    if size > len(x):
        return float("nan")  # a half of the real homes may be too small
    return population.coincidence_factor(x, size, rng.generator(seed, "evaluate", "coincidence", size))


def _clearness_correlation(p: Panel, x: Array) -> Array:
    return population.correlation_matrix(population.clearness_anomaly(x, p.time, p.clock))


def _pair_level(matrix: Array) -> float:
    return float(population.mean_of_pairs(matrix)[0])


def _classifier(seed: int) -> Metric:
    return Metric(
        group="joint",
        name="classifier AUROC, single days (0.5 is best)",
        channel="all",
        unit="1",
        measure=lambda p: (joint.day_features(p.load_kw, p.pv_kw, p.clock, p.dt_h), p.homes),
        compare=partial(_auroc, seed),
        has_interval=False,
    )


def _auroc(seed: int, a: Any, b: Any, weights: Array | None) -> Array:
    stream = rng.generator(seed, "evaluate", "classifier")
    return np.array([joint.classifier_auroc(a[0], b[0], a[1], b[1], stream)])
