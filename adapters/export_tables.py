"""What the exports share: one folder a scenario, tables beside them, checked names and values, plain CSV.

::

    export.json       format, conventions, clock, provenance; written last
    scenarios.csv     scenario, probability, labels
    homes.csv         home, pv_capacity_kwp, what else is known
    scenario-NAME/    what the outside package reads, for one scenario

One scenario is in memory at a time. The folder appears when it is whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.output import check_out, folder_when_done
from hidiff.scenarios import ScenarioSet

from .require import require

Values = NDArray[np.float32]
Columns = Mapping[str, NDArray[Any]]

DESCRIPTION, SCENARIOS, HOMES = "export.json", "scenarios.csv", "homes.csv"
CONTENT = (DESCRIPTION, SCENARIOS, HOMES, "scenario-*", "home-*")
"""Names of the files of an export, which a later one may replace."""
CONSUMPTION = ("load_kw", "ev_kw", "heat_kw")
"""Channels of what a home consumes."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@contextmanager
def export_folder(
    scenario_set: ScenarioSet,
    out: Path | str,
    *,
    format_name: str,
    conventions: Mapping[str, str],
    force: bool,
) -> Iterator[Path]:
    """A folder to write scenarios to, put in the place of ``out`` when all went well.

    Args:
        format_name: what is written, with the version of the outside package it is written for.
        conventions: units, signs and time stamps in words, for ``export.json``.
        force: an earlier export there may be replaced.

    Raises:
        ValueError: ``out`` is taken, or a scenario or home has a name that files cannot have.
    """
    check_names(scenario_set)
    target = Path(out)
    check_out(target, CONTENT, force=force)
    with folder_when_done(target) as folder:
        scenario_set.scenarios.to_csv(folder / SCENARIOS)
        scenario_set.homes.to_csv(folder / HOMES)
        yield folder
        description = {
            "format": format_name,
            "conventions": dict(conventions),
            "start": scenario_set.time[0].isoformat(),
            "steps": len(scenario_set.time),
            "step_minutes": scenario_set.dt_h * 60,
            "time_zone": scenario_set.time_zone,
            "provenance": dict(scenario_set.provenance),
        }
        text = json.dumps(description, indent=2, ensure_ascii=False, default=str) + "\n"
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def scenario_folders(scenario_set: ScenarioSet, folder: Path, progress: bool) -> Iterator[tuple[int, Path]]:
    """Row and new folder of each scenario in turn, with a progress bar if asked for."""
    tqdm = require("tqdm").tqdm
    for row, name in enumerate(tqdm(scenario_set.names, unit="scenario", disable=not progress)):
        own = folder / f"scenario-{name}"
        own.mkdir()
        yield row, own


def read_channel(scenario_set: ScenarioSet, name: str, row: int) -> Values:
    """One scenario of a channel, complete.

    Raises:
        ValueError: a value is missing, which none of the formats can say.
    """
    values = scenario_set.read(name, row)
    if not np.isfinite(values).all():
        step = int(np.argmin(np.isfinite(values).reshape(-1, values.shape[-1]).all(axis=0)))
        raise ValueError(
            f"{name} of scenario {scenario_set.names[row]!r} has no value at {scenario_set.time[step].isoformat()}; "
            "exports need whole series: cut the gap away with between(), or leave the home out with select()"
        )
    return values


def require_channels(scenario_set: ScenarioSet, names: Sequence[str], format_name: str) -> None:
    """Raise unless the set has all of these channels."""
    for name in names:
        if name not in scenario_set.channels:
            raise ValueError(
                f"{format_name} needs the channel {name}; this set has {', '.join(scenario_set.channels)}: build it "
                "with that channel, or add it by with_channels()"
            )


def consumption_kw(scenario_set: ScenarioSet, row: int) -> Values:
    """All that the homes consume in one scenario, load, car and heat pump, ``(home, step)`` [kW]."""
    require_channels(scenario_set, ["load_kw"], "the export")
    names = [name for name in CONSUMPTION if name in scenario_set.channels]
    parts = [read_channel(scenario_set, name, row) for name in names]
    return np.asarray(np.sum(parts, axis=0, dtype=np.float32))


def pv_kw_of(scenario_set: ScenarioSet, row: int) -> Values:
    """PV generation in one scenario, ``(home, step)`` [kW]; nothing where the set has no such channel."""
    if "pv_kw" in scenario_set.channels:
        return read_channel(scenario_set, "pv_kw", row)
    _, homes, steps = scenario_set.shape
    return np.zeros((homes, steps), dtype=np.float32)


def pv_capacity_kwp(scenario_set: ScenarioSet, pv_kw: Values) -> NDArray[np.float64]:
    """Rated capacity of each home, ``(home,)`` [kWp]; nothing where the set has no PV.

    Raises:
        ValueError: a home generates but has no capacity, so that its output per kWp has no meaning.
    """
    if "pv_kw" not in scenario_set.channels:
        return np.zeros(len(scenario_set.homes))
    capacity = np.nan_to_num(np.asarray(scenario_set.homes["pv_capacity_kwp"], dtype=np.float64))
    orphans = (capacity <= 0) & (pv_kw.max(axis=1) > 0)
    if orphans.any():
        row = int(orphans.argmax())
        raise ValueError(
            f"home {scenario_set.home_names[row]!r} generates up to {pv_kw[row].max():.2f} kW with a pv_capacity_kwp "
            f"of {capacity[row]:g}; write its capacity into the table homes"
        )
    return capacity


def check_names(scenario_set: ScenarioSet) -> None:
    """Raise unless all scenarios and homes have names that files, and all the outside packages, can have."""
    for word, names in (("scenario", scenario_set.names), ("home", scenario_set.home_names)):
        for name in names:
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"{word} {name!r} cannot name a file; rename it with letters, digits, '_', '-' and '.'"
                )
        folded = pd.Index([name.lower() for name in names])
        if folded.has_duplicates:
            name = folded[folded.duplicated()][0]
            raise ValueError(f"two {word}s are called {name!r} but for capitals; rename one")


def stamps(time: pd.DatetimeIndex, zone: str | None = None, *, has_offset: bool = False) -> NDArray[Any]:
    """Starts of the steps as texts: in UTC, or on the clock of ``zone``, with its offset or without."""
    local = time if zone is None else time.tz_convert(zone)
    text = local.strftime("%Y-%m-%d %H:%M:%S%z" if has_offset else "%Y-%m-%d %H:%M:%S").to_numpy(dtype=object)
    return np.array([f"{one[:-2]}:{one[-2:]}" for one in text], dtype=object) if has_offset else text


def write_csv(path: Path, columns: Columns, *, has_header: bool = True, header: Sequence[str] = ()) -> None:
    """A CSV file without quotes; float32 columns keep every bit.

    Args:
        header: lines to write in the place of the names of the columns.
    """
    arrow, csv = require("pyarrow"), require("pyarrow.csv")
    lines = list(header) or ([",".join(columns)] if has_header else [])
    table = arrow.table(
        [arrow.array(values) for values in columns.values()], names=list(map(str, range(len(columns))))
    )
    with path.open("wb") as stream:
        stream.write("".join(f"{line}\n" for line in lines).encode())
        csv.write_csv(table, stream, csv.WriteOptions(include_header=False, quoting_style="none"))
