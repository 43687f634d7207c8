"""TimeGAN: three phases that each do their part, windows that follow their condition, runs that repeat."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hidiff.baselines.timegan import Networks, TimeGan, TimeGanConfig, known_of
from hidiff.baselines.windows import CONDITION, Windows

HOUSEHOLD = 3
TINY = TimeGanConfig(width=8, layers=2, batch=4, steps=3, embedding_share=0.3, supervised_share=0.3)


def known_day(homes: int = 6, days: int = 5) -> Windows:
    """A wave a day that the first condition value tells, and a dip in clearness; no noise at all."""
    wave = torch.sin(2 * torch.pi * torch.arange(48) / 48)
    signal = torch.stack([1.5 * wave, -wave], dim=-1).expand(homes, days, 48, 2).contiguous()
    condition = torch.zeros(homes, days, 48, CONDITION)
    condition[..., 0], condition[..., 1] = wave, torch.cos(2 * torch.pi * torch.arange(48) / 48)
    starts = np.array([(home, day) for home in range(homes) for day in range(days)])
    household = torch.randn(homes, HOUSEHOLD, generator=torch.Generator().manual_seed(0))
    return Windows(signal=signal, condition=condition, household=household, starts=starts, days=1)


def drawn(model: TimeGan, windows: Windows, seed: int = 0, key: str = "home") -> torch.Tensor:
    return model.sample(windows.condition[0], windows.household[:1].expand(5, -1), seed, key)


def test_every_phase_trains_its_own_networks(tmp_path: Path) -> None:
    windows = known_day()

    def moved(embedding: float, supervised: float) -> set[str]:
        """Networks that two steps changed, the first of the first phase."""
        config = TimeGanConfig(
            width=8, layers=2, batch=4, steps=2, embedding_share=embedding, supervised_share=supervised
        )
        model = TimeGan(config)
        model.fit(windows, minutes=5, seed=0, folder=tmp_path / f"{embedding}-{supervised}")
        torch.manual_seed(0)
        before = Networks(config, HOUSEHOLD).state_dict()
        assert model.networks is not None
        after = model.networks.state_dict()
        changed = [key for key in before if not torch.equal(before[key], after[key])]
        return {key.split(".")[0] for key in changed}

    assert moved(0.6, 0.3) == {"embedder", "recovery"}
    assert moved(0.3, 0.3) == {"embedder", "recovery", "supervisor"}
    assert moved(0.3, 0.1) == {"embedder", "recovery", "supervisor", "generator", "critic"}


def test_the_supervisor_learns_one_step_ahead_and_the_generator_learns_from_the_critic() -> None:
    networks = Networks(TINY, HOUSEHOLD)
    signal, condition, household = known_day().batch(np.random.default_rng(0), 4)
    known, noise = known_of(condition, household), torch.rand(4, 48, 8)
    latent = networks.embed(signal, known)
    ahead = torch.cat([latent[:, 1:], latent[:, :1]], dim=1)
    expected = ((networks.supervise(latent, known) - ahead)[:, :-1] ** 2).mean()
    assert networks.supervisor_loss(latent, known).item() == pytest.approx(expected.item(), rel=1e-5)
    networks.generator_loss(signal, known, noise).backward()
    assert any(p.grad.abs().max() > 0 for p in networks.generator.parameters())
    assert all(p.grad is None for p in networks.embedder.parameters())
    networks.zero_grad()
    networks.critic_loss(signal, known, noise).backward()
    assert all(p.grad is None for p in networks.generator.parameters())


def test_a_known_day_is_learned_better_than_noise(tmp_path: Path) -> None:
    windows = known_day()
    config = TimeGanConfig(
        width=12, layers=2, batch=4, learning_rate=2e-2, steps=24, embedding_share=0.5, supervised_share=0.1
    )
    model = TimeGan(config)
    history = model.fit(windows, minutes=5, seed=0, folder=tmp_path)
    assert history[-1]["step"] == 24
    made, real = drawn(model, windows), windows.signal[0]
    noise_error = (1 + real.square().mean()).sqrt()
    assert (made - real).square().mean().sqrt() < 0.5 * noise_error


def test_a_run_repeats_resumes_and_a_window_does_not_depend_on_the_others(tmp_path: Path) -> None:
    windows = known_day()
    model = TimeGan(TINY)
    model.fit(windows, minutes=5, seed=1, folder=tmp_path / "whole")
    whole = drawn(model, windows)
    assert whole.shape == (5, 48, 2)
    assert torch.equal(whole, drawn(model, windows))
    few = model.sample(windows.condition[0, :2], windows.household[:1].expand(2, -1), 0, "home")
    assert torch.allclose(few, whole[:2], atol=1e-5)
    assert not torch.allclose(whole, drawn(model, windows, seed=1))
    assert not torch.allclose(whole, drawn(model, windows, key="other"))

    again = TimeGan(TINY)
    again.fit(windows, minutes=5, seed=1, folder=tmp_path / "whole")  # nothing is left to train
    assert torch.equal(whole, drawn(again, windows))
    repeated = TimeGan(TINY)
    repeated.fit(windows, minutes=5, seed=1, folder=tmp_path / "repeated")
    assert torch.equal(whole, drawn(repeated, windows))


def test_wrong_settings_and_a_sample_before_training_are_refused() -> None:
    with pytest.raises(ValueError, match="call fit first"):
        drawn(TimeGan(), known_day())
    with pytest.raises(ValueError, match="width=nan; it must be above 0"):
        TimeGanConfig(width=float("nan"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="layers=1"):
        TimeGanConfig(layers=1)
    with pytest.raises(ValueError, match="nothing for the joint phase"):
        TimeGanConfig(embedding_share=0.6, supervised_share=0.4)
