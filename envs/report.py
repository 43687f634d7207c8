"""One HTML file that shows what controllers did in the same episode; nothing is loaded from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from pathlib import Path

import pandas as pd

from hidiff.home import Home
from hidiff.output import replace_when_done
from hidiff.report_page import ReportFigure, Section, page_html

from . import report_figures as figures
from .episode import Episode, Floats
from .kpis import KPIS, compare
from .report_community_figures import all_homes, figure_payments, figure_trade, has_trade

_SUFFIXES = {"kWh": "_kwh", "kW": "_kw", "kW/h": "_kw_per_h", "h": "_h", "K": "_k", "K h": "_kh", "kg": "_kg"}
LEAST_DAYS = 2
"""Shorter episodes get no picture of the day's pattern or of the bill by time [days]."""


def write_report(
    episodes: Mapping[str, Episode],
    path: Path | str,
    title: str = "Episode report",
    *,
    home: Home | None = None,
    co2_kg_per_kwh: Floats | None = None,
    force: bool = False,
) -> Path:
    """Write the report of one episode under several controllers and return its path.

    Args:
        episodes: by the controller's name; savings are against the first, regret against one called ``optimum``.
        home: what stands in the house, of one home: for shares of the battery's capacity, and to leave out devices
            that it lacks.
        co2_kg_per_kwh: emissions of imported energy, ``(step,)``.
        force: overwrite ``path``.

    Raises:
        ValueError: ``path`` exists or is a folder, no episode, episodes of other times or homes, or without
            ``import_kw`` and ``export_kw``.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it, e.g. {path / 'report.html'}")
    if path.exists() and not force:
        raise ValueError(f"{path} exists; choose another name, or overwrite it with force=True")
    table = compare(episodes, home, co2_kg_per_kwh=co2_kg_per_kwh)
    for name, episode in episodes.items():
        lacking = [needed for needed in ("import_kw", "export_kw") if needed not in episode]
        if lacking:
            raise ValueError(f"episode {name!r} has no {lacking[0]}; a report needs import_kw and export_kw")
    foot = (
        "Power is the mean over a step; times are starts of steps on the homes' local clock; states are those at the "
        "ends of steps. Every indicator is defined in docs/kpis.md of hidiff; one whose inputs the episode lacks is "
        "left out; one that is not defined, such as a share of nothing, is shown as –."
    )
    if home is not None and not next(iter(episodes.values())).is_community:
        episodes = {name: episode.with_devices_of(home) for name, episode in episodes.items()}
    sections = _sections(episodes, home)
    page = page_html(title, _lead(episodes), _table_html(table), sections, foot)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_when_done(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _lead(episodes: Mapping[str, Episode]) -> str:
    first = next(iter(episodes.values()))
    begin, last = first.local_time[[0, -1]]
    homes = f"{len(first.homes):,} homes" if first.is_community else f"Home {first.homes[0]}"
    count = "one controller" if len(episodes) == 1 else f"{len(episodes)} controllers on the same episode"
    return (
        f"{homes} under {count} ({', '.join(episodes)}), {_days(first):,.4g} days in steps of "
        f"{60 * first.dt_h:g} minutes, from {begin.day} {begin:%B %Y %H:%M} to {last.day} {last:%B %Y %H:%M} on the "
        f"clock of {first.time_zone}."
    )


def _days(episode: Episode) -> float:
    return episode.steps * episode.dt_h / 24


def _table_html(table: pd.DataFrame) -> str:
    """Indicators in rows under their groups; the best of a row is bold where one way is better."""
    heads = "".join(f"<th>{escape(str(name))}</th>" for name in table.columns)
    rows: list[str] = []
    definitions: list[str] = []
    group = ""
    for name, values in table.iterrows():
        one = KPIS[str(name)]
        if one.group != group:
            group = one.group
            rows.append(
                f'<tr><th colspan="{len(table.columns) + 2}"><strong>{escape(group)}</strong></th></tr>'
            )
        known = [value for value in values if not math.isnan(value)]
        best = {"low": min, "high": max}.get(one.better) if known and max(known) - min(known) > 1e-9 else None
        shown = "".join(
            f"<td><strong>{_text(value)}</strong></td>"
            if best and abs(value - best(known)) <= 1e-9
            else f"<td>{_text(value)}</td>"
            for value in values
        )
        unit = "" if one.unit == "1" else one.unit
        label = escape(_label(str(name), one.unit))
        definition = escape(one.definition.replace("``", ""))
        rows.append(f'<tr><th title="{definition}">{label}</th>{shown}<td>{escape(unit)}</td></tr>')
        definitions.append(f"<li><strong>{label}</strong>: {definition}</li>")
    return (
        '<div style="overflow-x: auto"><table><thead><tr><th></th>'
        f"{heads}<th>unit</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        '<p class="note">Bold: the best of a row, where one way is better.</p>'
        f'<details class="note"><summary>Definitions</summary><ul>{"".join(definitions)}</ul></details>'
    )


def _label(name: str, unit: str) -> str:
    """An indicator's name in words; its unit has a column of its own."""
    words = name.removesuffix(_SUFFIXES.get(unit, "")).split("_")
    return " ".join({"pv": "PV", "soc": "charge", "co2": "CO₂"}.get(word, word) for word in words)


