"""The Python of docs/reading.md runs as it stands."""

import re
from pathlib import Path

import pytest

from hidiff.data.synthetic import synthetic_homes

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reading.md"


def test_the_page_on_reading_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = synthetic_homes(3, 200, start="2030-01-01")
    made.to_parquet(tmp_path / "homes")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    june = made.between("2030-06-01", "2030-07-01")
    assert names["load_kw"].shape == (2, 1440)  # type: ignore[attr-defined]
    assert len(names["frame"]) == names["table"].num_rows == 2 * 1440  # type: ignore[arg-type, attr-defined]
    noon = june.pv_kw[:, june.time == "2030-06-01T12:00Z"].mean()
    assert names["noon"] == pytest.approx(noon)
    assert names["power_kw"].shape[1:] == (336, 2)  # type: ignore[attr-defined]
