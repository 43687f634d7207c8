"""What is wrong, or odd, in traces: counts and first offenders, nothing repaired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .meter_report import FIRST_OFFENDERS, Finding
from .resample import gap_runs
from .traces import Traces

SYDNEY = (-33.87, 151.21)
NIGHT_ELEVATION_DEG = -1.0
IMPLAUSIBLE_KW = 30.0
FLAT_HOURS = 24.0
# float32 on disk: a value at the limit may come back a rounding above it.
ROUNDING = 1e-5
ERRORS = frozenset({"NaN in load", "NaN in PV", "infinite", "negative load", "negative PV"})


@dataclass(frozen=True, kw_only=True)
class ValidationReport:
    """Findings of `validate`; ``str(report)`` is the text for people."""

    homes: int
    steps: int
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing at all was found."""
        return not self.findings

    @property
    def has_errors(self) -> bool:
        """Whether a gap, an infinite or a negative value was found, which nothing should be computed from."""
        return any(finding.kind in ERRORS for finding in self.findings)

    def count(self, kind: str) -> int:
        """How often ``kind`` was found."""
        return sum(finding.count for finding in self.findings if finding.kind == kind)

    def __str__(self) -> str:
        head = f"{self.homes} homes x {self.steps} steps: "
        return head + "\n".join(["findings" if self.findings else "nothing found", *map(str, self.findings)])


def validate(
    traces: Traces, *, latitude_deg: float = SYDNEY[0], longitude_deg: float = SYDNEY[1]
) -> ValidationReport:
    """Counts of gaps, of impossible or implausible values, of days without load and of flat runs.

    Args:
        latitude_deg: north positive.
        longitude_deg: east positive.
    """
    load, pv = traces.load_kw, traces.pv_kw
    capacity = traces.homes["pv_capacity_kwp"].to_numpy(dtype=np.float64)[:, None]
    night = is_night(traces.time, traces.dt_h, latitude_deg, longitude_deg)[None, :]
    cells = {
        "NaN in load": (np.isnan(load), "steps without a reading"),
        "NaN in PV": (np.isnan(pv), "steps without a reading"),
        "infinite": (np.isinf(load) | np.isinf(pv), "steps; the source is damaged"),
        "negative load": (load < 0, "steps; load is a magnitude"),
        "negative PV": (pv < 0, "steps; PV is a magnitude"),
        "PV at night": ((pv > 0) & night, f"steps wholly below a sun of {NIGHT_ELEVATION_DEG:g} degrees"),
        "PV above capacity": (pv > capacity * (1 + ROUNDING), "steps above pv_capacity_kwp"),
        "implausible power": (
            (load > IMPLAUSIBLE_KW) | (pv > IMPLAUSIBLE_KW),
            f"steps above {IMPLAUSIBLE_KW:g} kW",
        ),
    }
    findings = [_finding(kind, bad, action, traces) for kind, (bad, action) in cells.items() if bad.any()]
    findings += [
        finding for finding in (_unknown_capacity(traces), _empty_days(traces), _flat_runs(traces)) if finding
    ]
    return ValidationReport(homes=len(traces), steps=len(traces.time), findings=tuple(findings))


def is_night(
    time: pd.DatetimeIndex, dt_h: float, latitude_deg: float, longitude_deg: float
) -> NDArray[np.bool_]:
    """Steps whose start and end both lie more than one degree below sunrise or sunset, ``(step,)``."""
    if not len(time):
        return np.zeros(0, dtype=bool)
    from pvlib import solarposition

    edges = time.append(pd.DatetimeIndex([time[-1] + pd.Timedelta(hours=dt_h)]))
    position = solarposition.get_solarposition(edges, latitude_deg, longitude_deg)
    below = position["elevation"].to_numpy() < NIGHT_ELEVATION_DEG
    return np.asarray(below[:-1] & below[1:])


def _finding(kind: str, bad: NDArray[np.bool_], action: str, traces: Traces) -> Finding:
    cells = np.flatnonzero(bad.reshape(-1))
    homes, steps = np.unravel_index(cells[:FIRST_OFFENDERS], bad.shape)
    first = tuple(f"home {traces.names[h]!r} at {traces.time[s]}" for h, s in zip(homes, steps, strict=True))
    return Finding(kind=kind, count=len(cells), action=action, first=first)


def _unknown_capacity(traces: Traces) -> Finding | None:
    unknown = traces.homes["pv_capacity_kwp"].isna().to_numpy()
    names = tuple(f"home {name!r}" for name, bad in zip(traces.names, unknown, strict=True) if bad)
    if not names:
        return None
    action = "homes; PV cannot be held against it"
    return Finding(kind="unknown PV capacity", count=len(names), action=action, first=names[:FIRST_OFFENDERS])


def _empty_days(traces: Traces) -> Finding | None:
    """Local days, measured in full, on which a home used nothing."""
    days = pd.factorize(traces.time.tz_convert(traces.time_zone).normalize())[0]
    starts = np.flatnonzero(np.diff(days, prepend=-1))
    if not len(starts):
        return None
    load_kw = np.add.reduceat(traces.load_kw, starts, axis=1)
    homes, empty = np.nonzero(load_kw == 0)
    if not len(homes):
        return None
    clock = traces.time[starts].tz_convert(traces.time_zone)
    first = tuple(
        f"home {traces.names[h]!r} on {clock[d]:%Y-%m-%d}"
        for h, d in zip(homes[:FIRST_OFFENDERS], empty[:FIRST_OFFENDERS], strict=True)
    )
    return Finding(kind="day without load", count=len(homes), action="home-days", first=first)


def _flat_runs(traces: Traces) -> Finding | None:
    """Runs of one and the same load above 0 for a day or more: a meter that stood still, or a filled gap."""
    shortest = round(FLAT_HOURS / traces.dt_h) - 1
    places = []
    for home, load in enumerate(traces.load_kw):
        same = (np.diff(load) == 0) & (load[1:] > 0)
        for start, length in gap_runs(same):
            if length >= shortest:
                hours = (length + 1) * traces.dt_h
                places.append(f"home {traces.names[home]!r} from {traces.time[start]}, {hours:g} h")
    if not places:
        return None
    first = tuple(places[:FIRST_OFFENDERS])
    return Finding(
        kind="flat load", count=len(places), action=f"runs of {FLAT_HOURS:g} h or more", first=first
    )
