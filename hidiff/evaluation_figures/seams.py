"""Whether the joints of windows can be seen: correlation across midnights by day of the windows' pattern."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from hidiff import rng
from hidiff.data.calendars import standard_offset
from hidiff.data.traces import Floats, Traces
from hidiff.figure_style import new_figure, styled
from hidiff.metrics import temporal

from .sides import BAND, GENERATED, REAL, Array, range_of, three_sides

SPANS_H = (("Load", 2.0), ("Load", 24.0), ("PV", 24.0))
"""Channels, and hours on either side of a midnight whose means are correlated."""
DRAWS = 1000
"""Draws of dates behind intervals and band."""
FEWEST_DATES = 4
"""Midnights that a day of the pattern needs to be shown."""


@styled
def figure_seams(
    generated: Traces,
    real: Traces,
    other_year: Traces | None = None,
    *,
    every_days: int = 24,
    joint_days: Sequence[int] = (0, 14),
    origin: pd.Timestamp | None = None,
) -> Figure:
    """Correlation across midnights by day of the pattern of windows, joints marked, real midnights as band.

    Intervals are 95 % over draws of dates, all homes together, since homes share weather and evenings; the
    band is what as many real midnights, of any days, give.

    Args:
        every_days: length of the pattern.
        joint_days: days of the pattern that begin with a joint.
        origin: first generated step, whose standard-time day is day 0; that of ``generated`` by default.
    """
    sides = three_sides(generated, real, other_year)
    figure = new_figure(11, 7.6)
    rows = figure.subplots(len(SPANS_H), 1, sharex=True)
    first = _standard_days(pd.DatetimeIndex([generated.time[0] if origin is None else origin]), generated)[0]
    for axes, (channel, span_h) in zip(rows, SPANS_H, strict=True):
        found = {
            name: midnight_sums(side, side.load_kw if channel == "Load" else side.pv_kw, span_h)
            for name, side in sides.items()
        }
        days, sums = found.pop("generated")
        pattern = (days - first) % every_days
        dates = _draw_generated(axes, pattern, sums)
        _draw_real(axes, [real_sums for _, real_sums in found.values()], dates)
        for joint in joint_days:
            axes.axvspan(joint - 0.5, joint + 0.5, color=GENERATED, alpha=0.13, lw=0, zorder=0.5)
        is_joint = np.isin(pattern, list(joint_days))
        both = [float(correlation(sums[:, chosen])[0]) for chosen in (is_joint, ~is_joint)]
        axes.set_title(f"{channel}, {span_h:g} h before and {span_h:g} h after midnight")
        axes.set_title(f"generated: {both[0]:.3f} at joints, {both[1]:.3f} elsewhere", loc="right")
        axes.set_ylabel("rank correlation")
        axes.grid(axis="x", visible=False)
    rows[-1].set_xlabel("day of the window pattern, named by the midnight that begins it")
    rows[-1].set_xlim(-0.7, every_days - 0.3)
    rows[-1].set_xticks(range(0, every_days, max(1, every_days // 24)))
    _seam_head(figure)
    return figure


def midnight_sums(side: Traces, power_kw: Floats, span_h: float) -> tuple[NDArray[np.int64], Array]:
    """Days since 1970 of the standard-time midnights, and sums over homes of 1, x, y, x², y², xy at each.

    x and y are the normal scores of the mean power before and after, ``(midnight,)`` and ``(6, midnight)``.
    """
    standard = side.time.tz_localize(None) + standard_offset(side.time_zone)
    span_steps = round(span_h / side.dt_h)
    midnights = np.flatnonzero((standard.hour == 0) & (standard.minute == 0)).astype(np.int64)
    inside = midnights[(midnights >= span_steps) & (midnights + span_steps <= len(standard))]
    x, y = temporal.boundary_sides(power_kw, inside, span_steps)
    sums = np.stack([v.sum(axis=0) for v in (np.ones_like(x), x, y, x * x, y * y, x * y)])
    return _standard_days(side.time[inside], side), sums


def correlation(sums: Array, draws: NDArray[np.int64] | None = None) -> Array:
    """Correlation over homes and midnights, ``(draw,)``.

    Args:
        sums: as of ``midnight_sums``, ``(6, midnight)``.
        draws: how often each midnight counts, ``(draw, midnight)``; each once by default.
    """
    counts = np.ones((1, sums.shape[1])) if draws is None else draws
    n, x, y, xx, yy, xy = sums @ counts.T
    scale = np.sqrt(np.clip((n * xx - x * x) * (n * yy - y * y), 0, None))
    return np.asarray(np.divide(n * xy - x * y, scale, out=np.full_like(scale, np.nan), where=scale > 0))


def _standard_days(time: pd.DatetimeIndex, side: Traces) -> NDArray[np.int64]:
    standard = time.tz_localize(None) + standard_offset(side.time_zone)
    return np.asarray((standard - pd.Timestamp(0)) // pd.Timedelta(days=1), dtype=np.int64)


def _draws(midnights: int, chosen: int) -> NDArray[np.int64]:
    """Draws with repetition of ``chosen`` out of the midnights, ``(draw, midnight)``; the same in every run."""
    stream = rng.generator("evaluate", "figures", "seams", midnights, chosen)
    return stream.multinomial(chosen, np.full(midnights, 1 / midnights), size=DRAWS)


def _draw_generated(axes: Axes, pattern: NDArray[np.int64], sums: Array) -> int:
    """A dot with its interval for each day of the pattern; the usual number of midnights behind one."""
    numbers, counts = np.unique(pattern, return_counts=True)
    shown = numbers[counts >= FEWEST_DATES]
    if not len(shown):
        raise ValueError(f"no day of the pattern comes {FEWEST_DATES} times; give longer series")
    values = np.array([correlation(sums[:, pattern == number])[0] for number in shown])
    ranges = [
        range_of([correlation(part, _draws(part.shape[1], part.shape[1]))[:, None]])
        for part in (sums[:, pattern == number] for number in shown)
    ]
    axes.vlines(
        shown, [low[0] for low, _ in ranges], [high[0] for _, high in ranges], color=GENERATED, lw=1.4
    )
    axes.plot(shown, values, "o", color=GENERATED, mec="white", ms=7, label="generated")
    return int(np.median(counts))


def _draw_real(axes: Axes, years: list[Array], dates: int) -> None:
    sums = np.concatenate(years, axis=1)
    low, high = range_of([correlation(sums, _draws(sums.shape[1], dates))[:, None]])
    axes.axhspan(low[0], high[0], color=BAND, lw=0, zorder=0.6)
    axes.axhline(float(correlation(sums)[0]), color=REAL, lw=1.6, label="real", zorder=1.5)


def _seam_head(figure: Figure) -> None:
    figure.suptitle(
        "Seams: correlation across midnights", x=0.004, ha="left", fontsize=10.5, fontweight="bold"
    )
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=GENERATED, marker="o", mec="white", ms=7, label="generated, 95 %"),
        Line2D([], [], color=REAL, lw=1.6, label="real, all midnights"),
        Patch(color=BAND, lw=0, label="95 % of as many real midnights"),
        Patch(color=GENERATED, alpha=0.13, lw=0, label="joint of windows"),
    ]
    figure.legend(handles=handles, loc="upper right", ncols=4, columnspacing=1.4)