def _text(value: float) -> str:
    if math.isnan(value):
        return "–"
    size = abs(value)
    if size < 5e-7:
        return "0"
    if size >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    decimals = max(0, 3 - math.floor(math.log10(size)))
    return f"{value:.{min(decimals, 7)}f}".replace("-", "−")


def _sections(episodes: Mapping[str, Episode], home: Home | None) -> list[Section]:
    """What there is to show, each with its pictures or with the reason why there are none."""
    first = next(iter(episodes.values()))
    days, is_community = _days(first), first.is_community
    sections: list[Section] = []

    def add(title: str, text: str, reason: str, *pictures: ReportFigure) -> None:
        sections.append(Section(title=title, text=reason or text, figures=() if reason else pictures))

    no_cost = "" if all("cost" in one for one in episodes.values()) else "Left out: an episode has no cost."
    short = f"Left out: the episode spans {days:.3g} days." if days < LEAST_DAYS else ""
    if is_community:
        sections += _community_sections(episodes, no_cost)
        episodes, home = {name: all_homes(episode) for name, episode in episodes.items()}, None
    week = figures.week_of(first)
    add(
        "A week",
        "Above zero where the power comes from, below zero where it goes; both sides balance in every step. The "
        "week is a whole one, Monday to Sunday, in the middle of the episode, if there is one."
        + (" All homes together, at their common connection." if is_community else ""),
        ""
        if all("pv_used_kw" in one for one in episodes.values())
        else "Left out: an episode has no pv_used_kw.",
        ReportFigure(
            draw=lambda: figures.figure_week(episodes, home, week),
            caption="Load is what no device accounts for, the standby of the battery included.",
            alt="Stacked flows of each controller through a week, with charge and prices under them.",
        ),
    )
    if any("battery_kwh" in one for one in episodes.values()):
        add(
            "Charge by time of day",
            "Median of the days, with their middle half and 5–95 %.",
            short,
            ReportFigure(
                draw=lambda: figures.figure_charge(episodes, home),
                caption="Where the bands are narrow, one day is like another.",
                alt="Charge of the battery over the day, a panel a controller.",
            ),
        )
    add(
        "Cost over time",
        "The bill adds up step by step; where a demand charge or a block is met, it jumps."
        + (" All homes together." if is_community else ""),
        no_cost or short,
        ReportFigure(
            draw=lambda: figures.figure_cost(episodes),
            caption="Savings are of the bill: wear, comfort and what is left in the battery are in the table.",
            alt="Cumulative bill of each controller and the savings against the first.",
        ),
        ReportFigure(
            draw=lambda: figures.figure_bills(episodes),
            caption="A month with days in brackets is cut off by the episode's ends.",
            alt="Bars of the bill by month or day, one a controller.",
        ),
    )
    add(
        "Duration of the exchange",
        "How long import stays at or above a value, and export below zero"
        + (", all homes together." if is_community else "."),
        "",
        ReportFigure(
            draw=lambda: figures.figure_duration(episodes),
            caption="The right panel shows the hours that size a connection.",
            alt="Duration curves of net exchange, a line a controller, and their highest hours.",
        ),
    )
    return sections


def _community_sections(episodes: Mapping[str, Episode], no_cost: str) -> list[Section]:
    trade = ReportFigure(
        draw=lambda: figure_trade(episodes),
        caption="Mean over the days of the episode; violet buys, orange sells. White: neither, or as much of each.",
        alt="Heat map of power traded with neighbours by home and hour.",
    )
    payments = ReportFigure(
        draw=lambda: figure_payments(episodes),
        caption="Homes from the lowest bill at the bottom to the highest at the top, in the order of the first panel.",
        alt="Bill of each home under each controller beside its bill with the grid alone.",
    )
    is_traded = any(has_trade(one) for one in episodes.values())
    return [
        Section(
            title="Trade with neighbours",
            text="Power that each home buys from its neighbours and sells to them, by hour of the local day."
            if is_traded
            else "Left out: no episode has bought_kw and sold_kw.",
            figures=(trade,) if is_traded else (),
        ),
        Section(
            title="What each home pays",
            text=no_cost
            or "A point left of its ring (the grid alone, same control): the home gains by taking part.",
            figures=() if no_cost else (payments,),
        ),
    ]
