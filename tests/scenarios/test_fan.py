"""Fans as sets of scenarios."""

import numpy as np
import pandas as pd

from hidiff.diffusion.conditional import Fan
from hidiff.scenarios import from_fan


def test_a_fan_becomes_equally_likely_scenarios_of_its_homes() -> None:
    rng = np.random.default_rng(0)
    load, pv = rng.random((2, 7, 2, 48), dtype=np.float32)
    homes = pd.DataFrame({"pv_capacity_kwp": [1.0, 2.0]}, index=pd.Index(["a", "b"], name="home"))
    time = pd.date_range("2030-01-01", periods=48, freq="30min", tz="UTC")
    fan = Fan(
        load_kw=load, pv_kw=pv, weather=np.zeros((7, 1, 3), np.float32), time=time, homes=homes,
        time_zone="Australia/Sydney", provenance={"seed": 3},
    )  # fmt: skip
    made = from_fan(fan)
    assert made.shape == (7, 2, 48) and abs(made.probability.sum() - 1) < 1e-12
    assert np.array_equal(made["load_kw"], load)
    assert np.array_equal(made.read("pv_kw", scenario=6, homes=[1])[0], pv[6, 1])
    assert made.provenance["seed"] == 3 and list(made.homes["pv_capacity_kwp"]) == [1.0, 2.0]
