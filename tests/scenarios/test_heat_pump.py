from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hidiff.scenarios.heat_pump import (
    cooling_cop,
    facade_sun,
    heat_channels,
    heat_demand,
    heating_cop,
    summary,
)
from hidiff.scenarios.heat_pump_houses import HeatPumpConfig, draw_houses
from hidiff.scenarios.stress import add_device, add_temperature

from .conftest import make_set

CONFIG = HeatPumpConfig()


def winter(step="30min", days=7, mean=8.0):
    count = days * round(pd.Timedelta("1D") / pd.Timedelta(step))
    time = pd.date_range("2030-07-01", periods=count, freq=step, tz="Australia/Sydney")
    hour = np.asarray(time.hour + time.minute / 60)
    return time, mean + 4 * np.sin((hour - 9) / 24 * 2 * np.pi)


def demand(step="30min", homes=6, config=CONFIG, mean=8.0, **choices):
    time, outdoor = winter(step, mean=mean)
    houses = draw_houses([f"h{i}" for i in range(homes)], config, 1)
    return heat_demand(
        houses, time=time, time_zone="Australia/Sydney", temperature_c=outdoor, config=config,
        sun_kw_m2=facade_sun(time, 0.7, config), **choices,
    )  # fmt: skip


def test_performance_falls_with_cold_when_heating_and_with_heat_when_cooling():
    outdoor = np.linspace(-25, 19, 90)
    for emitter in ("air", "floor", "radiator"):
        cop = heating_cop(outdoor, replace(CONFIG, emitter=emitter))
        assert (np.diff(cop) >= 0).all()
        assert (np.diff(cop) > 0).any()
        assert cop.min() > 0.8
    assert (np.diff(cooling_cop(np.linspace(28, 46, 50))) < 0).all()


def test_the_curve_is_when2heats_at_a_lift_of_thirty_kelvin():
    expected = 0.85 * (6.0801 - 0.0941 * 30 + 0.0005 * 900)
    assert heating_cop(5.0, replace(CONFIG, emitter="air")) == pytest.approx(expected)
    assert heating_cop(0.0, replace(CONFIG, emitter="floor")) == pytest.approx(expected)


def test_a_home_has_the_same_house_in_any_company():
    many = draw_houses(["a", "b", "c"], CONFIG, 3)
    pd.testing.assert_frame_equal(draw_houses(["c"], CONFIG, 3), many.loc[["c"]])
    assert not many.equals(draw_houses(["a", "b", "c"], CONFIG, 4))
    assert many["floor_m2"].nunique() == 3


def test_a_colder_week_takes_more_electricity_and_a_mild_one_little():
    cold, mild = (float(demand(mean=mean).heat_kw.mean()) for mean in (3.0, 16.0))
    assert cold > 4 * mild
    assert demand(mean=3.0).heat_kw.min() >= 0


def test_energy_agrees_across_step_lengths():
    mean = [float(demand(step).heating_kw.mean()) for step in ("60min", "30min", "15min", "5min")]
    assert mean == pytest.approx([mean[-1]] * 4, rel=0.05)


def test_electricity_is_heat_over_performance_plus_backup():
    _, outdoor = winter(mean=-4.0)
    config = replace(CONFIG, backup_kw=2.0, sizing=(0.5, 0.6))
    found = demand(mean=-4.0, config=config)
    assert found.backup_kw.max() > 0.5
    expected = (found.heating_kw - found.backup_kw) / heating_cop(outdoor, config) + found.backup_kw
    np.testing.assert_allclose(found.heat_kw, expected, atol=1e-5)
    assert (
        found.indoor_c.mean() > demand(mean=-4.0, config=replace(config, backup_kw=0.0)).indoor_c.mean() + 0.5
    )


def test_cooling_is_on_request_and_keeps_hot_homes_cooler():
    cooled, hot = demand(mean=32.0), demand(mean=32.0, config=replace(CONFIG, is_cooling=False))
    assert cooled.cooling_kw.sum() > 0
    assert hot.heat_kw.sum() == 0
    assert cooled.indoor_c.max() < hot.indoor_c.max() - 2


def test_other_load_heats_too():
    idle = np.zeros((6, 336))
    assert demand(load_kw=idle + 1.0).heat_kw.mean() < 0.9 * demand(load_kw=idle).heat_kw.mean()


def test_channels_of_a_set_are_lazy_and_the_same_for_a_subset():
    base = make_set(scenarios=2, homes=4, days=3, start="2030-07-01")
    full = add_temperature(base, np.stack([np.full(144, 6.0), np.full(144, 12.0)]))
    heated = full.with_channels(heat_channels(full, seed=5))
    assert heated["heat_kw"].shape == (2, 4, 144)
    assert heated["heat_kw"][0].mean() > heated["heat_kw"][1].mean()
    part = full.select(homes=[2, 0], scenarios=[1])
    np.testing.assert_allclose(
        part.with_channels(heat_channels(part, seed=5))["heat_kw"][0], heated["heat_kw"][1][[2, 0]], atol=1e-6
    )
    some = add_device(full, "heat_pump", heat_channels(full, seed=5), share=0.5, seed=1)
    has = some.homes["has_heat_pump"].to_numpy()
    assert 0 < has.sum() < 4
    assert (some["heat_kw"][:, ~has] == 0).all()
    np.testing.assert_array_equal(some["heat_kw"][:, has], heated["heat_kw"][:, has])


def test_a_year_is_summed_to_figures():
    found = demand()
    figures = summary(found, draw_houses([f"h{i}" for i in range(6)], CONFIG, 1), 0.5)
    assert figures["annual_kwh"] == pytest.approx(found.heat_kw.mean() * 8760, rel=1e-5)
    assert figures["after_diversity_peak_kw"] <= figures["peak_kw"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"floor_m2": (0.0, 10.0)}, "above 0"),
        ({"heating_set_c": (18.0, 25.0)}, "part them"),
        ({"efficiency": float("nan")}, "outside"),
        ({"emitter": "stove"}, "use air, floor or radiator"),
        ({"solar_gain": (0.2, 1.2)}, "within 0..1"),
        ({"backup_kw": -1.0}, "at least 0"),
        ({"design_outdoor_c": 19.0}, "not below"),
    ],
)
def test_a_config_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)


def test_a_set_without_temperature_and_temperatures_with_gaps_are_refused():
    with pytest.raises(ValueError, match="no temperature_c"):
        heat_channels(make_set(), seed=1)
    with pytest.raises(ValueError, match="not finite"):
        demand(load_kw=np.full((6, 336), np.nan))
    with pytest.raises(ValueError, match="shape"):
        demand(load_kw=np.zeros((6, 3)))
