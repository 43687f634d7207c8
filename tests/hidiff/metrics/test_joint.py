"""The classifier test: blind to equal sides and to homes, sharp on what is different."""

import sys

import numpy as np
import pandas as pd
import pytest

from hidiff.errors import DependencyMissing
from hidiff.metrics import joint

CLOCK = pd.date_range("2012-09-20", periods=48 * 40, freq="30min", tz="Australia/Sydney")


def homes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Load of homes with levels of their own, and PV, (home, step) [kW]."""
    rng = np.random.default_rng(seed)
    hour = np.asarray(CLOCK.hour)
    load_kw = rng.uniform(0.3, 2, (count, 1)) * rng.gamma(3, 0.3, (count, len(CLOCK)))
    pv_kw = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * rng.uniform(0.2, 1, (count, len(CLOCK)))
    return load_kw, pv_kw


def features(load_kw: np.ndarray, pv_kw: np.ndarray) -> np.ndarray:
    return joint.day_features(load_kw, pv_kw, CLOCK, 0.5)


def test_day_features_leave_out_the_clock_change_and_hold_hours_and_extremes() -> None:
    load_kw = np.where(np.asarray(CLOCK.hour) == 18, 2.01, 0.52)[None, :]
    days = features(load_kw, np.zeros_like(load_kw))
    assert days.shape == (1, 39, 54)  # 40 x 24 h from midnight end at 01:00 of a 41st date; one date has 23 h
    assert days[0, 0, 18] == pytest.approx(2.0)
    assert days[0, 0, 48:51] == pytest.approx([2.0, 0.5, 1.5])


def test_equal_populations_cannot_be_told_apart() -> None:
    pytest.importorskip("sklearn")
    a, b = features(*homes(10, 0)), features(*homes(10, 1))
    names_a, names_b = [f"a{i}" for i in range(10)], [f"b{i}" for i in range(10)]
    area = joint.classifier_auroc(a, b, names_a, names_b, np.random.default_rng(0))
    assert area < 0.6  # few homes make it fall below a half, see the docstring


def test_the_meters_step_is_no_difference_but_the_scale_is() -> None:
    pytest.importorskip("sklearn")
    load_kw, pv_kw = homes(10, 0)
    real = features(load_kw, pv_kw)
    names = [f"home{i}" for i in range(10)]
    quantised = features(np.round(load_kw, 2), np.round(pv_kw, 2))
    area = joint.classifier_auroc(quantised, real, names, names, np.random.default_rng(0))
    assert area == pytest.approx(0.5, abs=0.1)
    swapped = features(load_kw, np.roll(pv_kw, 6, axis=1))
    assert joint.classifier_auroc(swapped, real, names, names, np.random.default_rng(0)) > 0.95


def test_one_home_is_too_few_and_missing_scikit_learn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    one = features(*homes(1, 0))
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(DependencyMissing, match="scikit-learn"):
        joint.classifier_auroc(one, one, ["a"], ["b"], np.random.default_rng(0))
    monkeypatch.undo()
    pytest.importorskip("sklearn")
    with pytest.raises(ValueError, match="at least 2 homes"):
        joint.classifier_auroc(one, one, ["a"], ["b"], np.random.default_rng(0))
