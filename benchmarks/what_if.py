"""The tables of docs/what_if.md: does generated load and PV follow an edited weather file as real homes would?

    python benchmarks/what_if.py --real ../shared/data/ausgrid --weather ../shared/data/weather/FILE.parquet

The same new homes are generated under the weather that a real year had and under edited copies of it. The change
of their load and PV stands beside the change that the response of the real homes expects of the same edit.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import hidiff
from hidiff import rng as random
from hidiff.data import prepare as preparation
from hidiff.data import solar
from hidiff.data import weather as weather_data
from hidiff.data.ausgrid import read_traces
from hidiff.data.calendars import STEPS_PER_DAY
from hidiff.data.prepare import CLEARNESS, Prepared, day_energy_ratio
from hidiff.data.traces import Traces
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.regional import LOAD_PER_CLEARNESS, resolve
from hidiff.diffusion.sampling import Sampling, make_span
from hidiff.metrics.response import (
    Change,
    Response,
    calendar_controls,
    expected_change,
    fit_response,
    lasting,
    relative_change,
    weather_terms,
)
from hidiff.output import replace_when_done
from hidiff.training import clean

START = "2012-07-01"
Array = NDArray[np.float64]
SEASONS = {"summer": (12, 1, 2), "winter": (6, 7, 8), "year": tuple(range(1, 13))}


@dataclass(frozen=True)
class Real:
    """What the real homes say."""

    load: Response
    pv: Response
    """Of a home's clearness to the region's."""
    weather: pd.DataFrame
    load_kwh: pd.Series
    """Of the mean home, one value a day."""
    clear_kwh: pd.Series
    """Of the mean home's roof under a clear sky, one value a day."""
    homes: int


def energy_kwh(power_kw: NDArray[np.floating]) -> Array:
    """Energy of standard-time days from ``(home, day, 48)`` [kW]."""
    return np.asarray(power_kw.sum(axis=2, dtype=np.float64) / 2)


def measure(
    prepared: Prepared, load_kwh: Array, weather: pd.DataFrame, seed: int
) -> tuple[Response, Response]:
    """Responses of load and of PV on the days that all of the homes know."""
    known = prepared.is_known.all(axis=0)
    terms, controls = weather_terms(weather)[known], calendar_controls(prepared.grid.dates)[known]
    load = fit_response(load_kwh[:, known], terms, controls, random.generator(seed, "response", "load"))
    own = prepared.tokens[:, known, CLEARNESS]
    clearness = weather_terms(weather)[known, 2:3]
    return load, fit_response(own, clearness, controls, random.generator(seed, "response", "pv"))


def real_response(traces: Traces, temperature_file: Path, seed: int) -> Real:
    """Response of the clean homes that have all years on record."""
    traces = clean(traces)
    whole: NDArray[np.bool_] = np.asarray(~np.isnan(traces.load_kw).any(axis=1))
    traces = traces.select([name for name, is_whole in zip(traces.names, whole, strict=True) if is_whole])
    prepared = preparation.prepare(traces)
    _, load_kw, _ = preparation.to_days(traces)
    weather = weather_data.observed_weather(prepared, temperature_file)
    load_kwh, dates = energy_kwh(load_kw), prepared.grid.dates
    clear_kwh = energy_kwh(prepared.envelope) * prepared.capacity_kwp[:, None]
    load, pv = measure(prepared, load_kwh, weather, seed)
    return Real(
        load, pv, weather, pd.Series(np.nanmean(load_kwh, axis=0), dates),
        pd.Series(clear_kwh.mean(axis=0), dates), len(traces),
    )  # fmt: skip


def months(weather: pd.DataFrame, season: str) -> NDArray[np.bool_]:
    """Days of a season."""
    return np.isin(pd.DatetimeIndex(weather.index).month, SEASONS[season])


