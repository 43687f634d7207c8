"""Fans: paths of the coming days that go on from the readings."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hidiff.data import solar
from hidiff.data.calendars import first_standard_date
from hidiff.data.traces import Traces
from hidiff.diffusion.fan_sampling import dressed
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.recent_weather import covariance, from_scores, paths, to_scores
from hidiff.diffusion.regional import RegionalWeather

WINTER, SUMMER = "2012-07-12", "2012-12-12"


@pytest.fixture(scope="module")
def readings(tiny_homes: Traces) -> Traces:
    return tiny_homes.select(tiny_homes.names[:2])


@pytest.fixture(scope="module")
def regional() -> RegionalWeather:
    """The weather of the shipped model; that of the tiny one has no spread of temperature."""
    return HiDiff.load().regional


def until(readings: Traces, end: str, days: int = 30) -> Traces:
    return readings.between(pd.Timestamp(end) - pd.Timedelta(days=days), end)


@pytest.mark.parametrize("end", [WINTER, SUMMER])
@pytest.mark.parametrize("days", [1, 12])
def test_a_fan_goes_on_where_the_readings_end(
    tiny_model: HiDiff, readings: Traces, end: str, days: int
) -> None:
    past = until(readings, end)
    fan = tiny_model.conditional(past, days, 3, 1)
    assert fan.load_kw.shape == fan.pv_kw.shape == (3, 2, 48 * days)
    assert fan.time[0] == past.time[-1] + pd.Timedelta(minutes=30)
    assert len(fan.time) == 48 * days and fan.weather.shape[::2] == (3, 3)
    assert np.isfinite(fan.load_kw).all() and (fan.load_kw >= 0).all() and (fan.load_kw > 0).any()
    assert len(np.unique(fan.load_kw.mean(2))) == 6


def test_pv_stays_dark_at_night_and_below_the_capacity(tiny_model: HiDiff, readings: Traces) -> None:
    fan = tiny_model.conditional(until(readings, SUMMER), 2, 4, 0)
    date = first_standard_date(fan.time[0], "Australia/Sydney")
    sky = solar.clear_sky_of_days(pd.date_range(date, periods=4))
    start = round((fan.time[0] - pd.Timestamp(date).tz_localize("Etc/GMT-10")) / pd.Timedelta(minutes=30))
    is_dark = sky.ghi[start : start + 96] == 0
    assert 20 < is_dark.sum() < 60 and (fan.pv_kw[..., is_dark] == 0).all()
    assert (fan.pv_kw[..., ~is_dark].mean() > 0) and (fan.pv_kw >= 0).all()
    assert (fan.pv_kw.max(axis=(0, 2)) <= readings.homes["pv_capacity_kwp"].to_numpy() * 1.0001).all()


@pytest.mark.parametrize(("end", "steps"), [("2012-10-07", 46), ("2012-04-01", 50)])
def test_the_day_on_which_the_clock_changes_has_the_steps_of_the_clock(
    tiny_model: HiDiff, readings: Traces, end: str, steps: int
) -> None:
    fan = tiny_model.conditional(until(readings, end), 1, 2)
    local = fan.time.tz_convert("Australia/Sydney")
    assert len(fan.time) == steps == fan.load_kw.shape[2]
    assert f"{local[0]:%H:%M}" == "00:00" and f"{local[-1]:%H:%M}" == "23:30"


def test_a_scenario_depends_on_seed_and_number_alone(tiny_model: HiDiff, readings: Traces) -> None:
    past = until(readings, SUMMER)
    many, few, other = (tiny_model.conditional(past, 1, n, seed) for n, seed in ((18, 5), (2, 5), (2, 6)))
    assert np.array_equal(many.load_kw[:2], few.load_kw) and np.array_equal(many.pv_kw[:2], few.pv_kw)
    assert not np.allclose(few.load_kw, other.load_kw)


def test_a_home_is_the_same_without_its_neighbour_where_the_weather_is_known(
    tiny_model: HiDiff, readings: Traces
) -> None:
    past = until(readings, WINTER, 60)
    dates = pd.date_range("2012-05-01", "2012-08-30")
    weather = pd.DataFrame({"clearness": np.linspace(0.3, 0.9, len(dates))}, index=dates)
    both = tiny_model.conditional(past, 1, 3, weather=weather)
    alone = tiny_model.conditional(past.select(past.names[1:]), 1, 3, weather=weather)
    assert np.array_equal(both.load_kw[:, 1:], alone.load_kw)
    assert np.allclose(both.pv_kw[:, 1:], alone.pv_kw, atol=1e-6)
    assert np.allclose(both.weather[:, :, 2], weather["clearness"].loc["2012-07-12":"2012-07-12"], atol=1e-6)


def test_the_shipped_model_goes_on_from_the_level_of_the_last_days(readings: Traces) -> None:
    model, past = HiDiff.load(), until(readings, WINTER, 60)
    load = past.load_kw.copy()
    load[:, -4 * 48 :] *= 3
    usual, busy = (model.conditional(one, 1, 8) for one in (past, replace(past, load_kw=load)))
    assert (busy.load_kw.mean((0, 2)) > 1.15 * usual.load_kw.mean((0, 2))).all()


def with_value(traces: Traces, name: str, step: int, value: float) -> Traces:
    array = getattr(traces, name).copy()
    array[1, step] = value
    return replace(traces, **{name: array})


@pytest.mark.parametrize(
    ("spoil", "choices", "words"),
    [
        (lambda r: with_value(r, "load_kw", -3, np.nan), {}, "no reading at"),
        (lambda r: with_value(r, "pv_kw", 5, -0.5), {}, "pv_kw of home .* is -0.5 kW"),
        (lambda r: r.between(r.time[0], r.time[-7]), {}, "local midnight"),
        (lambda r: until(r, WINTER, 10), {}, "14 are needed"),
        (lambda r: r, {"days": 15}, "days=15"),
        (lambda r: r, {"n": 0}, "n=0"),
        (lambda r: r, {"weather": pd.DataFrame({"rain": [1.0]})}, "none of the columns"),
    ],
)
def test_what_cannot_be_is_refused(
    tiny_model: HiDiff, readings: Traces, spoil: Callable[[Traces], Traces], choices: dict[str, object],
    words: str,
) -> None:  # fmt: skip
    with pytest.raises(ValueError, match=words):
        tiny_model.conditional(spoil(until(readings, WINTER)), **choices)  # type: ignore[arg-type]


def test_a_warm_week_is_followed_by_a_warmer_day(regional: RegionalWeather) -> None:
    dates = pd.date_range("2012-06-01", periods=12)
    given, unknown = np.full((12, 3), np.nan), np.full((12, 3), np.nan)
    given[:8] = [23.0, 15.0, 0.9]
    free, warm = (
        paths(regional, dates, 1, range(200), unknown, np.ones((12, 3)), known) for known in (unknown, given)
    )
    assert np.allclose(warm[:, :8], given[:8], atol=1e-5)
    assert warm[:, 8, 0].mean() > free[:, 8, 0].mean() + 1


def test_days_are_centred_on_the_last_week_and_depart_from_it_as_the_home_does() -> None:
    rng = np.random.default_rng(0)
    own = rng.normal(size=(40, 7)).astype(np.float32)
    own[-7:] += 3
    made = dressed(np.zeros((28, 5, 7), dtype=np.float32), own, np.arange(28))
    assert np.allclose(made.mean(0), 0.6 * (0.7 * own[-7:].mean(0) + 0.3 * own.mean(0)), atol=1e-5)
    assert np.allclose(made.std(0), 0.6 * own[-28:].std(0), atol=1e-5)


def test_scores_turn_back_into_weather(regional: RegionalWeather) -> None:
    dates = pd.date_range("2012-06-01", periods=30)
    weather = regional.sample(dates, 3).to_numpy()
    again = from_scores(regional, dates, to_scores(regional, dates, weather))
    assert np.allclose(again, weather, atol=1e-3)


def test_the_covariance_is_that_of_the_generated_weather(regional: RegionalWeather) -> None:
    dates = pd.date_range("2001-01-01", periods=6000)
    scores = to_scores(regional, dates, regional.sample(dates, 2).to_numpy())
    found = np.cov(np.concatenate([scores[:-1], scores[1:]], axis=1).T)
    assert np.abs(found - covariance(regional, 2)).max() < 0.12
