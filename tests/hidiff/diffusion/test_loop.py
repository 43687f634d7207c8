"""The training loop: it learns, it resumes where it was killed, and it says when it cannot go on."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hidiff.diffusion import loop
from hidiff.diffusion.loop import LoopConfig, fit, learning_rate
from hidiff.errors import NotConverged

CONFIG = LoopConfig(
    steps=30, batch=8, learning_rate=1e-2, warmup_steps=5, ema_halflife_steps=3, validate_every=10, bf16=False
)


class Task:
    """A line to learn, with dropout, so that the order of random numbers matters."""

    def __init__(self) -> None:
        torch.manual_seed(7)
        self.module = nn.Sequential(nn.Linear(4, 16), nn.SiLU(), nn.Dropout(0.2), nn.Linear(16, 1))
        self.seen: list[float] = []

    def loss(self, rng: np.random.Generator, batch: int) -> Tensor:
        x = torch.from_numpy(rng.standard_normal((batch, 4), dtype=np.float32))
        self.seen.append(float(x[0, 0]))
        return ((self.module(x) - x.sum(1, keepdim=True)) ** 2).mean()

    def validate(self) -> float:
        assert not self.module.training
        x = torch.linspace(-1, 1, 40).reshape(10, 4)
        with torch.no_grad():
            return float(((self.module(x) - x.sum(1, keepdim=True)) ** 2).mean())

    def weights(self) -> Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self.module.parameters()])


def test_it_learns_and_ends_with_the_weights_that_validated_best(tmp_path: Path) -> None:
    task = Task()
    before = Task().module.eval()
    history = fit(task.module, task.loss, task.validate, replace(CONFIG, steps=300), tmp_path)
    losses = [row["validation_loss"] for row in history]
    assert [row["step"] for row in history] == list(range(10, 301, 10))
    assert min(losses) < 0.3 * losses[0]
    assert task.validate() == pytest.approx(min(losses), rel=1e-5)
    assert not task.module.training and not before.training


def test_a_killed_and_resumed_run_is_the_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Task()
    fit(whole.module, whole.loss, whole.validate, CONFIG, tmp_path / "whole", name="x")

    killed = Task()
    always = replace(CONFIG, save_every_s=1e-9)

    def dies(rng: np.random.Generator, batch: int) -> Tensor:
        if len(killed.seen) == 17:
            raise KeyboardInterrupt
        return killed.loss(rng, batch)

    with pytest.raises(KeyboardInterrupt):
        fit(killed.module, dies, killed.validate, always, tmp_path / "killed", name="x")
    again = Task()
    torch.nn.init.zeros_(again.module[0].weight)  # type: ignore[arg-type]  # the state brings its own weights
    fit(again.module, again.loss, again.validate, CONFIG, tmp_path / "killed", name="x", resume=True)
    assert len(again.seen) == 30 - 17
    torch.testing.assert_close(again.weights(), whole.weights(), rtol=1e-6, atol=1e-7)


def test_each_call_trains_for_max_minutes_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))  # a second a look
    limited = replace(CONFIG, max_minutes=20 / 60, save_every_s=1e9)
    steps = []
    for resume in (False, True):
        task = Task()
        history = fit(task.module, task.loss, task.validate, limited, tmp_path, name="x", resume=resume)
        steps.append(history[-1]["step"])
    assert 5 <= steps[0] < 30
    assert steps[1] >= steps[0] + 5


def test_without_resume_an_old_state_is_not_looked_at(tmp_path: Path) -> None:
    first, second = Task(), Task()
    fit(first.module, first.loss, first.validate, CONFIG, tmp_path)
    fit(second.module, second.loss, second.validate, CONFIG, tmp_path)
    assert len(second.seen) == 30
    torch.testing.assert_close(first.weights(), second.weights())


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    first, second = Task(), Task()
    rows = fit(first.module, first.loss, first.validate, CONFIG, tmp_path)
    assert fit(second.module, second.loss, second.validate, CONFIG, tmp_path, resume=True) == rows
    assert second.seen == []
    torch.testing.assert_close(first.weights(), second.weights())


def test_another_seed_brings_other_batches(tmp_path: Path) -> None:
    first, second = Task(), Task()
    fit(first.module, first.loss, first.validate, CONFIG, tmp_path / "0")
    fit(second.module, second.loss, second.validate, replace(CONFIG, seed=1), tmp_path / "1")
    assert not set(first.seen) & set(second.seen)


def test_a_run_that_went_to_nowhere_is_stopped(tmp_path: Path) -> None:
    task = Task()
    with pytest.raises(NotConverged, match="validation loss of high is nan at step 10"):
        fit(task.module, task.loss, lambda: math.nan, CONFIG, tmp_path, name="high")


def test_the_rate_warms_up_and_falls_to_a_fiftieth() -> None:
    rates = [learning_rate(step, CONFIG) for step in range(30)]
    assert rates[0] == pytest.approx(1e-2 / 5) and rates[4] == pytest.approx(1e-2)
    assert max(rates) == pytest.approx(1e-2)
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert learning_rate(30, CONFIG) == pytest.approx(2e-4)


@pytest.mark.parametrize("name", ["steps", "batch", "gradient_limit", "max_minutes"])
def test_settings_of_nothing_are_refused(name: str) -> None:
    for value in (0, math.nan):
        with pytest.raises(ValueError, match=f"{name}=.*must be above 0"):
            replace(CONFIG, **{name: value})  # type: ignore[arg-type]
