"""Figures of a described set across its scenarios: sunburst of day types, probabilities, a map of distances."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from matplotlib.patheffects import withStroke

from hidiff.figure_style import INK, QUIET, hours_axis, new_figure, styled

from .describe import Description
from .describe_days import KINDS, DayTypes, season_names_of
from .describe_fans import extremes, title_of, unit_of
from .describe_numbers import Doubles, classical_scaling, distances
from .describe_read import NET

# From surplus to import, so that a colour says what a day is; told apart in grey as well.
TYPE_MAP = LinearSegmentedColormap.from_list(
    "types", ["#e08e00", "#f5cf86", "#c9d3dc", "#6aa5cf", "#0b5a92", "#08203a"]
)
ENERGY_MAP = mpl.colormaps["cividis"]
_HALO = [withStroke(linewidth=2.4, foreground="white")]
MOST_BARS = 150
"""Scenarios that get a bar each."""
_RINGS = (0.26, 0.52, 0.72, 1.0)


@styled
def figure_sunburst(types: DayTypes, time_zone: str, home_count: int) -> Figure:
    """Rings of season, kind of day and shape of the day; beside it what each shape looks like."""
    colours = _type_colours(len(types.names))
    figure = new_figure(11, 6.2)
    grid = figure.add_gridspec(len(types.names), 2, width_ratios=(1.45, 1))
    _rings(figure.add_subplot(grid[:, 0]), types.shares, season_names_of(time_zone), colours)
    share = types.shares.groupby("type")["share"].sum()
    first: Axes | None = None
    for number, name in enumerate(types.names):
        axes = figure.add_subplot(grid[number, 1], sharex=first, sharey=first)
        first = first or axes
        slots = types.mean_kw.shape[1]
        hours = (np.arange(slots) + 0.5) * 24 / slots
        low, _, high = types.profile_kw[number] / home_count
        mean = types.mean_kw[number] / home_count
        axes.fill_between(hours, low, high, color=colours[number], alpha=0.45, lw=0)
        axes.plot(hours, mean, color=INK, lw=1.4)
        axes.axhline(0, color=QUIET, lw=0.8)
        axes.set_title(name, pad=2)
        axes.set_title(
            f"{100 * share[number]:.0f} %, {24 * mean.mean():.1f} kWh", loc="right",
            color="#555555", fontsize=8, pad=2,
        )  # fmt: skip
        hours_axis(axes)
        axes.tick_params(labelbottom=number == len(types.names) - 1)
        if number == len(types.names) // 2:
            axes.set_ylabel("net load per home [kW]" if types.mean_kw.min() < 0 else "load per home [kW]")
    if first is not None:
        figure.axes[-1].set_xlabel("hour, local clock")
    return figure


def _rings(axes: Axes, shares: pd.DataFrame, seasons: list[str], colours: list[Any]) -> None:
    """Sectors clockwise from the top; a sector's angle is its share."""
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_xlim(-1.02, 1.02)
    axes.set_ylim(-1.02, 1.02)
    tints = ("#8d97a3", "#a5aeb8", "#757f8b", "#b9c0c8")
    begin = 0.0
    for season, of_season in shares.groupby("season"):
        start = begin
        for kind, of_kind in of_season.groupby("kind"):
            inner = begin
            for row in of_kind.sort_values("type").itertuples():
                _sector(axes, 2, begin, row.share, colours[row.type], f"{100 * row.share:.0f} %", 0.022)
                begin += row.share
            text = f"{KINDS[kind]}"
            _sector(axes, 1, inner, begin - inner, ("#dfe3e7", "#eceff1", "#f6f7f8")[kind], text, 0.035)
        name = seasons[season].replace(" (", "\n(")
        _sector(axes, 0, start, begin - start, tints[season], name, 0.06)
    axes.text(0, 0, "days", ha="center", va="center", color="#555555", fontsize=9)


def _sector(
    axes: Axes, ring: int, begin: float, share: float, colour: Any, text: str, least_share: float
) -> None:
    inner, outer = _RINGS[ring], _RINGS[ring + 1]
    middle = 90 - 360 * (begin + share / 2)
    axes.add_patch(
        Wedge((0, 0), outer, 90 - 360 * (begin + share), 90 - 360 * begin, width=outer - inner, fc=colour, ec="white",
              lw=1.1)
    )  # fmt: skip
    if share < least_share:
        return
    radius = (inner + outer) / 2
    turn = (middle + 90) % 180 - 90
    if 2 * np.pi * radius * share > 0.5 and ring != 2:  # room for words along the arc
        turn = middle % 180 - 90
    luminance = float(np.dot(mpl.colors.to_rgb(colour), (0.299, 0.587, 0.114)))
    axes.text(
        radius * np.cos(np.deg2rad(middle)), radius * np.sin(np.deg2rad(middle)), text, rotation=turn,
        rotation_mode="anchor", ha="center", va="center", fontsize=7.5, linespacing=1.1,
        color="white" if luminance < 0.6 else INK,
    )  # fmt: skip


def _type_colours(count: int) -> list[Any]:
    return [TYPE_MAP(place) for place in (np.linspace(0, 0.8, count) if count > 1 else [0.8])]


