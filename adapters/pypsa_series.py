"""PyPSA networks as folders of CSV files, one a scenario; opened by PyPSA 1.4.0.

``pypsa.Network(folder / "scenario-s0")``, or ``import_from_csv_folder``; `stochastic_network` makes one network of
all scenarios with their probabilities.

* Powers are **MW** (kW / 1000), prices per **MWh**. A snapshot is the UTC start of a step, without zone, as PyPSA
  keeps it; its weight is the step in hours, so that energies and costs come out right on half-hours.
* Each home is a bus with a load for each of ``load_kw``, ``ev_kw``, ``heat_kw`` (``p_set``, > 0 consumes), a generator
  ``NAME pv`` of its capacity whose ``p_max_pu`` is output per kWp (PyPSA may turn it down), and, where the set has
  prices, a generator ``NAME import`` that costs ``import_price_per_kwh``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hidiff.scenarios import ScenarioSet

from .export_tables import (
    CONSUMPTION,
    Values,
    export_folder,
    pv_capacity_kwp,
    pv_kw_of,
    read_channel,
    require_channels,
    scenario_folders,
    stamps,
    write_csv,
)
from .require import require

PYPSA_VERSION = "1.4.0"
"""The version whose names of columns are written; PyPSA asks for it."""
FORMAT = f"PyPSA {PYPSA_VERSION} CSV folders"
CONVENTIONS = {
    "power": "MW",
    "price": "currency per MWh",
    "snapshots": "UTC start of the step, without zone; weighted by its hours",
    "sign": "p_set > 0 consumes; p_max_pu is PV output per capacity",
}


def write_pypsa(
    scenario_set: ScenarioSet,
    out: Path | str,
    *,
    force: bool = False,
    progress: bool = False,
    import_limit_kw: float = 1000.0,
) -> Path:
    """Write one PyPSA network a scenario.

    Args:
        import_limit_kw: size of the generator that stands for each home's connection [kW].

    Raises:
        ValueError: no ``load_kw``; a home that generates without a capacity.
    """
    require_channels(scenario_set, ["load_kw"], "PyPSA")
    with export_folder(scenario_set, out, format_name=FORMAT, conventions=CONVENTIONS, force=force) as folder:
        for row, own in scenario_folders(scenario_set, folder, progress):
            _write_network(scenario_set, row, own, import_limit_kw)
    return Path(out)


def stochastic_network(folder: Path | str) -> Any:
    """All networks of an export as one stochastic ``pypsa.Network``, scenarios weighted by their probabilities.

    Args:
        folder: what `write_pypsa` wrote.

    Raises:
        DependencyMissing: PyPSA is not installed.
    """
    pypsa = require("pypsa", "exports")
    folder = Path(folder)
    table = pd.read_csv(folder / "scenarios.csv", dtype={"scenario": str}).set_index("scenario")
    network = pypsa.Network(folder / f"scenario-{table.index[0]}")
    network.set_scenarios(table["probability"].to_dict())
    for name in table.index:
        own = pypsa.Network(folder / f"scenario-{name}")
        for component, series in (
            ("loads", "p_set"),
            ("generators", "p_max_pu"),
            ("generators", "marginal_cost"),
        ):
            values = own.c[component].dynamic[series]
            target = network.c[component].dynamic[series]
            for column in values.columns:
                target[(name, column)] = values[column]
    return network


def _write_network(scenario_set: ScenarioSet, row: int, own: Path, import_limit_kw: float) -> None:
    homes = scenario_set.home_names
    has_price = "import_price_per_kwh" in scenario_set.channels
    (own / "network.csv").write_text(
        f"name,pypsa_version\nscenario {scenario_set.names[row]},{PYPSA_VERSION}\n", encoding="utf-8"
    )
    carriers = ["AC", "solar", "grid"]
    write_csv(own / "carriers.csv", {"name": np.array(carriers, dtype=object)})
    write_csv(
        own / "buses.csv", {"name": np.array(homes, dtype=object), "carrier": _repeated("AC", len(homes))}
    )
    snapshot = stamps(scenario_set.time)
    dt_h = np.full(len(snapshot), scenario_set.dt_h)
    write_csv(
        own / "snapshots.csv",
        {
            "": np.arange(len(snapshot)),
            "snapshot": snapshot,
            "objective": dt_h,
            "stores": dt_h,
            "generators": dt_h,
        },
    )
    loads: dict[str, tuple[str, Values]] = {}
    for name in CONSUMPTION:
        if name in scenario_set.channels:
            values = read_channel(scenario_set, name, row)
            word = name.removesuffix("_kw")
            loads |= {f"{home} {word}": (home, values[number]) for number, home in enumerate(homes)}
    write_csv(
        own / "loads.csv",
        {
            "name": np.array(list(loads), dtype=object),
            "bus": np.array([bus for bus, _ in loads.values()], dtype=object),
        },
    )
    write_csv(
        own / "loads-p_set.csv",
        {"snapshot": snapshot} | {name: _mw(values) for name, (_, values) in loads.items()},
    )
    pv_kw = pv_kw_of(scenario_set, row)
    capacity = pv_capacity_kwp(scenario_set, pv_kw)
    solar = np.flatnonzero(capacity > 0)
    buses = [homes[number] for number in solar] + (homes if has_price else [])
    words = ["pv"] * len(solar) + (["import"] * len(homes) if has_price else [])
    if buses:
        sizes_kw = np.concatenate([capacity[solar], np.full(len(buses) - len(solar), import_limit_kw)])
        carriers = ["solar" if word == "pv" else "grid" for word in words]
        write_csv(
            own / "generators.csv",
            {
                "name": np.array(
                    [f"{bus} {word}" for bus, word in zip(buses, words, strict=True)], dtype=object
                ),
                "bus": np.array(buses, dtype=object),
                "carrier": np.array(carriers, dtype=object),
                "p_nom": sizes_kw / 1000,
            },
        )
    if len(solar):
        per_kwp = {f"{homes[n]} pv": pv_kw[n].astype(np.float64) / capacity[n] for n in solar}
        write_csv(own / "generators-p_max_pu.csv", {"snapshot": snapshot} | per_kwp)
    if has_price:
        price = (
            np.atleast_2d(read_channel(scenario_set, "import_price_per_kwh", row)).astype(np.float64) * 1000
        )
        costs = {f"{home} import": price[number % len(price)] for number, home in enumerate(homes)}
        write_csv(own / "generators-marginal_cost.csv", {"snapshot": snapshot} | costs)


def _mw(values_kw: Values) -> Any:
    return values_kw.astype(np.float64) / 1000


def _repeated(word: str, count: int) -> Any:
    return np.array([word] * count, dtype=object)
