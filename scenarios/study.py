"""``Study``: what a YAML file asks of a scenario set. Every field has a default that works."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from hidiff.home import Tariff

from .ev_trips import EvConfig
from .heat_pump_houses import HeatPumpConfig


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """How a size is spread over homes: a range, a mean with a spread, or values to choose from."""

    mean: float | None = None
    """Mean of a lognormal distribution."""
    spread: float | None = None
    """Standard deviation of the lognormal distribution, in the unit of the mean."""
    low: float | None = None
    """Smallest value; alone with ``high``, all between them are equally likely."""
    high: float | None = None
    """Largest value."""
    values: tuple[float, ...] = ()
    """Values to choose from."""
    weights: tuple[float, ...] = ()
    """How likely each of the values is, in proportion; equal where empty."""

    def __post_init__(self) -> None:
        if self.values:
            if any(v is not None for v in (self.mean, self.spread, self.low, self.high)):
                raise ValueError("values stand alone; give them, or mean and spread, or low and high")
            if self.weights and len(self.weights) != len(self.values):
                raise ValueError(
                    f"{len(self.weights)} weights for {len(self.values)} values; give one for each"
                )
            if self.weights and not (min(self.weights) >= 0 and 0 < sum(self.weights) < math.inf):
                raise ValueError(f"weights are {self.weights}; they must be at least 0 and not all 0")
        elif self.mean is not None:
            if not self.mean > 0 or self.spread is None or not self.spread >= 0:
                raise ValueError(f"mean {self.mean} and spread {self.spread}; above 0, and at least 0")
        elif self.low is None or self.high is None:
            raise ValueError("give mean and spread, or low and high, or values")
        if self.low is not None and self.high is not None and not self.low <= self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")

    def quantile(self, share: float) -> float:
        """The value below which ``share`` of the homes lie, 0..1."""
        if self.values:
            weights = np.array(self.weights or np.ones(len(self.values)))
            order = np.argsort(self.values)
            at = np.searchsorted(np.cumsum(weights[order]) / weights.sum(), share, side="right")
            return float(np.array(self.values)[order][min(int(at), len(order) - 1)])
        if self.mean is None or self.spread is None:
            assert self.low is not None and self.high is not None
            return self.low + share * (self.high - self.low)
        from scipy.stats import norm

        variance = math.log1p((self.spread / self.mean) ** 2)
        value = math.exp(math.log(self.mean) - variance / 2 + math.sqrt(variance) * float(norm.ppf(share)))
        return min(max(value, self.low or 0.0), math.inf if self.high is None else self.high)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Homes of one kind."""

    name: str = "homes"
    """What they are called in the table of homes, column ``archetype``."""
    count: int = 10
    """How many."""
    like: tuple[str, ...] = ()
    """Training homes that they are like, in turn; empty for new homes."""
    annual_kwh: float | Distribution | None = None
    """Mean annual load of a home [kWh]: a number, or how it is spread; left to the model where it is not given."""
    pv_kwp: float | Distribution | None = None
    """PV capacity of a home [kWp], likewise; 0 is a home without PV."""
    ev_share: float = 0.0
    """Share of the homes with an electric car, 0..1, met to the nearest home."""
    heat_pump_share: float = 0.0
    """Share of the homes with a heat pump."""
    battery_share: float = 0.0
    """Share of the homes with a battery: a mark in the table of homes, for who operates it."""
    battery_kwh: float | Distribution = 13.5
    """Capacity of those batteries [kWh]."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count is {self.count}; a group has at least one home")
        for name in ("ev_share", "heat_pump_share", "battery_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; a share lies in 0..1")


@dataclass(frozen=True, kw_only=True)
class Population:
    """The homes; the same in every scenario."""

    groups: tuple[Group, ...] = (Group(),)
    """Kinds of homes."""
    seed: int = 1
    """Draws the homes, their sizes, who has a car or a heat pump, and their habits."""

    def __post_init__(self) -> None:
        names = [group.name for group in self.groups]
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"groups are named {', '.join(names) or 'nothing'}; at least one, each with its own name"
            )


@dataclass(frozen=True, kw_only=True)
class SpanConfig:
    """The time that every scenario covers."""

    start: str = "2030-01-01"
    """First local day."""
    years: int = 1
    """Number of years of twelve months."""
    end: str = ""
    """Local day that is no longer part of it, to cut the years short; empty for whole years."""
    step: str = "30min"
    """Step of the finished set, such as 15min or 1h."""
    time_zone: str = "Australia/Sydney"
    """IANA name of the homes' clock."""


@dataclass(frozen=True, kw_only=True)
class Weather:
    """The weather of a scenario; all its homes share it."""

    files: tuple[Path, ...] = ()
    """Daily or half-hourly weather, as ``hidiff generate --weather`` reads it: every file gives ``scenarios.count``
    scenarios of the same days with other behaviour. Empty: each scenario has a generated path of its own."""
    weights: tuple[float, ...] = ()
    """How likely each file is, in proportion; equal where empty."""

    def __post_init__(self) -> None:
        if self.weights and len(self.weights) != len(self.files):
            raise ValueError(f"{len(self.weights)} weights for {len(self.files)} files; give one for each")
        if self.weights and not (min(self.weights) >= 0 and 0 < sum(self.weights) < math.inf):
            raise ValueError(f"weights are {self.weights}; they must be at least 0 and not all 0")


