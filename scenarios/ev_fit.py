"""Fit of `Behaviour` on sessions of many users: one habit vector a user, one set of parameters for all.

The sessions become rows of decisions (the tree of `behaviour`). The habits z are unknown: each has a Gaussian
posterior, found together with the parameters by maximising the evidence bound (reparameterised, all rows at a step).
What is kept of the users is the mean and covariance of their habits, posterior variance included.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.errors import DataFormatError
from hidiff.output import replace_when_done

from . import behaviour as b
from .behaviour import HEADS, Array, Behaviour

SHIPPED = "ev_norway.json"


@dataclass(frozen=True, kw_only=True)
class EvFitConfig:
    """How `Behaviour` is fitted."""

    habit: int = 6
    """Numbers in a person's habit."""
    steps: int = 300
    """Steps of Adam."""
    learning_rate: float = 0.05
    """Its first step size; it falls to zero along a cosine."""
    weight_penalty: float = 0.3
    """Ridge on the factor levels."""
    loading_penalty: float = 1.0
    """Ridge on the loadings, and on their difference between workday and weekend."""
    smoothness: float = 3.0
    """Penalty on second differences along hours, dwell and energy."""
    seed: int = 0
    """Seed of the reparameterisation noise."""

    def __post_init__(self) -> None:
        for name in ("habit", "steps"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; it must be above 0")
        for name in ("weight_penalty", "loading_penalty", "smoothness"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")


class Rows:
    """Decisions of one head: user, weekend, factor levels, outcome, and the first and last outcome possible."""

    def __init__(self) -> None:
        self.values: list[tuple[int, ...]] = []

    def add(
        self, user: int, is_weekend: int, levels: tuple[int, ...], outcome: int, low: int, high: int
    ) -> None:
        self.values.append((user, is_weekend, outcome, low, high, *levels))

    def table(self) -> NDArray[np.int64]:
        return np.array(self.values, dtype=np.int64)


def car_of(energy_kwh: Array, hours: Array) -> tuple[float, float]:
    """Charger power [kW] and largest charge [kWh] of a car, from its sessions."""
    is_long = hours >= 0.5
    power = energy_kwh[is_long] / hours[is_long] if is_long.any() else np.array([3.6])
    charger = float(np.clip(np.quantile(power, 0.98), b.CHARGER_EDGES_KW[0], b.CHARGER_EDGES_KW[-1] - 1e-6))
    largest = np.quantile(energy_kwh, 0.99)
    return charger, float(np.clip(largest, b.CAPACITY_EDGES_KWH[0], b.CAPACITY_EDGES_KWH[-1] - 1e-6))


def decisions(sessions: pd.DataFrame, time_zone: str = "Europe/Oslo") -> tuple[dict[str, Rows], list[str]]:
    """Rows of every head from cleaned sessions, and the names of the users in order."""
    rows: dict[str, Rows] = defaultdict(Rows)
    users = sorted(sessions["user"].unique())
    for number, user in enumerate(users):
        own = sessions[sessions["user"] == user]
        hours = ((own["end"] - own["start"]).dt.total_seconds() / 3600).to_numpy()
        charger_kw, largest_kwh = car_of(own["energy_kwh"].to_numpy(), hours)
        level = int(np.searchsorted(b.CHARGER_EDGES_KW, charger_kw, side="right")) - 1
        rows["charger"].add(number, 0, (), level, 0, HEADS["charger"].outcomes - 1)
        level = int(np.searchsorted(b.CAPACITY_EDGES_KWH, largest_kwh, side="right")) - 1
        rows["capacity"].add(number, 0, (int(charger_kw > 5.0),), level, 0, HEADS["capacity"].outcomes - 1)
        for _, window in own.groupby("window"):
            _walk(rows, number, window, charger_kw, largest_kwh, time_zone)
    return rows, users


def _walk(
    rows: dict[str, Rows],
    user: int,
    window: pd.DataFrame,
    charger_kw: float,
    largest_kwh: float,
    time_zone: str,
) -> None:
    """The decisions of one user in one window, read off the sessions as `behaviour.live` would make them."""
    local = [window[name].dt.tz_convert(time_zone).dt.tz_localize(None) for name in ("start", "end")]
    origin = (local[0].iloc[0] - pd.Timedelta(minutes=b.DAY_START_MIN)).normalize()
    start, end = (((part - origin).dt.total_seconds() / 60 - b.DAY_START_MIN).to_numpy() for part in local)
    first_weekday = origin.weekday()
    car = b.car_class(largest_kwh)
    _walk_energy(rows, user, window, charger_kw, largest_kwh)
    day_of = (start // b.DAY_MIN).astype(int)
    end_day = (end // b.DAY_MIN).astype(int)
    plugged = set(day_of.tolist())
    last_plugged, yesterday = -1, 1
    place = 0  # session that is connected, or comes next
    is_connected, nights = False, 0
    for day in range(int(end_day[-1]) + 1):
        kind = b.weekday_class((first_weekday + day) % 7)
        is_weekend = int(kind >= 2)
        now, today, is_fresh = 0.0, 0, True
        # the first day is seen because it has a plug-in: that it has one says nothing
        is_told = day > 0
        if is_connected:
            is_leaving = int(end_day[place]) == day
            rows["leaves"].add(
                user, is_weekend, (kind, min(nights - 1, 3), car, yesterday), int(is_leaving), 0, 1
            )
            if not is_leaving:
                nights, yesterday = nights + 1, 0
                continue
            now = end[place] - day * b.DAY_MIN
            rows["leaves_at"].add(user, is_weekend, (kind,), int(now // b.BIN_MIN), 0, b.BINS - 1)
            is_connected, is_fresh, place = False, False, place + 1
        if place >= len(start):
            break
        while now < b.DAY_MIN - 2:
            count = min(today, 2)
            hour = 12 if is_fresh else b.hour_class(now)
            is_plugging = place < len(start) and int(day_of[place]) == day
            if place >= len(start):
                break
            levels = (
                kind, hour, b.since_class(day - last_plugged), count, int(day - 7 in plugged), car, yesterday,
            )  # fmt: skip
            if is_told or today:
                rows["plugs_in"].add(user, is_weekend, levels, int(is_plugging), 0, 1)
            if not is_plugging:
                break
            low = int(now // b.BIN_MIN)
            now = start[place] - day * b.DAY_MIN
            rows["plugs_in_at"].add(user, is_weekend, (kind, count), int(now // b.BIN_MIN), low, b.BINS - 1)
            today, last_plugged = today + 1, day
            is_staying = int(end_day[place]) > day
            clock = b.hour_class(now)
            rows["stays"].add(user, is_weekend, (kind, clock, min(today - 1, 2), car), int(is_staying), 0, 1)
            if is_staying:
                is_connected, nights = True, 1
                break
            dwell = end[place] - start[place]
            edges = b.DWELL_EDGES_MIN
            number = int(np.clip(np.searchsorted(edges, dwell, side="right") - 1, 0, len(edges) - 2))
            high = max(int(np.searchsorted(edges, b.DAY_MIN - now, side="left")) - 1, number)
            rows["dwell"].add(user, is_weekend, (is_weekend, clock, car), number, 0, high)
            now, place, is_fresh = now + dwell, place + 1, False
        yesterday = b.day_type(today, is_connected)


def _walk_energy(
    rows: dict[str, Rows], user: int, window: pd.DataFrame, charger_kw: float, largest_kwh: float
) -> None:
    first = window["start"].iloc[0]
    start = ((window["start"] - first).dt.total_seconds() / 3600).to_numpy()
    end = ((window["end"] - first).dt.total_seconds() / 3600).to_numpy()
    left_over, last_end = 0, -24.0
    for a, z, energy in zip(start, end, window["energy_kwh"].to_numpy(), strict=True):
        allowed = min(largest_kwh, charger_kw * (z - a))
        fraction = min(energy / allowed, 1.0)
        levels = (
            b.limit_class(allowed / largest_kwh), b.gap_class(a - last_end), b.car_class(largest_kwh), left_over,
        )  # fmt: skip
        outcome = min(int(fraction * b.FRACTIONS), b.FRACTIONS - 1)
        rows["fraction"].add(user, 0, levels, outcome, 0, b.FRACTIONS - 1)
        left_over, last_end = b.is_left_over(fraction, allowed, largest_kwh), z


def fit_behaviour(
    sessions: pd.DataFrame, config: EvFitConfig | None = None, *, time_zone: str = "Europe/Oslo"
) -> Behaviour:
    """Behaviour of the users of cleaned sessions (`ev_data.clean_sessions`).

    Raises:
        ValueError: fewer than three users; a spread between people cannot be told from less.
    """
    import torch

    config = config or EvFitConfig()
    rows, users = decisions(sessions, time_zone)
    if len(users) < 3:
        raise ValueError(f"the sessions are of {len(users)} users; a population needs at least 3")
    torch.manual_seed(config.seed)
    noise = torch.Generator().manual_seed(config.seed)
    tables = {name: torch.from_numpy(rows[name].table()) for name in HEADS if rows[name].values}
    weights = {
        name: {
            factor: torch.zeros(size, HEADS[name].outcomes, requires_grad=True)
            for factor, size in ({"": 1} | HEADS[name].factors).items()
        }
        for name in HEADS
    }
    loadings = {
        name: (0.1 * torch.randn(2, config.habit, head.outcomes, generator=noise)).requires_grad_()
        for name, head in HEADS.items()
    }
    mean = (0.1 * torch.randn(len(users), config.habit, generator=noise)).requires_grad_()
    log_spread = torch.full((len(users), config.habit), -1.0, requires_grad=True)
    parameters = [part for own in weights.values() for part in own.values()] + [
        *loadings.values(),
        mean,
        log_spread,
    ]
    adam = torch.optim.Adam(parameters, lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, config.steps)
    masks = {}
    for name, table in tables.items():
        outcome = torch.arange(HEADS[name].outcomes)
        is_open = (outcome >= table[:, 3:4]) & (outcome <= table[:, 4:5])
        if not bool(is_open.all()):
            masks[name] = torch.where(is_open, 0.0, -30.0)

    for _ in range(config.steps):
        habit = mean + log_spread.exp() * torch.randn(mean.shape, generator=noise)
        loss = 0.5 * (mean**2 + (2 * log_spread).exp() - 2 * log_spread).sum()
        for name, table in tables.items():
            own = torch.einsum("ur,gro->ugo", habit, loadings[name])
            logits = own[table[:, 0], table[:, 1]] + weights[name][""][0]
            for column, factor in enumerate(HEADS[name].factors):
                logits = logits + weights[name][factor][table[:, 5 + column]]
            if name in masks:
                logits = logits + masks[name]
            loss = loss + torch.nn.functional.cross_entropy(logits, table[:, 2], reduction="sum")
            for factor, part in weights[name].items():
                if factor:
                    loss = loss + config.weight_penalty * (part**2).sum()
                else:
                    loss = loss + 0.01 * (part**2).sum()
                if HEADS[name].is_smooth:
                    loss = loss + config.smoothness * (part.diff(n=2, dim=1) ** 2).sum()
            part = loadings[name]
            loss = loss + config.loading_penalty * (
                (part**2).mean(0).sum() + ((part[0] - part[1]) ** 2).sum()
            )
            if HEADS[name].is_smooth:
                loss = loss + config.smoothness * (part.diff(n=2, dim=2) ** 2).sum()
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        schedule.step()

    centre, own_spread = mean.detach().double().numpy(), log_spread.detach().exp().double().numpy()
    covariance = np.cov(centre.T).reshape(config.habit, config.habit) + np.diag((own_spread**2).mean(axis=0))
    return Behaviour(
        weights={
            name: {factor: part.detach().double().numpy() for factor, part in own.items()}
            for name, own in weights.items()
        },
        loadings={name: part.detach().double().numpy() for name, part in loadings.items()},
        mean=centre.mean(axis=0),
        spread=np.linalg.cholesky(covariance),
    )


def write_behaviour(behaviour: Behaviour, path: str | Path, note: Mapping[str, Any]) -> Path:
    """The parameters as JSON, four digits after the point, with ``note`` (source, licence) at its head."""

    def plain(values: Array) -> Any:
        return np.round(values, 4).tolist()

    content = dict(note) | {
        "mean": plain(behaviour.mean),
        "spread": plain(behaviour.spread),
        "weights": {
            name: {factor: plain(part) for factor, part in own.items()}
            for name, own in behaviour.weights.items()
        },
        "loadings": {name: plain(part) for name, part in behaviour.loadings.items()},
    }
    path = Path(path)
    with replace_when_done(path) as temporary:
        temporary.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def read_behaviour(path: str | Path | None = None) -> Behaviour:
    """Behaviour from a file of `write_behaviour`; without a path, the one that ships (Norway, 2018-2020).

    Raises:
        DataFormatError: the file is no such JSON, or a part of it is missing or of a wrong shape.
    """
    source = resources.files(__package__) / "parameters" / SHIPPED if path is None else Path(path)
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
        weights = {
            name: {
                factor: _shaped(
                    content["weights"][name][factor], (size, head.outcomes), f"weights.{name}.{factor}"
                )
                for factor, size in ({"": 1} | head.factors).items()
            }
            for name, head in HEADS.items()
        }
        mean = np.asarray(content["mean"], dtype=np.float64)
        habit = len(mean)
        loadings = {
            name: _shaped(content["loadings"][name], (2, habit, head.outcomes), f"loadings.{name}")
            for name, head in HEADS.items()
        }
        spread = _shaped(content["spread"], (habit, habit), "spread")
    except KeyError as error:
        raise DataFormatError(f"{source} has no part {error}; write it with write_behaviour") from error
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise DataFormatError(f"{source} is no file of write_behaviour: {error}") from error
    return Behaviour(weights=weights, loadings=loadings, mean=mean, spread=spread)


def _shaped(values: Any, shape: tuple[int, ...], name: str) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise DataFormatError(f"{name} has the shape {array.shape}, expected {shape}; fit it again")
    return array
