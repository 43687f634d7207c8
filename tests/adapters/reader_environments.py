"""Environments for packages whose pins conflict with hidiff's: made once by pip, kept in a cache, run as a process.

They lie in ``$HIDIFF_READERS``, by default ``~/.cache/hidiff/readers``. Where the registry cannot be reached the test
is skipped, but under ``CI`` it fails.

    read("citylearn", folder)                                         # what readers/citylearn_reader.py prints as JSON
    run("gymnasium-1.2", "-m", "pytest", "tests/envs/test_x.py")  # hidiff and its tests with another Gymnasium
"""

import hashlib
import json
import os
import re
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

ROOT = Path(__file__).resolve().parents[2]
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
    """Whether packages that it lacks are taken from the environment of the tests, and hidiff from this checkout.

    Its own come first. What pip brings in has the version in ``constraints.txt``, unless the reader names another.
    """


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
    # Undeclared by bauwerk: packaging and cvxpy, which its import needs; with numpy 2 a step is a TypeError.
    "bauwerk": Reader(
        packages=("bauwerk==0.3.2", "gym==0.26.2", "numpy==1.26.4", "packaging==26.3", "cvxpy==1.7.5"),
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
    # The oldest Gymnasium that hidiff takes, and the one that RLlib pins; all else is what the tests have.
    "gymnasium-1.2": Reader(packages_alone=("gymnasium==1.2.2",), has_ours=True),
    "rllib": Reader(
        packages_alone=(
            "gymnasium==1.2.2", "ray==2.60.0", "absl-py", "attrs", "dm-tree", "jsonschema", "jsonschema-specifications",
            "lz4", "msgpack", "ormsgpack", "protobuf", "referencing", "rpds-py", "tensorboardX", "wrapt",
        ),
        has_ours=True,
    ),
    "smps": Reader(packages_alone=("mip==2.0.0", "cbcbox==2.935"), has_ours=True),
}  # fmt: skip


class EnvironmentUnavailable(Exception):
    """An environment cannot be made on this machine; says why."""


def read(reader: str, *arguments: object) -> Any:
    """What ``readers/READER_reader.py`` prints as JSON in its last line, run in its environment."""
    printed = run(reader, SCRIPTS / f"{reader}_reader.py", *arguments)
    return json.loads(printed.strip().splitlines()[-1])


def run(name: str, *arguments: object, timeout_s: float = 300) -> str:
    """What ``python ARGUMENTS`` prints in that environment, from the root of the checkout; skips without it."""
    try:
        python = environment(name)
    except EnvironmentUnavailable as reason:
        (pytest.fail if os.environ.get("CI") and python_of(name) else pytest.skip)(str(reason))
    done = subprocess.run(
        [python, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False, env=variables(name),
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def variables(name: str) -> dict[str, str]:
    """The variables that a process in that environment is started with."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    own = {"CITYLEARN_OFFLINE": "true", "OMP_NUM_THREADS": "1"}
    return clean | own | ({"PYTHONPATH": str(ROOT)} if READERS[name].has_ours else {})


def python_of(name: str) -> str | None:
    """The Python that an environment is made of, if there is one on this machine."""
    return next(_interpreters(READERS[name].versions), None)


@lru_cache
def environment(name: str) -> Path:
    """The Python of an environment, which is made if it is not there.

    Raises:
        EnvironmentUnavailable: no Python of a version that it takes, or pip cannot install it.
    """
    reader = READERS[name]
    found = python_of(name)
    if found is None:
        versions = " or ".join(reader.versions)
        raise EnvironmentUnavailable(f"{name} needs Python {versions}, which is not on this machine")
    ours = sysconfig.get_paths()["purelib"] if reader.has_ours else ""
    key = hashlib.sha256(repr((reader, found, ours)).encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{key}"
    python = folder / "bin" / "python"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{name}.lock"):
        if (folder / "complete").exists():
            return python
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([found, "-m", "venv", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"]
        if ours:
            # A line of a .pth file goes behind the environment's own packages on sys.path, so these win.
            (next(folder.glob("lib/python3*/site-packages")) / "ours.pth").write_text(f"{ours}\n")
            pip += ["--constraint", _write_constraints(reader, folder / "constraints.txt")]
        # Alone: installed even where ours has that version, so that it stays when ours moves on.
        for extra, packages in (
            ((), reader.packages),
            (("--no-deps", "--ignore-installed"), reader.packages_alone),
        ):
            if packages:
                done = subprocess.run([*pip, *extra, *packages], capture_output=True, text=True, check=False)
                if done.returncode:
                    raise EnvironmentUnavailable(
                        f"the environment of {name} could not be made: {done.stderr[-1000:]}"
                    )
        (folder / "complete").touch()
    return python


def _write_constraints(reader: Reader, path: Path) -> Path:
    """Our constraints, less those of packages whose version the reader names itself."""

    def name_of(requirement: str) -> str:
        return re.sub("[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()

    own = {name_of(package) for package in (*reader.packages, *reader.packages_alone) if "==" in package}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    path.write_text("".join(f"{line}\n" for line in lines if "==" in line and name_of(line) not in own))
    return path


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
