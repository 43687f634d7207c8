"""Load-duration curves of a described set."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from hidiff.figure_style import QUIET, new_figure, styled

from .describe import Description
from .describe_fans import BANDS, COLOURS, title_of, unit_of
from .describe_numbers import duration_curves, weighted_quantiles
from .describe_read import NET


@styled
def figure_duration(description: Description) -> Figure:
    """Duration curves of load and net load, a thin line a scenario, with their band; and the highest hours."""
    shares = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 400))
    names = [name for name in ("load_kw", NET) if name in description.aggregate] or [description.main]
    hours = description.clock.dt_h * len(description.clock.time)
    top_hours = min(100.0, 0.02 * hours)
    shown = [(name, shares, 100 * shares, "share of time at or above [%]") for name in names]
    if top_hours > 8 * description.clock.dt_h:
        top = np.linspace(0, 1, 200) ** 2 * top_hours
        shown.append((names[-1], top / hours, top, f"hours at or above, the highest {top_hours:.0f} h"))
    figure = new_figure(11, 4.4)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (name, levels, at, label) in zip(panels, shown, strict=True):
        curves = duration_curves(description.aggregate[name], levels)
        colour = COLOURS.get(name, QUIET)
        low, _, middle, _, high = weighted_quantiles(curves, description.probability, BANDS)
        drawn = curves[: 10**9 : max(1, len(curves) // 200)]
        axes.plot(at, drawn.T, color=colour, lw=0.5, alpha=0.25, label="_scenario")
        axes.plot([], [], color=colour, lw=0.8, alpha=0.5, label=f"each of {len(drawn)} scenarios")
        axes.fill_between(at, low, high, color=colour, alpha=0.2, lw=0, label="5–95 % of probability")
        axes.plot(at, middle, color=colour, lw=2.2, label="median")
        if curves.min() < 0:
            axes.axhline(0, color=QUIET, lw=1)
        axes.set_title(f"{title_of(name).capitalize() if name != 'pv_kw' else 'PV'} of all homes")
        axes.set_xlabel(label)
        axes.set_xlim(0, float(at[-1]))
        axes.legend(loc="upper right")
        suffix = ", below 0: export" if name == NET and curves.min() < 0 else ""
        axes.set_ylabel(f"mean power over the step [{unit_of(description, name)}]{suffix}")
    return figure
