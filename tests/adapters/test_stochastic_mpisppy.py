import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mpisppy.opt.ef import ExtensiveForm
from mpisppy.opt.ph import PH

from hidiff.adapters.stochastic_home import plan_ahead, plan_on_tree, plan_programme, scenarios_of_set
from hidiff.adapters.stochastic_mpisppy import by_node, node_names, scenario_creator
from hidiff.adapters.stochastic_solve import decision_costs, solve_stochastic
from hidiff.home import Battery, Home
from hidiff.scenarios.tree import build_tree

from .export_sets import make_export_set
from .test_stochastic import farmer

PH_OPTIONS = {
    "solver_name": "appsi_highs", "PHIterLimit": 60, "defaultPHrho": 1.0, "convthresh": 1e-4, "verbose": False,
    "display_timing": False, "display_progress": False, "iter0_solver_options": {}, "iterk_solver_options": {},
    "linearize_proximal_terms": True, "linearize_binary_proximal_terms": False, "proximal_linearization_tolerance": 1e-2,
    "smoothed": 0, "asynchronousPH": False,
}  # fmt: skip


def extensive_form(programme, **more):
    form = ExtensiveForm(
        {"solver": "appsi_highs"}, by_node(programme), scenario_creator,
        scenario_creator_kwargs={"programme": programme}, **more,
    )  # fmt: skip
    form.solve_extensive_form()
    return form


def test_mpisppy_finds_our_farmer():
    form = extensive_form(farmer())
    assert form.get_objective_value() == pytest.approx(-108_390, rel=1e-9)


def test_mpisppy_finds_our_plan_of_a_battery():
    programme = plan_programme(scenarios_of_set(make_export_set(scenarios=4, days=1), Home(), "h0")).programme
    form = extensive_form(programme)
    assert form.get_objective_value() == pytest.approx(solve_stochastic(programme).objective, rel=1e-7)


def test_mpisppy_finds_our_plan_on_a_tree():
    rng = np.random.default_rng(3)
    fan = rng.gamma(2, 0.5, (6, 12, 2))
    time = pd.date_range("2030-01-07", periods=12, freq="2h", tz="Australia/Sydney")
    home = Home(battery=Battery(capacity_kwh=5.0))
    plan = plan_on_tree(build_tree(fan, None, [0, 4, 8], [1, 2, 6]), home, time)
    programme = plan.question.programme
    assert [name for name in node_names(programme) if name.count("_") < 2] == ["ROOT", "ROOT_0", "ROOT_1"]
    form = extensive_form(programme, all_nodenames=node_names(programme))
    assert form.get_objective_value() == pytest.approx(plan.solution.objective, rel=1e-7)


def test_progressive_hedging_comes_near_our_optimum_of_the_farmer():
    programme = farmer()
    hedging = PH(
        PH_OPTIONS, list(programme.names), scenario_creator, scenario_creator_kwargs={"programme": programme}
    )
    _, _, bound = hedging.ph_main()
    models = hedging.local_scenarios
    first = np.mean([[model.x[c].value for c in range(3)] for model in models.values()], axis=0)
    assert bound <= -108_390 + 1e-3  # the scenarios known ahead
    assert decision_costs(programme, first * min(1, 500 / first.sum())).mean() == pytest.approx(
        -108_390, rel=0.02
    )


def test_the_command_line_of_mpisppy_takes_the_module_and_a_saved_set(tmp_path):
    scenario_set = make_export_set(days=1)
    scenario_set.save(tmp_path / "set")
    asked = [
        sys.executable, "-m", "mpisppy.generic_cylinders", "--module-name", "hidiff.adapters.stochastic_mpisppy",
        "--scenarios", tmp_path / "set", "--home", "h1", "--num-scens", "3", "--EF", "--EF-solver-name", "appsi_highs",
    ]  # fmt: skip
    paths = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        list(map(str, asked)), capture_output=True, text=True, check=True, cwd=tmp_path, env=paths
    )
    found = re.search(r"EF objective: ([-\d.e]+)", done.stdout)
    assert found, done.stdout
    expected = plan_ahead(scenarios_of_set(scenario_set, Home(), "h1")).solution.objective
    assert float(found[1]) == pytest.approx(expected, rel=1e-7)


def test_a_scenario_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no scenario 's9'; there are good, average, bad"):
        scenario_creator("s9", programme=farmer())
