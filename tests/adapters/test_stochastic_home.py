import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hidiff.adapters.home_optimum import optimise_home
from hidiff.adapters.stochastic import FirstStage, Risk, SecondStage, two_stage
from hidiff.adapters.stochastic_home import (
    buy_ahead,
    home_scenarios,
    plan_ahead,
    plan_on_tree,
    scenarios_of_set,
)
from hidiff.adapters.stochastic_solve import solve_stochastic
from hidiff.adapters.stochastic_value import stochastic_value
from hidiff.home import Appliance, Battery, DemandCharge, Home, HotWaterTank, Tariff
from hidiff.scenarios.tree import Tree, build_tree, fan_tree, tree_of_groups

from .export_sets import make_export_set

STEPS = 24
TIME = pd.date_range("2030-01-07", periods=STEPS, freq="1h", tz="Australia/Sydney")


def series(count=6, seed=0):
    rng = np.random.default_rng(seed)
    hour = np.arange(STEPS)
    load_kw = rng.gamma(2, 0.4, (count, STEPS)) + (hour >= 17) * rng.uniform(0, 2, (count, 1))
    pv_kw = rng.uniform(0, 5, (count, 1)) * np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None)
    return {"load_kw": load_kw, "pv_kw": pv_kw}


def home(**changes):
    return Home(**{"battery": Battery(capacity_kwh=8.0), "tariff": Tariff.time_of_use(), **changes})


@pytest.mark.parametrize(
    "devices",
    [
        {},
        {"import_limit_kw": 6.0, "export_limit_kw": 2.0},
        {"tariff": Tariff(periods=Tariff.time_of_use().periods, demand=(DemandCharge(price_per_kw=3.0),))},
        {"tank": HotWaterTank()},
    ],
)
def test_one_scenario_is_the_deterministic_optimum(devices):
    own, given = home(**devices), series(1)
    extra = {"hot_water_kw": np.full(STEPS, 0.3)} if "tank" in devices else {}
    scenarios = home_scenarios(own, {**given, **extra}, TIME)
    known = optimise_home(own, given["load_kw"][0], given["pv_kw"][0], TIME, exogenous=extra)
    assert plan_ahead(scenarios).solution.objective == pytest.approx(known.objective, rel=1e-9)


def test_a_plan_is_one_for_all_and_import_follows_each():
    plan = plan_ahead(home_scenarios(home(), series(), TIME))
    np.testing.assert_array_equal(plan.battery_kw, np.tile(plan.battery_kw[0], (6, 1)))
    flows = plan.flows
    assert np.ptp(flows["import_kw"], axis=0).max() > 0.1
    given = series()
    balance = flows["import_kw"] + flows["pv_used_kw"] - flows["export_kw"] - plan.battery_kw
    np.testing.assert_allclose(balance, given["load_kw"], atol=1e-6)


def test_a_plan_for_all_beats_the_plan_for_the_mean_on_what_it_was_made_for():
    scenarios = home_scenarios(home(), series(), TIME)
    mean = {name: values.mean(0, keepdims=True) for name, values in series().items()}
    plan, plan_of_mean = plan_ahead(scenarios), plan_ahead(home_scenarios(home(), mean, TIME))
    assert plan.costs(scenarios).mean() == pytest.approx(plan.solution.expected, rel=1e-7)
    assert plan_of_mean.costs(scenarios).mean() > plan.solution.expected + 1e-3
    value = stochastic_value(plan.question.programme)
    assert value.stochastic == pytest.approx(plan.solution.expected, rel=1e-7)
    assert value.vss > 1e-3  # of which of several best plans for the mean, the solver chooses


def test_a_careful_plan_has_the_better_bad_days():
    scenarios = home_scenarios(home(), series(12), TIME)
    plain, careful = plan_ahead(scenarios), plan_ahead(scenarios, risk=Risk(cvar_weight=1, cvar_level=0.75))
    level = np.sort(plain.solution.costs)[-3:].mean()
    assert np.sort(careful.solution.costs)[-3:].mean() < level - 1e-4
    assert careful.solution.expected >= plain.solution.expected - 1e-9


