"""How power hangs together in time: autocorrelation, spectrum, and one day after another."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from scipy import fft

from hidiff.data.traces import Floats, Traces
from hidiff.figure_style import LOAD_MAP, QUIET, new_figure, styled
from hidiff.metrics import temporal

from .sides import Array, clock, draw_curves, draw_means, head, net_kw, three_sides

LONGEST_H, LONGEST_DAYS = 14 * 24, 60
"""Longest lags of the autocorrelations."""
SPECTRUM_DAYS = 28
"""Window of the spectra, so their longest period."""
BAND_RATIO = 1.03
"""Width of a frequency band of the spectra: narrower than the gap between the day's first 24 harmonics."""
PERIODS_H = {"28 d": 672, "7 d": 168, "1 d": 24, "12 h": 12, "6 h": 6, "3 h": 3, "1 h": 1}
"""Ticks of the spectra."""
CLASSES = 12
"""Classes of today's load, each with as many real days."""


@styled
def figure_autocorrelation(generated: Traces, real: Traces, other_year: Traces | None = None) -> Figure:
    """Autocorrelation over lags: load and net load to two weeks by step, daily energies to 60 days."""
    sides = three_sides(generated, real, other_year)
    figure = new_figure(11, 8.2)
    panels = figure.subplot_mosaic([["load", "load"], ["net", "net"], ["load, days", "net, days"]])
    channels = {"load": lambda side: side.load_kw, "net": net_kw}
    most = round(LONGEST_H / real.dt_h)
    for name, power_kw in channels.items():
        rows = {s: autocorrelations(power_kw(side), most) for s, side in sides.items()}
        axes = panels[name]
        draw_means(axes, np.arange(most + 1) * real.dt_h / 24, rows)
        axes.set_title(f"{_CHANNEL[name]}, steps of {60 * real.dt_h:g} minutes")
        axes.set_xlim(0, LONGEST_H / 24)
        axes.set_xticks(range(15))
        axes.set_xlabel("lag [days]")
        # the first lags fall from 1 so steeply that they would flatten all the rest
        axes.set_ylim(
            top=min(1.0, 1.25 * max(float(values.mean(axis=0)[2:].max()) for values in rows.values()))
        )
        days = {}
        for s, side in sides.items():
            energy_kwh, _ = temporal.daily_energy(power_kw(side), clock(side), side.dt_h)
            days[s] = autocorrelations(energy_kwh, LONGEST_DAYS)
        axes = panels[f"{name}, days"]
        draw_means(axes, np.arange(1.0, LONGEST_DAYS + 1), {s: values[:, 1:] for s, values in days.items()})
        axes.set_title(f"{_CHANNEL[name]}, energies of days")
        axes.set_xlim(1, LONGEST_DAYS)
        axes.set_xticks([1, *range(7, LONGEST_DAYS + 1, 7)])
        axes.set_xlabel("lag [days]")
    for axes in panels.values():
        axes.axhline(0, color=QUIET, lw=0.8)
        axes.set_ylabel("autocorrelation")
    head(figure, "Autocorrelation, mean over homes", sides)
    return figure


_CHANNEL = {"load": "Load", "net": "Net load"}


def autocorrelations(values: Floats, most: int) -> Array:
    """Autocorrelation of each home at lags 0 to ``most``, ``(home, lag)``; 0 where a home is constant.

    As `hidiff.metrics.temporal.autocorrelation`, through the Fourier transform, which has all lags at once.
    """
    if most >= values.shape[1]:
        raise ValueError(f"lag {most} needs more than {values.shape[1]} steps; give a longer series")
    centred = values.astype(np.float64) - values.mean(axis=1, keepdims=True, dtype=np.float64)
    length = fft.next_fast_len(values.shape[1] + most, real=True)
    power = np.abs(fft.rfft(centred, length, axis=1)) ** 2
    covariance = fft.irfft(power, length, axis=1)[:, : most + 1]
    variance = np.sum(centred**2, axis=1, keepdims=True)
    return np.asarray(np.divide(covariance, variance, out=np.zeros_like(covariance), where=variance > 0))


