"""Run in an environment with mpi-sppy and Python-MIP: read SMPS files and solve their extensive form by HiGHS."""

import json
import sys
from types import SimpleNamespace

from mpisppy.opt.ef import ExtensiveForm
from mpisppy.problem_io import smps_module

keywords = smps_module.kw_creator(SimpleNamespace(smps_dir=sys.argv[1]))
names = smps_module.scenario_names_creator(None)
form = ExtensiveForm(
    {"solver": "appsi_highs"}, names, smps_module.scenario_creator, scenario_creator_kwargs=keywords
)
form.solve_extensive_form()
probability = [form.local_scenarios[name]._mpisppy_probability for name in names]
print(json.dumps({"names": names, "probability": probability, "expected_cost": form.get_objective_value()}))
