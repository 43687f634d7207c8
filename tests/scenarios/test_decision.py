"""Decision error, the reduction that knows the study, and the day-ahead study itself."""

import numpy as np
import pytest
from scipy.optimize import linprog

from hidiff.scenarios.day_ahead_study import DayAheadStudy
from hidiff.scenarios.decision import decision_error, reduce_for_study
from hidiff.scenarios.reduce import reduce_scenarios


class Newsvendor:
    """Order q at 1, sell at 3 what is asked for: the best order is the upper third of demand."""

    def solve(self, scenarios, probability):
        order = np.argsort(scenarios[:, 0])
        share = np.cumsum(probability[order])
        return scenarios[order[np.searchsorted(share, 2 / 3 - 1e-12)], 0]

    def costs(self, decision, scenarios):
        return decision - 3 * np.minimum(decision, scenarios[:, 0])

    def evaluate(self, decision, scenarios, probability):
        return float(probability @ self.costs(decision, scenarios))


def study_and_scenarios(count=40, seed=0):
    rng = np.random.default_rng(seed)
    net = rng.normal(0.5, 1.0, (count, 6)).cumsum(axis=1) / 2
    spot = rng.gamma(2.0, 0.04, (count, 6))
    study = DayAheadStudy(day_ahead_price_per_kwh=spot.mean(axis=0), capacity_kwh=4.0, power_kw=2.0, dt_h=0.5)
    return study, np.concatenate([net, spot], axis=1)


def test_decision_error_is_the_loss_on_the_full_set():
    demand = np.array([[1.0], [2.0], [3.0]])
    reduction = reduce_scenarios(demand, None, 1)
    error = decision_error(Newsvendor(), demand, reduction)
    # kept: 2, ordered: 2; income 3 + 6 + 6 in thirds. Full: order 2 covers the upper third as well.
    assert error.full_cost == pytest.approx(-3) and error.reduced_cost == pytest.approx(-3)
    assert error.relative == pytest.approx(0)
    skewed = decision_error(Newsvendor(), demand, reduction, [0.1, 0.1, 0.8])
    assert skewed.full_cost == pytest.approx(3 - 3 * (0.1 + 0.2 + 2.4))
    assert skewed.relative == pytest.approx((2 - 3 * 1.9 + 5.1) / 5.1)


def test_keeping_every_scenario_has_no_decision_error():
    study, scenarios = study_and_scenarios(12)
    error = decision_error(study, scenarios, reduce_scenarios(scenarios, None, 12))
    assert error.relative == pytest.approx(0, abs=1e-6)


def test_no_decision_beats_the_full_optimum():
    study, scenarios = study_and_scenarios()
    for method in ("medoids", "forward", "backward", "moments", "random"):
        assert decision_error(study, scenarios, reduce_scenarios(scenarios, None, 4, method)).relative > -1e-6


def test_the_reduction_that_knows_the_study_is_no_worse_than_medoids_or_its_own_random_draws():
    study, scenarios = study_and_scenarios()
    chosen = reduce_for_study(study, scenarios, scenarios, None, 4, pilots=3, rounds=3)
    assert chosen.method == "study" and len(chosen) <= 4
    assert chosen.probability.sum() == pytest.approx(1, abs=1e-12)
    own = decision_error(study, scenarios, chosen).relative
    rivals = [reduce_scenarios(scenarios, None, 4, "random", seed=seed) for seed in range(3)]
    rivals.append(reduce_scenarios(scenarios, None, 4))
    losses = [decision_error(study, scenarios, rival).relative for rival in rivals]
    assert own <= min(losses) + 1e-6
    assert own < np.mean(losses)


def test_the_study_prices_a_decision_as_one_linear_programme_says():
    study, scenarios = study_and_scenarios(5)
    p = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    decision = study.solve(scenarios, p)
    assert (
        decision.shape == (6,)
        and (decision <= study.import_kw).all()
        and (decision >= -study.export_kw).all()
    )
    steps = 6
    second, lower, upper = study._recourse
    for row, cost in zip(scenarios, study.costs(decision, scenarios), strict=True):
        right = np.concatenate([row[:steps] - decision, study._storage_rows])
        prices = study._recourse_cost(row[None, steps:])[0]
        plan = linprog(prices, A_eq=second.tocsc(), b_eq=right, bounds=np.column_stack([lower, upper]))
        assert cost == pytest.approx(plan.fun + 0.5 * study.day_ahead_price_per_kwh @ decision, abs=1e-7)
    for move in (0.05, -0.05):  # the optimum cannot be bettered by moving one step's purchase
        for step in range(steps):
            other = decision.copy()
            other[step] += move
            assert study.evaluate(other, scenarios, p) >= study.evaluate(decision, scenarios, p) - 1e-7


def test_a_battery_without_losses_is_worth_what_it_moves():
    """One scenario, known: buy 1 kWh more at 0.1 and less at 0.3; the penalty of 0.1 leaves no other gain."""
    study = DayAheadStudy(
        day_ahead_price_per_kwh=np.array([0.1, 0.3]), dt_h=1.0, capacity_kwh=2.0, power_kw=1.0, efficiency=1.0
    )
    scenario = np.array([[2.0, 2.0, 0.1, 0.3]])
    decision = study.solve(scenario, np.ones(1))
    np.testing.assert_allclose(decision, [3, 1], atol=1e-6)
    assert study.evaluate(decision, scenario, np.ones(1)) == pytest.approx(0.6)


def test_scenarios_of_another_width_are_refused():
    study, scenarios = study_and_scenarios(3)
    with pytest.raises(ValueError, match=r"6 steps ask for \(scenario, 12\)"):
        study.costs(np.zeros(6), scenarios[:, :7])
    with pytest.raises(ValueError, match="the reduction is of 2"):
        decision_error(study, scenarios, reduce_scenarios(scenarios[:2], None, 1))
