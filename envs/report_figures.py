"""Pictures of episodes side by side: flows, charge, cost, months, duration curves."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from hidiff.figure_style import INK, LOAD, PV, QUIET, months_axis, new_figure, styled
from hidiff.home import Home

from .episode import Episode, Floats

CONTROLLERS = ("#222222", "#0b5a92", "#d55e00", "#00846b", "#7a3b69", "#b8860b", "#56a0d3", "#8a8f98")
"""One colour a controller, in the order given."""
WIDTH_IN = 8.6
BATTERY, CAR, HEAT, WATER, MACHINES = "#00846b", "#7a3b69", "#c8442c", "#4d9bb5", "#a3895d"
EXPORT = "#a9cbe6"
MONTHS_FROM_DAYS = 45
"""From this span on the bill is shown by month, below it by day [days]."""

Flow = tuple[str, str, Floats]
"""Label, colour and power of a layer."""


def colours(episodes: Mapping[str, Episode]) -> dict[str, str]:
    """The colour of each controller."""
    return {name: CONTROLLERS[place % len(CONTROLLERS)] for place, name in enumerate(episodes)}


def week_of(episode: Episode) -> tuple[int, int]:
    """Steps from and to before which to show: the whole week, Monday to Sunday, in the middle; else the first 7 days."""
    local = episode.local_time
    is_start = (local.day_of_week == 0) & (local.hour == 0) & (local.minute == 0)
    length = round(7 * 24 / episode.dt_h)
    starts = [start for start in np.flatnonzero(is_start) if start + length <= episode.steps]
    first = int(starts[(len(starts) - 1) // 2]) if starts else 0
    return first, min(first + length, episode.steps)


def flows(episode: Episode) -> tuple[list[Flow], list[Flow]]:
    """Where power comes from and where it goes, layers that balance step by step.

    ``import + PV used + battery out + car out = load + battery in + car in + … + export``: what no device
    accounts for is the load, the electronics of the battery included.
    """
    zero = np.zeros(episode.steps)

    def of(name: str) -> Floats:
        return episode.arrays.get(name, zero)

    sources = [
        ("PV used", PV, of("pv_used_kw")),
        ("battery", BATTERY, np.maximum(-of("battery_kw"), 0)),
        ("car", CAR, np.maximum(-of("car_kw"), 0)),
        ("import", LOAD, of("import_kw")),
    ]
    uses = [
        ("heat pump", HEAT, np.abs(of("heat_pump_kw"))),
        ("hot water", WATER, of("tank_kw")),
        ("appliances", MACHINES, of("appliance_kw")),
        ("car", CAR, np.maximum(of("car_kw"), 0)),
        ("battery", BATTERY, np.maximum(of("battery_kw"), 0)),
        ("export", EXPORT, of("export_kw")),
    ]
    given = np.sum([power for *_, power in sources], axis=0)
    load = given - np.sum([power for *_, power in uses], axis=0)
    uses.insert(0, ("load", "#5c6168", np.maximum(load, 0)))
    return sources, uses


@styled
def figure_week(episodes: Mapping[str, Episode], home: Home | None, week: tuple[int, int]) -> Figure:
    """One week: flows of every controller, charge, indoor temperature and prices under the same axis of time."""
    seen = {name: episode.between(*week) for name, episode in episodes.items()}
    first = next(iter(seen.values()))
    below = [
        name for name in ("battery_kwh", "car_kwh", "air_c") if any(name in one for one in seen.values())
    ]
    if "import_price" in first:
        below.append("import_price")
    heights = [2.1] * len(seen) + [1.15] * len(below)
    figure = new_figure(WIDTH_IN, 0.7 + sum(heights))
    column = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    local = first.local_time.tz_localize(None)
    starts = _date_numbers(local)
    if (np.diff(starts) <= 0).any():  # the hour that comes twice when summer time ends
        starts = starts[0] + np.arange(len(starts)) * first.dt_h / 24
    edges = np.append(starts, starts[-1] + first.dt_h / 24)
    for axes, (name, episode) in zip(column, seen.items(), strict=False):
        _stack(axes, episode, edges)
        axes.set_title(name)
    top = max(axes.get_ylim()[1] for axes in column[: len(seen)])
    low = min(axes.get_ylim()[0] for axes in column[: len(seen)])
    for axes in column[: len(seen)]:
        axes.set_ylim(1.06 * low, 1.06 * top)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    handles = {
        label: handle
        for axes in column[: len(seen)]
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper left", ncols=6, fontsize=8.5, handlelength=1.2
    )
    for axes, name in zip(column[len(seen) :], below, strict=True):
        if name == "import_price":
            _prices(axes, first, edges)
        else:
            _states(axes, seen, edges, name, home)
    if len(seen) > 1 and below and below[0] != "import_price":
        column[len(seen)].legend(
            loc="lower right", bbox_to_anchor=(1, 0.98), ncols=len(seen), borderaxespad=0
        )
    column[-1].set_xlim(edges[0], edges[-1])
    days = pd.date_range(local[0].ceil("D"), local[-1], freq="D")
    column[-1].set_xticks(_date_numbers(days), [f"{day:%a} {day.day} {day:%b}" for day in days], ha="left")
    return figure


def _date_numbers(local: pd.DatetimeIndex) -> Floats:
    """Matplotlib's days since 1970, for artists that take numbers only."""
    return np.asarray(date2num(local.to_pydatetime()), np.float64)  # type: ignore[no-untyped-call]


