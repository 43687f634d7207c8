"""Actions of a home as a Gymnasium space: shares of the devices' powers, or levels of them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray


def action_space(devices: int, levels: int | None) -> gymnasium.spaces.Space[Any]:
    """Shares of the devices' powers, or levels of them.

    Raises:
        ValueError: fewer than two levels.
    """
    if levels is None:
        return gymnasium.spaces.Box(-1.0, 1.0, (devices,), np.float32)
    if levels < 2:
        raise ValueError(f"levels is {levels}; give at least 2, or None for continuous actions")
    return (
        gymnasium.spaces.Discrete(levels)
        if devices == 1
        else gymnasium.spaces.MultiDiscrete([levels] * devices)
    )


def shares_of(action: Any, levels: int) -> NDArray[np.float64]:
    """The shares, -1 to 1, that levels stand for, ``(device,)`` or ``(env, device)``.

    Raises:
        ValueError: a level that is not there.
    """
    level = np.atleast_1d(np.asarray(action))
    if not ((level >= 0) & (level < levels)).all():
        raise ValueError(f"action is {action}; levels are 0 to {levels - 1}")
    return np.asarray(level * (2.0 / (levels - 1)) - 1.0)
