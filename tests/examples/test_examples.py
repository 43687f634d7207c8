"""Every example runs as a newcomer would run it, at a small size, and prints what it promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hidiff.data.traces import Traces
from hidiff.diffusion.hierarchy import SHIPPED

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

needs_model = pytest.mark.skipif(
    not (SHIPPED / "config.json").exists(), reason=f"the shipped model is not in {SHIPPED}"
)


def run(name: str, *arguments: str, folder: Path) -> str:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", str(ROOT / "examples" / name), *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def number_after(words: str, text: str) -> float:
    found = re.search(rf"^{re.escape(words)}\D*?(-?\d+\.\d+)", text, re.MULTILINE)
    assert found, f"{words!r} is not in:\n{text}"
    return float(found[1])


def test_every_example_has_a_test_and_is_short() -> None:
    tested = set(re.findall(r'run\(\s*"(\d\d_\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))
    assert {path.name for path in EXAMPLES} == tested
    assert all(len(path.read_text(encoding="utf-8").splitlines()) < 80 for path in EXAMPLES)


@needs_model
def test_generate_shows_homes_and_saves_what_it_shows(tmp_path: Path) -> None:
    text = run("01_generate.py", "--homes", "2", "--out", "homes", folder=tmp_path)
    traces = Traces.from_parquet(tmp_path / "homes")
    assert traces.load_kw.shape == (2, 17520)
    assert f"2 homes, 17520 half-hours from {traces.time[0]}" in text
    for name, load_kwh in zip(traces.names, traces.load_kwh, strict=True):
        row = re.search(rf"^{name}\s+(\S+)\s+(\S+)", text, re.MULTILINE)
        assert row and float(row[2]) == pytest.approx(load_kwh, abs=0.1)


@needs_model
def test_home_env_runs_all_four_ways_over_the_same_days(tmp_path: Path) -> None:
    text = run("02_home_env.py", "--homes", "1", "--days", "2", folder=tmp_path)
    names = ("random actions", "battery idle", "store surplus", "also fill at night")
    bills = {name: number_after(name, text) for name in names}
    assert len(set(bills.values())) == 4
    assert bills["battery idle"] > 0


@needs_model
def test_battery_schedule_is_best_and_costs_the_same_in_the_environment(tmp_path: Path) -> None:
    text = run("03_battery_schedule.py", "--days", "2", folder=tmp_path)
    best = number_after("optimum, by the solver", text)
    assert number_after("optimum, replayed in the env", text) == best
    assert best <= number_after("rule: store every surplus", text) <= number_after("battery idle", text)


@needs_model
def test_scenario_study_keeps_fewer_scenarios_whose_probabilities_sum_to_one(tmp_path: Path) -> None:
    text = run("04_scenario_study.py", "--homes", "2", "--scenarios", "3", folder=tmp_path)
    assert "kept 2 of 3 scenarios" in text and "load_kw, pv_kw, temperature_c" in text
    found = re.findall(r"^(s\d): probability (\S+), peak (\S+) kW", text, re.MULTILINE)
    assert len(found) == 2 and sum(float(share) for _, share, _ in found) == pytest.approx(1, abs=0.01)
    peaks = {name: float(peak) for name, _, peak in found}
    worst = re.search(r"^\s*peak\s+(s\d)\s.*?(\d+\.\d+)\s+kW", text, re.MULTILINE)
    assert worst and float(worst[2]) == pytest.approx(max(peaks.values()), abs=0.06)
    assert peaks[worst[1]] == max(peaks.values())


@needs_model
def test_a_learner_is_compared_with_rules_on_homes_that_it_has_not_seen(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    small = ("--timesteps", "3072", "--homes", "4", "--test-homes", "1")
    text = run("05_train_home.py", *small, folder=tmp_path)
    rows = re.findall(r"^ *(new-\d+) +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE)
    assert 1 <= len(rows) < 4
    assert all(len(set(costs)) == 3 for _, *costs in rows)


@needs_model
def test_a_neighbourhood_learns_with_one_policy_and_with_one_each(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    text = run("06_train_community.py", "--homes", "2", "--timesteps", "768", "--days", "2", folder=tmp_path)
    assert number_after("  idle, no sharing", text) > 0
    found = re.findall(
        r"^ *(\S.*): cost of all +(\S+), energy from neighbours +(\S+) kWh", text, re.MULTILINE
    )
    cost = {name: float(amount) for name, amount, _ in found}
    traded = {name: float(energy) for name, _, energy in found}
    assert list(cost) == ["idle, no sharing", "idle", "one policy", "a learner each"]
    assert traded["idle, no sharing"] == 0
    assert cost["idle"] <= cost["idle, no sharing"]  # the mid-market rate makes nobody worse off


@needs_model
def test_the_gradient_learns_and_no_policy_beats_the_optimum(tmp_path: Path) -> None:
    small = ("--homes", "2", "--test-homes", "1", "--iterations", "2", "--out", "policy")
    text = run("07_gradient.py", *small, folder=tmp_path)
    (row,) = re.findall(r"^ *new-\d+ +(\S+) +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE)
    assert float(row[3]) < min(map(float, row[:3]))
    assert (tmp_path / "policy" / "model.safetensors").exists()


def test_the_study_file_is_one_that_the_builder_takes() -> None:
    from hidiff.config import read_config
    from hidiff.scenarios.study import Study

    study = read_config(ROOT / "examples" / "study.yaml", Study)
    assert len((ROOT / "examples" / "study.yaml").read_text(encoding="utf-8").splitlines()) <= 20
    assert [group.name for group in study.population.groups] == ["families", "couples"]
