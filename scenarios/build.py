"""From a study to its scenario set: homes, weather, devices, prices, on one clock; then fewer scenarios."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

import hidiff
from hidiff.baselines.bootstrap import DayBootstrap
from hidiff.config import read_config, to_mapping
from hidiff.data.parquet import read_set
from hidiff.data.stored import StoredTraces, open_stored
from hidiff.data.weather import read_weather
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.output import check_out
from hidiff.prices import export_price_per_kwh, import_price_per_kwh
from hidiff.rng import generator

from . import store
from .ev_scenarios import with_electric_cars
from .extremes import cut_weeks, find_extremes
from .fan import fan
from .heat_pump import with_heat_pumps
from .population import draw_devices, draw_homes
from .reduce import reduce_set
from .reshape import years_as_scenarios
from .scenario_set import Channel, Rows, ScenarioSet, Values, normalised
from .sources import bootstrapped, generated
from .stress import add_to_load, remove_heating, scale
from .study import Group, Study
from .tree_figure import tree_of, with_tree
from .weather import weather_channels
from .wholesale import lay_on, read_wholesale


def build(
    study: Study | Path | str, out: Path | str, *, force: bool = False, device: str = "cpu", workers: int | None = None,
    progress: bool = False,
) -> Path:  # fmt: skip
    """Make the set that a study asks for and save it, with the study, all defaults filled in, beside it.

    Args:
        study: a study, or the YAML file of one.
        force: an earlier set in ``out`` may be replaced.

    Raises:
        ValueError: a study that asks for what cannot be, an ``out`` that is in use.
    """
    asked = study if isinstance(study, Study) else read_config(study, Study)
    check_out(Path(out), store.CONTENT, force=force)
    text = yaml.safe_dump(to_mapping(asked), sort_keys=False, allow_unicode=True)
    whole = _whole(asked, device, workers)
    if asked.extremes is None and asked.reduce is None and asked.tree is None:
        return store.save(whole, out, force=force, progress=progress, texts={"study.yaml": text})
    # To choose is to read all of it: what was made for that is kept until it is written.
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{Path(out).name}.", dir=Path(out).parent) as beside:
        made = store.open_scenarios(store.save(whole, Path(beside) / "whole", progress=progress))
        return store.save(_kept(asked, made), out, force=force, texts={"study.yaml": text})


def scenarios_of(study: Study, *, device: str = "cpu", workers: int | None = None) -> ScenarioSet:
    """The set that a study asks for, made when it is read.

    What is drawn is keyed by the population's seed (homes, habits, who has what) and by the seed of the scenarios
    (weather, days), so that more scenarios or homes leave the others as they are.

    Raises:
        ValueError: parts of the study that do not go together.
    """
    return _kept(study, _whole(study, device, workers))


def _whole(study: Study, device: str = "cpu", workers: int | None = None) -> ScenarioSet:
    """All scenarios, before any is left out."""
    made = _homes(study, device, workers)
    made = _weather(study, made)
    made = _devices(study, made)
    made = _prices(study, made)
    if study.span.end:
        made = made.between(made.time[0], study.span.end)
    return made.resample(study.span.step).with_provenance(hidiff=hidiff.__version__, study=to_mapping(study))


def _kept(study: Study, made: ScenarioSet) -> ScenarioSet:
    """The extreme weeks of a set, fewer scenarios of it, their tree, as asked."""
    if study.extremes is not None:
        events = find_extremes(made, study.extremes.kinds or None)
        events = events.groupby("kind", sort=False).head(study.extremes.count)
        made = cut_weeks(made, events, days=study.extremes.days)
    if study.reduce is not None:
        made = reduce_set(made, study.reduce.to, method=study.reduce.method)[0]
    if study.tree is None:
        return made
    starts = [round(hour / made.dt_h) for hour in study.tree.starts_h]
    tree, distance = tree_of(made, starts, study.tree.nodes)
    return with_tree(made, tree, starts, distance)


SECONDS_PER_HOME_YEAR = 0.5
"""Of sampling, on two cores."""
BYTES_PER_VALUE = 2.4
"""On disk, of load and PV; what others add is less."""


def plan_text(study: Study | Path | str) -> str:
    """How large the set of a study would be and how long it would take, without making it."""
    asked = study if isinstance(study, Study) else read_config(study, Study)
    made = _whole(asked)
    scenarios, homes, steps = made.shape
    home_years = scenarios * homes * asked.span.years if asked.scenarios.source == "model" else 0
    kept = scenarios if asked.reduce is None else asked.reduce.to
    size = made.nbytes / 4 * BYTES_PER_VALUE * kept / scenarios
    fewer = "" if kept == scenarios else f", {kept} kept,"
    return (
        f"{scenarios:,} scenarios{fewer} x {homes:,} homes x {steps:,} steps of "
        f"{made.dt_h:g} h\nchannels   {', '.join(made.channels)}\nsize       about {size / 1e6:,.0f} MB\n"
        f"time       about {_duration(home_years * SECONDS_PER_HOME_YEAR)} of sampling on two cores"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"


def scenario_seed(study: Study, scenario: int) -> int:
    """Seed of what is by chance in one scenario."""
    return int(generator(study.scenarios.seed, "scenario", scenario).integers(2**62))


# ---------------------------------------------------------------- load and PV


def _homes(study: Study, device: str, workers: int | None) -> ScenarioSet:
    span, scenarios = study.span, study.scenarios
    if scenarios.source == "model":
        model = HiDiff.load(study.model)
        people, homes = draw_homes(model, study.population)
        table, weather = _scenario_table(study), _given_weather(study)
        made = generated(
            model, people, homes, table, start=span.start, years=span.years, time_zone=span.time_zone, weather=weather,
            device=device, workers=workers,
        )  # fmt: skip
        return made.with_provenance(model_sha256=model.model_hash)
    assert scenarios.traces is not None  # `Scenarios` has checked it
    _check_groups(study)
    stored = open_stored(scenarios.traces)
    groups = [(group, group.count) for group in study.population.groups]
    count = sum(number for _, number in groups)
    if count > len(stored):
        raise ValueError(
            f"the population has {count} homes, {scenarios.traces} has {len(stored)}; ask for fewer"
        )
    chosen = stored.select(stored.names[:count])
    made = _from_traces(study, chosen)
    devices = draw_devices(groups, study.population.seed).set_index(made.homes.index)
    return replace(
        made, homes=pd.concat([made.homes.drop(columns=devices.columns, errors="ignore"), devices], axis=1)
    )


def _from_traces(study: Study, chosen: StoredTraces) -> ScenarioSet:
    scenarios, span = study.scenarios, study.span
    if scenarios.source == "bootstrap":
        if chosen.time_zone != span.time_zone:
            raise ValueError(
                f"the traces keep the clock of {chosen.time_zone}; write span.time_zone: {chosen.time_zone}"
            )
        fitted = DayBootstrap(shared_days=True).fit(chosen.read())  # neighbours stay under one sky
        table = _scenario_table(study)
        return bootstrapped(fitted, chosen.names, table, start=span.start, years=span.years)
    if scenarios.source == "day-ahead":
        assert scenarios.traces is not None
        readings = read_set(scenarios.traces).select(chosen.names)
        weather = _given_weather(study)[0] if study.weather.files else None
        model = HiDiff.load(study.model)
        made = fan(
            model, readings, days=scenarios.days, n=scenarios.count, seed=scenarios.seed, weather=weather
        )
        return made.with_provenance(model_sha256=model.model_hash)
    made = ScenarioSet.from_traces(chosen)
    whole = years_as_scenarios(made)
    return whole.select(scenarios=range(min(scenarios.count, len(whole))))


def _check_groups(study: Study) -> None:
    """Raise where a size is asked of homes that are as they are."""
    for group in study.population.groups:
        for name in ("annual_kwh", "pv_kwp", "like"):
            if getattr(group, name) != getattr(Group(), name):
                raise ValueError(
                    f"group {group.name!r} asks for {name}, but source {study.scenarios.source!r} takes homes as they "
                    "are; leave it out, or use source: model"
                )


def _scenario_table(study: Study) -> pd.DataFrame:
    """One row a scenario: probability, seed, and the weather file where there are several."""
    files: list[Path | None] = list(study.weather.files) or [None]
    count = study.scenarios.count
    weights = normalised(np.array(study.weather.weights or [1.0] * len(files), dtype=np.float64))
    total = count * len(files)
    digits = len(str(total - 1))
    rows = [
        {
            "probability": weights[number] / count,
            # With several files each gets the same people's days, so that the weather alone tells them apart.
            "seed": scenario_seed(study, scenario),
            **({"weather": file.stem} if file is not None else {}),
        }
        for number, file in enumerate(files)
        for scenario in range(count)
    ]
    table = pd.DataFrame(rows)
    table["probability"] = normalised(table["probability"].to_numpy(dtype=np.float64))
    table.index = pd.Index(
        [f"s{number:0{digits}d}" for number in range(total)], name="scenario", dtype=object
    )
    return table


def _given_weather(study: Study) -> list[pd.DataFrame | None]:
    """Daily weather of each scenario; None is generated."""
    if not study.weather.files:
        return [None] * study.scenarios.count
    return [frame for file in study.weather.files for frame in [read_weather(file)] * study.scenarios.count]


# ---------------------------------------------------------------- weather, devices, prices


def _weather(study: Study, made: ScenarioSet) -> ScenarioSet:
    """Temperature and clearness, where they are known: the model's own, or those of the files."""
    if study.scenarios.source == "model":
        model, span, given = HiDiff.load(study.model), study.span, _given_weather(study)
        seeds = [int(seed) for seed in made.scenarios["seed"]]
        daily = [
            model.daily_weather(span.years, span.start, seed, weather=weather, time_zone=span.time_zone)
            for seed, weather in zip(seeds, given, strict=True)
        ]
    elif study.weather.files and study.scenarios.source == "bootstrap":
        daily = [frame for frame in _given_weather(study) if frame is not None]
    else:
        return made
    return made.with_channels(weather_channels(daily, made.time, made.time_zone))


