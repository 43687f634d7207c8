"""Sections of the page of a described set: what is shown, why, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hidiff.figure_style import new_figure, styled
from hidiff.report_page import ReportFigure, Section

from .describe import Description
from .describe_days import KINDS, DayTypes, by_day, day_types, seasons_of, whole_days
from .describe_duration import figure_duration
from .describe_fans import (
    LEAST_SEASON_DAYS,
    fan_channels,
    figure_fans,
    figure_season_days,
    peak_week,
    title_of,
    unit_of,
)
from .describe_maps import MOST_BARS, figure_map, figure_probabilities, figure_sunburst
from .describe_tables import SHORT_DAYS, cell, compared
from .tree_figure import draw_tree

TYPED_DAYS = 7
"""Whole days that a sunburst needs at least."""
ROWS_SHOWN = 150
"""Rows of a table on the page; of more, evenly spaced ones are shown."""


def sections_of(description: Description) -> list[Section]:
    """Sections that the channels, the span and what the set says of itself give something to show for."""
    sections = [*_time_sections(description)]
    types = _types(description)
    if types is not None:
        sections.append(_sunburst_section(description, types))
    if len(description.scenarios) > 1:
        sections += [_probability_section(description), _map_section(description)]
    tree = description.provenance.get("tree")
    if isinstance(tree, Mapping):
        sections.append(_tree_section(tree))
    sections.append(
        Section(
            title="Scenarios",
            text="All homes together. The distance from the mean scenario has a mean square of 1: a scenario of "
            "distance 2 is twice as far as usual.",
            table=table_html(description.scenarios, "scenario"),
        )
    )
    if len(description.homes.columns):
        sections.append(
            Section(
                title="Homes",
                text="Energy and highest step of each home: 5 %, 50 % and 95 % quantiles over the scenarios.",
                table=table_html(description.homes, "home"),
            )
        )
    return sections


def _time_sections(description: Description) -> list[Section]:
    lines = (
        "Bands hold the middle 50 and 90 % of probability at each step by itself; lines are whole scenarios, which "
        "wander between the bands."
    )
    channels = ", ".join(title_of(name) for name in fan_channels(description))
    fans = ReportFigure(
        draw=lambda: figure_fans(description),
        caption="How to read it: where the band is wide the scenarios disagree; a line that leaves it is one scenario's "
        "own extreme.",
        alt=f"Fan charts over time of {channels}, with three extreme scenarios as lines.",
    )  # fmt: skip
    if description.span_days <= SHORT_DAYS:
        sections = [
            Section(title="Fans", text=f"All homes together over the whole span. {lines}", figures=[fans])
        ]
    else:
        stamp = peak_week(description)[1]
        unit, main = unit_of(description, description.main), description.main
        top = float(description.aggregate[main][description.probability > 0].max())
        text = (
            f"All homes together in the week of the highest {title_of(main)} of any scenario, {top:,.4g} {unit} on "
            f"{stamp:%A} {stamp.day} {stamp:%B %Y at %H:%M}. {lines}"
        )
        sections = [Section(title="Week of the highest peak", text=text, figures=[fans])]
        days = whole_days(description.clock)
        if (
            len(days)
            and np.bincount(seasons_of(days)).max() >= LEAST_SEASON_DAYS
            and description.clock.dt_h <= 6
        ):
            season = ReportFigure(
                draw=lambda: figure_season_days(description),
                caption="How to read it: the pale band is how far days differ, the strong one how far whole seasons "
                "of different scenarios do; a pale band around a thin line means that the seasons are alike on average.",
                alt=f"Bands of the days and mean days of each season of {channels}.",
            )  # fmt: skip
            sections.append(
                Section(
                    title="Mean day of each season",
                    text="All homes together: single days, and the mean day of each scenario. Seasons of less than "
                    f"{LEAST_SEASON_DAYS} days are not shown.",
                    figures=[season],
                )
            )
    if unit_of(description, description.main) == "kW" and len(description.clock.time) >= 24:
        duration = ReportFigure(
            draw=lambda: figure_duration(description),
            caption="How to read it: the left end is the peak, the right end the base load or the greatest export; the "
            "spread at the left is what sizes a transformer.",
            alt="Duration curves of the aggregate, one thin line a scenario, the 5-95 % band and the median.",
        )  # fmt: skip
        sections.append(
            Section(
                title="Load-duration curves",
                text="For how much of the span the power of all homes together is at or above a level.",
                figures=[duration],
            )
        )
    return sections


def _types(description: Description) -> DayTypes | None:
    days = whole_days(description.clock)
    if len(days) < TYPED_DAYS or unit_of(description, description.main) != "kW" or description.clock.dt_h > 4:
        return None
    net_kw = by_day(description.clock, description.aggregate[description.main])
    return day_types(net_kw, days, description.probability, description.clock.time_zone)


def _sunburst_section(description: Description, types: DayTypes) -> Section:
    homes, zone = len(description.homes), description.clock.time_zone
    has_holidays = (types.shares["kind"] == KINDS.index("holiday")).any()
    holidays = " The palest kind is public holidays and the days after Christmas." if has_holidays else ""
    return Section(
        title="Types of days",
        text="Days of the aggregate, sorted by the shape and level of their net load (k-means of hourly means). From "
        "the inside: season, kind of day, type. An angle is a share of all days of all scenarios, weighted by "
        f"probability.{holidays}",
        figures=[
            ReportFigure(
                draw=lambda: figure_sunburst(types, zone, homes),
                caption="How to read it: amber days take the least from the grid, dark blue ones the most. Right: the "
                "mean day of each type, the middle half of its days, its share of all days and its mean net energy a "
                "home and day.",
                alt=f"Sunburst of seasons, kinds of days and types of days: {', '.join(types.names)}.",
            )
        ],
    )  # fmt: skip


def _probability_section(description: Description) -> Section:
    is_single = len(description.scenarios) <= MOST_BARS
    left = (
        "each scenario's probability, from the least energy to the most"
        if is_single
        else "probability of classes of energy"
    )
    reading = (
        "a bar above the dashed line stands for more than its share of what may happen;"
        if is_single
        else "the bars together are all that may happen;"
    )
    return Section(
        title="Probabilities",
        text=f"Left: {left}. Right: how likely the highest value of the span reaches a level.",
        figures=[
            ReportFigure(
                draw=lambda: figure_probabilities(description),
                caption=f"How to read it: {reading} the right curve, read at 5 %, is the peak that one case in twenty "
                "reaches.",
                alt="Bars of probability coloured by energy; exceedance curve of the peak.",
            )
        ],
    )  # fmt: skip


def _map_section(description: Description) -> Section:
    kept = kept_names(description)
    blocks = {"hour": "hourly", "day": "daily", "week": "weekly"}[compared(description.span_days)]
    return Section(
        title="Distances",
        text=f"Scenarios placed so that near ones are alike, by classical multidimensional scaling of the Euclidean "
        f"distances of their {blocks} means, every channel on one scale.",
        figures=[
            ReportFigure(
                draw=lambda: figure_map(description, kept),
                caption="How to read it: size is probability; a lone mark is a scenario that no other stands for, and a "
                "cluster may be reduced to one. The less of the distances the plane keeps, the more ways there are in "
                "which near marks still differ.",
                alt="Map of the scenarios by their distances, sized by probability and coloured by energy.",
            )
        ],
    )  # fmt: skip


def kept_names(description: Description) -> set[str]:
    """Names of the scenarios that a reduction kept, where the set holds others too."""
    reduction = description.provenance.get("reduction")
    kept = reduction.get("kept") if isinstance(reduction, Mapping) else None
    names = description.names
    if not isinstance(kept, (list, tuple)) or len(kept) >= len(names):
        return set()
    found = {
        names[entry] if isinstance(entry, int) and 0 <= entry < len(names) else str(entry) for entry in kept
    }
    return found & set(names)


def _tree_section(tree: Mapping[str, Any]) -> Section:
    stages = len(tree.get("node_of", ()))
    known = tree.get("nested_distance")
    distance = (
        ""
        if known is None
        else f" Its nested distance from the scenarios is {known:.3g} (docs/reduction.md)."
    )
    return Section(
        title="Tree",
        text=f"What is known when: {len(tree.get('parent', ())):,} nodes in {stages} stages; scenarios that share a "
        f"node cannot be told apart until its end.{distance}",
        figures=[
            ReportFigure(
                draw=lambda: _tree_figure(tree),
                caption="How to read it: time runs to the right; the thicker a node, the likelier it is.",
                alt="Scenario tree, stage by stage, its nodes as thick as they are likely.",
            )
        ],
    )  # fmt: skip


@styled
def _tree_figure(tree: Mapping[str, Any]) -> Figure:
    figure = new_figure(11, 5.2)
    draw_tree(tree, figure.subplots())
    return figure


def table_html(table: pd.DataFrame, index: str) -> str:
    """A table as HTML; a long one scrolls, and of a very long one evenly spaced rows are shown."""
    shown, note = table, ""
    if len(table) > ROWS_SHOWN:
        shown = table.iloc[np.linspace(0, len(table) - 1, ROWS_SHOWN).astype(int)]
        note = f"<p class=note>{ROWS_SHOWN} of {len(table):,} rows, evenly spaced.</p>"
    head = "".join(f"<th>{escape(str(name).replace('_', ' '))}</th>" for name in table.columns)
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th>{''.join(f'<td>{escape(_cell(value))}</td>' for value in row)}</tr>"
        for name, row in zip(shown.index, shown.itertuples(index=False, name=None), strict=True)
    )
    return (
        '<div style="max-height:26rem;overflow:auto"><table><thead><tr>'
        f"<th>{index}</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>{note}"
    )


def _cell(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        return cell(float(value)) if np.isfinite(value) else "–"
    return str(value)
