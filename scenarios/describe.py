"""What a set of scenarios holds, in tables: probabilities, energies, peaks, extremes, distances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hidiff.data.traces import Traces

from .describe_days import clock_of
from .describe_numbers import Doubles
from .describe_read import NET, adds_up, read_totals
from .describe_tables import cell, channel_rows, home_rows, scenario_features, scenario_rows
from .scenario_set import ScenarioSet, Values
from .store import open_scenarios

_ROWS = 20
"""Rows of a table that a terminal shows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Description:
    """Tables of a set, and its aggregate, which the figures are drawn from."""

    scenarios: pd.DataFrame
    """One row a scenario: probability, energies and peaks of the aggregate, extreme days, distance, labels."""
    homes: pd.DataFrame
    """One row a home: quantiles of energy and peak over the scenarios."""
    channels: pd.DataFrame
    """One row a channel: unit, mean, least and greatest value, quantiles of the energy of all homes."""
    aggregate: Mapping[str, Values]
    """Power of all homes together and what they share, ``(scenario, step)``."""
    features: Doubles
    """How far each scenario is from the mean scenario, ``(scenario, feature)``; see `describe_numbers.deviations`."""
    units: Mapping[str, str]
    clock: Traces
    """Clock of the set, as traces without homes."""
    provenance: Mapping[str, Any]

    @property
    def probability(self) -> Doubles:
        """Probability of each scenario, ``(scenario,)``."""
        return np.asarray(self.scenarios["probability"], dtype=np.float64)

    @property
    def names(self) -> list[str]:
        """Names of the scenarios."""
        return [str(name) for name in self.scenarios.index]

    @property
    def span_days(self) -> float:
        """Length of the set [days]."""
        return len(self.clock.time) * self.clock.dt_h / 24

    @property
    def main(self) -> str:
        """Channel that scenarios are compared by: the net power, or the first that there is."""
        return next((name for name in (NET, "load_kw") if name in self.aggregate), next(iter(self.aggregate)))

    def to_text(self) -> str:
        """The tables, as a terminal shows them."""
        first, last = (stamp.tz_convert(self.clock.time_zone) for stamp in self.clock.time[[0, -1]])
        reached = 1 / float((self.probability**2).sum())
        head = (
            f"{len(self.scenarios):,} scenarios (as many as {reached:,.1f} equally likely ones) x {len(self.homes):,} "
            f"homes x {len(self.clock.time):,} steps of {self.clock.dt_h:g} h\n"
            f"{first:%d %b %Y %H:%M} to {last:%d %b %Y %H:%M}, {self.clock.time_zone}; energies are of this span"
        )
        parts = [head]
        medians = self.homes.filter(regex="_p50$")
        medians.columns = [name.removesuffix("_p50") for name in medians.columns]
        for title, table in (
            ("Channels", self.channels),
            ("Scenarios, all homes together", self.scenarios),
            ("Homes, medians over the scenarios", medians),
        ):
            if not len(table.columns):  # prices alone say nothing of homes
                continue
            more = f"\n… {len(table) - _ROWS:,} more" if len(table) > _ROWS else ""
            parts.append(f"{title}\n{table.head(_ROWS).to_string(float_format=cell, na_rep='–')}{more}")
        return "\n\n".join(parts)


def describe(scenario_set: ScenarioSet, *, progress: bool = False) -> Description:
    """Tables of a set, read scenario by scenario.

    Memory grows with scenarios times steps, not with homes: about 4 bytes for each of them and each channel.

    Args:
        progress: a bar on stderr.

    Raises:
        ValueError: a value that is NaN or infinite; events or states of homes alone, which have no aggregate.
    """
    if not any(adds_up(part) for part in scenario_set.channels.values()):
        raise ValueError(
            f"the set holds {', '.join(scenario_set.channels)} alone, which do not add up over homes; select() "
            "load_kw or a price too"
        )
    totals = read_totals(scenario_set, progress=progress)
    clock = clock_of(scenario_set.time, scenario_set.time_zone)
    units = {NET: "kW"} | {name: part.unit for name, part in scenario_set.channels.items()}
    features = scenario_features(scenario_set, totals, clock)
    return Description(
        scenarios=scenario_rows(scenario_set, totals, clock, features),
        homes=home_rows(scenario_set, totals),
        channels=channel_rows(scenario_set, totals, units),
        aggregate=totals.aggregate,
        features=features,
        units={name: units[name] for name in totals.level},
        clock=clock,
        provenance=scenario_set.provenance,
    )


def describe_dir(
    folder: Path | str, out: Path | str | None = None, *, force: bool = False, progress: bool = True,
    say: Callable[[str], object] | None = None,
) -> Path:  # fmt: skip
    """Write the page of a saved set and return its path, ``report.html`` in its folder by default.

    Args:
        force: the page may be there, and is replaced.
        say: is called with the tables as text, such as ``print``.

    Raises:
        ValueError: the page is there and is not to be replaced, or ``out`` is a folder.
        DataFormatError: ``folder`` holds no set.
    """
    from .describe_page import check_page, write_page

    path = Path(folder) / "report.html" if out is None else Path(out)
    scenario_set = open_scenarios(folder)
    check_page(path, force=force)  # before the reading, which may take long
    description = describe(scenario_set, progress=progress)
    if say is not None:
        say(description.to_text())
    title = f"Scenarios: {Path(folder).resolve().name}"
    return write_page(description, path, title=title, force=force, progress=progress)
