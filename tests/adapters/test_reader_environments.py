"""Environments of their own: what shadows what, and which pins go to pip."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from .reader_environments import CACHE, ROOT, Reader, _write_constraints, run

WHERE = """
import importlib.metadata, json, gymnasium, hidiff, numpy
print(json.dumps({
    "gymnasium": [gymnasium.__version__, importlib.metadata.version("gymnasium"), gymnasium.__file__],
    "numpy": numpy.__file__,
    "hidiff": hidiff.__file__,
}))
"""


@pytest.mark.slow
def test_what_an_environment_has_itself_hides_ours_and_the_rest_is_ours():
    seen = json.loads(run("gymnasium-1.2", "-c", WHERE))
    version, distribution, file = seen["gymnasium"]
    assert version == distribution == "1.2.2"
    assert Path(file).is_relative_to(CACHE)
    assert Path(seen["numpy"]).samefile(np.__file__)
    assert Path(seen["hidiff"]).is_relative_to(ROOT)


@pytest.mark.slow
def test_rllib_opens_with_the_gymnasium_that_it_pins():
    code = (
        "import gymnasium, ray; from ray.rllib.algorithms.ppo import PPOConfig; "
        "from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv; "
        "print(gymnasium.__version__, ray.__version__)"
    )
    assert run("rllib", "-c", code).split() == ["1.2.2", "2.60.0"]


@pytest.mark.slow
def test_our_environment_keeps_its_tests_on_the_oldest_gymnasium():
    files = ("tests/envs/test_home_env.py", "tests/envs/test_conformance.py")
    printed = run("gymnasium-1.2", "-m", "pytest", "-p", "no:cacheprovider", *files, "-v")
    assert " passed in " in printed


def test_a_script_that_fails_fails_the_test(monkeypatch):
    monkeypatch.setattr(f"{run.__module__}.environment", lambda name: sys.executable)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run("gymnasium-1.2", "-c", "1 / 0")


def test_pip_is_held_to_our_pins_but_for_the_versions_that_a_reader_names(tmp_path):
    reader = Reader(packages=("ray[rllib]==2.60.0", "dm_tree"), packages_alone=("Gymnasium==1.2.2",))
    pins = _write_constraints(reader, tmp_path / "constraints.txt").read_text().splitlines()
    names = {pin.split("==")[0] for pin in pins}
    assert {"numpy", "torch", "stable_baselines3"} <= names
    assert not {"gymnasium", "ray"} & names
    assert all("==" in pin for pin in pins)
    assert "dm-tree" in names, "a package that a reader names without a version keeps its pin"
