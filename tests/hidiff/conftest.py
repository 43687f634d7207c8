"""A model so small that it is trained in seconds: it has learned nothing, and has all its parts."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hidiff import training
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.high import HighConfig
from hidiff.diffusion.low import LowConfig
from hidiff.training import TrainConfig

TINY_LOW = LowConfig(width=40, blocks=2)
TINY_HIGH = HighConfig(width=32, blocks=1)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing from more threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_homes() -> Traces:
    """Six made-up homes over fifteen months that begin in daylight saving time."""
    return synthetic_homes(6, 450, start="2011-11-01")


def train_tiny(homes: Path, out: Path, **choices: object) -> Path:
    """``train`` with two steps of networks of a few thousand weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "LowConfig", lambda: TINY_LOW)
        patch.setattr(training, "HighConfig", lambda: TINY_HIGH)
        patch.setattr(training, "VALIDATION_BATCHES", 1)
        config = replace(
            TrainConfig(data=homes, out=out, low_steps=2, high_steps=2, hidden_year_share=0.5), **choices
        )  # type: ignore[arg-type]
        return training.train(config)


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory: pytest.TempPathFactory, tiny_homes: Traces) -> Path:
    """`tiny_homes` as a folder."""
    return tiny_homes.to_parquet(tmp_path_factory.mktemp("set") / "homes")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory, tiny_set: Path) -> Path:
    """Directory of a model that `train` wrote."""
    return train_tiny(tiny_set, tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> HiDiff:
    """The model of `tiny_folder`, sampling in two steps, its weights shaken so that all inputs have a say."""
    model = HiDiff.load(tiny_folder)
    model.sampler = replace(model.sampler, steps=2)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for level in (model.low, model.high):
            for parameter in level.network.parameters():
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=rng))
    return model
