"""The homes of a study: households from the model's prior, with the sizes and devices that were asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.household import Household
from hidiff.rng import generator

from .study import Distribution, Group, Population

DRAWN = ("annual_kwh", "pv_kwp", "ev", "heat_pump", "battery", "battery_kwh")
"""What is drawn for every home of a group, each by a sequence of its own."""


def shares(count: int, name: str, *key: int | str) -> NDArray[np.float64]:
    """Numbers in 0..1 that fill it evenly, however many are taken, ``(count,)``: the first ones never change.

    An additive recurrence with the generalised golden ratio (Roberts 2018, "The unreasonable effectiveness of
    quasirandom sequences"), from a start that ``key`` draws. Ten homes have 30 % with a car, not 10 or 50 %.
    """
    ratio = 2.0
    for _ in range(64):  # root of x^(d + 1) = x + 1
        ratio = (1 + ratio) ** (1 / (len(DRAWN) + 1))
    step = ratio ** -(1 + DRAWN.index(name))
    return np.asarray((generator(*key, name).random() + step * np.arange(1, count + 1)) % 1)


def sizes(asked: float | Distribution | None, share: NDArray[np.float64]) -> list[float | None]:
    """The size of each home, or None where nothing is asked."""
    if asked is None or isinstance(asked, (int, float)):
        return [asked] * len(share)
    return [asked.quantile(float(one)) for one in share]


def draw_devices(groups: list[tuple[Group, int]], seed: int) -> pd.DataFrame:
    """Who has what, one row a home: ``archetype``, ``has_ev``, ``has_heat_pump``, ``battery_kwh`` (0 for none).

    Args:
        groups: each with the number of its homes.
    """
    parts = []
    for group, count in groups:
        key = (seed, "population", group.name)
        capacity = sizes(group.battery_kwh, shares(count, "battery_kwh", *key))
        has_battery = shares(count, "battery", *key) < group.battery_share
        parts.append(
            pd.DataFrame(
                {
                    "archetype": group.name,
                    "has_ev": shares(count, "ev", *key) < group.ev_share,
                    "has_heat_pump": shares(count, "heat_pump", *key) < group.heat_pump_share,
                    "battery_kwh": np.where(has_battery, np.array(capacity, dtype=np.float64), 0.0),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def draw_homes(model: HiDiff, population: Population) -> tuple[list[Household], pd.DataFrame]:
    """Households to sample and their table of homes.

    Raises:
        ValueError: a training home that there is not, or sizes out of range.
    """
    people: list[Household] = []
    for group in population.groups:
        key = (population.seed, "population", group.name)
        # Each group draws from a stream of its own, or a home added to one would change the homes of the next.
        drawn = model.households(
            group.count, int(generator(*key, "households").integers(2**62)),
            mode="like" if group.like else "new", household=group.like,
            annual_kwh=sizes(group.annual_kwh, shares(group.count, "annual_kwh", *key)),
            pv_kwp=sizes(group.pv_kwp, shares(group.count, "pv_kwp", *key)),
        )  # fmt: skip
        people += [named(home, group) for home in drawn]
    homes = pd.DataFrame(
        {
            "pv_capacity_kwp": [home.capacity_kwp for home in people],
            "mode": [home.mode for home in people],
            "source_home": [home.source or home.name for home in people],
            "roof_tilt_deg": [home.roof.tilt_deg for home in people],
            "roof_azimuth_deg": [home.roof.azimuth_deg for home in people],
        }
    )
    homes = pd.concat(
        [homes, draw_devices([(g, g.count) for g in population.groups], population.seed)], axis=1
    )
    homes.index = pd.Index([home.name for home in people], name="home", dtype=object)
    return people, homes


def named(home: Household, group: Group) -> Household:
    """The household under a name that no other group gives; its noise is keyed by that name."""
    name = f"{group.name}-{home.name.removeprefix('new-').removeprefix('like-')}"
    return replace(home, name=name, key=name)
