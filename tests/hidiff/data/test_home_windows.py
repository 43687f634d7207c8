"""Every window of every home comes once an epoch, however many workers and ranks share the work."""

import pickle
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed
from torch.utils.data import DataLoader

import hidiff
from hidiff.data.home_windows import HomeWindows, share_of, window_bounds
from hidiff.data.stored import StoredTraces
from hidiff.data.traces import Traces

WEEK = 336


@pytest.fixture
def stored(stored_folder: Path) -> StoredTraces:
    return hidiff.open(stored_folder)


def keys(samples: Any) -> list[tuple[str, int]]:
    return [(sample["home"], sample["start_us"]) for sample in samples]


def load(dataset: HomeWindows, workers: int, **choices: Any) -> DataLoader[Any]:
    return DataLoader(dataset, batch_size=None, num_workers=workers, **choices)


@pytest.fixture(autouse=True)
def few_cores_are_enough() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        yield


def test_a_window_is_the_steps_of_its_home(stored: StoredTraces, stored_in_memory: Traces) -> None:
    dataset = stored.to_torch(window_steps=WEEK, stride_steps=100)
    samples = list(dataset)
    assert len(samples) == dataset.windows == 7 * ((21600 - WEEK) // 100 + 1)
    for sample in samples[:: len(samples) // 20]:
        home = stored_in_memory.select([sample["home"]])
        first = int(np.searchsorted(home.time.asi8, sample["start_us"]))
        expected = np.stack([home.load_kw[0], home.pv_kw[0]], axis=-1)[first : first + WEEK]
        assert sample["power_kw"].dtype == torch.float32
        np.testing.assert_array_equal(sample["power_kw"].numpy(), expected)


def test_home_years_begin_on_the_same_local_day(stored: StoredTraces) -> None:
    samples = list(stored.to_torch(columns=["pv_kw"]))
    assert [tuple(sample["power_kw"].shape) for sample in samples[:2]] == [(366 * 48, 1), (84 * 48, 1)]
    assert len(samples) == 14


def test_windows_are_collated_into_batches(stored: StoredTraces) -> None:
    batch = next(iter(DataLoader(stored.to_torch(window_steps=48), batch_size=5)))
    assert batch["power_kw"].shape == (5, 48, 2)
    assert len(batch["home"]) == len(batch["start_us"]) == 5


@pytest.mark.parametrize("workers", [1, 2, 3, 9])
def test_worker_processes_send_each_window_once(workers: int, stored: StoredTraces) -> None:
    dataset = stored.to_torch(window_steps=5 * WEEK, shuffle=True)
    sent = keys(load(dataset, workers))
    assert Counter(sent) == Counter(keys(stored.to_torch(window_steps=5 * WEEK)))
    assert keys(load(dataset, workers)) == sent


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_that_live_on_see_the_epoch(start: str, stored: StoredTraces) -> None:
    dataset = stored.to_torch(window_steps=5 * WEEK, shuffle=True, seed=4)
    loader = load(dataset, 2, persistent_workers=True, multiprocessing_context=start)
    epochs = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        epochs.append(keys(loader))
    assert epochs[0] == epochs[2] != epochs[1]
    assert Counter(epochs[0]) == Counter(epochs[1]) == Counter(keys(dataset))


@pytest.mark.parametrize(("ranks", "workers"), [(2, 0), (3, 2), (4, 3)])
def test_ranks_and_their_workers_send_each_window_once(
    ranks: int, workers: int, stored: StoredTraces
) -> None:
    choices: dict[str, Any] = {"window_steps": 5 * WEEK, "shuffle": True}
    shares = [
        keys(load(HomeWindows(stored, rank=rank, ranks=ranks, **choices), workers)) for rank in range(ranks)
    ]
    assert Counter(chain.from_iterable(shares)) == Counter(keys(HomeWindows(stored, **choices)))
    homes = [len({home for home, _ in share}) for share in shares]
    assert max(homes) - min(homes) <= 1


def test_a_spawned_worker_keeps_the_rank_of_its_process(
    stored: StoredTraces, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = stored.to_torch(window_steps=5 * WEEK)
    with monkeypatch.context() as patch:
        patch.setattr(distributed, "is_initialized", lambda: True)
        patch.setattr(distributed, "get_rank", lambda: 1)
        patch.setattr(distributed, "get_world_size", lambda: 3)
        here, sent = keys(dataset), pickle.dumps(dataset)
    assert {home for home, _ in here} == set(stored.names[1::3])
    assert keys(pickle.loads(sent)) == here


def test_the_order_is_a_function_of_seed_and_epoch(stored: StoredTraces) -> None:
    def order(seed: int, epoch: int) -> list[tuple[str, int]]:
        dataset = stored.to_torch(window_steps=5 * WEEK, shuffle=True, seed=seed)
        dataset.set_epoch(epoch)
        return keys(dataset)

    assert order(1, 0) == order(1, 0)
    orders = [order(1, 0), order(1, 1), order(2, 0), keys(stored.to_torch(window_steps=5 * WEEK))]
    assert len({tuple(one) for one in orders}) == 4
    assert len({frozenset(one) for one in orders}) == 1


def test_shuffling_mixes_the_windows_of_several_homes(stored: StoredTraces) -> None:
    homes = [home for home, _ in keys(stored.to_torch(window_steps=WEEK, shuffle=True))]
    assert len(set(homes[:20])) > 3


def test_a_sample_changed_in_place_leaves_the_next_as_it_is(stored: StoredTraces) -> None:
    choices = {"window_steps": 48, "stride_steps": 24}
    samples = iter(stored.to_torch(**choices))
    next(samples)["power_kw"].zero_()
    expected = list(stored.between("2011-11-01", "2011-11-04").to_torch(**choices))[1]
    assert torch.equal(next(samples)["power_kw"], expected["power_kw"])


def test_a_wrong_window_is_refused(stored: StoredTraces) -> None:
    for window, stride in ((0, None), (21601, None), (48, 0)):
        with pytest.raises(ValueError, match=rf"window_steps={window}, stride_steps=.*1 to 21600 steps"):
            stored.to_torch(window_steps=window, stride_steps=stride)
    with pytest.raises(ValueError, match="stride_steps=48 needs window_steps"):
        stored.to_torch(stride_steps=48)
    with pytest.raises(ValueError, match=r"no column 'load'; did you mean 'load_kw'\?"):
        stored.to_torch(columns=["load"])
    for rank, ranks in ((0, None), (2, 2), (-1, 2)):
        with pytest.raises(ValueError, match="give both, with 0 <= rank < ranks"):
            HomeWindows(stored, rank=rank, ranks=ranks)


@given(
    homes=st.integers(0, 40), ranks=st.integers(1, 6), workers=st.integers(1, 6),
)  # fmt: skip
def test_homes_are_dealt_out_without_rest(homes: int, ranks: int, workers: int) -> None:
    names = [str(home) for home in range(homes)]
    dealt = [
        share_of(names, rank, ranks, worker, workers) for rank in range(ranks) for worker in range(workers)
    ]
    assert sorted(chain.from_iterable(dealt), key=int) == names


@given(steps=st.integers(1, 400), window=st.integers(1, 400), stride=st.integers(1, 50))
def test_windows_are_all_that_fit(steps: int, window: int, stride: int) -> None:
    class Span:
        time = range(steps)

    if window > steps:
        with pytest.raises(ValueError, match="window_steps"):
            window_bounds(Span(), window, stride)  # type: ignore[arg-type]
        return
    bounds = window_bounds(Span(), window, stride)  # type: ignore[arg-type]
    assert all(
        end - start == window and start == number * stride for number, (start, end) in enumerate(bounds)
    )
    assert bounds[-1][1] <= steps < bounds[-1][1] + stride
