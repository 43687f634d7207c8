"""A home that decides before it knows: a plan or a purchase shared by all scenarios, or by the nodes of a tree.

Each scenario is a `HomeProblem`, so all devices, tariffs and limits that the deterministic optimum knows are here, and
one scenario gives just that optimum. What is shared says the stage of each column:

* `plan_ahead`: devices follow one plan; the grid (and PV that may be curtailed) takes the rest.
* `buy_ahead`: grid energy is bought ahead; devices follow what comes, and what is missing or left over is settled.
* `plan_on_tree`: everything follows what is known at each node of a tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from hidiff.home import Home
from hidiff.scenarios import ScenarioSet
from hidiff.scenarios.tree import Tree

from .export_tables import CONSUMPTION, require_channels
from .highs_home import direct_model
from .highs_run import Matrices
from .home_problem import HomeProblem
from .linear_programme import Columns, LinearProgramme, Term
from .stochastic import Floats, Integers, Risk, StochasticProgramme, scenario_names
from .stochastic_solve import Method, StochasticSolution, decision_costs, solve_stochastic

COMMITTED = {
    "battery": ("charge_kw", "discharge_kw", "battery_kwh"),
    "car": ("car_charge_kw", "car_discharge_kw", "car_kwh"),
    "heat_pump": ("heating_power_kw", "cooling_power_kw"),
    "tank": ("tank_kw",),
}
"""Columns of the devices whose plan scenarios may share."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HomeScenarios:
    """What one home's episode may be.

    Raises:
        ValueError: what a linear programme for many scenarios cannot model; the message names it.
    """

    problems: tuple[HomeProblem, ...]
    """One a scenario, of the same home and clock."""
    probability: Floats
    """``(scenario,)``"""
    names: tuple[str, ...]
    """Of the scenarios."""

    def __post_init__(self) -> None:
        if not self.problems or not len(self.problems) == len(self.probability) == len(self.names):
            raise ValueError(
                f"{len(self.problems)} problems, {len(self.probability)} probabilities, {len(self.names)} names; give "
                "one of each for every scenario, and at least one"
            )
        home = self.problems[0].home
        if home.appliances:
            raise ValueError(
                "home has appliances, whose starts are whole numbers; put their load into load_kw"
            )
        if not home.pv_curtailable and home.export_limit_kw is not None:
            raise ValueError(
                "PV that may not be curtailed behind export_limit_kw makes it pay to waste energy in the battery, which "
                "the linear programme would do by charging and discharging at once; set pv_curtailable=True"
            )
        for name, problem in zip(self.names, self.problems, strict=True):
            buy, sell = problem.prices.import_price, problem.prices.export_price
            bad = np.flatnonzero((buy < 0) | (sell > buy))
            if len(bad):
                raise ValueError(
                    f"scenario {name!r} has import_price {buy[bad[0]]:.4f} and export_price {sell[bad[0]]:.4f} at step "
                    f"{bad[0]}: the linear programme would waste or turn over energy without end; prices of import must "
                    "be at least 0 and at least those of export"
                )

    def __len__(self) -> int:
        return len(self.problems)


def home_scenarios(
    home: Home,
    arrays: Mapping[str, ArrayLike],
    time: pd.DatetimeIndex,
    *,
    probability: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    wholesale_per_kwh: ArrayLike | None = None,
    **conditions: Any,
) -> HomeScenarios:
    """Scenarios from arrays.

    Args:
        arrays: ``load_kw``, ``pv_kw`` and what else `HomeProblem.exogenous` takes, each ``(scenario, step)``, or
            ``(step,)`` where scenarios share it.
        time: step starts, zone-aware.
        probability: ``(scenario,)``; equal ones by default.
        wholesale_per_kwh: ``(scenario, step)`` or ``(step,)``, for a tariff that follows it.
        conditions: other fields of `HomeProblem`, such as ``time_zone`` and ``end``.
    """
    given = {name: np.asarray(values, dtype=np.float64) for name, values in arrays.items()}
    if wholesale_per_kwh is not None:
        given["wholesale_per_kwh"] = np.asarray(wholesale_per_kwh, dtype=np.float64)
    is_each = {name: values.ndim == 2 and name != "appliance_request" for name, values in given.items()}
    counts = {name: len(values) for name, values in given.items() if is_each[name]}
    if len(set(counts.values())) > 1:
        raise ValueError(f"arrays have {counts} scenarios; give the same number, or (step,) for all")
    count = next(iter(counts.values()), 1)
    weights = np.full(count, 1 / count) if probability is None else np.asarray(probability, dtype=np.float64)
    problems: list[HomeProblem] = []
    for row in range(count):
        own = {name: values[row] if is_each[name] else values for name, values in given.items()}
        wholesale = own.pop("wholesale_per_kwh", None)
        problem = HomeProblem(home=home, time=time, exogenous=own, wholesale_per_kwh=wholesale, **conditions)
        if problems and not set(counts) & {"wholesale_per_kwh", "import_price", "export_price"}:
            for known in ("prices", "month", "parameters"):  # the same in all scenarios, and slow to make
                problem.__dict__[known] = getattr(problems[0], known)
        problems.append(problem)
    return HomeScenarios(
        problems=tuple(problems),
        probability=weights,
        names=scenario_names(count) if names is None else tuple(names),
    )


