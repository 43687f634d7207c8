"""Key performance indicators of an episode, of every home of a community, and of controllers side by side.

Each indicator is one pure function in ``kpis_money``, ``kpis_grid``, ``kpis_battery``, ``kpis_devices`` or
``kpis_community``; the names of its parameters say what it needs. One whose inputs are absent is absent from the
result, never zero; one that is not defined (a share of nothing) is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hidiff.home import Home

from . import kpis_battery, kpis_community, kpis_devices, kpis_grid, kpis_money
from .episode import Episode
from .kpis_devices import power_at_request
from .kpis_table import REGISTERED, Floats, Kpi, Scope

__all__ = ["KPIS", "Kpi", "community_kpis", "compare", "kpis", "kpis_by_home"]

_MODULES = (kpis_money, kpis_grid, kpis_battery, kpis_devices, kpis_community)

KPIS: dict[str, Kpi] = {
    name: one
    for module in _MODULES
    for name, one in REGISTERED.items()
    if one.compute.__module__ == module.__name__
}
"""Every indicator by name, in the order of tables."""


def kpis(
    episode: Episode,
    home: Home | None = None,
    *,
    co2_kg_per_kwh: Floats | None = None,
    optimum: Episode | None = None,
    rule: Episode | None = None,
) -> pd.Series:
    """Indicators of one home's episode, in the order of `KPIS`.

    Args:
        home: what stands in the house; needed for what is relative to the battery's capacity, for its charge at
            the start where the episode does not say it, and to leave out devices that the home lacks.
        co2_kg_per_kwh: emissions of imported energy, ``(step,)``; else the episode's own of that name.
        optimum: the same episode under its optimum, to measure regret against.
        rule: the same episode under a rule.

    Raises:
        ValueError: a community, or episodes of other times.
    """
    if episode.is_community:
        raise ValueError(
            f"the episode has {len(episode.homes)} homes; use kpis_by_home or community_kpis, or kpis of one "
            f"home: episode.of_home({episode.homes[0]!r})"
        )
    if home is not None:
        episode = episode.with_devices_of(home)
    known = _known(episode, co2_kg_per_kwh)
    if home is not None:
        known = _of_config(episode, home) | known
    return _values("home", known | _totals(episode, optimum, rule))


def kpis_by_home(
    episode: Episode,
    homes: Mapping[str, Home] | None = None,
    *,
    co2_kg_per_kwh: Floats | None = None,
) -> pd.DataFrame:
    """Indicators of each home of a community, a row a home; NaN where a home lacks the device."""
    rows = {
        name: kpis(episode.of_home(name), (homes or {}).get(name), co2_kg_per_kwh=co2_kg_per_kwh)
        for name in episode.homes
    }
    found = pd.DataFrame(rows).T.rename_axis(index="home")
    return found[[name for name in KPIS if name in found.columns]]


def community_kpis(
    episode: Episode,
    *,
    co2_kg_per_kwh: Floats | None = None,
    optimum: Episode | None = None,
    rule: Episode | None = None,
) -> pd.Series:
    """Indicators of a community as a whole; arguments as of `kpis`.

    Raises:
        ValueError: an episode without an axis of homes, or episodes of other times or homes.
    """
    if not episode.is_community:
        raise ValueError("the episode is of one home and has no axis of homes; use kpis")
    known = _known(episode, co2_kg_per_kwh)
    known.pop("battery_start_kwh", None)  # (home,), not (step,); no indicator of the whole asks for it
    shape = (episode.steps, len(episode.homes))
    wide = {
        name: np.broadcast_to(value[:, None], shape) if np.ndim(value) == 1 else np.nan_to_num(value)
        for name, value in known.items()
        if np.ndim(value)
    }
    return _values("community", known | wide | _totals(episode, optimum, rule))


def compare(
    episodes: Mapping[str, Episode],
    home: Home | None = None,
    *,
    co2_kg_per_kwh: Floats | None = None,
    optimum: str = "optimum",
    rule: str = "rule",
) -> pd.DataFrame:
    """Indicators of controllers side by side, a column each, in homes or communities.

    Where one is called as ``optimum`` (``rule``) says, the others' regret (saving) is measured against it.

    Raises:
        ValueError: no episode, or episodes of other times or homes.
    """
    if not episodes:
        raise ValueError("there is no episode to compare; give at least one")
    first = next(iter(episodes.values()))
    for other in episodes.values():
        check_same_steps(first, other)
    against = {"optimum": episodes.get(optimum), "rule": episodes.get(rule)}
    if first.is_community:
        columns = {
            name: community_kpis(episode, co2_kg_per_kwh=co2_kg_per_kwh, **against)
            for name, episode in episodes.items()
        }
    else:
        columns = {
            name: kpis(episode, home, co2_kg_per_kwh=co2_kg_per_kwh, **against)
            for name, episode in episodes.items()
        }
    table = pd.DataFrame(columns)
    return table.loc[[name for name in KPIS if name in table.index]].rename_axis(index="kpi")


def check_same_steps(one: Episode, other: Episode) -> None:
    """Raise unless two episodes are of the same steps and homes.

    Raises:
        ValueError: other times or homes.
    """
    if not one.time.equals(other.time) or one.homes != other.homes or one.is_community != other.is_community:
        raise ValueError(
            f"episodes differ in their steps or homes ({one.steps} steps from {one.time[0]} of {len(one.homes)} homes; "
            f"{other.steps} from {other.time[0]} of {len(other.homes)}); compare controllers on the same episode"
        )


def _known(episode: Episode, co2_kg_per_kwh: Floats | None) -> dict[str, Any]:
    """What functions may ask for by name: the arrays, the step length, the local day of each step."""
    known: dict[str, Any] = dict(episode.arrays)
    known["dt_h"] = episode.dt_h
    known["day"] = np.asarray(episode.local_time.normalize().tz_localize(None).asi8, np.float64)
    if "battery_kwh" in episode.start:
        known["battery_start_kwh"] = np.asarray(episode.start["battery_kwh"], np.float64)
    if co2_kg_per_kwh is not None:
        if np.shape(co2_kg_per_kwh) != (episode.steps,):
            raise ValueError(
                f"co2_kg_per_kwh has shape {np.shape(co2_kg_per_kwh)}; the episode has {episode.steps} steps"
            )
        known["co2_kg_per_kwh"] = np.asarray(co2_kg_per_kwh, np.float64)
    return known


def _totals(episode: Episode, optimum: Episode | None, rule: Episode | None) -> dict[str, float]:
    """Total cost of an episode and of those that it is measured against, where it is known."""
    totals: dict[str, float] = {}
    for name, one in (("total", episode), ("optimum_total", optimum), ("rule_total", rule)):
        if one is not None:
            check_same_steps(episode, one)
            value = KPIS["total_cost"].value(
                {name: np.nan_to_num(array) for name, array in one.arrays.items()}
            )
            totals |= {} if value is None else {name: value}
    return totals


def _of_config(episode: Episode, home: Home) -> dict[str, Any]:
    """What functions may ask for of the home's configuration."""
    known: dict[str, Any] = {}
    if (battery := home.battery) is not None:
        known |= {
            "usable_kwh": battery.usable_kwh, "soc_min": battery.soc_min, "soc_max": battery.soc_max,
            "battery_start_kwh": battery.energy_initial_kwh,
        }  # fmt: skip
    requests = [f"appliance_request_{place}" for place in range(len(home.appliances))]
    if requests and all(name in episode for name in requests):
        known["appliance_at_request_kw"] = power_at_request(
            [episode[name] for name in requests], home.appliances, dt_h=episode.dt_h
        )
    return known


def _values(scope: Scope, known: dict[str, Any]) -> pd.Series:
    values = {name: one.value(known) for name, one in KPIS.items() if one.scope in (scope, "both")}
    found = {name: value for name, value in values.items() if value is not None}
    return pd.Series(found, dtype=np.float64, name="value").rename_axis("kpi")
