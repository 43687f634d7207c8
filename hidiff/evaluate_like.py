"""Whether a home of mode ``like`` or ``from-readings`` is the home that it is asked to be.

Each generated home is compared with the next year of its own real home (``source_home`` names it), of which the
generator has seen nothing, and the errors of single homes are averaged. The columns are those of
`hidiff.evaluate` where they mean something:

- ``generated``: generated home against its home's next year, with a 95 % interval over homes;
- ``ceiling_other_year``: the home's known year against its next year, which is what a home's habits can tell;
- ``floor_bootstrap``: day-block bootstrap of the home's known year; its days are those that the recogniser has
  learnt, so it may be recognised more often than the next year is;
- ``naive``: mean profile of the home's known year plus noise;
- ``chance``: the known year of another home, or, where homes are recognised, a guess;
- ``score``: as in `hidiff.evaluate`; where homes are recognised, of the share that is not;
- ``ratio``: ``generated / ceiling_other_year`` with its interval over homes, which are drawn for both together;
- ``bar``: what is asked of a row, and ``is_met`` whether it is so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff import rng
from hidiff.baselines.bootstrap import DayBootstrap
from hidiff.baselines.controls import mean_profile_with_noise
from hidiff.data.splits import check_no_leak
from hidiff.data.traces import Traces
from hidiff.metrics import identity, peaks, temporal

from .evaluate import NUMBERS, score

Array = NDArray[np.float64]
Measure = Callable[[Traces, NDArray[np.floating]], Any]
Compare = Callable[[Any, Any], Array]

SIDES = ("generated", "ceiling_other_year", "floor_bootstrap", "naive", "chance")
"""Columns of the table that hold a number of a side."""
GROUP = "identity"
ACF_LAGS_DAYS = (1, 7, 14, 28)
"""Lags of the daily energy [days]."""
RESAMPLES = 1000
"""Bootstrap resamples over homes."""
RECOGNISED = "weeks recognised, {} pooled"
"""Name of the rows of the re-identification curve."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sides:
    """Every side with its homes in the order of ``next_year``, and who is behind each."""

    by_name: dict[str, Traces]
    """A side for each of ``SIDES``; ``generated`` may hold a home several times."""
    next_year: Traces
    known: Traces
    """Known year of all homes that a week may be taken for."""
    own: NDArray[np.int64]
    """Row of ``next_year`` of each generated home."""
    draws: NDArray[np.int64]
    """How often each home of ``next_year`` is drawn, ``(resample, home)``."""

    def rows(self, name: str) -> NDArray[np.int64]:
        """Row of ``next_year`` that each home of a side is compared with."""
        return self.own if name == "generated" else np.arange(len(self.next_year))

    def by_home(self, name: str, values: Array) -> Array:
        """Mean over the generated homes that are like one real home, ``(home,)``."""
        rows = self.rows(name)
        return np.asarray(np.bincount(rows, weights=values) / np.bincount(rows))


def evaluate_like(
    generated: Traces, real_next_year: Traces, real_known_year: Traces, seed: int = 0
) -> pd.DataFrame:
    """Table of identity, one row a metric; the columns are told at the top of this module.

    Args:
        generated: one year of generated homes; the column ``source_home`` names the real home of each.
        real_next_year: a year of those real homes that the generator has not seen; others are left out.
        real_known_year: another year of them. All its homes stand to choose from where weeks are recognised.
        seed: of the controls and of the intervals.
    Raises:
        ValueError: gaps, other than one year, steps that differ, fewer than two homes, a generated home that
            is like no home of the real years, or real years that overlap.
    """
    sides = _sides(generated, real_next_year, real_known_year, seed)
    rows = [*_recognised(sides), *_habits(sides), *_distributions(sides), *_memory(sides)]
    table = pd.DataFrame(rows)
    return table.astype({"is_met": "boolean"})


