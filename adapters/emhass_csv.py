"""Forecast files for EMHASS's ``csv`` methods, one folder a scenario and home; opened by EMHASS 0.18.7.

The files lie in ``scenario-NAME/HOME/`` under the names that EMHASS looks for in its data folder::

    data_load_forecast.csv       load, car and heat pump [W]
    data_weather_forecast.csv    PV power [W]; with the method csv, EMHASS takes this file for PV, not for weather
    data_load_cost_forecast.csv  import_price_per_kwh, where the set has it
    data_prod_price_forecast.csv export_price_per_kwh, where the set has it

* No header; a row is ``2030-01-07 00:00:00+11:00,512.3``: local start of the step with its offset, and a value.
* Powers are **W**, means over a step; prices per kWh.
* EMHASS reads load and PV by position, from the step that it runs in, and prices by their stamps: give it a span
  that begins with that step. It takes days by their number in the month, so a span may not reach into the next
  month's same day.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from hidiff.scenarios import ScenarioSet

from .export_tables import (
    consumption_kw,
    export_folder,
    pv_kw_of,
    read_channel,
    require_channels,
    scenario_folders,
    stamps,
    write_csv,
)

FORMAT = "EMHASS csv forecasts"
CONVENTIONS = {
    "power": "W, mean over the step; load includes car and heat pump",
    "price": "currency per kWh",
    "time": "local start of the step with its offset; no header",
}
LONGEST_DAYS = 27
"""Local dates after the first that a span may reach to; with 28 more, February would come round to its first day."""


def write_emhass(
    scenario_set: ScenarioSet, out: Path | str, *, force: bool = False, progress: bool = False
) -> Path:
    """Write the forecast files of each scenario and home.

    Raises:
        ValueError: no ``load_kw``; a span of more than 28 days.
    """
    require_channels(scenario_set, ["load_kw"], "EMHASS")
    local = scenario_set.time.tz_convert(scenario_set.time_zone)
    days = (local[-1].tz_localize(None).normalize() - local[0].tz_localize(None).normalize()) // pd.Timedelta(
        "1D"
    )
    if days > LONGEST_DAYS:
        raise ValueError(
            f"the set spans {days + 1} days; EMHASS tells days by their number in the month, so at most "
            f"{LONGEST_DAYS + 1} can be written: cut with between()"
        )
    time = stamps(scenario_set.time, scenario_set.time_zone, has_offset=True)
    with export_folder(scenario_set, out, format_name=FORMAT, conventions=CONVENTIONS, force=force) as folder:
        for row, own in scenario_folders(scenario_set, folder, progress):
            series = {
                "data_load_forecast.csv": consumption_kw(scenario_set, row) * np.float32(1000),
                "data_weather_forecast.csv": pv_kw_of(scenario_set, row) * np.float32(1000),
            }
            for name, file in (
                ("import", "data_load_cost_forecast.csv"),
                ("export", "data_prod_price_forecast.csv"),
            ):
                if f"{name}_price_per_kwh" in scenario_set.channels:
                    series[file] = np.atleast_2d(read_channel(scenario_set, f"{name}_price_per_kwh", row))
            for number, home in enumerate(scenario_set.home_names):
                (own / home).mkdir()
                for file, values in series.items():
                    one = values[number % len(values)]
                    write_csv(own / home / file, {"ts": time, "yhat": one}, has_header=False)
    return Path(out)
