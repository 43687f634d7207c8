"""``HomePolicy``: a small network that turns what is seen of a home into powers of its devices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hidiff import checkpoint
from hidiff.errors import CheckpointError

HIDDEN = 96
SHIFT = (3.0, 3.0, -3.0)
"""Where an untrained policy begins: take nearly all surplus, cover nearly all deficit, draw little from the grid."""


class HomePolicy(nn.Module):
    """Shares of the devices' powers, ``(…, feature) -> (…, device)``, -1 to 1.

    The battery's power is a mixture with three gates from the network, each 0 to 1: what part of the home's surplus it
    takes, what part of the deficit it covers, and what part of its power it draws from the grid beside that. An
    untrained policy is therefore close to the self-consumption rule. Other devices get a share of their own.

    Args:
        features: names of the observation's numbers, in order.
        devices: names of the action's numbers, in order; the battery first.
        span_kw: largest charge and discharge power of the battery [kW].
    """

    def __init__(self, features: Sequence[str], devices: Sequence[str], span_kw: tuple[float, float]) -> None:
        super().__init__()
        self.features, self.devices, self.span_kw = list(features), list(devices), span_kw
        count = len(self.features)
        outputs = 3 + len(self.devices) - 1
        self.network = nn.Sequential(
            nn.Linear(count, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, outputs),
        )
        self.mean: Tensor
        self.scale: Tensor
        self.start: Tensor
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("scale", torch.ones(count))
        self.register_buffer("start", torch.tensor([*SHIFT, *(0.0 for _ in self.devices[1:])]))
        self._load, self._pv = self.features.index("load"), self.features.index("PV available")

    def standardise(self, seen: Tensor) -> None:
        """Take mean and spread of what goes into the network from observations ``(…, feature)``."""
        flat = seen.detach().reshape(-1, seen.shape[-1]).float()
        self.mean.copy_(flat.mean(0))
        self.scale.copy_(1 / (flat.std(0) + 0.05))

    def forward(self, seen: Tensor) -> Tensor:
        """Shares of the devices' powers for observations ``(…, feature)``."""
        seen = seen.to(self.mean.dtype)
        out = self.network((seen - self.mean) * self.scale) + self.start
        gates = torch.sigmoid(out[..., :3])
        charge_kw, discharge_kw = self.span_kw
        surplus_kw = seen[..., self._pv] - seen[..., self._load]
        power_kw = (
            gates[..., 0] * surplus_kw.clamp(min=0) + gates[..., 1] * surplus_kw.clamp(max=0)
            + gates[..., 2] * charge_kw
        )  # fmt: skip
        share = power_kw.clamp(min=0) / max(charge_kw, 1e-9) + power_kw.clamp(max=0) / max(discharge_kw, 1e-9)
        return torch.cat([share.clamp(-1, 1)[..., None], torch.tanh(out[..., 3:])], dim=-1)

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Action of a Gymnasium environment with the same features."""
        with torch.no_grad():
            return np.asarray(self(torch.from_numpy(np.asarray(observation, np.float32))).numpy(), np.float32)


def save_policy(policy: HomePolicy, folder: Path | str) -> None:
    """Weights and what they are for, as a model directory (safetensors and JSON)."""
    config = {"features": policy.features, "devices": policy.devices, "span_kw": list(policy.span_kw)}
    card = "# A policy of hidiff.envs.learn\n\n`hidiff.envs.learn.load_policy(folder).act(observation)`\n"
    checkpoint.save(Path(folder), policy.state_dict(), config, card)


def load_policy(folder: Path | str) -> HomePolicy:
    """The policy that `save_policy` wrote.

    Raises:
        CheckpointError: no such policy, or a damaged one.
    """
    tensors, config = checkpoint.load(Path(folder))
    if "features" not in config:
        raise CheckpointError(f"{folder} holds a model, but no policy; name a folder that save_policy wrote")
    policy = HomePolicy(config["features"], config["devices"], tuple(config["span_kw"]))
    policy.load_state_dict(tensors)
    return policy
