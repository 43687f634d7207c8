"""A missing package gives one clear error."""

import pytest

from hidiff.adapters import require
from hidiff.errors import DependencyMissing


def test_a_present_package_is_returned() -> None:
    assert require("json.decoder").JSONDecoder is not None


def test_a_missing_package_names_the_pip_command() -> None:
    with pytest.raises(DependencyMissing, match=r'pip install "hidiff\[grid\]"'):
        require("no_such_package_here.part", "grid")
    with pytest.raises(DependencyMissing, match="pip install no_such_package_here"):
        require("no_such_package_here")
