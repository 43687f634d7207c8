"""The table of environments: ratios, limits, a peer that cannot be had, and a short run of every row."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hidiff.data.synthetic import synthetic_homes


@pytest.fixture(scope="module")
def envs() -> Iterator[ModuleType]:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "envs.py"
    spec = importlib.util.spec_from_file_location("benchmark_envs", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))
        patch.setitem(sys.modules, spec.name, module)  # where its dataclasses look for themselves
        spec.loader.exec_module(module)
        yield module


def figures(envs: ModuleType, homes: int, *step_s: float):
    return envs.Figures(version="1", homes=homes, reset_s=[0.5, 0.25, 0.125], step_s=list(step_s))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_shows_the_median_round_its_spread_and_its_ratios(envs: ModuleType) -> None:
    rows = {
        envs.CITYLEARN: figures(envs, 17, 0.025, 0.0125, 0.05),
        envs.BAUWERK: figures(envs, 1, 1e-4, 1e-4, 1e-4),
        "hidiff/Home-v0": figures(envs, 1, 1e-5, 2e-5, 4e-5),
    }
    table = [cells(line) for line in envs.figures_table(rows)]
    assert table[2] == [envs.CITYLEARN, "1", "17", "40", "20 – 80", "680", "250.0", "1.00 ×", "0.00 ×"]
    assert table[4] == [
        "hidiff/Home-v0",
        "1",
        "1",
        "50,000",
        "25,000 – 100,000",
        "50,000",
        "250.0",
        "74 ×",
        "5.00 ×",
    ]
    assert {len(row) for row in table} == {9}
    assert cells(envs.limits_table(rows)[2]) == [
        "hidiff/Home-v0",
        f"{envs.BAUWERK} (steps/s)",
        "5.00 ×",
        "≥ 1 ×",
    ]


def test_a_batch_is_judged_by_its_home_steps(envs: ModuleType) -> None:
    batch = next(row for row, own in envs.OWN.items() if own.is_per_home)
    rows = {envs.CITYLEARN: figures(envs, 17, 0.01), batch: figures(envs, 1700, 0.02)}
    (limit,) = (cells(line) for line in envs.limits_table(rows)[2:])
    assert limit == [batch, f"{envs.CITYLEARN} (home-steps/s)", "50 ×", "≥ 1,000 ×"]


def test_a_peer_that_cannot_be_had_is_named_and_nothing_is_judged_against_it(envs: ModuleType) -> None:
    rows = {envs.BAUWERK: "no Python 3.11", "hidiff/Home-v0": figures(envs, 1, 1e-5)}
    table = [cells(line) for line in envs.figures_table(rows)]
    assert table[2][:2] == [envs.BAUWERK, "not to be had: no Python 3.11"]
    assert table[3][-2:] == ["–", "–"]
    assert cells(envs.limits_table(rows)[2])[2] == "–"


def test_the_reason_stands_in_place_of_a_process(envs: ModuleType, monkeypatch, tmp_path: Path) -> None:
    def refuse(name: str) -> Path:
        raise envs.EnvironmentUnavailable(f"{name}: no\nregistry")

    monkeypatch.setattr(envs, "environment", refuse)
    monkeypatch.setattr(envs, "benchmark_homes", lambda: synthetic_homes(2, 2))
    rows = envs.processes(5, tmp_path)
    assert rows[envs.BAUWERK] == "bauwerk: no registry"
    assert envs.measured({envs.BAUWERK: rows[envs.BAUWERK]}, rounds=1) == {
        envs.BAUWERK: "bauwerk: no registry"
    }
    assert set(envs.OWN) < set(rows)


@pytest.mark.slow
def test_every_environment_runs_a_few_steps(envs: ModuleType, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(envs, "DAYS", 4)
    rows = envs.measured(envs.processes(5, tmp_path), rounds=1)
    seen = {row: (got.version, got.homes) for row, got in rows.items() if isinstance(got, envs.Figures)}
    missing = [got for got in rows.values() if isinstance(got, str)]
    if missing:
        pytest.skip("; ".join(missing))
    assert seen[envs.CITYLEARN] == ("3.0.2", 17)
    assert seen[envs.CITYLEARN_ONE] == ("3.0.2", 1)
    assert seen[envs.BAUWERK] == ("0.3.2", 1)
    assert all(row in seen for row in envs.OWN)


def test_a_step_that_cannot_run_ends_the_benchmark_with_its_error(envs: ModuleType) -> None:
    process = envs.Process(
        command=[sys.executable, "-c", "raise SystemExit('no episode left')"], variables={}
    )
    with pytest.raises(RuntimeError, match="no episode left"):
        process.run()
