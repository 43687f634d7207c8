"""What a market needs beyond `Ops`: sums, sorting and picking along the last axis, for NumPy and for torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from hidiff.envs.ops import ARRAYS, FLOATS, Ops, Value


class HomeAxis(NamedTuple):
    """Operations along the last axis, on which the homes lie."""

    total: Callable[[Value], Value]
    """Sum; the axis stays, with length 1."""
    least: Callable[[Value], Value]
    """Smallest; the axis stays, with length 1."""
    largest: Callable[[Value], Value]
    """Largest; the axis stays, with length 1."""
    cumulate: Callable[[Value], Value]
    """Running sum."""
    running_largest: Callable[[Value], Value]
    """Largest so far."""
    order: Callable[[Value], Value]
    """Indices that sort, smallest first."""
    take: Callable[[Value, Value], Value]
    """``take(values, indices)``: values at the indices of each row."""
    put_back: Callable[[Value, Value], Value]
    """``put_back(values, indices)``: undoes ``take`` by a permutation."""
    join: Callable[[Value, Value], Value]
    """One after the other."""
    turn: Callable[[Value], Value]
    """Last first."""
    count: Callable[[Value], Value]
    """``0, 1, 2 …`` along the axis, in its shape."""
    like: Callable[[Value, Value], Value]
    """``like(value, other)``: a number or array broadcast to the shape, type and device of the other."""
    precision: Callable[[Value], float]
    """Relative size below which differences of sums are rounding."""


def home_axis(m: Ops) -> HomeAxis:
    """Operations along the homes that belong to ``m``.

    Raises:
        ValueError: plain floats, which have no homes to share among.
    """
    if m == ARRAYS:  # not `is`: an environment may have been sent to another process
        return _NUMPY
    if m == FLOATS:
        raise ValueError("m is FLOATS; a market is among several homes, use ARRAYS or tensors()")
    return _torch()


def _put_back(values: Value, indices: Value) -> Value:
    result = np.empty_like(values)
    np.put_along_axis(result, indices, values, -1)
    return result


def _like(value: Value, other: Value) -> Value:
    return np.broadcast_to(np.asarray(value, dtype=other.dtype), other.shape)


_NUMPY = HomeAxis(
    total=lambda values: values.sum(-1, keepdims=True),
    least=lambda values: values.min(-1, keepdims=True),
    largest=lambda values: values.max(-1, keepdims=True),
    cumulate=lambda values: values.cumsum(-1),
    running_largest=lambda values: np.maximum.accumulate(values, -1),
    order=lambda values: values.argsort(-1),
    take=lambda values, indices: np.take_along_axis(values, indices, -1),
    put_back=_put_back,
    join=lambda first, second: np.concatenate((first, second), -1),
    turn=lambda values: values[..., ::-1],
    count=lambda values: np.broadcast_to(np.arange(values.shape[-1]), values.shape),
    like=_like,
    precision=lambda values: 64 * float(np.finfo(values.dtype).eps),
)


@cache
def _torch() -> HomeAxis:
    import torch

    def like(value: Value, other: Value) -> Value:
        return torch.as_tensor(value, dtype=other.dtype, device=other.device).expand(other.shape)

    return HomeAxis(
        total=lambda values: values.sum(-1, keepdim=True),
        least=lambda values: values.amin(-1, keepdim=True),
        largest=lambda values: values.amax(-1, keepdim=True),
        cumulate=lambda values: values.cumsum(-1),
        running_largest=lambda values: values.cummax(-1).values,
        order=lambda values: values.detach().sort(-1).indices,
        take=lambda values, indices: values.gather(-1, indices),
        put_back=lambda values, indices: torch.zeros_like(values).scatter(-1, indices, values),
        join=lambda first, second: torch.cat((first, second), -1),
        turn=lambda values: values.flip(-1),
        count=lambda values: torch.arange(values.shape[-1], device=values.device).expand(values.shape),
        like=like,
        precision=lambda values: 64 * torch.finfo(values.dtype).eps,
    )
