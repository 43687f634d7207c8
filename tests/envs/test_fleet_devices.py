"""A fleet computes the same on a card as on the CPU, and never looks at a tensor's values from the host in a step."""

from typing import Any

import numpy as np
import pytest
import torch

from hidiff.data.synthetic import synthetic_homes
from hidiff.envs import Fleet
from hidiff.envs.variants import FULL
from hidiff.home import Battery, Home, HotWaterTank, Tariff
from hidiff.market import Market

TRACES = synthetic_homes(4, 12)
KINDS: dict[str, dict[str, Any]] = {
    "alike": {"homes": Home()},
    "all devices": {"homes": FULL, "market": Market(rule="mid_market_rate")},
    "mixed": {
        "homes": [
            FULL, Home(battery=None), Home(tank=HotWaterTank(), import_limit_kw=1.0),
            Home(battery=Battery(loss_per_kw=0.004)),
        ],
        "market": Market(rule="uniform_price_auction"),
    },
    "by demand": {"homes": Home(tariff=Tariff.with_demand())},
}  # fmt: skip


def made(kind: str, device: str, **settings: Any) -> Fleet:
    return Fleet(
        TRACES, envs=3, homes_per_env=3, episode_days=2, device=device, track=True, **KINDS[kind], **settings
    )


def needs_cuda() -> Any:
    return pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_asks_for_no_value_of_a_tensor_and_mixes_no_devices(kind: str) -> None:
    """Tensors of the device "meta" have no values: to branch on one, or to meet one of the CPU, raises."""
    fleet = made(kind, "meta")
    random = np.random.default_rng(0)
    seen = fleet.reset(random)
    for _ in range(40):
        moved = fleet.step(torch.zeros((3, 3, len(fleet.action_names)), device="meta"))
    for value in (seen, moved.observation, moved.reward, moved.cost, *fleet.totals().values()):
        assert value.device.type == "meta"
        assert tuple(value.shape[:2]) == (3, 3)
    fleet.reset(random, np.array([True, False, False]))
    fleet.step(
        torch.zeros((3, 3, len(fleet.action_names)), device="meta"), active=np.array([True, True, False])
    )


def test_the_device_without_values_would_show_a_look_at_one() -> None:
    with pytest.raises(RuntimeError):
        bool((torch.zeros(3, device="meta") > 0).any())


@pytest.mark.gpu
@needs_cuda()
@pytest.mark.parametrize("kind", KINDS)
def test_a_card_and_the_cpu_agree(kind: str) -> None:
    fleets = [made(kind, "cpu"), made(kind, "cuda")]
    seen = [fleet.reset(np.random.default_rng(1)) for fleet in fleets]
    random = np.random.default_rng(0)
    for step in range(fleets[0].steps):
        assert torch.allclose(seen[0], seen[1].cpu(), atol=1e-4), step
        action = random.uniform(-1, 1, (3, 3, len(fleets[0].action_names)))
        first, second = (fleet.step(fleet.like(action)) for fleet in fleets)
        assert second.reward.is_cuda
        assert torch.allclose(first.reward, second.reward.cpu(), atol=1e-4), step
        for name, one, other in zip(first.happened._fields, first.happened, second.happened, strict=True):
            if torch.is_tensor(one):
                assert torch.allclose(one, other.cpu(), atol=1e-4), (step, name)
        seen = [first.observation, second.observation]
    totals = [fleet.totals() for fleet in fleets]
    for name, value in totals[0].items():
        assert torch.allclose(value, totals[1][name].cpu(), rtol=1e-4, atol=1e-3), name


@pytest.mark.gpu
@needs_cuda()
def test_gradients_on_a_card_are_those_of_the_cpu() -> None:
    slopes = []
    for device in ("cpu", "cuda"):
        fleet = made("alike", device, grad=True)
        fleet.reset(np.random.default_rng(0))
        share = torch.full((3, 3, 1), 0.1, device=device, requires_grad=True)
        reward = sum(fleet.step(share).reward.sum() for _ in range(fleet.steps))
        slopes.append(torch.autograd.grad(reward, share)[0].cpu())
    assert torch.allclose(*slopes, rtol=1e-3, atol=1e-4)
    assert slopes[0].any()


@pytest.mark.gpu
@needs_cuda()
def test_torchrl_rolls_out_on_a_card() -> None:
    utils = pytest.importorskip("torchrl.envs.utils")
    from hidiff.adapters.torchrl_env import to_torchrl

    env = to_torchrl(made("all devices", "cuda"))
    utils.check_env_specs(env)
    assert env.rollout(5)["next", "agents", "reward"].is_cuda
