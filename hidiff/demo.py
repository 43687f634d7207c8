"""``hidiff demo``: new homes, a report of them and the battery study of one, in a few minutes and offline."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hidiff.battery_study import BatteryStudy, study_battery
from hidiff.config import write_config
from hidiff.data.traces import Traces
from hidiff.figure_battery_study import figure_study, figure_two_days
from hidiff.generate import GenerateConfig, generate
from hidiff.report import report
from hidiff.report_page import ReportFigure, Section

START = "2030-01-01"
CONTENT = ("traces", "battery_study.csv", "battery_study.png", "report.html", "demo.json")
CURRENCY = "AUD"


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """What the demo makes."""

    out: Path = Path("hidiff-demo")
    """Folder to write, with traces, report and battery study. Must not exist, or be empty."""
    homes: int = 20
    """Number of new homes."""
    years: int = 1
    """Years of each home, from 2030-01-01; the battery study takes the first."""
    seed: int = 1
    """Same seed, same homes."""
    model: Path | None = None
    """Model directory, instead of the model that ships with hidiff."""
    force: bool = False
    """Replace an earlier demo in --out."""

    def __post_init__(self) -> None:
        for name in ("homes", "years"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name}={getattr(self, name)}; ask for at least 1")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed={self.seed}; it must lie in 0..2^63-1")


def demo(config: DemoConfig) -> Path:
    """Generate, study, draw and report; the folder appears when all of it is there.

    Raises:
        ValueError: ``out`` is in use, or no home has PV.
        CheckpointError: no model, or one that is not whole.
    """
    check_out(config.out, force=config.force)
    has_bars = sys.stderr.isatty()
    begin = time.monotonic()
    with _folder_when_done(config.out.resolve()) as folder:
        with _stage(f"generated {config.homes * config.years} home-years"):
            generate(
                GenerateConfig(
                    homes=config.homes, years=config.years, start=START, seed=config.seed, model=config.model,
                    out=folder / "traces",
                )
            )  # fmt: skip
        traces = Traces.from_parquet(folder / "traces")
        with _stage("studied the battery of one home"):
            study = study_battery(traces, progress=has_bars)
            study.table.to_csv(folder / "battery_study.csv", index_label="case")
            figure_study(study, CURRENCY).savefig(folder / "battery_study.png", dpi=150)
        with _stage("drew the report"):
            _report(traces, study, folder / "report.html", progress=has_bars)
        write_config(config, folder / "demo.json")
    seconds = time.monotonic() - begin
    print(f"\n{study_text(study)}\n\nall in {seconds:.0f} s; open report.html and battery_study.png in")
    return config.out


def check_out(out: Path, *, force: bool) -> None:
    """Raise unless ``out`` is free, or holds an earlier demo that may be replaced.

    Raises:
        ValueError: a file, or a folder that is not empty; with ``force``, one that holds anything else.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; name a folder")
    found = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if found and not force:
        raise ValueError(f"--out {out} is not empty; choose another folder or give --force")
    strange = [name for name in found if name not in CONTENT]
    if strange:
        raise ValueError(f"--out {out} holds {strange[0]!r}, which no demo wrote; choose another folder")


def study_text(study: BatteryStudy) -> str:
    """The study as a table for the terminal."""
    battery, tariff = study.config.battery, study.config.tariff
    prices = sorted({tariff.import_price_per_kwh, *(period.price_per_kwh for period in tariff.periods)})
    width = max(map(len, study.table.index))
    lines = [
        f"Battery study of home {study.home}: {battery.capacity_kwh:g} kWh, {battery.charge_max_kw:g} kW; "
        f"import at {' / '.join(f'{price:.2f}' for price in prices)}, "
        f"export at {tariff.export_price_per_kwh:.2f} {CURRENCY}/kWh",
        f"{'':{width}}  {f'bill [{CURRENCY}/a]':>12}  {'saving':>8}  {'import [kWh]':>12}  "
        f"{'export [kWh]':>12}  {'self-sufficiency':>16}",
    ]
    for case, row in study.table.iterrows():
        lines.append(
            f"{case:{width}}  {row['yearly_bill']:12,.2f}  {row['saving']:8,.2f}  "
            f"{row['import_kwh']:12,.0f}  {row['export_kwh']:12,.0f}  {row['self_sufficiency']:16.0%}"
        )
    return "\n".join(lines)


def _report(traces: Traces, study: BatteryStudy, out: Path, *, progress: bool) -> None:
    days = Section(
        title="Two days of the battery",
        text="Two weekdays in a row whose load and PV are nearest the year's median. The rule stores every "
        "surplus and gives it back as soon as the load asks; the optimum also buys while it is cheap.",
        figures=[
            ReportFigure(
                draw=lambda: figure_two_days(study, CURRENCY),
                caption=f"Home {study.home} with the rule (left) and the optimum (right).",
                alt="Load, PV, battery power, state of charge and price over two days, rule beside optimum.",
            )
        ],
    )
    report(
        traces, out, title="hidiff demo", origin="Generated by hidiff; traces/manifest.json says how.",
        battery_study=study.table, currency=CURRENCY, extra_sections=[days], progress=progress,
    )  # fmt: skip


@contextmanager
def _stage(what: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    print(f"{what} in {time.monotonic() - begin:.1f} s", flush=True)


@contextmanager
def _folder_when_done(out: Path) -> Iterator[Path]:
    """A folder to write to, put in the place of ``out`` on success, removed on failure."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as beside:
        folder, old = Path(beside) / "new", Path(beside) / "old"
        folder.mkdir()
        yield folder
        if out.exists():
            out.rename(old)
        try:
            folder.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
