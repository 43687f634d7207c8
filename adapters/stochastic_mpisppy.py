"""A stochastic programme for mpi-sppy 0.14: extensive form, progressive hedging, and the module for its command line.

In Python::

    question = plan_programme(scenarios)
    ExtensiveForm({"solver": "appsi_highs"}, list(question.programme.names), scenario_creator,
                  scenario_creator_kwargs={"programme": question.programme})

On a saved set, with a battery's plan shared by all scenarios::

    python -m mpisppy.generic_cylinders --module-name hidiff.adapters.stochastic_mpisppy --scenarios DIR --home h0 \\
        --num-scens 10 --EF --EF-solver-name appsi_highs

Programmes of more than two stages want ``all_nodenames=node_names(programme)`` beside these, and the names of the
scenarios from `by_node`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hidiff.home import Home
from hidiff.scenarios import open_scenarios

from .require import require
from .stochastic import StochasticProgramme
from .stochastic_home import plan_programme, scenarios_of_set

_OPENED: dict[tuple[str, str | None], StochasticProgramme] = {}
"""mpi-sppy asks for the names of the scenarios without saying of what, so the set that it opened is kept."""


def scenario_creator(scenario_name: str, *, programme: StochasticProgramme, **_: Any) -> Any:
    """Pyomo model of one scenario: ``model.x``, its probability, and the nodes on its way.

    Raises:
        ValueError: no such scenario.
        DependencyMissing: mpi-sppy is not installed.
    """
    pyo = require("pyomo.environ")
    tree = require("mpisppy.scenario_tree", "exports")
    if scenario_name not in programme.names:
        raise ValueError(f"no scenario {scenario_name!r}; there are {', '.join(programme.names[:8])} …")
    row = programme.names.index(scenario_name)
    cost, matrix = programme.cost[row].tolist(), programme.matrix(row)
    lower, upper = (_bounds(values[row]) for values in (programme.lower, programme.upper))
    row_lower, row_upper = (_bounds(values[row]) for values in (programme.row_lower, programme.row_upper))
    model = pyo.ConcreteModel(scenario_name)
    model.column = pyo.RangeSet(0, len(cost) - 1)
    model.x = pyo.Var(model.column, bounds=lambda _, c: (lower[c], upper[c]))
    model.row = pyo.ConstraintList()
    for number in range(matrix.shape[0]):
        part = slice(matrix.indptr[number], matrix.indptr[number + 1])
        columns, values = matrix.indices[part].tolist(), matrix.data[part].tolist()
        if columns and (row_lower[number] is not None or row_upper[number] is not None):
            total = sum(value * model.x[c] for c, value in zip(columns, values, strict=True))
            model.row.add((row_lower[number], total, row_upper[number]))
    stage_costs = [
        sum(cost[c] * model.x[c] for c in np.flatnonzero(programme.column_stage == stage).tolist())
        for stage in range(programme.stages)
    ]
    model.cost = pyo.Objective(expr=sum(stage_costs) + float(programme.constant[row]))
    names = node_path(programme, row)
    model._mpisppy_node_list = [
        tree.ScenarioNode(
            name=name,
            cond_prob=_conditional(programme, stage, row),
            stage=stage + 1,
            cost_expression=stage_costs[stage],
            nonant_list=[model.x[c] for c in np.flatnonzero(programme.column_stage == stage).tolist()],
            scen_model=model,
            parent_name=names[stage - 1] if stage else None,
        )
        for stage, name in enumerate(names)
    ]
    model._mpisppy_probability = float(programme.probability[row])
    return model


def _bounds(values: Any) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _conditional(programme: StochasticProgramme, stage: int, scenario: int) -> float:
    """Probability of a scenario's node once its parent is reached."""
    if stage == 0:
        return 1.0
    p, nodes = programme.probability, programme.node_of
    here, before = (nodes[at] == nodes[at, scenario] for at in (stage, stage - 1))
    return float(p[here].sum() / p[before].sum()) if p[before].sum() > 0 else 0.0


def node_path(programme: StochasticProgramme, scenario: int) -> list[str]:
    """mpi-sppy's names (ROOT, ROOT_0, ROOT_0_1, …) of the nodes on a scenario's way, without its leaf.

    Raises:
        ValueError: scenarios that do not share the first stage.
    """
    nodes = programme.node_of
    if (nodes[0] != nodes[0, 0]).any():
        raise ValueError("scenarios have several nodes in stage 0; mpi-sppy starts from one root")
    names = ["ROOT"]
    for stage in range(1, programme.stages - 1):
        siblings = np.unique(nodes[stage, nodes[stage - 1] == nodes[stage - 1, scenario]])
        names.append(f"{names[-1]}_{int(np.searchsorted(siblings, nodes[stage, scenario]))}")
    return names


def node_names(programme: StochasticProgramme) -> list[str]:
    """Names of all nodes, leaves included, as mpi-sppy's ``all_nodenames`` wants them of more than two stages.

    mpi-sppy takes scenarios of a node to stand side by side; `by_node` puts them so.
    """
    names: list[str] = []
    leaves: dict[str, int] = {}
    for row in range(len(programme)):
        path = node_path(programme, row)
        leaf = leaves[path[-1]] = leaves.get(path[-1], -1) + 1
        names += [name for name in [*path, f"{path[-1]}_{leaf}"] if name not in names]
    return names


def by_node(programme: StochasticProgramme) -> list[str]:
    """Names of the scenarios, those of a node side by side."""
    rows = sorted(range(len(programme)), key=lambda row: node_path(programme, row))
    return [programme.names[row] for row in rows]


def scenario_names_creator(num_scens: int | None, start: int | None = None) -> list[str]:
    """Names of the scenarios of the set that was opened last."""
    if not _OPENED:
        raise ValueError("no set has been opened; kw_creator comes first")
    names = list(list(_OPENED.values())[-1].names)
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
        scenarios = scenarios_of_set(open_scenarios(key[0]), Home(), cfg.home)
        _OPENED[key] = plan_programme(scenarios).programme
    return {"programme": _OPENED[key]}


def scenario_denouement(rank: int, scenario_name: str, scenario: Any) -> None:
    """Called by mpi-sppy when it is done with a scenario; there is nothing to tidy up."""
