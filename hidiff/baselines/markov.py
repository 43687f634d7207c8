"""A Markov chain of day clusters, after HEDGE (Charbonnier et al. 2024, MethodsX, PMC10904188).

Days of each channel are clustered by shape; a chain of clusters and a chain of magnitudes (a day's energy over
the home's mean) run from day to day, with transitions of the calendar month and of the kind of day that follows; a
real day of the month, the cluster and the magnitude, scaled to the home's size, gives the half-hours. HEDGE draws its
days from one GAN a cluster; here they are real, which can only help it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff import rng
from hidiff.data import calendars
from hidiff.data.calendars import STEPS_PER_DAY, Grid
from hidiff.data.prepare import to_days
from hidiff.data.traces import Traces

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
Cells = dict[tuple[int, int, int], Ints]
"""Known days ``(n, 2)``, pairs ``(home, day)``, by month (0..11), cluster and class of magnitude."""
ANY = -1
FALLBACK = (
    (True, True, True), (True, False, True), (True, True, False), (True, False, False), (False, False, True),
    (False, False, False),
)  # fmt: skip
"""Which of month, cluster and magnitude a day must share, the first that has a day; energy before shape."""
SMALLEST_KW = 1e-6
"""Mean power [kW] below which a day has no shape and a home no size."""


@dataclass(frozen=True, kw_only=True)
class DayMarkov:
    """How many states the chains have, and how far a home's own transitions are trusted."""

    clusters: int = 8
    """Shapes of a day of each channel."""
    magnitudes: int = 8
    """Classes of a day's energy over the home's mean, equally frequent in the population."""
    population_days: float = 10.0
    """Transitions of the population that are mixed into those of a home, of each state, month and kind of day."""
    seed: int = 0
    """Of the clustering."""

    def __post_init__(self) -> None:
        for name in ("clusters", "magnitudes"):
            if not getattr(self, name) >= 2:
                raise ValueError(f"{name}={getattr(self, name)}; a chain needs at least 2 states")
        if not self.population_days > 0:
            raise ValueError(f"population_days={self.population_days}; it must be above 0")

    def fit(self, traces: Traces) -> FittedDayMarkov:
        """Clusters, chains and days of ``traces``; a day with NaN is a gap.

        Load days are turned to the clock on the wall and PV days keep standard time.

        Raises:
            ValueError: steps other than half-hours, a home without a whole day, a month without one.
        """
        grid, load_kw, pv_kw = to_days(traces)
        is_known: NDArray[np.bool_] = np.asarray(np.isfinite(load_kw).all(2) & np.isfinite(pv_kw).all(2))
        if not is_known.any(1).all():
            raise ValueError(
                f"home {traces.names[int(is_known.any(1).argmin())]!r} has no whole day; drop it"
            )
        months = np.asarray(grid.dates.month) - 1
        lacking = set(range(12)) - set(months[is_known.any(0)])
        if lacking:
            raise ValueError(f"no whole day in month {min(lacking) + 1}; fit at least a whole year")
        kinds = months * 2 + day_off(grid)
        chains = {
            "load": _chains(on_the_clock(load_kw, grid), is_known, kinds, self),
            "pv": _chains(pv_kw, is_known, kinds, self),
        }
        return FittedDayMarkov(config=self, traces=traces, is_known=is_known, months=months, chains=chains)


