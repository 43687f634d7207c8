"""TimeVAE: blocks with known answers, windows that follow condition and household, runs that repeat."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hidiff.baselines.timevae import Autoencoder, Decoder, TimeVae, TimeVaeConfig, season, trend
from hidiff.baselines.windows import CONDITION, Windows

TINY = TimeVaeConfig(latent=2, filters=(4, 8), context=8, batch=8, learning_rate=3e-3, steps=6)


def known_windows(homes: int = 6, days: int = 6) -> Windows:
    """A wave a day, higher or lower by the household, and its height told by a condition value."""
    wave = torch.sin(2 * torch.pi * torch.arange(48) / 48)
    household = torch.randn(homes, 3, generator=torch.Generator().manual_seed(0))
    level = 0.5 * household[:, None, None, 0].expand(-1, days, 48)
    condition = torch.zeros(homes, days, 48, CONDITION)
    condition[..., 0] = wave
    starts = np.array([(home, day) for home in range(homes) for day in range(days - 1)])
    signal = torch.stack([wave + level, wave - level], dim=-1)
    return Windows(signal=signal, condition=condition, household=household, starts=starts, days=2)


def drawn(model: TimeVae, windows: Windows, home: int = 0, seed: int = 0, key: str = "home") -> torch.Tensor:
    condition = windows.condition[home].reshape(3, 96, CONDITION)
    return model.sample(condition, windows.household[home].expand(3, -1), seed, key)


def test_the_trend_is_the_polynomial_of_its_coefficients() -> None:
    made = trend(torch.tensor([[[2.0, 0.0, -1.0], [0.0, 3.0, 0.0]]]), 10)
    time = torch.arange(10) / 10
    assert made.shape == (1, 10, 2)
    assert torch.allclose(made[0, :, 0], 2 * time - time**3)
    assert torch.allclose(made[0, :, 1], 3 * time**2)


def test_seasons_last_as_long_as_asked_and_come_round() -> None:
    values = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    made = season(values, 2, 8)
    assert made[0, :, 0].tolist() == [1, 1, 2, 2, 3, 3, 1, 1]
    assert made[0, :, 1].tolist() == [4, 4, 5, 5, 6, 6, 4, 4]


def test_the_decoder_is_the_sum_of_level_trend_season_and_residual() -> None:
    torch.manual_seed(0)
    config = TimeVaeConfig(latent=2, filters=(4, 8), context=8, seasons=((48, 1), (2, 48)))
    decoder = Decoder(config, 5)
    with torch.no_grad():
        for block in (decoder.residual[-1], decoder.level[-1], decoder.trend[-1], *decoder.seasons):
            block.weight.zero_()
            block.bias.zero_()
        x = torch.randn(1, 5)
        assert decoder(x).abs().max() == 0
        decoder.level[-1].bias.copy_(torch.tensor([1.0, -1.0]))
        decoder.trend[-1].bias.copy_(torch.tensor([1.0, 0.5, 0.0, 0.0]))
        decoder.seasons[0].bias.copy_(torch.arange(96.0))
        decoder.seasons[1].bias.copy_(torch.tensor([0.0, 1000.0, 0.0, 0.0]))
        made = decoder(x)[0]
    step, time = torch.arange(96), torch.arange(96) / 96
    assert torch.allclose(made[:, 0], 1 + time + 0.5 * time**2 + step % 48 + 1000 * (step >= 48))
    assert torch.allclose(made[:, 1], -1 + 48.0 + step % 48)


def test_the_bound_is_zero_for_a_perfect_window_and_counts_the_distance_from_the_prior() -> None:
    network = Autoencoder(TINY, 3)
    condition, household = torch.zeros(2, 96, CONDITION), torch.zeros(2, 3)
    with torch.no_grad():
        network.latent.weight.zero_()
        network.latent.bias.copy_(torch.tensor([3.0, 0.0, 0.0, 0.0]))  # means 3 and 0, variances 1
        noise = torch.zeros(2, 2)
        signal = network.decode(torch.tensor([[3.0, 0.0]]).expand(2, -1), condition, household)
        assert network.loss(signal, condition, household, noise).item() == pytest.approx(4.5)
        off = signal + torch.tensor([1.0, 0.0])  # every step's error is 1 in one channel, 1/2 in their mean
        assert network.loss(off, condition, household, noise).item() == pytest.approx(
            4.5 + 3 * 96 * 1.25, rel=1e-4
        )


def test_known_windows_are_learned_from_condition_and_household(tmp_path: Path) -> None:
    windows = known_windows()
    config = TimeVaeConfig(latent=2, filters=(8, 16), context=16, batch=16, learning_rate=3e-3, steps=80)
    model = TimeVae(config)
    model.fit(windows, minutes=5, seed=0, folder=tmp_path)
    made = torch.stack([drawn(model, windows, home) for home in range(6)])
    real = windows.signal.reshape(6, 3, 96, 2)
    assert (made - real).square().mean() < 0.2 * (1 + real.square().mean())


def test_a_run_repeats_resumes_and_a_window_does_not_depend_on_the_others(tmp_path: Path) -> None:
    windows = known_windows()
    model = TimeVae(TINY)
    model.fit(windows, minutes=5, seed=1, folder=tmp_path / "whole")
    whole = drawn(model, windows)
    assert whole.shape == (3, 96, 2)
    assert torch.equal(whole, drawn(model, windows))
    two = model.sample(windows.condition[0, :4].reshape(2, 96, -1), windows.household[[0, 0]], 0, "home")
    assert torch.allclose(two, whole[:2], atol=1e-5)
    assert not torch.allclose(whole, drawn(model, windows, seed=1))

    again = TimeVae(TINY)
    again.fit(windows, minutes=5, seed=1, folder=tmp_path / "whole")  # nothing is left to train
    assert torch.equal(whole, drawn(again, windows))
    repeated = TimeVae(TINY)
    repeated.fit(windows, minutes=5, seed=1, folder=tmp_path / "repeated")
    assert torch.equal(whole, drawn(repeated, windows))


def test_wrong_settings_and_a_sample_before_training_are_refused() -> None:
    with pytest.raises(ValueError, match="call fit first"):
        drawn(TimeVae(), known_windows())
    with pytest.raises(ValueError, match="must halve evenly"):
        TimeVaeConfig(days=1, filters=(8,) * 5)
    with pytest.raises(ValueError, match="learning_rate=nan"):
        TimeVaeConfig(learning_rate=float("nan"))
    with pytest.raises(ValueError, match="seasons="):
        TimeVaeConfig(seasons=((0, 48),))