def reidentification_curve(table: pd.DataFrame, channel: str = "load") -> pd.DataFrame:
    """Shares recognised over the number of weeks pooled, indexed by it; the columns are those of the table.

    Args:
        table: of ``evaluate_like``.
        channel: "load", "pv" or "all".
    """
    rows = table[table["channel"] == channel].set_index("metric")
    curve = rows.loc[[RECOGNISED.format(weeks) for weeks in identity.POOLED_WEEKS]]
    curve.index = pd.Index(identity.POOLED_WEEKS, name="weeks")
    return curve[[*SIDES, "low_95", "high_95"]]


def _sides(generated: Traces, next_year: Traces, known: Traces, seed: int) -> _Sides:
    sources = _sources(generated)
    names = list(dict.fromkeys(sources))
    if len(names) < 2:
        raise ValueError(f"{len(names)} real homes are behind the generated ones; at least 2 are needed")
    next_year = next_year.select(names)
    own_known = known.select(names)
    for name, traces in (
        ("generated", generated),
        ("real_next_year", next_year),
        ("real_known_year", known),
    ):
        _check(name, traces, next_year.dt_h)
    check_no_leak(own_known, next_year)
    start = str(next_year.time[0].tz_convert(next_year.time_zone).date())
    order = rng.generator(seed, "like", "other homes").permutation(len(names))
    other = np.empty_like(order)
    other[order] = np.roll(order, 1)
    homes = len(names)
    return _Sides(
        by_name={
            "generated": generated,
            "ceiling_other_year": own_known,
            "floor_bootstrap": DayBootstrap().fit(own_known).sample(names, start=start, seed=seed),
            "naive": mean_profile_with_noise(own_known, rng.generator(seed, "like", "naive")),
            "chance": own_known.select([names[row] for row in other]),
        },
        next_year=next_year,
        known=known,
        own=np.array([names.index(source) for source in sources]),
        draws=rng.generator(seed, "like", "resamples").multinomial(
            homes, np.full(homes, 1 / homes), RESAMPLES
        ),
    )


def _sources(generated: Traces) -> list[str]:
    """The real home behind each generated one."""
    homes = generated.homes
    if "source_home" not in homes:
        raise ValueError(
            "generated homes have no column source_home; generate with mode like or from-readings"
        )
    if "mode" in homes and (homes["mode"] == "new").any():
        name = homes.index[(homes["mode"] == "new").to_numpy().argmax()]
        raise ValueError(f"home {name!r} is of mode new, so like no real home; leave it out")
    return [str(name) for name in homes["source_home"]]


def _check(name: str, traces: Traces, dt_h: float) -> None:
    days = len(traces.time) * traces.dt_h / 24
    if not 365 <= days <= 366:
        raise ValueError(f"{name} has {days:.2f} days; give one whole year (see hidiff.evaluate.whole_years)")
    if abs(traces.dt_h - dt_h) > 1e-9:
        raise ValueError(f"{name} has steps of {traces.dt_h} h and real_next_year of {dt_h} h; resample one")
    missing = int((~np.isfinite(traces.load_kw)).sum() + (~np.isfinite(traces.pv_kw)).sum())
    if missing:
        raise ValueError(f"{name} has {missing} values missing; select homes and years without gaps")


def _power_kw(traces: Traces, channel: str) -> Array:
    """``(home, step)`` [kW]; net is load - PV."""
    load_kw, pv_kw = traces.load_kw.astype(np.float64), traces.pv_kw.astype(np.float64)
    return {"load": load_kw, "pv": pv_kw}.get(channel, load_kw - pv_kw)


def _clock(traces: Traces) -> pd.DatetimeIndex:
    return traces.time.tz_convert(traces.time_zone)


