"""Plain time series for oemof.solph, one CSV file a scenario; used in a model by oemof.solph 0.6.5.

oemof.solph takes its series from pandas::

    table = pd.read_csv(folder / "scenario-s0" / "timeseries.csv", index_col="timeindex", parse_dates=True)
    system = solph.EnergySystem(timeindex=table.index, infer_last_interval=True)
    solph.components.Sink(inputs={bus: solph.Flow(fix=table["h0.load_kw"], nominal_capacity=1)})

* Columns are ``HOME.CHANNEL`` and shared channels by their own name, in hidiff's units: powers are **mean kW over a
  step** (solph multiplies by the step itself), prices per kWh, energies kWh a step.
* ``timeindex`` is the UTC start of a step, without zone.
"""

from __future__ import annotations

from pathlib import Path

from hidiff.scenarios import ScenarioSet

from .export_tables import export_folder, read_channel, scenario_folders, stamps, write_csv

FORMAT = "CSV time series for oemof.solph"
CONVENTIONS = {
    "columns": "HOME.CHANNEL; shared channels by their own name",
    "power": "mean kW over the step",
    "timeindex": "UTC start of the step, without zone",
}


def write_oemof(
    scenario_set: ScenarioSet, out: Path | str, *, force: bool = False, progress: bool = False
) -> Path:
    """Write one ``timeseries.csv`` a scenario, with every channel of the set."""
    with export_folder(scenario_set, out, format_name=FORMAT, conventions=CONVENTIONS, force=force) as folder:
        for row, own in scenario_folders(scenario_set, folder, progress):
            columns = {"timeindex": stamps(scenario_set.time)}
            for name, channel in scenario_set.channels.items():
                values = read_channel(scenario_set, name, row)
                if channel.has_homes:
                    columns |= {f"{home}.{name}": values[n] for n, home in enumerate(scenario_set.home_names)}
                else:
                    columns[name] = values
            write_csv(own / "timeseries.csv", columns)
    return Path(out)
