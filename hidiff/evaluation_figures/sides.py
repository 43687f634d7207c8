"""The sides of a comparison in pictures: who they are, how they look, how far real homes are from real homes.

Black is the real year, dashed grey another real year, orange what was generated. The grey band holds 95 % of
what one gets by drawing as many homes as there are real ones, with repetition, from either real year: a
curve inside it could be that of other real homes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from hidiff import rng
from hidiff.data.traces import Floats, Traces
from hidiff.figure_style import INK
from hidiff.report_numbers import capacities_kwp, local_clock, span_days

Array = NDArray[np.float64]

GENERATED, REAL, OTHER, BAND = "#d55e00", INK, "#7d828b", "#c9ccd2"
RESAMPLES = 200
"""Draws of homes behind a band."""
SHORTEST_DAYS = 360
"""Of a side: the pictures are about years."""

_LOOK: dict[str, dict[str, Any]] = {
    "other_year": {"color": OTHER, "lw": 1.2, "ls": (0, (4, 2)), "zorder": 2.5},
    "real": {"color": REAL, "lw": 2.0, "zorder": 2.6},
    "generated": {"color": GENERATED, "lw": 1.5, "zorder": 2.7},
}


def three_sides(generated: Traces, real: Traces, other_year: Traces | None) -> dict[str, Traces]:
    """The sides by name, ``real`` first, without homes that use or generate nothing all year.

    Raises:
        ValueError: fewer than two homes with load and PV, less than a year, gaps, or different steps.
    """
    given = {"real": real, "generated": generated}
    if other_year is not None:
        given["other_year"] = other_year
    sides = {}
    for name, whole in given.items():
        lives = (capacities_kwp(whole) > 0) & (np.nansum(whole.load_kw, axis=1) > 0)
        side = whole.select([home for home, flag in zip(whole.names, lives, strict=True) if flag])
        sides[name] = side
        if len(side) < 2:
            raise ValueError(
                f"{name} has {len(side)} homes with load and PV; a picture of a population needs at least 2"
            )
        if not span_days(side) >= SHORTEST_DAYS:
            raise ValueError(
                f"{name} spans {span_days(side):.0f} days; give a year ({SHORTEST_DAYS} or more)"
            )
        if not (np.isfinite(side.load_kw).all() and np.isfinite(side.pv_kw).all()):
            raise ValueError(f"{name} has steps without a value; select complete homes and years")
        if abs(side.dt_h - real.dt_h) > 1e-9:
            raise ValueError(f"steps are {side.dt_h} h ({name}) and {real.dt_h} h (real); resample one side")
    return sides


def clock(side: Traces) -> pd.DatetimeIndex:
    """Start of each step on the homes' clock, zone-aware."""
    return side.time.tz_convert(side.time_zone)


def pv_per_kwp(side: Traces) -> Floats:
    """PV over capacity, ``(home, step)`` [kW per kWp]."""
    return side.pv_kw / capacities_kwp(side)[:, None]


def net_kw(side: Traces) -> Floats:
    """Load - PV, ``(home, step)`` [kW], > 0 import."""
    return side.load_kw - side.pv_kw


def shares_of_homes(homes: int, resamples: int = RESAMPLES) -> Array:
    """Shares of the homes in draws with repetition, ``(resample, home)``; the same in every run."""
    drawn = rng.generator("evaluate", "figures", homes).multinomial(
        homes, np.full(homes, 1 / homes), size=resamples
    )
    return drawn / homes


def range_of(draws: list[Array]) -> tuple[Array, Array]:
    """Lower and upper edge of the middle 95 % over draws ``(resample, x)`` of one or two years, ``(x,)``."""
    low, high = np.quantile(np.concatenate(draws), (0.025, 0.975), axis=0)
    return low, high


def real_range(rows: dict[str, Array]) -> tuple[Array, Array]:
    """The band of a mean over homes, from the sides' measurements, each ``(home, x)``; edges ``(x,)``."""
    return range_of(
        [shares_of_homes(len(values)) @ values for side, values in rows.items() if side != "generated"]
    )


def draw_curves(
    axes: Axes, x: Array, curves: dict[str, Array], band: tuple[Array, Array] | None = None
) -> None:
    """Curves ``(x,)`` of the sides there are, over their band."""
    if band is not None:
        axes.fill_between(x, *band, color=BAND, lw=0, zorder=2.2)
    for side in ("other_year", "real", "generated"):
        if side in curves:
            axes.plot(x, curves[side], label=side, **_LOOK[side])


def draw_means(
    axes: Axes,
    x: Array,
    rows: dict[str, Array],
    shown: Callable[[Array], Array] = lambda values: values,
) -> None:
    """Means over homes of measurements ``(home, x)``, with the band; ``shown`` turns them into what is drawn."""
    low, high = real_range(rows)
    means = {side: shown(values.mean(axis=0)) for side, values in rows.items()}
    draw_curves(axes, x, means, (shown(low), shown(high)))


def head(
    figure: Figure, title: str, sides: dict[str, Traces], band: str = "95 % of draws of real homes"
) -> None:
    """Title at the left and the key of the sides at the right, above all panels."""
    figure.suptitle(title, x=0.004, ha="left", fontsize=10.5, fontweight="bold")
    handles: list[Line2D | Patch] = [
        Line2D([], [], label=f"real {_when(sides['real'])}", **_LOOK["real"]),
        Line2D([], [], label=f"generated, {len(sides['generated'])} homes", **_LOOK["generated"]),
    ]
    if "other_year" in sides:
        label = f"real {_when(sides['other_year'])}"
        handles.append(Line2D([], [], label=label, **_LOOK["other_year"]))
    if band:
        handles.append(Patch(color=BAND, lw=0, label=band))
    figure.legend(handles=handles, loc="upper right", ncols=4, columnspacing=1.4)


def _when(side: Traces) -> str:
    stamps = local_clock(side)
    return f"{stamps[0]:%Y}–{stamps[-1]:%y}, {len(side)} homes"
