"""Distances and attacks: copies are caught, strangers are not accused, and the bound is the paper's."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hidiff.metrics import privacy

MEMBERS, OTHERS, RECORDS, VALUES = 20, 12, 15, 6
IS_MEMBER = np.arange(MEMBERS + OTHERS) < MEMBERS


def homes(count: int, seed: int) -> np.ndarray:
    """Records scattered about a level of each home's own, ``(home, record, value)``."""
    rng = np.random.default_rng(seed)
    return rng.gamma(4, 0.3, (count, 1, VALUES)) + 0.3 * rng.standard_normal((count, RECORDS, VALUES))


def flat(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values.reshape(-1, VALUES), np.repeat(np.arange(len(values)), RECORDS)


def scores_of(generated: np.ndarray, real: np.ndarray) -> dict[str, np.ndarray]:
    near = privacy.nearest_records(flat(real)[0], flat(generated)[0], privacy.NEIGHBOURS)
    to_homes = privacy.nearest_of_homes(flat(real)[0], real).reshape(len(real), RECORDS, len(real))
    to_homes[np.arange(len(real)), :, np.arange(len(real))] = np.inf
    return privacy.black_box_scores(near.reshape(len(real), RECORDS, -1), to_homes.min(2))


# ---------------------------------------------------------------- records


def test_weeks_begin_on_mondays_and_leave_out_the_clock_change() -> None:
    clock = pd.date_range("2012-09-20 10:00", "2012-10-25", freq="30min", tz="Australia/Sydney")
    power_kw = np.arange(len(clock), dtype=np.float32)[None]
    weeks = privacy.records(power_kw, clock, 0.5, days=7)
    begin = [clock[int(start)] for start in weeks[0, :, 0]]
    assert [f"{stamp:%a %d %b %H:%M}" for stamp in begin] == [
        "Mon 24 Sep 00:00", "Mon 08 Oct 00:00", "Mon 15 Oct 00:00",
    ]  # fmt: skip  # the week of 1 October ends with the clock change of the 7th
    assert weeks.shape == (1, 3, 336)
    days = privacy.records(power_kw, clock, 0.5)
    assert days.shape == (1, 33, 48)  # 21 Sep to 24 Oct without 7 Oct
    np.testing.assert_array_equal(privacy.records(power_kw, clock, 0.5, every=4), days[:, ::4])


def test_a_stretch_without_a_whole_week_is_refused() -> None:
    clock = pd.date_range("2012-06-05", periods=6 * 48, freq="30min", tz="Australia/Sydney")
    with pytest.raises(ValueError, match="hold no record of 7 whole days"):
        privacy.records(np.zeros((1, len(clock))), clock, 0.5, days=7)


def test_a_profile_is_the_mean_by_month_and_hour() -> None:
    clock = pd.date_range("2012-01-01", periods=366 * 48, freq="30min", tz="Etc/GMT-10")
    power_kw = (np.asarray(clock.month) + np.asarray(clock.hour) / 100)[None].copy()
    power_kw[0, 5] = np.nan
    profile = privacy.profile(power_kw, clock)
    assert profile.shape == (1, 1, 288)
    assert profile[0, 0, 11 * 24 + 7] == pytest.approx(12.07)
    assert np.isfinite(profile).all()


# ---------------------------------------------------------------- distances


def test_distances_are_those_of_all_pairs_and_gaps_do_not_count() -> None:
    real, generated = homes(5, 0), flat(homes(3, 1))[0]
    real[1, 4, 2] = np.nan
    real[2] = np.nan
    pairs = np.sqrt(((generated[:, None, None] - real) ** 2).mean(3))
    found = privacy.nearest_of_homes(generated, real)
    known = [0, 1, 3, 4]
    np.testing.assert_allclose(found[:, known], np.nanmin(pairs[:, known], axis=2), atol=1e-9)
    assert np.isinf(found[:, 2]).all()
    near = privacy.nearest_records(generated, flat(real)[0], 3)
    np.testing.assert_allclose(near, np.sort(pairs.reshape(len(pairs), -1), axis=1)[:, :3], atol=1e-9)
    with pytest.raises(ValueError, match="count=60 of 59 whole records"):
        privacy.nearest_records(generated, flat(real[[0, 1, 3, 4]])[0], 60)


def test_copies_of_training_homes_are_nearer_to_training_and_to_one_home() -> None:
    real = homes(MEMBERS + OTHERS, 0)
    queries, home = flat(real[:9])
    distances = privacy.nearest_of_homes(queries, real)
    rng = np.random.default_rng(0)
    result = privacy.nearer_to_members(distances, IS_MEMBER, home, rng)
    assert result["share"] == result["low_95"] == result["high_95"] == 1
    assert result["p_value"] < 0.02
    assert np.median(privacy.nearest_neighbour_ratio(distances[:, IS_MEMBER])) < 1e-4
    assert privacy.distance_ratio(distances[:, :24], IS_MEMBER[:24], rng) < 0.9


def test_as_many_members_as_others_give_the_usual_share_of_closer_records() -> None:
    real, (queries, home) = homes(20, 0), flat(homes(8, 1))
    is_member = np.arange(20) < 10
    distances = privacy.nearest_of_homes(queries, real)
    usual = (distances[:, :10].min(1) < distances[:, 10:].min(1)).mean()
    result = privacy.nearer_to_members(distances, is_member, home, np.random.default_rng(0))
    assert result["share"] == pytest.approx(usual)


def test_homes_that_nobody_copied_are_near_chance_in_nearly_every_draw() -> None:
    inside = 0
    p_values = []
    for seed in range(60):
        real, (queries, home) = homes(MEMBERS + OTHERS, seed), flat(homes(15, 1000 + seed))
        distances = privacy.nearest_of_homes(queries, real)
        result = privacy.nearer_to_members(distances, IS_MEMBER, home, np.random.default_rng(seed), 200)
        inside += result["low_95"] <= 0.5 <= result["high_95"]
        p_values.append(result["p_value"])
    assert inside >= 51
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_equal_distances_are_halved_between_the_sides() -> None:
    result = privacy.nearer_to_members(
        np.ones((4, 3)), np.array([True, False, False]), np.zeros(4, int), np.random.default_rng(0)
    )
    assert result["share"] == pytest.approx(0.5)


def test_the_share_below_is_a_mean_of_homes() -> None:
    values, home = np.array([0.0, 0, 0, 1]), np.array([0, 0, 0, 1])
    result = privacy.share_below(values, 0.5, home, np.random.default_rng(0))
    assert result["share"] == 0.5 and result["low_95"] == 0 and result["high_95"] == 1


# ---------------------------------------------------------------- attacks


@pytest.mark.parametrize("name", ["nearest", "mean_of_smallest", "density", "calibrated"])
def test_every_score_finds_the_homes_that_were_copied_again_and_again(name: str) -> None:
    real = homes(MEMBERS + OTHERS, 0)
    jitter = 1e-3 * np.random.default_rng(1).standard_normal((5, MEMBERS, RECORDS, VALUES))
    score = scores_of((real[:MEMBERS] + jitter).reshape(-1, RECORDS, VALUES), real)[name]
    result = privacy.attack(score, IS_MEMBER, np.random.default_rng(0))
    assert result["auroc"] == result["tpr"] == 1 and result["p_value"] < 1e-4
    assert result["low_95"] == pytest.approx(1)


@pytest.mark.parametrize("name", ["mean_of_smallest", "calibrated"])
def test_homes_of_their_own_accuse_nobody(name: str) -> None:
    inside = 0
    for seed in range(60):
        score = scores_of(homes(15, 1000 + seed), homes(MEMBERS + OTHERS, seed))[name]
        result = privacy.attack(score, IS_MEMBER, np.random.default_rng(seed), 200)
        inside += result["low_95"] <= 0.5 <= result["high_95"]
    assert inside >= 49  # what 60 intervals of 94 % (theirs, with so few homes) reach in 999 of 1000 cases


def test_the_area_counts_pairs_and_ties_by_half() -> None:
    is_member = np.array([True, True, False, False])
    rng = np.random.default_rng(0)
    assert privacy.attack(np.array([3.0, 1, 2, 0]), is_member, rng)["auroc"] == 0.75
    tied = privacy.attack(np.zeros(4), is_member, rng)
    assert tied["auroc"] == 0.5 and tied["tpr"] == 0


def test_true_positives_let_a_tenth_of_the_others_through() -> None:
    others, members = np.arange(20.0), np.array([17.5, 18.5, 19.5, 16.5])
    is_member = np.r_[np.ones(4, bool), np.zeros(20, bool)]
    result = privacy.attack(np.r_[members, others], is_member, np.random.default_rng(0))
    assert result["tpr"] == 0.75  # two of 20 may pass: 18 and 19, so what lies above 17 is found
    rng = np.random.default_rng(1)
    rates = [privacy.attack(rng.standard_normal(60), np.arange(60) < 30, rng, 10)["tpr"] for _ in range(300)]
    assert np.mean(rates) == pytest.approx(4 / 31, abs=0.02)  # three of 30 pass


def test_what_a_control_finds_as_well_is_no_leak() -> None:
    rng = np.random.default_rng(0)
    difference = np.where(IS_MEMBER, 1.0, 0.0) + rng.standard_normal(len(IS_MEMBER))
    same = privacy.excess_auroc(difference, difference, IS_MEMBER, rng)
    assert same == {"excess": 0, "excess_low_95": 0, "excess_high_95": 0}
    leak = privacy.excess_auroc(np.where(IS_MEMBER, 1.0, 0.0), np.zeros(len(IS_MEMBER)), IS_MEMBER, rng)
    assert leak["excess"] == 0.5 and leak["excess_low_95"] == pytest.approx(0.5)


def test_holm_raises_p_values_in_order_and_stops_at_one() -> None:
    found = privacy.holm(np.array([0.04, 0.01, 0.03, 0.9]))
    np.testing.assert_allclose(found, [0.09, 0.04, 0.09, 0.9])
    assert privacy.holm(np.array([0.8, 0.9])).max() == 1


def test_an_attack_needs_both_sides_and_numbers() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="3 members of 3 homes; an attack needs members and others"):
        privacy.attack(np.zeros(3), np.ones(3, bool), rng)
    with pytest.raises(ValueError, match="1 scores are not finite"):
        privacy.attack(np.array([np.nan, 1]), np.array([True, False]), rng)


