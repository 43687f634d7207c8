"""Two small homes for the environment's tests."""

import numpy as np
import pandas as pd
import pytest

from hidiff.data.traces import Traces


@pytest.fixture(scope="session")
def traces() -> Traces:
    """Two homes, ten days of half-hours; home ``b`` has a gap on its third day."""
    random = np.random.default_rng(1)
    first = pd.Timestamp("2030-01-01", tz="Australia/Sydney").tz_convert("UTC")
    time = pd.date_range(first, periods=480, freq="30min")
    hour = np.arange(480) / 2 % 24
    load_kw = random.gamma(1.5, 0.6, (2, 480))
    pv_kw = np.maximum(np.sin((hour - 6) / 12 * np.pi), 0) * random.uniform(0, 4, (2, 480))
    load_kw[1, 100] = np.nan
    homes = pd.DataFrame({"pv_capacity_kwp": [4.0, 2.0]}, index=pd.Index(["a", "b"], name="home"))
    return Traces(load_kw, pv_kw, time, homes)