def scenarios_of_set(
    scenario_set: ScenarioSet,
    home: Home,
    name: str | None = None,
    *,
    exogenous: Mapping[str, ArrayLike] | None = None,
    **conditions: Any,
) -> HomeScenarios:
    """One home's scenarios from a set, such as a fan of the coming days.

    Load, and car and heat pump where the set has their power, count as load; prices of the set replace the tariff's.

    Args:
        name: of the home in the set; the only one by default.
        exogenous: series of further devices, see `home_scenarios`.

    Raises:
        ValueError: no ``load_kw``; several homes and no name.
    """
    require_channels(scenario_set, ["load_kw"], "a home's scenarios")
    if name is None and len(scenario_set.homes) > 1:
        raise ValueError(f"the set has {len(scenario_set.homes)} homes; name one, or aggregate()")
    row = int(scenario_set.home_rows([0 if name is None else name])[0])

    def values(channel: str) -> Floats:
        read = np.asarray(scenario_set.select(homes=[row])[channel], dtype=np.float64)
        return read[:, 0] if read.ndim == 3 else read

    load_kw = sum(values(channel) for channel in CONSUMPTION if channel in scenario_set.channels)
    arrays: dict[str, ArrayLike] = {"load_kw": np.asarray(load_kw), **(exogenous or {})}
    is_pv = "pv_kw" in scenario_set.channels
    arrays["pv_kw"] = (
        values("pv_kw") * home.pv_scale(float(scenario_set.homes["pv_capacity_kwp"].iloc[row]))
        if is_pv
        else np.zeros_like(arrays["load_kw"])
    )
    for channel, price in (
        ("import_price_per_kwh", "import_price"),
        ("export_price_per_kwh", "export_price"),
    ):
        if channel in scenario_set.channels:
            arrays[price] = values(channel)
    spot = "wholesale_price_per_kwh"
    return home_scenarios(
        home,
        arrays,
        scenario_set.time,
        probability=scenario_set.probability,
        names=scenario_set.names,
        wholesale_per_kwh=values(spot) if spot in scenario_set.channels else None,
        time_zone=scenario_set.time_zone,
        **conditions,
    )