@styled
def figure_days(generated: Traces, real: Traces, other_year: Traces | None = None) -> Figure:
    """Power spectra of load, PV and net load, and tomorrow's load against today's."""
    sides = three_sides(generated, real, other_year)
    figure = new_figure(11, 7)
    panels = figure.subplot_mosaic(
        [["load", "PV", "net load"], ["real", "generated", "given today"]], height_ratios=(1, 1.05)
    )
    for name in ("load", "PV", "net load"):
        rows = {}
        for s, side in sides.items():
            power = {"load": side.load_kw, "PV": side.pv_kw, "net load": net_kw(side)}[name]
            frequency, rows[s] = _in_bands(temporal.log_spectrum(power, side.dt_h, SPECTRUM_DAYS))
        draw_means(panels[name], frequency, rows, lambda values: 10**values)
        _spectrum_axes(panels[name])
        panels[name].set_title(f"Spectrum of {name}")
    panels["load"].set_ylabel("power spectral density [kW² h]")
    today = {s: _relative_days(side) for s, side in sides.items()}
    edges = np.linspace(0, max(2.5, float(np.quantile(today["real"], 0.998))), 61)
    histograms = {s: _density(today[s], edges) for s in ("real", "generated")}
    top = max(float(values.max()) for values in histograms.values())
    for s, density in histograms.items():
        # the square root shows the thin outskirts, where days of absence and of guests are
        panels[s].pcolormesh(
            edges, edges, np.sqrt(density).T, cmap=LOAD_MAP, vmax=np.sqrt(top), rasterized=True
        )
        panels[s].plot(edges[[0, -1]], edges[[0, -1]], color=QUIET, lw=0.8, ls=":")
        r = np.corrcoef(today[s][:, :-1].ravel(), today[s][:, 1:].ravel())[0, 1]
        panels[s].set_title(f"{s.capitalize()} days, correlation {r:.2f}")
        panels[s].set_ylabel("load of the next day / home's mean")
    _given_today(panels["given today"], today)
    for s in ("real", "generated"):
        panels[s].set_xlim(0, edges[-1])
        panels[s].set_ylim(0, edges[-1])
    for s in ("real", "generated", "given today"):
        panels[s].set_xlabel("load of a day / home's mean")
    head(figure, "Spectra, and day after day", sides)
    return figure


def _spectrum_axes(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1 / SPECTRUM_DAYS, 24)
    axes.xaxis.set_major_locator(FixedLocator([24 / hours for hours in PERIODS_H.values()]))
    axes.set_xticklabels(PERIODS_H)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("period")


def _in_bands(spectra: Array) -> tuple[Array, Array]:
    """Frequency [1/day] and mean of the log spectra in bands of equal ratio, ``(home, band)``.

    Seven hundred frequencies on a log axis would cover each other at the fast end.
    """
    number = np.arange(1, spectra.shape[1] + 1)
    _, first = np.unique((np.log(number) / np.log(BAND_RATIO)).astype(np.int64), return_index=True)
    counts = np.diff(np.append(first, spectra.shape[1]))
    middle = np.exp(np.add.reduceat(np.log(number), first) / counts) / SPECTRUM_DAYS
    return middle, np.add.reduceat(spectra, first, axis=1) / counts


def _relative_days(side: Traces) -> Array:
    """Load energy of each day over the home's mean day, ``(home, day)``."""
    energy_kwh, _ = temporal.daily_energy(side.load_kw, clock(side), side.dt_h)
    relative: Array = energy_kwh / energy_kwh.mean(axis=1, keepdims=True)
    return relative


def _density(days: Array, edges: Array) -> Array:
    """Density of (a day, the next day) over all homes, ``(bin, bin)``."""
    counts, _, _ = np.histogram2d(days[:, :-1].ravel(), days[:, 1:].ravel(), bins=[edges, edges])
    return np.asarray(counts / days[:, 1:].size / (edges[1] - edges[0]) ** 2)


def _given_today(axes: Axes, days: dict[str, Array]) -> None:
    """10, 50 and 90 % of the next day's load by classes of today's."""
    cuts = np.quantile(days["real"], np.linspace(0, 1, CLASSES + 1))[1:-1]
    middles = np.quantile(days["real"], (np.arange(CLASSES) + 0.5) / CLASSES)
    curves = {}
    for side, values in days.items():
        number = np.searchsorted(cuts, values[:, :-1]).ravel()
        following = values[:, 1:].ravel()
        curves[side] = np.array(
            [
                np.quantile(following[number == n], (0.1, 0.5, 0.9)) if (number == n).any() else [np.nan] * 3
                for n in range(CLASSES)
            ]
        )
    for level in range(3):
        draw_curves(axes, middles, {side: found[:, level] for side, found in curves.items()})
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_title("Next day given a day: 10, 50, 90 %")
