"""A torch dataset over a stored set: windows of homes, split over workers and ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed
from torch.utils.data import IterableDataset, get_worker_info

from hidiff.rng import generator

from .parquet import year_starts
from .stored import CHANNELS, StoredTraces, checked_columns

HOMES_MIXED = 16
"""Homes whose windows are shuffled among each other, and are in memory, at a time; the order of homes is
shuffled over the whole set."""


class HomeWindows(IterableDataset[dict[str, Any]]):
    """Each window of each home once an epoch, whatever the number of workers and ranks.

    A sample is a dict: ``power_kw``, a float32 tensor ``(step, channel)`` with channels as in ``columns``;
    ``home``, the name; ``start_us``, the window's first step in microseconds since 1970, UTC. Homes are dealt
    out one by one, first to the ranks of torch.distributed and then to the workers of the DataLoader, so
    ranks differ by at most one home. Memory holds `HOMES_MIXED` homes a worker.

    With ``shuffle``, the order is a function of the seed, the epoch and the number of workers and ranks; call
    ``set_epoch`` before each epoch, as with torch's DistributedSampler. It also reaches persistent workers.

    Args:
        window_steps: length of a window; without it, samples are the home-years, counted from the first step
            (of 17,520 or 17,568 half-hours, so a DataLoader needs ``batch_size=None``; a last year that is
            not whole is shorter).
        stride_steps: from one window to the next, ``window_steps`` if not given; a remainder at the end of a
            home that is shorter than a window is left out.
        rank, ranks: place among the ranks, where it is not that of torch.distributed.

    Raises:
        ValueError: a length or stride below one, a window that is longer than the traces, an unknown column.
    """

    def __init__(
        self,
        stored: StoredTraces,
        *,
        window_steps: int | None = None,
        stride_steps: int | None = None,
        columns: Sequence[str] = CHANNELS,
        shuffle: bool = False,
        seed: int = 0,
        rank: int | None = None,
        ranks: int | None = None,
    ) -> None:
        super().__init__()
        self.stored = stored
        self.columns = checked_columns(columns)
        self.bounds = window_bounds(stored, window_steps, stride_steps)
        self.shuffle = shuffle
        self.seed = seed
        if (rank is None) != (ranks is None) or (rank is not None and not 0 <= rank < (ranks or 0)):
            raise ValueError(f"rank={rank}, ranks={ranks}; give both, with 0 <= rank < ranks, or neither")
        self._place = None if rank is None or ranks is None else (rank, ranks)
        # In shared memory, so that workers that live through several epochs see it change.
        self._epoch: Tensor = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    @property
    def windows(self) -> int:
        """Windows in an epoch, over all workers and ranks."""
        return len(self.stored) * len(self.bounds)

    def set_epoch(self, epoch: int) -> None:
        """Another order for the next epoch; without ``shuffle`` it changes nothing."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        epoch = int(self._epoch)
        names = self.stored.names
        if self.shuffle:
            order = generator("windows", "homes", self.seed, epoch).permutation(len(names))
            names = [names[row] for row in order]
        rank, ranks = self._place or _distributed_place()
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        mine = share_of(names, rank, ranks, number, workers)
        homes_at_once = HOMES_MIXED if self.shuffle else 1
        for at in range(0, len(mine), homes_at_once):
            yield from self._samples(mine[at : at + homes_at_once], epoch)

    def __getstate__(self) -> dict[str, Any]:
        """A worker that is spawned is no rank itself: it takes the place of the process that starts it."""
        return self.__dict__ | {"_place": self._place or _distributed_place()}

    def _samples(self, names: Sequence[str], epoch: int) -> Iterator[dict[str, Any]]:
        """All windows of some homes, which are read now."""
        homes = [np.ascontiguousarray(self.stored.read_home(name, self.columns).T) for name in names]
        order = np.arange(len(names) * len(self.bounds))
        if self.shuffle:
            order = generator("windows", "steps", self.seed, epoch, names[0]).permutation(order)
        for place in order:
            home, window = divmod(int(place), len(self.bounds))
            start, end = self.bounds[window]
            # A copy: windows may overlap, and what a user does to one must not be seen in the next.
            yield {
                "power_kw": torch.from_numpy(homes[home][start:end].copy()),  # (step, channel)
                "home": names[home],
                "start_us": int(self.stored.time.asi8[start]),
            }


def share_of(names: Sequence[str], rank: int, ranks: int, worker: int, workers: int) -> Sequence[str]:
    """Homes of one worker of one rank: dealt to the ranks first, and what a rank got to its workers."""
    return names[rank::ranks][worker::workers]


def window_bounds(
    stored: StoredTraces, window_steps: int | None, stride_steps: int | None
) -> list[tuple[int, int]]:
    """First step of each window and the step after its last."""
    steps = len(stored.time)
    if window_steps is None:
        if stride_steps is not None:
            raise ValueError(f"stride_steps={stride_steps} needs window_steps; without it a sample is a year")
        return list(pairwise(year_starts(stored.time, stored.time_zone)))
    stride = window_steps if stride_steps is None else stride_steps
    if not 1 <= window_steps <= steps or stride < 1:
        raise ValueError(
            f"window_steps={window_steps}, stride_steps={stride}; a window has 1 to {steps} steps, the length "
            "of the traces, and a stride at least 1"
        )
    return [(start, start + window_steps) for start in range(0, steps - window_steps + 1, stride)]


def _distributed_place() -> tuple[int, int]:
    """This process's rank, and the number of ranks."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