def _stack(axes: Axes, episode: Episode, edges: Floats) -> None:
    """Sources above zero, uses below, each a filled layer with the steps' edges."""
    for sign, layers in zip((1, -1), flows(episode), strict=True):
        base = np.zeros(episode.steps)
        for label, colour, power in layers:
            if power.max() <= 1e-6:
                continue
            height = base + sign * power
            axes.stairs(height, edges, baseline=base, fill=True, color=colour, label=label, lw=0)
            base = height
    axes.axhline(0, color=INK, lw=0.8)
    axes.set_ylabel("← uses   sources →\n[kW]")


def _states(axes: Axes, seen: Mapping[str, Episode], edges: Floats, name: str, home: Home | None) -> None:
    """A state at the ends of steps, a line a controller."""
    battery = None
    if home is not None and name != "air_c":
        battery = home.battery if name == "battery_kwh" else (home.car and home.car.battery)
    scale = 100 / battery.usable_kwh if battery else 1.0
    for rank, (label, episode) in enumerate(seen.items()):
        if name in episode:  # the first lines are the thickest: the same values stay visible under each other
            lw = max(2.8 - 0.7 * rank, 1.1)
            axes.plot(edges[1:], scale * episode[name], color=colours(seen)[label], lw=lw, label=label)
    first = next(iter(seen.values()))
    if name == "air_c" and {"low_c", "high_c"} <= set(first.arrays):
        for bound in ("low_c", "high_c"):
            axes.stairs(first[bound], edges, baseline=None, color=QUIET, lw=1)
    what = {"battery_kwh": "battery", "car_kwh": "car", "air_c": "indoors"}[name]
    unit = "°C" if name == "air_c" else "%" if battery else "kWh"
    axes.set_ylabel(f"{what} [{unit}]")
    if battery:
        axes.set_ylim(-4, 104)


def _prices(axes: Axes, episode: Episode, edges: Floats) -> None:
    for name, colour in (("import_price", LOAD), ("export_price", PV)):
        if name in episode:
            label = name.replace("_", " ")
            axes.stairs(episode[name], edges, baseline=None, color=colour, lw=1.4, label=label)
    axes.set_ylim(bottom=min(axes.get_ylim()[0], 0))
    axes.set_ylabel("price [1/kWh]")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, borderaxespad=0)


@styled
def figure_cost(episodes: Mapping[str, Episode]) -> Figure:
    """The bill so far, and what is saved against the first controller."""
    figure = new_figure(WIDTH_IN, 5.2 if len(episodes) > 1 else 3.2)
    column = figure.subplots(2 if len(episodes) > 1 else 1, 1, sharex=True, squeeze=False)[:, 0]
    names = list(episodes)
    sums = {name: np.cumsum(episode["cost"]) for name, episode in episodes.items()}
    for name, episode in episodes.items():
        local = episode.local_time.tz_localize(None)
        column[0].plot(local, sums[name], color=colours(episodes)[name], lw=1.8, label=name)
        if len(names) > 1 and name != names[0]:
            column[1].plot(local, sums[names[0]] - sums[name], color=colours(episodes)[name], lw=1.8)
    column[0].set_title("bill so far [currency]")
    column[0].legend(loc="upper left")
    if len(names) > 1:
        column[1].axhline(0, color=colours(episodes)[names[0]], lw=1.2)
        column[1].set_title(f"saved so far against {names[0]} [currency]")
    _days_axis(column[-1], next(iter(episodes.values())).local_time.tz_localize(None).normalize().unique())
    return figure


def _days_axis(axes: Axes, days: pd.DatetimeIndex) -> None:
    """Ticks on days of a short episode, on the first of months of a long one."""
    months_axis(axes, days)
    if len(days) < 90:
        ticks = days[:: max(1, math.ceil(len(days) / 9))]
        axes.set_xticks(_date_numbers(ticks), [f"{day.day} {day:%b}" for day in ticks])


