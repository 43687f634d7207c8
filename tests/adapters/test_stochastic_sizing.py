from dataclasses import replace

import numpy as np
import pytest

from hidiff.adapters.stochastic_sizing import (
    SizingCosts,
    SizingScenarios,
    annuity,
    size_home,
    sized_costs,
    sizing_scenarios,
)
from hidiff.home import Battery, Home, Tariff

from .export_sets import make_export_set

HOURS = 72


def years(count=3, seed=0):
    rng = np.random.default_rng(seed)
    hour = np.arange(HOURS) % 24
    return SizingScenarios(
        load_kw=rng.gamma(2, 0.4, (count, HOURS)) + (hour >= 17),
        pv_per_kwp=rng.uniform(0.4, 1, (count, HOURS)) * np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None),
        import_price=np.full((count, HOURS), 0.4),
        export_price=np.full((count, HOURS), 0.05),
        probability=np.full(count, 1 / count),
        dt_h=1.0,
        daily_charge=1.0,
    )


def test_no_size_nearby_is_cheaper():
    costs = SizingCosts(pv_cost_per_kwp=6000.0)
    found = size_home(years(), Home(), costs)
    assert 0.5 < found.pv_kwp < 14 and 0.5 < found.battery_kwh < 39
    again = sized_costs(years(), Home(), found.pv_kwp, found.battery_kwh, costs)
    assert again.mean() == pytest.approx(found.yearly_cost, rel=1e-6)
    for pv, battery in ((0.9, 1), (1.1, 1), (1, 0.9), (1, 1.1)):
        other = sized_costs(years(), Home(), pv * found.pv_kwp, battery * found.battery_kwh, costs).mean()
        assert other >= found.yearly_cost - 1e-6


def test_without_pv_and_battery_the_year_is_bought():
    costs = SizingCosts(pv_cost_per_kwp=1e6, battery_cost_per_kwh=1e6)
    found = size_home(years(), Home(), costs)
    assert (found.pv_kwp, found.battery_kwh) == pytest.approx((0, 0), abs=1e-6)
    mean_kw = years().load_kw.mean()
    assert found.yearly_cost == pytest.approx(0.4 * mean_kw * 8766 + 8766 / 24, rel=1e-6)


def test_free_pv_fills_the_roof_and_a_free_battery_only_helps():
    costs = SizingCosts(pv_cost_per_kwp=0.0, pv_max_kwp=7.0, battery_cost_per_kwh=1e6)
    alone = size_home(years(), Home(), costs)
    assert alone.pv_kwp == pytest.approx(7.0, rel=1e-6)
    both = size_home(years(), Home(), replace(costs, battery_cost_per_kwh=0.0))
    assert both.yearly_cost < alone.yearly_cost - 1


def test_a_battery_that_loses_more_is_bought_smaller_or_costs_more():
    good = size_home(years(), Home())
    poor = size_home(years(), Home(battery=Battery(efficiency_charge=0.7)))
    assert poor.yearly_cost > good.yearly_cost


def test_an_annuity_repays_the_loan():
    left = 1.0
    for _ in range(10):
        left = left * 1.05 - annuity(0.05, 10)
    assert left == pytest.approx(0, abs=1e-12)
    assert annuity(0.0, 10) == 0.1


def test_a_set_of_years_brings_the_profile_of_a_kwp_and_the_tariffs_prices():
    scenario_set = make_export_set(scenarios=3, days=2)
    found = sizing_scenarios(scenario_set, Home(tariff=Tariff.time_of_use()), "h0")
    np.testing.assert_allclose(found.pv_per_kwp * 4.0, scenario_set["pv_kw"][:, 0], rtol=1e-6)
    assert np.unique(found.import_price).size > 1
    assert size_home(found, Home()).solution.is_optimal


def test_what_cannot_be_sized_is_refused():
    with pytest.raises(ValueError, match=r"'h2' has 0\.0 kWp"):
        sizing_scenarios(make_export_set(), Home(), "h2")
    with pytest.raises(ValueError, match="the home has no battery"):
        size_home(years(), Home(battery=None))
    with pytest.raises(ValueError, match="losses that are not linear"):
        size_home(years(), Home(battery=Battery(loss_per_kw=0.01)))
    with pytest.raises(ValueError, match="load_kw is nan at scenario 1, step 3"):
        bad = years().load_kw.copy()
        bad[1, 3] = np.nan
        replace(years(), load_kw=bad)
    with pytest.raises(ValueError, match="export_price is above import_price"):
        replace(years(), export_price=np.full((3, HOURS), 0.5))
    with pytest.raises(ValueError, match="demand"):
        sizing_scenarios(make_export_set(), Home(tariff=Tariff.with_demand()), "h0")
    with pytest.raises(ValueError, match="battery_life_years is 0"):
        SizingCosts(battery_life_years=0)
