import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from hidiff.adapters.stochastic import FirstStage, Risk, SecondStage, cvar, two_stage
from hidiff.adapters.stochastic_solve import decision_costs, extensive_form, solve_stochastic, wait_and_see
from hidiff.adapters.stochastic_value import mean_interval, out_of_sample, stochastic_value
from hidiff.errors import InfeasibleError, NotConverged

ACREAGE = [170.0, 80.0, 250.0]


def farmer(quota=6000.0):
    """Birge, Louveaux: wheat, corn, beets; bought wheat and corn; sold wheat, corn, beets within and above quota."""
    yields = np.array([[3.0, 3.6, 24.0], [2.5, 3.0, 20.0], [2.0, 2.4, 16.0]])
    return two_stage(
        FirstStage(cost=[150, 230, 260], matrix=[[1, 1, 1]], row_upper=500),
        SecondStage(
            technology=[np.diag(of_year) for of_year in yields],
            recourse=[[1, 0, -1, 0, 0, 0], [0, 1, 0, -1, 0, 0], [0, 0, 0, 0, -1, -1]],
            cost=[238, 210, -170, -150, -36, -10],
            row_lower=[200, 240, 0],
            upper=[np.inf, np.inf, np.inf, np.inf, quota, np.inf],
        ),
        np.full(3, 1 / 3),
        names=["good", "average", "bad"],
    )


def random_programme(seed, scenarios=4, first=3, second=3, rows=2):
    """Complete recourse: whatever is missing can be bought, so every decision fits."""
    rng = np.random.default_rng(seed)
    recourse = np.hstack([rng.normal(size=(rows, second)), np.eye(rows), -np.eye(rows)])
    weights = rng.uniform(0.2, 1, scenarios)
    return two_stage(
        FirstStage(cost=rng.normal(size=first), upper=rng.uniform(1, 3, first)),
        SecondStage(
            technology=[rng.normal(size=(rows, first)) for _ in range(scenarios)],
            recourse=recourse,
            cost=np.hstack([rng.uniform(0, 1, (scenarios, second)), np.full((scenarios, 2 * rows), 4.0)]),
            row_lower=rng.normal(size=(scenarios, rows)),
            row_upper=rng.normal(size=(scenarios, rows)) + 6,
            upper=5.0,
        ),
        weights / weights.sum(),
    )


def test_the_farmer_earns_108390_with_the_acreage_of_the_book():
    found = solve_stochastic(farmer())
    assert found.objective == pytest.approx(-108_390, abs=1e-6)
    np.testing.assert_allclose(found.first, ACREAGE, atol=1e-6)
    assert found.is_optimal and found.gap == 0


def test_the_farmer_values_information_and_foresight_as_in_the_book():
    value = stochastic_value(farmer())
    assert value.wait_and_see == pytest.approx(-115_405.56, abs=0.01)
    assert value.evpi == pytest.approx(7_015.56, abs=0.01)
    assert value.mean_decision == pytest.approx(-107_240, abs=1e-6)
    assert value.vss == pytest.approx(1_150, abs=1e-6)


@pytest.mark.parametrize("risk", [Risk(), Risk(cvar_weight=1, cvar_level=0.6), Risk(cvar_weight=0.3)])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_no_decision_nearby_is_better_by_the_measure_itself(risk, seed):
    programme = random_programme(seed)
    found = solve_stochastic(programme, risk=risk)
    again = decision_costs(programme, found.first)
    assert risk(again, programme.probability) <= found.objective + 1e-6
    rng = np.random.default_rng(seed)
    for _ in range(10):
        other = np.clip(found.first + rng.normal(size=3) * 0.2, 0, programme.upper[0, :3])
        assert risk(decision_costs(programme, other), programme.probability) >= found.objective - 1e-6


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_who_knows_more_pays_less(seed):
    value = stochastic_value(random_programme(seed))
    assert value.evpi >= -1e-7
    assert value.vss >= -1e-7


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_extensive_form_is_the_one_written_out_by_hand(seed):
    programme = random_programme(seed)
    count, first = len(programme), 3
    own = programme.cost.shape[1] - first
    blocks, low, high = [], [], []
    for row in range(count):
        dense = programme.matrix(row).toarray()
        wide = np.zeros((dense.shape[0], first + count * own))
        wide[:, :first] = dense[:, :first]
        wide[:, first + row * own : first + (row + 1) * own] = dense[:, first:]
        blocks.append(wide)
        low.append(programme.row_lower[row])
        high.append(programme.row_upper[row])
    matrix, low, high = np.vstack(blocks), np.concatenate(low), np.concatenate(high)
    cost = np.concatenate(
        [programme.cost[0, :first], (programme.probability[:, None] * programme.cost[:, first:]).ravel()]
    )
    top = np.concatenate([programme.upper[0, :first], programme.upper[:, first:].ravel()])
    by_hand = linprog(
        cost,
        A_ub=np.vstack([matrix, -matrix]),
        b_ub=np.concatenate([high, -low]),
        bounds=list(zip(0 * top, top, strict=True)),
    )
    assert by_hand.status in (0, 2)
    if by_hand.status == 2:
        with pytest.raises(InfeasibleError):
            solve_stochastic(programme)
    else:
        assert solve_stochastic(programme).objective == pytest.approx(by_hand.fun, abs=1e-7)


