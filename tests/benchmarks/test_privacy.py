"""The privacy tables: from homes to an audit, to every table of a model, and on from where a run stopped."""

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import hidiff
from hidiff import training
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.diffusion.high import HighConfig
from hidiff.diffusion.low import LowConfig


@pytest.fixture(scope="module")
def privacy() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "privacy.py"
    spec = importlib.util.spec_from_file_location("benchmark_privacy", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_canary_run_is_audited_its_model_gets_every_table_and_nothing_is_done_twice(
    privacy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "LowConfig", lambda: LowConfig(width=40, blocks=1))
    monkeypatch.setattr(training, "HighConfig", lambda: HighConfig(width=32, blocks=1))
    monkeypatch.setattr(training, "VALIDATION_BATCHES", 1)
    homes = synthetic_homes(7, 800, start="2011-01-01")
    table = homes.homes.assign(is_clean=[True] * 6 + [False])
    real = Traces(homes.load_kw, homes.pv_kw, homes.time, table)
    arguments = argparse.Namespace(
        seed=5, canaries=4, homes=2, weather=None, canary_minutes=1.0, low_steps=1, high_steps=1, new=None,
        like=None,
    )  # fmt: skip
    words = privacy.canary_run(arguments, real, tmp_path, privacy.Parts(tmp_path))
    assert words.startswith("4 outlier homes") and "1 steps of the low and 1 of the high level" in words
    audits = pd.read_csv(tmp_path / "canaries-audit.csv")
    assert {"weights", "new: load week", "like: load day"} <= set(audits["record"])
    assert ((audits["accuracy"] >= 0) & (audits["accuracy"] <= 1)).all()
    assert (audits["epsilon_low_95_all"] <= audits["epsilon_low_95"]).all()
    scores = pd.read_csv(tmp_path / "canary-scores.csv")
    assert 0 < scores["included"].sum() < 4 and np.isfinite(scores.iloc[:, 2:].to_numpy(float)).all()

    parts = privacy.Parts(tmp_path / "tables")
    facts = privacy.shipped(arguments, hidiff.load(tmp_path / "model"), real, parts)
    assert (facts["new"], facts["like"], facts["others"]) == (2, 1, 1)
    assert set(parts.tables) >= set(privacy.TEXT) - {"odd-homes", "canaries-audit", "canaries-attack"}
    assert "excess" in parts.tables["attack-new"] and "excess" not in parts.tables["attack-like"]
    assert set(parts.tables["weights-years"]["score"]) == {"low_loss", "low_calibrated"}

    monkeypatch.setattr(privacy, "train", lambda config: pytest.fail("trained again"))
    monkeypatch.setattr(privacy.HiDiff, "sample", lambda *a, **k: pytest.fail("generated again"))
    assert privacy.canary_run(arguments, real, tmp_path, privacy.Parts(tmp_path)) == words
    assert "| record |" in capsys.readouterr().out
