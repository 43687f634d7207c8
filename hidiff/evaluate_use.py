"""What generated homes are good for: a forecaster learnt from them, a battery and a purchase decided on them.

Everything is learnt or decided on a side and paid on real homes in a year that no side has seen. The columns:

- ``generated``: the error or cost after learning from the generated homes;
- ``ceiling``: after learning from as many real homes, in their earlier year;
- ``floor_bootstrap``, ``floor_shuffled``, ``naive``: from day-block bootstrap, shuffled days, and mean profile
  plus noise of those same real homes;
- ``ratio``: ``generated / ceiling``, 1 is as good as real; NaN where a row is no score or the ceiling is 0;
- ``ratio_low_95``, ``ratio_high_95``: its interval over the homes that pay, NaN where they pay together.

Where every generated home is like a real one (``source_home`` names it), each home decides for itself on the
generated year of its own; else, as for homes never seen, all homes of a side decide once for everybody.

A purchase for all homes together is settled by the weather of one region and one year: between two sets of 56 real
homes its cost differs by some 5 %, and a floor may come out below the ceiling by as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff import rng
from hidiff.baselines.bootstrap import DayBootstrap
from hidiff.baselines.controls import mean_profile_with_noise, shuffled_days
from hidiff.data.splits import check_no_leak
from hidiff.data.traces import Traces
from hidiff.metrics import decisions, usefulness

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

SIDES = ("generated", "ceiling", "floor_bootstrap", "floor_shuffled", "naive")
"""Columns of the table that hold a number of a side."""
FORECAST_HOME_DAYS = 6000
"""Home-days that a forecaster learns from; more change its error by less than homes differ, and cost time."""
PORTFOLIO_DRAWS = 20
"""Portfolios of as many homes as will pay, drawn from a side to commit a purchase for all of them."""
RESAMPLES = 500
"""Bootstrap resamples over the homes that pay."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sides:
    """The sides to learn from and the homes that pay."""

    learnt: dict[str, Traces]
    """A side for each of ``SIDES``."""
    paying: Traces
    groups: dict[str, list[Integers]]
    """Rows of a side that decide together: one group for each paying home, or one for all."""
    is_own: bool
    """Whether each home decides for itself."""
    seed: int

    def spread(self, by_group: NDArray[Any]) -> NDArray[Any]:
        """What each group decided, for each paying home."""
        return by_group if self.is_own else np.repeat(by_group, len(self.paying), axis=0)


def evaluate_use(generated: Traces, real_train: Traces, real_test: Traces, seed: int = 0) -> pd.DataFrame:
    """Table of usefulness, one row a measure; the columns are told at the top of this module.

    Args:
        generated: one year of generated homes.
        real_train: an earlier year of real homes: for ``like`` the ones that the generated homes are like, for
            ``new`` homes that the generator has learnt from. It is the ceiling and the source of the floors.
        real_test: a later year of the homes that pay: for ``like`` the same ones, for ``new`` homes never seen.
        seed: of everything drawn.
    Raises:
        ValueError: gaps, other than one year, steps that differ, ``real_train`` and ``real_test`` share a home
            at a time, or a home that a generated one is like is missing from either.
    """
    for name, traces in (("generated", generated), ("real_train", real_train), ("real_test", real_test)):
        _check(name, traces, real_test.dt_h)
    check_no_leak(real_train, real_test)
    sides = _sides(generated, real_train, real_test, seed)
    return pd.DataFrame([*_forecasts(sides), *_batteries(sides), *_purchases(sides)])


def _sides(generated: Traces, real_train: Traces, real_test: Traces, seed: int) -> _Sides:
    """Equally many homes a side, drawn at random where there are more."""
    sources = _sources(generated)
    if sources:
        real_train, paying = (side.select(list(dict.fromkeys(sources))) for side in (real_train, real_test))
        groups = [np.flatnonzero(np.array(sources) == home) for home in paying.names]
        own = [np.array([row]) for row in range(len(paying))]
    else:
        count = min(len(generated), len(real_train))
        generated, real_train = (_draw(side, count, seed) for side in (generated, real_train))
        paying, groups = real_test, [np.arange(count)]
        own = groups
    noise = rng.generator(seed, "use", "controls")
    start = str(real_train.time[0].tz_convert(real_train.time_zone).date())
    learnt = {
        "generated": generated,
        "ceiling": real_train,
        "floor_bootstrap": DayBootstrap().fit(real_train).sample(real_train.names, start=start, seed=seed),
        "floor_shuffled": shuffled_days(real_train, noise),
        "naive": mean_profile_with_noise(real_train, noise),
    }
    return _Sides(
        learnt=learnt,
        paying=paying,
        groups={name: groups if name == "generated" else own for name in SIDES},
        is_own=bool(sources),
        seed=seed,
    )


def _sources(generated: Traces) -> list[str]:
    """The real home behind each generated one; empty if there is one that is like none."""
    homes = generated.homes
    if "source_home" not in homes or ("mode" in homes and not (homes["mode"] != "new").all()):
        return []
    return [str(name) for name in homes["source_home"]]


