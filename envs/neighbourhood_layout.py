"""What each agent of a neighbourhood sees and does: its own numbers, or all agents the same ones, filled up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace

import gymnasium
import numpy as np
from numpy.typing import NDArray

from hidiff.home import Home

from . import core
from .fleet import Fleet
from .observation import Feature, features
from .parameters import one_home

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Integers = NDArray[np.int64]
BIDS = ("bid", "ask")
"""The two numbers of an action that name prices."""


class Layout:
    """Order of the numbers in observations and actions of every slot.

    Padded, every slot has the numbers of all devices that some household has; those that its own household lacks are
    0 in the observation and do nothing in the action, and where households differ, a 0 or 1 for each such device says
    which it has. Otherwise a slot has the numbers of its own devices.

    Raises:
        ValueError: not padded, households with different devices, and fewer slots than households.
    """

    def __init__(self, fleet: Fleet, *, padded: bool, bids: bool, shared: Sequence[Feature]) -> None:
        bank = fleet.bank
        slots, rows = fleet.homes_per_env, len(bank.traces)
        self.padded = padded
        devices = [_own(fleet, home) for home in (bank.homes * rows if bank.is_shared else bank.homes)]
        self._features_of_row = [names for names, _ in devices]
        union = [feature.name for feature in fleet.features]
        self.mask = np.array([[name in own for name in union] for own in self._features_of_row], np.float32)
        """Which numbers of the fleet's observation a household has, ``(row, number)``."""
        self._is_whole = bool(self.mask.all())
        self._fleet_features = len(union)

        flags = _device_flags(fleet, bank.homes) if padded else {}
        self._flags = np.zeros((rows, len(flags)), np.float32)
        for place, has in enumerate(flags.values()):
            self._flags[:, place] = has
        self.features: list[Feature] = [
            *fleet.features, *(Feature(f"has {name}", "-", 0, 1) for name in flags), *shared,
        ]  # fmt: skip
        """All numbers, of which an agent sees all when padded."""
        self.action_names: list[str] = [*fleet.action_names, *(BIDS if bids else ())]
        """All numbers of an action, of which an agent gives all when padded."""

        kinds = {(tuple(own), tuple(actions)) for own, actions in devices}
        self._is_fixed = not padded and len(kinds) > 1
        if self._is_fixed and slots < rows:
            raise ValueError(
                f"padded=False with {len(kinds)} kinds of home and homes_per_env={slots} of {rows} households; "
                "use padded=True, or let all households take part"
            )
        every = list(range(len(self.features))), list(range(len(self.action_names)))
        places = [every] * slots
        if not padded:
            own_of_slot = devices if self._is_fixed else devices[:1] * slots
            tail = (
                range(len(union), len(self.features)),
                range(len(fleet.action_names), len(self.action_names)),
            )
            places = [
                (
                    [*(union.index(name) for name in own), *tail[0]],
                    [*(fleet.action_names.index(name) for name in actions), *tail[1]],
                )
                for own, actions in own_of_slot
            ]
        self.features_of_slot = [[self.features[place] for place in seen] for seen, _ in places]
        self.action_names_of_slot = [[self.action_names[place] for place in given] for _, given in places]
        self._seen = _flat_places([seen for seen, _ in places], len(self.features))
        self._given = _flat_places([given for _, given in places], len(self.action_names))
        ends = np.cumsum([0, *(len(own) for own in self.features_of_slot)])
        self.slices = [slice(int(begin), int(end)) for begin, end in pairwise(ends)]
        """Where each slot's numbers lie in the flat observation."""
        self.observation_spaces = [_box(own) for own in self.features_of_slot]
        self.action_spaces = [
            gymnasium.spaces.Box(-1.0, 1.0, (len(names),), np.float32) for names in self.action_names_of_slot
        ]
        self.state_space = _box([feature for own in self.features_of_slot for feature in own])
        self._template = np.zeros((slots, len(self.features)), np.float32)
        self._action = np.zeros((slots, len(self.action_names)))

    def check_rows(self, rows: Integers) -> None:
        """Raise where a household's devices do not fit its slot.

        Raises:
            ValueError: which household, which slot.
        """
        if not self._is_fixed:
            return
        for slot, row in enumerate(rows.tolist()):
            if self._features_of_row[row] != self._features_of_row[slot]:
                raise ValueError(
                    f"household {row} has other devices than slot home_{slot}; use padded=True to place it there"
                )

    def begin(self, rows: Integers) -> None:
        """Take the households of an episode, ``(slot,)``."""
        self._now = self.mask[rows]
        self._template = np.zeros_like(self._template)
        if self._flags.shape[1]:
            place = self._fleet_features
            self._template[:, place : place + self._flags.shape[1]] = self._flags[rows]

    def observation(self, seen: Floats, shared: Sequence[float]) -> Observation:
        """All slots' numbers, one after the other, from the fleet's observation ``(slot, number)``; a new array."""
        if len(self.features) == self._fleet_features:
            table = seen.astype(np.float32)
        else:
            table = self._template.copy()
            table[:, : self._fleet_features] = seen
            if shared:
                table[:, -len(shared) :] = shared
        if not self._is_whole:
            table[:, : self._fleet_features] *= self._now
        flat: Observation = table.ravel()
        return flat if self._seen is None else flat[self._seen]

    def action(self, parts: Sequence[NDArray[np.floating]] | NDArray[np.floating]) -> Floats:
        """Actions of the slots as one table ``(slot, number)``, for `Neighbourhood.step`.

        Raises:
            ValueError: an action of another size, or beyond -1 to 1.
        """
        flat = np.concatenate(parts)
        sizes_fit = [len(part) for part in parts] == self.action_sizes
        # `not <=` lets no NaN pass
        if not sizes_fit or not np.abs(flat).max() <= 1.0:
            for slot, (part, names) in enumerate(zip(parts, self.action_names_of_slot, strict=True)):
                if np.shape(part) != (len(names),) or not (np.abs(part) <= 1.0).all():
                    raise ValueError(
                        f"the action of home_{slot} is {part}; it must be {len(names)} number(s) "
                        f"({', '.join(names)}) from -1 to 1, so clip it first"
                    )
        if self._given is None:
            return flat.astype(np.float64).reshape(self._action.shape)
        table = np.zeros_like(self._action)
        table.ravel()[self._given] = flat
        return table

    @property
    def action_sizes(self) -> list[int]:
        """How many numbers each slot's action has."""
        return [len(names) for names in self.action_names_of_slot]


