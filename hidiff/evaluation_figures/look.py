"""Real homes beside generated ones to look at: carpets of a year, and weeks of half-hours."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hidiff.data.traces import Floats, Traces
from hidiff.figure_style import LOAD, LOAD_MAP, PV, PV_MAP, months_axis, new_figure, styled
from hidiff.metrics import peaks
from hidiff.report_numbers import capacities_kwp, on_local_days

from .sides import three_sides

CARPET_LEVELS = (0.3, 0.7)
"""Quantiles of the annual load whose homes are shown as carpets."""
COLOUR_LEVEL = 0.985
"""Quantile of the power at which the colours of the carpets end."""
WEEK_MONTHS = (7, 10, 1, 4)
"""Months whose second Monday begins a week that is shown."""


def homes_alike(real: Traces, generated: Traces, level: float) -> tuple[str, str]:
    """The real home at a quantile of the annual load, and the generated home nearest in load and capacity.

    Nothing is chosen by looks: distances are of the logarithms of kWh and kWp.
    """
    features = {}
    for name, side in (("real", real), ("generated", generated)):
        load_kwh = peaks.annual_energy_kwh(side.load_kw)
        features[name] = np.log(np.stack([load_kwh, capacities_kwp(side)], axis=1))
    order = np.argsort(features["real"][:, 0])
    chosen = int(order[round(level * (len(order) - 1))])
    distance = ((features["generated"] - features["real"][chosen]) ** 2).sum(axis=1)
    return real.names[chosen], generated.names[int(np.argmin(distance))]


@styled
def figure_carpets(generated: Traces, real: Traces, other_year: Traces | None = None) -> Figure:
    """Load and PV, day by time of day, of two real homes beside the generated homes nearest in size."""
    populations = three_sides(generated, real, other_year)
    generated, real = populations["generated"], populations["real"]
    figure = new_figure(11, 9.2)
    panels = figure.subplots(2 * len(CARPET_LEVELS), 2, sharey=True)
    for pair, level in enumerate(CARPET_LEVELS):
        names = homes_alike(real, generated, level)
        sides = [side.select([name]) for side, name in zip((real, generated), names, strict=True)]
        for row, channel in enumerate(("load", "PV")):
            grids = [on_local_days(s, s.load_kw if channel == "load" else s.pv_kw) for s in sides]
            most = max(float(np.nanquantile(grid, COLOUR_LEVEL)) for _, grid in grids) or 1.0
            here = panels[2 * pair + row]
            for axes, side, (days, grid), kind in zip(here, sides, grids, ("Real", "Generated"), strict=True):
                axes.set_facecolor("#dddddd")
                picture = axes.pcolormesh(
                    pd.date_range(days[0], periods=len(days) + 1),
                    np.linspace(0, 24, grid.shape[2] + 1),
                    grid[0].T,
                    cmap=LOAD_MAP if channel == "load" else PV_MAP,
                    vmin=0,
                    vmax=most,
                    rasterized=True,
                )
                axes.grid(visible=False)
                axes.set_yticks(range(0, 25, 6))
                axes.set_title(f"{kind} home {side.names[0]}: {_size(side, channel)}")
                months_axis(axes, days)
            here[0].set_ylabel("hour, local clock")
            figure.colorbar(picture, ax=here, label=f"{channel} [kW]", extend="max", pad=0.01, aspect=14)
    figure.suptitle(
        "A year of two real homes, and of the generated homes nearest in load and PV capacity",
        x=0.004, ha="left", fontsize=10.5, fontweight="bold",
    )  # fmt: skip
    return figure


def _size(one: Traces, channel: str) -> str:
    if channel == "load":
        return f"load {peaks.annual_energy_kwh(one.load_kw)[0]:,.0f} kWh a year"
    return f"PV {capacities_kwp(one)[0]:.2f} kWp, {peaks.annual_energy_kwh(one.pv_kw)[0]:,.0f} kWh a year"


@styled
def figure_weeks(generated: Traces, real: Traces, other_year: Traces | None = None) -> Figure:
    """Steps of load and PV in four weeks of the real home of middle load and of a generated one like it."""
    populations = three_sides(generated, real, other_year)
    generated, real = populations["generated"], populations["real"]
    names = homes_alike(real, generated, 0.5)
    pair = {"Real": real.select([names[0]]), "Generated": generated.select([names[1]])}
    figure = new_figure(11, 8)
    panels = figure.subplots(len(WEEK_MONTHS), 2, sharey=True, sharex=True)
    for column, (kind, side) in enumerate(pair.items()):
        days, load_kw = on_local_days(side, side.load_kw)
        _, pv_kw = on_local_days(side, side.pv_kw)
        for axes, month in zip(panels[:, column], WEEK_MONTHS, strict=True):
            is_first = (days.month == month) & (days.day_of_week == 0) & (days.day > 7)
            first = int(np.flatnonzero(is_first[:-6])[0])
            week = slice(first, first + 7)
            _draw_week(axes, load_kw[0, week].ravel(), pv_kw[0, week].ravel())
            axes.set_title(f"{kind}: week of {days[first].day} {days[first]:%B %Y}")
            energies = f"load {np.nansum(load_kw[0, week]) * side.dt_h:,.0f} kWh"
            energies += f", PV {np.nansum(pv_kw[0, week]) * side.dt_h:,.0f} kWh"
            axes.set_title(energies, loc="right", color="#555555", fontsize=8.5)
    for axes in panels[:, 0]:
        axes.set_ylabel("mean power [kW]")
    panels[0, 0].set_ylim(bottom=0)
    title = " beside ".join(f"{side.names[0]} ({_size(side, 'load')})" for side in pair.values())
    figure.suptitle(f"Home {title}", x=0.004, ha="left", fontsize=10.5, fontweight="bold")
    handles = [Line2D([], [], color=LOAD, lw=1, label="load"), Line2D([], [], color=PV, lw=1.8, label="PV")]
    figure.legend(handles=handles, loc="upper right", ncols=2)
    return figure


def _draw_week(axes: Axes, load_kw: Floats, pv_kw: Floats) -> None:
    at = np.arange(len(load_kw) + 1) * 7 / len(load_kw)
    ends = np.append(load_kw, load_kw[-1])
    axes.fill_between(at, ends, step="post", color=LOAD, alpha=0.28, lw=0)
    axes.step(at, ends, where="post", color=LOAD, lw=0.8)
    axes.plot((at[:-1] + at[1:]) / 2, pv_kw, color=PV, lw=1.4)
    axes.set_xlim(0, 7)
    axes.set_xticks(range(8), labels=[""] * 8)
    axes.set_xticks(np.arange(7) + 0.5, labels=["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], minor=True)
    axes.tick_params(axis="x", which="minor", length=0)
