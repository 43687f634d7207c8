"""What ``hidiff generate`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hidiff.generate_plan import Part


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """What to generate."""

    homes: int
    """Number of homes."""
    out: Path
    """Folder to write: traces-*.parquet, homes.csv and manifest.json. Must not exist, or be empty, or be gone on
    with by --resume."""
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
    batch_size: int | None = None
    """Homes in a batch, instead of what fits; it does not change the traces."""
    workers: int | None = None
    """Threads of the processor that generate, instead of all cores; it does not change the traces."""
    home_years_per_shard: int = 768
    """Home-years in a file, rounded down to whole homes. About 0.09 MB each; a killed run loses at most one file of
    work."""
    model: Path | None = None
    """Model directory, instead of the model that ships with hidiff."""
    resume: bool = False
    """Go on with what is in --out: verify what is finished, make what is missing or damaged."""
    shard: str = ""
    """Make part i of n alone, i/n such as 3/16, in the same --out as the other parts, which may run at any time and
    anywhere; the last one finishes the set. A part that is run again goes on."""
    log: Path | None = None
    """File to add a line of JSON to for the beginning, each finished shard and the end of the run."""
    dry_run: bool = False
    """Check everything, print the plan, time a few home-years, write nothing."""
    force: bool = False
    """Replace what is in --out; it is kept aside until the new set is finished."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed={self.seed}; it must lie in 0..2^63-1")
        if (self.mode == "from-readings") != (self.readings is not None):
            raise ValueError("--mode from-readings and --readings FILE go together; give both or neither")
        for name in ("workers", "home_years_per_shard"):
            value = getattr(self, name)
            if value is not None and not value >= 1:
                raise ValueError(f"{name}={value}; it must be at least 1")
        Part.parse(self.shard)
        if self.force and self.resume:
            raise ValueError("--force starts anew and --resume goes on; give one of them")
        if self.force and self.shard:
            raise ValueError(
                "--force with --shard would throw away what the other parts made; empty --out first, or choose "
                "another folder"
            )
        if self.log is not None and self.log.resolve().is_relative_to(self.out.resolve()):
            raise ValueError(
                f"--log {self.log} lies inside of --out; put it elsewhere, a set holds nothing else"
            )
