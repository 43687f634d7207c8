"""The battery study as a picture: the four bills, and two days of the rule beside the optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from hidiff.battery_study import BatteryStudy, Floats
from hidiff.envs import Simulation
from hidiff.figure_style import INK, LOAD, PV, QUIET, new_figure, styled, thousands

BATTERY, PRICE = "#2f8f6b", "#7a3b69"
BARS = (QUIET, PV, "#7fbfa5", BATTERY)
DAYS = 2


@styled
def figure_study(study: BatteryStudy, currency: str = "AUD") -> Figure:
    """Bills above, a typical pair of days below."""
    figure = new_figure(11, 8.6)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.06)  # type: ignore[union-attr, call-arg]
    parts: Any = figure.subfigures(2, 1, height_ratios=[1, 2.35], hspace=0.04)
    _draw_bills(parts[0].subplots(), study, currency)
    _draw_days(parts[1], study, currency)
    return figure


@styled
def figure_two_days(study: BatteryStudy, currency: str = "AUD") -> Figure:
    """A typical pair of days alone."""
    figure = new_figure(11, 6)
    _draw_days(figure, study, currency)
    return figure


def typical_days(study: BatteryStudy) -> slice:
    """Steps of the two weekdays in a row, from midnight, whose load and PV are nearest the year's median.

    Days on which the clock changes are left out.

    Raises:
        ValueError: there are no two weekdays in a row.
    """
    local = study.time.tz_convert(study.time_zone)
    dates = local.tz_localize(None).normalize()
    table = pd.DataFrame({"load": study.load_kw, "pv": study.pv_kw, "step": np.arange(len(local))})
    days = table.groupby(dates).agg(
        load=("load", "mean"), pv=("pv", "mean"), first=("step", "min"), steps=("step", "size")
    )
    per_day = round(pd.Timedelta(days=1) / (study.time[1] - study.time[0]))
    good = (days["steps"] == per_day) & (days.index.day_of_week < 5)
    pair = good & good.shift(-1, fill_value=False)
    if not pair.any():
        raise ValueError(f"the study's {len(days)} days hold no two whole weekdays in a row")
    middle = days.loc[good, ["load", "pv"]].median()
    off = ((days[["load", "pv"]] - middle).abs() / middle.clip(lower=1e-9)).sum(axis=1)
    first = int(days.loc[(off + off.shift(-1))[pair].idxmin(), "first"])
    return slice(first, first + DAYS * per_day)


def _draw_bills(axes: Axes, study: BatteryStudy, currency: str) -> None:
    bill = study.table["yearly_bill"].to_numpy(dtype=float)
    at = np.arange(len(bill))[::-1]
    axes.barh(at, bill, 0.66, color=BARS)
    for y, value in zip(at, bill, strict=True):
        saving = "" if value == bill[0] else f"   ({bill[0] - value:,.0f} less)"
        axes.text(max(value, 0.0), y, f"  {value:,.0f}{saving}", va="center", color=INK, fontsize=10)
    axes.set_yticks(at, labels=list(study.table.index), fontsize=10)
    axes.set_xlim(min(0.0, 1.1 * float(bill.min())), 1.2 * max(float(bill.max()), 1.0))
    axes.axvline(0, color=QUIET, lw=1)
    axes.grid(axis="y", visible=False)
    thousands(axes.xaxis)
    axes.set_xlabel(f"bill of the year [{currency}]")
    dt_h = (study.time[1] - study.time[0]) / pd.Timedelta(hours=1)
    battery = study.config.battery
    load_kwh, pv_kwh = study.load_kw.sum() * dt_h, study.pv_kw.sum() * dt_h
    axes.set_title(
        f"Home {study.home}: {load_kwh:,.0f} kWh of load and {pv_kwh:,.0f} kWh of PV a year; "
        f"battery of {battery.capacity_kwh:g} kWh and {battery.charge_max_kw:g} kW"
    )


def _draw_days(figure: Figure | SubFigure, study: BatteryStudy, currency: str) -> None:
    axes: Any = figure.subplots(3, 2, sharex=True, sharey="row", height_ratios=[2.2, 1, 0.8])
    steps = typical_days(study)
    clock = study.time[steps].tz_convert(study.time_zone).tz_localize(None)
    edges = clock.append(pd.DatetimeIndex([clock[-1] + (clock[1] - clock[0])]))
    for column, (name, run) in enumerate(
        (("Rule: store every surplus", study.rule), ("Optimum", study.optimum))
    ):
        _draw_power(axes[0, column], edges, study, run, steps)
        axes[0, column].set_title(name)
        _draw_soc(axes[1, column], edges, study, run, steps)
        price = axes[2, column]
        price.stairs(study.import_price[steps], edges, color=PRICE, lw=1.6, baseline=None)
        price.set_ylim(0, 1.15 * float(study.import_price.max()))
        price.set_xlim(edges[0], edges[-1])
        ticks = pd.date_range(edges[0], edges[-1], freq="6h")
        labels = [
            f"{t:%H:%M}" + (f"\n{t:%a} {t.day} {t:%b %Y}" if t.hour == 0 and t < edges[-1] else "")
            for t in ticks
        ]
        price.set_xticks(ticks, labels=labels)
    axes[0, 0].set_ylabel("power [kW]")
    axes[1, 0].set_ylabel("state of\ncharge [%]")
    axes[2, 0].set_ylabel(f"import price\n[{currency}/kWh]")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=4)


def _draw_power(
    axes: Axes, edges: pd.DatetimeIndex, study: BatteryStudy, run: Simulation, steps: slice
) -> None:
    axes.stairs(study.pv_kw[steps], edges, fill=True, color=PV, alpha=0.45, label="PV")
    axes.stairs(
        run.battery_kw[steps], edges, fill=True, color=BATTERY, alpha=0.75, label="battery, > 0 charges"
    )
    axes.stairs(study.load_kw[steps], edges, color=LOAD, lw=1.6, baseline=None, label="load")
    grid_kw = run.import_kw[steps] - run.export_kw[steps]
    axes.stairs(
        grid_kw, edges, color=INK, lw=1.2, ls=(0, (1, 1)), baseline=None, label="from the grid, < 0 export"
    )
    axes.axhline(0, color=QUIET, lw=0.8)
    axes.margins(y=0.06)


def _draw_soc(
    axes: Axes, edges: pd.DatetimeIndex, study: BatteryStudy, run: Simulation, steps: slice
) -> None:
    battery = study.config.battery
    energy_kwh = np.concatenate([[battery.soc_initial * battery.capacity_kwh], run.energy_kwh])
    soc: Floats = 100 * energy_kwh[steps.start : steps.stop + 1] / battery.capacity_kwh
    axes.fill_between(edges, soc, color=BATTERY, alpha=0.25, lw=0)
    axes.plot(edges, soc, color=BATTERY, lw=1.6)
    axes.set_ylim(0, 105)
    axes.set_yticks([0, 50, 100])
