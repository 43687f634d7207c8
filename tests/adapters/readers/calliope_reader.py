"""Run in an environment with Calliope: build a model and solve the programme that Calliope makes of it by HiGHS."""

import json
import sys
import tempfile
from pathlib import Path

import calliope
import highspy

model = calliope.read_yaml(sys.argv[1])
model.build()
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "model.lp"
    model.backend.to_lp(path)
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(path))
    highs.run()
demand = model.inputs.sink_use_equals.sel(techs="demand").sum("timesteps").to_series()
result = {
    "version": calliope.__version__,
    "cost": highs.getInfo().objective_function_value,
    "demand_kwh": demand.to_dict(),
    "timesteps": [str(stamp) for stamp in model.inputs.timesteps.to_index()[:2]],
}
print(json.dumps(result))
