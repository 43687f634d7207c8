"""The reference design: collapse and missing gradient as published, both gone when repaired; its two samplers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hidiff.baselines.hidiff_energy import (
    FACTOR,
    HiDiffEnergy,
    HiDiffEnergyConfig,
    Hierarchy,
    Level,
    days_of,
    kept_signal,
    means,
)
from hidiff.baselines.windows import CONDITION, Windows

PUBLISHED = HiDiffEnergyConfig(
    days=1, width=8, blocks=1, batch=8, learning_rate=5e-3, steps=2, sampling_steps=4
)
REPAIRED = replace(PUBLISHED, repaired=True)


def known_windows(homes: int = 4, days: int = 4) -> Windows:
    """A wave a day that the condition tells, with a little noise; the last day belongs to no window."""
    generator = torch.Generator().manual_seed(0)
    wave = torch.sin(2 * torch.pi * torch.arange(48) / 48)
    noise = 0.1 * torch.randn(homes, days, 48, 2, generator=generator)
    condition = torch.zeros(homes, days, 48, CONDITION)
    condition[..., 0] = wave
    starts = np.array([(home, day) for home in range(homes) for day in range(days - 1)])
    signal = 1.4 * torch.stack([wave, -wave], dim=-1) + noise
    household = torch.randn(homes, 3, generator=generator)
    return Windows(signal=signal, condition=condition, household=household, starts=starts, days=1)


def trained_coarse_spread(config: HiDiffEnergyConfig, steps: int) -> tuple[float, float]:
    """Spread of the coarse signal before and after training the coarse level."""
    windows = known_windows()
    torch.manual_seed(0)
    network = Hierarchy(config, 3)
    network.measure(days_of(windows))
    optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate)

    def spread() -> float:
        with torch.no_grad():
            return float(network.shorten(days_of(windows)).std())

    before = spread()
    rng = np.random.default_rng(0)
    for _ in range(steps):
        signal, condition, household = windows.batch(rng, 8)
        coarse, known = network.shorten(signal), means(network.known(condition))
        optimiser.zero_grad()
        network.coarse.loss(coarse, known, household, rng).backward()
        optimiser.step()
    return before, spread()


def test_as_published_the_coarse_signal_collapses_and_repaired_it_does_not() -> None:
    before, after = trained_coarse_spread(PUBLISHED, 60)
    assert after < 0.5 * before
    before, after = trained_coarse_spread(REPAIRED, 2)
    assert before == pytest.approx(1.0, abs=0.01)
    assert after == before  # nothing that training moves has a say in it


def test_as_published_the_way_back_has_no_gradient_and_the_way_down_the_coarse_levels_alone() -> None:
    network = Hierarchy(PUBLISHED, 3)
    signal, condition, household = known_windows().batch(np.random.default_rng(0), 4)
    network.loss(signal, condition, household, np.random.default_rng(1)).backward()
    assert network.down.weight.grad.abs().max() > 0
    assert all(p.grad is None for p in network.back.parameters())

    network.zero_grad()
    rough = network.lengthen(network.shorten(signal))
    network.fine.loss(signal - rough, rough, household, np.random.default_rng(1)).backward()
    assert network.fine.network.enter.weight.grad is not None
    assert network.down.weight.grad is None
    learned = {name.split(".")[0] for name, _ in Hierarchy(REPAIRED, 3).named_parameters()}
    assert learned == {"coarse", "fine"}


def test_repaired_the_coarse_signal_is_the_mean_of_four_steps_and_both_levels_have_unit_spread() -> None:
    windows = known_windows()
    days = days_of(windows)
    assert len(days) == 4 * 3
    network = Hierarchy(REPAIRED, 3)
    network.measure(days)
    coarse = network.shorten(days)
    back = network.lengthen(coarse)
    assert back.shape == days.shape
    assert torch.allclose(
        back[:, 8:12], days[:, 8:12].mean(1, keepdim=True).expand(-1, FACTOR, -1), atol=1e-5
    )
    rest = (days - back - network.fine_scale[0]) / network.fine_scale[1]
    for part in (coarse, rest):
        assert torch.allclose(part.std((0, 1)), torch.ones(2), atol=1e-3)
        assert torch.allclose(part.mean((0, 1)), torch.zeros(2), atol=1e-4)


def test_as_published_no_date_is_told_and_repaired_it_is() -> None:
    condition = torch.zeros(2, 48, CONDITION)
    other, household = condition + 1, torch.zeros(2, 3)

    def drawn(config: HiDiffEnergyConfig, condition: Tensor) -> Tensor:
        torch.manual_seed(0)
        network = Hierarchy(config, 3).eval()
        return network.sample(condition, household, [np.random.default_rng(i) for i in range(2)])

    assert torch.equal(drawn(PUBLISHED, condition), drawn(PUBLISHED, other))
    assert not torch.allclose(drawn(REPAIRED, condition), drawn(REPAIRED, other))


class OfNormal(torch.nn.Module):
    """The exact guess of the noise where the signal is normal with mean 2 and spread 0.5."""

    def forward(self, noisy: Tensor, noise_step: Tensor, known: Tensor, household: Tensor) -> Tensor:
        kept = kept_signal().float()[noise_step.long()][:, None, None]
        clean = 2 + kept.sqrt() * 0.25 / (kept * 0.25 + 1 - kept) * (noisy - 2 * kept.sqrt())
        return (noisy - kept.sqrt() * clean) / (1 - kept).sqrt()


@pytest.mark.parametrize("sampling_steps", [None, 50])
def test_both_samplers_draw_from_the_distribution_that_the_network_knows(sampling_steps: int | None) -> None:
    level = Level(PUBLISHED, 0, 3)
    level.network = OfNormal()  # type: ignore[assignment]
    level.lowest.fill_(-3)
    level.highest.fill_(7)
    rngs = [np.random.default_rng(i) for i in range(64)]
    made = level.sample(48, torch.zeros(64, 48, 0), torch.zeros(64, 3), rngs, sampling_steps)
    assert float(made.mean()) == pytest.approx(2, abs=0.05)
    assert float(made.std()) == pytest.approx(0.5, rel=0.06)


def test_a_known_day_is_learned_better_than_noise_and_stays_within_what_was_seen(tmp_path: Path) -> None:
    windows = known_windows()
    model = HiDiffEnergy(replace(REPAIRED, learning_rate=1e-2, steps=80, sampling_steps=8))
    model.fit(windows, minutes=5, seed=0, folder=tmp_path)
    made, real = model.sample(windows.condition[0], windows.household[[0] * 4], 0, "home"), windows.signal[0]
    assert (made - real).square().mean() < 0.5 * (1 + real.square().mean())
    assert (made.amax((0, 1)) <= days_of(windows).amax((0, 1))).all()
    assert (made.amin((0, 1)) >= days_of(windows).amin((0, 1))).all()


@pytest.mark.parametrize("config", [PUBLISHED, REPAIRED])
def test_a_run_repeats_resumes_and_a_window_does_not_depend_on_the_others(
    config: HiDiffEnergyConfig, tmp_path: Path
) -> None:
    windows = known_windows()
    model = HiDiffEnergy(config)
    model.fit(windows, minutes=5, seed=1, folder=tmp_path / "whole")

    def drawn(model: HiDiffEnergy, windows_asked: int = 4, seed: int = 0) -> Tensor:
        condition = windows.condition[0, :windows_asked]
        return model.sample(condition, windows.household[:1].expand(windows_asked, -1), seed, "home")

    whole = drawn(model)
    assert whole.shape == (4, 48, 2)
    assert torch.equal(whole, drawn(model))
    assert torch.allclose(drawn(model, 2), whole[:2], atol=1e-4)
    assert not torch.allclose(whole, drawn(model, seed=1))
    again = HiDiffEnergy(config)
    again.fit(windows, minutes=5, seed=1, folder=tmp_path / "whole")  # nothing is left to train
    assert torch.equal(whole, drawn(again))


def test_the_published_size_is_22_million_weights_a_level() -> None:
    with torch.device("meta"):
        network = Hierarchy(HiDiffEnergyConfig(), 26)
    for level in (network.coarse, network.fine):
        assert sum(weight.numel() for weight in level.parameters()) == pytest.approx(22e6, rel=0.02)


def test_wrong_settings_and_a_sample_before_training_are_refused() -> None:
    with pytest.raises(ValueError, match="call fit first"):
        HiDiffEnergy().sample(torch.zeros(1, 96, CONDITION), torch.zeros(1, 3), 0, "home")
    with pytest.raises(ValueError, match="width=12; it must be a multiple of 8"):
        HiDiffEnergyConfig(width=12)
    with pytest.raises(ValueError, match="sampling_steps=1"):
        HiDiffEnergyConfig(sampling_steps=1)
    with pytest.raises(ValueError, match="learning_rate=nan"):
        HiDiffEnergyConfig(learning_rate=float("nan"))