@styled
def figure_probabilities(description: Description) -> Figure:
    """Probability from the least to the most energy, coloured by it; chance that a peak is reached.

    A bar is a scenario; of more scenarios than fit, it is a class of energies.
    """
    probability, name = description.probability, description.main
    values = description.aggregate[name]
    energy, label = _energy_of(description)
    norm = Normalize(float(energy.min()), float(energy.max()))
    figure = new_figure(11, 3.9)
    bars, curve = figure.subplots(1, 2, width_ratios=(1.9, 1))
    if len(energy) <= MOST_BARS:
        _scenario_bars(bars, description.names, probability, energy, norm)
        bars.set_xlabel(f"scenario, in order of {label.split(' [')[0]}")
        bars.set_ylabel("probability [–]")
    else:
        heights, edges = np.histogram(energy, bins=40, weights=probability)
        middle = (edges[1:] + edges[:-1]) / 2
        bars.bar(middle, heights, width=0.94 * (edges[1] - edges[0]), color=ENERGY_MAP(norm(middle)))
        bars.set_xlabel(label)
        bars.set_ylabel("probability of each class [–]")
    bars.set_ylim(bottom=0)
    bars.grid(axis="x", visible=False)
    _bar_of_colours(figure, bars, mpl.cm.ScalarMappable(norm, ENERGY_MAP), label)
    peak = values.max(axis=1)
    rising = np.argsort(peak, kind="stable")
    above = 1 - np.append(0, np.cumsum(probability[rising]))[:-1]
    curve.step(np.append(peak[rising], peak.max()), 100 * np.append(above, 0), where="pre", color=INK, lw=1.6)
    curve.set_ylim(0, 104)
    curve.set_xlabel(f"highest {title_of(name)} of the span [{unit_of(description, name)}]")
    curve.set_ylabel("probability of at least this [%]")
    return figure


def _scenario_bars(
    axes: Axes, names: list[str], probability: Doubles, energy: Doubles, norm: Normalize
) -> None:
    order, count = np.argsort(energy, kind="stable"), len(names)
    axes.bar(np.arange(count), probability[order], width=0.86, color=ENERGY_MAP(norm(energy[order])))
    axes.axhline(1 / count, color=INK, lw=0.9, ls=(0, (4, 3)))
    axes.text(
        count - 0.6, 1 / count, "equally likely", ha="right", va="bottom", fontsize=7.5, color="#444444",
        bbox={"fc": "white", "ec": "none", "alpha": 0.75, "pad": 1},
    )  # fmt: skip
    axes.set_ylim(0, 1.15 * float(probability.max()))
    axes.set_xlim(-0.7, count - 0.3)
    if count <= 60:
        labels = [names[row] for row in order]
        axes.set_xticks(np.arange(count), labels=labels, rotation=90, fontsize=8 if count <= 25 else 6)
    else:
        axes.set_xticks([])


def _bar_of_colours(figure: Figure, axes: Axes, marks: mpl.cm.ScalarMappable, label: str) -> None:
    bar = figure.colorbar(marks, ax=axes, label=label, pad=0.01, aspect=24)
    bar.outline.set_visible(False)


@styled
def figure_map(description: Description, kept: set[str]) -> Figure:
    """Scenarios in the plane that keeps their distances best; the mean scenario is the origin."""
    probability, names = description.probability, description.names
    places, share = classical_scaling(distances(description.features), probability)
    energy, label = _energy_of(description)
    figure = new_figure(9, 5.6)
    axes = figure.subplots()
    axes.axhline(0, color="#d5d8dc", lw=0.8)
    axes.axvline(0, color="#d5d8dc", lw=0.8)
    size = np.clip(70 * probability * len(probability), 8, 900) * (1 if len(names) <= 200 else 0.4)
    marks = axes.scatter(
        places[:, 0],
        places[:, 1],
        s=size,
        c=energy,
        cmap=ENERGY_MAP,
        ec="white",
        lw=0.6,
        alpha=0.92,
        zorder=3,
    )
    chosen = [row for row, name in enumerate(names) if name in kept]
    if chosen:
        axes.scatter(
            places[chosen, 0], places[chosen, 1], s=size[chosen] + 60, fc="none", ec="#d1495b", lw=1.4, zorder=4,
            label=f"kept by the reduction ({len(chosen)})",
        )  # fmt: skip
        axes.legend(loc="best")
    axes.plot(0, 0, "+", color=INK, ms=11, mew=1.6, zorder=6, path_effects=_HALO)
    words: dict[str, Any] = {
        "textcoords": "offset points", "fontsize": 7.5, "zorder": 7, "path_effects": _HALO,
    }  # fmt: skip
    axes.annotate("mean scenario", (0, 0), (6, -11), **words)
    named = range(len(names)) if len(names) <= 30 else extremes(description).values()
    for row in named:
        axes.annotate(names[row], tuple(places[row]), (5, 5), **words)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)
    axes.set_xlabel("first direction [typical distance from the mean scenario]")
    axes.set_ylabel("second direction [same scale]")
    axes.set_title(f"The plane keeps {100 * share:.0f} % of the squared distances", loc="right", fontsize=8.5)
    _bar_of_colours(figure, axes, marks, label)
    return figure


def _energy_of(description: Description) -> tuple[Doubles, str]:
    """What scenarios are coloured by: energy of the main channel over the span, or its mean."""
    values, name = description.aggregate[description.main], description.main
    if unit_of(description, name) == "kW":
        total = values.sum(axis=1, dtype=np.float64) * description.clock.dt_h
        word = "net energy" if name == NET else f"{title_of(name)} energy"
        is_large = float(np.abs(total).max()) > 20_000
        unit = "MWh" if is_large else "kWh"
        return total / (1000 if is_large else 1), f"{word} of all homes [{unit}]"
    return values.mean(axis=1, dtype=np.float64), f"mean {title_of(name)} [{unit_of(description, name)}]"