# ---------------------------------------------------------------- the bound


@pytest.mark.parametrize("guesses", [10, 52, 1000])
def test_a_perfect_guesser_reaches_the_closed_form(guesses: int) -> None:
    chance = 0.05 ** (1 / guesses)
    bound = privacy.epsilon_lower_bound(guesses, guesses)
    assert bound == pytest.approx(np.log(chance / (1 - chance)))


def test_a_coin_proves_nothing_and_neither_does_a_fool() -> None:
    assert privacy.epsilon_lower_bound(26, 52) == 0
    assert privacy.epsilon_lower_bound(0, 52) == 0


@pytest.mark.parametrize(("correct", "guesses", "confidence"), [(40, 52, 0.95), (80, 100, 0.99)])
def test_at_the_bound_so_many_right_guesses_are_just_that_rare(
    correct: int, guesses: int, confidence: float
) -> None:
    epsilon = privacy.epsilon_lower_bound(correct, guesses, confidence)
    tail = stats.binom.sf(correct - 1, guesses, 1 / (1 + np.exp(-epsilon)))
    assert tail == pytest.approx(1 - confidence)
    assert epsilon < privacy.epsilon_lower_bound(correct + 1, guesses, confidence)


def test_the_bound_exceeds_the_epsilon_of_randomised_response_in_few_runs_only() -> None:
    rng, epsilon, canaries = np.random.default_rng(0), 1.0, 60
    above = 0
    for _ in range(600):
        included = rng.random(canaries) < 0.5
        tells_truth = rng.random(canaries) < 1 / (1 + np.exp(-epsilon))
        scores = np.where(included == tells_truth, 1.0, 0.0) + 1e-3 * rng.random(canaries)
        above += privacy.audit(scores, included)[1] > epsilon
    assert above / 600 < 0.05 + 0.03


