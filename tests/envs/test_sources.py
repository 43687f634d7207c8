"""Windows are whole, and can be named."""

import numpy as np
import pytest

from hidiff.data.traces import Traces
from hidiff.envs.sources import TraceSource


def test_random_windows_start_at_local_midnight_and_avoid_gaps(traces: Traces) -> None:
    source = TraceSource(traces, 96)
    random = np.random.default_rng(0)
    drawn = {(window.home, window.first) for window in (source.draw(random) for _ in range(300))}
    assert drawn == {("a", 48 * day) for day in range(9)} | {("b", 48 * day) for day in (0, 3, 4, 5, 6, 7, 8)}


def test_a_named_start_is_read_on_the_local_clock(traces: Traces) -> None:
    window = TraceSource(traces, 96).draw(np.random.default_rng(0), home="b", start="2030-01-04 06:30")
    assert (window.home, window.first) == ("b", 3 * 48 + 13)
    only_a = TraceSource(traces, 96).draw(np.random.default_rng(0), start="2030-01-03")
    assert only_a.home == "a"


def test_a_window_that_cannot_be_had_is_refused(traces: Traces) -> None:
    source, random = TraceSource(traces, 96), np.random.default_rng(0)
    with pytest.raises(ValueError, match="unknown household 'c'"):
        source.draw(random, home="c")
    with pytest.raises(ValueError, match="missing values"):
        source.draw(random, home="b", start="2030-01-03")
    for start in ("2030-01-10", "2029-12-31", "2030-01-04 00:10"):
        with pytest.raises(ValueError, match="starts run from"):
            source.draw(random, start=start)
    with pytest.raises(ValueError, match="does not fit"):
        TraceSource(traces, 500)
