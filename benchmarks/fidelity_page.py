"""The page docs/fidelity.md: what is asked of the generator, met or not, and every generator on every group."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rivals import ABLATIONS, GENERATORS, SAMPLERS

import hidiff
from hidiff.output import replace_when_done

KEYS = ["group", "metric", "channel"]
A_TO_F = ("marginals", "joint", "time", "peaks", "physics", "population")
GROUPS = (*A_TO_F, "diversity", "identity", "usefulness", "decisions")
NAMES = {
    "hidiff": "**hidiff**",
    "hidiff-short": "hidiff, trained as long as the rivals",
    "plain": "plain diffusion, one level",
    "plain-pasted": "plain diffusion, windows pasted",
    "tsdiff": "TSDiff, told the conditions",
    "timegan": "TimeGAN",
    "timevae": "TimeVAE",
    "reference": "two-stage reference, a quarter as wide, 10 steps",
    "reference-repaired": "two-stage reference, repaired",
    "markov": "Markov chain of day types",
    "bootstrap": "day-block bootstrap (real days)",
    "last-year": "last year repeated (real years)",
    "no-high-level": "days drawn one by one",
    "no-seams": "windows pasted",
    "no-region": "weather of its own for each home",
    "no-identity": "households differ in size alone",
    "steps-4": "DPM-Solver++ 2M, 4 steps",
    "steps-8": "DPM-Solver++ 2M, 8 steps",
    "heun-18": "Heun, 18 steps (35 passes)",
}


@dataclass(frozen=True)
class Tables:
    """Judged sets of one generator and mode."""

    by_seed: list[pd.DataFrame]

    def median(self) -> pd.DataFrame:
        """Every row with the median over seeds of its numbers, and of its excess, indexed by ``KEYS``."""
        stacked = pd.concat([table.assign(excess=excess(table)) for table in self.by_seed])
        return stacked.groupby(KEYS, sort=False).median(numeric_only=True)


def excess(table: pd.DataFrame) -> pd.Series[float]:
    """The score where naive is well above the ceiling, else ``generated / ceiling - 1``; 0 is as good as real."""
    ratio = table["ratio"] if "ratio" in table else pd.Series(np.nan, index=table.index)
    result = ratio - 1
    if "score" in table:
        kind = table["score_kind"].fillna("")
        result = result.where(kind != "ratio", table["score"] - 1).where(kind != "scaled", table["score"])
    return result


def read_tables(work: Path) -> dict[tuple[str, str], Tables]:
    """All tables under ``work``, by generator and mode."""
    found: dict[tuple[str, str], Tables] = {}
    for path in sorted((work / "tables").glob("*.csv")):
        name, mode, _ = path.stem.rsplit("-", 2)
        found.setdefault((name, mode), Tables([])).by_seed.append(pd.read_csv(path))
    return found


def write_page(work: Path, out: Path, weights: str, minutes: float) -> Path:
    """Write the page and the medians over seeds of hidiff as CSV beside it."""
    found = read_tables(work)
    if not found:
        raise ValueError(f"nothing is judged in {work}; run the stages train, sample and judge first")
    text = f"""# Fidelity

Made by `benchmarks/fidelity.py` ({machine()}); hidiff {hidiff.__version__}, weights {weights}. Rivals were trained
for {minutes:g} minutes each on one core of it, hidiff as its model card says; the row *trained as long as the
rivals* is hidiff from nothing in {minutes:g} minutes. What trains longer is better: compare rows of equal minutes.

- **new**: 28 new homes against the 28 validation homes, nothing of which was trained on, in the year from 2012-07-01.
  The ceiling is another year of 28 other real homes, drawn five times.
- **like**: 17 homes like training homes whose year from 2012-07-01 was kept aside, against that year. The ceiling
  is the year before.

A number is the median over the rows of a group of the *excess*: ``(m - ceiling) / (naive - ceiling)`` where the
mean profile plus noise (naive) is at least 30 % worse than the ceiling, else ``m / ceiling - 1``. 0 is as good as
real homes, below 0 is nearer than another sample of them. Seeds are in brackets; a number is their median. The
validation homes also chose when training stops, and they and the hidden years of the *like* homes were looked at
while the sampling around the networks was settled: both sets of scores lean to our side.

