"""One door for outside packages, so that one that is missing gives one clear error."""

from __future__ import annotations

import importlib
from typing import Any

from hidiff.errors import DependencyMissing


def require(package: str, extra: str | None = None) -> Any:
    """The module ``package``, imported now.

    Args:
        package: dotted name to import, such as ``pyomo.environ``.
        extra: extra of this package that brings it; None where a plain install does.

    Raises:
        DependencyMissing: it is not installed; the message holds the pip command.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or not (package + ".").startswith(error.name + "."):
            raise  # something that the package itself needs is missing: not ours to explain
        root = package.partition(".")[0]
        command = f'pip install "hidiff[{extra}]"' if extra else f"pip install {root}"
        raise DependencyMissing(f"this needs {root}, which is not installed; run: {command}") from error
