"""The Python of docs/community.md runs as it stands."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "community.md"


def test_the_page_on_communities_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pettingzoo")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    reset, own, gain, auction = capsys.readouterr().out.splitlines()
    assert reset.startswith("{'home': 'synthetic-00000', 'start': '2012-")
    assert own == "['battery', 'tank']"
    assert float(gain) > 0
    assert auction == "['battery', 'tank', 'bid', 'ask']"
