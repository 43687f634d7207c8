"""The Python of docs/mpc.md runs as it stands, and its table names every kind of control."""

import re
from pathlib import Path
from typing import get_args

from hidiff.adapters.mpc import Kind

PAGE = Path(__file__).resolve().parents[1] / "docs" / "mpc.md"


def test_the_page_on_predictive_control_runs() -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    assert len(names["by_scenarios"].reward) == 336  # type: ignore[attr-defined]
    for kind in get_args(Kind):
        assert f"| `{kind}` |" in text
