import pandas as pd
import pytest

from hidiff.adapters.calliope_files import write_calliope

from .export_sets import make_export_set
from .reader_environments import read
from .test_pypsa_series import cost_without_battery


@pytest.mark.slow
def test_calliope_builds_the_model_and_its_optimum_is_our_cost(tmp_path):
    scenario_set = make_export_set()
    folder = write_calliope(scenario_set, tmp_path / "out")
    seen = read("calliope", folder / "scenario-s1" / "model.yaml")
    assert seen["version"] == "0.7.0"
    assert seen["timesteps"] == ["2030-01-06 13:00:00", "2030-01-06 13:30:00"]
    consumption = sum(scenario_set.read(name, 1) for name in ("load_kw", "ev_kw", "heat_kw"))
    for number, home in enumerate(scenario_set.home_names):
        assert seen["demand_kwh"][home] == pytest.approx(consumption[number].sum() * 0.5, rel=1e-6)
    assert seen["cost"] == pytest.approx(cost_without_battery(scenario_set, 1), rel=1e-6)


def test_the_tables_hold_energy_per_step(tmp_path):
    scenario_set = make_export_set(days=1, step="15min", channels=("load_kw",))
    table = pd.read_csv(write_calliope(scenario_set, tmp_path / "out") / "scenario-s0" / "demand.csv")
    assert table["h1"].sum() == pytest.approx(scenario_set.read("load_kw", 0)[1].sum() / 4, rel=1e-6)
