"""Calliope models, ``model.yaml`` and data tables, one folder a scenario; opened and solved by Calliope 0.7.0.

``calliope.read_yaml(folder / "scenario-s0" / "model.yaml")`` is a whole model to change: nodes are homes, with the
techs ``demand``, ``pv`` (may be turned down) and, where the set has prices, ``grid_import``.

* Calliope's flows are **energy per timestep**: the tables hold kWh a step, ``kW x dt_h``, not kW.
* ``sink_use_equals`` (demand) and ``source_use_max`` (PV) are magnitudes; costs are per kWh.
* ``timesteps`` are UTC starts of steps, without zone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

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
from .require import require

FORMAT = "Calliope 0.7 model"
CONVENTIONS = {
    "energy": "kWh per timestep, magnitudes; demand is load, car and heat pump",
    "price": "currency per kWh",
    "timesteps": "UTC start of the step, without zone",
}


def write_calliope(
    scenario_set: ScenarioSet, out: Path | str, *, force: bool = False, progress: bool = False
) -> Path:
    """Write one Calliope model a scenario.

    Raises:
        ValueError: no ``load_kw``; prices that differ between homes.
    """
    require_channels(scenario_set, ["load_kw"], "Calliope")
    has_price = "import_price_per_kwh" in scenario_set.channels
    if has_price and scenario_set.channels["import_price_per_kwh"].has_homes:
        raise ValueError(
            "import_price_per_kwh differs between homes; a Calliope export has one price: select() them"
        )
    homes, dt_h = scenario_set.home_names, np.float32(scenario_set.dt_h)
    time = stamps(scenario_set.time)
    with export_folder(scenario_set, out, format_name=FORMAT, conventions=CONVENTIONS, force=force) as folder:
        for row, own in scenario_folders(scenario_set, folder, progress):
            pv_kw = pv_kw_of(scenario_set, row)
            is_solar = pv_kw.max(axis=1) > 0
            demand_kwh = consumption_kw(scenario_set, row) * dt_h
            write_csv(own / "demand.csv", {"timesteps": time} | dict(zip(homes, demand_kwh, strict=True)))
            if is_solar.any():
                solar = {home: pv_kw[n] * dt_h for n, home in enumerate(homes) if is_solar[n]}
                write_csv(own / "pv.csv", {"timesteps": time} | solar)
            if has_price:
                price = read_channel(scenario_set, "import_price_per_kwh", row)
                write_csv(own / "import_price.csv", {"timesteps": time, "monetary": price})
            model = _model(scenario_set, scenario_set.names[row], is_solar.tolist(), has_price)
            text = require("yaml").safe_dump(model, sort_keys=False)
            (own / "model.yaml").write_text(text, encoding="utf-8")
    return Path(out)


def _model(scenario_set: ScenarioSet, name: str, is_solar: list[bool], has_price: bool) -> dict[str, Any]:
    techs: dict[str, Any] = {
        "demand": {"name": "Demand", "base_tech": "demand", "carrier_in": "electricity"},
    }
    tables: dict[str, Any] = {
        "demand": _table("demand.csv", columns="nodes", techs="demand", inputs="sink_use_equals")
    }
    if any(is_solar):
        techs["pv"] = {"name": "PV", "base_tech": "supply", "carrier_out": "electricity"}
        tables["pv"] = _table("pv.csv", columns="nodes", techs="pv", inputs="source_use_max")
    if has_price:
        techs["grid_import"] = {"name": "Import", "base_tech": "supply", "carrier_out": "electricity"}
        tables["price"] = _table(
            "import_price.csv", columns="costs", techs="grid_import", inputs="cost_flow_out"
        )
    nodes = {}
    for home, solar in zip(scenario_set.home_names, is_solar, strict=True):
        names = ["demand", *(["pv"] if solar else []), *(["grid_import"] if has_price else [])]
        nodes[home] = {"techs": dict.fromkeys(names)}
    return {
        "config": {
            "init": {"name": f"scenario {name}", "calliope_version": "0.7.0", "mode": "base"},
            "build": {"ensure_feasibility": True},
        },
        "data_definitions": {
            "objective_cost_weights": {"data": 1, "index": "monetary", "dims": "costs"}, "bigM": 1e6,
        },
        "data_tables": tables,
        "techs": techs,
        "nodes": nodes,
    }  # fmt: skip


def _table(file: str, *, columns: str, **add_dims: str) -> dict[str, Any]:
    return {"table": file, "rows": "timesteps", "columns": columns, "add_dims": add_dims}