def test_an_audit_of_scores_that_know_everything_is_perfect_up_to_the_coins() -> None:
    included = np.arange(40) % 2 == 0
    accuracy, epsilon = privacy.audit(np.where(included, 1.0, -1.0), included)
    assert accuracy == 1 and epsilon == privacy.epsilon_lower_bound(40, 40)
    few = privacy.audit(np.where(included, 1.0, -1.0), included, guesses=10)
    assert few == (1.0, privacy.epsilon_lower_bound(10, 10))


def test_the_order_of_the_canaries_does_not_break_ties_in_the_attackers_favour() -> None:
    for included in (np.arange(200) < 100, np.arange(200) >= 100):
        accuracy, epsilon = privacy.audit(np.zeros(200), included)
        assert 0.4 < accuracy < 0.6 and epsilon == 0


def test_bounds_and_audits_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="11 right of 10 guesses"):
        privacy.epsilon_lower_bound(11, 10)
    with pytest.raises(ValueError, match="confidence=nan"):
        privacy.epsilon_lower_bound(5, 10, float("nan"))
    with pytest.raises(ValueError, match="guesses=8 of 4 canaries"):
        privacy.audit(np.arange(4.0), np.array([True, False, True, False]), guesses=8)
    with pytest.raises(ValueError, match="2 scores are not finite"):
        privacy.audit(np.array([np.nan, np.nan, 1]), np.array([True, False, True]))