def _draw(traces: Traces, count: int, seed: int) -> Traces:
    order = rng.generator(seed, "use", "homes").permutation(len(traces))
    return traces.select([traces.names[row] for row in np.sort(order[:count])])


def _check(name: str, traces: Traces, dt_h: float) -> None:
    days = len(traces.time) * traces.dt_h / 24
    if not 365 <= days <= 366:
        raise ValueError(f"{name} has {days:.2f} days; give one whole year (see hidiff.evaluate.whole_years)")
    if abs(traces.dt_h - dt_h) > 1e-9:
        raise ValueError(f"{name} has steps of {traces.dt_h} h and real_test of {dt_h} h; resample one")
    if not len(traces):
        raise ValueError(f"{name} has no home; give at least one")
    if not (traces.load_kw.mean(axis=1) > 0).all() and np.isfinite(traces.load_kw).all():
        raise ValueError(f"{name} has a home without any load; select() it out")
    missing = int((~np.isfinite(traces.load_kw)).sum() + (~np.isfinite(traces.pv_kw)).sum())
    if missing:
        raise ValueError(f"{name} has {missing} values missing; select homes and years without gaps")


def _forecasts(sides: _Sides) -> Iterator[dict[str, Any]]:
    """Errors of a day-ahead forecaster on the paying homes."""
    for channel in ("load", "pv"):

        def examples(traces: Traces, channel: str = channel) -> usefulness.Examples:
            power_kw = traces.load_kw if channel == "load" else traces.pv_kw
            hourly_kw, time = usefulness.hours_by_day(power_kw, traces.time, traces.time_zone)
            return usefulness.forecast_examples(hourly_kw, time, traces.time_zone)

        test = examples(sides.paying)
        learnt = {name: examples(traces) for name, traces in sides.learnt.items()}
        home_days = min(FORECAST_HOME_DAYS, *(side.scale_kw.size for side in learnt.values()))
        errors = {}
        for name, side in learnt.items():
            stream = rng.generator(sides.seed, "use", "forecast", channel)
            errors[name] = usefulness.forecast_errors(
                usefulness.fit_forecaster(side, stream, home_days=home_days), test
            )
        plain = usefulness.errors_of(usefulness.last_week_again(test), test)
        absolute = {name: error.mean_absolute_kw for name, error in errors.items()}
        square = {name: error.mean_square_kw2 for name, error in errors.items()}
        said = f"{home_days} home-days a side; last week again has"
        mean_kw = float(plain.mean_absolute_kw.mean())
        yield _row("usefulness", "day-ahead forecast, MAE", channel, "kW", absolute, f"{said} {mean_kw:.4f}")
        root_kw = float(np.sqrt(plain.mean_square_kw2.mean()))
        yield _row(
            "usefulness",
            "day-ahead forecast, RMSE",
            channel,
            "kW",
            square,
            f"{said} {root_kw:.4f}",
            root=True,
        )


def _batteries(sides: _Sides) -> Iterator[dict[str, Any]]:
    """Yearly cost of the battery that was chosen on each side, and of the best one in hindsight."""
    choice = decisions.BatteryChoice()
    sizes_kwh = np.array(choice.sizes_kwh)

    def cost_of(traces: Traces) -> Array:
        clock = traces.time.tz_convert(traces.time_zone)
        return decisions.yearly_cost(traces.load_kw, traces.pv_kw, clock, choice, dt_h=traces.dt_h)

    paid = cost_of(sides.paying)
    every = np.arange(len(paid))
    hindsight = decisions.chosen_size(paid, [every[[row]] for row in every] if sides.is_own else [every])
    best = paid[every, sides.spread(hindsight)]
    chosen = {
        name: sides.spread(decisions.chosen_size(cost_of(traces), sides.groups[name]))
        for name, traces in sides.learnt.items()
    }
    cost = {name: paid[every, size] for name, size in chosen.items()}
    who = "each home chooses for itself" if sides.is_own else "one size for all homes"
    note = (
        f"{who}; best in hindsight {best.mean():.2f} with {sizes_kwh[sides.spread(hindsight)].mean():.2f} kWh, "
        f"no battery {paid[:, 0].mean():.2f}"
    )
    yield _row("decisions", "battery: yearly cost of the chosen size", "net", "currency", cost, note)
    regret = {name: values / best.mean() - best / best.mean() for name, values in cost.items()}
    note = "as a share of the best cost; the score is the row above"
    name = "battery: cost above the best in hindsight"
    yield _row("decisions", name, "net", "1", regret, note, has_ratio=False)
    size = {name: sizes_kwh[chosen[name]] for name in SIDES}
    yield _row("decisions", "battery: size chosen", "net", "kWh", size, "not a score", has_ratio=False)


