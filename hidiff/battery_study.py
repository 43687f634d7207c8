"""What a battery is worth to one home: its yearly bill without it, under a rule and at its best."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from hidiff.adapters.pyomo_home import optimise_home, replay
from hidiff.data.traces import Traces
from hidiff.envs import HomeEnv, Simulation, do_nothing, import_price_per_kwh, self_consumption, simulate
from hidiff.home import Battery, Home, Tariff

Floats = NDArray[np.float64]
CASES = ("no PV, no battery", "PV", "PV + battery, rule", "PV + battery, optimum")


@dataclass(frozen=True, kw_only=True)
class BatteryStudyConfig:
    """The battery and the tariff of a study."""

    battery: Battery = field(default_factory=lambda: Battery(soc_initial=0.0))
    """The battery; by default 13.5 kWh and 5 kW, and empty at the start: no bill gains from what it held."""
    tariff: Tariff = field(default_factory=Tariff.time_of_use)
    """What energy costs; by default peak 0.52 (weekdays 14-20 h), shoulder 0.31 (7-22 h), off-peak 0.22 and
    export 0.05 per kWh, and 0.90 a day."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BatteryStudy:
    """One home's year in four cases; arrays of shape ``(step,)``, mean power in kW."""

    home: str
    """Name of the home."""
    config: BatteryStudyConfig
    table: pd.DataFrame
    """One row a case: ``yearly_bill`` and ``saving`` [currency], ``import_kwh``, ``export_kwh`` and
    ``self_sufficiency``, the share of the load that was not imported."""
    time: pd.DatetimeIndex
    time_zone: str
    load_kw: Floats
    pv_kw: Floats
    import_price: Floats
    """[currency/kWh]"""
    rule: Simulation
    """The battery under `self_consumption`."""
    optimum: Simulation
    """The battery under the cheapest schedule of all that know the year ahead."""


def median_pv_home(traces: Traces) -> str:
    """Name of the home whose PV capacity is the median of the homes that have PV, the lower one of two.

    Raises:
        ValueError: no home has PV.
    """
    capacity_kwp = traces.homes["pv_capacity_kwp"]
    capacity_kwp = capacity_kwp[(capacity_kwp > 0).to_numpy() & (traces.pv_kwh > 0)]
    if not len(capacity_kwp):
        raise ValueError(f"none of the {len(traces)} homes has PV; a battery study needs a home with PV")
    ranked = capacity_kwp.sort_values(kind="stable")
    return str(ranked.index[(len(ranked) - 1) // 2])


def first_year(traces: Traces) -> Traces:
    """The twelve months from the first step, on the homes' clock.

    Raises:
        ValueError: the traces are shorter.
    """
    start = traces.time[0].tz_convert(traces.time_zone)
    anniversary = start.tz_localize(None) + pd.DateOffset(years=1)
    end = anniversary.tz_localize(traces.time_zone, nonexistent="shift_forward", ambiguous=True)
    if traces.time[-1] + pd.Timedelta(hours=traces.dt_h) < end:
        raise ValueError(
            f"the traces run from {start} to {traces.time[-1]}; a yearly bill needs twelve months"
        )
    return traces.between(start, end)


def study_battery(
    traces: Traces,
    home: str | None = None,
    config: BatteryStudyConfig | None = None,
    *,
    progress: bool = False,
) -> BatteryStudy:
    """Bills of one home over the first year of its trace, every case run through `HomeEnv`.

    Args:
        traces: at least twelve months, without gaps in the year.
        home: name of the home; the one of median PV capacity where None.
        progress: a bar on stderr.

    Raises:
        ValueError: an unknown home, one without PV where none is named, less than a year, or a gap.
    """
    config = config or BatteryStudyConfig()
    home = median_pv_home(traces) if home is None else home
    year = first_year(traces.select([home]))
    with_battery = Home(battery=config.battery, tariff=config.tariff)
    runs: dict[str, Simulation] = {}
    with tqdm(total=len(CASES), desc="battery study", unit="case", disable=not progress) as bar:
        for case, description in (
            (CASES[0], Home(battery=None, tariff=config.tariff, pv_capacity_kwp=0)),
            (CASES[1], Home(battery=None, tariff=config.tariff)),
        ):
            runs[case] = simulate(_year_env(year, description), do_nothing, options=_whole(year))
            bar.update()
        env = _year_env(year, with_battery)
        runs[CASES[2]] = simulate(env, self_consumption, options=_whole(year))
        bar.update()
        schedule = optimise_home(with_battery, env.load_kw, env.pv_kw, env.time, time_zone=year.time_zone)
        runs[CASES[3]] = replay(schedule, env, options=_whole(year))
        bar.update()
    return BatteryStudy(
        home=home,
        config=config,
        table=_table(runs, env.load_kw, year.dt_h),
        time=env.time,
        time_zone=year.time_zone,
        load_kw=env.load_kw,
        pv_kw=env.pv_kw,
        import_price=import_price_per_kwh(config.tariff, env.time, year.time_zone),
        rule=runs[CASES[2]],
        optimum=runs[CASES[3]],
    )


def _year_env(year: Traces, home: Home) -> HomeEnv:
    """The whole year as one episode; energy left in the battery is worth nothing, as on a bill."""
    return HomeEnv(year, home, episode_days=len(year.time) * year.dt_h / 24, end_value_per_kwh=0.0)


def _whole(year: Traces) -> dict[str, object]:
    return {"home": year.names[0], "start": year.time[0]}


def _table(runs: dict[str, Simulation], load_kw: Floats, dt_h: float) -> pd.DataFrame:
    nothing = runs[CASES[0]].cost
    load_kwh = load_kw.sum() * dt_h
    rows = {
        case: {
            "yearly_bill": run.cost,
            "saving": nothing - run.cost,
            "import_kwh": run.import_kw.sum() * dt_h,
            "export_kwh": run.export_kw.sum() * dt_h,
            "self_sufficiency": 1 - run.import_kw.sum() * dt_h / load_kwh,
        }
        for case, run in runs.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
