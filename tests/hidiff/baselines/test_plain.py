"""Plain one-level diffusion: shapes, seeds, known context, and that it learns what it is shown."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hidiff.baselines.plain import Denoiser, Plain, PlainConfig, known_context
from hidiff.baselines.windows import CONDITION, ENVELOPE, Windows

TINY = PlainConfig(days=2, width=16, blocks=1, heads=2, batch=8, steps=2)


def frame(days: int = 2) -> Windows:
    """Homes whose load is what their household says, and whose clearness is the weather."""
    rng = np.random.default_rng(0)
    household = torch.from_numpy(rng.normal(size=(20, 3)).astype(np.float32))
    condition = torch.from_numpy(rng.normal(size=(20, 6, 1, CONDITION)).astype(np.float32))
    condition = condition.expand(-1, -1, 48, -1).clone()
    condition[..., ENVELOPE] = 0.5
    signal = torch.zeros(20, 6, 48, 2)
    signal[..., 0] = household[:, 0, None, None]
    signal[..., 1] = condition[..., 3]
    starts = np.argwhere(np.ones((20, 7 - days)))
    return Windows(signal=signal, condition=condition, household=household, starts=starts, days=days)


def trained(folder: Path) -> Plain:
    model = Plain(TINY)
    model.fit(frame(), minutes=5, seed=0, folder=folder)
    return model


def shaken(folder: Path) -> Plain:
    """A model whose every input has a say, though it has learned nothing."""
    model = trained(folder)
    assert model.network is not None
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return model


def test_a_window_depends_on_its_key_and_not_on_the_windows_after_it(tmp_path: Path) -> None:
    model = shaken(tmp_path)
    _, condition, household = frame().batch(np.random.default_rng(0), 4)
    made = model.sample(condition, household, 1, "a")
    assert made.shape == (4, 96, 2)
    assert torch.isfinite(made).all()
    assert torch.equal(made, model.sample(condition, household, 1, "a"))
    assert torch.allclose(made[:2], model.sample(condition[:2], household[:2], 1, "a"), atol=0.05)
    assert not torch.allclose(made, model.sample(condition, household, 1, "b"), atol=0.05)
    assert not torch.allclose(made, model.sample(condition, household, 2, "a"), atol=0.05)


def test_known_steps_come_back_untouched_and_have_a_say_in_the_rest(tmp_path: Path) -> None:
    model = shaken(tmp_path)
    signal, condition, household = frame().batch(np.random.default_rng(0), 3)
    is_known = torch.zeros(3, 96)
    is_known[:, :48] = 1
    noise = torch.randn(3, 96, 2, generator=torch.Generator().manual_seed(0))
    made = model.sample_known(condition, household, signal * is_known[..., None], is_known, noise)
    other = model.sample_known(condition, household, (signal + 1) * is_known[..., None], is_known, noise)
    assert torch.equal(made[:, :48], signal[:, :48])
    assert not torch.allclose(made[:, 48:], other[:, 48:], atol=1e-3)


def test_it_learns_what_household_and_weather_say(tmp_path: Path) -> None:
    config = PlainConfig(days=1, width=16, blocks=1, heads=2, batch=16, steps=120, learning_rate=1e-2)
    model = Plain(config)
    model.fit(frame(1), minutes=5, seed=0, folder=tmp_path)
    signal, condition, household = frame(1).batch(np.random.default_rng(5), 24)
    made = model.sample(condition, household, 0, "x")
    for channel in (0, 1):
        pair = torch.stack([made[..., channel].mean(1), signal[..., channel].mean(1)])
        assert float(torch.corrcoef(pair)[0, 1]) > 0.8


def test_a_killed_training_is_taken_up_again(tmp_path: Path) -> None:
    first = trained(tmp_path / "a")
    again = trained(tmp_path / "a")
    assert first.network is not None
    assert again.network is not None
    for one, other in zip(first.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_network_that_knows_nothing_guesses_the_mean_of_the_posterior() -> None:
    # With the output at zero the guess is noisy / (sigma^2 + 1): right for white signals of unit variance.
    network = Denoiser(TINY, 3)
    _, condition, household = frame().batch(np.random.default_rng(0), 2)
    noisy = torch.randn(2, 96, 2)
    guess = network(noisy, torch.tensor([2.0, 0.5]), noisy * 0, noisy[..., 0] * 0, condition, household)
    assert torch.allclose(guess[0], noisy[0] / 5, atol=1e-6)
    assert torch.allclose(guess[1], noisy[1] / 1.25, atol=1e-6)


def test_known_days_lie_at_the_ends_and_leave_half_of_the_window() -> None:
    known = known_context(np.random.default_rng(0), 500, 14).view(500, 14, 48)
    assert torch.equal(known.amin(2), known.amax(2))
    share = known[..., 0].mean(0)
    assert share[0] == pytest.approx(0.5, abs=0.07)
    assert share[1] == pytest.approx(0.25, abs=0.07)
    assert not share[2:12].any()


def test_errors_say_the_limit() -> None:
    with pytest.raises(ValueError, match="width=30"):
        PlainConfig(width=30)
    with pytest.raises(ValueError, match="regional_share=nan"):
        PlainConfig(regional_share=float("nan"))
    with pytest.raises(ValueError, match="call fit first"):
        Plain().sample(torch.zeros(1, 672, CONDITION), torch.zeros(1, 3), 0, "a")
