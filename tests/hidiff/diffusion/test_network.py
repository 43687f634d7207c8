"""The transformer: what may influence what, shapes, and gradients that reach every weight."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from hidiff.diffusion.network import (
    NetworkConfig,
    Transformer,
    attend_across,
    attend_near,
    cut_across,
    cut_near,
    rotary,
    rotate,
)

LOW = NetworkConfig(
    channels=2,
    condition_channels=5,
    household_channels=3,
    patch=2,
    width=32,
    blocks=2,
    day=24,
    periods=(24.0, 168.0),
)
HIGH = NetworkConfig(
    channels=8, condition_channels=5, household_channels=3, width=32, blocks=2, periods=(7.0,)
)


def inputs(config: NetworkConfig, batch: int = 3, tokens: int = 96) -> list[Tensor]:
    torch.manual_seed(0)
    steps = tokens * config.patch
    is_known = (torch.arange(steps) < steps // 4).float().expand(batch, -1).clone()
    return [
        torch.randn(batch, steps, config.channels),
        torch.linspace(-1, 1, batch),
        torch.randn(batch, steps, config.channels) * is_known[..., None],
        is_known,
        torch.randn(batch, tokens, config.condition_channels),
        torch.randn(batch, config.household_channels),
    ]


def awake(config: NetworkConfig) -> Transformer:
    """A network whose zero weights are not zero any more."""
    torch.manual_seed(1)
    network = Transformer(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


CONFIGS = pytest.mark.parametrize("config", [LOW, HIGH], ids=["day=24", "day=None"])


@CONFIGS
def test_the_output_has_the_shape_of_the_signal(config: NetworkConfig) -> None:
    given = inputs(config)
    assert awake(config)(*given).shape == given[0].shape


@CONFIGS
def test_a_new_network_is_silent(config: NetworkConfig) -> None:
    assert (Transformer(config)(*inputs(config)) == 0).all()


@CONFIGS
def test_entries_of_a_batch_do_not_see_each_other(config: NetworkConfig) -> None:
    network, given = awake(config), inputs(config)
    together = network(*given)
    for row in range(3):
        torch.testing.assert_close(
            network(*[part[row : row + 1] for part in given]), together[row : row + 1], atol=1e-5, rtol=1e-4
        )


@CONFIGS
@pytest.mark.parametrize(
    "place", range(6), ids=["noisy", "noise", "known", "is_known", "condition", "household"]
)
def test_every_input_has_a_say(config: NetworkConfig, place: int) -> None:
    network, given = awake(config), inputs(config)
    before = network(*given)
    given[place] = given[place] + 1
    assert (network(*given) - before).abs().max() > 1e-3


@pytest.mark.parametrize("config", [LOW, HIGH, replace(LOW, blocks=1)], ids=["low", "high", "one block"])
def test_what_is_known_on_the_left_reaches_the_right_end(config: NetworkConfig) -> None:
    network, given = awake(config), inputs(config, batch=1)
    before = network(*given)
    given[2][:, :4] += 1
    assert (network(*given) - before)[:, -config.patch * 24 :].abs().max() > 1e-6


@CONFIGS
def test_order_in_time_matters(config: NetworkConfig) -> None:
    network, given = awake(config), inputs(config, batch=1)
    turned = [part.flip(1) if part.dim() > 1 and part.shape[1] > 5 else part for part in given]
    assert (network(*turned).flip(1) - network(*given)).abs().max() > 1e-3


@CONFIGS
def test_gradients_reach_every_weight_once_the_zero_ones_have_moved(config: NetworkConfig) -> None:
    torch.manual_seed(0)
    network, given = Transformer(config), inputs(config)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    target = torch.randn_like(given[0])
    for step in range(3):  # leave, then the modulations, then what they modulate
        optimiser.zero_grad()
        ((network(*given) - target) ** 2).mean().backward()  # type: ignore[no-untyped-call]
        without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
        if step == 0:
            assert not any(name.startswith("leave") for name in without)
        optimiser.step()
    assert without == []


@CONFIGS
@torch.no_grad()
def test_a_copy_to_sample_with_predicts_what_the_network_does(config: NetworkConfig) -> None:
    """In float32 to rounding, in bfloat16 to its rounding, where the batch has one household in one row as well."""
    network, given = awake(config), inputs(config)
    given[1], given[5] = given[1][:1].expand(3), given[5][:1].expand(3, -1)
    exact, before = network(*given), {name: value.clone() for name, value in network.state_dict().items()}
    for dtype, error in ((torch.float32, 1e-5), (torch.bfloat16, 0.05)):
        copy = network.for_sampling("cpu", dtype)
        assert copy.blocks[0].grow.weight.dtype == dtype and copy.enter.weight.dtype == torch.float32  # type: ignore[union-attr]
        told = copy.told(*given[2:5])
        for rows in (1, 3):
            found = copy.predict(given[0], given[1][:rows], given[5][:rows], *told)
            assert (found - exact).abs().max() < error * exact.abs().max()
    assert all((value == before[name]).all() for name, value in network.state_dict().items())


def test_rotation_keeps_lengths_and_depends_on_distance_alone() -> None:
    torch.manual_seed(0)
    config = replace(LOW, day=None)
    table = rotary(40, config, torch.device("cpu"), torch.float32).near
    width = config.width // config.heads
    x = torch.randn(1, 1, 2, 1, width).expand(1, 40, -1, -1, -1)
    turned = rotate(cut_near(x, 40, 0), table)
    q, k = turned[:, 0, 0, 0]  # each (token, head width)
    torch.testing.assert_close(k.norm(dim=-1), x[0, :, 1, 0].norm(dim=-1))
    torch.testing.assert_close(q.norm(dim=-1) * width**0.5, x[0, :, 0, 0].norm(dim=-1))
    products = q @ k.T
    torch.testing.assert_close(products[:-1, :-1], products[1:, 1:], atol=1e-4, rtol=1e-4)
    assert products[0].std() > 0.01


def test_every_way_of_attending_turns_a_token_by_its_own_place() -> None:
    config = replace(LOW, day=24)
    width = config.width // config.heads
    whole = rotary(96, replace(config, day=None), torch.device("cpu"), torch.float32).near[:, 1, 0, 0, 0]
    tables = rotary(96, config, torch.device("cpu"), torch.float32)
    cosine = whole[0][None, :, None, None].expand(1, 96, 1, 1, width)
    torch.testing.assert_close(tables.near[0, 1], cut_near(cosine, 48, 0)[0])
    torch.testing.assert_close(tables.shifted[0, 1], cut_near(cosine, 48, 24)[0])
    torch.testing.assert_close(tables.across[0, 1], cut_across(cosine, 24)[0])


def marked(length: int, place: int) -> Tensor:
    """Queries and keys of zero, so that all are looked at alike, and one value that is not."""
    x = torch.zeros(1, length, 3, 1, 2)
    x[:, place, 2] = 1
    return x


def test_near_attention_stays_in_its_two_days_and_across_in_its_hour() -> None:
    table = torch.zeros(2, 2, 1, 1, 1, 1, 2)
    near = attend_near(marked(96, 50), table, 48, 0)[0, :, 0, 0]
    assert near.nonzero().flatten().tolist() == list(range(48, 96))
    shifted = attend_near(marked(96, 50), table, 48, 24)[0, :, 0, 0]
    assert shifted.nonzero().flatten().tolist() == list(range(24, 72))
    across = attend_across(marked(96, 50), table, 24)[0, :, 0, 0]
    assert across.nonzero().flatten().tolist() == [2, 26, 50, 74]
    torch.testing.assert_close(across[2], torch.tensor(0.25))


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="width=30 with heads=4; the width must be a multiple"):
        replace(LOW, width=30)
    with pytest.raises(ValueError, match="no room for 3 rotary periods; the width must be at least 24"):
        replace(LOW, width=16, periods=(24.0, 12.0, 168.0))
