"""PV against the clear sky: three days of one home, and the clearness of all."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from .data.traces import Traces
from .figure_style import PV, QUIET, hours_axis, months_axis, new_figure, styled
from .report_numbers import (
    capacities_kwp,
    day_kwh,
    fitted_clear_sky,
    mean_known,
    on_local_days,
    quantiles,
    three_days,
)


@styled
def figure_clear_sky(traces: Traces, location: tuple[float, float]) -> Figure:
    """PV of one home on a clear, a mixed and an overcast day under pvlib's clear sky; clearness of all homes.

    Args:
        location: latitude and longitude, north and east > 0 [degrees].

    Raises:
        ValueError: no home with PV, or fewer than seven whole days.
    """
    capacity_kwp = capacities_kwp(traces)
    rows = np.flatnonzero(capacity_kwp > 0)
    if not len(rows):
        raise ValueError("no home has PV; the comparison with clear sky needs one")
    _, sky_kw = fitted_clear_sky(traces, location)
    per_kwp = 1 / capacity_kwp[rows, None]
    days, pv_kwh = day_kwh(traces, traces.pv_kw[rows] * per_kwp)
    _, sky_kwh = day_kwh(traces, sky_kw[rows] * per_kwp)
    if len(days) < 7:
        raise ValueError(f"{len(days)} whole days; the comparison with clear sky needs seven")
    clearness = np.where(sky_kwh > 0, pv_kwh / np.where(sky_kwh > 0, sky_kwh, 1), np.nan)
    if not np.isfinite(clearness).any():
        raise ValueError("no day of PV without a gap; the comparison with clear sky needs some")
    typical = mean_known(clearness)
    chosen = int(np.argsort(typical)[(np.isfinite(typical).sum() - 1) // 2])
    slot_days, pv_day_kw = on_local_days(traces, traces.pv_kw[rows[[chosen]]])
    _, sky_day_kw = on_local_days(traces, sky_kw[rows[[chosen]]])
    figure = new_figure(11, 6.6)
    panels = figure.subplot_mosaic([["clear", "mixed", "overcast"], ["histogram", "year", "year"]])
    hours = (np.arange(pv_day_kw.shape[2]) + 0.5) * traces.dt_h
    roughness = np.nansum(np.abs(np.diff(pv_day_kw[0], axis=1)), axis=1)[np.searchsorted(slot_days, days)]
    picked = {}
    for kind, row in zip(
        ("clear", "mixed", "overcast"), three_days(clearness[chosen], roughness), strict=True
    ):
        axes, day = panels[kind], days[row]
        at = int(np.searchsorted(slot_days, day))
        axes.plot(
            hours, sky_day_kw[0, at], color=QUIET, lw=1.3, ls="--", label="clear sky on the fitted roof"
        )
        axes.fill_between(hours, pv_day_kw[0, at], color=PV, alpha=0.25, lw=0)
        axes.plot(hours, pv_day_kw[0, at], color=PV, lw=2, label="PV")
        axes.set_title(f"{kind.capitalize()}: {day.day} {day:%B %Y}, clearness {clearness[chosen, row]:.2f}")
        hours_axis(axes)
        axes.set_xlabel("hour, local clock")
        picked[kind] = max(np.nanmax(sky_day_kw[0, at]), np.nanmax(pv_day_kw[0, at]))
    for kind in picked:
        panels[kind].set_ylim(0, 1.28 * max(picked.values()))
    panels["clear"].set_ylabel(
        f"home {traces.names[rows[chosen]]}, {capacity_kwp[rows[chosen]]:.2f} kWp [kW]"
    )
    panels["clear"].legend(loc="upper left", fontsize=7.5)
    known = clearness[np.isfinite(clearness)]
    bins = np.linspace(0, max(1.2, float(known.max())), 25)
    weights = np.full(known.size, 100 / known.size)
    panels["histogram"].hist(known, list(bins), weights=weights, color=PV, ec="white")
    panels["histogram"].axvline(1, color=QUIET, ls="--", lw=1.3)
    panels["histogram"].set_title("Daily clearness, all homes with PV")
    panels["histogram"].set_xlabel("PV energy of the day / clear-sky energy")
    panels["histogram"].set_ylabel("share of home-days")
    panels["histogram"].yaxis.set_major_formatter(PercentFormatter(decimals=0))
    year = panels["year"]
    low, median, high = quantiles(pv_kwh, (0.05, 0.5, 0.95))
    if len(rows) > 1:
        year.vlines(days, low, high, color=PV, lw=0.9, alpha=0.45, label="5–95 % of homes")
    year.plot(days, median, ".", color="#8a4b00", ms=2.6, label="median of homes")
    year.plot(
        days, mean_known(sky_kwh.T), color=QUIET, lw=1.5, ls="--", label="clear sky, mean of their roofs"
    )
    year.set_title("Daily PV yield")
    year.set_ylabel("kWh per kWp and day")
    year.set_ylim(0, 1.25 * float(np.nanmax(sky_kwh)))
    months_axis(year, days)
    year.legend(loc="upper right", ncols=3, fontsize=7.5)
    return figure
