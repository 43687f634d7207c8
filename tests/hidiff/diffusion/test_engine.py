"""Threads that work in order, a few pieces ahead, and leave PyTorch as they found it."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from hidiff.diffusion import engine


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def threads_of_a_new_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_order_however_long_each_takes(workers: int) -> None:
    def work(item: int) -> int:
        time.sleep(0.01 * ((7 * item) % 5))
        return item * item

    assert list(engine.in_order(work, range(12), workers)) == [item * item for item in range(12)]


def test_no_more_than_two_pieces_a_worker_are_taken_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = engine.in_order(lambda item: item, items(), 3)
    for place in range(20):
        assert next(results) == place
        assert len(taken) <= place + 6
    results.close()  # type: ignore[attr-defined]
    assert len(taken) < 30


def test_each_piece_runs_on_one_core_and_the_setting_comes_back(three_threads: None) -> None:
    seen = list(engine.in_order(lambda _: torch.get_num_threads(), range(6), 2))
    assert seen == [1] * 6
    assert torch.get_num_threads() == 3
    assert threads_of_a_new_thread() == 3


def test_the_setting_comes_back_when_the_work_fails(three_threads: None) -> None:
    def work(item: int) -> int:
        if item == 3:
            raise OSError("no more")
        return item

    with pytest.raises(OSError, match="no more"):
        list(engine.in_order(work, range(10), 2))
    assert torch.get_num_threads() == 3 and threads_of_a_new_thread() == 3


def test_a_caller_who_stops_early_ends_the_threads(three_threads: None) -> None:
    begun: list[int] = []
    results = engine.in_order(begun.append, range(1000), 2)
    next(results)
    assert any(thread.name.startswith("hidiff") for thread in threading.enumerate())
    del results  # as a broken loop does
    assert not any(thread.name.startswith("hidiff") for thread in threading.enumerate())
    assert len(begun) < 10 and torch.get_num_threads() == 3


def test_homes_of_a_batch_fit_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "free_bytes", lambda device: 2**40)
    assert engine.homes_that_fit("cpu", 1, 2) == engine.MOST_HOME_YEARS["cpu"]
    assert engine.homes_that_fit("cpu", 10, 2) == engine.MOST_HOME_YEARS["cpu"] // 10
    assert engine.homes_that_fit("cpu", 100, 2) == 1
    monkeypatch.setattr(engine, "free_bytes", lambda device: 96 * engine.BYTES_PER_HOME_YEAR[device])
    assert engine.homes_that_fit("cpu", 1, 2) == 4
    assert engine.homes_that_fit("cpu", 1, 64) == 1


def test_a_card_is_fed_by_as_many_workers_as_its_memory_bears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "cores", lambda: 16)
    for gib, workers in ((80, 16), (8, 4), (1, 1)):
        monkeypatch.setattr(engine, "free_bytes", lambda device, gib=gib: gib * 2**30)
        assert engine.workers_that_fit("cuda") == workers
        assert engine.workers_that_fit("cpu") == 16


def test_some_memory_is_free_and_some_cores_are_there() -> None:
    assert engine.free_bytes("cpu") > 2**20 and engine.cores() >= 1