def _purchases(sides: _Sides) -> Iterator[dict[str, Any]]:
    """Imbalance cost of a day-ahead purchase, of each home for itself and of all homes together."""
    prices = decisions.ImbalancePrices()
    learnt = {name: _Hours.of(traces, scaled=not sides.is_own) for name, traces in sides.learnt.items()}
    paying = _Hours.of(sides.paying, scaled=not sides.is_own)
    every = np.arange(len(paying.net))
    payers = [every[[row]] for row in every] if sides.is_own else [every]

    def homes_pay(side: _Hours, groups: list[Integers]) -> Array:
        cost = [
            decisions.imbalance_cost(
                paying.net[who],
                paying.cells,
                decisions.commitment(side.net[rows], side.cells, prices),
                prices,
            )
            for who, rows in zip(payers, groups, strict=True)
        ]
        return np.concatenate(cost) * paying.scale_kw

    cost = {name: homes_pay(side, sides.groups[name]) for name, side in learnt.items()}
    how = "own quantiles" if sides.is_own else "one set of quantiles for all, per kW of mean load"
    note = f"{how}; best in hindsight {homes_pay(paying, payers).mean():.2f}"
    yield _row("decisions", "day-ahead purchase of a home: imbalance cost", "net", "currency", cost, note)

    whole = paying.portfolios(every[None])
    scale_kw = float(paying.scale_kw.mean())

    def together_pay(side: _Hours, net: Array) -> Array:
        committed = decisions.commitment(net, side.cells, prices)
        return decisions.imbalance_cost(whole, paying.cells, committed, prices) * scale_kw

    together = {}
    for name, side in learnt.items():
        stream = rng.generator(sides.seed, "use", "portfolio")
        together[name] = together_pay(
            side, side.portfolios(_drawn_portfolios(len(side.net), len(every), stream))
        )
    note = (
        f"a home of a portfolio of {len(every)}; best in hindsight {together_pay(paying, whole).mean():.2f}"
    )
    yield _row(
        "decisions", "day-ahead purchase of all homes: imbalance cost", "net", "currency", together, note
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Hours:
    """Net energy of a side by the hour."""

    net: Array
    """``(home, hour)`` in units of ``scale_kw``, > 0 is import."""
    cells: Integers
    """Kind of each hour, ``(hour,)``."""
    scale_kw: Array
    """``(home,)`` [kW]: 1 for a home that decides for itself, else its mean load of the year, which a retailer
    knows from the last bill. Without it the score of homes never seen would be the luck of drawing large or
    small ones, which the annual energies of the other groups of metrics tell already."""

    @classmethod
    def of(cls, traces: Traces, *, scaled: bool) -> _Hours:
        clock = traces.time.tz_convert(traces.time_zone)
        net_kw, hours = decisions.hourly_net(traces.load_kw, traces.pv_kw, clock, dt_h=traces.dt_h)
        scale_kw = traces.load_kw.mean(axis=1, dtype=np.float64) if scaled else np.ones(len(net_kw))
        return cls(net=net_kw / scale_kw[:, None], cells=decisions.hour_cells(hours), scale_kw=scale_kw)

    def portfolios(self, rows: Integers) -> Array:
        """Net energy of portfolios of the homes at ``rows``, over the sum of their scales, ``(portfolio, hour)``."""
        shares = self.scale_kw[rows] / self.scale_kw[rows].sum(axis=1, keepdims=True)
        return np.stack([share @ self.net[homes] for share, homes in zip(shares, rows, strict=True)])


def _drawn_portfolios(there: int, homes: int, stream: np.random.Generator) -> Integers:
    """Homes of each portfolio, ``(portfolio, home)``, as many as will pay: the mean of fewer varies more.

    A side of just as many has one portfolio; only a side of fewer has homes twice in one.
    """
    if there == homes:
        return np.arange(homes)[None]
    draws = [stream.choice(there, homes, replace=there < homes) for _ in range(PORTFOLIO_DRAWS)]
    return np.stack(draws).astype(np.int64)


def _row(
    group: str,
    metric: str,
    channel: str,
    unit: str,
    by_home: dict[str, Array],
    note: str,
    *,
    root: bool = False,
    has_ratio: bool = True,
) -> dict[str, Any]:
    """One row from the numbers of the paying homes, ``(home,)`` a side; ``root`` takes the root of their mean."""
    mean = {name: float(values.mean()) for name, values in by_home.items()}
    if root:
        mean = {name: float(np.sqrt(value)) for name, value in mean.items()}
    row: dict[str, Any] = {"group": group, "metric": metric, "channel": channel, "unit": unit}
    row |= {name: mean[name] for name in SIDES}
    row |= dict.fromkeys(("ratio", "ratio_low_95", "ratio_high_95"), np.nan)
    if has_ratio and mean["ceiling"] > 0:
        row["ratio"] = mean["generated"] / mean["ceiling"]
    count = len(by_home["generated"])
    if count > 1 and np.isfinite(row["ratio"]):
        # the same homes pay for both sides, so they are drawn together
        shares = rng.generator("use", "resamples").multinomial(count, np.full(count, 1 / count), RESAMPLES)
        above, below = shares @ by_home["generated"], shares @ by_home["ceiling"]
        ratios = above[below > 0] / below[below > 0]
        low, high = np.quantile(np.sqrt(ratios) if root else ratios, (0.025, 0.975))
        row |= {"ratio_low_95": float(low), "ratio_high_95": float(high)}
    return row | {"note": note}
