"""Learning by the gradient of the bill through the physics: no critic, no exploration, minutes on a core.

Every episode of a batch of homes is one differentiable computation from the policy's weights to the reward, so that a
step of Adam follows the exact gradient of the mean reward of those episodes. It needs a fleet in torch with
``grad=True`` and devices that are not switched: an appliance that waits has no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from hidiff.envs.fleet import Fleet

from .policy import HomePolicy

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class LearnConfig:
    """How a policy learns."""

    iterations: int = 300
    """Batches of episodes, a step of Adam each."""
    learning_rate: float = 3e-3
    """At the start; it falls to 0 along a cosine."""
    gradient_limit: float = 1.0
    """Largest norm of a step's gradient."""
    seed: int = 0
    """Of the weights and of the episodes."""
    progress: bool = True
    """Whether a progress bar is shown."""

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ValueError(f"iterations is {self.iterations}; it must be at least 1")
        for name in ("learning_rate", "gradient_limit"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0 and finite")


def learn(fleet: Fleet, config: LearnConfig | None = None, policy: HomePolicy | None = None) -> HomePolicy:
    """A policy that earns the most on the fleet's episodes.

    Batteries begin each episode at a random charge, so that the policy knows all of them.

    Args:
        fleet: in torch, with ``grad=True``; a few days an episode and some hundred homes are enough.
        policy: taken further; None begins with a new one.

    Raises:
        ValueError: a fleet without gradients, or homes without a battery.
    """
    config = config or LearnConfig()
    if not fleet.grad:
        raise ValueError("the fleet has no gradients; make it with device='cpu' (or 'cuda') and grad=True")
    if fleet.bank.parameters.battery is None:
        raise ValueError("no home of the fleet has a battery, which is what the policy is about")
    random = np.random.default_rng(config.seed)
    seen = fleet.reset(random)
    if policy is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            policy = new_policy(fleet)
        policy.standardise(seen)
    optimiser = torch.optim.Adam(policy.parameters(), config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.iterations)
    with tqdm(total=config.iterations, desc="learning", disable=not config.progress) as bar:
        for _ in range(config.iterations):
            fleet.reset(random)
            seen = fleet.charge_to(random.uniform(0, 1, (fleet.envs, fleet.homes_per_env)))
            reward = 0.0 * seen[..., 0]
            for _ in range(fleet.steps):
                moved = fleet.step(policy(seen))
                seen, reward = moved.observation, reward + moved.reward
            optimiser.zero_grad()
            (-reward.mean()).backward()
            nn.utils.clip_grad_norm_(policy.parameters(), config.gradient_limit)
            optimiser.step()
            schedule.step()
            bar.update()
            bar.set_postfix_str(f"cost of an episode {-reward.mean().item():.2f}")
    return policy


def new_policy(fleet: Fleet) -> HomePolicy:
    """A policy for the fleet's observations and devices, on its device."""
    battery = fleet.bank.parameters.battery
    spans = [
        float(torch.as_tensor(span).max()) for span in (battery.charge_span_kw, battery.discharge_span_kw)
    ]
    names = [feature.name for feature in fleet.features]
    policy = HomePolicy(names, fleet.action_names, (spans[0], spans[1]))
    return policy.to(fleet.device)


def run(
    fleet: Fleet, policy: Callable[[Tensor], Tensor], random: np.random.Generator, *, rows: Integers | None = None,
    first: Integers | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """One episode of the fleet under a policy.

    Args:
        rows, first: households and first steps, as of ``Fleet.reset``.

    Returns:
        Reward and bill of every home, ``(env, home)`` [currency].
    """
    with torch.no_grad():
        seen = fleet.reset(random, rows=rows, first=first)
        reward = torch.zeros(fleet.envs, fleet.homes_per_env, dtype=torch.float64, device=fleet.device)
        cost = torch.zeros_like(reward)
        for _ in range(fleet.steps):
            moved = fleet.step(policy(seen))
            seen = moved.observation
            reward += moved.reward
            cost += moved.cost
    return reward.cpu().numpy(), cost.cpu().numpy()
