"""Made-up homes are plausible, keyed by name, and physically valid."""

import numpy as np
import pytest

from hidiff.data.synthetic import synthetic_homes
from hidiff.data.validate import validate


def test_a_home_does_not_depend_on_how_many_are_asked_for() -> None:
    few, many = synthetic_homes(2, 30, seed=3), synthetic_homes(5, 30, seed=3)
    np.testing.assert_array_equal(few.load_kw, many.load_kw[:2])
    np.testing.assert_array_equal(few.pv_kw, many.pv_kw[:2])
    assert not np.array_equal(few.load_kw, synthetic_homes(2, 30, seed=4).load_kw)


def test_homes_pass_validation_and_have_plausible_energy() -> None:
    traces = synthetic_homes(20, 365)
    assert traces.load_kw.shape == (20, 17520)
    assert validate(traces).is_clean
    assert 3000 < traces.load_kwh.mean() < 10000
    per_kwp = traces.pv_kwh / traces.homes["pv_capacity_kwp"].to_numpy()
    assert ((per_kwp > 900) & (per_kwp < 1700)).all()


def test_neighbours_share_their_clouds_but_not_their_evenings() -> None:
    traces = synthetic_homes(10, 120, start="2012-04-08")
    days = (10, 120, 48)
    pv = np.corrcoef(traces.pv_kw.reshape(days).sum(2) / traces.homes["pv_capacity_kwp"].to_numpy()[:, None])
    load = np.corrcoef(traces.load_kw.reshape(days).sum(2))
    off_diagonal = ~np.eye(10, dtype=bool)
    assert pv[off_diagonal].min() > 0.9
    assert load[off_diagonal].mean() < 0.6


def test_days_are_local_and_clock_changes_keep_the_step() -> None:
    traces = synthetic_homes(1, 2, start="2012-10-06")
    assert traces.load_kw.shape == (1, 94)
    with pytest.raises(ValueError, match="homes=0"):
        synthetic_homes(0, 2)
