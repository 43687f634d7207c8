"""The response of homes to the weather: known slopes are found, a trend is not taken for a cloud."""

import numpy as np
import pandas as pd
import pytest

from hidiff.metrics.response import (
    calendar_controls,
    expected_change,
    fit_response,
    lasting,
    relative_change,
    weather_terms,
)

DATES = pd.date_range("2010-07-01", periods=1096)


@pytest.fixture(scope="module")
def weather() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    warm = np.cos(2 * np.pi * (DATES.day_of_year.to_numpy() - 20) / 365.25)
    middle = 19 + 5 * warm + 3 * rng.standard_normal(1096)
    years = np.arange(1096) / 365.25
    return pd.DataFrame(
        {
            "temperature_max_c": middle + 4,
            "temperature_min_c": middle - 4,
            "clearness": np.clip(0.6 + 0.03 * years + 0.2 * rng.standard_normal(1096), 0.05, 1.1),
        },
        index=DATES,
    )


def homes_kwh(weather: pd.DataFrame, homes: int = 12) -> np.ndarray:
    """Homes of 20 kWh a day: 1 kWh/K of heating, 2 of cooling, -3 of clearness, half as much yesterday."""
    rng = np.random.default_rng(1)
    mean = 20 + weather_terms(weather) @ np.array([1.0, 2.0, -3.0, 0.5, 1.0, -1.5])
    size = rng.uniform(0.5, 1.5, (homes, 1))
    size /= size.mean()
    return mean * size + rng.standard_normal((homes, len(weather)))


def test_terms_are_degrees_beyond_the_knees_today_and_yesterday() -> None:
    days = pd.DataFrame(
        {"temperature_max_c": [20.0, 40.0, 22.0], "temperature_min_c": [10.0, 20.0, 16.0], "clearness": 0.5},
        index=DATES[:3],
    )
    assert weather_terms(days).tolist() == [
        [2, 0, 0.5, 2, 0, 0.5],
        [0, 6, 0.5, 2, 0, 0.5],
        [0, 0, 0.5, 0, 6, 0.5],
    ]


def test_known_slopes_are_found_within_their_interval(weather: pd.DataFrame) -> None:
    response = fit_response(
        homes_kwh(weather), weather_terms(weather), calendar_controls(DATES), np.random.default_rng(0), 100
    )
    mean, low, high = lasting(response)
    assert mean == pytest.approx([1.5, 3.0, -4.5], abs=0.15)
    assert (low < mean).all() and (mean < high).all()
    assert response.explained > 0.9
    assert response.per_home.shape == (12, 6)


def test_a_falling_load_under_clearing_skies_is_not_the_clouds_work(weather: pd.DataFrame) -> None:
    load = homes_kwh(weather) - 2 * np.arange(1096) / 365.25
    controls = calendar_controls(DATES)
    fits = [
        fit_response(load, weather_terms(weather), part, np.random.default_rng(0), 2)
        for part in (controls, controls[:, :-2])
    ]
    assert lasting(fits[0])[0][2] == pytest.approx(-4.5, abs=0.2)
    assert lasting(fits[1])[0][2] < -4.9  # without the trend


def test_the_interval_covers_homes_that_differ(weather: pd.DataFrame) -> None:
    terms, controls = weather_terms(weather), calendar_controls(DATES)
    few, many = (
        fit_response(homes_kwh(weather, homes), terms, controls, np.random.default_rng(0), 100)
        for homes in (4, 60)
    )
    widths = [np.subtract(*lasting(fit)[:0:-1])[1] for fit in (few, many)]
    assert widths[0] > 1.5 * widths[1] > 0


def test_the_expected_change_of_an_edit_is_its_terms_times_the_response(weather: pd.DataFrame) -> None:
    terms = weather_terms(weather)
    response = fit_response(homes_kwh(weather), terms, calendar_controls(DATES), np.random.default_rng(0), 50)
    dull = weather_terms(weather.assign(clearness=weather["clearness"] - 0.1))
    change = expected_change(response, terms, dull, np.ones(1096))
    assert change.mean == pytest.approx(0.45, abs=0.03)
    assert change.low < change.mean < change.high
    summer = np.isin(DATES.month, [12, 1, 2]).astype(float)
    hot = weather.copy()
    hot.loc[summer > 0, ["temperature_max_c", "temperature_min_c"]] += 5
    assert expected_change(response, terms, weather_terms(hot), summer).mean > 4
    outside = (np.roll(summer, 1) + summer == 0).astype(float)
    assert expected_change(response, terms, weather_terms(hot), outside).mean == pytest.approx(0, abs=1e-9)


def test_a_year_has_no_trend_of_its_own() -> None:
    assert calendar_controls(DATES[:365]).shape == (365, 9)
    assert calendar_controls(DATES).shape == (1096, 11)


def test_relative_change_is_of_the_sum_and_its_interval_over_homes() -> None:
    before = np.array([1.0, 3.0, 6.0])
    same = relative_change(before, 1.2 * before, np.random.default_rng(0))
    assert (same.mean, same.low, same.high) == pytest.approx((0.2, 0.2, 0.2))
    one = relative_change(before, before + np.array([0, 0, 3]), np.random.default_rng(0))
    assert one.mean == pytest.approx(0.3)
    assert one.low < 0.05 and one.high > 0.4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"terms": np.ones((9, 1))}, "40 days of values, 9 of terms, 40 of controls"),
        ({"values": np.full((2, 40), np.nan)}, "values hold NaN"),
        ({"terms": np.ones((40, 1))}, "term 0 never changes"),
        ({"terms": np.random.default_rng(0).random((40, 30))}, "40 days are too few for 30 terms"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change: dict[str, np.ndarray], message: str) -> None:
    arguments = {
        "values": np.ones((2, 40)),
        "terms": np.arange(40.0)[:, None],
        "controls": np.ones((40, 1)),
    }
    with pytest.raises(ValueError, match=message):
        fit_response(**(arguments | change), rng=np.random.default_rng(0))


def test_homes_without_energy_have_no_relative_change() -> None:
    with pytest.raises(ValueError, match="no energy before the change"):
        relative_change(np.zeros(2), np.ones(2), np.random.default_rng(0))
    with pytest.raises(ValueError, match="give the same homes"):
        relative_change(np.zeros(2), np.ones(3), np.random.default_rng(0))