@dataclass(frozen=True, kw_only=True, eq=False)
class Chains:
    """One channel: its days, what states they are in, and how the states follow each other."""

    mean_kw: Floats
    """Mean power of each home, ``(home,)`` [kW]."""
    ratio: Floats
    """Power over the home's mean, ``(home, day, 48)``; zero where unknown."""
    cluster: Ints
    """``(home, day)``; -1 where unknown."""
    level: Ints
    """Class of the magnitude, ``(home, day)``; -1 where unknown."""
    cluster_counts: NDArray[np.float64]
    """Transitions of each home into a kind of day (month * 2 + day off), ``(home, kind, state, state)``."""
    level_counts: NDArray[np.float64]

    def transitions(
        self, counts: NDArray[np.float64], home: int | None, weight: float
    ) -> NDArray[np.float64]:
        """Probabilities ``(kind, state, state)`` of the population, or of a home with ``weight`` of those.

        A row that was never seen takes the frequencies of the states it leads to, whatever came before.
        """
        states = counts.shape[-1]
        frequency = counts.sum((0, 2))[:, None] + 1e-9 / states  # (kind, 1, state)
        frequency = frequency / frequency.sum(-1, keepdims=True)
        total = counts.sum(0) + 1e-6 * frequency
        population = total / total.sum(-1, keepdims=True)
        if home is None:
            return np.asarray(population)
        own = counts[home] + weight * population
        return np.asarray(own / own.sum(-1, keepdims=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedDayMarkov:
    """Chains with their days; made by ``DayMarkov.fit``."""

    config: DayMarkov
    traces: Traces
    is_known: NDArray[np.bool_]
    """``(home, day)``."""
    months: NDArray[np.int64]
    """Calendar month less one of each day."""
    chains: dict[str, Chains]

    def sample(
        self, homes: int | Sequence[str], years: int = 1, start: str = "2012-07-01", seed: int = 0
    ) -> Traces:
        """Traces of ``years`` years from ``start`` on the local clock.

        Args:
            homes: how many new homes: each takes its size and its panels from a fitted home (each once before
                any comes again), the transitions and the load days of all; or the names of fitted homes, which
                keep to their own days.
            seed: equal seeds give equal traces, whatever the number of homes.
        Returns:
            Traces; the column ``source_home`` of their homes names the fitted home.
        Raises:
            ValueError: an unknown home, fewer than one home or year.
        """
        source = self.traces
        if years < 1:
            raise ValueError(f"years={years} is below 1; ask for at least one year")
        is_new = isinstance(homes, int)
        if isinstance(homes, int):
            if homes < 1:
                raise ValueError(f"homes={homes} is below 1; ask for at least one home")
            order = rng.generator(seed, "markov", "homes").permutation(len(source))
            rows = order[np.arange(homes) % len(source)]
            names = [f"markov-{number:05d}" for number in range(homes)]
        else:
            names = list(homes)
            rows = source.homes.index.get_indexer(pd.Index(source.select(names).names))
        first = pd.Timestamp(start).tz_localize(source.time_zone)
        end = first + pd.DateOffset(years=years)
        bounds = (first.tz_convert("UTC"), end.tz_convert("UTC"))
        time = pd.date_range(*bounds, freq="30min", inclusive="left")
        begin, last = (calendars.first_standard_date(time[i], source.time_zone) for i in (0, -1))
        grid = calendars.day_grid(begin, (last - begin).days + 1, source.time_zone)
        lead = int((time[0] - grid.time[0]) // pd.Timedelta(minutes=30))
        cut = slice(lead, lead + len(time))
        load_kw = np.empty((len(rows), len(time)), dtype=np.float32)
        pv_kw = np.empty((len(rows), len(time)), dtype=np.float32)
        capacity = source.homes["pv_capacity_kwp"].to_numpy(dtype=np.float64)
        everyone = self._cells("load", np.arange(len(source))) if is_new else None
        for number, (row, name) in enumerate(zip(rows, names, strict=True)):
            own = np.array([row])
            load_cells = everyone or self._cells("load", own)
            load = self._days("load", grid, None if is_new else int(row), load_cells, seed, name)
            load = load * self.chains["load"].mean_kw[row]
            load_kw[number] = off_the_clock(load, grid).ravel()[cut]
            pv = self._days("pv", grid, int(row), self._cells("pv", own), seed, name)
            pv = pv * self.chains["pv"].mean_kw[row]
            pv_kw[number] = np.minimum(pv.ravel()[cut], capacity[row])
        table = source.homes.iloc[rows].assign(source_home=[source.names[row] for row in rows])
        table.index = pd.Index(names, name="home")
        return Traces(load_kw, pv_kw, time, table, source.time_zone)

    def _days(self, channel: str, grid: Grid, home: int | None, cells: Cells, seed: int, key: str) -> Floats:
        """Power over the home's mean, ``(day, 48)``: chains of ``home`` or of all, days of ``cells``."""
        chain, weight = self.chains[channel], self.config.population_days
        kinds = (np.asarray(grid.dates.month) - 1) * 2 + day_off(grid)
        uniform = np.concatenate(
            [
                rng.generator(seed, "markov", key, channel, int(year)).random((367, 3))[
                    np.asarray(grid.dates.day_of_year)[grid.dates.year == year]
                ]
                for year in grid.dates.year.unique()
            ]
        )
        clusters = walk(chain.transitions(chain.cluster_counts, home, weight), kinds, uniform[:, 0])
        levels = walk(chain.transitions(chain.level_counts, home, weight), kinds, uniform[:, 1])
        result = np.zeros((len(grid), STEPS_PER_DAY))
        for day, (cluster, level) in enumerate(zip(clusters, levels, strict=True)):
            month = int(kinds[day] // 2)
            result[day] = chain.ratio[pick(cells, (month, int(cluster), int(level)), uniform[day, 2])]
        return result

    def _cells(self, channel: str, rows: Ints) -> Cells:
        """Known days of ``rows``, by all or some of month, cluster and class of magnitude."""
        chain = self.chains[channel]
        home, day = np.nonzero(self.is_known[rows])
        at = np.stack([rows[home], day], axis=1)
        places = np.stack([self.months[day], chain.cluster[rows[home], day], chain.level[rows[home], day]], 1)
        cells: Cells = {}
        for counts in FALLBACK:
            found, cell = np.unique(np.where(counts, places, ANY), axis=0, return_inverse=True)
            order = np.argsort(cell, kind="stable")
            parts = np.split(at[order], np.cumsum(np.bincount(cell))[:-1])
            cells |= {(int(m), int(c), int(v)): part for (m, c, v), part in zip(found, parts, strict=True)}
        return cells


def pick(cells: Cells, place: tuple[int, int, int], uniform: float) -> tuple[int, int]:
    """Home and day of a cell; of a wider one in the order of `FALLBACK` where it is empty."""
    wanted = (tuple(np.where(counts, place, ANY).tolist()) for counts in FALLBACK)
    days = next(cells[cell] for cell in wanted if cell in cells)
    home, day = days[int(uniform * len(days))]
    return int(home), int(day)


def day_off(grid: Grid) -> Ints:
    """1 on Saturdays, Sundays and public holidays, else 0, ``(day,)``."""
    return np.asarray((grid.weekday >= 5) | grid.is_holiday, dtype=np.int64)


def on_the_clock(days: Floats, grid: Grid) -> Floats:
    """Standard-time days ``(…, day, 48)`` turned so that slot 0 is midnight on the wall clock."""
    return _turned(days, grid, 1)


def off_the_clock(days: Floats, grid: Grid) -> Floats:
    """The inverse of `on_the_clock`."""
    return _turned(days, grid, -1)


def _turned(days: Floats, grid: Grid, sign: int) -> Floats:
    late = np.rint(grid.clock_hour[:, 0] * 2).astype(np.int64)
    slots = (np.arange(STEPS_PER_DAY) - sign * late[:, None]) % STEPS_PER_DAY
    return np.take_along_axis(days, np.broadcast_to(slots, days.shape), axis=-1)


def walk(transitions: NDArray[np.float64], kinds: Ints, uniform: NDArray[np.float64]) -> Ints:
    """States of a chain, one a day: that of day i follows from that of day i - 1 as its own kind has it.

    Args:
        transitions: ``(kind, state, state)``, rows sum to one.
        kinds: ``(day,)``.
        uniform: random numbers, ``(day,)``.
    """
    cumulative = transitions.cumsum(-1)
    cumulative[..., -1] = 1
    settled = np.full(transitions.shape[-1], 1 / transitions.shape[-1])
    for _ in range(50):  # the first day comes from where the chain of its kind settles
        settled = settled @ transitions[kinds[0]]
    states = np.empty(len(kinds), dtype=np.int64)
    states[0] = min(int(np.searchsorted(settled.cumsum(), uniform[0])), len(settled) - 1)
    for day in range(1, len(kinds)):
        states[day] = int(np.searchsorted(cumulative[kinds[day], states[day - 1]], uniform[day]))
    return states


def count_transitions(states: Ints, kinds: Ints, number: int) -> NDArray[np.float64]:
    """How often state follows state from one known day to the next, ``(home, kind, state, state)``.

    Args:
        states: ``(home, day)``, -1 where unknown.
        kinds: kind of the day that is reached, ``(day,)``, 0..23.
    """
    counts = np.zeros((len(states), 24, number, number))
    home, day = np.nonzero((states[:, 1:] >= 0) & (states[:, :-1] >= 0))
    np.add.at(counts, (home, kinds[day + 1], states[home, day], states[home, day + 1]), 1)
    return counts


def _chains(days_kw: Floats, is_known: NDArray[np.bool_], kinds: Ints, config: DayMarkov) -> Chains:
    from sklearn.cluster import MiniBatchKMeans

    days = np.where(is_known[..., None], days_kw, 0.0)
    own = days.mean(2)
    mean_kw = own.sum(1) / is_known.sum(1)
    ratio = (days / np.maximum(mean_kw, SMALLEST_KW)[:, None, None]).astype(np.float32)
    magnitude = ratio.mean(2)
    shapes = days[is_known] / np.maximum(own[is_known], SMALLEST_KW)[:, None]
    # The root tames single spikes, which would else make a cluster each.
    features = np.sqrt(shapes.reshape(-1, STEPS_PER_DAY // 2, 2).mean(2))
    found = MiniBatchKMeans(config.clusters, random_state=config.seed, n_init=3, batch_size=4096).fit(
        features
    )
    cluster = np.full(is_known.shape, -1, dtype=np.int64)
    cluster[is_known] = found.predict(features)
    edges = np.quantile(magnitude[is_known], np.arange(1, config.magnitudes) / config.magnitudes)
    level = np.where(is_known, np.searchsorted(edges, magnitude, side="right"), -1)
    return Chains(
        mean_kw=mean_kw, ratio=ratio, cluster=cluster, level=level,
        cluster_counts=count_transitions(cluster, kinds, config.clusters),
        level_counts=count_transitions(level, kinds, config.magnitudes),
    )  # fmt: skip
