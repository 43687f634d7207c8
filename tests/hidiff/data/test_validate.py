"""Validation finds what was put in, and nothing in clean homes."""

import numpy as np
import pytest

from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.data.validate import validate


def spoiled(edit) -> Traces:
    traces = synthetic_homes(2, 10)
    load_kw, pv_kw = traces.load_kw.copy(), traces.pv_kw.copy()
    homes = traces.homes.copy()
    edit(load_kw, pv_kw, homes)
    return Traces(load_kw, pv_kw, traces.time, homes, traces.time_zone)


def put(array, where, value) -> None:
    array[where] = value


@pytest.mark.parametrize(
    ("kind", "count", "edit"),
    [
        ("NaN in load", 3, lambda load, pv, homes: put(load, np.s_[1, 4:7], np.nan)),
        ("NaN in PV", 1, lambda load, pv, homes: put(pv, np.s_[0, 4], np.nan)),
        ("infinite", 1, lambda load, pv, homes: put(load, np.s_[0, 4], np.inf)),
        ("negative load", 2, lambda load, pv, homes: put(load, np.s_[:, 9], -0.1)),
        ("negative PV", 1, lambda load, pv, homes: put(pv, np.s_[1, 9], -0.1)),
        ("PV at night", 2, lambda load, pv, homes: put(pv, np.s_[1, 2:4], 0.01)),
        ("PV above capacity", 1, lambda load, pv, homes: put(pv, np.s_[1, 24], 20.0)),
        ("implausible power", 1, lambda load, pv, homes: put(load, np.s_[1, 24], 31.0)),
        ("day without load", 1, lambda load, pv, homes: put(load, np.s_[1, 48:96], 0.0)),
        ("flat load", 1, lambda load, pv, homes: put(load, np.s_[1, 50:100], 0.3)),
        ("unknown PV capacity", 2, lambda load, pv, homes: put(homes, "pv_capacity_kwp", np.nan)),
    ],
)
def test_each_fault_is_counted_with_its_first_place(kind, count, edit) -> None:
    report = validate(spoiled(edit))
    assert report.count(kind) == count
    assert "home 'synthetic-0000" in str(report)
    assert not report.is_clean
    errors = ("NaN", "infinite", "negative")
    assert report.has_errors == kind.startswith(errors)


def test_clean_homes_have_no_findings() -> None:
    report = validate(spoiled(lambda load, pv, homes: None))
    assert report.is_clean
    assert "nothing found" in str(report)


def test_pv_rounded_to_float32_at_capacity_is_not_above_it() -> None:
    def edit(load, pv, homes) -> None:
        pv[0, 24] = np.float32(homes["pv_capacity_kwp"].iloc[0]) * np.float32(1 + 1e-7)

    assert validate(spoiled(edit)).count("PV above capacity") == 0
