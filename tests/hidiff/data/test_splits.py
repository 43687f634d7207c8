"""Splits that cannot leak."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hidiff.data.splits import check_no_leak, split_dates, split_homes
from hidiff.data.synthetic import synthetic_homes


@given(
    st.lists(st.text(min_size=1), unique=True), st.lists(st.text(min_size=1), unique=True), st.integers(0, 99)
)
def test_adding_homes_never_moves_another(names: list[str], more: list[str], seed: int) -> None:
    kept, held_out = split_homes(names, 0.3, seed)
    assert sorted(kept + held_out) == sorted(names)
    more_kept, more_held_out = split_homes(list(dict.fromkeys(names + more)), 0.3, seed)
    assert set(kept) <= set(more_kept)
    assert set(held_out) <= set(more_held_out)


def test_the_share_is_met_on_average_and_the_seed_matters() -> None:
    names = [str(name) for name in range(5000)]
    assert len(split_homes(names, 0.2)[1]) == pytest.approx(1000, abs=120)
    assert split_homes(names, 0.2, 1) != split_homes(names, 0.2, 2)
    assert split_homes(names, 0.0)[1] == []
    assert split_homes(names, 1.0)[0] == []
    with pytest.raises(ValueError, match="share=nan"):
        split_homes(names, float("nan"))


def test_dates_split_on_the_local_clock_and_lose_nothing() -> None:
    traces = synthetic_homes(2, 10)
    before, after = split_dates(traces, "2012-07-04")
    assert before.load_kw.shape == (2, 3 * 48)
    np.testing.assert_array_equal(np.concatenate([before.load_kw, after.load_kw], axis=1), traces.load_kw)
    check_no_leak(before, after)
    with pytest.raises(ValueError, match="not inside"):
        split_dates(traces, "2013-01-01")


def test_a_shared_home_at_a_shared_time_is_a_leak() -> None:
    traces = synthetic_homes(3, 10)
    check_no_leak(traces.select(traces.names[:1]), traces.select(traces.names[1:]))
    late = traces.between("2012-07-05", "2012-07-09").select(traces.names[:1])
    with pytest.raises(ValueError, match=r"leak: 1 homes .*'synthetic-00000'"):
        check_no_leak(traces, late)
