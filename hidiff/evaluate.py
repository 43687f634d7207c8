"""One table of fidelity: generated homes against real ones, with a ceiling and floors beside every number.

Populations are compared, never paired series, in kW and kWh. The columns of the table:

- ``generated``: the metric between generated and real homes, with a 95 % interval over generated homes;
- ``ceiling_other_year``: the metric between another real year and the real year of the same homes;
- ``ceiling_other_homes``: the metric between another year of other real homes and the real year, which is what
  homes never seen can reach: as many homes drawn from ``others`` if there are any, else one half of the real
  homes against the other half (with half as many homes, so it leans high);
- ``floor_bootstrap``, ``floor_shuffled``, ``naive``: day-block bootstrap, shuffled days, mean profile plus
  noise, each of the real homes' other year (of the same year if there is no other);
- ``score``: ``(generated - ceiling) / (naive - ceiling)``, 0 as good as real, 1 as bad as naive; where naive
  is not at least 30 % above the ceiling, ``generated / ceiling`` (``score_kind`` says which).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from hidiff import rng
from hidiff.baselines.bootstrap import DayBootstrap
from hidiff.baselines.controls import mean_profile_with_noise, shuffled_days
from hidiff.data.calendars import standard_offset
from hidiff.data.traces import Traces
from hidiff.errors import DependencyMissing
from hidiff.metrics import physics, population, table

SEPARATION = 1.3
"""Naive over ceiling below which a score between the two would be noise."""

NUMBERS = (
    "generated",
    "low_95",
    "high_95",
    "ceiling_other_year",
    "ceiling_other_homes",
    "floor_bootstrap",
    "floor_shuffled",
    "naive",
    "score",
    "generated_level",
    "real_level",
)
"""Columns of the table that hold a number, NaN where there is none."""


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What is compared, and how thoroughly."""

    real_year: str | None = None
    """First day of the real year to compare with, such as 2012-07-01; the last whole year by default."""
    homes: tuple[str, ...] = ()
    """Real homes to compare with; all by default."""
    only_clean: bool = True
    """Leave out real homes whose column is_clean says no."""
    max_homes: int = 100
    """Homes a side; more are drawn from at random, which bounds time and memory."""
    year_starts_in_month: int = 7
    """First month of the years compared."""
    ceiling: Literal["auto", "other-year", "other-homes"] = "auto"
    """Ceiling of the score: other homes for homes of mode new, the other year for the rest, or as said."""
    resamples: int = 100
    """Bootstrap resamples over generated homes for the intervals; 0 for none."""
    other_draws: int = 5
    """Random draws of other homes that their ceiling is the mean of."""
    seam_every_days: int = 24
    """Days after which the pattern of seams comes again; hidiff's own by default."""
    seam_days: tuple[int, ...] = (0, 14)
    """Days of the pattern that begin with a seam; day 0 is the standard day of the first generated step."""
    latitude_deg: float = -33.87
    """Of the homes, for the night [degrees], positive north."""
    longitude_deg: float = 151.21
    """Of the homes, for the night [degrees], positive east."""
    classifier: bool = True
    """Train the two-sample classifier (needs scikit-learn)."""
    figures: bool = True
    """Draw pictures too, and one HTML page with table and pictures (`hidiff evaluate` only)."""
    seed: int = 0
    """Seed of everything drawn."""

    def __post_init__(self) -> None:
        for name, low in (("max_homes", 4), ("resamples", 0), ("other_draws", 1), ("seam_every_days", 2)):
            if not getattr(self, name) >= low:
                raise ValueError(f"{name}={getattr(self, name)} is below {low}; raise it")
        if not 1 <= self.year_starts_in_month <= 12:
            raise ValueError(f"year_starts_in_month={self.year_starts_in_month} is outside 1..12")
        if not self.seam_days or not all(0 <= day < self.seam_every_days for day in self.seam_days):
            raise ValueError(f"seam_days={self.seam_days} must name days in 0..{self.seam_every_days - 1}")
        if not (-90 <= self.latitude_deg <= 90 and -180 <= self.longitude_deg <= 180):
            raise ValueError(
                f"latitude_deg={self.latitude_deg}, longitude_deg={self.longitude_deg} is no place"
            )


def whole_years(traces: Traces, first_month: int = 7) -> list[Traces]:
    """Each year of twelve months from ``first_month`` on, by the homes' clock, that ``traces`` covers."""
    local = traces.time.tz_convert(traces.time_zone)
    end = local[-1] + (local[1] - local[0])
    found = []
    for year in range(local[0].year, end.year + 1):
        first = pd.Timestamp(year, first_month, 1, tz=traces.time_zone)
        last = pd.Timestamp(year + 1, first_month, 1, tz=traces.time_zone)
        if local[0] <= first and last <= end:
            found.append(traces.between(first, last))
    return found


