"""What if the weather were another: the shipped model's days follow an edited file the way real homes do.

The daily energy of a home is settled by the high level, so its days are drawn here and the half-hours are not.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import hidiff
from hidiff.data import prepare as preparation
from hidiff.data import solar
from hidiff.data.ausgrid import read_traces
from hidiff.data.prepare import CLEARNESS, day_energy_ratio
from hidiff.data.weather import observed_weather
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.regional import resolve
from hidiff.diffusion.sampling import Sampling, make_span
from hidiff.metrics.response import calendar_controls, fit_response, lasting, weather_terms
from hidiff.training import clean

START, HOMES, SEED = "2012-07-01", 8, 1
Days = Callable[[pd.DataFrame], tuple[np.ndarray, np.ndarray]]

MEAN_KWH = 18.8
"""Of a day of the 102 real homes below."""
RESPONSE_KWH = {"heating": (0.77, 1.12), "cooling": (1.49, 3.29), "clearness": (-3.64, -1.64)}
"""What a lasting kelvin below 17 C, above 24 C, and a unit of clearness add to a day of the 102 clean Ausgrid homes
with three years (95 % interval, `metrics.response`); docs/what_if.md prints it."""


@pytest.fixture(scope="module")
def model() -> HiDiff:
    return hidiff.load()


@pytest.fixture(scope="module")
def path(model: HiDiff) -> pd.DataFrame:
    span = make_span(START, 1, "Australia/Sydney", model.low.config, model.high.config)
    return resolve(model.regional, span.grid.dates, SEED)


@pytest.fixture(scope="module")
def days(model: HiDiff) -> Days:
    """Load and PV of the same homes' days under some weather, ``(day,)`` [kWh] each."""
    span = make_span(START, 1, "Australia/Sydney", model.low.config, model.high.config)
    people = model.households(HOMES, SEED)

    def draw(weather: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        usual = resolve(model.regional, span.grid.dates, SEED)
        sampling = Sampling(
            model.low,
            model.high,
            model.regional,
            span,
            weather,
            SEED,
            model.sampler,
            "cpu",
            model.students,
            usual,
        )
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            tokens, unit_kw = sampling.days(people)
        tokens = tokens[:, :365]
        load = (day_energy_ratio(tokens) * unit_kw[:, None] * 24).sum(axis=0)
        clear = [
            solar.envelope_kw(sampling.sky, person.roof, person.capacity_kwp).reshape(-1, 48).sum(1)[:365] / 2
            for person in people
        ]
        return load, (tokens[..., CLEARNESS] * np.stack(clear)).sum(axis=0)

    return draw


@pytest.fixture(scope="module")
def base(days: Days, path: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return days(path)


def season(path: pd.DataFrame, *months: int) -> np.ndarray:
    return np.isin(pd.DatetimeIndex(path.index).month, months)


def warmer(path: pd.DataFrame, kelvin: float, *months: int) -> pd.DataFrame:
    result = path.copy()
    result.loc[season(path, *months), ["temperature_max_c", "temperature_min_c"]] += kelvin
    return result


def expected(before: pd.DataFrame, after: pd.DataFrame, inside: np.ndarray) -> tuple[float, float]:
    """Interval of the change of a day, over the mean day, that the real homes' response expects."""
    edit = (weather_terms(after) - weather_terms(before))[inside, :3].mean(axis=0)
    ends = np.array(list(RESPONSE_KWH.values())) * edit[:, None] / MEAN_KWH
    return float(ends.min(axis=1).sum()), float(ends.max(axis=1).sum())


def change(after: np.ndarray, before: np.ndarray, inside: np.ndarray) -> float:
    return float(after[inside[:365]].sum() / before[inside[:365]].sum() - 1)


def test_a_hotter_summer_raises_the_load_of_summer_as_real_homes_do(
    days: Days, path: pd.DataFrame, base: tuple[np.ndarray, np.ndarray]
) -> None:
    summer = season(path, 12, 1, 2)
    hot = warmer(path, 5, 12, 1, 2)
    load, pv = days(hot)
    low, high = expected(path, hot, summer)
    assert 0.7 * low < change(load, base[0], summer) < 1.4 * high  # eight homes, not all of them cooled
    assert abs(change(load, base[0], season(path, 4, 5, 6, 7, 8, 9, 10))) < 0.06
    assert abs(change(pv, base[1], summer)) < 0.03


def test_a_colder_winter_raises_the_load_of_winter_as_real_homes_do(
    days: Days, path: pd.DataFrame, base: tuple[np.ndarray, np.ndarray]
) -> None:
    winter = season(path, 6, 7, 8)
    cold = warmer(path, -3, 6, 7, 8)
    low, high = expected(path, cold, winter)
    load, _ = days(cold)
    assert 0.6 * low < change(load, base[0], winter) < 1.5 * high


def test_a_cloudier_year_lowers_pv_in_proportion_and_raises_load_a_little(
    days: Days, path: pd.DataFrame, base: tuple[np.ndarray, np.ndarray]
) -> None:
    dull = path.assign(clearness=0.7 * path["clearness"])
    always = np.ones(len(path), dtype=bool)
    low, high = expected(path, dull, always)
    assert 0.015 < low < high < 0.045
    load, pv = days(dull)
    assert change(pv, base[1], always) == pytest.approx(-0.3, abs=0.03)
    assert 0.5 * low < change(load, base[0], always) < 1.5 * high


def test_a_cloudier_summer_leaves_the_other_seasons_alone(
    days: Days, path: pd.DataFrame, base: tuple[np.ndarray, np.ndarray]
) -> None:
    dull = path.copy()
    dull.loc[season(path, 12, 1, 2), "clearness"] *= 0.7
    load, pv = days(dull)
    assert change(pv, base[1], season(path, 12, 1, 2)) == pytest.approx(-0.3, abs=0.03)
    elsewhere = season(path, 4, 5, 6, 7, 8, 9, 10)
    assert abs(change(pv, base[1], elsewhere)) < 0.01
    assert abs(change(load, base[0], elsewhere)) < 0.01


@pytest.mark.real
@pytest.mark.slow
def test_the_response_of_the_real_homes_is_what_these_tests_hold_against(data_dir: Path) -> None:
    traces = clean(read_traces(data_dir / "ausgrid"))
    whole = np.atleast_1d(~np.isnan(traces.load_kw).any(axis=1))
    traces = traces.select([name for name, there in zip(traces.names, whole, strict=True) if there])
    prepared = preparation.prepare(traces)
    (file,) = (data_dir / "weather").glob("*.parquet")
    weather = observed_weather(prepared, file)
    known = prepared.is_known.all(axis=0)
    load_kwh = (preparation.to_days(traces)[1].sum(axis=2, dtype=np.float64) / 2)[:, known]
    response = fit_response(
        load_kwh,
        weather_terms(weather)[known],
        calendar_controls(prepared.grid.dates)[known],
        np.random.default_rng(0),
    )
    assert len(traces) == 102
    assert load_kwh.mean() == pytest.approx(MEAN_KWH, abs=0.1)
    assert response.explained > 0.85
    for mean, (low, high) in zip(lasting(response)[0], RESPONSE_KWH.values(), strict=True):
        assert low < mean < high
