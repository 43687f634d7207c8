"""Spans of local years, the noise of a call, and what the sampler is told."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from hidiff import rng as random
from hidiff.data.prepare import day_energy_ratio
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.identity import QUANTILE_SHARES, token_scale
from hidiff.diffusion.noise import NoiseShares, unknown_habit
from hidiff.diffusion.sampling import (
    HOMES_A_PASS,
    WINDOWS_A_PASS,
    SamplerConfig,
    Sampling,
    Span,
    make_span,
    respread,
)

START = "2030-01-01"
ZONE = "Australia/Sydney"


def span_of(model: HiDiff, start: str = START, years: int = 1, zone: str = ZONE) -> Span:
    return make_span(start, years, zone, model.low.config, model.high.config)


@pytest.mark.parametrize(
    ("start", "years", "steps"),
    [("2030-01-01", 1, 17520), ("2032-01-01", 1, 17568), ("2031-07-01", 1, 17568), ("2030-07-01", 3, 52608)],
)
def test_a_year_is_twelve_months_on_the_local_clock(
    tiny_model: HiDiff, start: str, years: int, steps: int
) -> None:
    span = span_of(tiny_model, start, years)
    assert len(span.time) == steps
    local = span.time.tz_convert(ZONE)
    assert local[0] == pd.Timestamp(start, tz=ZONE)
    assert local[-1] + pd.Timedelta(minutes=30) == pd.Timestamp(start, tz=ZONE) + pd.DateOffset(years=years)
    assert (np.diff(span.time.as_unit("us").asi8) == 1_800_000_000).all()


@pytest.mark.parametrize(
    "zone", [ZONE, "Europe/Paris", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Santiago"]
)
@pytest.mark.parametrize("years", [1, 2, 5])
def test_the_grid_holds_every_asked_step_and_the_levels_cover_it(
    tiny_model: HiDiff, zone: str, years: int
) -> None:
    span = span_of(tiny_model, "2030-01-01", years, zone)
    assert span.grid.time[span.lead] == span.time[0]
    assert 0 <= span.lead < 48
    assert span.lead + len(span.time) <= span.layout.days * 48
    assert len(span.grid) >= span.layout.days
    config = tiny_model.high.config
    assert (len(span.grid) - config.context_days) % (config.window_days - config.context_days) == 0


@pytest.mark.parametrize(
    ("start", "years", "zone", "message"),
    [
        ("soon", 1, ZONE, "start='soon' is not a date"),
        ("", 1, ZONE, "give a naive local date"),
        ("2030-02-30", 1, ZONE, "is not a date"),
        ("2030-01-01T12:00", 1, ZONE, "has a time of day"),
        ("2030-01-01T00:00+10:00", 1, ZONE, "give a naive local date"),
        ("1066-10-14", 1, ZONE, "between 1900 and 2150"),
        (START, 0, ZONE, "years=0; ask for a whole number of years"),
        (START, -2, ZONE, "years=-2"),
        (START, 1.5, ZONE, "years=1.5"),
        (START, 400, ZONE, "years=400; ask for a whole number of years, 1 to 100"),
        (START, 1, "Sydney", "unknown time zone 'Sydney'"),
        ("1970-01-01", 1, "Asia/Kathmandu", "was off its half-hours of today"),
    ],
)
def test_spans_that_are_none_are_refused(
    tiny_model: HiDiff, start: str, years: Any, zone: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        span_of(tiny_model, start, years, zone)


def test_homes_of_a_call_stand_under_one_sky(tiny_model: HiDiff) -> None:
    """The noise of the clearness is partly shared; the noise of the load is not."""
    span = span_of(tiny_model)
    weather = tiny_model.regional.sample(span.grid.dates, 0)
    model = tiny_model
    sampling = Sampling(
        model.low, model.high, model.regional, span, weather, 0, model.sampler, "cpu", model.students
    )
    first, second = (sampling._noise(person, 24) for person in tiny_model.households(2, 0))
    assert np.corrcoef(first[:, 1], second[:, 1])[0, 1] == pytest.approx(0.35, abs=0.12)
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 0.15
    assert first.std(0) == pytest.approx([1, 1], abs=0.12)


def test_a_new_home_repeats_a_share_of_its_load_noise_every_week(tiny_model: HiDiff) -> None:
    span, model = span_of(tiny_model), tiny_model
    weather = model.regional.sample(span.grid.dates, 0)
    sampler = replace(model.sampler, noise=NoiseShares(week=0.3, day=0.2))
    sampling = Sampling(
        model.low, model.high, model.regional, span, weather, 0, sampler, "cpu", model.students
    )
    new = model.households(1, 0)[0]
    like = model.households(1, 0, mode="like")[0]
    weeks = [sampling._noise(home, 0)[:, 0].reshape(2, 336) for home in (new, like)]
    together = [np.corrcoef(*week)[0, 1] for week in weeks]
    assert together[0] == pytest.approx(0.5, abs=0.12) and abs(together[1]) < 0.15
    assert sampling._noise(new, 0)[:, 0].std() == pytest.approx(1, abs=0.15)


def test_the_first_year_has_the_mean_load_and_the_day_shape_that_the_household_asks(
    tiny_model: HiDiff,
) -> None:
    span, model = span_of(tiny_model), tiny_model
    weather = model.regional.sample(span.grid.dates, 0)
    sampling = Sampling(
        model.low, model.high, model.regional, span, weather, 0, model.sampler, "cpu", model.students
    )
    people = model.households(2, 0, mode="like")
    with torch.no_grad():
        tokens, unit_kw = sampling.days(people)
    year = tokens[:, : model.high.config.window_days]
    asked = np.array([person.mean_load_kw for person in people])
    assert day_energy_ratio(year).mean(1) * unit_kw == pytest.approx(asked, rel=0.01)


def test_days_are_respread_as_a_known_home_has_them() -> None:
    rng = np.random.default_rng(0)
    year, skewed = rng.normal(size=(365, 7)), rng.exponential(size=(4000, 7))
    quantiles = np.quantile(skewed, QUANTILE_SHARES, axis=0)
    made = respread(year, year, quantiles)
    np.testing.assert_allclose(np.quantile(made, QUANTILE_SHARES, axis=0), quantiles, atol=0.1)
    assert (np.argsort(made, axis=0) == np.argsort(year, axis=0)).all()  # no day changes its rank
    far = respread(year + 100, year, quantiles)  # weather that nobody saw moves days beyond the known ones
    beyond = quantiles[-1] - np.quantile(year, QUANTILE_SHARES[-1], axis=0)
    np.testing.assert_allclose(far - (year + 100), np.broadcast_to(beyond, year.shape))


def test_a_known_home_has_the_days_of_its_year(tiny_model: HiDiff) -> None:
    span, model = span_of(tiny_model), tiny_model
    weather = model.regional.sample(span.grid.dates, 0)
    sampling = Sampling(
        model.low, model.high, model.regional, span, weather, 0, model.sampler, "cpu", model.students
    )
    person = next(home for home in model.households(4, 0, mode="like") if home.day_quantiles is not None)
    with torch.no_grad():
        tokens, _ = sampling.days([person])
    mean, spread = token_scale(person.statistics)
    found = np.quantile((tokens[0, :392, :7] - mean[:7]) / spread[:7], QUANTILE_SHARES, axis=0)
    assert person.day_quantiles is not None
    assert np.abs(found - person.day_quantiles)[2:-2].max() < 0.25  # but for the slow sky and the rarest days


def test_homes_whose_windows_share_passes_are_the_homes_alone(
    tiny_model: HiDiff, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a card does with many homes at once, done on the CPU."""
    span, model = span_of(tiny_model), tiny_model
    weather = model.regional.sample(span.grid.dates, 0)
    sampler = replace(model.sampler, bf16=False)

    def traces() -> tuple[Any, Any]:
        sampling = Sampling(
            model.low, model.high, model.regional, span, weather, 0, sampler, "cpu", model.students
        )
        alone = sampling.traces(people)
        sampling.is_mixed = True
        monkeypatch.setitem(WINDOWS_A_PASS, "cpu", 40)  # two homes and a half, then the rest and nothing else
        monkeypatch.setitem(HOMES_A_PASS, "cpu", 4)
        return alone, sampling.traces(people)

    people = model.households(3, 0)
    alone, together = traces()
    np.testing.assert_allclose(together.load_kw, alone.load_kw, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(together.pv_kw, alone.pv_kw, rtol=1e-3, atol=1e-3)
    assert np.abs(alone.load_kw[0] - alone.load_kw[1]).mean() > 0.05 * alone.load_kw.mean()


def test_noise_is_keyed_by_seed_home_and_window(tiny_model: HiDiff) -> None:
    """Another key or shape would change every trace of every seed; these numbers are the promise."""
    span, model = span_of(tiny_model), tiny_model
    weather = model.regional.sample(span.grid.dates, 7)
    sampling = Sampling(
        model.low, model.high, model.regional, span, weather, 7, model.sampler, "cpu", model.students
    )
    home = model.households(1, 7)[0]
    own, region = (random.normal((672, 2), 7, key, "low", 48) for key in (home.key, "region"))
    again = unknown_habit(7, home.key, model.sampler.noise)
    day = span.grid.dates[48]  # a standard-time day in summer, whose wall clock is an hour ahead
    slots = (np.arange(48) + 2) % 48
    noise = sampling._noise(home, 48)
    shares = model.sampler.noise
    load = np.sqrt(1 - shares.week - shares.day) * own[:48, 0] + again[day.weekday(), slots]
    np.testing.assert_allclose(noise[:48, 0], load, rtol=1e-5)
    share = shares.regional
    np.testing.assert_allclose(
        noise[:, 1], np.sqrt(1 - share) * own[:, 1] + np.sqrt(share) * region[:, 1], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("steps", 0), ("steps", 1001), ("solver", "x")],
)
def test_sampler_settings_are_checked(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field if field != "solver" else "unknown solver"):
        replace(SamplerConfig(), **{field: value})  # type: ignore[arg-type]
