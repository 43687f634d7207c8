"""Look of the report's figures: colours, type, axes of hours and months."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# Blue and amber from Okabe and Ito's palette: told apart by every common kind of colour vision, and in grey.
LOAD, PV, INK, QUIET, REFERENCE = "#0b5a92", "#e08e00", "#222222", "#8a8f98", "#7a3b69"
LOAD_MAP = LinearSegmentedColormap.from_list("load", ["#f7fafd", "#a9cbe6", "#3a86bd", "#0b4a7d", "#08203a"])
PV_MAP = LinearSegmentedColormap.from_list("pv", ["#fffdf7", "#fbdc9a", "#f0a830", "#b85f00", "#4a1f00"])

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelcolor": "#444444",
    "axes.edgecolor": "#b8bcc2",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8eaed",
    "grid.linewidth": 0.7,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.solid_capstyle": "round",
}
_Parameters = ParamSpec("_Parameters")


def styled(draw: Callable[_Parameters, Figure]) -> Callable[_Parameters, Figure]:
    """``draw`` under the report's style; the caller's matplotlib settings neither matter nor change."""

    @wraps(draw)
    def drawn(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> Figure:
        with matplotlib.style.context(["default", _STYLE]):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width_in: float, height_in: float) -> Figure:
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def thousands(axis: object) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))  # type: ignore[attr-defined]


def hours_axis(axes: Axes) -> None:
    axes.set_xlim(0, 24)
    axes.set_xticks(range(0, 25, 6))


def months_axis(axes: Axes, days: pd.DatetimeIndex) -> None:
    """Ticks on the first of months, the year under the first one and under each January."""
    axes.set_xlim(days[0], days[-1] + pd.Timedelta(days=1))
    if len(days) < 90:
        locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        return
    every = int(np.ceil(len(days) / 31 / 14))
    firsts = pd.date_range(days[0], days[-1], freq="MS")[::every]
    labels = [
        f"{day:%b}" + (f"\n{day:%Y}" if day.month <= every or day == firsts[0] else "") for day in firsts
    ]
    axes.set_xticks(firsts, labels=labels)
