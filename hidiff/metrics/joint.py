"""Days and weeks as they are, load and PV seen together, and whether a classifier can tell two sides apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.errors import DependencyMissing

Floats = NDArray[np.floating]
Array = NDArray[np.float64]

ROUNDING_KW = 0.05
"""Both sides are rounded to this: meters count in steps, and a classifier would see nothing else."""


def windows(power_kw: Floats, clock: pd.DatetimeIndex, dt_h: float, days: int = 1) -> Array:
    """Single days, or weeks from Monday to Sunday, by the homes' clock, ``(home, window, step)`` [kW].

    Windows that a clock change makes longer or shorter are left out, and parts of windows at the ends.

    Args:
        power_kw: ``(home, step)`` [kW].
        clock: start of each step on the homes' clock (zone-aware, local).
        dt_h: step length [h]; a whole number of steps must make an hour.
        days: 1 or 7.
    Raises:
        ValueError: there is no such window, or steps do not make an hour.
    """
    if days not in (1, 7):
        raise ValueError(f"days={days} is neither 1 nor 7; other windows would start on any weekday")
    dates = clock.tz_localize(None).normalize()
    first = np.flatnonzero(np.r_[True, dates[1:] != dates[:-1]])
    bounds = np.r_[first, len(clock)]
    steps = days * 24 * _steps_per_hour(dt_h)
    is_whole = bounds[days:] - bounds[:-days] == steps
    starts = bounds[:-days][is_whole]
    if days == 7:
        starts = starts[np.asarray(clock.day_of_week)[starts] == 0]
    if not len(starts):
        raise ValueError(f"there is no whole window of {24 * days} hours; give a longer series")
    return power_kw[:, starts[:, None] + np.arange(steps)].astype(np.float64)


def profiles(
    load_kw: Floats, pv_kw: Floats, clock: pd.DatetimeIndex, dt_h: float, *, days: int, mean_h: int
) -> Array:
    """Load and then PV of days or weeks as means over ``mean_h`` hours, ``(home, window, value)`` [kW].

    Args:
        load_kw: ``(home, step)`` [kW].
        pv_kw: ``(home, step)`` [kW].
        clock: start of each step on the homes' clock (zone-aware, local).
        dt_h: step length [h].
        days: 1 or 7, see ``windows``.
        mean_h: hours that are averaged [h]; a divisor of 24.
    """
    cut = [windows(power, clock, dt_h, days) for power in (load_kw, pv_kw)]
    return np.concatenate([_means(power, mean_h * _steps_per_hour(dt_h)) for power in cut], axis=2)


def over_own_mean(power_kw: Floats) -> Array:
    """Power over the home's mean power, ``(home, step)`` [1]; 0 where a home has none.

    Args:
        power_kw: ``(home, step)`` [kW].
    """
    mean = power_kw.mean(axis=1, keepdims=True, dtype=np.float64)
    return np.asarray(np.divide(power_kw, mean, out=np.zeros(power_kw.shape), where=mean > 0))


def day_features(load_kw: Floats, pv_kw: Floats, clock: pd.DatetimeIndex, dt_h: float) -> Array:
    """Features of single days, ``(home, day, 54)`` [kW].

    24 hourly means of the load, 24 of PV, then peak, base (least step) and steepest ramp of load and of net.

    The two days of a clock change are left out, and parts of days at the ends. Power is rounded to
    ``ROUNDING_KW`` first.

    Args:
        load_kw: ``(home, step)`` [kW].
        pv_kw: ``(home, step)`` [kW].
        clock: start of each step on the homes' clock (zone-aware, local).
        dt_h: step length [h]; a whole number of steps must make an hour.
    """
    load, pv = (_rounded(windows(power, clock, dt_h)) for power in (load_kw, pv_kw))
    hourly = [_means(power, _steps_per_hour(dt_h)) for power in (load, pv)]
    return np.concatenate([*hourly, _extremes(load), _extremes(load - pv)], axis=2)


def week_features(load_kw: Floats, pv_kw: Floats, clock: pd.DatetimeIndex, dt_h: float) -> Array:
    """Features of weeks from Monday to Sunday, ``(home, week, 497)``.

    Of load and of PV: the energy of each day [kWh], the hourly means of each day, and the mean and standard
    deviation over the days of each hour [kW]. Of load and of net: peak, base and steepest ramp of
    each day [kW]. Of load, PV and net: autocorrelation within the week at one step and at 24 h, and the mean
    over the six inner midnights of (2 h before - mean of the week) x (2 h after - mean), over the variance.

    Power is rounded to ``ROUNDING_KW`` first.

    Args:
        load_kw: ``(home, step)`` [kW].
        pv_kw: ``(home, step)`` [kW].
        clock: start of each step on the homes' clock (zone-aware, local).
        dt_h: step length [h]; a whole number of steps must make an hour.
    """
    steps_per_hour = _steps_per_hour(dt_h)
    load, pv = (_rounded(windows(power, clock, dt_h, 7)) for power in (load_kw, pv_kw))
    parts = []
    for power in (load, pv):
        hourly = _means(power, steps_per_hour)
        by_day = hourly.reshape(*hourly.shape[:2], 7, 24)
        parts += [by_day.sum(axis=3), hourly, by_day.mean(axis=2), by_day.std(axis=2)]
    for power in (load, load - pv):
        of_days = power.reshape(len(power), -1, 24 * steps_per_hour)
        parts.append(_extremes(of_days).reshape(*power.shape[:2], -1))
    for power in (load, pv, load - pv):
        centred = power - power.mean(axis=2, keepdims=True)
        variance = np.maximum((centred**2).mean(axis=2), 1e-12)  # a week without power has no memory: 0
        two_hours = _means(centred, 2 * steps_per_hour).reshape(*centred.shape[:2], 7, 12)
        memory = [(centred[..., lag:] * centred[..., :-lag]).mean(axis=2) for lag in (1, 24 * steps_per_hour)]
        memory.append((two_hours[:, :, :-1, -1] * two_hours[:, :, 1:, 0]).mean(axis=2))
        parts.append(np.stack(memory, axis=2) / variance[:, :, None])
    return np.concatenate(parts, axis=2)


def _steps_per_hour(dt_h: float) -> int:
    steps = round(1 / dt_h)
    if abs(steps * dt_h - 1) > 1e-9:
        raise ValueError(f"dt_h={dt_h} does not divide an hour; resample to 60 minutes or a part of it")
    return steps


def _rounded(power_kw: Array) -> Array:
    return np.asarray(np.round(power_kw / ROUNDING_KW) * ROUNDING_KW)


def _means(values: Array, length: int) -> Array:
    """Means of ``length`` values in a row along the last axis."""
    return np.asarray(values.reshape(*values.shape[:-1], -1, length).mean(axis=-1))


def _extremes(power_kw: Array) -> Array:
    """Peak, base and steepest ramp along the last axis, ``(…, 3)`` [kW]."""
    ramp = np.abs(np.diff(power_kw, axis=-1)).max(axis=-1)
    return np.stack([power_kw.max(axis=-1), power_kw.min(axis=-1), ramp], axis=-1)


def classifier_auroc(
    features_a: Array,
    features_b: Array,
    homes_a: list[str],
    homes_b: list[str],
    rng: np.random.Generator,
    *,
    max_windows: int = 3000,
    folds: int = 5,
    has_other_windows: bool = False,
    max_bins: int = 255,
) -> float:
    """Area under the ROC curve of a classifier telling windows of ``a`` from those of ``b``; 0.5 is perfect.

    Classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545) with gradient-boosted trees
    and grouped cross-validation: all windows of a home, on both sides if it is on both, are in one fold, so the
    trees cannot recognise homes. Mean over the folds. With few homes, none on both sides, equal populations
    score below a half: what the trees learn of the homes left in is wrong for those left out.

    Args:
        features_a: ``(home, window, feature)``, days or weeks.
        features_b: ``(home, window, feature)``.
        homes_a: name of the home (or of the real home behind it), ``(home,)``.
        homes_b: the same of ``b``.
        rng: draws at most ``max_windows`` windows a side, and the folds.
        max_windows: bounds the time it takes.
        folds: parts of the cross-validation; at least 2, at most the homes of a side.
        has_other_windows: judge windows of other dates than those learned from. All homes of a side share
            their weather, so trees that know the other homes in a week know the week: without this they
            tell one real year from another.
        max_bins: values that a feature is cut into; fewer are faster.
    Raises:
        DependencyMissing: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import StratifiedGroupKFold
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError as error:
        raise DependencyMissing(
            "the classifier test needs scikit-learn; pip install 'hidiff[dev]'"
        ) from error

    folds = min(folds, len(set(homes_a)), len(set(homes_b)))
    if folds < 2:
        raise ValueError("grouped cross-validation needs at least 2 homes on each side")
    x, groups, labels, halves = [], [], [], []
    half_of = (
        rng.permutation(max(features_a.shape[1], features_b.shape[1])) % 2 if has_other_windows else None
    )
    for label, features, homes in ((1, features_a, homes_a), (0, features_b, homes_b)):
        if len(homes) != len(features):
            raise ValueError(f"{len(homes)} names for {len(features)} homes of features")
        flat = features.reshape(-1, features.shape[2])
        names = np.repeat(np.array(homes), features.shape[1])
        chosen = rng.permutation(len(flat))[:max_windows]
        x.append(flat[chosen])
        groups.append(names[chosen])
        labels.append(np.full(len(chosen), label))
        date = chosen % features.shape[1]
        halves.append(np.zeros_like(date) if half_of is None else half_of[date])
    x_all, group, y = np.concatenate(x), np.concatenate(groups), np.concatenate(labels)
    half = np.concatenate(halves)
    split = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=int(rng.integers(2**31)))
    areas = []
    for learn, judge in split.split(x_all, y, group):
        for held_out in (0, 1) if has_other_windows else (0,):
            test = judge[half[judge] == held_out]
            train = learn[half[learn] != held_out] if has_other_windows else learn
            if len(np.unique(y[train])) < 2 or len(np.unique(y[test])) < 2:
                continue  # a fold that holds one side only says nothing
            trees = HistGradientBoostingClassifier(
                max_iter=60, max_leaf_nodes=15, max_bins=max_bins, random_state=0
            )
            # on a busy machine threads wait for one another far longer than they work
            with threadpool_limits(limits=1):
                trees.fit(x_all[train], y[train])
                chance = trees.predict_proba(x_all[test])[:, 1]
            areas.append(roc_auc_score(y[test], chance))
    if not areas:
        raise ValueError("no fold holds windows of both sides; give more homes")
    return float(np.mean(areas))
