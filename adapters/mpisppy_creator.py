"""The battery programme for mpi-sppy 0.14: a scenario creator, and the module that its command line takes.

In Python::

    problem = battery_day_ahead(scenario_set, home, "h0")
    ExtensiveForm({"solver": "appsi_highs"}, problem.names, scenario_creator,
                  scenario_creator_kwargs={"problem": problem})

On a saved set::

    python -m mpisppy.generic_cylinders --module-name hidiff.adapters.mpisppy_creator --scenarios DIR --home h0 \\
        --num-scens 10 --EF --EF-solver-name appsi_highs
"""

from __future__ import annotations

import math
from typing import Any

from hidiff.scenarios import open_scenarios

from .battery_day_ahead import BatteryDayAhead, battery_day_ahead
from .require import require

_OPENED: dict[tuple[str, str | None], BatteryDayAhead] = {}
"""mpi-sppy asks for the names of the scenarios without saying of what, so the set that it opened is kept."""


def scenario_creator(scenario_name: str, *, problem: BatteryDayAhead, **_: Any) -> Any:
    """Pyomo model of one scenario, with its probability, and the battery's plan as what all scenarios share.

    Raises:
        ValueError: no such scenario.
        DependencyMissing: mpi-sppy is not installed.
    """
    pyo, sputils = require("pyomo.environ"), require("mpisppy.utils.sputils", "exports")
    if scenario_name not in problem.names:
        raise ValueError(f"no scenario {scenario_name!r}; there are {', '.join(problem.names[:8])} …")
    row, battery, dt_h = problem.names.index(scenario_name), problem.battery, problem.dt_h

    def between(low: float, high: float) -> tuple[float, float | None]:
        return low, None if math.isinf(high) else high

    model = pyo.ConcreteModel(scenario_name)
    model.step = pyo.RangeSet(0, problem.steps - 1)
    model.charge_kw = pyo.Var(model.step, bounds=between(0, battery.charge_max_kw))
    model.discharge_kw = pyo.Var(model.step, bounds=between(0, battery.discharge_max_kw))
    model.energy_kwh = pyo.Var(model.step, bounds=(battery.energy_min_kwh, battery.energy_max_kwh))
    model.import_kw = pyo.Var(model.step, bounds=between(0, problem.import_limit_kw))
    model.export_kw = pyo.Var(model.step, bounds=between(0, problem.export_limit_kw))

    def store(m: Any, t: int) -> Any:
        before = m.energy_kwh[t - 1] if t else problem.energy_initial_kwh
        gain = battery.efficiency_charge * m.charge_kw[t] - m.discharge_kw[t] / battery.efficiency_discharge
        return m.energy_kwh[t] == before + dt_h * gain

    def balance(m: Any, t: int) -> Any:
        net_kw = float(problem.net_kw[row, t])
        return m.import_kw[t] - m.export_kw[t] == net_kw + m.charge_kw[t] - m.discharge_kw[t]

    model.store = pyo.Constraint(model.step, rule=store)
    model.balance = pyo.Constraint(model.step, rule=balance)
    model.end = pyo.Constraint(expr=model.energy_kwh[problem.steps - 1] >= problem.energy_initial_kwh)
    prices = zip(
        problem.import_price_per_kwh[row].tolist(), problem.export_price_per_kwh[row].tolist(), strict=True
    )
    model.cost = pyo.Objective(
        expr=sum(
            dt_h * (buy * model.import_kw[t] - sell * model.export_kw[t])
            for t, (buy, sell) in enumerate(prices)
        )
    )
    # The first stage costs nothing; its variables are what no scenario may know more about than another.
    sputils.attach_root_node(model, 0.0, [model.charge_kw, model.discharge_kw, model.energy_kwh])
    model._mpisppy_probability = float(problem.probability[row])
    return model


def scenario_names_creator(num_scens: int | None, start: int | None = None) -> list[str]:
    """Names of the scenarios of the set that was opened last."""
    if not _OPENED:
        raise ValueError("no set has been opened; kw_creator comes first")
    names = list(_OPENED.values())[-1].names
    first = start or 0
    return names[first : None if num_scens is None else first + num_scens]


def inparser_adder(cfg: Any) -> None:
    """Options of mpi-sppy's command line."""
    cfg.num_scens_optional()
    cfg.add_to_config("scenarios", description="folder of a saved scenario set", domain=str, default=None)
    cfg.add_to_config(
        "home", description="name of the home; the only one by default", domain=str, default=None
    )


def kw_creator(cfg: Any) -> dict[str, Any]:
    """What `scenario_creator` needs, from the command line."""
    if cfg.scenarios is None:
        raise ValueError("name the folder of a saved scenario set: --scenarios DIR")
    key = (str(cfg.scenarios), cfg.home)
    if key not in _OPENED:
        _OPENED[key] = battery_day_ahead(open_scenarios(key[0]), None, cfg.home)
    return {"problem": _OPENED[key]}


def scenario_denouement(rank: int, scenario_name: str, scenario: Any) -> None:
    """Called by mpi-sppy when it is done with a scenario; there is nothing to tidy up."""
