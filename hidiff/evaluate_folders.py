"""``hidiff evaluate``: a folder of generated homes against a folder of real ones, as a report with pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hidiff.data.ausgrid import read_traces
from hidiff.data.traces import Traces

from .evaluate import EvaluateConfig, draw_homes, evaluate, matching_year, whole_years
from .evaluate_report import picture_paths, report_paths, write_report
from .evaluation_figures.write import write_figures


def evaluate_dirs(
    directory: Path, real: Path, out: Path, config: EvaluateConfig | None = None, *, force: bool = False
) -> Path:
    """Read both sides, compare them, write the report; the path of the Markdown file.

    Args:
        directory: folder of generated homes.
        real: folder of the homes to compare with.
        out: report, a ``.md`` path; the table as CSV takes the same name, and so do a page as HTML and a
            folder of pictures, ``NAME-figures``, where ``config.figures`` asks for them.
        config: which years, which homes, how thoroughly.
        force: replace a report that is there.
    Raises:
        ValueError: the report exists, or there are fewer than four real homes with a whole year.
    """
    config = EvaluateConfig() if config is None else config
    report_paths(out, force=force)  # before the work, not after it
    folder = picture_paths(out, force=force)[1] if config.figures else None
    real_year, reference = real_years(read_traces(real), config)
    generated = read_traces(directory)
    table = evaluate(generated, real_year, reference, config)
    if folder is None:
        return write_report(table, out, force=force)
    real_year = draw_homes(real_year, config, "real")
    pictures = write_figures(
        draw_homes(matching_year(generated, real_year, config), config, "generated"),
        real_year,
        None if reference is None else reference.select(real_year.names),
        folder,
        is_southern=config.latitude_deg < 0,
        seam_every_days=config.seam_every_days,
        seam_days=config.seam_days,
        origin=generated.time[0],
    )
    return write_report(table, out, pictures=pictures, force=force)


def real_years(traces: Traces, config: EvaluateConfig) -> tuple[Traces, Traces | None]:
    """The year to compare with and, if there is one, the year before, of the homes complete in both."""
    if config.homes:
        traces = traces.select(config.homes)
    elif config.only_clean and "is_clean" in traces.homes:
        traces = traces.select(
            [n for n, clean in zip(traces.names, traces.homes["is_clean"], strict=True) if clean]
        )
    years = {
        str(year.time[0].tz_convert(year.time_zone).date()): year
        for year in whole_years(traces, config.year_starts_in_month)
    }
    if not years:
        raise ValueError(f"the real traces cover no whole year from month {config.year_starts_in_month}")
    chosen = max(years) if config.real_year is None else config.real_year
    if chosen not in years:
        raise ValueError(f"real_year={chosen} is not among the whole years: {', '.join(sorted(years))}")
    before, after = (
        [start for start in sorted(years) if start < chosen],
        [start for start in sorted(years) if start > chosen],
    )
    others = before[-1:] or after[:1]
    complete = [_complete(years[start]) for start in (chosen, *others)]
    names = [name for name in traces.names if all(name in found for found in complete)]
    if len(names) < 4:
        raise ValueError(f"{len(names)} real homes are without gaps from {chosen}; at least 4 are needed")
    return years[chosen].select(names), years[others[0]].select(names) if others else None


def _complete(traces: Traces) -> set[str]:
    """Names of the homes without a gap."""
    gaps = np.isnan(traces.load_kw).sum(axis=1) + np.isnan(traces.pv_kw).sum(axis=1)
    return {name for name, count in zip(traces.names, gaps.tolist(), strict=True) if count == 0}
