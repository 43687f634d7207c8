"""A house as three conductances and two heat capacities (3R2C): its air, and the mass of its structure.

::

    C_a dT_a/dt = H_ao (T_o - T_a) + H_am (T_m - T_a) + q_a
    C_m dT_m/dt = H_mo (T_o - T_m) + H_am (T_a - T_m) + q_m

Outdoor temperature and heat flows are constant within a step, for which the solution is exact (matrix
exponential): a free-floating house is the same on steps of any length. Air alone (1R1C) would heat up in minutes and
cool as fast; the mass is what carries a house through the night.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class RCHouse:
    """Thermal properties of each home, ``(home,)``."""

    air_to_outdoor_kw_per_k: Floats
    """What reaches the air at once: windows and air exchange."""
    air_to_mass_kw_per_k: Floats
    """Surfaces of walls, floor and ceiling."""
    mass_to_outdoor_kw_per_k: Floats
    """Opaque parts of the envelope."""
    air_kwh_per_k: Floats
    """Heat capacity of air and furniture."""
    mass_kwh_per_k: Floats
    """Heat capacity of the structure that takes part in a day's swing."""

    def __post_init__(self) -> None:
        size = np.shape(self.air_kwh_per_k)
        for name, values in vars(self).items():
            values = np.asarray(values, dtype=np.float64)
            if values.ndim != 1 or values.shape != size:
                raise ValueError(f"{name} has shape {values.shape}; give one number a home, {size}")
            if not (np.isfinite(values) & (values > 0)).all():
                raise ValueError(f"{name} holds {values.min()}; it must be finite and above 0")
            object.__setattr__(self, name, values)

    @property
    def heat_loss_kw_per_k(self) -> Floats:
        """Heat that leaves per kelvin when the air is held: the direct path, and that through the mass."""
        through_mass = 1 / (1 / self.air_to_mass_kw_per_k + 1 / self.mass_to_outdoor_kw_per_k)
        return np.asarray(self.air_to_outdoor_kw_per_k + through_mass)


def exact_step(house: RCHouse, dt_h: float) -> tuple[Floats, Floats]:
    """``x' = A x + B u`` over one step, ``x = (air, mass)`` and ``u = (outdoor, q_air, q_mass)``.

    Returns:
        ``A`` as ``(2, 2, home)``, ``B`` as ``(2, 3, home)``.
    """
    if not dt_h > 0:
        raise ValueError(f"dt_h={dt_h}; a step must be longer than 0")
    out, between, behind = (
        house.air_to_outdoor_kw_per_k,
        house.air_to_mass_kw_per_k,
        house.mass_to_outdoor_kw_per_k,
    )
    air, mass = house.air_kwh_per_k, house.mass_kwh_per_k
    joint = np.zeros((len(air), 5, 5))
    joint[:, 0, 0], joint[:, 0, 1] = -(out + between) / air, between / air
    joint[:, 1, 0], joint[:, 1, 1] = between / mass, -(behind + between) / mass
    joint[:, 0, 2], joint[:, 1, 2] = out / air, behind / mass
    joint[:, 0, 3], joint[:, 1, 4] = 1 / air, 1 / mass
    solved = np.moveaxis(expm(joint * dt_h), 0, -1)
    return solved[:2, :2].copy(), solved[:2, 2:].copy()


def simulate(
    house: RCHouse, *, outdoor_c: Floats, gains_air_kw: Floats, gains_mass_kw: Floats, low_c: Floats,
    high_c: Floats, heating_max_kw: Floats, cooling_max_kw: Floats, dt_h: float, start_c: tuple[Floats, Floats],
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Heat that keeps the air between two set-points as far as capacity allows, step by step.

    The heat of a step is what brings the air to the nearer set-point at the step's end.

    Args:
        outdoor_c: ``(step,)``.
        gains_air_kw, gains_mass_kw, low_c, high_c, heating_max_kw, cooling_max_kw: ``(step, home)`` or what
            broadcasts to it; ``high_c`` may be infinite.
        start_c: air and mass before the first step, ``(home,)`` each.

    Returns:
        Heat put into the air, ``(step, home)`` [kW], < 0 where heat is taken out; air and mass at the end of each
        step [deg C].
    """
    shape = (len(outdoor_c), len(house.air_kwh_per_k))
    a, b = exact_step(house, dt_h)
    gains_air, gains_mass = np.broadcast_to(gains_air_kw, shape), np.broadcast_to(gains_mass_kw, shape)
    pushed = [b[i, 0] * outdoor_c[:, None] + b[i, 1] * gains_air + b[i, 2] * gains_mass for i in (0, 1)]
    low, high, up, down = (
        np.broadcast_to(x, shape) for x in (low_c, high_c, heating_max_kw, -np.asarray(cooling_max_kw))
    )
    if not (high >= low).all():
        raise ValueError("a cooling set-point lies below the heating set-point; part them")
    (a_aa, a_am), (a_ma, a_mm) = a
    per_kw, mass_per_kw = b[0, 1], b[1, 1]
    need_per_k = 1 / per_kw
    heat, air_c, mass_c = (np.empty(shape) for _ in range(3))
    air, mass = (np.array(np.broadcast_to(x, shape[1:]), dtype=np.float64) for x in start_c)
    for step in range(shape[0]):
        free = a_aa * air + a_am * mass + pushed[0][step]
        mass = a_ma * air + a_mm * mass + pushed[1][step]
        given = np.minimum(np.maximum((low[step] - free) * need_per_k, 0), (high[step] - free) * need_per_k)
        given = np.minimum(np.maximum(given, down[step]), up[step])
        air = free + per_kw * given
        mass = mass + mass_per_kw * given
        heat[step], air_c[step], mass_c[step] = given, air, mass
    return heat, air_c, mass_c
