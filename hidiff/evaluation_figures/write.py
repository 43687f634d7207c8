"""The pictures of ``hidiff evaluate``: generated homes beside real ones, as PNG files in one folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from tqdm import tqdm

from hidiff.data.traces import Traces
from hidiff.figure_style import QUIET, new_figure, styled
from hidiff.output import replace_when_done

from .homes import figure_homes, figure_hours, figure_months
from .look import figure_carpets, figure_weeks
from .peaks import figure_coincidence, figure_duration
from .seams import figure_seams
from .sides import GENERATED, REAL
from .time import figure_autocorrelation, figure_days

DPI = 140


def write_figures(
    generated: Traces,
    real: Traces,
    other_year: Traces | None,
    folder: Path | str,
    *,
    is_southern: bool | None = None,
    seam_every_days: int = 24,
    seam_days: Sequence[int] = (0, 14),
    origin: pd.Timestamp | None = None,
    identity: pd.DataFrame | None = None,
) -> list[Path]:
    """Draw all pictures into ``folder``; their paths, in the order of `hidiff.evaluate_report.PICTURES`.

    Args:
        generated: one year of at least two homes with PV, without gaps; so are the other sides.
        real: the homes to be compared with.
        other_year: another real year, the ceiling.
        folder: made if need be; pictures of the same name are replaced, each whole or not at all.
        is_southern: hemisphere, for the names of the seasons; months alone where it is not known.
        seam_every_days: days after which the pattern of windows comes again.
        seam_days: days of the pattern that begin with a joint.
        origin: first generated step, if ``generated`` does not begin with it.
        identity: table for ``identity_curve``, if there is one.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sides = generated, real, other_year
    pictures: dict[str, Callable[[], Figure]] = {
        "hours": lambda: figure_hours(*sides, is_southern=is_southern),
        "months": lambda: figure_months(*sides),
        "homes": lambda: figure_homes(*sides),
        "autocorrelation": lambda: figure_autocorrelation(*sides),
        "days": lambda: figure_days(*sides),
        "seams": lambda: figure_seams(
            *sides, every_days=seam_every_days, joint_days=seam_days, origin=origin
        ),
        "duration": lambda: figure_duration(*sides),
        "coincidence": lambda: figure_coincidence(*sides),
        "carpets": lambda: figure_carpets(*sides),
        "weeks": lambda: figure_weeks(*sides),
    }
    if identity is not None:
        pictures["identity"] = lambda: identity_curve(identity)
    paths = []
    for name, draw in tqdm(pictures.items(), desc="figures", unit="figure", disable=None):
        paths.append(folder / f"{name}.png")
        with replace_when_done(paths[-1]) as temporary:
            # the same data give the same bytes: no version of the drawing program inside
            draw().savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    return paths


@styled
def identity_curve(table: pd.DataFrame) -> Figure:
    """Share of homes told from the others by their weeks, against the number of weeks pooled.

    Args:
        table: one row a number of weeks, with columns ``weeks``, ``generated``, ``ceiling`` (real homes) and
            ``chance``, the last three accuracies [0..1]; ``low_95`` and ``high_95`` of ``generated`` are drawn
            if they are there.
    Raises:
        ValueError: a column is absent, or there is no row.
    """
    missing = [name for name in ("weeks", "generated", "ceiling", "chance") if name not in table.columns]
    if missing or not len(table):
        raise ValueError(
            f"the table has columns {list(table.columns)} and {len(table)} rows; "
            "it needs weeks, generated, ceiling, chance and a row a number of weeks"
        )
    rows = table.sort_values("weeks")
    weeks = rows["weeks"].to_numpy(dtype=np.float64)
    figure = new_figure(9, 4.2)
    axes = figure.subplots()
    chance = rows["chance"].to_numpy(dtype=np.float64)
    axes.plot(weeks, rows["ceiling"], "-o", color=REAL, lw=2, ms=5, label="real homes (ceiling)")
    if {"low_95", "high_95"} <= set(rows.columns):
        low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("low_95", "high_95"))
        axes.fill_between(weeks, low, high, color=GENERATED, alpha=0.15, lw=0)
    axes.plot(weeks, rows["generated"], "-o", color=GENERATED, lw=1.6, ms=5, label="generated homes")
    axes.plot(weeks, chance, color=QUIET, lw=1.2, ls="--", label="chance")
    axes.set_xscale("log", base=2)
    axes.set_xticks(weeks, labels=[f"{number:g}" for number in weeks])
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("weeks pooled, log scale")
    axes.set_ylabel("homes recognised")
    figure.suptitle("Recognising homes by their weeks", x=0.004, ha="left", fontsize=10.5, fontweight="bold")
    figure.legend(loc="upper right", ncols=3)
    return figure