def warmer(season: str, kelvin: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Both temperatures of a season moved."""

    def edit(weather: pd.DataFrame) -> pd.DataFrame:
        result = weather.copy()
        result.loc[months(weather, season), ["temperature_max_c", "temperature_min_c"]] += kelvin
        return result

    return edit


def cloudier(season: str, factor: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Clearness of a season times a factor."""

    def edit(weather: pd.DataFrame) -> pd.DataFrame:
        result = weather.copy()
        result.loc[months(weather, season), "clearness"] *= factor
        return result

    return edit


def heat_wave_again(weather: pd.DataFrame) -> pd.DataFrame:
    """The hottest five days of the year once more, two and four weeks later."""
    result = weather.copy()
    middle_c = weather[["temperature_max_c", "temperature_min_c"]].mean(axis=1)
    inside = np.append(months(weather, "summer")[28:], np.zeros(28, dtype=bool)) & months(weather, "summer")
    last = int(middle_c.rolling(5).mean().where(inside).argmax())
    days = weather.iloc[last - 4 : last + 1].to_numpy()
    for later in (14, 28):
        result.iloc[last - 4 + later : last + 1 + later] = days
    return result


EDITS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "summer 3 K hotter": ("summer", warmer("summer", 3)),
    "summer 5 K hotter": ("summer", warmer("summer", 5)),
    "winter 3 K colder": ("winter", warmer("winter", -3)),
    "clearness x 0.7, all year": ("year", cloudier("year", 0.7)),
    "clearness x 0.7, summer": ("summer", cloudier("summer", 0.7)),
    "clearness x 1.1, all year": ("year", cloudier("year", 1.1)),
    "hottest five days thrice": ("summer", heat_wave_again),
}
"""Name, the season whose energy is counted, the edit."""


@dataclass(frozen=True)
class Days:
    """Daily energy of generated homes, ``(home, day)`` [kWh]."""

    load_kwh: Array
    pv_kwh: Array


@torch.no_grad()
def generate(model: HiDiff, homes: int, seed: int, weather: pd.DataFrame) -> Days:
    """Days of the same homes whatever the weather.

    The high level alone: the half-hours are scaled to the energy of these days exactly, so nothing of what is
    compared here depends on them.
    """
    span = make_span(START, 1, "Australia/Sydney", model.low.config, model.high.config)
    path = resolve(model.regional, span.grid.dates, seed, weather)
    usual = resolve(model.regional, span.grid.dates, seed)
    sampling = Sampling(
        model.low, model.high, model.regional, span, path, seed, model.sampler, "cpu", model.students, usual
    )
    people = model.households(homes, seed)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=model.sampler.bf16):
        tokens, unit_kw = sampling.days(people)
    tokens = tokens[:, : len(weather)]
    clear_kw = [solar.envelope_kw(sampling.sky, person.roof, person.capacity_kwp) for person in people]
    clear_kwh = energy_kwh(np.stack(clear_kw).reshape(homes, -1, STEPS_PER_DAY))[:, : len(weather)]
    return Days(day_energy_ratio(tokens) * unit_kw[:, None] * 24, tokens[..., CLEARNESS] * clear_kwh)


def percent(change: Change) -> str:
    """Mean and interval in per cent."""
    return f"{100 * change.mean:+.1f} ({100 * change.low:+.1f} to {100 * change.high:+.1f})"


def expected(real: Real, before: pd.DataFrame, after: pd.DataFrame, season: str) -> tuple[Change, Change]:
    """Relative change of load and PV that the real homes' response expects, over the days of a season."""
    days = before.index
    inside = months(before, season).astype(float)
    old, new = weather_terms(before), weather_terms(after)
    load = expected_change(real.load, old, new, inside)
    load_kwh = real.load_kwh.reindex(days).to_numpy()[inside > 0]
    weight = real.clear_kwh.reindex(days).to_numpy() * inside
    pv = expected_change(real.pv, old[:, 2:3], new[:, 2:3], weight)
    clearness = float((weight * before["clearness"]).sum() / weight.sum())
    return load.scaled(1 / float(np.nanmean(load_kwh))), pv.scaled(1 / clearness)


