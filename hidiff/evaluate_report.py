"""The table of fidelity as Markdown for people and as CSV for programs, with pictures if there are any.

With pictures, an HTML page of the same name holds everything in one file.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hidiff.output import replace_when_done

from .report_page import Section, page_html

INTRODUCTION = """# Fidelity

Generated homes against real ones, as populations. Distances: smaller is better, 0 is equal. The interval is
95 % over generated homes (drawing homes twice makes it lean high where the distance is near the ceiling).

- *Other year*: another real year of the same homes. *Other homes*: another year of other real homes.
- *Bootstrap*: days drawn within home, month and day type. *Shuffled*: days in random order. *Naive*: mean
  profile plus noise.
- *Score*: 0 is as good as real and 1 as bad as naive; with "×", times the ceiling, because naive is too near.
- *Level*: what each side measures by itself. Rows with a limit, and the seam test, show it for every side.
"""

HEADINGS = (
    "Metric",
    "Channel",
    "Unit",
    "Generated",
    "95 %",
    "Other year",
    "Other homes",
    "Bootstrap",
    "Shuffled",
    "Naive",
    "Score",
    "Level generated",
    "Level real",
)
CONTROLS = ("ceiling_other_year", "ceiling_other_homes", "floor_bootstrap", "floor_shuffled", "naive")


PICTURES = {
    "hours": (
        "Hours of the day",
        "10, 50 and 90 % quantiles of the power at a time of day, over homes and days of a season. Load on a "
        "log scale, PV over each home's capacity.",
    ),
    "months": ("Months of the year", "Mean energy a day of each calendar month, mean over homes."),
    "homes": (
        "Spread over homes",
        "Share of homes at or below a value. Peaks and load factors are of single steps, so they show whether "
        "the extremes of a home are there.",
    ),
    "autocorrelation": (
        "Autocorrelation",
        "Mean over homes of each home's autocorrelation: steps up to two weeks, energies of days up to 60 days. "
        "Habits show as peaks at whole days and weeks, seasons and absences as the slow decay.",
    ),
    "days": (
        "Spectra, and one day after another",
        "Power spectral densities, geometric mean over homes, in narrow bands. Below, each day's load against "
        "the next day's, over the home's mean (colours on a square-root scale), and quantiles of the next day "
        "in classes of a day.",
    ),
    "seams": (
        "Seams",
        "Correlation of the hours before with those after midnight, over homes and dates, by day of the pattern "
        "in which windows are put together. A joint that could be seen would lie below the other days. Intervals "
        "are over draws of dates; the band is what as many real midnights give.",
    ),
    "duration": (
        "Duration curves",
        "Power that is reached or passed for a share of the year, on scales that stretch the ends. The last "
        "panel is of random sets of homes of equal size on all sides; its band holds 95 % of the sets.",
    ),
    "coincidence": (
        "Coincidence",
        "Peak of random sets of homes, over the sum of their own peaks and per home. The band narrows where a "
        "set comes to hold all real homes.",
    ),
    "carpets": (
        "A year to look at",
        "Each column is a day, midnight at the bottom. The real homes stand at 30 and 70 % of the annual loads; "
        "beside each is the generated home nearest in annual load and PV capacity, not chosen by looks.",
    ),
    "weeks": (
        "Weeks to look at",
        "The real home of middle load and the generated home nearest to it, in the week from the second Monday "
        "of four months.",
    ),
    "identity": (
        "Recognising homes",
        "Share of homes told from all others by some of their weeks, against the number of weeks pooled.",
    ),
}
"""Title and explanation of each picture, by the name of its file."""

KEY = (
    "Black is the real year, dashed grey another real year, orange what was generated. The grey band holds 95 % "
    "of what as many homes drawn with repetition from either real year give: a curve inside it could be that of "
    "other real homes."
)


TABLE_TEXT = (
    "Smaller is better. Score: 0 is as good as real and 1 as bad as naive; with ×, times the ceiling. The Markdown "
    "report says what the columns are."
)


def report_paths(out_path: Path | str, *, force: bool = False) -> tuple[Path, Path]:
    """Markdown and CSV path of a report.

    Raises:
        ValueError: a suffix other than ``.md``, or a file is there and ``force`` is not given.
    """
    out_path = Path(out_path)
    if out_path.suffix not in ("", ".md"):
        raise ValueError(f"{out_path} does not end in .md; the CSV takes the same name by itself")
    paths = out_path.with_suffix(".md"), out_path.with_suffix(".csv")
    for path in paths:
        if path.exists() and not force:
            raise ValueError(f"{path} exists; give another path or --force")
    return paths


def picture_paths(out_path: Path | str, *, force: bool = False) -> tuple[Path, Path]:
    """HTML page and folder of pictures of a report.

    Raises:
        ValueError: one of them is there and ``force`` is not given.
    """
    page = Path(out_path).with_suffix(".html")
    folder = page.with_name(f"{page.stem}-figures")
    for path in (page, folder):
        if path.exists() and not force:
            raise ValueError(f"{path} exists; give another path or --force")
    return page, folder


def write_report(
    table: pd.DataFrame, out_path: Path | str, *, pictures: Sequence[Path] = (), force: bool = False
) -> Path:
    """Write ``out_path`` (Markdown) and the same name with ``.csv``; each appears whole or not at all.

    With pictures, the Markdown links them and the same name with ``.html`` holds table and pictures.

    Args:
        table: as ``evaluate`` makes it.
        out_path: a ``.md`` path (added where there is no suffix); its folder is made if need be.
        pictures: PNG files named as in ``PICTURES``, below the folder of ``out_path``.
        force: overwrite.
    Raises:
        ValueError: another suffix, or a file is there.
    """
    out_path, csv_path = report_paths(out_path, force=force)
    out_path.parent.mkdir(parents=True, exist_ok=True)
    texts = {csv_path: table.to_csv(index=False), out_path: to_markdown(table)}
    if pictures:
        page = out_path.with_suffix(".html")
        texts[out_path] += _pictures_markdown(pictures, out_path.parent, page.name)
        texts[page] = to_html(table, pictures)
    for path, text in texts.items():
        with replace_when_done(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return out_path


def to_markdown(table: pd.DataFrame) -> str:
    """The table as Markdown, one section a group."""
    lines = [INTRODUCTION]
    for group, rows in table.groupby("group", sort=False):
        lines += [f"## {str(group).capitalize()}", "", "| " + " | ".join(HEADINGS) + " |"]
        lines.append("|---|---|---|" + "---:|" * (len(HEADINGS) - 3))
        lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows.to_dict("records")]
        lines.append("")
    return "\n".join(lines)


def _cells(row: dict[Any, Any]) -> list[str]:
    """One row under ``HEADINGS``."""
    interval = f"{_number(row['low_95'])} … {_number(row['high_95'])}" if np.isfinite(row["low_95"]) else ""
    times = " ×" if row["score_kind"] == "ratio" else ""
    score = f"{row['score']:.2f}{times}" if np.isfinite(row["score"]) else row["note"]
    cells = [row["metric"], row["channel"], row["unit"], _number(row["generated"]), interval]
    cells += [_number(row[name]) for name in CONTROLS]
    cells += [score, _number(row["generated_level"]), _number(row["real_level"])]
    return [str(cell) for cell in cells]


def _pictures_markdown(pictures: Sequence[Path], folder: Path, page: str) -> str:
    lines = ["", "## Pictures", "", f"{KEY} Table and pictures in one file: [{page}]({page}).", ""]
    for path in pictures:
        title, text = PICTURES[path.stem]
        place = path.resolve().relative_to(folder.resolve()).as_posix()
        lines += [f"### {title}", "", text, "", f"![{title}]({place.replace(' ', '%20')})", ""]
    return "\n".join(lines)


def to_html(table: pd.DataFrame, pictures: Sequence[Path]) -> str:
    """Pictures and table as one HTML page that stands alone."""
    sections = []
    for path in pictures:
        title, text = PICTURES[path.stem]
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        image = f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{data}"></figure>'
        sections.append(Section(title=title, text=text, table=image))
    for group, rows in table.groupby("group", sort=False):
        cells = [_cells(row) for row in rows.to_dict("records")]
        sections.append(
            Section(title=f"Table: {group}", text=TABLE_TEXT, table=_html_table(list(HEADINGS), cells))
        )
    lead = f"Generated homes against real ones, as populations. {KEY}"
    return page_html("Fidelity", lead, _scores_html(table), sections, "Power is the mean over a step.")


def _scores_html(table: pd.DataFrame) -> str:
    """Median score of each group, by the kind of score."""
    rows = []
    for group, part in table.groupby("group", sort=False):
        row = [str(group)]
        for kind, times in (("scaled", ""), ("ratio", " ×")):
            scores = part.loc[part["score_kind"] == kind, "score"].dropna()
            row.append(f"{scores.median():.2f}{times} ({len(scores)})" if len(scores) else "")
        rows.append(row)
    return _html_table(["Median score (rows)", "0 as real, 1 as naive", "times the ceiling"], rows)


def _html_table(headings: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in headings)
    body = "".join(
        f"<tr><th>{escape(row[0])}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return (
        '<div style="overflow-x:auto;font-size:.85rem"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _number(value: float) -> str:
    """Three significant digits; nothing for NaN."""
    if not np.isfinite(value):
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
