"""One HTML file that shows a set of scenarios; it stands alone, nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hidiff.output import replace_when_done
from hidiff.report_page import page_html

from .describe import Description
from .describe_sections import sections_of, table_html


def check_page(out: Path | str, *, force: bool) -> None:
    """Raise unless a page may be written to ``out``.

    Raises:
        ValueError: a folder, or a file that is not to be replaced.
    """
    path = Path(out)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it, e.g. {path / 'report.html'}")
    if path.exists() and not force:
        raise ValueError(f"{path} exists; choose another name, or overwrite it with force=True (--force)")


def write_page(
    description: Description, out: Path | str, *, title: str = "Scenarios", force: bool = False,
    progress: bool = False,
) -> Path:  # fmt: skip
    """Write the page of a description and return its path.

    Raises:
        ValueError: ``out`` is a folder, or is there and is not to be replaced.
    """
    path = Path(out)
    check_page(path, force=force)
    sections = tqdm(sections_of(description), "draw", unit="section", disable=not progress)
    facts = [
        f"{key} {value}"
        for key, value in description.provenance.items()
        if isinstance(value, (str, int, float))
    ]
    origin = f" Provenance: {'; '.join(facts)}." if facts else ""
    foot = (
        "Power is the mean over a step; energies are of the span of the set; times are starts of steps on the homes' "
        "local clock. Quantiles are weighted by probability: the least value that is not exceeded with that "
        f"probability.{origin}"
    )
    summary = table_html(description.channels, "channel")
    page = page_html(title, _lead(description), summary, sections, foot)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_when_done(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _lead(description: Description) -> str:
    clock, probability = description.clock, description.probability
    first, last = (stamp.tz_convert(clock.time_zone) for stamp in clock.time[[0, -1]])
    weight = (
        "equally likely"
        if np.ptp(probability) < 1e-9
        else f"of unequal probability, as many as {1 / float((probability**2).sum()):,.1f} equally likely ones"
    )
    scenarios = "One scenario" if len(probability) == 1 else f"{len(probability):,} scenarios ({weight})"
    length = "1 day" if description.span_days == 1 else f"{description.span_days:,.4g} days"
    homes = "one home" if len(description.homes) == 1 else f"{len(description.homes):,} homes"
    return (
        f"{scenarios} of {homes} in steps of {60 * clock.dt_h:g} minutes, from {first.day} {first:%B %Y %H:%M} to "
        f"{last.day} {last:%B %Y %H:%M} on the clock of {clock.time_zone} ({length})."
        f"{_reduction_text(description)}"
    )


def _reduction_text(description: Description) -> str:
    reduction = description.provenance.get("reduction")
    if not isinstance(reduction, Mapping):
        return ""
    parts = [f"by {reduction['method']}"] if "method" in reduction else []
    if isinstance(reduction.get("scenarios"), int):
        parts.insert(0, f"from {reduction['scenarios']:,} scenarios")
    if isinstance(reduction.get("distance"), (int, float)):
        parts.append(f"at a Wasserstein distance of {reduction['distance']:.4g} from the full set")
    if isinstance(reduction.get("relative_distance"), (int, float)):
        parts.append(f"{100 * reduction['relative_distance']:.1f} % of that of the best single scenario")
    return f" The set was reduced{' ' if parts else ''}{', '.join(parts)}."
