"""A machine that runs once when it is filled, uninterrupted, at any time within its window."""

from __future__ import annotations

from typing import NamedTuple

from hidiff.envs.ops import Ops, Value

IDLE = -1.0
"""``waiting_h`` of a machine that nobody has filled."""
ROUNDING_H = 1e-6


class Run(NamedTuple):
    """A machine after a step."""

    waiting_h: Value
    """How long the start may still wait; `IDLE` when nothing waits."""
    running_h: Value
    """What is left of the run."""
    power_kw: Value
    """Mean over the step."""


def run(
    waiting_h: Value, running_h: Value, request: Value, start: Value, appliance: Value, dt_h: float, m: Ops
) -> Run:
    """One step of a machine.

    Args:
        request: 1 where it is filled at the start of this step.
        start: > 0 asks for the start; without it, it starts when it can wait no longer.
    """
    waiting_h = m.where(request > 0, appliance.slack_h, waiting_h)
    must_start = waiting_h < dt_h - ROUNDING_H
    starts = (waiting_h >= 0) & (running_h <= 0) & (must_start | (start > 0))
    running_h = m.where(starts, appliance.duration_h, running_h)
    on_h = m.minimum(running_h, dt_h)
    waiting_h = m.where(starts, IDLE, m.where(waiting_h >= 0, m.maximum(waiting_h - dt_h, 0.0), IDLE))
    return Run(waiting_h, running_h - on_h, appliance.power_kw * on_h / dt_h)
