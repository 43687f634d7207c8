"""Shared fixtures: where the real homes are, if they are there."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with the real data; tests that need it are skipped, with the reason, where it is missing."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("HIDIFF_DATA", default))
    if not (folder / "ausgrid").is_dir():
        pytest.skip(f"real data not found in {folder}; set HIDIFF_DATA to the folder that holds ausgrid/")
    return folder