def _own(fleet: Fleet, home: Home) -> tuple[list[str], list[str]]:
    """Names of what a home sees and does by itself."""
    parameters: SimpleNamespace = one_home(home, dt_h=fleet.dt_h)
    seen = features(
        parameters, look_ahead_steps=fleet.look_ahead_steps, demand_charges=len(home.tariff.demand),
        has_blocks=bool(home.tariff.blocks), forecast_steps=fleet.bank.forecast_steps,
    )  # fmt: skip
    return [feature.name for feature in seen], core.action_names(parameters)


def _device_flags(fleet: Fleet, homes: Sequence[Home]) -> dict[str, list[bool]]:
    """For each device that some households have and others lack, which have it, ``(row,)``."""
    devices = {
        name.replace("_", " "): [getattr(home, name) is not None for home in homes]
        for name in ("battery", "car", "heat_pump", "tank")
    }
    for number in range(len(fleet.bank.parameters.appliances)):
        devices[f"appliance {number}"] = [number < len(home.appliances) for home in homes]
    return {name: has for name, has in devices.items() if any(has) and not all(has)}


def _flat_places(places: Sequence[Sequence[int]], width: int) -> Integers | None:
    """Places within the flattened table ``(slot, width)``; None where they are all of them in order."""
    flat = np.array([slot * width + place for slot, own in enumerate(places) for place in own])
    return None if np.array_equal(flat, np.arange(len(places) * width)) else flat


def _box(numbers: Sequence[Feature]) -> gymnasium.spaces.Box:
    low = np.array([feature.low for feature in numbers], np.float32)
    high = np.array([feature.high for feature in numbers], np.float32)
    return gymnasium.spaces.Box(low, high, dtype=np.float32)
