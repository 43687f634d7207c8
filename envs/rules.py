"""Rule-based controllers, and the loop that runs one through an environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .home import HomeEnv

Floats = NDArray[np.float64]


class HomeState(NamedTuple):
    """What a rule sees at the start of a step."""

    load_kw: float
    """Mean load of the step that begins [kW]."""
    pv_kw: float
    """Mean generation available in the step that begins [kW]."""
    energy_kwh: float
    """Energy stored [kWh]."""
    import_price_per_kwh: float
    export_price_per_kwh: float


Rule = Callable[[HomeState], float]
"""Maps a state to the battery power wanted, > 0 charges [kW]; the environment cuts it to what is possible."""


def do_nothing(state: HomeState) -> float:
    """Leave the battery idle."""
    return 0.0


def self_consumption(state: HomeState) -> float:
    """Charge with all surplus, discharge for all deficit: ``battery = pv - load``."""
    return state.pv_kw - state.load_kw


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation:
    """One episode, step by step; arrays of shape ``(step,)``, mean power in kW."""

    battery_kw: Floats
    """Power applied, > 0 charges."""
    energy_kwh: Floats
    """Energy stored at the END of each step."""
    import_kw: Floats
    export_kw: Floats
    pv_used_kw: Floats
    excess_kw: Floats
    """Import or export above its limit."""
    step_cost: Floats
    """Bill of each step, the daily charge included [currency]."""
    penalty: Floats
    """Penalty of each step for power above a limit [currency]; not part of the bill."""
    reward: Floats

    @property
    def cost(self) -> float:
        """Bill of the episode [currency]."""
        return float(self.step_cost.sum())


def simulate(
    env: HomeEnv, rule: Rule, *, seed: int | None = None, options: dict[str, Any] | None = None
) -> Simulation:
    """Run one episode of ``env`` under ``rule``.

    Args:
        seed: seed of the reset.
        options: options of the reset, such as ``{"home": "12", "start": "2011-11-29"}``.
    """
    env.reset(seed=seed, options=options)
    names = (
        "battery_kw",
        "energy_kwh",
        "import_kw",
        "export_kw",
        "pv_used_kw",
        "excess_kw",
        "cost",
        "penalty",
    )
    rows: list[tuple[float, ...]] = []
    is_over = False
    while not is_over:
        _, reward, _, is_over, info = env.step_power(rule(env.state))
        rows.append((*(info[name] for name in names), reward))
    columns = np.array(rows).T
    return Simulation(
        battery_kw=columns[0],
        energy_kwh=columns[1],
        import_kw=columns[2],
        export_kw=columns[3],
        pv_used_kw=columns[4],
        excess_kw=columns[5],
        step_cost=columns[6],
        penalty=columns[7],
        reward=columns[8],
    )