def _recognised(sides: _Sides) -> Iterator[dict[str, Any]]:
    """Share of the weeks that are taken for the right home; the ceiling is that of the real next year."""
    asked = sides.by_name | {"ceiling_other_year": sides.next_year}
    asked.pop("chance")
    truth = np.array([sides.known.names.index(name) for name in sides.next_year.names])
    candidates = len(sides.known)
    for channel, parts in (("load", ("load",)), ("pv", ("pv",)), ("all", ("load", "pv"))):

        def features(traces: Traces, parts: tuple[str, ...] = parts) -> Array:
            clock = _clock(traces)
            found = [identity.week_features(_power_kw(traces, part), clock, traces.dt_h) for part in parts]
            return np.concatenate(found, axis=2)

        recogniser = identity.fit_recogniser(features(sides.known))
        scores = {name: recogniser.scores(features(traces)) for name, traces in asked.items()}
        for weeks in identity.POOLED_WEEKS:
            values = {
                name: sides.by_home(name, identity.recognised_share(found, truth[sides.rows(name)], weeks))
                for name, found in scores.items()
            }
            values["chance"] = np.full(len(truth), 1 / candidates)
            row = _row(sides, RECOGNISED.format(weeks), channel, "1", values, is_share=True)
            row["note"] += f", among {candidates}"
            yield _with_bar(row, "ratio at least 0.80") if weeks == 1 else row


def _habits(sides: _Sides) -> Iterator[dict[str, Any]]:
    """Median over homes of the absolute error of a home's annual energy, base load and shares.

    Of the peak hour the mean: most homes keep theirs from year to year, so that the median is 0.
    """
    energy: Measure = lambda traces, x: peaks.annual_energy_kwh(x)  # noqa: E731
    apart: Compare = lambda a, b: np.abs(a - b)  # noqa: E731
    habits: tuple[tuple[str, str, str, Measure, Compare], ...] = (
        ("annual energy, relative error", "load", "1", energy, _relative_error),
        ("annual energy, error", "load", "kWh", energy, apart),
        ("base load (5 % quantile), error", "load", "kW", lambda t, x: identity.base_load_kw(x), apart),
        (
            "hour of the highest mean power, error",
            "load",
            "h",
            lambda t, x: identity.peak_hour(x, _clock(t)),
            identity.hours_apart,
        ),
        (
            "weekend over working days, error",
            "load",
            "1",
            lambda t, x: identity.weekend_ratio(x, _clock(t)),
            apart,
        ),
        (
            "share of the evening (17-22 h), error",
            "load",
            "1",
            lambda t, x: identity.evening_share(x, _clock(t)),
            apart,
        ),
        ("annual energy, relative error", "pv", "1", energy, _relative_error),
    )
    for name, channel, unit, measure, compare in habits:
        yield _measured(sides, name, channel, unit, measure, compare, is_median=unit != "h")


def _relative_error(a: Array, b: Array) -> Array:
    return np.asarray(np.divide(np.abs(a - b), b, out=np.full_like(a, np.nan), where=b > 0))


def _distributions(sides: _Sides) -> Iterator[dict[str, Any]]:
    """Mean over homes of the distance between a home's own distributions."""
    for channel in ("load", "pv", "net"):
        for name, measure, compare in (
            ("W1 by month and hour", lambda t, x: (x, _clock(t)), _by_month_and_hour),
            ("ramps, W1", lambda t, x: temporal.ramps(x), identity.wasserstein_by_home),
            (
                "daily peaks, W1",
                lambda t, x: identity.daily_peaks_kw(x, _clock(t)),
                identity.wasserstein_by_home,
            ),
        ):
            row = _measured(sides, f"{name}, home by home", channel, "kW", measure, compare)
            yield _with_bar(row, "ratio at most 1.10")


def _by_month_and_hour(a: tuple[Array, pd.DatetimeIndex], b: tuple[Array, pd.DatetimeIndex]) -> Array:
    return identity.wasserstein_month_hour_by_home(a[0], b[0], a[1], b[1])


def _memory(sides: _Sides) -> Iterator[dict[str, Any]]:
    """Mean over homes of the error of the autocorrelation of daily energy, at each lag and over all."""
    for channel in ("load", "pv", "net"):
        for lags in (*((lag,) for lag in ACF_LAGS_DAYS), ACF_LAGS_DAYS):
            text = f"{lags[0]} d" if len(lags) == 1 else "four lags"
            measure = partial(_acf, lags)
            name = f"daily-energy ACF at {text}, error"
            row = _measured(sides, name, channel, "1", measure, lambda a, b: np.abs(a - b).mean(axis=1))
            yield _with_bar(row, "below floor_bootstrap")


