"""Figures of a described set through time: fans of its channels, days of its seasons, load-duration curves."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hidiff.figure_style import INK, LOAD, PV, QUIET, REFERENCE, hours_axis, new_figure, styled

from .describe import Description
from .describe_days import by_day, season_names_of, seasons_of, whole_days
from .describe_numbers import Doubles, weighted_quantiles
from .describe_read import NET
from .describe_tables import SHORT_DAYS

BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)
LEAST_SEASON_DAYS = 7
"""Days of a season that its mean day is drawn from at least."""
COLOURS = {
    "load_kw": LOAD, "pv_kw": PV, NET: INK, "ev_kw": "#1a7f5a", "heat_kw": "#b5403a", "temperature_c": "#b5403a",
    "import_price_per_kwh": REFERENCE, "export_price_per_kwh": REFERENCE, "wholesale_price_per_kwh": REFERENCE,
}  # fmt: skip
_ORDER = list(COLOURS)
_WORDS = {"load": "load", "pv": "PV", "net": "net load", "ev": "electric cars", "heat": "heat pumps"}
_LINES = (("#d1495b", "-"), ("#7a3b69", (0, (5, 2))), ("#2a9d8f", (0, (2, 1.2))))


def title_of(name: str) -> str:
    """A channel in words."""
    stem = name.removesuffix("_kw").removesuffix("_per_kwh").removesuffix("_c")
    return _WORDS.get(stem, stem.replace("_", " "))


def unit_of(description: Description, name: str) -> str:
    """Unit of a channel as an axis shows it."""
    unit = description.units[name]
    return {"degC": "°C", "1": "–"}.get(unit, unit)


def fan_channels(description: Description) -> list[str]:
    """Channels that get a fan, the best known first."""
    found = list(description.aggregate)
    return sorted(found, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


def extremes(description: Description) -> dict[str, int]:
    """Three scenarios that differ: the highest peak, the most and the least energy, of the main channel."""
    values = description.aggregate[description.main]
    total = values.sum(axis=1, dtype=np.float64)
    is_power = unit_of(description, description.main) == "kW"
    word = "net energy" if description.main == NET else "energy" if is_power else "mean"
    found: dict[str, int] = {}
    for label, score in (
        ("highest peak", values.max(axis=1)),
        (f"{'most' if is_power else 'highest'} {word}", total),
        (f"{'least' if is_power else 'lowest'} {word}", -total),
    ):
        possible = [row for row in np.argsort(-score) if row not in found.values()]
        possible = [row for row in possible if description.probability[row] > 0]
        if possible:
            found[label] = int(possible[0])
    return found


def peak_week(description: Description) -> tuple[slice, pd.Timestamp]:
    """Steps of the seven whole days around the highest step of the main channel, and that step's local time.

    A peak on a cut day at an end of the set is shown with the week from that end.
    """
    clock, values = description.clock, description.aggregate[description.main]
    local = clock.time.tz_convert(clock.time_zone)
    step = int(values[description.probability > 0].max(axis=0).argmax())
    days = whole_days(clock)
    if len(days) < 7:
        return slice(0, len(local)), local[step]
    day = int(days.searchsorted(local[step].tz_localize(None).normalize()))
    first = max(0, min(day - 3, len(days) - 7))
    midnight = local.tz_localize(None).normalize()
    inside = np.flatnonzero((midnight >= days[first]) & (midnight <= days[first + 6]))
    if inside[0] <= step <= inside[-1]:
        return slice(int(inside[0]), int(inside[-1]) + 1), local[step]
    week = round(7 * 24 / clock.dt_h)
    begin = 0 if step < inside[0] else len(local) - week
    return slice(begin, begin + week), local[step]


@styled
def figure_fans(description: Description) -> Figure:
    """Fan of each channel over the whole span, or over the week of the highest peak of a long one."""
    is_short = description.span_days <= SHORT_DAYS
    steps = slice(0, len(description.clock.time)) if is_short else peak_week(description)[0]
    names = fan_channels(description)
    figure = new_figure(11, 0.8 + 1.75 * len(names) + (1.2 if len(names) < 3 else 0))
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    time = description.clock.time[steps]
    hours = (np.arange(len(time)) + 0.5) * description.clock.dt_h
    shown = extremes(description)
    for axes, name in zip(panels, names, strict=True):
        values = description.aggregate[name][:, steps]
        found = weighted_quantiles(values, description.probability, BANDS)
        _fan(axes, hours, found, name)
        if _differs(values):
            for (colour, dash), row in zip(_LINES, shown.values(), strict=False):
                axes.plot(hours, values[row], color=colour, ls=dash, lw=1.1, drawstyle=_drawn(name))
        else:
            axes.set_title("the same in every scenario", loc="right", color="#666666", fontsize=8.5)
        _finish(axes, description, name, values)
    _days_axis(panels[-1], time.tz_convert(description.clock.time_zone), description.clock.dt_h)
    _legend(figure, panels[0], description, shown)
    return figure


@styled
def figure_season_days(description: Description) -> Figure:
    """Day of each season: spread of days and of scenarios' mean days, and the mean days of three scenarios."""
    days = whole_days(description.clock)
    season, seasons = seasons_of(days), season_names_of(description.clock.time_zone)
    present = [number for number in range(4) if (season == number).sum() >= LEAST_SEASON_DAYS]
    names = fan_channels(description)
    figure = new_figure(11, 0.8 + 1.7 * len(names) + (0.8 if len(names) < 3 else 0))
    panels = figure.subplots(len(names), len(present), sharex=True, sharey="row", squeeze=False)
    shown, probability = extremes(description), description.probability
    for row, name in enumerate(names):
        grid, colour = by_day(description.clock, description.aggregate[name]), COLOURS.get(name, QUIET)
        hours = (np.arange(grid.shape[2]) + 0.5) * 24 / grid.shape[2]
        for axes, number in zip(panels[row], present, strict=True):
            of_season = grid[:, season == number]
            one_by_one = of_season.reshape(-1, grid.shape[2])
            low, high = weighted_quantiles(
                one_by_one, np.repeat(probability, of_season.shape[1]), (0.05, 0.95)
            )
            mean = of_season.mean(axis=1, dtype=np.float64)
            least, middle, most = weighted_quantiles(mean, probability, (0.05, 0.5, 0.95))
            step = _filled(name)
            axes.fill_between(
                hours, low, high, color=colour, alpha=0.14, lw=0, step=step, label="days, 5–95 %"
            )
            axes.fill_between(
                hours, least, most, color=colour, alpha=0.5, lw=0, step=step, label="mean days of scenarios, 5–95 %",
            )  # fmt: skip
            axes.plot(hours, middle, color=colour, lw=1.5, drawstyle=_drawn(name), label="their median")
            if _differs(mean):
                for (tone, dash), scenario in zip(_LINES, shown.values(), strict=False):
                    axes.plot(hours, mean[scenario], color=tone, ls=dash, lw=0.9, drawstyle=_drawn(name))
            hours_axis(axes)
            if row == 0:
                axes.set_title(seasons[number])
        for axes in panels[row]:
            _finish(axes, description, name, grid, is_titled=False)
        panels[row, 0].set_ylabel(f"{title_of(name)}\n[{unit_of(description, name)}]")
    for axes in panels[-1]:
        axes.set_xlabel("hour, local clock")
    _legend(figure, panels[0, 0], description, shown)
    return figure


