"""The Python of docs/exports.md runs as it stands, and its table names every format."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hidiff.adapters.exports import FORMATS
from hidiff.scenarios import ScenarioSet

PAGE = Path(__file__).resolve().parents[1] / "docs" / "exports.md"


def test_the_page_on_exports_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time = pd.date_range("2030-01-07", periods=48, freq="30min", tz="Australia/Sydney")
    load_kw = np.random.default_rng(0).random((3, 2, 48))
    ScenarioSet.from_arrays({"load_kw": load_kw}, time=time, homes=["h0", "h1"]).save(tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    assert (tmp_path / "pypsa" / "scenario-s2" / "loads-p_set.csv").exists()
    assert set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)) == set(FORMATS)
