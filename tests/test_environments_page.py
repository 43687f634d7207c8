"""The Python of docs/environments.md runs as it stands, and its table of ids names all that are registered."""

import re
from pathlib import Path

import gymnasium
import pytest

from hidiff.envs.variants import COMMUNITY, VARIANTS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "environments.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_page_on_environments_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("pettingzoo", "stable_baselines3", "torchrl"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) == 8
    code = "\n".join(blocks)
    names: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    assert (tmp_path / "report.html").exists()
    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"^print\(.*?\)  # (.*)$", code, flags=re.MULTILINE)
    assert len(promised) == 6
    for line in promised:
        assert line in printed


def test_the_table_of_ids_names_every_registered_environment_and_its_action() -> None:
    rows = dict(re.findall(r"^\| `(hidiff/\S+)` \| .*? \| `(\w+\(\d+\))`", TEXT, flags=re.MULTILINE))
    assert set(rows) == {*VARIANTS, COMMUNITY}
    for name, told in rows.items():
        space = gymnasium.make(name).action_space
        kind, count = type(space).__name__, getattr(space, "n", None) or space.shape[0]  # type: ignore[index]
        assert told == f"{kind}({count})", name
