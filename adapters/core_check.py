"""Could any coalition of homes pay less on its own? Asked of all ``2**homes`` at once, by one programme.

With ``z`` of a home 1 for in and 0 for out, and ``bill`` what it pays now::

    maximise  sum_i bill_i z_i - cost(z)

over the rows of `hidiff.adapters.coalitions`, whose right-hand sides and bounds are linear in ``z``. With ``z`` between
0 and 1 it is a linear programme, and its optimum is at least that of every coalition: a bound. With ``z`` 0 or 1 the
optimum is the largest excess itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from hidiff.errors import NotConverged

from .coalitions import CoalitionProgramme, Community

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreCheck:
    """The largest excess over all coalitions of homes, and how far it is known [currency]."""

    largest_excess: float
    """Most that a coalition was found to save by leaving; 0 if none was found."""
    bound: float
    """No coalition can save more by leaving than this; equal to ``largest_excess`` when the search was finished."""
    coalition: NDArray[np.bool_]
    """The coalition that saves it, ``(home,)``; empty if none was found."""

    @property
    def is_in_core(self) -> bool:
        """Whether no coalition can save a thousandth of a currency unit by leaving."""
        return self.bound <= 1e-3


def check_core(
    homes: Community, bills: Floats, *, is_exact: bool = True, time_limit_s: float = 60.0
) -> CoreCheck:
    """The coalition of homes that would gain most by leaving, given what each home pays.

    Args:
        bills: what each home pays, ``(home,)`` [currency].
        is_exact: whether to search for the coalition where the linear programme leaves room for one; if not, only
            the bound is given.
        time_limit_s: of each of the two programmes; where it ends the search, ``bound`` stays above
            ``largest_excess``.

    Raises:
        NotConverged: not even the linear programme was solved in time.
    """
    if np.shape(bills) != (len(homes),) or not np.isfinite(bills).all():
        raise ValueError(
            f"bills has shape {np.shape(bills)}; it needs a finite amount for each of {len(homes)} homes"
        )
    programme = CoalitionProgramme(homes)
    cost, matrix, low, high = programme.with_members(np.asarray(bills, float))
    columns, members = len(cost), slice(len(cost) - len(homes), len(cost))
    bounds = Bounds(np.zeros(columns), np.where(np.arange(columns) < members.start, np.inf, 1.0))
    rows = LinearConstraint(matrix, low, high)
    relaxed = milp(cost, constraints=rows, bounds=bounds, options={"time_limit": time_limit_s})
    if relaxed.x is None or relaxed.status != 0:
        raise NotConverged(
            f"the bound of the largest excess was not found in time_limit_s={time_limit_s}; raise it"
        )
    bound = max(-float(relaxed.fun), 0.0)
    nobody = np.zeros(len(homes), bool)
    if not is_exact or bound <= 1e-6:
        return CoreCheck(largest_excess=0.0, bound=bound, coalition=nobody)
    whole = milp(
        cost,
        constraints=rows,
        bounds=bounds,
        integrality=np.where(np.arange(columns) < members.start, 0, 1),
        options={"time_limit": time_limit_s, "mip_rel_gap": 1e-6},
    )
    known = bound if whole.mip_dual_bound is None else min(bound, max(-float(whole.mip_dual_bound), 0.0))
    if whole.x is None:
        return CoreCheck(largest_excess=0.0, bound=known, coalition=nobody)
    coalition = whole.x[members] > 0.5
    excess = float(bills[coalition].sum() - programme.cost(coalition))
    return CoreCheck(largest_excess=max(excess, 0.0), bound=max(known, excess, 0.0), coalition=coalition)