def evaluate(
    generated: Traces,
    real: Traces,
    reference: Traces | None = None,
    config: EvaluateConfig | None = None,
    others: Traces | None = None,
) -> pd.DataFrame:
    """Table of fidelity, one row a metric; the columns are told at the top of this module.

    Args:
        generated: at least a year; the year that ``real`` is of if it is there, else the first whole one.
        real: one year of the homes to be compared with, without gaps.
        reference: another year of homes of ``real``, without gaps; its homes are looked up by name.
        config: which years, which homes, how thoroughly.
        others: a year of homes that are not in ``real``, without gaps; best another one, since generated
            homes have another year's weather too.
    Raises:
        ValueError: NaN, less than a year, fewer than four homes a side, different steps or homes.
    """
    config = EvaluateConfig() if config is None else config
    real = draw_homes(real, config, "real")
    _check("real", real, config)
    origin = generated.time[0]
    generated = draw_homes(matching_year(generated, real, config), config, "generated")
    _check("generated", generated, config)
    if abs(generated.dt_h - real.dt_h) > 1e-9:
        raise ValueError(
            f"steps are {generated.dt_h} h (generated) and {real.dt_h} h (real); resample one side"
        )
    if reference is not None:
        reference = reference.select(real.names)
        _check("reference", reference, config)
    source = real if reference is None else reference
    start = str(real.time[0].tz_convert(real.time_zone).date())
    noise = rng.generator(config.seed, "evaluate", "controls")
    sides = {
        "real": real,
        "generated": generated,
        "floor_bootstrap": DayBootstrap().fit(source).sample(source.names, start=start, seed=config.seed),
        "floor_shuffled": shuffled_days(source, noise),
        "naive": mean_profile_with_noise(source, noise),
    }
    if reference is not None:
        sides["ceiling_other_year"] = reference
    panels = {
        name: _panel(side, origin if name == "generated" else side.time[0], config)
        for name, side in sides.items()
    }
    if others is not None:
        _check("others", others, config)
        panels["others"] = _panel(others, others.time[0], config)
    pairs = list(_other_homes(panels, config))
    panels.pop("others", None)
    sizes = tuple(n for n in population.SUBSET_SIZES if n <= min(len(real), len(generated)))
    shares = rng.generator(config.seed, "evaluate", "resamples").multinomial(
        len(generated), np.full(len(generated), 1 / len(generated)), size=config.resamples
    ) / len(generated)
    is_new = "mode" in generated.homes and bool((generated.homes["mode"] == "new").all())
    is_other = config.ceiling == "other-homes" or (config.ceiling == "auto" and is_new) or reference is None
    rows = []
    metrics = table.metrics(seed=config.seed, subset_sizes=sizes, has_classifier=config.classifier)
    for metric in tqdm(metrics, desc="metrics", unit="metric", disable=None):
        rows.append(_evaluate_one(metric, panels, pairs, shares, other_homes=is_other))
    return pd.DataFrame(rows)


def matching_year(generated: Traces, real: Traces, config: EvaluateConfig) -> Traces:
    years = whole_years(generated, config.year_starts_in_month)
    same = [year for year in years if year.time[0] == real.time[0]]
    if same or years:
        return (same or years)[0]
    # no year from that month: the first twelve months from a local midnight; the calendar still compares
    first = generated.time[0].tz_convert(generated.time_zone).ceil("D")
    last = first + pd.DateOffset(years=1)
    if last > generated.time[-1] + pd.Timedelta(hours=generated.dt_h):
        raise ValueError(
            f"generated traces end {generated.time[-1]}, less than a year from {first}; make a whole year"
        )
    return generated.between(first, last)


def draw_homes(traces: Traces, config: EvaluateConfig, side: str) -> Traces:
    """At most ``max_homes`` homes with PV capacity, drawn at random where there are more."""
    capacity = traces.homes["pv_capacity_kwp"].to_numpy(dtype=np.float64)
    names = [name for name, kwp in zip(traces.names, capacity, strict=True) if kwp > 0]
    if len(names) > config.max_homes:
        names = sorted(
            rng.generator(config.seed, "evaluate", side).permutation(names)[: config.max_homes].tolist()
        )
    return traces.select(names)


def _check(side: str, traces: Traces, config: EvaluateConfig) -> None:
    if len(traces) < 4:
        raise ValueError(f"{side} has {len(traces)} homes with PV capacity; at least 4 are needed")
    for name in ("load_kw", "pv_kw"):
        missing = int((~np.isfinite(getattr(traces, name))).sum())
        if missing:
            raise ValueError(
                f"{side} {name} has {missing} steps without a value; select complete homes and years"
            )
    if not traces.dt_h <= 0.5:
        raise ValueError(
            f"{side} has steps of {traces.dt_h} h, above 0.5 h; the metrics are about half-hours"
        )
    days = len(traces.time) * traces.dt_h / 24
    if not 365 <= days <= 366:
        raise ValueError(f"{side} has {days:.2f} days; give one whole year (see whole_years)")


