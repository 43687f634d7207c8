"""The table of fidelity as Markdown for people and as CSV for programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from hidiff.output import replace_when_done

INTRODUCTION = """# Fidelity

Generated homes against real ones, as populations. Distances: smaller is better, 0 is equal. The interval is
95 % over generated homes (drawing homes twice makes it lean high where the distance is near the ceiling).

- *Other year*: another real year of the same homes. *Halves*: half of the real homes against the other half.
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
    "Halves",
    "Bootstrap",
    "Shuffled",
    "Naive",
    "Score",
    "Level generated",
    "Level real",
)
CONTROLS = ("ceiling_other_year", "ceiling_halves", "floor_bootstrap", "floor_shuffled", "naive")


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


def write_report(table: pd.DataFrame, out_path: Path | str, *, force: bool = False) -> Path:
    """Write ``out_path`` (Markdown) and the same name with ``.csv``; each appears whole or not at all.

    Args:
        table: as ``evaluate`` makes it.
        out_path: a ``.md`` path (added where there is no suffix); its folder is made if need be.
        force: overwrite.
    Raises:
        ValueError: another suffix, or a file is there.
    """
    out_path, csv_path = report_paths(out_path, force=force)
    out_path.parent.mkdir(parents=True, exist_ok=True)
    for path, text in ((csv_path, table.to_csv(index=False)), (out_path, to_markdown(table))):
        with replace_when_done(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return out_path


def to_markdown(table: pd.DataFrame) -> str:
    """The table as Markdown, one section a group."""
    lines = [INTRODUCTION]
    for group, rows in table.groupby("group", sort=False):
        lines += [f"## {str(group).capitalize()}", "", "| " + " | ".join(HEADINGS) + " |"]
        lines.append("|---|---|---|" + "---:|" * (len(HEADINGS) - 3))
        for row in rows.to_dict("records"):
            interval = (
                f"{_number(row['low_95'])} … {_number(row['high_95'])}" if np.isfinite(row["low_95"]) else ""
            )
            times = " ×" if row["score_kind"] == "ratio" else ""
            score = f"{row['score']:.2f}{times}" if np.isfinite(row["score"]) else row["note"]
            cells = [row["metric"], row["channel"], row["unit"], _number(row["generated"]), interval]
            cells += [_number(row[name]) for name in CONTROLS]
            cells += [score, _number(row["generated_level"]), _number(row["real_level"])]
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _number(value: float) -> str:
    """Three significant digits; nothing for NaN."""
    if not np.isfinite(value):
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