def test_rows_that_all_scenarios_share_stand_in_the_extensive_form_once():
    form = extensive_form(farmer()).matrices
    assert (len(form.row_lower), len(form.cost)) == (1 + 3 * 3, 3 + 3 * 6)


def test_cvar_is_the_mean_of_the_worst_share_and_counts_an_atom_in_part():
    costs, p = np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.25)
    assert cvar(costs, p, 0.5) == pytest.approx(3.5)
    assert cvar(costs, p, 0.9) == pytest.approx(4.0)
    assert cvar(costs, p, 0.6) == pytest.approx((4 * 0.25 + 3 * 0.15) / 0.4)
    assert cvar(costs, p, 0.0) == pytest.approx(2.5)


def test_a_careful_farmer_gives_up_mean_profit_for_a_better_bad_year():
    careful = solve_stochastic(farmer(), risk=Risk(cvar_weight=1, cvar_level=0.6))
    assert careful.costs.max() < -48_820 - 1  # the bad year of the best mean
    assert careful.expected > -108_390


def test_a_solver_that_is_stopped_gives_a_decision_and_a_gap_that_holds_the_optimum():
    found = solve_stochastic(farmer(), time_limit_s=0.0)
    assert not found.is_optimal and "ime limit" in found.status
    assert found.bound <= -108_390 <= found.objective
    assert found.gap == pytest.approx((found.objective - found.bound) / abs(found.objective))
    assert found.gap > 0
    np.testing.assert_allclose(decision_costs(farmer(), found.first), found.costs, atol=1e-5)


def test_a_stopped_solver_without_any_decision_says_so():
    programme = two_stage(
        FirstStage(cost=[1.0]),
        SecondStage(technology=[[1.0]], recourse=[[1.0]], cost=[0.0], row_lower=[[1.0], [3.0]], upper=0.0),
        [0.5, 0.5],
    )
    assert solve_stochastic(programme).first == pytest.approx([3.0])
    with pytest.raises(NotConverged, match="mean scenario does not fit every scenario"):
        solve_stochastic(programme, time_limit_s=0.0)
    assert stochastic_value(programme).mean_decision == np.inf
    with pytest.raises(InfeasibleError, match=r"scenario 's1' \(1 of 2\) cannot be met with this decision"):
        decision_costs(programme, np.array([2.0]))


def test_a_scenario_that_nobody_can_meet_is_named():
    programme = two_stage(
        FirstStage(cost=[1.0], upper=2.0),
        SecondStage(technology=[[1.0]], recourse=[[1.0]], cost=[0.0], row_lower=[[1.0], [3.0]], upper=0.0),
        [0.5, 0.5],
    )
    with pytest.raises(InfeasibleError, match="HiGHS reports"):
        solve_stochastic(programme)
    with pytest.raises(InfeasibleError, match=r"'s1' .* even if it is known ahead"):
        wait_and_see(programme)


def test_the_interval_of_the_mean_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        _, low, high = mean_interval(rng.normal(3.0, 2.0, 12))
        hits += low <= 3.0 <= high
    assert 0.92 <= hits / 400 <= 0.98


def test_out_of_sample_prices_the_decision_in_years_that_it_has_not_seen():
    found = out_of_sample(farmer(quota=5000.0), np.array(ACREAGE))
    assert found.low < found.mean < found.high
    assert found.mean == pytest.approx(np.mean(decision_costs(farmer(quota=5000.0), np.array(ACREAGE))))
    assert found.mean > -108_390  # a smaller quota is worth less


def test_progress_shows_iterations_on_stderr(capsys):
    solve_stochastic(farmer(), progress=True)
    assert "iteration" in capsys.readouterr().err


def test_bad_numbers_are_refused_by_name():
    second = {"technology": [[1.0]], "recourse": [[1.0]], "cost": [1.0]}
    with pytest.raises(ValueError, match=r"sum to 0\.9, not to 1"):
        two_stage(FirstStage(cost=[1.0]), SecondStage(**second), [0.5, 0.4])
    with pytest.raises(ValueError, match=r"probability of scenario 's1' is -0\.5"):
        two_stage(FirstStage(cost=[1.0]), SecondStage(**second), [1.5, -0.5])
    with pytest.raises(ValueError, match="row_lower of scenario 's1' is nan"):
        two_stage(FirstStage(cost=[1.0]), SecondStage(**second, row_lower=[[1.0], [np.nan]]), [0.5, 0.5])
    with pytest.raises(ValueError, match="row_lower has shapes"):
        two_stage(FirstStage(cost=[1.0]), SecondStage(**second, row_lower=np.ones((3, 1))), [0.5, 0.5])
    with pytest.raises(ValueError, match="3 matrices for 2 scenarios"):
        two_stage(
            FirstStage(cost=[1.0]), SecondStage(**{**second, "technology": [np.eye(1)] * 3}), [0.5, 0.5]
        )
    with pytest.raises(ValueError, match=r"cvar_level is 1\.0"):
        Risk(cvar_level=1.0)
    with pytest.raises(ValueError, match="cvar_weight is nan"):
        Risk(cvar_weight=float("nan"))
    with pytest.raises(ValueError, match=r"first has shape \(2,\); the programme has 3 columns"):
        decision_costs(farmer(), np.zeros(2))