@styled
def figure_bills(episodes: Mapping[str, Episode]) -> Figure:
    """The bill of each calendar month, or of each day where the episode is short."""
    first = next(iter(episodes.values()))
    local = first.local_time.tz_localize(None)
    is_long = first.steps * first.dt_h / 24 >= MONTHS_FROM_DAYS
    keys = local.to_period("M" if is_long else "D")
    table = pd.DataFrame(
        {name: pd.Series(one["cost"]).groupby(np.asarray(keys)).sum() for name, one in episodes.items()}
    )
    figure = new_figure(WIDTH_IN, 3.4)
    axes = figure.subplots()
    width = 0.8 / len(episodes)
    place = np.arange(len(table))
    for rank, name in enumerate(table):
        offset = (rank - (len(episodes) - 1) / 2) * width
        axes.bar(place + offset, table[name], width * 0.92, color=colours(episodes)[name], label=name)
    every = max(1, int(np.ceil(len(table) / 14)))
    hours = pd.Series(np.full(first.steps, first.dt_h)).groupby(np.asarray(keys)).sum()
    labels = [
        (f"{key:%b}\n{key:%Y}" if is_long else f"{key.day} {key:%b}")
        + (f"\n({hour / 24:.0f} d)" if is_long and hour < 24 * key.days_in_month - 2 else "")
        for key, hour in zip(table.index, hours, strict=True)
    ]
    axes.set_xticks(place[::every], labels[::every])
    axes.grid(visible=False, axis="x")
    axes.axhline(0, color=INK, lw=0.8)
    axes.set_title(f"bill of each {'calendar month' if is_long else 'day'} [currency]")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(episodes), borderaxespad=0)
    return figure


@styled
def figure_duration(episodes: Mapping[str, Episode]) -> Figure:
    """Exchange with the grid, highest first: all of the time, and the highest hours."""
    figure = new_figure(WIDTH_IN, 3.6)
    panels = figure.subplots(1, 2, width_ratios=[1.6, 1])
    first = next(iter(episodes.values()))
    hours = first.steps * first.dt_h
    top = min(hours, max(24 * first.dt_h, 0.02 * hours))
    for name, episode in episodes.items():
        net = np.sort(episode["import_kw"] - episode["export_kw"])[::-1]
        at = np.arange(len(net) + 1) * episode.dt_h
        for axes, scale in zip(panels, (100 / hours, 1.0), strict=True):
            axes.stairs(net, at * scale, baseline=None, color=colours(episodes)[name], lw=1.6, label=name)
    panels[0].axhline(0, color=QUIET, lw=1)
    panels[0].set_xlim(0, 100)
    panels[0].set_xlabel("share of time at or above [%]")
    panels[0].set_ylabel("net exchange [kW], below 0: export")
    panels[0].legend(loc="upper right")
    panels[1].set_xlim(0, top)
    panels[1].set_xlabel(f"hours at or above, the highest {top:.0f} h")
    bottom = min(
        np.quantile(one["import_kw"] - one["export_kw"], max(0, 1 - top / hours)) for one in episodes.values()
    )
    panels[1].set_ylim(bottom=max(0.0, 0.9 * float(bottom)))
    return figure


@styled
def figure_charge(episodes: Mapping[str, Episode], home: Home | None) -> Figure:
    """Charge of the battery by time of day: median and the middle half of the days."""
    shown = {name: episode for name, episode in episodes.items() if "battery_kwh" in episode}
    figure = new_figure(WIDTH_IN, 2.9)
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    battery = None if home is None else home.battery
    for axes, (name, episode) in zip(panels, shown.items(), strict=True):
        energy = episode["battery_kwh"] * (100 / battery.usable_kwh if battery else 1.0)
        local = episode.local_time
        ends = np.round(np.asarray(local.hour + local.minute / 60) + episode.dt_h, 4)
        by_hour = pd.Series(energy).groupby(ends).quantile([0.05, 0.25, 0.5, 0.75, 0.95]).unstack()
        by_hour = pd.concat([by_hour.iloc[[-1]].rename({by_hour.index[-1]: 0.0}), by_hour])
        at = by_hour.index.to_numpy(float)
        colour = colours(episodes)[name]
        axes.fill_between(at, by_hour[0.05], by_hour[0.95], color=colour, alpha=0.15, lw=0)
        axes.fill_between(at, by_hour[0.25], by_hour[0.75], color=colour, alpha=0.3, lw=0)
        axes.plot(at, by_hour[0.5], color=colour, lw=1.8)
        axes.set_title(name)
        axes.set_xlim(0, 24)
        axes.set_xticks(range(0, 25, 6))
        axes.set_xlabel("hour of the local clock")
    panels[0].set_ylabel("charge [%]" if battery else "stored [kWh]")
    if battery:
        panels[0].set_ylim(-4, 104)
    return figure