@dataclass(frozen=True, kw_only=True)
class Wholesale:
    """Prices of the wholesale market; whole days of the file are laid on the span, days of the week kept."""

    file: Path
    """Parquet or CSV with ``time`` (UTC, start of the step) and ``price_per_mwh``."""
    margin_per_kwh: float | None = None
    """Adds to the wholesale price to make the import price, in the place of the tariff's; None leaves the tariff."""


@dataclass(frozen=True, kw_only=True)
class Scenarios:
    """How many scenarios, and where they come from."""

    count: int = 10
    """Number of scenarios (of each weather file, if there are several)."""
    seed: int = 1
    """Draws the weather and what happens at home."""
    source: Literal["model", "bootstrap", "traces", "day-ahead"] = "model"
    """model: generated years. bootstrap: days of the traces drawn anew. traces: each year of the traces is a
    scenario. day-ahead: the days after the end of the traces, given what they show."""
    traces: Path | None = None
    """Folder of homes, as generate or ingest wrote it; for every source but the model."""
    days: int = 1
    """Days that the day-ahead scenarios cover."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count is {self.count}; ask for at least one scenario")
        if (self.traces is None) != (self.source == "model"):
            raise ValueError(
                f"source {self.source!r} with traces {self.traces}; model takes none, the others need them"
            )
        if not 1 <= self.days <= 14:
            raise ValueError(f"days is {self.days}; a day-ahead fan covers 1 to 14 days")


@dataclass(frozen=True, kw_only=True)
class Reduce:
    """What to keep of the scenarios."""

    to: int
    """Number of scenarios that are kept."""
    method: Literal["medoids", "forward", "backward", "moments", "random"] = "medoids"
    """See docs/reduction.md."""


@dataclass(frozen=True, kw_only=True)
class TreeConfig:
    """A tree of the scenarios, for decisions that are taken stage by stage; it goes into the set's provenance."""

    starts_h: tuple[float, ...] = (0.0, 6.0, 12.0, 18.0)
    """Begin of every stage, from the begin of the span on [h]."""
    nodes: tuple[int, ...] = (1, 4, 8, 12)
    """Most nodes of every stage, not falling."""


@dataclass(frozen=True, kw_only=True)
class Stress:
    """How the homes differ from those of the source."""

    load: float = 1.0
    """Factor of load_kw."""
    pv: float = 1.0
    """Factor of pv_kw and of the capacities."""
    remove_heating: bool = False
    """Take the heating and cooling that follow the weather out of the load of homes that get a heat pump, as far as
    a fit on degree days finds them; otherwise they may count twice."""
    into_load: bool = False
    """Add cars and heat pumps to load_kw, for readers that know load and PV alone; they are then no channels."""


@dataclass(frozen=True, kw_only=True)
class Extremes:
    """Keep the most extreme weeks alone; each becomes a scenario."""

    kinds: tuple[str, ...] = ()
    """peak, export_peak, ramp, cloudy, long_import, heat_wave, cold_spell; all that the channels allow where empty."""
    count: int = 1
    """Weeks of each kind, the worst first, no two of one scenario."""
    days: int = 7
    """Days of a week."""

    def __post_init__(self) -> None:
        if self.count < 1 or self.days < 1:
            raise ValueError(f"count is {self.count} and days {self.days}; both are at least 1")


@dataclass(frozen=True, kw_only=True)
class Study:
    """A scenario data set, whole."""

    population: Population = field(default_factory=Population)
    """The homes."""
    span: SpanConfig = field(default_factory=SpanConfig)
    """The time."""
    weather: Weather = field(default_factory=Weather)
    """The weather."""
    scenarios: Scenarios = field(default_factory=Scenarios)
    """How many scenarios, and from what."""
    tariff: Tariff | None = None
    """What energy costs, as channels import_price_per_kwh and export_price_per_kwh; none where it is not given."""
    wholesale: Wholesale | None = None
    """Wholesale prices, as channel wholesale_price_per_kwh."""
    electric_car: EvConfig = field(default_factory=EvConfig)
    """The cars of homes that have one."""
    heat_pump: HeatPumpConfig = field(default_factory=HeatPumpConfig)
    """The houses and machines of homes that have a heat pump."""
    stress: Stress = field(default_factory=Stress)
    """How the homes differ from those of the source."""
    extremes: Extremes | None = None
    """Keep the most extreme weeks alone."""
    reduce: Reduce | None = None
    """Keep fewer scenarios, with the weights of the others."""
    tree: TreeConfig | None = None
    """Build a tree of the scenarios that are kept."""
    model: Path | None = None
    """Folder of the model; the shipped one by default."""

    def __post_init__(self) -> None:
        if self.tariff is None:
            return
        self.tariff.require_energy_only("a scenario set, which carries prices by the step,")
        if self.tariff.needs_wholesale and self.wholesale is None:
            raise ValueError(
                "the tariff follows a wholesale price and the study has none; name its file under wholesale, or set "
                "wholesale_multiplier and wholesale_export_multiplier to 0"
            )
