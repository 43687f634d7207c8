"""EDM preconditioning: what is left when the network is silent, and what each noise level counts."""

import pytest
import torch
from torch import Tensor

from hidiff.diffusion.precondition import denoise, loss_weight, weighted_error

SIGMAS = torch.tensor([0.01, 0.5, 1.0, 30.0])


def silent(scaled: Tensor, value: Tensor) -> Tensor:
    return torch.zeros_like(scaled)


def test_a_silent_network_leaves_the_best_linear_guess() -> None:
    noisy = torch.randn(4, 6, 2, generator=torch.Generator().manual_seed(0))
    shrink = 0.25 / (SIGMAS**2 + 0.25)
    torch.testing.assert_close(denoise(silent, noisy, SIGMAS, sigma_data=0.5), noisy * shrink[:, None, None])


def test_the_network_sees_unit_variance_and_a_quarter_of_the_log() -> None:
    seen: list[Tensor] = []

    def spy(scaled: Tensor, value: Tensor) -> Tensor:
        seen.extend([scaled, value])
        return scaled

    noise = torch.randn(4, 20_000, 1, generator=torch.Generator().manual_seed(0))
    clean = 0.5 * torch.randn(4, 20_000, 1, generator=torch.Generator().manual_seed(1))
    denoise(spy, clean + SIGMAS[:, None, None] * noise, SIGMAS, sigma_data=0.5)
    assert seen[0].std(dim=1).flatten().tolist() == pytest.approx([1] * 4, rel=0.03)
    torch.testing.assert_close(seen[1], SIGMAS.log() / 4)


def test_the_target_of_the_network_has_unit_variance_at_every_level() -> None:
    """The weight is one over the square of what the network's output is multiplied by."""
    scale = []
    for sigma in SIGMAS:
        one = denoise(lambda x, _: torch.ones_like(x), torch.zeros(1, 1, 1), sigma[None], sigma_data=0.5)
        scale.append(float(one))
    assert loss_weight(SIGMAS, 0.5).tolist() == pytest.approx([1 / value**2 for value in scale], rel=1e-4)


def test_entries_of_no_weight_do_not_count() -> None:
    clean, guess = torch.zeros(2, 3, 1), torch.ones(2, 3, 1)
    weight = torch.tensor([[[1.0], [1.0], [0.0]], [[1.0], [0.0], [0.0]]])
    guess[weight == 0] = 1e6
    sigma = torch.ones(2)
    assert float(weighted_error(guess, clean, weight, sigma, 1.0)) == pytest.approx(2.0)
    assert float(weighted_error(guess, clean, torch.zeros_like(weight), sigma, 1.0)) == 0
