"""How much power, when and in whose home: hours of the day, months of the year, spread over homes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from hidiff.data.traces import Floats, Traces
from hidiff.figure_style import hours_axis, new_figure, styled, thousands
from hidiff.metrics import marginals, peaks, physics, temporal
from hidiff.report_numbers import SEASONS, on_local_days, season_names

from .sides import (
    Array,
    clock,
    draw_curves,
    draw_means,
    head,
    net_kw,
    pv_per_kwp,
    range_of,
    shares_of_homes,
    three_sides,
)

LEVELS = (0.1, 0.5, 0.9)
"""Quantiles of the power at a time of day."""


@styled
def figure_hours(
    generated: Traces, real: Traces, other_year: Traces | None = None, *, is_southern: bool | None = None
) -> Figure:
    """10, 50 and 90 % quantiles of home-days by time of day: load, and PV per kWp, in four seasons."""
    sides = three_sides(generated, real, other_year)
    figure = new_figure(11, 5.6)
    panels = figure.subplots(2, 4, sharex=True, sharey="row")
    hours = np.arange(0.5, round(24 / real.dt_h), dtype=np.float64) * real.dt_h
    for row, name in enumerate(("load [kW], log scale", "PV [kW per kWp]")):
        curves: dict[str, Array] = {}
        draws: list[Array] = []
        for side, traces in sides.items():
            power = traces.load_kw if row == 0 else pv_per_kwp(traces)
            one = np.full((1, len(traces)), 1 / len(traces))
            weights = one if side == "generated" else np.concatenate([one, shares_of_homes(len(traces), 100)])
            found = _season_hour_quantiles(traces, power, weights)
            curves[side] = found[0]
            draws += [] if side == "generated" else [found[1:]]
        low, high = range_of(draws)
        for season, axes in enumerate(panels[row]):
            for level in range(len(LEVELS)):
                here = (season, slice(None), level)
                band = low[here], high[here]
                draw_curves(axes, hours, {side: found[here] for side, found in curves.items()}, band)
            if row == 0:
                axes.set_title(season_names(is_southern)[season])
            hours_axis(axes)
        panels[row, 0].set_ylabel(name)
        panels[row, 0].set_ylim(bottom=0)
        if row == 0:
            # the three quantiles lie a factor of ten apart
            lowest = min(float(found[..., 0].min()) for found in curves.values())
            _power_scale(panels[0, 0], max(0.01, 0.6 * lowest), 1.1 * float(high.max()))
    for axes in panels[1]:
        axes.set_xlabel("hour, local clock")
    head(figure, "By hour: 10, 50, 90 % of home-days", sides)
    return figure


def _season_hour_quantiles(traces: Traces, power: Floats, weights: Array) -> Array:
    """Quantiles ``(resample, season, slot, level)`` over homes and days."""
    days, grid = on_local_days(traces, power)
    season = SEASONS[days.month - 1]
    found = np.empty((len(weights), 4, grid.shape[2], len(LEVELS)))
    for number in range(4):
        for slot in range(grid.shape[2]):
            sample = grid[:, season == number, slot]
            # the hour that the clock skips in spring is known of no home
            found[:, number, slot] = marginals.quantiles(sample[:, np.isfinite(sample[0])], LEVELS, weights)
    return found


def _power_scale(axes: Axes, least_kw: float, most_kw: float) -> None:
    axes.set_yscale("log")
    axes.set_ylim(least_kw, most_kw)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


@styled
def figure_months(generated: Traces, real: Traces, other_year: Traces | None = None) -> Figure:
    """Mean daily energy by calendar month over homes: load, PV per kWp, and net."""
    sides = three_sides(generated, real, other_year)
    figure = new_figure(11, 3.4)
    at = np.arange(12.0)
    months = [(clock(real)[0].month - 1 + number) % 12 + 1 for number in range(12)]
    names = {"Load": "kWh a day", "PV": "kWh per kWp and day", "Net load": "kWh a day, > 0 import"}
    for column, (axes, (name, unit)) in enumerate(zip(figure.subplots(1, 3), names.items(), strict=True)):
        rows = {}
        for side, traces in sides.items():
            power = (traces.load_kw, pv_per_kwp(traces), net_kw(traces))[column]
            energy_kwh, dates = temporal.daily_energy(power, clock(traces), traces.dt_h)
            rows[side] = np.stack([energy_kwh[:, dates.month == month].mean(axis=1) for month in months], 1)
        draw_means(axes, at, rows)
        axes.set_title(name)
        axes.set_ylabel(unit)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.set_xticks(at, labels=[f"{pd.Timestamp(2001, month, 1):%b}" for month in months])
        axes.tick_params(axis="x", labelsize=7.5)
        axes.set_xlim(-0.2, 11.2)
    head(figure, "By month: mean over homes", sides)
    return figure


@styled
def figure_homes(generated: Traces, real: Traces, other_year: Traces | None = None) -> Figure:
    """Distributions over homes: energy, peak, load factor, PV yield, self-consumption, self-sufficiency."""
    sides = three_sides(generated, real, other_year)
    figure = new_figure(11, 5.8)
    panels = figure.subplots(2, 3, sharey=True)
    for axes, (label, measure) in zip(panels.flat, OF_A_HOME.items(), strict=True):
        found = {name: measure(side) for name, side in sides.items()}
        everything = np.concatenate(list(found.values()))
        margin = 0.04 * float(np.ptp(everything)) or 1.0
        x = np.linspace(everything.min() - margin, everything.max() + margin, 400)
        # the mean over homes of "is at or below x" is the share of the homes that are
        draw_means(
            axes, x, {name: (values[:, None] <= x).astype(np.float64) for name, values in found.items()}
        )
        axes.set_xlabel(label)
        axes.set_xlim(x[0], x[-1])
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        if "kWh" in label:
            thousands(axes.xaxis)
    for axes in panels[:, 0]:
        axes.set_ylabel("homes at or below")
    head(figure, "Spread over homes", sides)
    return figure


OF_A_HOME: dict[str, Callable[[Traces], Array]] = {
    "annual load [kWh a year]": lambda side: peaks.annual_energy_kwh(side.load_kw),
    "annual peak of the load [kW]": lambda side: peaks.peak_kw(side.load_kw),
    "load factor (mean over peak load)": lambda side: peaks.load_factor(side.load_kw),
    "PV yield [kWh per kWp a year]": lambda side: peaks.annual_energy_kwh(pv_per_kwp(side)),
    "self-consumption (share of the PV used in the home)": lambda side: physics.self_consumption(
        side.load_kw, side.pv_kw
    ),
    "self-sufficiency (share of the load met by the PV)": lambda side: physics.self_sufficiency(
        side.load_kw, side.pv_kw
    ),
}
"""What is measured of each home, ``(home,)``, by the words on its axis."""
