"""Scenarios as a source: what may happen, with its probability."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hidiff.scenarios.scenario_set import ScenarioSet

from .exogenous_car import needs_at_departure
from .sources import Floats, Stamp, Window, find_start, midnights, named_parts

GIVEN = MappingProxyType(
    {
        "temperature_c": "outdoor_c",
        "import_price_per_kwh": "import_price",
        "export_price_per_kwh": "export_price",
        "wholesale_price_per_kwh": "wholesale_per_kwh",
    }
)
"""Channels of a set that a window brings, and their names there."""


class ScenarioSource:
    """Windows of a `ScenarioSet`: a scenario by its probability, a home and a local midnight with equal chances.

    Temperature, prices and, of homes with a car, its presence and needs (``ev_is_home``, ``ev_need_kwh``) come along.
    Only what is drawn is read, so a set may be of any size. For parts that share no home use `ScenarioSet.split`.

    Args:
        steps: length of a window.
        history_days: days of the scenario that a random window has before it.

    Raises:
        ValueError: a set without ``load_kw``, or shorter than a window.
    """

    def __init__(self, scenario_set: ScenarioSet, steps: int, *, history_days: float = 0) -> None:
        self.scenario_set = scenario_set
        self.steps = steps
        if "load_kw" not in scenario_set.channels:
            raise ValueError(f"the set has no load_kw; it has {', '.join(scenario_set.channels)}")
        if not 2 <= steps <= len(scenario_set.time):
            raise ValueError(
                f"a window of {steps} steps does not fit in a set of {len(scenario_set.time)} steps"
            )
        after = round(history_days * 24 / scenario_set.dt_h)
        self._midnights = midnights(scenario_set.time, scenario_set.time_zone, steps, after)
        if not len(self._midnights):
            raise ValueError(f"no {steps} steps of the set begin at a local midnight; shorten the episode")

    @property
    def dt_h(self) -> float:
        """Step length [h]."""
        return self.scenario_set.dt_h

    @property
    def names(self) -> list[str]:
        """Names of the homes."""
        return self.scenario_set.home_names

    def draw(
        self, random: np.random.Generator, *, home: str | None = None, start: Stamp | None = None,
        episode: str | None = None,
    ) -> Window:  # fmt: skip
        """A window of one scenario; see `Source.draw`."""
        chosen = self.scenario_set
        if episode is not None:
            life, start = named_parts(episode, home, start)
            scenario, home = self._scenario_and_home(life)
        else:
            scenario = int(random.choice(len(chosen), p=chosen.probability))
            home = str(random.choice(self.names)) if home is None else home
        row = int(chosen.home_rows([home])[0])
        if start is None:
            first = int(random.choice(self._midnights))
        else:
            first = find_start(chosen.time, chosen.time_zone, self.steps, start)
        span = slice(first, first + self.steps)
        load_kw = self._read("load_kw", scenario, row)
        pv_kw = self._read("pv_kw", scenario, row) if "pv_kw" in chosen.channels else np.zeros(len(load_kw))
        given = {
            name: self._read(channel, scenario, row)[span]
            for channel, name in GIVEN.items()
            if channel in chosen.channels
        }
        if self._has_car(row):
            is_home, need_kwh = (self._read(name, scenario, row) for name in ("ev_is_home", "ev_need_kwh"))
            given["car_is_home"] = is_home[span]
            given["trip_need_kwh"] = needs_at_departure(is_home, need_kwh)[span]
        for name, values in {"load_kw": load_kw[span], "pv_kw": pv_kw[span], **given}.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"{name} of home {home!r} in scenario {chosen.names[scenario]!r} has values that are not "
                    f"finite within {self.steps} steps from {chosen.time[first]}; fill them first"
                )
        return Window(
            row=row, home=home, first=first, steps=self.steps, life=f"{chosen.names[scenario]}|{home}",
            record_load_kw=load_kw, record_pv_kw=pv_kw, record_time=chosen.time, time_zone=chosen.time_zone,
            pv_capacity_kwp=float(chosen.homes["pv_capacity_kwp"].iloc[row]), given=given,
        )  # fmt: skip

    def _scenario_and_home(self, life: str) -> tuple[int, str]:
        """Scenario and home of an episode's name; either may have a bar in its own name."""
        names, homes = self.scenario_set.names, set(self.names)
        for at in (place for place, sign in enumerate(life) if sign == "|"):
            if life[:at] in names and life[at + 1 :] in homes:
                return names.index(life[:at]), life[at + 1 :]
        raise ValueError(
            f"episode of {life!r}: the set has no such scenario and home; names are 'scenario|home'"
        )

    def _has_car(self, row: int) -> bool:
        chosen = self.scenario_set
        if not {"ev_is_home", "ev_need_kwh"} <= set(chosen.channels):
            return False
        known = chosen.homes.get("has_ev")
        return known is None or bool(known.iloc[row])

    def _read(self, channel: str, scenario: int, row: int) -> Floats:
        rows: NDArray[np.int64] = np.array([row], dtype=np.int64)
        values = self.scenario_set.read(channel, scenario, rows)
        return np.asarray(values[0] if values.ndim == 2 else values)
