"""docs/markets.md runs as it stands, and its table says what `PROMISES` says."""

import re
from pathlib import Path

import numpy as np
import pytest

from hidiff.envs.market import PROMISES

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "markets.md").read_text(encoding="utf-8")


def test_the_page_on_markets_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile("\n".join(blocks), "docs/markets.md", "exec"), names)
    trade = names["trade"]
    np.testing.assert_allclose(trade.bought_kw, [1.425, 0.475, 0])  # type: ignore[attr-defined]
    np.testing.assert_allclose(trade.grid_import_kw, [1.575, 0.525, 0])  # type: ignore[attr-defined]


@pytest.mark.parametrize("rule", PROMISES)
def test_the_table_of_the_page_is_that_of_the_code(rule: str) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{rule}` |"))
    told = [cell.strip().strip("*") == "yes" for cell in row.split("|")[3:5]]
    assert told == list(PROMISES[rule])  # type: ignore[index]
