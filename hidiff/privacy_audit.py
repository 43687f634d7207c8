"""What a model and the homes it makes give away about its training homes: tables of distances and attacks.

Three attackers: one who holds a generated set (`distance_table`, `attack_table`, `reconstruction_table`), one who
holds the weights (`membership_scores`), and an auditor who put canaries among the training homes (`canary_homes`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hidiff import rng as random
from hidiff.data import prepare as preparation
from hidiff.data.prepare import Prepared
from hidiff.data.traces import Traces
from hidiff.data.weather import COLUMNS
from hidiff.diffusion import identity, precondition
from hidiff.diffusion import low as low_level
from hidiff.diffusion.habit import HABIT
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.high import HighData
from hidiff.diffusion.low import LowData
from hidiff.metrics import privacy
from hidiff.training import clean

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Scores = dict[tuple[str, str], Array]
"""By kind of record (or where the score comes from) and name of the score, ``(home,)``; higher says "trained on"."""

RECORDS = {
    "load day": ("load_kw", 1, 4),
    "load week": ("load_kw", 7, 1),
    "PV week": ("pv_kw", 7, 1),
}
"""Kinds of record: channel, days, and every which one is taken (days are many)."""
PROFILE, NUMBERS = "load profile", "statistics and style"
"""A home's year as one record: mean load by month and hour, and the numbers the model knows a home by."""
SIGMAS = (0.15, 0.4, 1.0, 2.5)
"""Noise levels of the loss, spread over those that training visits."""
WINDOWS, SPANS = 4, 2
"""Windows of the low level and spans of the high level whose loss is taken, of each home."""
BATCH = 16


@dataclass(frozen=True)
class Sides:
    """Homes to tell apart, on the time that members were trained on."""

    traces: Traces
    """Members first, then others; nothing from the hidden year on, so that both have the same days."""
    is_member: Bools
    """``(home,)``."""


def sides(model: HiDiff, traces: Traces) -> Sides:
    """Training and validation homes of a model that a fair coin could have put on either side.

    Homes without the last year cannot be validated on and homes that are not clean were not drawn from, so both
    are left out: what is left differs by a hash of the name and by nothing else.

    Raises:
        ValueError: no home on one side is among the traces.
    """
    parts = model.notes["split"]
    traces, hidden_from = clean(traces), pd.Timestamp(parts["hidden_from"])
    late = np.asarray(traces.time >= hidden_from)
    whole: Bools = np.asarray(np.isfinite(traces.load_kw[:, late]).all(axis=1))
    recorded = {name for name, has_last in zip(traces.names, whole, strict=True) if has_last}
    members = [name for name in model.homes if name in recorded]
    others = [name for name in parts["validation_homes"] if name in recorded]
    if not members or not others:
        raise ValueError(
            f"{len(members)} training and {len(others)} validation homes of the model are among the traces; "
            "give the homes that it was trained with"
        )
    seen = traces.select([*members, *others]).between(traces.time[0], hidden_from)
    return Sides(seen, np.arange(len(seen)) < len(members))


# ---------------------------------------------------------------- what a generated set gives away


def home_records(traces: Traces, model: HiDiff | None = None) -> dict[str, Array]:
    """Days, weeks and profile of every home, and with a model its numbers, each ``(home, record, value)``."""
    clock = traces.time.tz_convert(traces.time_zone)
    found = {
        kind: privacy.records(getattr(traces, channel), clock, traces.dt_h, days=days, every=every)
        for kind, (channel, days, every) in RECORDS.items()
    }
    found[PROFILE] = privacy.profile(traces.load_kw, clock)
    if model is not None:
        found[NUMBERS] = _spread_out(model, _household_numbers(model, preparation.prepare(traces)))[:, None]
    return found


