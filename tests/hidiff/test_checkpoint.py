"""Model directories: what comes back, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hidiff import checkpoint
from hidiff.errors import CheckpointError

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1.5])}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "model", TENSORS, {"low": {"width": 8}}, "# card\n")
    return tmp_path / "model"


def test_weights_and_config_come_back_as_they_were(folder: Path) -> None:
    tensors, config = checkpoint.load(folder)
    assert set(tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        torch.testing.assert_close(tensors[name], tensor, rtol=0, atol=0)
    assert config["low"] == {"width": 8}
    assert config["weights_sha256"] == checkpoint.file_hash(folder / "model.safetensors")
    assert (folder / "README.md").read_text() == "# card\n"


def test_nothing_else_is_left_in_the_directory_and_nothing_is_a_pickle(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    checkpoint.save(folder, {"b": torch.zeros(1)}, {}, "")
    assert set(checkpoint.load(folder)[0]) == {"b"}


def test_a_view_of_a_tensor_is_saved_as_what_it_shows(tmp_path: Path) -> None:
    turned = torch.arange(6.0).reshape(2, 3).T
    checkpoint.save(tmp_path, {"turned": turned}, {}, "")
    torch.testing.assert_close(checkpoint.load(tmp_path)[0]["turned"], turned)


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-7])


def flip(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def other_format(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "format": 99}))


def vouched_rubbish(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"rubbish" * 9)
    config = json.loads((folder / "config.json").read_text())
    config["weights_sha256"] = checkpoint.file_hash(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "not the file that config.json vouches for.*truncated or changed"),
        (flip, "not the file that config.json vouches for"),
        (vouched_rubbish, "model.safetensors cannot be read"),
        (other_format, "checkpoint format 99, this version reads 2"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: (folder / "config.json").write_text('{"format": 1,'), "config.json is damaged"),
        (lambda folder: (folder / "config.json").write_text("[1]"), "holds no object of settings"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe{}"), "config.json is damaged"),
    ],
)
def test_a_damaged_directory_is_refused(folder: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(folder)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(folder)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere does not exist.*'hidiff train' wrote"):
        checkpoint.load(tmp_path / "nowhere")