def _legend(figure: Figure, axes: Axes, description: Description, shown: dict[str, int]) -> None:
    if len(shown) < 2:
        return
    for (colour, dash), (label, row) in zip(_LINES, shown.items(), strict=False):
        axes.plot([], [], color=colour, ls=dash, lw=1.4, label=f"{label}: {description.names[row]}")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=6)


def _fan(axes: Axes, at: NDArray[np.floating], found: Doubles, name: str) -> None:
    low, q1, median, q3, high = found
    colour, step = COLOURS.get(name, QUIET), _filled(name)
    axes.fill_between(at, low, high, color=colour, alpha=0.15, lw=0, step=step, label="5–95 %")
    axes.fill_between(at, q1, q3, color=colour, alpha=0.32, lw=0, step=step, label="25–75 %")
    axes.plot(at, median, color=colour, lw=1.8, drawstyle=_drawn(name), label="median")


def _drawn(name: str) -> Literal["steps-mid", "default"]:
    """Prices stay as they are through a step and then jump; what is measured is drawn through its means."""
    return "steps-mid" if "price" in name else "default"


def _filled(name: str) -> Literal["mid"] | None:
    return "mid" if "price" in name else None


def _finish(
    axes: Axes, description: Description, name: str, values: NDArray[np.floating], *, is_titled: bool = True
) -> None:
    if is_titled:
        text, unit = title_of(name), unit_of(description, name)
        axes.set_title(text if text[:1].isupper() else text.capitalize())
        word = "mean power" if unit == "kW" else "price" if "price" in name else text
        axes.set_ylabel(f"{word} [{unit}]")
    if values.min() < 0 < values.max():
        axes.axhline(0, color=QUIET, lw=0.9)
    elif name.endswith("_kw") and values.min() >= 0:
        axes.set_ylim(bottom=0)


def _differs(values: NDArray[np.floating]) -> bool:
    return bool(np.ptp(values, axis=0).max() > 1e-6 * (np.abs(values).max() + 1e-12))


def _days_axis(axes: Axes, local: pd.DatetimeIndex, dt_h: float) -> None:
    """Ticks at local midnights named by their day, or every few hours of a day or two."""
    hours = len(local) * dt_h
    axes.set_xlim(0, hours)
    at = np.arange(len(local)) * dt_h
    every = 3 if hours <= 30 else 6 if hours <= 60 else 12 if hours <= 100 else 24
    is_tick = np.asarray((local.hour % every == 0) & (local.minute == 0))
    if not is_tick.any():
        is_tick[0] = True
    stamps = local[is_tick]
    labels = [
        f"{stamp:%H:%M}\n{stamp:%a} {stamp.day} {stamp:%b}"
        if stamp.hour == 0 and every < 24
        else f"{stamp:%a} {stamp.day}\n{stamp:%b %Y}"
        if every == 24 and stamp == stamps[0]
        else f"{stamp:%a} {stamp.day}"
        if every == 24
        else f"{stamp:%H:%M}"
        for stamp in stamps
    ]
    axes.set_xticks(at[is_tick], labels=labels)
    axes.set_xlabel("local time")
