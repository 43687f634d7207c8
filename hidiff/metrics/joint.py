"""Whether a classifier can tell single days of two sides apart, load and PV seen together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.errors import DependencyMissing

Floats = NDArray[np.floating]
Array = NDArray[np.float64]

ROUNDING_KW = 0.05
"""Both sides are rounded to this: meters count in steps, and a classifier would see nothing else."""


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
    steps_per_hour = round(1 / dt_h)
    if abs(steps_per_hour * dt_h - 1) > 1e-9:
        raise ValueError(f"dt_h={dt_h} does not divide an hour; resample to 60 minutes or a part of it")
    dates = clock.tz_localize(None).normalize()
    first = np.flatnonzero(np.r_[True, dates[1:] != dates[:-1]])
    steps = 24 * steps_per_hour
    starts = first[np.diff(np.r_[first, len(clock)]) == steps]
    if not len(starts):
        raise ValueError("there is no whole day of 24 hours; give at least one")
    index = starts[:, None] + np.arange(steps)
    load, pv = (
        np.round(p[:, index].astype(np.float64) / ROUNDING_KW) * ROUNDING_KW for p in (load_kw, pv_kw)
    )
    hourly = [p.reshape(*p.shape[:2], 24, steps_per_hour).mean(axis=3) for p in (load, pv)]
    extremes = []
    for power in (load, load - pv):
        extremes += [power.max(axis=2), power.min(axis=2), np.abs(np.diff(power, axis=2)).max(axis=2)]
    return np.concatenate([*hourly, np.stack(extremes, axis=2)], axis=2)


def classifier_auroc(
    features_a: Array,
    features_b: Array,
    homes_a: list[str],
    homes_b: list[str],
    rng: np.random.Generator,
    *,
    max_days: int = 3000,
    folds: int = 5,
) -> float:
    """Area under the ROC curve of a classifier telling days of ``a`` from days of ``b``; 0.5 is perfect.

    Classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545) with gradient-boosted trees
    and grouped cross-validation: all days of a home, on both sides if it is on both, are in one fold, so the
    trees cannot recognise homes. Mean over the folds. With few homes, none on both sides, equal populations
    score below a half: what the trees learn of the homes left in is wrong for those left out.

    Args:
        features_a: ``(home, day, feature)``.
        features_b: ``(home, day, feature)``.
        homes_a: name of the home (or of the real home behind it), ``(home,)``.
        homes_b: the same of ``b``.
        rng: draws at most ``max_days`` days a side, and the folds.
        max_days: bounds the time it takes.
        folds: parts of the cross-validation; at least 2, at most the homes of a side.
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
    x, groups, labels = [], [], []
    for label, features, homes in ((1, features_a, homes_a), (0, features_b, homes_b)):
        if len(homes) != len(features):
            raise ValueError(f"{len(homes)} names for {len(features)} homes of features")
        flat = features.reshape(-1, features.shape[2])
        names = np.repeat(np.array(homes), features.shape[1])
        chosen = rng.permutation(len(flat))[:max_days]
        x.append(flat[chosen])
        groups.append(names[chosen])
        labels.append(np.full(len(chosen), label))
    x_all, group, y = np.concatenate(x), np.concatenate(groups), np.concatenate(labels)
    split = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=int(rng.integers(2**31)))
    areas = []
    for train, test in split.split(x_all, y, group):
        if len(np.unique(y[train])) < 2 or len(np.unique(y[test])) < 2:
            continue  # a fold that holds one side only says nothing
        trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=0)
        # on a busy machine threads wait for one another far longer than they work
        with threadpool_limits(limits=1):
            trees.fit(x_all[train], y[train])
            chance = trees.predict_proba(x_all[test])[:, 1]
        areas.append(roc_auc_score(y[test], chance))
    if not areas:
        raise ValueError("no fold holds days of both sides; give more homes")
    return float(np.mean(areas))
