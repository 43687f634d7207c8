"""One frozen encoder of weeks, so that distances between codes are the same numbers on every call.

Nothing is trained on either side and no weights are shipped: random convolutions whose weights are a function
of a fixed key, in the way of ROCKET and MiniRocket (Dempster et al. 2020, doi:10.1007/s10618-020-00701-z;
2021, arXiv:2012.08791). A code is the share of the week during which a convolution is above zero.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hidiff import rng

Floats = NDArray[np.floating]
Array = NDArray[np.float64]

DT_H = 0.5
"""Step that the encoder sees [h]."""
DILATIONS = (1, 2, 6, 12, 24, 48)
"""Steps between the values that a convolution sees: half an hour, an hour, 3, 6 and 12 h, a day."""
LENGTH = 7
"""Values that a convolution sees of each channel."""
KERNELS = 18
"""Convolutions a dilation: a third see the load, a third PV, a third both."""
SOFTENING_KW = 0.1
"""Powers far below this look alike: the encoder sees ``arsinh(power / SOFTENING_KW)``, nearly a logarithm."""
LEVELS_KW = (0.1, 3.0)
"""A convolution looks at powers relative to a level of its own, drawn log-uniformly between these."""


def week_codes(load_kw: Floats, pv_kw: Floats, dt_h: float) -> Array:
    """Codes of weeks, ``(home, week, 108)``, each in 0..1.

    A code depends on the scale in kW (each convolution has a level of its own), on the shape of hours and
    days, and, at the longer dilations, on the order of the days.

    Args:
        load_kw: ``(home, week, step)`` [kW], 168 h each.
        pv_kw: ``(home, week, step)`` [kW].
        dt_h: step length [h]; 0.5, or a part of it, of which means are taken.
    """
    ratio = round(DT_H / dt_h)
    if abs(ratio * dt_h - DT_H) > 1e-9 or ratio < 1:
        raise ValueError(f"dt_h={dt_h} does not divide {DT_H} h; resample to 30 minutes or a part of it")
    power_kw = np.stack([load_kw, pv_kw], axis=2)  # (home, week, channel, step)
    if power_kw.shape[3] != round(168 / DT_H) * ratio:
        raise ValueError(f"weeks have {power_kw.shape[3] * dt_h} h, not 168; cut them with joint.windows")
    power_kw = power_kw.reshape(*power_kw.shape[:3], -1, ratio).mean(axis=4)
    seen = np.arcsinh(power_kw / SOFTENING_KW).astype(np.float32)
    codes = np.empty((*power_kw.shape[:2], len(DILATIONS) * KERNELS))
    for index, (dilation, (weights, offset)) in enumerate(zip(DILATIONS, _kernels(), strict=True)):
        steps = np.arange(seen.shape[3] - (LENGTH - 1) * dilation)[:, None] + dilation * np.arange(LENGTH)
        for home, weeks in enumerate(seen):  # one home at a time bounds the memory
            values = weeks[:, :, steps].transpose(0, 2, 1, 3)  # (week, step, channel, value)
            above = values.reshape(*values.shape[:2], -1) @ weights > offset
            codes[home, :, index * KERNELS : (index + 1) * KERNELS] = above.mean(axis=1)
    return codes


@cache
def _kernels() -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]:
    """Weights ``(channel x value, kernel)`` and what they must add up to, ``(kernel,)``, for each dilation."""
    found = []
    for dilation in DILATIONS:
        stream = rng.generator("week encoder", dilation)
        weights = stream.standard_normal((2, LENGTH, KERNELS))
        weights[1, :, 0::3] = 0
        weights[0, :, 1::3] = 0
        level_kw = np.exp(stream.uniform(math.log(LEVELS_KW[0]), math.log(LEVELS_KW[1]), (2, KERNELS)))
        offset = (weights.sum(axis=1) * np.arcsinh(level_kw / SOFTENING_KW)).sum(axis=0)
        found.append((weights.reshape(2 * LENGTH, KERNELS).astype(np.float32), offset.astype(np.float32)))
    return tuple(found)
