"""Figures of household traces on the local clock: weeks, fans, curves, months, clear sky, carpets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from .data.traces import Floats, Traces
from .figure_style import (
    INK,
    LOAD,
    LOAD_MAP,
    PV,
    PV_MAP,
    QUIET,
    REFERENCE,
    hours_axis,
    months_axis,
    new_figure,
    styled,
    thousands,
)
from .report_numbers import (
    PUBLISHED_LOAD_KWH,
    PUBLISHED_PV_KWH,
    PUBLISHED_PV_KWP,
    SEASONS,
    annual_kwh,
    capacities_kwp,
    complete_months,
    mean_known,
    on_local_days,
    peaks_kw,
    quantiles,
    season_names,
    span_days,
    typical_weeks,
)


@styled
def figure_typical_weeks(traces: Traces, home: str, *, is_southern: bool | None = True) -> Figure:
    """Load and PV of one home in the week of each season whose energies are nearest the season's median week.

    Raises:
        ValueError: no season holds a complete week (Monday to Sunday) of this home.
    """
    days, load_kw = on_local_days(traces, traces.select([home]).load_kw)
    _, pv_kw = on_local_days(traces, traces.select([home]).pv_kw)
    weeks = typical_weeks(days, load_kw[0], pv_kw[0])
    if not weeks:
        raise ValueError(f"home {home!r} has no complete week from Monday to Sunday; give at least two weeks")
    names, has_pv = season_names(is_southern), np.nansum(pv_kw) > 0
    figure = new_figure(11, 0.5 + 1.8 * len(weeks))
    panels = figure.subplots(len(weeks), 1, sharey=True, squeeze=False)[:, 0]
    per_day = load_kw.shape[2]
    at = np.arange(7 * per_day + 1) / per_day
    for axes, (season, first) in zip(panels, weeks.items(), strict=True):
        load, pv = load_kw[0, first : first + 7].ravel(), pv_kw[0, first : first + 7].ravel()
        axes.fill_between(at, np.append(load, load[-1]), step="post", color=LOAD, alpha=0.28, lw=0)
        axes.step(at, np.append(load, load[-1]), where="post", color=LOAD, lw=1.0, label="load")
        if has_pv:
            axes.plot(at[:-1] + 0.5 / per_day, pv, color=PV, lw=1.8, label="PV")
        start, energies = days[first], f"load {load.sum() * traces.dt_h:,.0f} kWh"
        energies += f", PV {pv.sum() * traces.dt_h:,.0f} kWh" if has_pv else ""
        axes.set_title(f"{names[season]}: week of {start:%A} {start.day} {start:%B %Y}")
        axes.set_title(energies, loc="right", color="#555555", fontsize=8.5)
        axes.set_xlim(0, 7)
        axes.set_xticks(range(8), labels=[""] * 8)
        axes.set_xticks(
            np.arange(7) + 0.5, labels=[f"{day:%a} {day.day}" for day in days[first : first + 7]], minor=True
        )
        axes.tick_params(axis="x", which="minor", length=0)
        axes.set_ylabel("mean power [kW]")
    # Once all panels are drawn: a shared axis takes its top from what is there when its bottom is set.
    panels[0].set_ylim(bottom=0)
    figure.suptitle(f"Home {home}", x=0.004, ha="left", fontsize=10.5, fontweight="bold")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="upper right", ncols=2)
    return figure


@styled
def figure_duration_curves(traces: Traces) -> Figure:
    """Load-duration and net-duration curves, a thin line a home, the median bold.

    Load stands on a log scale, so that base load and peak both show; net power goes below zero and is linear.
    """
    # Denser at both ends, where the curves bend most.
    share = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 500))
    shown = [("Load", traces.load_kw, LOAD)]
    if np.nansum(traces.pv_kw) > 0:
        shown.append(("Net load (load − PV)", traces.load_kw - traces.pv_kw, INK))
    figure = new_figure(11, 4.6)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (name, values, colour) in zip(panels, shown, strict=True):
        measured = values[np.isfinite(values).any(axis=1)]
        curves = quantiles(measured.T, 1 - share).T
        if len(curves) > 1:
            thin = max(0.3, 1.1 - 0.1 * np.sqrt(len(curves)))
            axes.plot(100 * share, curves.T, color=colour, lw=thin, alpha=0.35, label="_home")
            axes.plot([], [], color=colour, lw=1, alpha=0.5, label=f"each of {len(curves)} homes")
        label = "median of the homes" if len(curves) > 1 else "the home"
        axes.plot(100 * share, np.median(curves, axis=0), color=colour, lw=2.6, label=label)
        axes.set_title(name)
        axes.set_xlabel("share of time at or above [%]")
        axes.set_xlim(0, 100)
        axes.legend(loc="upper right")
    positive_kw = traces.load_kw[traces.load_kw > 0]
    least_kw = float(np.quantile(positive_kw, 0.002)) if len(positive_kw) else 0.0
    panels[0].set_yscale("log")
    panels[0].set_ylim(bottom=max(0.005, 0.6 * least_kw))
    panels[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[0].yaxis.set_minor_locator(NullLocator())
    panels[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0].set_ylabel("mean power over the step [kW], log scale")
    for axes in panels[1:]:
        axes.axhline(0, color=QUIET, lw=1)
        axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.set_ylabel("mean power over the step [kW], below 0: export")
    return figure


@styled
def figure_daily_profiles(traces: Traces, *, is_southern: bool | None = True) -> Figure:
    """Fans (median, 25-75 %, 5-95 % of home-days) by season: load on weekdays and weekends, PV per kWp."""
    days, load_kw = on_local_days(traces, traces.load_kw)
    capacity_kwp = capacities_kwp(traces)
    has_pv = capacity_kwp > 0
    _, pv_kw = on_local_days(traces, traces.pv_kw[has_pv] / capacity_kwp[has_pv, None])
    season = np.asarray(SEASONS[days.month - 1])
    present = [number for number in range(4) if (season == number).sum() >= 14]
    if not present:
        raise ValueError(f"{len(days)} days hold no season with 14 days or more; give a longer span")
    weekend = np.asarray(days.day_of_week >= 5)
    rows: list[tuple[str, Floats, np.ndarray[tuple[int], np.dtype[np.bool_]], str]] = [
        ("load, weekdays", load_kw, ~weekend, LOAD),
        ("load, weekends", load_kw, weekend, LOAD),
    ]
    if has_pv.any():
        rows.append(("PV, all days", pv_kw, np.ones(len(days), dtype=bool), PV))
    figure = new_figure(11, 0.7 + 2.3 * len(rows))
    panels = figure.subplots(len(rows), len(present), sharex=True, sharey="row", squeeze=False)
    names = season_names(is_southern)
    hours = (np.arange(load_kw.shape[2]) + 0.5) * traces.dt_h
    weekday_median = {}
    for row, (name, values, keep, colour) in enumerate(rows):
        for column, number in enumerate(present):
            axes = panels[row, column]
            sample = values[:, keep & (season == number)].reshape(-1, values.shape[2])
            low, q1, median, q3, high = quantiles(sample, (0.05, 0.25, 0.5, 0.75, 0.95))
            axes.fill_between(hours, low, high, color=colour, alpha=0.16, lw=0, label="5–95 %")
            axes.fill_between(hours, q1, q3, color=colour, alpha=0.34, lw=0, label="25–75 %")
            axes.plot(hours, median, color=colour, lw=2, label="median")
            axes.plot(hours, mean_known(sample.T), color=INK, lw=1, ls=(0, (4, 2)), label="mean")
            if row == 0:
                weekday_median[number] = median
                axes.set_title(names[number])
            if row == 1:
                axes.plot(
                    hours, weekday_median[number], color=REFERENCE, lw=1.2, ls=":", label="weekday median"
                )
            hours_axis(axes)
        panels[row, 0].set_ylim(bottom=0)
        unit = "kW per kWp" if name.startswith("PV") else "kW"
        panels[row, 0].set_ylabel(f"{name} [{unit}]")
    top = max(axes.get_ylim()[1] for axes in panels[:2, 0])
    for axes in panels[:2, 0]:
        axes.set_ylim(0, top)
    for axes in panels[-1]:
        axes.set_xlabel("hour, local clock")
    figure.legend(*panels[1, 0].get_legend_handles_labels(), loc="outside upper right", ncols=5)
    return figure


@styled
def figure_monthly_energy(traces: Traces) -> Figure:
    """Mean load and PV energy of each calendar month over the homes, with the 10-90 % range of homes.

    Raises:
        ValueError: no whole calendar month in the traces.
    """
    months, load_kwh, pv_kwh = complete_months(traces)
    if not months:
        raise ValueError("no whole calendar month in the traces; give at least two months")
    has_pv = np.nansum(traces.pv_kw, axis=1) > 0

    def over(homes: int) -> str:
        return f", mean of {homes} homes" if homes > 1 else ""

    figure = new_figure(11, 4)
    axes = figure.subplots()
    at, width = np.arange(len(months)), 0.4
    for energy, colour, name, shift in (
        (load_kwh, LOAD, f"load{over(len(traces))}", -0.5),
        (pv_kwh[has_pv], PV, f"PV{over(int(has_pv.sum()))}", 0.5),
    ):
        if not len(energy):
            continue
        low, high = quantiles(energy, (0.1, 0.9))
        mean = mean_known(energy.T)
        axes.bar(at + shift * width, mean, width * 0.94, color=colour, alpha=0.85, label=name)
        if len(energy) > 1:
            axes.vlines(at + shift * width, low, high, color=INK, lw=1.1, label="_spread")
    if len(traces) > 1:
        axes.plot([], [], color=INK, lw=1.1, label="10–90 % of homes")
    # Beyond a year a bar holds several years of its month, so no year is named.
    years = [
        f"\n{m.year}" if span_days(traces) < 370 and (m == months[0] or m.month == 1) else "" for m in months
    ]
    axes.set_xticks(at, labels=[f"{m:%b}{year}" for m, year in zip(months, years, strict=True)])
    axes.set_xlim(-0.7, len(months) - 0.3)
    axes.grid(axis="x", visible=False)
    axes.set_ylim(bottom=0)
    thousands(axes.yaxis)
    axes.set_ylabel("energy per home [kWh a month]")
    handles, labels = axes.get_legend_handles_labels()
    bars_first = sorted(range(len(labels)), key=lambda i: labels[i].startswith("10"))
    legend = [handles[i] for i in bars_first], [labels[i] for i in bars_first]
    figure.legend(*legend, loc="outside upper left", ncols=3)
    return figure


@styled
def figure_annual(traces: Traces) -> Figure:
    """Annual load and PV over homes (histograms, published means), peak against load, PV against capacity."""
    load_kwh, pv_kwh = annual_kwh(traces, traces.load_kw), annual_kwh(traces, traces.pv_kw)
    capacity_kwp = capacities_kwp(traces)
    has_pv = pv_kwh > 0
    shown = [("Annual load", load_kwh, PUBLISHED_LOAD_KWH, LOAD)]
    if has_pv.any():
        shown.append(("Annual PV, homes with PV", pv_kwh[has_pv], PUBLISHED_PV_KWH, PV))
    figure = new_figure(11, 6.8)
    upper, lower = figure.subplots(2, len(shown), squeeze=False)
    for axes, (name, energy, published, colour) in zip(upper, shown, strict=True):
        bins = min(24, 5 + int(2 * np.sqrt(len(energy))))
        edges = MaxNLocator(bins).tick_values(0, float(np.nanmax(energy)))
        counts, _, _ = axes.hist(energy, bins=edges, color=colour, alpha=0.8, ec="white")
        mean = float(mean_known(energy))
        axes.axvline(mean, ymax=0.86, color=INK, lw=2, label=f"mean {mean:,.0f} kWh")
        label = f"Ausgrid, 300 homes: {min(published):,.0f}–{max(published):,.0f} kWh"
        axes.axvspan(
            min(published), max(published), ymax=0.86, color=REFERENCE, alpha=0.45, lw=0, label=label
        )
        axes.set_title(name)
        axes.set_xlabel("kWh a year")
        axes.set_ylabel("homes")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(left=0)
        axes.set_ylim(0, 1.4 * counts.max())  # room for the legend over the bars
        axes.legend(loc="upper right", ncols=2, columnspacing=1.2)
        thousands(axes.xaxis)
    _peak_against_load(lower[0], load_kwh, peaks_kw(traces.load_kw))
    lower[0].set_title(f"Highest {60 * traces.dt_h:.0f}-minute load")
    is_known = capacity_kwp > 0
    if is_known.any():
        _pv_against_capacity(lower[1], capacity_kwp[is_known], pv_kwh[is_known])
    elif has_pv.any():
        lower[1].set_axis_off()
    return figure


def _peak_against_load(axes: Axes, load_kwh: Floats, peak_kw: Floats) -> None:
    axes.plot(load_kwh, peak_kw, "o", color=LOAD, alpha=0.7, ms=5, mec="white")
    high, right = 1.15 * float(np.nanmax(peak_kw)), 1.12 * float(np.nanmax(load_kwh))
    for factor in (0.05, 0.1, 0.2):
        end = min(right, high * 8760 * factor)
        axes.plot([0, end], [0, end / 8760 / factor], color=QUIET, lw=0.9, ls=":", zorder=1)
        label = f"load factor {100 * factor:.0f} % "
        axes.text(end, end / 8760 / factor, label, color="#666666", fontsize=7.5, ha="right")
    axes.set_xlim(0, right)
    axes.set_ylim(0, 1.06 * high)
    axes.set_xlabel("annual load [kWh a year]")
    axes.set_ylabel("peak [kW]")
    thousands(axes.xaxis)


def _pv_against_capacity(axes: Axes, capacity_kwp: Floats, pv_kwh: Floats) -> None:
    axes.plot(capacity_kwp, pv_kwh, "o", color=PV, alpha=0.8, ms=5, mec="white")
    most = 1.1 * float(capacity_kwp.max())
    yield_kwh = float(np.mean(PUBLISHED_PV_KWH)) / PUBLISHED_PV_KWP
    label = f"Ausgrid, 300 homes: {yield_kwh:,.0f} kWh per kWp"
    axes.plot([0, most], [0, most * yield_kwh], color=REFERENCE, lw=1.5, label=label, zorder=1)
    axes.set_xlim(0, most)
    axes.set_ylim(bottom=0)
    axes.set_title("PV energy against capacity")
    axes.set_xlabel("PV capacity [kWp]")
    axes.set_ylabel("annual PV [kWh a year]")
    axes.legend(loc="upper left")
    thousands(axes.yaxis)


@styled
def figure_carpet(traces: Traces, home: str) -> Figure:
    """Heat map day by time of day of one home's load and PV [kW]."""
    one = traces.select([home])
    figure = new_figure(11, 6.4)
    rows = [("Load", one.load_kw, LOAD_MAP)]
    if np.nansum(one.pv_kw) > 0:
        rows.append(("PV", one.pv_kw, PV_MAP))
    panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values, colours) in zip(panels, rows, strict=True):
        days, by_day = on_local_days(traces, values)
        ceiling = float(np.nanquantile(by_day, 0.995)) or 1.0
        edges = pd.date_range(days[0], periods=len(days) + 1)
        axes.set_facecolor("#dddddd")
        picture = axes.pcolormesh(
            edges,
            np.linspace(0, 24, by_day.shape[2] + 1),
            by_day[0].T,
            cmap=colours,
            vmin=0,
            vmax=ceiling,
            rasterized=True,
        )
        axes.grid(visible=False)
        axes.set_title(name)
        axes.set_ylabel("hour, local clock")
        axes.set_yticks(range(0, 25, 6))
        figure.colorbar(picture, ax=axes, label=f"{name} [kW]", extend="max", pad=0.01, aspect=18)
    months_axis(panels[-1], days)
    return figure


@styled
def figure_battery_study(study: pd.DataFrame, currency: str = "AUD") -> Figure:
    """Bars of ``yearly_bill`` by case, with the saving against the first row."""
    bill = study["yearly_bill"].to_numpy(dtype=float)
    figure = new_figure(11, 0.9 + 0.5 * len(bill))
    axes = figure.subplots()
    at = np.arange(len(bill))[::-1]
    colours = [QUIET, PV, "#5b9bc8", LOAD]
    axes.barh(at, bill, 0.62, color=[colours[min(i, 3)] for i in range(len(bill))])
    for y, value in zip(at, bill, strict=True):
        saving = "" if value == bill[0] else f"  ({100 * (1 - value / bill[0]):.0f} % less)"
        axes.text(max(value, 0), y, f"  {value:,.0f}{saving}", va="center", color=INK)
    axes.set_yticks(at, labels=[str(case) for case in study.index])
    axes.set_xlim(min(0.0, 1.1 * float(bill.min())), 1.25 * max(1e-9, float(bill.max())))
    axes.axvline(0, color=QUIET, lw=1)
    axes.grid(axis="y", visible=False)
    thousands(axes.xaxis)
    axes.set_xlabel(f"bill of the year [{currency}]")
    return figure
