import highspy
import pandas as pd
import pytest
from oemof import solph

from hidiff.adapters.oemof_csv import write_oemof

from .export_sets import make_export_set
from .test_pypsa_series import cost_without_battery


def test_a_solph_model_of_the_series_costs_what_they_cost(tmp_path):
    scenario_set = make_export_set()
    path = write_oemof(scenario_set, tmp_path / "out") / "scenario-s2" / "timeseries.csv"
    table = pd.read_csv(path, index_col="timeindex", parse_dates=True)
    assert table.index[0] == pd.Timestamp("2030-01-06 13:00")
    system = solph.EnergySystem(timeindex=table.index, infer_last_interval=True)
    for home in scenario_set.home_names:
        bus = solph.Bus(label=home)
        flows = {
            name: solph.Flow(fix=table[f"{home}.{name}"], nominal_capacity=1)
            for name in ("load_kw", "ev_kw", "heat_kw")
        }
        system.add(
            bus,
            *(
                solph.components.Sink(label=f"{home}-{name}", inputs={bus: flow})
                for name, flow in flows.items()
            ),
            solph.components.Source(
                label=f"{home}-pv",
                outputs={bus: solph.Flow(maximum=table[f"{home}.pv_kw"], nominal_capacity=1)},
            ),
            solph.components.Source(
                label=f"{home}-grid", outputs={bus: solph.Flow(variable_costs=table["import_price_per_kwh"])}
            ),
        )
    model = solph.Model(system)
    model.write(str(tmp_path / "model.lp"), io_options={"symbolic_solver_labels": True})
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(tmp_path / "model.lp"))
    highs.run()
    cost = highs.getInfo().objective_function_value
    assert cost == pytest.approx(cost_without_battery(scenario_set, 2), rel=1e-6)
