"""A set of several shards and years, on disk and in memory."""

from pathlib import Path

import pytest

from hidiff.data import parquet
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces


@pytest.fixture(scope="session")
def stored_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven homes over fifteen months in three shards; the table of homes is not in the order of names."""
    made = synthetic_homes(7, 450, start="2011-11-01", seed=3)
    homes = made.homes.assign(postcode=range(7)).iloc[[3, 0, 6, 1, 2, 5, 4]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "HOMES_PER_SHARD", 3)
        return made.with_homes(homes).to_parquet(tmp_path_factory.mktemp("stored") / "homes")


@pytest.fixture(scope="session")
def stored_in_memory(stored_folder: Path) -> Traces:
    """The same homes, read whole."""
    return Traces.from_parquet(stored_folder)
