"""What a meter file held and what was done about it, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

FIRST_OFFENDERS = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One kind of oddity: how often it occurs, what was done, and the first places."""

    kind: str
    count: int
    action: str
    first: tuple[str, ...]

    def __str__(self) -> str:
        places = "; ".join(self.first) + (" …" if self.count > len(self.first) else "")
        return f"{self.count:>8}  {self.kind}: {self.action}" + (f" ({places})" if places else "")


@dataclass(kw_only=True)
class IngestReport:
    """Counts and first offenders of one file; ``str(report)`` is the text for people."""

    file: str
    rows: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    step_minutes: dict[str, int] = field(default_factory=dict)
    homes: int = 0
    half_hours: int = 0
    period: str = ""
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, kind: str, action: str, places: Sequence[str], count: int | None = None) -> None:
        """Record a finding; nothing is recorded when there are no places."""
        total = len(places) if count is None else count
        if total:
            first = tuple(places[:FIRST_OFFENDERS])
            self.findings.append(Finding(kind=kind, count=total, action=action, first=first))

    def count(self, kind: str) -> int:
        """How often ``kind`` was found."""
        return sum(finding.count for finding in self.findings if finding.kind == kind)

    def __str__(self) -> str:
        steps = ", ".join(map(str, sorted(set(self.step_minutes.values())))) or "?"
        lines = [
            f"{self.file}: {self.rows} rows, {self.homes} homes, step {steps} min",
            f"period: {self.period}, {self.half_hours} half-hours a home",
            "columns: " + ", ".join(" = ".join(pair) for pair in self.columns.items()),
            *(f"note: {note}" for note in self.notes),
            "findings:" if self.findings else "findings: none",
            *(str(finding) for finding in self.findings),
        ]
        return "\n".join(lines)
