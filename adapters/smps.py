"""SMPS files (core, time, stochastics) of the battery programme, one folder a home; read by mpi-sppy 0.14.0.

The programme is that of `battery_day_ahead`, stages ``STAGE1`` (the battery's plan) and ``STAGE2`` (the grid), with
``SCENARIOS DISCRETE``: each scenario says where it differs from the core, which is the first scenario.

* Columns ``C``, ``D``, ``E`` (charge, discharge [kW], stored energy [kWh]) and ``I``, ``X`` (import, export [kW]) with
  the step from 1 on; ``COST`` is the cost of the second stage. Rows ``S`` (store), ``B`` (balance: its right-hand side
  is net power [kW]), and ``RCOST``, whose coefficients hold the prices times the step. Prices stand there and not in
  the objective, since mpi-sppy's reader takes no random objective.
* Free format: fields parted by blanks, names of at most 8 letters. The right-hand side is called ``RHS1``, since the
  reader takes a line that begins with ``RHS`` for the head of the section.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hidiff.home import Home
from hidiff.scenarios import ScenarioSet

from .battery_day_ahead import BatteryDayAhead, battery_day_ahead
from .export_tables import export_folder
from .require import require

LONGEST_DAYS = 7
"""A plan for longer is not made a day ahead, and the files of a year would be larger than any solver takes."""
FORMAT = "SMPS, two stages, scenarios discrete"
CONVENTIONS = {
    "power": "kW, mean over the step; balance: import - export - charge + discharge = consumption - PV",
    "cost": "currency, expected over the scenarios",
}


def write_smps(
    scenario_set: ScenarioSet,
    out: Path | str,
    *,
    force: bool = False,
    progress: bool = False,
    home: Home | None = None,
) -> Path:
    """Write ``home-NAME/day_ahead.cor``, ``.tim`` and ``.sto`` for each home.

    Args:
        home: battery, connection, and the tariff for prices that the set does not have; hidiff's defaults if not given.

    Raises:
        ValueError: more than 7 days; no ``load_kw``; no battery; an export price above the import price.
    """
    days = len(scenario_set.time) * scenario_set.dt_h / 24
    if days > LONGEST_DAYS:
        raise ValueError(
            f"the set spans {days:.0f} days, the day-ahead programme at most {LONGEST_DAYS}; cut with between()"
        )
    with export_folder(scenario_set, out, format_name=FORMAT, conventions=CONVENTIONS, force=force) as folder:
        for name in require("tqdm").tqdm(scenario_set.home_names, unit="home", disable=not progress):
            own = folder / f"home-{name}"
            own.mkdir()
            problem = battery_day_ahead(scenario_set, home, name)
            for suffix, lines in (("cor", core(problem)), ("tim", times()), ("sto", stochastics(problem))):
                with (own / f"day_ahead.{suffix}").open("w", encoding="ascii") as stream:
                    stream.writelines(f"{line}\n" for line in lines)
    return Path(out)


def core(problem: BatteryDayAhead) -> Iterator[str]:
    """The core file: the programme of the first scenario in MPS format."""
    battery, dt_h, steps = problem.battery, problem.dt_h, range(1, problem.steps + 1)
    yield "NAME DAYAHEAD"
    yield from ("ROWS", " N OBJ")
    yield from (f" E S{t:05d}" for t in steps)
    yield from (f" E B{t:05d}" for t in steps)
    yield " E RCOST"
    yield "COLUMNS"
    for t in steps:
        yield f" C{t:05d} S{t:05d} {-dt_h * battery.efficiency_charge!r}"
        yield f" C{t:05d} B{t:05d} -1"
    for t in steps:
        yield f" D{t:05d} S{t:05d} {dt_h / battery.efficiency_discharge!r}"
        yield f" D{t:05d} B{t:05d} 1"
    for t in steps:
        yield f" E{t:05d} S{t:05d} 1"
        if t < problem.steps:
            yield f" E{t:05d} S{t + 1:05d} -1"
    costs = _coefficients(problem, 0)
    for letter, sign in (("I", 1), ("X", -1)):
        for t in steps:
            yield f" {letter}{t:05d} B{t:05d} {sign}"
            yield f" {letter}{t:05d} RCOST {costs[letter, t]!r}"
    yield " COST OBJ 1"
    yield " COST RCOST -1"
    yield "RHS"
    yield f" RHS1 S00001 {problem.energy_initial_kwh!r}"
    yield from (f" RHS1 B{t:05d} {float(problem.net_kw[0, t - 1])!r}" for t in steps)
    yield "BOUNDS"
    tops = {
        "C": battery.charge_max_kw, "D": battery.discharge_max_kw, "E": battery.energy_max_kwh,
        "I": problem.import_limit_kw, "X": problem.export_limit_kw,
    }  # fmt: skip
    for letter, top in tops.items():
        for t in steps:
            if letter == "E":
                low = problem.energy_initial_kwh if t == problem.steps else battery.energy_min_kwh
                yield f" LO BND E{t:05d} {float(low)!r}"
            if top < math.inf:
                yield f" UP BND {letter}{t:05d} {float(top)!r}"
    yield from (" FR BND COST", "ENDATA")


def times() -> Iterator[str]:
    """The time file: where each stage begins."""
    yield from ("TIME DAYAHEAD", "PERIODS LP", " C00001 S00001 STAGE1", " I00001 B00001 STAGE2", "ENDATA")


def stochastics(problem: BatteryDayAhead) -> Iterator[str]:
    """The stochastics file: every scenario with its probability and what differs from the core."""
    yield from ("STOCH DAYAHEAD", "SCENARIOS DISCRETE")
    first = _coefficients(problem, 0)
    for row, name in enumerate(problem.names):
        yield f" SC {name} ROOT {float(problem.probability[row])!r} STAGE2"
        for step in np.flatnonzero(problem.net_kw[row] != problem.net_kw[0]):
            yield f" RHS1 B{step + 1:05d} {float(problem.net_kw[row, step])!r}"
        for (letter, t), value in _coefficients(problem, row).items():
            if value != first[letter, t]:
                yield f" {letter}{t:05d} RCOST {value!r}"
    yield "ENDATA"


def _coefficients(problem: BatteryDayAhead, row: int) -> dict[tuple[str, int], float]:
    """What a kW of import or export costs over each step of a scenario."""
    prices = {"I": problem.import_price_per_kwh[row], "X": -problem.export_price_per_kwh[row]}
    return {
        (letter, t): float(price) * problem.dt_h
        for letter, series in prices.items()
        for t, price in enumerate(series, 1)
    }
