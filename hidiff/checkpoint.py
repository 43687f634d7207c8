"""Model directories: ``model.safetensors``, ``config.json`` and a model card. No pickle anywhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from hidiff.errors import CheckpointError
from hidiff.output import replace_when_done

FORMAT = 2
"""Version of the directory's layout; a reader refuses what it does not know."""
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(folder: Path, tensors: dict[str, Tensor], config: dict[str, Any], card: str) -> None:
    """Write a model directory; the config, which vouches for the weights, is renamed into place last."""
    folder.mkdir(parents=True, exist_ok=True)
    with replace_when_done(folder / WEIGHTS) as part:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, part)
        part.chmod(0o644)  # safetensors writes for the owner alone
        content = {"format": FORMAT, "weights_sha256": file_hash(part), **config}
    for name, text in ((CARD, card), (CONFIG, json.dumps(content, indent=1) + "\n")):
        with replace_when_done(folder / name) as part:
            part.write_text(text, encoding="utf-8")


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and config of a model directory.

    Raises:
        CheckpointError: a part is missing, damaged, of another format, or not what the config vouches for.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"model directory {folder} does not exist; name a directory that 'hidiff train' wrote"
        )
    for name in (WEIGHTS, CONFIG):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} has no {name}; a model directory holds {WEIGHTS} and {CONFIG}")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{folder / CONFIG} is damaged ({error}); copy the model again") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{folder / CONFIG} holds no object of settings; copy the model again")
    if config.get("format") != FORMAT:
        raise CheckpointError(
            f"{folder} has checkpoint format {config.get('format')!r}, this version reads {FORMAT}; "
            "use the hidiff version named in its model card"
        )
    found = file_hash(folder / WEIGHTS)
    if found != config.get("weights_sha256"):
        raise CheckpointError(
            f"{folder / WEIGHTS} is not the file that config.json vouches for (sha256 {found[:12]}…, "
            f"expected {str(config.get('weights_sha256'))[:12]}…): truncated or changed; copy the model again"
        )
    try:
        return load_file(folder / WEIGHTS), config
    except SafetensorError as error:
        raise CheckpointError(f"{folder / WEIGHTS} cannot be read ({error}); copy the model again") from error
