import numpy as np
import pytest

from hidiff.rc_house import RCHouse, simulate

HOUSE = RCHouse(
    air_to_outdoor_kw_per_k=[0.10, 0.2],
    air_to_mass_kw_per_k=[0.8, 1.0],
    mass_to_outdoor_kw_per_k=[0.15, 0.3],
    air_kwh_per_k=[0.25, 0.3],
    mass_kwh_per_k=[5.0, 9.0],
)
FREE = {"low_c": -99.0, "high_c": np.inf, "heating_max_kw": 0.0, "cooling_max_kw": 0.0}


def run(outdoor, dt_h, start=(18.0, 17.0), gains=0.0, **choices):
    return simulate(
        HOUSE, outdoor_c=np.asarray(outdoor, dtype=float), gains_air_kw=gains, gains_mass_kw=0.0, dt_h=dt_h,
        start_c=start, **{**FREE, **choices},
    )  # fmt: skip


@pytest.mark.parametrize("minutes", [30, 15, 5])
def test_a_free_house_is_the_same_on_steps_of_any_length(minutes):
    outdoor = np.random.default_rng(1).normal(10, 5, 48)
    parts = 60 // minutes
    _, air, mass = run(outdoor, 1.0, gains=0.4)
    _, fine_air, fine_mass = run(np.repeat(outdoor, parts), minutes / 60, gains=0.4)
    np.testing.assert_allclose(fine_air[parts - 1 :: parts], air, atol=1e-9)
    np.testing.assert_allclose(fine_mass[parts - 1 :: parts], mass, atol=1e-9)


def test_in_the_long_run_held_air_needs_the_heat_that_leaves():
    heat, air, _ = run(np.full(3000, 5.0), 0.5, low_c=20.0, heating_max_kw=50.0)
    np.testing.assert_allclose(heat[-1], HOUSE.heat_loss_kw_per_k * 15, rtol=1e-6)
    np.testing.assert_allclose(air[-1], 20.0, atol=1e-9)


def test_a_free_house_ends_where_gains_meet_losses():
    _, air, _ = run(np.full(4000, 5.0), 0.5, gains=1.0)
    np.testing.assert_allclose(air[-1], 5 + 1 / HOUSE.heat_loss_kw_per_k, rtol=1e-6)


def test_heat_given_is_heat_stored_and_heat_lost():
    minutes = 1 / 60  # short steps: losses by the trapezoid
    outdoor = np.random.default_rng(2).normal(8, 3, 2000)
    heat, air, mass = run(outdoor, minutes, low_c=20.0, high_c=23.0, heating_max_kw=4.0, cooling_max_kw=4.0)

    def before(x, start):
        return (np.vstack([np.full((1, 2), start), x[:-1]]) + x) / 2

    mean_air, mean_mass = before(air, 18.0), before(mass, 17.0)
    lost = (
        HOUSE.air_to_outdoor_kw_per_k * (mean_air - outdoor[:, None])
        + HOUSE.mass_to_outdoor_kw_per_k * (mean_mass - outdoor[:, None])
    ).sum(0) * minutes
    stored = HOUSE.air_kwh_per_k * (air[-1] - 18) + HOUSE.mass_kwh_per_k * (mass[-1] - 17)
    np.testing.assert_allclose(heat.sum(0) * minutes, stored + lost, rtol=1e-3)


def test_set_points_hold_where_capacity_allows_and_the_limit_holds_where_not():
    outdoor = np.concatenate([np.full(96, 2.0), np.full(96, 40.0)])
    heat, air, _ = run(
        outdoor, 0.5, start=(20.0, 20.0), low_c=20.0, high_c=24.0, heating_max_kw=20.0, cooling_max_kw=20.0
    )
    assert air.min() > 20 - 1e-9
    assert air.max() < 24 + 1e-9
    heat, air, _ = run(
        outdoor, 0.5, start=(20.0, 20.0), low_c=20.0, high_c=24.0, heating_max_kw=1.0, cooling_max_kw=1.0
    )
    assert heat.max() == 1.0
    assert heat.min() == -1.0
    assert air.min() < 19
    assert air.max() > 25


def test_controlled_heat_agrees_across_step_lengths():
    outdoor = 8 + 4 * np.sin(np.arange(24 * 14) / 24 * 2 * np.pi)
    energy = []
    for parts in (1, 2, 4, 12):
        heat, *_ = run(np.repeat(outdoor, parts), 1 / parts, low_c=20.0, heating_max_kw=6.0)
        energy.append(heat.sum(0) / parts)
    np.testing.assert_allclose(energy, np.broadcast_to(energy[-1], (4, 2)), rtol=0.01)


def test_impossible_houses_and_set_points_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        RCHouse(**{**vars(HOUSE), "mass_kwh_per_k": [1.0, 0.0]})
    with pytest.raises(ValueError, match="one number a home"):
        RCHouse(**{**vars(HOUSE), "mass_kwh_per_k": [1.0]})
    with pytest.raises(ValueError, match="part them"):
        run([5.0], 0.5, low_c=24.0, high_c=20.0)
    with pytest.raises(ValueError, match="dt_h=0"):
        run([5.0], 0)
