"""What a key performance indicator is: a pure function, its unit, and which way is better."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Better = Literal["low", "high", "-"]
Scope = Literal["home", "community", "both"]
Compute = Callable[..., float]

REGISTERED: dict[str, Kpi] = {}
"""Every indicator of the modules that have been imported; ``kpis.KPIS`` has them all, in order."""


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """An indicator of an episode; its name is its function's."""

    compute: Compute
    """Takes what it needs by name and returns a float; NaN where a ratio has nothing below the line."""
    unit: str
    better: Better
    """Whether a low or a high value is better; ``-`` where it says nothing by itself."""
    group: str
    """Heading in tables."""
    scope: Scope = "home"
    """``home``: of arrays ``(step,)``. ``community``: of arrays ``(step, home)``. ``both``: of either."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names without which it is left out."""
        return self._parameters(with_default=False)

    @property
    def may_use(self) -> tuple[str, ...]:
        """Names that count as 0 where they are absent: of devices that a home may lack."""
        return self._parameters(with_default=True)

    @property
    def definition(self) -> str:
        """First line of the function's docstring."""
        return (self.compute.__doc__ or "").strip().splitlines()[0]

    def _parameters(self, *, with_default: bool) -> tuple[str, ...]:
        parameters = inspect.signature(self.compute).parameters.values()
        return tuple(p.name for p in parameters if (p.default is not p.empty) == with_default)

    def value(self, known: dict[str, Any]) -> float | None:
        """The indicator from what is known by name; None where something that it needs is absent."""
        if any(name not in known for name in self.needs):
            return None
        used = (*self.needs, *(name for name in self.may_use if name in known))
        return float(self.compute(**{name: known[name] for name in used}))


def kpi(unit: str, better: Better, group: str, scope: Scope = "home") -> Callable[[Compute], Compute]:
    """Register a function as an indicator under its own name."""

    def register(compute: Compute) -> Compute:
        REGISTERED[compute.__name__] = Kpi(
            compute=compute, unit=unit, better=better, group=group, scope=scope
        )
        return compute

    return register


def ratio(above: float, below: float) -> float:
    """A quotient; NaN where there is nothing below the line."""
    return above / below if below > 0 else float("nan")
