"""Environments for readers whose pins conflict with hidiff's: made once by pip, kept in a cache, run as a process.

They lie in ``$HIDIFF_READERS``, by default ``~/.cache/hidiff/readers``. Where the registry cannot be reached the test
is skipped, but under ``CI`` it fails.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

SCRIPTS = Path(__file__).parent / "readers"
CACHE = Path(os.environ.get("HIDIFF_READERS", Path.home() / ".cache" / "hidiff" / "readers"))


@dataclass(frozen=True)
class Reader:
    """What the environment of a reader is made of."""

    packages: tuple[str, ...] = ()
    """Installed with what they need."""
    packages_alone: tuple[str, ...] = ()
    """Installed without what they need."""
    versions: tuple[str, ...] = field(default=("3.11", "3.12"))
    """Versions of Python that it takes."""
    has_ours: bool = False
    """Whether packages that it lacks are taken from the environment of the tests."""


READERS = {
    # scikit-learn 1.2.2, which it asks for, has no build for Python 3.12. What it needs for EnergyPlus, torch and
    # torchvision are asked for by other parts of it.
    "citylearn": Reader(
        packages=(
            "gymnasium==0.28.1", "numpy==1.26.4", "pandas==2.3.3", "platformdirs", "pyyaml", "requests",
            "scikit-learn==1.2.2", "simplejson",
        ),
        packages_alone=("citylearn==3.0.2",),
        versions=("3.11",),
    ),
    "calliope": Reader(packages=("calliope==0.7.0",), versions=("3.12",)),
    "emhass": Reader(
        packages_alone=(
            "emhass==0.18.7", "skforecast==0.22.0", "optuna==5.0.0", "numba==0.68.1", "llvmlite==0.50.0", "aiofiles",
            "aiohttp", "aiohappyeyeballs", "aiosignal", "alembic", "attrs", "colorlog", "frozenlist", "Mako",
            "multidict", "orjson", "propcache", "sqlalchemy", "websockets", "yarl",
        ),
        has_ours=True,
    ),
    "smps": Reader(packages_alone=("mip==2.0.0", "cbcbox==2.935"), has_ours=True),
}  # fmt: skip


def read(reader: str, *arguments: object) -> Any:
    """What ``readers/READER_reader.py`` prints as JSON in its last line, run in its environment."""
    python = environment(reader)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [python, SCRIPTS / f"{reader}_reader.py", *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False,
        env=clean | {"CITYLEARN_OFFLINE": "true", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@lru_cache
def environment(name: str) -> Path:
    """The Python of a reader's environment, which is made if it is not there."""
    reader = READERS[name]
    found = next(_interpreters(reader.versions), None)
    if found is None:
        pytest.skip(f"{name} needs Python {' or '.join(reader.versions)}, which is not on this machine")
    ours = sysconfig.get_paths()["purelib"] if reader.has_ours else ""
    key = hashlib.sha256(repr((reader, found, ours)).encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{key}"
    python = folder / "bin" / "python"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{name}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([found, "-m", "venv", folder], check=True)
            if ours:
                (next(folder.glob("lib/python3*/site-packages")) / "ours.pth").write_text(f"{ours}\n")
            pip = [
                python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--prefer-binary",
            ]
            for extra, packages in (((), reader.packages), (("--no-deps",), reader.packages_alone)):
                if packages:
                    done = subprocess.run(
                        [*pip, *extra, *packages], capture_output=True, text=True, check=False
                    )
                    if done.returncode:
                        reason = f"the environment of {name} could not be made: {done.stderr[-1000:]}"
                        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
            (folder / "complete").touch()
    return python


def _interpreters(versions: tuple[str, ...]) -> Iterator[str]:
    """Pythons of these versions that run: this one first, then on the path, then pyenv's."""
    for version in versions:
        if sys.version_info[:2] == tuple(map(int, version.split("."))):
            yield sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in versions:
        for candidate in (
            shutil.which(f"python{version}"),
            *sorted(pyenv.glob(f"{version}*/bin/python{version}")),
        ):
            if (
                candidate
                and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0
            ):
                yield str(candidate)