def test_devices_that_follow_what_comes_cost_no_more_than_a_plan_for_them():
    scenarios = home_scenarios(
        home(tank=HotWaterTank()), {**series(), "hot_water_kw": np.full(STEPS, 0.3)}, TIME
    )
    loose, tight = plan_ahead(scenarios), plan_ahead(scenarios, devices=("battery", "tank"))
    assert np.ptp(tight.flows["tank_kw"], axis=0).max() < 1e-9
    assert loose.solution.objective <= tight.solution.objective + 1e-9


def test_a_purchase_without_penalty_and_at_the_spot_price_is_worth_nothing_and_with_one_it_costs():
    spot = 0.2 + 0.1 * np.sin(np.arange(STEPS))
    given = {**series(), "import_price": spot, "export_price": spot}
    scenarios = home_scenarios(home(), given, TIME)
    seen = [
        optimise_home(home(), *(values[row] for values in series().values()), TIME,
                      exogenous={"import_price": spot, "export_price": spot}).objective
        for row in range(6)
    ]  # fmt: skip
    free = buy_ahead(scenarios, spot, penalty_per_kwh=0.0)
    assert free.solution.expected == pytest.approx(np.mean(seen), rel=1e-7)
    dear = buy_ahead(scenarios, spot, penalty_per_kwh=0.1)
    assert dear.solution.expected > free.solution.expected + 0.01
    flows = dear.flows
    net = flows["purchase_kw"] + flows["missing_kw"] - flows["left_kw"]
    np.testing.assert_allclose(net, flows["import_kw"] - flows["export_kw"], atol=1e-6)
    np.testing.assert_allclose(flows["purchase_kw"], np.tile(flows["purchase_kw"][0], (6, 1)))


def test_known_ahead_a_purchase_meets_all_and_pays_the_price_ahead():
    one = home_scenarios(home(battery=None), series(1), TIME)
    bought = buy_ahead(one, np.full(STEPS, 0.15))
    net = series(1)["load_kw"] - series(1)["pv_kw"]
    daily = one.problems[0].home.tariff.daily_charge
    assert bought.solution.objective == pytest.approx(0.15 * net.sum() + daily, rel=1e-7)


def test_a_tree_of_one_branch_is_the_deterministic_optimum():
    given = series(1)
    fan = np.stack([given["load_kw"], given["pv_kw"]], axis=-1)
    plan = plan_on_tree(fan_tree(fan, None, [0, 8, 16]), home(), TIME)
    known = optimise_home(home(), given["load_kw"][0], given["pv_kw"][0], TIME)
    assert plan.solution.objective == pytest.approx(known.objective, rel=1e-9)


def shared_start(count=5):
    given = series(count)
    return {name: np.where(np.arange(STEPS) < 10, values[0], values) for name, values in given.items()}


def test_a_fan_is_the_two_stage_programme():
    given = shared_start()
    fan = np.stack([given["load_kw"], given["pv_kw"]], axis=-1)
    plan = plan_on_tree(fan_tree(fan, None, [0, 10]), home(), TIME)
    free = plan_ahead(home_scenarios(home(), given, TIME)).question  # the same columns and rows, by scenario
    step = np.zeros(len(free.programme.column_stage), int)
    for places in free.columns.values():
        step[places] = np.arange(STEPS)
    early = np.flatnonzero(step < 10)
    late = np.flatnonzero(step >= 10)
    wide = free.programme
    matrix = sparse.csc_matrix(wide.matrix(0))
    by_blocks = two_stage(
        FirstStage(cost=wide.cost[0, early], lower=wide.lower[0, early], upper=wide.upper[0, early]),
        SecondStage(
            technology=matrix[:, early], recourse=matrix[:, late], cost=wide.cost[:, late],
            lower=wide.lower[:, late], upper=wide.upper[:, late], row_lower=wide.row_lower,
            row_upper=wide.row_upper,
        ),
        wide.probability,
    )  # fmt: skip
    expected = solve_stochastic(by_blocks).objective + float(wide.probability @ wide.constant)
    assert plan.solution.objective == pytest.approx(expected, rel=1e-9)
    assert np.ptp(plan.battery_kw[:, :10], axis=0).max() == 0
    assert np.ptp(plan.battery_kw[:, 10:], axis=0).max() > 0.1