def day_rows(real: Real, generated: Response, mean_kwh: float) -> list[str]:
    """From day to day, in per cent of the mean day: what a unit that lasts two days does."""
    rows = ["| a unit more of | real homes % of a day | generated homes % of a day |", "|---|---:|---:|"]
    sides = [
        [Change(mean=float(mean), low=float(low), high=float(high)).scaled(1 / scale)
         for mean, low, high in zip(*lasting(response), strict=True)]
        for response, scale in ((real.load, float(real.load_kwh.mean())), (generated, mean_kwh))
    ]  # fmt: skip
    names = ("heating: 1 K colder below 17 C", "cooling: 1 K hotter above 24 C", "clearness: from 0 to 1")
    rows += [
        f"| {name} | {percent(one)} | {percent(two)} |" for name, one, two in zip(names, *sides, strict=True)
    ]
    return rows


def document(
    real: Real, rows: list[str], days: list[str], arguments: argparse.Namespace, model: HiDiff
) -> str:
    """The page."""
    table, day_table = "\n".join(rows), "\n".join(days)
    return f"""# What if the weather were another

Made by `benchmarks/what_if.py --homes {arguments.homes} --seed {arguments.seed}`; weights {str(model.model_hash)[:12]}.

{arguments.homes} `new` homes are generated under the weather of the year from {START} (temperature from a file,
clearness of the real homes) and, with the same seed, under edited copies of it: their days, that is, by the high level;
the half-hours meet the energy of these days exactly.

**Expected** is what the response of {real.homes} real homes over three years makes of the same edit
(`hidiff/metrics/response.py`): their daily energy on degrees below 17 C and above 24 C (mean of the day's extremes)
and clearness, today's and yesterday's, with season, weekday, holiday and a slow trend held fixed; it explains
{100 * real.load.explained:.0f} % of the mean home. Intervals are 95 %: over homes and blocks of 28 days for the real
response, over homes for the generated change. The real response is linear beyond the knees; days hotter than any
observed are extrapolated on both sides.

{table}

From day to day, within the unedited year (three real years beside one generated):

{day_table}

**By construction.** The slow level of clearness (61 days) is not shown to the high level: three years cannot teach it,
for load fell and skies cleared over them. Its effect on load is the measured {LOAD_PER_CLEARNESS} in the
logarithm per unit of clearness, and a home's own clearness follows it one to one. Everything else in the tables the
networks do.

**Limits.** The climate is Sydney's: files of another place say what they mean only as far as sun, seasons and range of
temperature are alike. Columns that a file lacks are generated, independent of those it has: a hotter file leaves the
clouds as they are. Homes do not buy an air conditioner because summers grow hotter.
"""


def main() -> None:
    """Measure, generate, compare, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="folder of the real homes")
    parser.add_argument(
        "--weather", type=Path, required=True, help="file of the temperature of the same days"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/what_if.md"))
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--homes", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    real = real_response(read_traces(arguments.real), arguments.weather, arguments.seed)
    model = hidiff.load(arguments.model)
    year = real.weather[real.weather.index >= START].iloc[:365]
    base = generate(model, arguments.homes, arguments.seed, year)
    rows = [
        "| Edit | counted | load of real homes, expected % | generated % | PV expected % | generated % |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, (season, edit) in EDITS.items():
        edited = edit(year)
        generated = generate(model, arguments.homes, arguments.seed, edited)
        cells = []
        for place, change in enumerate(expected(real, year, edited, season)):
            inside = months(year, season)
            before, after = (
                (side.load_kwh, side.pv_kwh)[place][:, inside].sum(axis=1) for side in (base, generated)
            )
            draws = random.generator(arguments.seed, "homes", name, place)
            cells += [percent(change), percent(relative_change(before, after, draws))]
        rows.append(f"| {name} | {season} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    own = fit_response(
        base.load_kwh, weather_terms(year), calendar_controls(pd.DatetimeIndex(year.index)),
        random.generator(arguments.seed, "response", "generated"),
    )  # fmt: skip
    days = day_rows(real, own, float(base.load_kwh.mean()))
    text = document(real, rows, days, arguments, model)
    with replace_when_done(arguments.out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(arguments.out)


if __name__ == "__main__":
    main()
