"""Coefficient of performance of air-source heat pumps over the outdoor temperature."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

COP = (6.0801, -0.0941, 0.0005)
"""COP of an air-source heat pump over the lift [K]: Ruhnau et al. 2019, doi:10.1038/s41597-019-0199-y."""
SMALLEST_LIFT_K = 15.0
SUPPLY_AIR_C = 35.0
COLD_SUPPLY_AIR_C = 12.0

Emitter = Literal["air", "floor", "radiator"]


def heating_cop(
    outdoor_c: ArrayLike, *, efficiency: float = 0.85, emitter: Emitter = "air"
) -> NDArray[np.float64]:
    """Heat over electricity at an outdoor temperature [degC].

    Args:
        efficiency: field over laboratory: defrosting and control.
        emitter: supply air at 35 degC, or water by When2Heat's heating curves.
    """
    outdoor = np.asarray(outdoor_c, dtype=np.float64)
    sink = {"air": SUPPLY_AIR_C + 0 * outdoor, "floor": 30 - 0.5 * outdoor, "radiator": 40 - outdoor}
    return _cop(sink[emitter] - outdoor) * efficiency


def cooling_cop(outdoor_c: ArrayLike, *, efficiency: float = 0.85) -> NDArray[np.float64]:
    """Cold over electricity: the same curve at the lift from supply air of 12 degC, 3.6 at 35 degC outdoors."""
    return _cop(np.asarray(outdoor_c, dtype=np.float64) - COLD_SUPPLY_AIR_C) * efficiency


def _cop(lift_k: NDArray[np.float64]) -> NDArray[np.float64]:
    # The parabola turns at 94 K; machines do not.
    lift = np.clip(lift_k, SMALLEST_LIFT_K, -COP[1] / (2 * COP[2]))
    return np.asarray(np.maximum(COP[0] + COP[1] * lift + COP[2] * lift**2, 1.0))
