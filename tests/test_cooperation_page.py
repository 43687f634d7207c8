"""The Python of docs/cooperation.md runs as it stands."""

import re
from pathlib import Path
from typing import Any

import numpy as np

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cooperation.md"


def test_the_page_on_cooperation_runs_and_its_payoffs_agree() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, Any] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    saved = names["values"][-1]
    assert saved > 0
    assert np.isclose(names["payoffs"].sum(), saved)
    assert np.isclose(names["game"].payoffs.sum(), saved)
    assert np.isclose(names["plan"].internal_bill.sum(), names["plan"].cost)
    assert names["check"].bound >= names["check"].largest_excess - 1e-6