def _devices(study: Study, made: ScenarioSet) -> ScenarioSet:
    homes, seed, stress = made.homes, study.population.seed, study.stress
    made = scale(made, {name: f for name, f in (("load_kw", stress.load), ("pv_kw", stress.pv)) if f != 1})
    added = []
    warm, driven = ([str(name) for name in homes.index[homes[flag]]] for flag in ("has_heat_pump", "has_ev"))
    if warm:
        if "temperature_c" not in made.channels:
            raise ValueError(
                f"heat pumps need a temperature, and source {study.scenarios.source!r} knows none; give weather.files, "
                "or use source: model"
            )
        if stress.remove_heating:
            made = remove_heating(made, homes=warm)
        made = with_heat_pumps(made, homes=warm, seed=seed, config=study.heat_pump)
        added.append("heat_kw")
    if driven:
        made = with_electric_cars(
            made, homes=driven, seed=study.scenarios.seed, population_seed=seed, config=study.electric_car
        )
        added.append("ev_kw")
    return add_to_load(made, added) if stress.into_load and added else made


def _prices(study: Study, made: ScenarioSet) -> ScenarioSet:
    channels = {}
    wholesale = None
    if study.wholesale is not None:
        price = read_wholesale(study.wholesale.file)
        laid = [
            lay_on(price, made.time, made.time_zone, study.scenarios.seed, number)
            for number in range(len(made))
        ]
        wholesale = np.stack([values for values, _ in laid])
        made = replace(made, scenarios=made.scenarios.assign(price_start=[start for _, start in laid]))
        channels["wholesale_price_per_kwh"] = _shared(wholesale)
    if study.tariff is not None:
        spots: Iterable[NDArray[np.float64] | None] = (
            [None] * len(made) if wholesale is None else wholesale.astype(np.float64)
        )
        clock = study.tariff, made.time, made.time_zone
        prices = [(import_price_per_kwh(*clock, spot), export_price_per_kwh(*clock, spot)) for spot in spots]
        channels["import_price_per_kwh"] = _shared(np.stack([bought for bought, _ in prices]))
        channels["export_price_per_kwh"] = _shared(np.stack([sold for _, sold in prices]))
    if wholesale is not None and study.wholesale is not None and study.wholesale.margin_per_kwh is not None:
        channels["import_price_per_kwh"] = _shared(wholesale + study.wholesale.margin_per_kwh)
    return made.with_channels(channels)


def _shared(values: NDArray[np.floating]) -> Channel:
    array = values.astype(np.float32)

    def read(scenario: int, rows: Rows) -> Values:
        return np.asarray(array[scenario].copy())

    return Channel(read=read, unit="currency/kWh", kind="state", has_homes=False)
