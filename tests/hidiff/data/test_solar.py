"""Clear sky on a roof, and the roof back from generation."""

import numpy as np
import pandas as pd
import pytest

from hidiff.data import calendars, solar
from hidiff.data.solar import Roof

YEAR = calendars.day_grid(pd.Timestamp("2012-07-01"), 365, "Australia/Sydney")


@pytest.fixture(scope="module")
def sky() -> solar.Sky:
    return solar.clear_sky_of_days(YEAR.dates)


def test_the_plane_is_exactly_dark_while_the_sun_is_down(sky: solar.Sky) -> None:
    plane = solar.plane_irradiance(sky, 40, 90)
    below = sky.apparent_zenith > 90
    assert 0.4 < below.mean() < 0.6
    assert (plane[below] == 0).all()
    assert plane.min() == 0
    assert 0.8 < plane.max() < 1.3  # kW/m2


def test_an_east_roof_peaks_before_a_north_roof_and_that_before_a_west_roof(sky: solar.Sky) -> None:
    def peak_h(azimuth_deg: float) -> float:
        day = solar.plane_irradiance(sky, 30, azimuth_deg).reshape(-1, 48).mean(0)
        return float((day * np.arange(48)).sum() / day.sum() / 2)

    assert peak_h(90) < peak_h(0) - 1 < peak_h(-90) - 2


def test_a_north_roof_beats_a_flat_one_in_the_southern_winter_only(sky: solar.Sky) -> None:
    tilted, flat = (solar.plane_irradiance(sky, tilt, 0).reshape(-1, 48).sum(1) for tilt in (35, 0))
    assert tilted[:30].mean() > 1.3 * flat[:30].mean()  # July
    assert tilted[170:200].mean() < flat[170:200].mean()  # around New Year


def test_the_envelope_grows_with_capacity_and_gain(sky: solar.Sky) -> None:
    one = solar.envelope_kw(sky, Roof(gain=0.5), 1.0)
    assert solar.envelope_kw(sky, Roof(gain=1.0), 3.0) == pytest.approx(6 * one, rel=1e-6)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
def test_noon_is_noon_in_other_time_zones(zone: str) -> None:
    grid = calendars.day_grid(pd.Timestamp("2012-07-01"), 10, zone)
    elsewhere = solar.plane_irradiance(solar.clear_sky_of_days(grid.dates), 20, 0).reshape(-1, 48)
    assert 22 <= elsewhere.mean(0).argmax() <= 25


def test_the_sky_of_days_is_the_sky_of_their_steps_in_sydney() -> None:
    days = solar.clear_sky_of_days(YEAR.dates[:3])
    steps = solar.clear_sky(YEAR.time[: 3 * 48])
    np.testing.assert_array_equal(days.ghi, steps.ghi)
    np.testing.assert_array_equal(days.apparent_zenith, steps.apparent_zenith)


def test_a_roof_is_found_again_from_its_clear_days(sky: solar.Sky) -> None:
    rng = np.random.default_rng(0)
    true = [Roof(tilt_deg=20, azimuth_deg=-40, gain=0.7), Roof(tilt_deg=35, azimuth_deg=60, gain=0.9)]
    capacity = np.array([2.0, 4.0], dtype=np.float32)
    clearness = np.clip(rng.uniform(0.3, 1.4, len(YEAR)), 0, 1)[:, None]  # three days in ten are clear
    pv = np.stack(
        [
            solar.envelope_kw(sky, roof, float(kwp)).reshape(-1, 48) * clearness
            for roof, kwp in zip(true, capacity, strict=True)
        ]
    )
    pv[:, 40:60] = np.nan
    for found, roof in zip(solar.fit_roofs(pv, capacity, sky, YEAR.day_of_year), true, strict=True):
        assert found.tilt_deg == pytest.approx(roof.tilt_deg, abs=5)
        assert found.azimuth_deg == pytest.approx(roof.azimuth_deg, abs=10)
        assert found.gain == pytest.approx(roof.gain, rel=0.05)


def test_three_weeks_tell_an_east_roof_from_a_west_roof() -> None:
    grid = calendars.day_grid(pd.Timestamp("2012-09-01"), 21, "Australia/Sydney")
    sky = solar.clear_sky_of_days(grid.dates)
    roofs = [Roof(tilt_deg=25, azimuth_deg=azimuth) for azimuth in (80, -80)]
    pv = np.stack([solar.envelope_kw(sky, roof, 3.0).reshape(-1, 48) for roof in roofs])
    east, west = solar.fit_roofs(pv, np.array([3.0, 3.0]), sky, grid.day_of_year)
    assert east.azimuth_deg > 30 and west.azimuth_deg < -30


@pytest.mark.parametrize("case", ["no panels", "no output", "output at night", "three days"])
def test_without_anything_to_fit_the_roof_is_an_ordinary_one(case: str) -> None:
    days = 3 if case == "three days" else 20
    grid = calendars.day_grid(pd.Timestamp("2012-09-01"), days, "Australia/Sydney")
    sky = solar.clear_sky_of_days(grid.dates)
    pv = np.zeros((1, days, 48), dtype=np.float32)
    if case in ("no panels", "three days"):
        pv += solar.envelope_kw(sky, Roof(), 2.0).reshape(1, days, 48)
    if case == "output at night":
        pv[:, :, 0] = 1.0
    capacity = np.array([0.0 if case == "no panels" else 2.0])
    assert solar.fit_roofs(pv, capacity, sky, grid.day_of_year) == [Roof()]
