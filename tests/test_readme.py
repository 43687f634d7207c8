"""The README's Python runs as it stands, with fewer homes."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


pytest.importorskip("stable_baselines3")


def test_the_readme_runs_and_the_replayed_schedule_costs_what_the_optimiser_said() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 3
    code = "\n".join(blocks)
    assert code.count("homes=10") == 1
    names: dict[str, object] = {}
    small = code.replace("homes=10", "homes=2").replace("envs=32", "envs=2").replace("100_000", "192")
    exec(compile(small, str(README), "exec"), names)
    assert names["traces"].load_kw.shape == (2, 17520)  # type: ignore[attr-defined]
    best, again, rule = names["best"], names["again"], names["rule"]
    assert again.cost == pytest.approx(best.cost, rel=1e-6)  # type: ignore[attr-defined]
    assert best.cost <= rule.cost  # type: ignore[attr-defined]
    assert names["learner"].num_timesteps >= 192  # type: ignore[attr-defined]


def test_every_picture_and_page_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert len(links) >= 4
    assert not [link for link in links if not (README.parent / link).exists()]
