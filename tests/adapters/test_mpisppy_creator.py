import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mpisppy.opt.ef import ExtensiveForm

from hidiff.adapters.battery_day_ahead import battery_day_ahead, expected_cost
from hidiff.adapters.mpisppy_creator import scenario_creator
from hidiff.errors import InfeasibleError
from hidiff.home import Battery, Home

from .export_sets import make_export_set


def extensive_form(problem):
    form = ExtensiveForm(
        {"solver": "appsi_highs"},
        problem.names,
        scenario_creator,
        scenario_creator_kwargs={"problem": problem},
    )
    form.solve_extensive_form()
    return form


def test_mpisppy_finds_our_optimum():
    problem = battery_day_ahead(make_export_set(scenarios=5, days=1), None, "h0")
    form = extensive_form(problem)
    assert form.get_objective_value() == pytest.approx(expected_cost(problem), rel=1e-7)
    plans = [[v.value for v in m.charge_kw.values()] for _, m in form.local_scenarios.items()]
    np.testing.assert_allclose(plans, np.tile(plans[0], (5, 1)), atol=1e-6)  # nobody knows the scenario


def test_a_plan_for_all_scenarios_costs_no_less_than_a_plan_for_each():
    scenario_set = make_export_set(scenarios=4, days=1)
    together = expected_cost(battery_day_ahead(scenario_set, None, "h0"))
    each = [
        expected_cost(battery_day_ahead(scenario_set.select(scenarios=[row]), None, "h0")) for row in range(4)
    ]
    assert scenario_set.probability @ each < together


def test_the_command_line_of_mpisppy_takes_the_module_and_a_saved_set(tmp_path):
    scenario_set = make_export_set(days=1)
    scenario_set.save(tmp_path / "set")
    asked = [
        sys.executable, "-m", "mpisppy.generic_cylinders", "--module-name", "hidiff.adapters.mpisppy_creator",
        "--scenarios", tmp_path / "set", "--home", "h1", "--num-scens", "3", "--EF", "--EF-solver-name", "appsi_highs",
    ]  # fmt: skip
    paths = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        list(map(str, asked)), capture_output=True, text=True, check=True, cwd=tmp_path, env=paths
    )
    found = re.search(r"EF objective: ([-\d.e]+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) == pytest.approx(
        expected_cost(battery_day_ahead(scenario_set, None, "h1")), rel=1e-7
    )


def test_what_the_programme_cannot_carry_is_refused():
    scenario_set = make_export_set(days=1)
    with pytest.raises(ValueError, match="has 3 homes, the programme one battery"):
        battery_day_ahead(scenario_set)
    with pytest.raises(ValueError, match="has no battery"):
        battery_day_ahead(scenario_set, Home(battery=None), "h0")
    problem = battery_day_ahead(scenario_set, None, "h0")
    with pytest.raises(ValueError, match="more for export than for import at step"):
        replace(problem, export_price_per_kwh=problem.import_price_per_kwh + 0.01)
    with pytest.raises(InfeasibleError, match="raise import_limit_kw"):
        expected_cost(battery_day_ahead(scenario_set, Home(battery=Battery(), import_limit_kw=0.01), "h0"))
    with pytest.raises(ValueError, match="no scenario 's9'"):
        scenario_creator("s9", problem=problem)
