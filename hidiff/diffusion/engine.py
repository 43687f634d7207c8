"""Work done by threads: in order, a few pieces at a time, each on one core."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows


MOST_HOME_YEARS = {"cpu": 32, "cuda": 64}
"""In a batch; more would neither be faster nor leave a bar that moves."""
BYTES_PER_HOME_YEAR = {"cpu": 1_000_000, "cuda": 8_000_000}
"""Of a batch that is being made: traces, signal and envelope; on a card the conditions of its windows as well."""


BYTES_OF_A_PASS = 2**30
"""On a card, of one worker's pass of the low level, rounded up."""


def free_bytes(device: str) -> int:
    """Memory that is free on the machine or on its card; a gibibyte where the system does not tell."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows, macOS
        return 2**30


def workers_that_fit(device: str) -> int:
    """A worker a core; on a card, which the workers feed, no more than leave it half its memory."""
    if device == "cpu":
        return cores()
    return max(min(cores(), free_bytes(device) // 2 // BYTES_OF_A_PASS), 1)


def homes_that_fit(device: str, years: int, workers: int) -> int:
    """Homes of a batch such that three for each worker fill at most a quarter of the free memory; at least one."""
    fits = free_bytes(device) / 4 / (3 * workers * BYTES_PER_HOME_YEAR[device])
    return max(int(min(fits, MOST_HOME_YEARS[device]) / years), 1)


def _settle_down() -> None:
    """Make the most of the core that a new thread has: one thread a product, and memory that stays in the house."""
    torch.set_num_threads(1)  # of this thread, and of those that start after it
    # glibc hands freed memory back to the system, to be taken anew page by page (7 % of the time of a pass), up to
    # twice the size of the largest block that was freed; one of this size costs nothing where nobody writes to it
    torch.empty(30 * 2**20, dtype=torch.uint8)


def in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """``work`` of each of ``items``, in their order, by ``workers`` threads that use one core each.

    Many small products gain less from two cores each than from a core of their own, and on one core a sum is
    always added up the same way, so the results are the same bits for any number of workers. No more than two
    pieces a worker are taken ahead of the one that is asked for; what is left undone when the caller stops is
    never begun. PyTorch's number of threads is afterwards what it was.
    """
    threads = torch.get_num_threads()
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, "hidiff", initializer=_settle_down)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads)
