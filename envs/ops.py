"""The few operations that physics, tariffs and markets are written in, for floats, NumPy arrays and torch tensors.

One formula runs in three ways: on plain floats, which is what makes a single home fast; on NumPy arrays of many
homes; on torch tensors, on any device and with gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

Value = Any
"""A float, a NumPy array or a torch tensor."""


class Ops(NamedTuple):
    """Operations on one kind of `Value`; operands may be mixed with floats and broadcast."""

    minimum: Callable[[Value, Value], Value]
    maximum: Callable[[Value, Value], Value]
    where: Callable[[Value, Value, Value], Value]
    """``where(condition, if_true, if_false)``; both branches are computed."""


def _choose(condition: bool, if_true: float, if_false: float) -> float:
    return if_true if condition else if_false


FLOATS = Ops(minimum=min, maximum=max, where=_choose)
ARRAYS = Ops(minimum=np.minimum, maximum=np.maximum, where=np.where)


@cache
def tensors() -> Ops:
    """Operations on torch tensors; torch is imported when they are asked for."""
    import torch

    def minimum(first: Value, second: Value) -> Value:
        if not isinstance(first, torch.Tensor):
            first, second = second, first
        if not isinstance(first, torch.Tensor):
            return min(first, second)
        if not isinstance(second, torch.Tensor):
            return first if second == math.inf else first.clamp(max=second)
        return torch.minimum(first, second)

    def maximum(first: Value, second: Value) -> Value:
        if not isinstance(first, torch.Tensor):
            first, second = second, first
        if not isinstance(first, torch.Tensor):
            return max(first, second)
        if not isinstance(second, torch.Tensor):
            return first if second == -math.inf else first.clamp(min=second)
        return torch.maximum(first, second)

    return Ops(minimum=minimum, maximum=maximum, where=torch.where)
