"""A fleet as a native TorchRL environment: tensors stay where they are computed, gradients flow if asked."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from hidiff.envs.fleet import Fleet

from .require import require


def to_torchrl(fleet: Fleet, *, seed: int = 0) -> Any:
    """A ``torchrl.envs.EnvBase`` of batch size ``[env]`` over a fleet in torch, on the fleet's device.

    With one home an environment, the entries are ``observation``, ``action``, ``reward`` and ``info``. With several,
    the homes are agents, one dimension behind the batch, and the entries lie in the group ``agents``, as TorchRL's
    multi-agent modules take them: ``("agents", "observation")`` is ``(env, home, feature)``. ``info`` holds ``cost``,
    the step's part of the bill, and ``excess_kw``, power above a limit of the connection. ``done``, ``terminated``
    (always False) and ``truncated`` are ``(env, 1)``.

    Environments may be reset by parts (``"_reset"``) and stepped by parts (``"_step"``). Actions beyond -1 to 1 ask for
    more than a device can do, which is cut off. With ``Fleet(grad=True)`` rewards can be differentiated with
    respect to actions, over many steps; call ``env.fleet.detach()`` between two stretches of training.

    Args:
        seed: of the episodes that are drawn; ``env.set_seed`` sets another.

    Raises:
        DependencyMissing: TorchRL is not installed.
        ValueError: a fleet in NumPy.
    """
    require("torchrl", "torchrl")
    if not fleet.is_torch:
        raise ValueError("the fleet computes in NumPy; make it with device='cpu' or 'cuda' for TorchRL")
    return _fleet_env()(fleet, seed)


@cache
def _fleet_env() -> Any:
    """The class, made once TorchRL is there."""
    import torch
    from tensordict import TensorDict

    data = require("torchrl.data", "torchrl")
    envs = require("torchrl.envs", "torchrl")

    class FleetEnv(envs.EnvBase):  # type: ignore[misc, name-defined]
        """Environments of a fleet, stepped together."""

        def __init__(self, fleet: Fleet, seed: int) -> None:
            size = torch.Size([fleet.envs])
            super().__init__(device=torch.device(str(fleet.device)), batch_size=size)
            self.fleet = fleet
            self._is_community = fleet.homes_per_env > 1
            self._shape = torch.Size((*size, fleet.homes_per_env) if self._is_community else size)
            self._random = np.random.default_rng(seed)
            dtype = getattr(torch, fleet.dtype)
            low, high = (
                torch.tensor([getattr(feature, end) for feature in fleet.features], dtype=dtype).expand(
                    *self._shape, -1
                )
                for end in ("low", "high")
            )
            devices = len(fleet.action_names)
            about: dict[str, Any] = {"dtype": dtype, "device": self.device}
            one = torch.Size((*self._shape, 1))
            self.observation_spec = self._grouped_spec(
                observation=data.Bounded(low, high, **about),
                info=data.Composite(
                    cost=data.Unbounded(one, **about), excess_kw=data.Unbounded(one, **about),
                    shape=self._shape, device=self.device,
                ),
            )  # fmt: skip
            self.action_spec = self._grouped_spec(
                action=data.Bounded(-1.0, 1.0, shape=(*self._shape, devices), **about)
            )
            self.reward_spec = self._grouped_spec(reward=data.Unbounded(one, **about))
            flag = data.Categorical(2, shape=(*size, 1), dtype=torch.bool, device=self.device)
            self.done_spec = data.Composite(
                done=flag, terminated=flag.clone(), truncated=flag.clone(), shape=size, device=self.device
            )

        def _grouped_spec(self, **specs: Any) -> Any:
            """Specs by name, in the agents' group where there are several homes."""
            inner = data.Composite(specs, shape=self._shape, device=self.device)
            if not self._is_community:
                return inner
            return data.Composite(agents=inner, shape=self.batch_size, device=self.device)

        def _reset(self, tensordict: Any = None, **settings: Any) -> Any:
            mask = None
            if tensordict is not None and "_reset" in tensordict.keys():  # noqa: SIM118 (no dict)
                mask = tensordict.get("_reset").view(self.fleet.envs).cpu().numpy()
            seen = self.fleet.reset(self._random, mask)
            nothing = torch.zeros_like(seen[..., :1])
            return self._told(seen, self.fleet.is_over, cost=nothing, excess_kw=nothing)

        def _step(self, tensordict: Any) -> Any:
            action = tensordict.get(("agents", "action") if self._is_community else "action")
            part = tensordict.get("_step", None)
            active = None if part is None else part.view(self.fleet.envs).cpu().numpy()
            moved = self.fleet.step(action.view(self.fleet.envs, self.fleet.homes_per_env, -1), active=active)
            reward, cost = moved.reward[..., None], moved.cost[..., None]
            excess_kw = (0.0 * moved.cost + moved.happened.excess_kw)[..., None]
            if part is not None:  # what stood still earned and cost nothing
                goes = part.view(-1, 1, 1)
                reward, cost, excess_kw = (value * goes for value in (reward, cost, excess_kw))
            return self._told(moved.observation, moved.is_over, cost=cost, excess_kw=excess_kw, reward=reward)

        def _told(self, seen: Any, is_over: Any, *, cost: Any, excess_kw: Any, reward: Any = None) -> Any:
            def shaped(value: Any) -> Any:
                return value.reshape(*self._shape, value.shape[-1])

            about: dict[str, Any] = {"batch_size": self._shape, "device": self.device}
            info = TensorDict({"cost": shaped(cost), "excess_kw": shaped(excess_kw)}, **about)
            own = {"observation": shaped(seen), "info": info}
            if reward is not None:
                own["reward"] = shaped(reward)
            over = torch.as_tensor(is_over.copy(), device=self.device)[:, None]
            ends = {"done": over, "terminated": torch.zeros_like(over), "truncated": over.clone()}
            entries = {"agents": TensorDict(own, **about)} if self._is_community else own
            return TensorDict({**entries, **ends}, batch_size=self.batch_size, device=self.device)

        def _set_seed(self, seed: int | None) -> None:
            self._random = np.random.default_rng(seed)

        def to(self, device: Any) -> Any:
            """This environment, where it is on that device.

            Raises:
                ValueError: another device; a fleet stays where it was made.
            """
            wanted, here = torch.device(device), self.device
            if wanted.type != here.type or (wanted.index or 0) != (here.index or 0):
                raise ValueError(f"the fleet is on {self.device}; make one with device={str(device)!r}")
            return self

    return FleetEnv