def _acf(lags: tuple[int, ...], traces: Traces, power_kw: NDArray[np.floating]) -> Array:
    return identity.daily_autocorrelation(power_kw, _clock(traces), traces.dt_h, lags)


def _measured(
    sides: _Sides,
    name: str,
    channel: str,
    unit: str,
    measure: Measure,
    compare: Compare,
    *,
    is_median: bool = False,
) -> dict[str, Any]:
    """One row: what is measured on a side, compared home by home with the next year."""
    real = measure(sides.next_year, _power_kw(sides.next_year, channel))
    values = {}
    for side, traces in sides.by_name.items():
        measured = measure(traces, _power_kw(traces, channel))
        of_home = _take(real, sides.rows(side))
        values[side] = sides.by_home(side, compare(measured, of_home))
    return _row(sides, name, channel, unit, values, is_median=is_median)


def _take(measured: Any, rows: NDArray[np.int64]) -> Any:
    """The homes at ``rows`` of a measurement, which may carry its clock."""
    return (measured[0][rows], measured[1]) if isinstance(measured, tuple) else measured[rows]


def _row(
    sides: _Sides,
    metric: str,
    channel: str,
    unit: str,
    by_home: dict[str, Array],
    *,
    is_median: bool = False,
    is_share: bool = False,
) -> dict[str, Any]:
    """One row from the numbers of the homes, ``(home,)`` a side; homes without a number on a side do not count."""
    stacked = np.stack([by_home[name] for name in SIDES])
    known = np.isfinite(stacked).all(axis=0)
    row: dict[str, Any] = {"group": GROUP, "metric": metric, "channel": channel, "unit": unit}
    row |= {"kind": "distance", **dict.fromkeys(NUMBERS, np.nan), **dict.fromkeys(SIDES, np.nan)}
    row |= {"score_kind": "", "ratio": np.nan, "ratio_low_95": np.nan, "ratio_high_95": np.nan}
    row |= {"bar": "", "is_met": None, "note": f"{'median' if is_median else 'mean'} of {known.sum()} homes"}
    if not known.any():
        return row
    values = stacked[:, known]
    counts = sides.draws[:, known]
    counts = counts[counts.sum(axis=1) > 0]
    if is_median:
        level = np.median(values, axis=1)
        drawn = np.stack([np.median(np.repeat(values, count, axis=1), axis=1) for count in counts])
    else:
        level = values.mean(axis=1)
        drawn = (counts / counts.sum(axis=1, keepdims=True)) @ values.T
    row |= dict(zip(SIDES, level.tolist(), strict=True))
    row["low_95"], row["high_95"] = np.quantile(drawn[:, 0], (0.025, 0.975)).tolist()
    generated, ceiling, naive = (row[name] for name in ("generated", "ceiling_other_year", "naive"))
    if is_share:
        row["score"], row["score_kind"] = score(1 - generated, 1 - ceiling, 1 - naive)
    else:
        row["score"], row["score_kind"] = score(generated, ceiling, naive)
    if ceiling > 0:
        row["ratio"] = generated / ceiling
        ratios = drawn[drawn[:, 1] > 0, 0] / drawn[drawn[:, 1] > 0, 1]
        row["ratio_low_95"], row["ratio_high_95"] = np.quantile(ratios, (0.025, 0.975)).tolist()
    return row


def _with_bar(row: dict[str, Any], bar: str) -> dict[str, Any]:
    """The row with what is asked of it; NaN meets nothing."""
    is_met = {
        "ratio at least 0.80": row["ratio"] >= 0.8,
        "ratio at most 1.10": row["ratio"] <= 1.1,
        "below floor_bootstrap": row["generated"] < row["floor_bootstrap"],
    }
    return row | {"bar": bar, "is_met": bool(is_met[bar])}
