"""A small set of scenarios that the tests of this folder share."""

import numpy as np
import pandas as pd
import pytest

from hidiff.scenarios import ScenarioSet, scenario_table


def make_set(
    scenarios: int = 4, homes: int = 3, days: int = 2, start: str = "2030-01-07", seed: int = 1
) -> ScenarioSet:
    rng = np.random.default_rng(seed)
    time = pd.date_range(start, periods=48 * days, freq="30min", tz="Australia/Sydney")
    shape = (scenarios, homes, len(time))
    weights = rng.random(scenarios) + 0.1
    table = scenario_table(scenarios, weights / weights.sum()).assign(year=range(2000, 2000 + scenarios))
    return ScenarioSet.from_arrays(
        {
            "load_kw": rng.gamma(2.0, 0.3, shape),
            "pv_kw": rng.gamma(2.0, 0.2, shape),
            "ev_need_kwh": rng.random(shape) * (rng.random(shape) < 0.05),
            "import_price_per_kwh": rng.normal(0.2, 0.1, shape[::2]),
        },
        time=time,
        homes=pd.DataFrame(
            {"pv_capacity_kwp": rng.random(homes), "source_home": [f"r{i // 2}" for i in range(homes)]},
            index=pd.Index([f"h{i}" for i in range(homes)], name="home", dtype=object),
        ),
        scenarios=table,
        provenance={"seed": seed},
    )


@pytest.fixture
def scenario_set() -> ScenarioSet:
    return make_set()


def assert_same(one: ScenarioSet, other: ScenarioSet) -> None:
    """Everything that the two sets hold is equal, bit by bit."""
    pd.testing.assert_frame_equal(one.scenarios, other.scenarios, check_exact=True)
    pd.testing.assert_frame_equal(one.homes, other.homes, check_exact=True)
    assert one.time.equals(other.time)
    assert (one.time_zone, dict(one.provenance)) == (other.time_zone, dict(other.provenance))
    assert list(one.channels) == list(other.channels)
    for name, channel in one.channels.items():
        twin = other.channels[name]
        assert (channel.unit, channel.kind, channel.has_homes) == (twin.unit, twin.kind, twin.has_homes)
        np.testing.assert_array_equal(one[name], other[name])
