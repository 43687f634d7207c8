"""The Ray engine: how shards become tasks, and, where Ray is installed, that the set is that of one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hidiff.adapters import ray_engine
from hidiff.adapters.ray_engine import MAX_RUN, generate_on_ray, runs_of, slot_of
from hidiff.diffusion.hierarchy import SHIPPED
from hidiff.errors import DependencyMissing
from hidiff.generate import GenerateConfig, generate
from hidiff.generate_plan import ShardPlan


@pytest.mark.parametrize(("shards", "slots"), [(1, 1), (7, 2), (132, 2), (132, 64), (5, 0)])
def test_each_shard_is_in_one_run_and_runs_are_short(shards: int, slots: int) -> None:
    runs = runs_of(list(range(shards)), slots)
    assert [shard for run in runs for shard in run] == list(range(shards))
    assert all(1 <= len(run) <= MAX_RUN for run in runs)
    assert len(runs) >= min(shards, 4 * slots)


def test_a_slot_is_as_many_processors_as_workers_or_a_graphics_card() -> None:
    config = GenerateConfig(homes=1, out=Path("x"))
    nodes = [{"CPU": 4.0}, {"CPU": 9.0, "GPU": 2.0}, {"memory": 1e9}]
    assert slot_of(config, nodes) == ({"CPU": 1}, 13)
    assert slot_of(GenerateConfig(homes=1, out=Path("x"), workers=4), nodes) == ({"CPU": 4}, 3)
    assert slot_of(GenerateConfig(homes=1, out=Path("x"), device="cuda"), nodes) == ({"CPU": 1, "GPU": 1}, 2)


def test_a_cluster_that_can_hold_no_task_is_named() -> None:
    with pytest.raises(ValueError, match=r"has the 8 CPU of a task \(the most are 4 CPU\); lower --workers"):
        slot_of(GenerateConfig(homes=1, out=Path("x"), workers=8), [{"CPU": 4.0}])
    with pytest.raises(ValueError, match="1 CPU and 1 GPU of a task"):
        slot_of(GenerateConfig(homes=1, out=Path("x"), device="cuda"), [{"CPU": 4.0}])


def test_a_worker_that_sees_another_folder_or_model_says_so(tmp_path: Path) -> None:
    config = GenerateConfig(homes=1, out=tmp_path)
    plan = ShardPlan.of(1, 1, 1)
    with pytest.raises(OSError, match="does not see the folder"):
        ray_engine._make_run(config, "hash", plan, "mark", [0])
    (tmp_path / "unfinished.json").write_text("of another run")
    with pytest.raises(OSError, match="on a file system that all nodes share"):
        ray_engine._make_run(config, "hash", plan, "mark", [0])
    (tmp_path / "unfinished.json").write_text("mark")
    if not SHIPPED.is_dir():
        pytest.skip("no model ships in this checkout")
    with pytest.raises(ValueError, match="has another model"):
        ray_engine._make_run(config, "hash", plan, "mark", [0])


def test_without_ray_the_pip_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(package: str, extra: str) -> None:
        raise DependencyMissing(f'pip install "hidiff[{extra}]"')

    monkeypatch.setattr(ray_engine, "require", absent)
    with pytest.raises(DependencyMissing, match=r"hidiff\[ray\]"):
        generate_on_ray(GenerateConfig(homes=1, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_set_begun_here_and_gone_on_with_by_ray_is_that_of_one_run(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="Ray is an extra: pip install hidiff[ray]")
    if not SHIPPED.is_dir():
        pytest.skip("no model ships in this checkout")

    def config(name: str, **more: object) -> GenerateConfig:
        return GenerateConfig(homes=3, seed=1, steps=1, home_years_per_shard=1, out=tmp_path / name, **more)  # type: ignore[arg-type]

    one = generate(config("one"))
    generate(config("two", shard="2/3"))
    log = tmp_path / "log.jsonl"
    two = generate_on_ray(config("two", resume=True, log=log))
    assert not ray.is_initialized()
    assert {path.name: path.read_bytes() for path in two.iterdir()} == {
        path.name: path.read_bytes() for path in one.iterdir()
    }
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sorted(line["shard"] for line in lines if line["event"] == "shard finished") == [0, 2]
