"""Homes made by the generator while an agent trains: a bank of home-years that a thread renews."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hidiff.data.traces import Traces
from hidiff.rng import generator

from .sources import Stamp, TraceSource, Window, named_parts

if TYPE_CHECKING:
    from hidiff.diffusion.hierarchy import HiDiff

REPLAYED = 16
"""Homes of former rounds that are kept once they are asked for again."""


class GeneratedSource:
    """Windows of homes that the model makes as they are needed, without end.

    A round is ``bank_homes`` homes under one weather. After ``refresh_after`` windows the next round takes over, which
    a thread has made meanwhile. A home is a function of (seed, round, place) and the model alone, not of the size of
    the bank, so an episode replays after the bank has moved on: its home is generated again (about a second).

    The same calls draw the same windows: where the next round is not ready, `draw` waits for it. With
    ``waits=False`` it goes on with the present round instead, and when rounds change depends on the machine.
    What the thread fails with is raised by `draw`. `close` ends the thread, as does the end of the programme.

    Args:
        steps: length of a window, half-hours.
        model: the shipped one by default.
        seed: of all homes.
        bank_homes: homes of a round.
        refresh_after: windows that are drawn from a round.
        start: first day of the homes' year, on the local clock.
        history_days: days of that year that a random window has before it.
        choices: further arguments of `HiDiff.sample_batches`, such as ``mode`` or ``pv_kwp``.
    """

    def __init__(
        self, steps: int, *, model: HiDiff | None = None, seed: int = 0, bank_homes: int = 8,
        refresh_after: int = 512, start: str = "2030-01-01", waits: bool = True, history_days: float = 0,
        **choices: Any,
    ) -> None:  # fmt: skip
        for name, value in (("bank_homes", bank_homes), ("refresh_after", refresh_after)):
            if value < 1:
                raise ValueError(f"{name}={value}; it must be at least 1")
        if not 2 <= steps <= 365 * 48:
            raise ValueError(
                f"a window of {steps} steps does not fit in a year of half-hours; 2 to {365 * 48}"
            )
        if model is None:
            from hidiff.diffusion.hierarchy import load

            model = load()
        self.steps = steps
        self.model = model
        self.seed = seed
        self._bank_homes, self._refresh_after, self._waits = bank_homes, refresh_after, waits
        self._start, self._history_days = start, history_days
        at_once = 1 if choices.get("device", "cpu") == "cpu" else bank_homes
        self._choices: dict[str, Any] = {"workers": 1, "batch_size": at_once, **choices}
        self._bank: list[TraceSource] = []
        self._replayed: dict[tuple[int, int], TraceSource] = {}
        self._round, self._drawn = 0, 0
        self._next: _Job | None = None  # from the first draw on, so that a source can be copied before

    @property
    def dt_h(self) -> float:
        """Step length [h]."""
        return 0.5

    def draw(
        self, random: np.random.Generator, *, home: str | None = None, start: Stamp | None = None,
        episode: str | None = None,
    ) -> Window:  # fmt: skip
        """A window of a home of the present round; a named home is what ``window.home`` says, of any round."""
        named = home
        if episode is not None:
            named, start = named_parts(episode, home, start)
        if named is not None:
            round_, place = self._parse(named)
            source = self._home(round_, place)
        else:
            self._move_on()
            round_, place = self._round, int(random.integers(len(self._bank)))
            source = self._bank[place]
            self._drawn += 1
        return source.draw(random, start=start, home=self._name(round_, place))

    def close(self) -> None:
        """End the thread, after the home that it is at; a later `draw` that needs a new round starts another."""
        if self._next is not None:
            self._next.stop()
            self._next = None

    def homes(self, round_: int, places: range) -> Iterator[TraceSource]:
        """Homes of a round, made as they are taken; each the same however many are asked for."""
        seed = int(generator("generated source", self.seed, round_).integers(2**31))
        batches = self.model.sample_batches(
            places.stop, 1, self._start, seed, skip=places.start, **self._choices
        )
        place = places.start
        for batch in batches:
            for row in range(len(batch)):
                table = batch.homes.iloc[[row]]
                table.index = pd.Index([self._name(round_, place)], name="home", dtype=object)
                rows = slice(row, row + 1)
                own = Traces(batch.load_kw[rows], batch.pv_kw[rows], batch.time, table, batch.time_zone)
                yield TraceSource(own, self.steps, history_days=self._history_days)
                place += 1

    def _move_on(self) -> None:
        """Take the next round over when it is due, and have the one after it made."""
        if self._bank and self._drawn < self._refresh_after:
            return
        if self._next is None:
            self._next = _Job(self, self._round + 1 if self._bank else 0, range(self._bank_homes))
        if self._bank and not self._waits and not self._next.is_done:
            return
        job, self._next = self._next, None
        self._bank, self._round, self._drawn = job.result(), job.round, 0
        self._next = _Job(self, self._round + 1, range(self._bank_homes))

    def _home(self, round_: int, place: int) -> TraceSource:
        if self._bank and round_ == self._round and place < len(self._bank):
            return self._bank[place]
        if (round_, place) not in self._replayed:
            if len(self._replayed) >= REPLAYED:
                self._replayed.pop(next(iter(self._replayed)))
            self._replayed[round_, place] = next(self.homes(round_, range(place, place + 1)))
        return self._replayed[round_, place]

    def _name(self, round_: int, place: int) -> str:
        return f"generated-{self.seed}-{round_}-{place}"

    def _parse(self, name: str) -> tuple[int, int]:
        """Round and place of a home's name."""
        prefix = f"generated-{self.seed}-"
        numbers = name.removeprefix(prefix).split("-")
        if not name.startswith(prefix) or len(numbers) != 2 or not all(part.isdecimal() for part in numbers):
            raise ValueError(
                f"{name!r} is no home of this source; they are named {prefix}ROUND-PLACE, such as {prefix}0-3"
            )
        return int(numbers[0]), int(numbers[1])


class _Job:
    """A round that a thread makes."""

    def __init__(self, source: GeneratedSource, round_: int, places: range) -> None:
        self.round = round_
        self._homes: list[TraceSource] = []
        self._error: BaseException | None = None
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(source, places), name=f"hidiff homes, round {round_}"
        )
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether `result` need not wait."""
        return not self._thread.is_alive()

    def result(self) -> list[TraceSource]:
        """The homes, when they are made; what the thread failed with is raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._homes

    def stop(self) -> None:
        """End the thread after the home that it is at."""
        self._is_stopped.set()
        self._thread.join()

    def _run(self, source: GeneratedSource, places: range) -> None:
        try:
            for home in source.homes(self.round, places):
                self._homes.append(home)
                # not a daemon, whose torch would run into the end of the interpreter; so it watches for that end
                if self._is_stopped.is_set() or not threading.main_thread().is_alive():
                    return
        except BaseException as error:  # for `result` to raise
            self._error = error
