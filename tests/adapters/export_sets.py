"""A small set with everything that an export may carry: PV, a car, a heat pump, weather, prices, unequal chances."""

import numpy as np
import pandas as pd

from hidiff.scenarios import ScenarioSet, scenario_table


def make_export_set(
    scenarios: int = 3, homes: int = 3, days: int = 2, start: str = "2030-01-07", step: str = "30min",
    zone: str = "Australia/Sydney", channels: tuple[str, ...] = (),
) -> ScenarioSet:  # fmt: skip
    """Home ``h0`` has PV and a car, ``h1`` PV and a heat pump, ``h2`` neither.

    Args:
        channels: the ones to keep; all by default.
    """
    rng = np.random.default_rng(5)
    per_day = round(pd.Timedelta("1D") / pd.Timedelta(step))
    hour = np.arange(per_day * days) % per_day / per_day * 24
    shape = (scenarios, homes, len(hour))
    capacity_kwp = np.zeros(homes)
    capacity_kwp[:2] = [4.0, 2.5][:homes]
    is_home, need_kwh, car_kw, heat_kw = np.zeros((4, *shape))
    is_home[:, 0] = (hour < 8) | (hour >= 18)
    need_kwh[:, 0, hour == 18] = rng.uniform(5, 9, (scenarios, days))
    car_kw[:, 0, (hour >= 18) & (hour < 20)] = 3.5
    if homes > 1:
        heat_kw[:, 1] = 1.5 * rng.random((scenarios, len(hour)))
    arrays = {
        "load_kw": rng.gamma(2, 0.3, shape),
        "pv_kw": rng.random(shape) * np.clip(np.sin((hour / 24 - 0.25) * 2 * np.pi), 0, None) * capacity_kwp[:, None],
        "ev_kw": car_kw, "ev_is_home": is_home, "ev_need_kwh": need_kwh, "heat_kw": heat_kw,
        "temperature_c": 15 + 5 * rng.random(shape[::2]),
        "import_price_per_kwh": 0.2 + 0.1 * rng.random(shape[::2]),
        "export_price_per_kwh": 0.05 + 0.05 * rng.random(shape[::2]),
    }  # fmt: skip
    weights = np.arange(1.0, scenarios + 1)
    names = pd.Index([f"h{number}" for number in range(homes)], name="home", dtype=object)
    return ScenarioSet.from_arrays(
        {name: arrays[name] for name in channels or arrays},
        time=pd.date_range(start, periods=len(hour), freq=step, tz=zone),
        homes=pd.DataFrame({"pv_capacity_kwp": capacity_kwp}, index=names),
        scenarios=scenario_table(scenarios, weights / weights.sum()),
        time_zone=zone,
        provenance={"seed": 5},
    )
