"""The Python of docs/stochastic.md runs as it stands."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "stochastic.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 1
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(blocks[0], str(PAGE), "exec"), names)
    plan = names["plan"]
    assert plan.battery_kw.shape[-1] == 48  # type: ignore[attr-defined]
    assert plan.solution.expected <= plan.solution.cvar  # type: ignore[attr-defined]