def _household_numbers(
    model: HiDiff, prepared: Prepared, weather: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Statistics and style of each home over its last known year, ``(home, 378)``, as training makes them."""
    if weather is None:
        weather = model.regional.climatology(prepared.grid.dates).to_numpy(dtype=np.float32)
    known = prepared.is_known.sum(1)
    if (known < identity.DAYS_TO_KNOW).any():
        row = int(known.argmin())
        raise ValueError(
            f"home {prepared.names[row]!r} has {known[row]} whole days of readings; {identity.DAYS_TO_KNOW} are needed"
        )
    recent = preparation.last_year(prepared)
    statistics = [
        identity.home_statistics(recent, home, np.flatnonzero(is_known), weather)
        for home, is_known in enumerate(recent.is_known)
    ]
    return np.concatenate([np.stack(statistics), model.encode(recent)], axis=1)


def _spread_out(model: HiDiff, numbers: NDArray[np.float32]) -> Array:
    """The numbers of homes over their spread among the training homes, so that each counts alike."""
    table = np.concatenate([model.statistics, model.styles], axis=1).astype(np.float64)
    return np.asarray((numbers - table.mean(0)) / np.maximum(table.std(0), 1e-3))


def distance_table(
    generated: dict[str, Array], real: dict[str, Array], is_member: Bools, seed: int = 0
) -> pd.DataFrame:
    """How near generated records come to training homes and to homes never seen, one row a kind of record.

    The nearest-neighbour ratio (NNDR) of generated records to training homes stands beside that of other
    homes' records, which are no copies: ``nndr_low_share`` is the share of generated records below the lowest 5 %
    of those, 0.05 where nothing is copied.

    Args:
        generated: see `home_records`.
        real: the same of the real homes.
        is_member: which of those were trained on, ``(home,)``.
        seed: of the intervals.
    """
    rows = []
    for kind, values in generated.items():
        queries, home = _flat(values)
        distances = privacy.nearest_of_homes(queries, real[kind])
        rng = random.generator("privacy", "distance", kind, seed)
        nearer = privacy.nearer_to_members(distances, is_member, home, rng)
        outside, _ = _flat(real[kind][~is_member])
        usual = privacy.nearest_neighbour_ratio(privacy.nearest_of_homes(outside, real[kind][is_member]))
        ratio = privacy.nearest_neighbour_ratio(distances[:, is_member])
        low = privacy.share_below(ratio, float(np.quantile(usual, 0.05)), home, rng)
        rows.append(
            {
                "record": kind, "share_nearer_to_training": nearer["share"], "low_95": nearer["low_95"],
                "high_95": nearer["high_95"], "p_value": nearer["p_value"],
                "distance_ratio": privacy.distance_ratio(distances, is_member, rng),
                "nndr": float(np.median(ratio)), "nndr_of_others": float(np.median(usual)),
                "nndr_low_share": low["share"], "nndr_low_95": low["low_95"], "nndr_high_95": low["high_95"],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def black_box(generated: dict[str, Array], real: dict[str, Array], kinds: Sequence[str] = ()) -> Scores:
    """Membership scores of real homes by kind of record and score, each ``(home,)``; higher says "trained on".

    Of a home's year as one record there is one nearest, so only ``nearest`` and ``calibrated`` say something.
    """
    found: Scores = {}
    for kind in kinds or generated:
        pool, _ = _flat(generated[kind])
        homes, count = real[kind].shape[:2]
        queries = real[kind].reshape(homes * count, -1)
        neighbours = min(privacy.NEIGHBOURS, len(pool))
        near = privacy.nearest_records(queries, pool, neighbours).reshape(homes, count, neighbours)
        to_homes = privacy.nearest_of_homes(queries, real[kind]).reshape(homes, count, homes)
        to_homes[np.arange(homes), :, np.arange(homes)] = np.inf  # the home itself is no other home
        scores = privacy.black_box_scores(near, to_homes.min(2))
        names = ("nearest", "calibrated") if count == 1 else tuple(scores)
        found |= {(kind, name): scores[name] for name in names}
    return found


def attack_table(
    scores: Scores, is_member: Bools, seed: int = 0, *, control: Scores | None = None
) -> pd.DataFrame:
    """Success of each attack, one row a score, with the p-value that holds for all rows together (Holm).

    Args:
        scores: by kind of record (or level of the model) and name, ``(home,)``; NaN leaves a home out.
        control: the same scores with real homes never trained on in the place of the generated ones; adds what
            the attack finds above it, see `privacy.excess_auroc`.
        is_member: ``(home,)``.
        seed: of the intervals.
    """
    rows = []
    for (kind, name), values in scores.items():
        known = np.isfinite(values)
        if not known.any():
            continue
        rng = random.generator("privacy", "attack", kind, name, seed)
        result = privacy.attack(values[known], is_member[known], rng)
        rows.append({"record": kind, "score": name} | result)
        if control is not None:
            compared = control[kind, name][known]
            rows[-1] |= privacy.excess_auroc(values[known], compared, is_member[known], rng)
    table = pd.DataFrame(rows)
    table["p_holm"] = privacy.holm(table["p_value"].to_numpy())
    table["is_chance"] = (table["low_95"] <= 0.5) & (table["high_95"] >= 0.5)
    return table


def reconstruction_table(like: Traces, real: Traces, hidden_from: pd.Timestamp) -> pd.DataFrame:
    """How near ``like`` homes come to the real days of their home, one row a kind of record.

    The real days are those of the year before ``hidden_from``, which was trained on; the yardstick is the home's own
    other year, which was not: as near as that is what someone who knows the household could guess anyway.
    ``nearer_to_trained`` turns it round: the share of generated records nearer to the trained year than to the
    hidden one. Households drift, so beside it stands ``nearer_of_earlier``: that share of the home's own records of
    the real year before both, which copy nothing (NaN where there is none).
    ``identified`` is the share of real homes whose records lie nearest to their own ``like`` home.

    Args:
        like: a year of homes with the column ``source_home``, one of each.
        real: those homes, with the year before and the year after ``hidden_from``.
        hidden_from: start of the year that was not trained on.
    """
    sources = [str(name) for name in like.homes["source_home"]]
    year = pd.DateOffset(years=1)
    own = real.select(sources)
    trained, hidden = (
        home_records(own.between(start, start + year)) for start in (hidden_from - year, hidden_from)
    )
    made, rows, homes = home_records(like), [], np.arange(len(sources))
    has_earlier = own.time[0] <= hidden_from - 2 * year
    earlier = home_records(own.between(hidden_from - 2 * year, hidden_from - year)) if has_earlier else {}
    gaps = [kind for kind in made if not all(np.isfinite(side[kind]).all() for side in (trained, hidden))]
    if gaps:
        raise ValueError(
            f"gaps in the {gaps[0]}s of {', '.join(sources)}; leave out homes without both years"
        )
    for kind in (*RECORDS, PROFILE):
        target, _ = _flat(trained[kind])
        count = trained[kind].shape[1]
        to_like = privacy.nearest_of_homes(target, made[kind]).reshape(len(sources), count, -1)
        to_hidden = privacy.nearest_of_homes(target, hidden[kind]).reshape(len(sources), count, -1)
        own_like, own_hidden = to_like[homes, :, homes], to_hidden[homes, :, homes]
        others = to_like.copy()
        others[homes, :, homes] = np.nan
        ratio = np.median(own_like / np.maximum(own_hidden, privacy.CLOSEST), axis=1)
        rows.append(
            {
                "record": kind, "to_own_like": float(np.nanmean(own_like)),
                "to_own_other_year": float(np.nanmean(own_hidden)),
                "to_other_like": float(np.nanmean(others)),
                "median_ratio": float(np.median(ratio)), "lowest_home_ratio": float(ratio.min()),
                "closest_1_percent_like": float(np.nanquantile(own_like, 0.01)),
                "closest_1_percent_other_year": float(np.nanquantile(own_hidden, 0.01)),
                "nearer_to_trained": _nearer(made[kind], trained[kind], hidden[kind]),
                "nearer_of_earlier": _nearer(earlier[kind], trained[kind], hidden[kind]) if earlier else np.nan,
                "identified": float((to_like.mean(1).argmin(1) == homes).mean()),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _nearer(records: Array, first: Array, second: Array) -> float:
    """Share of the records of each home that lie nearer to the first than to the second records of that home."""
    queries, home = _flat(records)
    own = np.arange(len(home)), home
    near, far = (privacy.nearest_of_homes(queries, side)[own] for side in (first, second))
    return float((near < far).mean() + 0.5 * (near == far).mean())


def _flat(values: Array) -> tuple[Array, NDArray[np.int64]]:
    """Whole records of all homes in one list, and the number of the home of each."""
    homes, count = values.shape[:2]
    flat = values.reshape(homes * count, -1)
    known = np.isfinite(flat).all(1)
    if not known.any():
        raise ValueError("no record without gaps; give a whole year, in which every month has its profile")
    return flat[known], np.repeat(np.arange(homes), count)[known]


# ---------------------------------------------------------------- what the weights give away

Asked = tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]
"""Of homes and starts: clean signal, weight, and condition and household of the home itself and of the mean home."""


@torch.no_grad()
def membership_scores(
    model: HiDiff, traces: Traces, names: Sequence[str], *, weather: pd.DataFrame | None = None,
    windows: int = WINDOWS, spans: int = SPANS, sigmas: Sequence[float] = SIGMAS,
) -> pd.DataFrame:  # fmt: skip
    """Scores of an attacker who holds the weights and a home's readings, one row a home; higher says "trained on".

    - ``low_loss``, ``high_loss``: minus the denoising loss of each level (as in training, Carlini et al. 2023,
      arXiv:2301.13188) over evenly spaced windows and fixed noise, the household read from the readings;
    - ``low_calibrated``, ``high_calibrated``: the loss with the mean household less the loss with the home's own:
      what knowing the home is worth, which does not hang on how hard its readings are to predict;
    - ``stored_numbers``: minus the distance of the home's numbers to the nearest that are stored in the model
      directory for mode ``like``. No attack on the network: that file lists who was trained on.

    Give members and others the same days (see `sides`). The high level needs 392 whole days in a row; its scores are
    NaN for a home that has none.

    Args:
        model: any model, its homes known or not.
        traces: readings, half-hourly.
        names: homes to score, trained on or not.
        weather: daily, columns as `data.weather.COLUMNS`, covering the traces; the mean year of the model's region
            without it.
        windows: of the low level, of each home.
        spans: of the high level, of each home.
        sigmas: noise levels.
    Raises:
        ValueError: an unknown home, one with less than two weeks of whole days, weather that does not cover.
    """
    prepared = preparation.prepare(traces.select(names))
    daily = model.regional.climatology(prepared.grid.dates) if weather is None else weather
    missing = prepared.grid.dates.difference(daily.index)
    if len(missing):
        raise ValueError(f"the weather lacks {missing[0].date()} and {len(missing) - 1} more days; give all")
    values = np.array(daily.loc[prepared.grid.dates, COLUMNS], dtype=np.float32)
    numbers = _household_numbers(model, prepared, values)
    statistics, styles = np.split(numbers, [len(identity.STATISTICS)], axis=1)
    result = pd.DataFrame(index=pd.Index(list(names), name="home"))
    own, mean = _low_losses(model, prepared, values, statistics, styles, windows, sigmas)
    result["low_loss"], result["low_calibrated"] = -own, mean - own
    own, mean = _high_losses(model, prepared, values, statistics, spans, sigmas)
    result["high_loss"], result["high_calibrated"] = -own, mean - own
    table = _spread_out(model, np.concatenate([model.statistics, model.styles], axis=1))
    result["stored_numbers"] = -privacy.nearest_records(_spread_out(model, numbers), table)[:, 0]
    return result


def _chosen(prepared: Prepared, days: int, count: int) -> NDArray[np.int64]:
    """Evenly spaced starts of runs of known days, ``(home and start, 3)``: home, start, and which of the count."""
    starts = prepared.known_starts(days)
    rows = []
    for home in range(len(prepared.names)):
        own = starts[starts[:, 0] == home, 1]
        if len(own):
            places = np.unique(np.linspace(0, len(own) - 1, count).round().astype(int))
            rows += [(home, own[place], turn) for turn, place in enumerate(places)]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _low_losses(
    model: HiDiff, prepared: Prepared, weather: NDArray[np.float32], statistics: NDArray[np.float32],
    styles: NDArray[np.float32], windows: int, sigmas: Sequence[float],
) -> tuple[Array, Array]:  # fmt: skip
    """Loss of each home with its own and with the mean household, each ``(home,)``."""
    level = model.low
    none = (len(statistics), 1)  # styles are encoded already, so there is no stretch to read them from
    data = LowData(
        level, prepared, weather, statistics, np.zeros((*none, identity.FEATURES), np.float32),
        np.zeros((*none, HABIT), np.float32),
    )  # fmt: skip
    style, mean_style = torch.from_numpy(styles), torch.from_numpy(model.styles.mean(0))

    def windows_of(home: Tensor, start: Tensor) -> Asked:
        day, rows = start[:, None] + torch.arange(data.days), home[:, None]
        sunny = data.sunny[rows, day].flatten(1, 2).float()
        by_day = low_level.NIGHT_WEIGHT + (1 - low_level.NIGHT_WEIGHT) * sunny
        weight = torch.stack([torch.ones_like(sunny), by_day], dim=-1)
        shared, roof, tokens = data.shared[day], data.envelope[rows, day], data.tokens[rows, day]
        statistics = data.statistics[home]
        told = []
        for numbers, whose in (
            (statistics, style[home]), (torch.zeros_like(statistics), mean_style.expand(len(home), -1))
        ):  # fmt: skip
            habit = low_level.habit_of_hours(
                whose[:, identity.LEARNED :], data.half[day], data.shift[day], data.weekend[day]
            )
            condition = low_level.condition(shared, roof, tokens, torch.zeros(len(home)), habit)
            told.append((condition, level.household(numbers, whose[:, : identity.LEARNED])))
        return data.signal[rows, day].flatten(1, 2), weight, told

    return _losses("low", level.denoise, windows_of, _chosen(prepared, data.days, windows), prepared, sigmas)


def _high_losses(
    model: HiDiff, prepared: Prepared, weather: NDArray[np.float32], statistics: NDArray[np.float32],
    spans: int, sigmas: Sequence[float],
) -> tuple[Array, Array]:  # fmt: skip
    """Loss of each home with its own and with the mean household, each ``(home,)``; NaN without a span."""
    level = model.high
    chosen = _chosen(prepared, level.config.window_days, spans)
    if not len(chosen):
        return np.full(len(statistics), np.nan), np.full(len(statistics), np.nan)
    data = HighData(level, prepared, weather, statistics)

    def windows_of(home: Tensor, start: Tensor) -> Asked:
        day = start[:, None] + torch.arange(data.days)
        clean, own = data.tokens[home[:, None], day], data.statistics[home].clamp(-4, 4)
        told = [(data.condition[day], numbers) for numbers in (own, torch.zeros_like(own))]
        return clean, torch.ones_like(clean), told

    return _losses("high", level.denoise, windows_of, chosen, prepared, sigmas)


def _losses(
    name: str, denoise: Callable[..., Tensor], windows_of: Callable[[Tensor, Tensor], Asked],
    chosen: NDArray[np.int64], prepared: Prepared, sigmas: Sequence[float],
) -> tuple[Array, Array]:  # fmt: skip
    """Mean loss of each home over its chosen windows and all noise levels, see `_low_losses`.

    Args:
        name: of the level, part of the key of its noise.
        windows_of: see `Asked`.
        chosen: see `_chosen`.
    """
    losses = np.zeros((2, len(chosen)))
    for begin in range(0, len(chosen), BATCH):
        part = slice(begin, begin + BATCH)
        home, start, turn = torch.from_numpy(chosen[part]).T
        clean, weight, told = windows_of(home, start)
        nothing, is_known = torch.zeros_like(clean), torch.zeros(clean.shape[:2])
        for number, value in enumerate(sigmas):
            # the same noise for all homes in the same turn, so that they differ by nothing but themselves
            keys = [("membership", name, int(t), number) for t in turn]
            noise = torch.from_numpy(np.stack([random.normal(tuple(clean.shape[1:]), *key) for key in keys]))
            sigma = torch.full((len(home),), value)
            level_weight = precondition.loss_weight(sigma, 1.0)
            for place, (condition, household) in enumerate(told):
                guess = denoise(clean + value * noise, sigma, nothing, is_known, condition, household)
                error = (weight * (guess.float() - clean) ** 2).sum((1, 2)) / weight.sum((1, 2))
                losses[place, part] += (level_weight * error).numpy() / len(sigmas)
    homes = len(prepared.names)
    count = np.bincount(chosen[:, 0], minlength=homes)
    own_loss, mean_loss = (
        np.where(count > 0, np.bincount(chosen[:, 0], side, homes) / np.maximum(count, 1), np.nan)
        for side in losses
    )
    return own_loss, mean_loss
