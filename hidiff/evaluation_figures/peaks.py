"""What a network sees: duration curves of homes and of sets of homes, and the coincidence of their peaks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from hidiff import rng
from hidiff.data.traces import Floats, Traces
from hidiff.figure_style import QUIET, new_figure, styled

from .sides import (
    BAND,
    Array,
    draw_curves,
    draw_means,
    head,
    net_kw,
    pv_per_kwp,
    range_of,
    three_sides,
)

SET_SIZES = (2, 3, 4, 5, 7, 10, 14, 20, 28, 40, 56, 75, 100)
"""Homes in a set."""
SETS = 100
"""Random sets of each size."""


@styled
def figure_duration(generated: Traces, real: Traces, other_year: Traces | None = None) -> Figure:
    """Duration curves of load, PV and net load on scales that stretch the ends, where the peaks are."""
    sides = three_sides(generated, real, other_year)
    figure = new_figure(11, 7)
    panels = figure.subplots(2, 2)
    steps = min(len(side.time) for side in sides.values())
    upper = np.geomspace(0.5 / steps, 1, 160)
    both = 1 / (1 + np.exp(np.linspace(np.log(2 * steps), -np.log(2 * steps), 200)))
    size = min(len(side) for side in sides.values()) // 2
    cases: tuple[tuple[str, str, Array, Callable[[Traces], Floats]], ...] = (
        ("Load: each home's curve, mean over homes", "load [kW]", upper, _load_kw),
        ("PV: each home's curve, mean over homes", "PV [kW per kWp]", upper, pv_per_kwp),
        ("Net load: each home's curve, mean over homes", "net load [kW], below 0: export", both, net_kw),
        (f"Net load of {size} homes together, mean over sets", "net load [kW a home]", both, net_kw),
    )
    for axes, (title, label, shares, power_kw) in zip(panels.flat, cases, strict=True):
        rows = {
            name: ordered(_set_means(power_kw(side), size) if "together" in title else power_kw(side), shares)
            for name, side in sides.items()
        }
        if "together" in title:
            # sets without repetition: a home counted twice would add to the peak of its set
            means = {name: values.mean(axis=0) for name, values in rows.items()}
            band = range_of([values for name, values in rows.items() if name != "generated"])
            draw_curves(axes, shares, means, band)
        else:
            draw_means(axes, shares, rows)
        axes.set_title(title)
        axes.set_ylabel(label)
        axes.set_xlabel("share of the year at or above [%]")
        _share_axis(axes, has_both_ends=shares is both)
        if shares is both:
            axes.axhline(0, color=QUIET, lw=0.8)
        else:
            axes.set_ylim(bottom=0)
    head(figure, "Duration curves", sides)
    return figure


def _load_kw(side: Traces) -> Floats:
    return side.load_kw


def ordered(power_kw: Floats, shares: Array) -> Array:
    """Power that each row is at or above for a share of the time, ``(home, share)`` [kW]."""
    rising = np.sort(power_kw.astype(np.float64), axis=1)
    at = np.clip((1 - shares) * rising.shape[1] - 0.5, 0, rising.shape[1] - 1)
    left = np.floor(at).astype(np.int64)
    right = np.minimum(left + 1, rising.shape[1] - 1)
    return np.asarray((1 - (at - left)) * rising[:, left] + (at - left) * rising[:, right])


def _memberships(homes: int, size: int, sets: int) -> Floats:
    """Random sets of ``size`` homes without repetition, ``(set, home)`` of 0 and 1; the same in every run.

    A set holds the smaller sets of the same row, so that curves over the size are smooth.
    """
    stream = rng.generator("evaluate", "figures", "sets", homes)
    orders = stream.permuted(np.tile(np.arange(homes), (sets, 1)), axis=1)
    return (orders < size).astype(np.float32)


def _set_means(power_kw: Floats, size: int, sets: int = SETS) -> Floats:
    """Mean power of random sets of homes, ``(set, step)`` [kW a home]."""
    return _memberships(len(power_kw), size, sets) @ power_kw / size


def _share_axis(axes: Axes, *, has_both_ends: bool) -> None:
    """Log scale, or logit where both ends count; ticks in percent of the time."""
    ticks = (
        [1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999]
        if has_both_ends
        else [1e-4, 1e-3, 0.01, 0.1, 1]
    )
    axes.set_xscale("logit" if has_both_ends else "log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    axes.set_xlim(2.5e-5, 1 - 2.5e-5 if has_both_ends else 1)


@styled
def figure_coincidence(generated: Traces, real: Traces, other_year: Traces | None = None) -> Figure:
    """Coincidence factor, and peak per home, of random sets of 2 to 100 homes: load, PV, net load, export."""
    sides = three_sides(generated, real, other_year)
    fewest_real = min(len(side) for name, side in sides.items() if name != "generated")
    sizes = {
        name: [size for size in SET_SIZES if size <= (len(side) if name == "generated" else fewest_real)]
        for name, side in sides.items()
    }
    figure = new_figure(11, 5.8)
    panels = figure.subplots(2, 4, sharex=True, sharey="row")
    for column, channel in enumerate(("Load", "PV", "Net load", "Export")):
        found = {}
        for name, side in sides.items():
            power = (side.load_kw, side.pv_kw, net_kw(side), -net_kw(side))[column]
            found[name] = coincidence(power, sizes[name])
        for row in range(2):
            axes = panels[row, column]
            band = range_of([values[row] for name, values in found.items() if name != "generated"])
            axes.fill_between(sizes["real"], *band, color=BAND, lw=0)
            for name, values in found.items():
                draw_curves(axes, np.array(sizes[name]), {name: values[row].mean(axis=0)})
        panels[0, column].set_title(channel)
        panels[1, column].set_xlabel("homes in the set")
    panels[0, 0].set_ylim(0, 1)
    panels[1, 0].set_ylim(bottom=0)
    panels[0, 0].set_ylabel("coincidence factor: peak of the\nsum over sum of the peaks")
    panels[1, 0].set_ylabel("peak of the sum [kW a home]")
    panels[0, 0].set_xscale("log")
    panels[0, 0].xaxis.set_major_locator(FixedLocator([2, 5, 10, 20, 50, 100]))
    panels[0, 0].xaxis.set_minor_locator(NullLocator())
    panels[0, 0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0, 0].set_xlim(2, max(3, sizes["real"][-1], sizes["generated"][-1]))
    head(figure, "Coincidence of random sets of homes", sides, band="95 % of sets of real homes")
    return figure


def coincidence(power_kw: Floats, sizes: list[int], sets: int = SETS) -> Array:
    """Coincidence factor [0..1] and peak per home [kW] of random sets, ``(2, set, size)``.

    Args:
        power_kw: ``(home, step)`` [kW].
        sizes: homes in a set, none twice.
        sets: random sets of each size.
    """
    highest_kw = power_kw.max(axis=1)
    found = np.empty((2, sets, len(sizes)))
    for number, size in enumerate(sizes):
        is_in = _memberships(len(power_kw), size, sets)
        peak_kw = (is_in @ power_kw).max(axis=1)
        found[:, :, number] = peak_kw / (is_in @ highest_kw), peak_kw / size
    return found