"""
    if ("hidiff", "new") in found:
        text += "## What is asked\n\n" + "\n".join(asked(found)) + "\n\n"
    for mode in ("new", "like"):
        names = [name for name in GENERATORS if (name, mode) in found]
        if not names:
            continue
        text += f"## {mode.capitalize()} homes\n\n{overview(found, names, mode, work)}\n\n"
    absent = [NAMES[name] for name in GENERATORS if (name, "new") not in found]
    if absent:
        text += f"Not judged in this run: {'; '.join(absent)}.\n\n"
    for (name, mode), tables in found.items():
        if name == "hidiff":
            csv = out.with_name(f"{out.stem}-{mode}.csv")
            with replace_when_done(csv) as temporary:
                tables.median().to_csv(temporary)
            text += f"All rows of hidiff, mode {mode}: [{csv.name}]({csv.name}).\n"
    with replace_when_done(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return out


def overview(found: dict[tuple[str, str], Tables], names: list[str], mode: str, work: Path) -> str:
    """Generators down, groups across."""
    present = pd.concat([found[name, mode].median() for name in names])
    groups = [group for group in GROUPS if group in present.index.get_level_values("group")]
    lines = [
        "| Generator (seeds) | " + " | ".join(groups) + " | A to F | worst | s a home-year |",
        "|---|" + "---:|" * (len(groups) + 3),
    ]
    for name in names:
        median = found[name, mode].median()["excess"].dropna()
        cells = [
            f"{median[group].median():.2f}" if group in median.index.get_level_values(0) else ""
            for group in groups
        ]
        main = median[median.index.get_level_values(0).isin(A_TO_F)]
        costs = [
            json.loads(path.read_text(encoding="utf-8"))["seconds_a_home_year"]
            for path in (work / "sets").glob(f"{name}-{mode}-?/cost.json")
        ]
        cost = f"{np.median(costs):.2f}" if costs else ""
        kind = "ablation: " if name in ABLATIONS else "sampler: " if name in SAMPLERS else ""
        seeds = len(found[name, mode].by_seed)
        lines.append(
            f"| {kind}{NAMES[name]} ({seeds}) | {' | '.join(cells)} | {main.median():.2f} | {main.max():.2f} | {cost} |"
        )
    return "\n".join(lines)


def asked(found: dict[tuple[str, str], Tables]) -> list[str]:
    """The bars that this generator was set, with what it reaches."""
    new = found["hidiff", "new"].median()
    main = new[new.index.get_level_values("group").isin(A_TO_F)]["excess"].dropna().sort_values()
    worst = "; ".join(
        f"{metric} {channel} {value:.2f}" for (_, metric, channel), value in main[::-1][:5].items()
    )
    over = int((main > 0.35).sum())

    def level(metric: str, channel: str, column: str = "generated_level") -> float:
        rows = new.xs((metric, channel), level=("metric", "channel"))
        return float(rows[column].iloc[0])

    def apart(metric: str, channel: str) -> float:
        return level(metric, channel) - level(metric, channel, "real_level")

    lines = [
        "| Asked | Limit | Measured |",
        "|---|---|---|",
        f"| new: median excess, groups A to F | 0.10 | {main.median():.2f} |",
        f"| new: no single row above | 0.35 | {over} of {len(main)} rows above; worst: {worst} |",
    ]
    for metric, limit in (
        ("classifier AUROC, single days (0.5 is best)", 0.60), ("classifier AUROC, weeks (0.5 is best)", 0.70)
    ):  # fmt: skip
        if metric in new.index.get_level_values("metric"):
            real = level(metric, "all", "ceiling_other_homes")
            lines.append(
                f"| new: {metric} | {limit:.2f} | {level(metric, 'all', 'generated'):.3f} (real {real:.3f}) |"
            )
    lines.append(
        f"| seams: p of the test | above 0.05 | {level('seam test: p-value', 'load', 'generated'):.2f} |"
    )
    midnight = "correlation across midnight, 2 h and 2 h"
    lines.append(f"| correlation across midnight, off real | 0.03 | {apart(midnight, 'load'):+.3f} |")
    factors = new[new.index.get_level_values("metric").str.startswith("coincidence factor")]
    for channel in ("load", "pv", "net"):
        own = factors.xs(channel, level="channel")
        share = own["generated_level"] / own["real_level"] - 1
        lines.append(
            f"| coincidence factor, {channel}, worst of N = 2 to 20 | 5 % | {100 * share[share.abs().idxmax()]:+.1f} % |"
        )
    for metric, channel in (
        ("pairwise correlation", "pv"), ("pairwise correlation of clearness within the day", "pv")
    ):  # fmt: skip
        lines.append(f"| {metric}, {channel}, off real | 0.03 | {apart(metric, channel):+.3f} |")
    for days in (1, 7, 28):
        cells = [
            f"{channel} {apart(f'daily-energy ACF at {days} d', channel):+.3f}" for channel in ("load", "pv")
        ]
        lines.append(f"| daily-energy ACF at {days} d, off real | 0.05 | {', '.join(cells)} |")
    return lines + asked_of_like(found) + asked_of_use(found) + asked_of_sampler(found)


def asked_of_like(found: dict[tuple[str, str], Tables]) -> list[str]:
    """Faithfulness to a household."""
    if ("hidiff", "like") not in found:
        return []
    like = found["hidiff", "like"].median()
    rows = like[like.index.get_level_values("group") == "identity"]
    return [
        f"| like: {metric}, {channel}, over the real year's | {limit_of(metric)} | {row['ratio']:.2f} |"
        for (_, metric, channel), row in rows.iterrows()
        if np.isfinite(row["ratio"]) and channel in ("load", "all")
    ]


def limit_of(metric: str) -> str:
    """The bar of a row of identity, where one is set."""
    if metric.startswith("weeks recognised, 1 "):
        return "0.80 or more"
    return "1.10" if "W1" in metric else ""


def asked_of_use(found: dict[tuple[str, str], Tables]) -> list[str]:
    """Forecasters and decisions."""
    lines = []
    for mode in ("new", "like"):
        if ("hidiff", mode) in found:
            table = found["hidiff", mode].median()
            rows = table[table.index.get_level_values("group").isin(["usefulness", "decisions"])]
            for (group, metric, channel), row in rows.iterrows():
                limit = "1.05" if group == "usefulness" else "1.02"
                if np.isfinite(row["ratio"]):
                    lines.append(f"| {mode}: {metric}, {channel}, over real | {limit} | {row['ratio']:.3f} |")
    return lines


def asked_of_sampler(found: dict[tuple[str, str], Tables]) -> list[str]:
    """The default against the yardstick."""
    if ("heun-18", "new") not in found:
        return []
    medians = []
    for name in ("hidiff", "heun-18"):
        rows = found[name, "new"].median()["excess"].dropna()
        medians.append(rows[rows.index.get_level_values(0).isin(A_TO_F)].median())
    return [f"| default sampler less Heun-18, median excess | 0.03 | {medians[0] - medians[1]:+.3f} |"]


def machine() -> str:
    """Processor, cores and torch of this run."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, platform.machine())}, {os.cpu_count()} cores, torch {torch.__version__}"