def _panel(traces: Traces, origin: pd.Timestamp, config: EvaluateConfig) -> table.Panel:
    standard = traces.time.tz_localize(None) + standard_offset(traces.time_zone)
    first = (origin.tz_convert("UTC").tz_localize(None) + standard_offset(traces.time_zone)).floor("D")
    midnights = np.flatnonzero((standard.hour == 0) & (standard.minute == 0))
    days = np.asarray((standard[midnights] - first) / pd.Timedelta(days=1)).round().astype(np.int64)
    is_joint = np.isin(days % config.seam_every_days, config.seam_days)
    homes = traces.homes
    return table.Panel(
        load_kw=traces.load_kw.astype(np.float64),
        pv_kw=traces.pv_kw.astype(np.float64),
        time=traces.time,
        clock=traces.time.tz_convert(traces.time_zone),
        dt_h=traces.dt_h,
        night=physics.night_mask(
            traces.time,
            dt_h=traces.dt_h,
            latitude_deg=config.latitude_deg,
            longitude_deg=config.longitude_deg,
        ),
        capacity_kwp=homes["pv_capacity_kwp"].to_numpy(dtype=np.float64),
        homes=[str(n) for n in homes["source_home"]] if "source_home" in homes else traces.names,
        joints=midnights[is_joint],
        others=midnights[~is_joint],
    )


def _other_homes(
    panels: dict[str, table.Panel], config: EvaluateConfig
) -> Iterator[tuple[table.Panel, table.Panel]]:
    """Pairs of two samples of real homes, no home in both."""
    stream = rng.generator(config.seed, "evaluate", "other homes")
    real = panels["real"]
    if "others" in panels:
        others = panels["others"]
        for _ in range(config.other_draws):
            yield others.take(stream.permutation(len(others.homes))[: len(real.homes)]), real
        return
    half, source = len(real.homes) // 2, panels.get("ceiling_other_year", real)
    for _ in range(config.other_draws):
        order = stream.permutation(len(real.homes))
        yield source.take(order[:half]), real.take(order[half : 2 * half])


def _evaluate_one(
    metric: table.Metric,
    panels: dict[str, table.Panel],
    pairs: list[tuple[table.Panel, table.Panel]],
    shares: NDArray[np.float64],
    *,
    other_homes: bool,
) -> dict[str, Any]:
    """One row: the metric on every side."""
    row: dict[str, Any] = {
        "group": metric.group,
        "metric": metric.name,
        "channel": metric.channel,
        "unit": metric.unit,
        "kind": metric.kind,
    }
    row |= dict.fromkeys(NUMBERS, np.nan)
    row |= {"score_kind": "", "note": ""}
    try:
        real = metric.measure(panels["real"])
        for name in panels.keys() - {"real"}:
            measured = metric.measure(panels[name])
            row[name] = float(metric.compare(measured, real, None)[0])
            if name != "generated":
                continue
            if metric.level is not None:
                row["generated_level"], row["real_level"] = metric.level(measured), metric.level(real)
            if metric.has_interval and len(shares):
                row["low_95"], row["high_95"] = np.nanquantile(
                    metric.compare(measured, real, shares), (0.025, 0.975)
                )
        if metric.kind == "limit":
            row["real_level"] = float(metric.compare(real, real, None)[0])
            row["generated_level"] = row["generated"]
            return row
        # what is dear to compute is computed for one split only
        apart = [
            metric.compare(metric.measure(a), metric.measure(b), None)[0]
            for a, b in (pairs if metric.has_interval else pairs[:2])
        ]
        known = [value for value in apart if np.isfinite(value)]  # a half may be too few homes for a row
        row["ceiling_other_homes"] = float(np.mean(known)) if known else np.nan
    except DependencyMissing as error:
        row["note"] = str(error)
        return row
    ceiling = row["ceiling_other_homes"] if other_homes else row["ceiling_other_year"]
    row["score"], row["score_kind"] = score(row["generated"], ceiling, row["naive"])
    return row


def score(value: float, ceiling: float, naive: float) -> tuple[float, str]:
    """``(value - ceiling) / (naive - ceiling)`` if naive is 30 % above the ceiling, else ``value / ceiling``.

    Returns:
        The score and its kind, "scaled" (0 is as good as real) or "ratio" (1 is as good as real); NaN and ""
        where the ceiling is 0 and naive no worse.
    """
    if naive > SEPARATION * ceiling:
        return (value - ceiling) / (naive - ceiling), "scaled"
    if ceiling > 0:
        return value / ceiling, "ratio"
    return float("nan"), ""