def test_who_learns_later_pays_more():
    given = shared_start(8)
    fan = np.stack(list(given.values()), axis=-1)
    early = plan_on_tree(fan_tree(fan, None, [0, 10]), home(), TIME).solution.objective
    again = plan_on_tree(fan_tree(fan, None, [0, 10, 17]), home(), TIME).solution.objective
    late_given = {name: np.where(np.arange(STEPS) < 17, values[0], values) for name, values in given.items()}
    late_fan = np.stack(list(late_given.values()), axis=-1)
    large = home(
        battery=Battery(capacity_kwh=30.0, soc_initial=0.0)
    )  # how much to charge depends on the evening
    late = plan_on_tree(fan_tree(late_fan, None, [0, 10, 17]), large, TIME).solution.objective
    told = plan_on_tree(told_at(late_fan, 10), large, TIME).solution.objective
    assert early == pytest.approx(again, rel=1e-9)  # nothing is left to learn at the later stage
    assert told < late - 1e-4


def told_at(fan: np.ndarray, step: int) -> Tree:
    """A tree that knows the scenario from ``step`` on, even where values do not differ yet."""
    every = np.arange(len(fan))
    return tree_of_groups(fan, np.full(len(fan), 1 / len(fan)), [0, step, STEPS], [0 * every, every])


def test_decisions_at_a_node_are_those_of_all_leaves_behind_it():
    fan = np.stack(list(series(9).values()), axis=-1)
    tree = build_tree(fan, None, [0, 8, 16], [1, 3, 9])
    plan = plan_on_tree(tree, home(), TIME)
    nodes = tree.paths()
    for stage, steps in enumerate((slice(0, 8), slice(8, 16), slice(16, 24))):
        for node in np.unique(nodes[stage]):
            assert np.ptp(plan.battery_kw[nodes[stage] == node, steps], axis=0).max() == 0


def test_a_set_of_scenarios_gives_load_with_car_and_heat_pump_and_its_own_prices():
    scenario_set = make_export_set(scenarios=3, days=1)
    scenarios = scenarios_of_set(scenario_set, Home(), "h0")
    np.testing.assert_allclose(scenarios.probability, scenario_set.probability)
    parts = scenario_set["load_kw"] + scenario_set["ev_kw"] + scenario_set["heat_kw"]
    for row, problem in enumerate(scenarios.problems):
        np.testing.assert_allclose(problem.exogenous["load_kw"], parts[row, 0], rtol=1e-6)
        np.testing.assert_allclose(
            problem.prices.import_price, scenario_set["import_price_per_kwh"][row], rtol=1e-6
        )
    assert plan_ahead(scenarios).solution.is_optimal


def test_what_the_plan_cannot_carry_is_refused():
    given = series(2)
    with pytest.raises(ValueError, match="the set has 3 homes"):
        scenarios_of_set(make_export_set(), Home())
    with pytest.raises(ValueError, match="home has appliances"):
        home_scenarios(
            home(appliances=(Appliance(name="washer"),)),
            {**given, "appliance_request": np.zeros((STEPS, 1))},
            TIME,
        )
    with pytest.raises(ValueError, match="this home has battery"):
        plan_ahead(home_scenarios(home(), given, TIME), devices=("car",))
    with pytest.raises(ValueError, match=r"scenario 's0' has import_price -0\.1000"):
        home_scenarios(home(), {**given, "import_price": np.full(STEPS, -0.1)}, TIME)
    with pytest.raises(ValueError, match="give the same number"):
        home_scenarios(home(), {**given, "pv_kw": given["pv_kw"][:1]}, TIME)
    with pytest.raises(ValueError, match="day_ahead_price has shape"):
        buy_ahead(home_scenarios(home(), given, TIME), np.ones(3))
    with pytest.raises(ValueError, match="PV that may not be curtailed behind export_limit_kw"):
        home_scenarios(home(pv_curtailable=False, export_limit_kw=1.0), given, TIME)