StageOf = Callable[[str, Integers], Integers]
"""Stage of each column of a vector, from its name and the columns' places."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HomeProgramme:
    """A home's scenarios as a stochastic programme."""

    programme: StochasticProgramme
    columns: Mapping[str, Columns]
    """Places of each vector of variables."""
    build: Callable[[HomeScenarios], HomeProgramme]
    """The same question for other scenarios."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HomePlan:
    """What a home decides, and what it may cost."""

    question: HomeProgramme
    solution: StochasticSolution

    @cached_property
    def flows(self) -> dict[str, Floats]:
        """Every variable by name, ``(scenario, step)``; what is shared is the same in all rows."""
        return {name: self.solution.values[:, places] for name, places in self.question.columns.items()}

    @property
    def battery_kw(self) -> Floats:
        """Battery power, > 0 charges, ``(scenario, step)`` [kW]."""
        if "charge_kw" not in self.flows:
            raise ValueError("the home has no battery, so there is no battery_kw")
        return np.asarray(self.flows["charge_kw"] - self.flows["discharge_kw"])

    def costs(self, scenarios: HomeScenarios, *, progress: bool = False) -> Floats:
        """Cost of what was decided first in other scenarios, such as the day that came, ``(scenario,)``."""
        return decision_costs(
            self.question.build(scenarios).programme, self.solution.first, progress=progress
        )


def plan_ahead(
    scenarios: HomeScenarios,
    *,
    devices: Sequence[str] = ("battery",),
    risk: Risk | None = None,
    method: Method = "ipm",
    time_limit_s: float | None = None,
    progress: bool = False,
) -> HomePlan:
    """One plan of ``devices`` for all scenarios; import, export, curtailment and other devices follow what comes.

    Args:
        devices: of battery, car, heat_pump, tank.
        risk: the mean cost where it is not given.
        time_limit_s: see `solve_stochastic`; likewise ``method`` and ``progress``.

    Raises:
        InfeasibleError: no plan fits all scenarios.
        ValueError: a device that the home does not have.
    """
    question = plan_programme(scenarios, devices)
    return _solved(question, risk, method, time_limit_s, progress)


def plan_programme(scenarios: HomeScenarios, devices: Sequence[str] = ("battery",)) -> HomeProgramme:
    """The programme of `plan_ahead`."""
    home = scenarios.problems[0].home
    for device in devices:
        if device not in COMMITTED or getattr(home, device) is None:
            there = [name for name in COMMITTED if getattr(home, name) is not None]
            raise ValueError(f"devices names {device!r}; this home has {', '.join(there) or 'none to plan'}")
    shared = {name for device in devices for name in COMMITTED[device]}

    def stage_of(name: str, places: Integers) -> Integers:
        return np.full(len(places), 0 if name in shared else 1)

    return _programme(
        scenarios, stage_of, _two_stages(len(scenarios)), build=lambda other: plan_programme(other, devices)
    )


def buy_ahead(
    scenarios: HomeScenarios,
    day_ahead_price: ArrayLike,
    *,
    penalty_per_kwh: float = 0.10,
    risk: Risk | None = None,
    method: Method = "ipm",
    time_limit_s: float | None = None,
    progress: bool = False,
) -> HomePlan:
    """Grid energy bought ahead, ``flows["purchase_kw"]``, < 0 is sold; devices follow what comes.

    What is missing costs the import price of the step and ``penalty_per_kwh`` more, what is left over brings the
    export price and ``penalty_per_kwh`` less.

    Args:
        day_ahead_price: of energy bought or sold ahead, ``(step,)`` [currency/kWh].
        penalty_per_kwh: [currency/kWh].
        risk: see `plan_ahead`, as for the rest.

    Raises:
        ValueError: a tariff with more than prices of energy; a price at which trade ahead has no end.
    """
    question = purchase_programme(scenarios, day_ahead_price, penalty_per_kwh)
    return _solved(question, risk, method, time_limit_s, progress)


def purchase_programme(
    scenarios: HomeScenarios, day_ahead_price: ArrayLike, penalty_per_kwh: float = 0.10
) -> HomeProgramme:
    """The programme of `buy_ahead`."""
    first = scenarios.problems[0]
    first.home.tariff.require_energy_only("a purchase ahead")
    ahead = np.asarray(day_ahead_price, dtype=np.float64)
    if ahead.shape != (first.steps,) or not np.isfinite(ahead).all():
        raise ValueError(
            f"day_ahead_price has shape {ahead.shape}; give {first.steps} finite prices, one a step"
        )
    if not 0 <= penalty_per_kwh < np.inf:
        raise ValueError(f"penalty_per_kwh is {penalty_per_kwh}; it must be at least 0 and finite")
    most_kw = 10 * max(
        problem.exogenous[name].max() for problem in scenarios.problems for name in ("load_kw", "pv_kw")
    )
    battery = first.home.battery
    most_kw += 0.0 if battery is None else battery.charge_max_kw + battery.discharge_max_kw

    def extend(programme: LinearProgramme, problem: HomeProblem) -> None:
        steps, dt_h, prices = problem.steps, problem.dt_h, problem.prices
        imports, exports = programme.columns["import_kw"], programme.columns["export_kw"]
        bought = programme.variables("purchase_kw", steps, lower=-most_kw, upper=most_kw, cost=dt_h * ahead)
        missing = programme.variables(
            "missing_kw", steps, cost=dt_h * (prices.import_price + penalty_per_kwh)
        )
        left = programme.variables("left_kw", steps, cost=-dt_h * (prices.export_price - penalty_per_kwh))
        programme.equal(
            steps,
            [
                Term(imports, 1.0),
                Term(exports, -1.0),
                Term(bought, -1.0),
                Term(missing, -1.0),
                Term(left, 1.0),
            ],
            0.0,
        )

    def stage_of(name: str, places: Integers) -> Integers:
        return np.full(len(places), 0 if name == "purchase_kw" else 1)

    return _programme(
        scenarios, stage_of, _two_stages(len(scenarios)), extend=extend, free=("import_kw", "export_kw"),
        build=lambda other: purchase_programme(other, day_ahead_price, penalty_per_kwh),
    )  # fmt: skip


def plan_on_tree(
    tree: Tree,
    home: Home,
    time: pd.DatetimeIndex,
    *,
    features: Sequence[str] = ("load_kw", "pv_kw"),
    arrays: Mapping[str, ArrayLike] | None = None,
    risk: Risk | None = None,
    method: Method = "ipm",
    time_limit_s: float | None = None,
    progress: bool = False,
    **conditions: Any,
) -> HomePlan:
    """Decisions of every node of a tree, each made with the values of its node and those before.

    Args:
        features: names of the tree's values, as `home_scenarios` takes them.
        arrays: what all nodes share, such as the hours of the car.
        risk: over the leaves; see `plan_ahead`, as for the rest.
        conditions: see `home_scenarios`.
    """
    values = tree.leaf_values()
    if values.shape[2] != len(features):
        raise ValueError(f"the tree has {values.shape[2]} features, {len(features)} are named: {features}")
    given = {name: np.maximum(values[:, :, place], 0.0) for place, name in enumerate(features)}
    scenarios = home_scenarios(
        home, {**given, **(arrays or {})}, time, probability=tree.leaf_probability, **conditions
    )
    starts = np.cumsum([0] + [part.shape[1] for part in tree.values[:-1]])
    stage_of_step = np.searchsorted(starts, np.arange(len(time)), side="right") - 1

    def stage_of(name: str, places: Integers) -> Integers:
        # a sum over a month is known at the end; steps of trips follow from the balance of their store
        return stage_of_step if len(places) == len(time) else np.full(len(places), len(starts) - 1)

    question = _programme(scenarios, stage_of, tree.paths(), build=_no_other)
    return _solved(question, risk, method, time_limit_s, progress)


def _no_other(_: HomeScenarios) -> HomeProgramme:
    raise ValueError("a plan on a tree is made for its nodes; build another tree for other scenarios")


def _two_stages(count: int) -> Integers:
    return np.stack([np.zeros(count, np.int64), np.arange(count)])


def _programme(
    scenarios: HomeScenarios,
    stage_of: StageOf,
    node_of: Integers,
    *,
    build: Callable[[HomeScenarios], HomeProgramme],
    extend: Callable[[LinearProgramme, HomeProblem], None] | None = None,
    free: Sequence[str] = (),
) -> HomeProgramme:
    """Every scenario's linear programme, and the stage of each column; ``free`` columns have their costs elsewhere."""
    parts: list[Matrices] = []
    first: LinearProgramme | None = None
    columns: dict[str, Any] = {}
    for name, problem in zip(scenarios.names, scenarios.problems, strict=True):
        linear = direct_model(problem, {})
        if extend is not None:
            extend(linear, problem)
        if columns and any(
            len(columns.get(key, ())) != len(places) for key, places in linear.columns.items()
        ):
            raise ValueError(
                f"scenario {name!r} has other variables than {scenarios.names[0]!r}; give trips and hours that all "
                "scenarios share, and limits='hard'"
            )
        columns = columns or linear.columns
        found = linear.matrices(like=(first, parts[0]) if first else None)
        first = first or linear
        for key in free:
            found.cost[linear.columns[key]] = 0.0
        if (
            problem.limits == "hard"
        ):  # at these prices nothing runs away, and HiGHS is faster without further bounds
            for key, limit in (
                ("import_kw", problem.home.import_limit_kw),
                ("export_kw", problem.home.export_limit_kw),
            ):
                found.upper[linear.columns[key]] = np.inf if limit is None else limit
        parts.append(found)
    shape = (len(parts[0].row_lower), len(parts[0].cost))
    is_same = all(one.coefficients is parts[0].coefficients for one in parts[1:])
    stage = np.zeros(shape[1], np.int64)
    for name, places in columns.items():
        stage[places] = stage_of(name, places)
    programme = StochasticProgramme(
        matrices=tuple(
            sparse.csr_matrix((one.coefficients, one.indices, one.starts), shape=shape)
            for one in (parts[:1] if is_same else parts)
        ),
        cost=np.stack([one.cost for one in parts]),
        lower=np.stack([one.lower for one in parts]),
        upper=np.stack([one.upper for one in parts]),
        row_lower=np.stack([one.row_lower for one in parts]),
        row_upper=np.stack([one.row_upper for one in parts]),
        column_stage=stage,
        node_of=node_of,
        probability=scenarios.probability,
        constant=np.array([one.constant for one in parts]),
        names=scenarios.names,
    )
    return HomeProgramme(programme=programme, columns=columns, build=build)


def _solved(
    question: HomeProgramme, risk: Risk | None, method: Method, time_limit_s: float | None, progress: bool
) -> HomePlan:
    solution = solve_stochastic(
        question.programme, risk=risk, method=method, time_limit_s=time_limit_s, progress=progress
    )
    return HomePlan(question=question, solution=solution)
