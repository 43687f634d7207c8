"""Electric cars of the homes of a `ScenarioSet`, as channels that are lived when they are read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from hidiff.config import suggestion, to_mapping

from .behaviour import Behaviour
from .ev_trips import EvConfig, channels_of, ev_sessions
from .scenario_set import KNOWN, Channel, Rows, ScenarioSet, Values

NAMES = ("ev_kw", "ev_is_home", "ev_need_kwh")


def with_electric_cars(
    scenario_set: ScenarioSet, *, homes: Sequence[str] | None = None, seed: int, population_seed: int = 0,
    config: EvConfig | None = None, behaviour: Behaviour | None = None,
) -> ScenarioSet:  # fmt: skip
    """The set with ``ev_kw``, ``ev_is_home`` and ``ev_need_kwh``, zero for homes without a car.

    ``load_kw`` stays as it is: whoever wants the load of the meter adds ``ev_kw`` to it.

    Args:
        homes: names of the homes with a car; None: those whose ``has_ev`` is true, or all where that is not known.
        seed: of the days; each scenario lives its own.
        population_seed: of the owners, who are the same in all scenarios.
    Raises:
        ValueError: an unknown home, a set that has cars, or what `ev_sessions` refuses.
    """
    config = config or EvConfig()
    taken = [name for name in NAMES if name in scenario_set.channels]
    if taken:
        raise ValueError(f"the set has {taken[0]!r} already; select() the channels without it first")
    names = scenario_set.home_names
    if homes is None:
        known = scenario_set.homes.get("has_ev")
        owners = set(names if known is None else scenario_set.homes.index[known.eq(True)])
    else:
        owners = set(homes)
        for name in homes:
            if name not in scenario_set.homes.index:
                raise ValueError(f"unknown home {name!r}{suggestion(str(name), names)}")
    load = scenario_set.channels.get("load_kw") if config.load_link > 0 else None

    @functools.lru_cache(maxsize=4096)
    def sessions(scenario: int, row: int) -> pd.DataFrame:
        values = None if load is None else load.read(scenario, np.array([row], dtype=np.int64))[0]
        return ev_sessions(
            scenario_set.time, scenario_set.time_zone, seed=f"{seed}/{scenario_set.names[scenario]}",
            home=names[row], population_seed=population_seed, config=config, load_kw=values, behaviour=behaviour,
        )  # fmt: skip

    def reader(name: str) -> Callable[[int, Rows], Values]:
        def read(scenario: int, rows: Rows) -> Values:
            values = np.zeros((len(rows), len(scenario_set.time)), dtype=np.float32)
            for place, row in enumerate(rows.tolist()):
                if names[row] in owners:
                    values[place] = channels_of(sessions(scenario, row), scenario_set.time)[name]
            return values

        return read

    channels = {name: Channel(read=reader(name), unit=KNOWN[name][0], kind=KNOWN[name][1]) for name in NAMES}
    record = {"seed": seed, "population_seed": population_seed, "config": to_mapping(config)}
    return replace(
        scenario_set,
        homes=scenario_set.homes.assign(has_ev=[name in owners for name in names]),
        channels={**scenario_set.channels, **channels},
        provenance={**scenario_set.provenance, "electric_cars": record},
    )
