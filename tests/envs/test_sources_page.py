"""The Python of docs/sources.md runs as it stands."""

import re
from pathlib import Path
from typing import Any

import numpy as np

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"


def test_the_page_on_sources_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    assert not set(names["train"].names) & set(names["test"].names)
    assert np.array_equal(names["window"].load_kw, names["again"].load_kw)
    assert names["ahead"].shape == (336, 48)
    assert {"hot_water_kw", "car_trip_kwh", "heating_cop"} <= set(names["series"])
