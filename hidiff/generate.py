"""``hidiff generate``: home-years to a folder that is there whole or not at all."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import pandas as pd

import hidiff
from hidiff import checkpoint
from hidiff.data.meter_csv import read_readings
from hidiff.data.parquet import SET_CONTENT, write_homes, write_shard
from hidiff.data.traces import Traces, concat_homes
from hidiff.data.weather import read_weather
from hidiff.diffusion.hierarchy import SHIPPED, HiDiff
from hidiff.diffusion.sampling import make_span
from hidiff.output import check_out, folder_when_done

log = logging.getLogger(__name__)
HOME_YEARS_PER_SHARD = 256
BYTES_PER_HOME_YEAR = 300_000
"""Of Parquet, measured on the shipped model's homes, rounded up."""


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """What to generate."""

    homes: int
    """Number of homes."""
    out: Path
    """Folder to write: traces-*.parquet, homes.csv and manifest.json. Must not exist, or be empty."""
    years: int = 1
    """Years of each home."""
    start: str = "2030-01-01"
    """First local day; a year is the twelve months from it."""
    seed: int = 0
    """Same seed, same traces."""
    mode: Literal["new", "like", "from-readings"] = "new"
    """new homes, homes like those of the training data, or the home of a meter file."""
    household: tuple[str, ...] = ()
    """Training homes to be like (mode like); all in a random order if none is named."""
    readings: Path | None = None
    """Meter file of at least two weeks (mode from-readings): CSV, Parquet or a set folder."""
    annual_kwh: float | None = None
    """Mean yearly load of every home [kWh]."""
    pv_kwp: float | None = None
    """PV capacity of every home [kWp]; 0 for none."""
    weather: Path | None = None
    """File of daily or half-hourly temperature and clearness or irradiance that covers the span."""
    time_zone: str = "Australia/Sydney"
    """Clock that the homes live by (IANA name); their climate stays that of Sydney."""
    steps: int | None = None
    """Steps of an undistilled sampler (dpm++2m unless --solver says heun); the student takes its own four."""
    solver: Literal["student", "dpm++2m", "heun"] | None = None
    """Sampler, instead of the model's default: student, dpm++2m or heun (slow, the yardstick)."""
    device: str = "cpu"
    """cpu or cuda."""
    batch_size: int = 8
    """Homes held in memory at a time; it does not change the traces."""
    model: Path | None = None
    """Model directory, instead of the model that ships with hidiff."""
    dry_run: bool = False
    """Check everything, print the plan, write nothing."""
    force: bool = False
    """Replace what is in --out."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed={self.seed}; it must lie in 0..2^63-1")
        if (self.mode == "from-readings") != (self.readings is not None):
            raise ValueError("--mode from-readings and --readings FILE go together; give both or neither")


def generate(config: GenerateConfig) -> Path:
    """Generate and write; the folder appears when the last shard and the manifest are in it.

    Raises:
        ValueError: whatever of the config cannot be met.
        OSError: the disk is full or cannot be written to.
    """
    check_out(config.out, SET_CONTENT, force=config.force)
    model = HiDiff.load(config.model)
    readings = None if config.readings is None else read_readings(config.readings)
    weather = None if config.weather is None else read_weather(config.weather)
    choices: dict[str, Any] = {
        "mode": config.mode, "household": config.household, "readings": readings,
        "annual_kwh": config.annual_kwh, "pv_kwp": config.pv_kwp,
    }  # fmt: skip
    span = make_span(config.start, config.years, config.time_zone, model.low.config, model.high.config)
    batches = model.sample_batches(
        config.homes, config.years, config.start, config.seed, weather=weather, time_zone=config.time_zone,
        steps=config.steps, solver=config.solver, batch_size=config.batch_size, device=config.device,
        progress=sys.stderr.isatty() and not config.dry_run, **choices,
    )  # fmt: skip
    size = config.homes * config.years * BYTES_PER_HOME_YEAR
    if config.dry_run:
        first = model.households(max(len(config.household), 1), config.seed, **choices)[0].name
        print(
            f"{config.homes} homes ({first} …) x {config.years} years = "
            f"{config.homes * span.years} home-years,\n"
            f"{span.time[0].isoformat()} to {span.time[-1].isoformat()} ({len(span.time)} half-hours each),\n"
            f"about {size / 1e6:,.1f} MB in {config.out}; model {str(model.model_hash)[:12]}"
        )
        return config.out
    parent = config.out.resolve().parent
    parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(parent).free
    if free < 1.1 * size:
        raise OSError(f"about {size / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB are free in {parent}")
    with folder_when_done(config.out) as partial:
        shards: list[dict[str, Any]] = []
        homes: list[pd.DataFrame] = []
        waiting: list[Traces] = []
        for batch in batches:
            waiting.append(batch)
            homes.append(batch.homes)
            if sum(map(len, waiting)) * config.years >= HOME_YEARS_PER_SHARD:
                shards.append(_write(partial, len(shards), waiting))
                waiting = []
        if waiting:
            shards.append(_write(partial, len(shards), waiting))
        write_homes(partial / "homes.csv", pd.concat(homes))
        manifest = {
            "hidiff_version": hidiff.__version__, "model_sha256": model.model_hash,
            "config": _resolved(config, model),
            "homes": config.homes, "home_years": config.homes * config.years,
            "first_step": span.time[0].isoformat(), "steps_per_home": len(span.time), "shards": shards,
        }  # fmt: skip
        (partial / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return config.out


def _write(folder: Path, number: int, parts: list[Traces]) -> dict[str, Any]:
    name = f"traces-{number:05d}.parquet"
    rows = write_shard(folder / name, concat_homes(parts))
    return {"file": name, "rows": rows, "sha256": checkpoint.file_hash(folder / name)}


def _resolved(config: GenerateConfig, model: HiDiff) -> dict[str, Any]:
    """The config as it was used; where the set was written to, and how, does not belong to it."""
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    for name in ("out", "dry_run", "force"):
        del values[name]
    sampler = model.sampler_for(config.steps, config.solver)
    values |= {"solver": sampler.solver, "steps": sampler.steps}
    values["model"] = "shipped" if config.model in (None, SHIPPED) else str(config.model)
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
