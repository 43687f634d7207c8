"""What is built holds the whole package: wheel, sdist, and a wheel from the sdist."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINKED = ("adapters", "envs", "scenarios")

pytest.importorskip("setuptools", minversion="77", reason="older setuptools cannot read this pyproject.toml")


def build(tree: Path, kind: str, out: Path) -> Path:
    """Build a ``wheel`` or an ``sdist`` of ``tree`` with the backend itself, without a network."""
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(out)], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of exactly the files that git tracks, links as links: what a clean checkout has."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: the committed files are not known")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    target = tmp_path_factory.mktemp("tree")
    for name in filter(None, listed.stdout.split("\0")):
        if os.path.lexists(ROOT / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


@pytest.fixture(scope="module")
def expected(tree: Path) -> set[str]:
    """Every file of the package by its installed path."""
    packages = [tree / name for name in ("hidiff", *LINKED) if (tree / name).is_dir()]
    files = {
        path.relative_to(tree).as_posix()
        for package in packages
        for path in package.rglob("*")
        if path.is_file()
    }
    inside = {name for name in files if not name.startswith(tuple(f"hidiff/{linked}/" for linked in LINKED))}
    return {name if name.startswith("hidiff/") else f"hidiff/{name}" for name in inside}


@pytest.fixture(scope="module")
def wheel_names(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    with zipfile.ZipFile(build(tree, "wheel", tmp_path_factory.mktemp("wheel"))) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tree, "sdist", tmp_path_factory.mktemp("sdist"))


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(
    wheel_names: set[str], expected: set[str]
) -> None:
    assert wheel_names == expected
    assert {"hidiff/py.typed", "hidiff/envs/__init__.py", "hidiff/adapters/__init__.py"} <= wheel_names


def test_the_wheel_holds_the_shipped_model(wheel_names: set[str]) -> None:
    if not (ROOT / "hidiff" / "models").is_dir():
        pytest.skip("no model ships in this checkout")
    suffixes = {Path(name).suffix for name in wheel_names if name.startswith("hidiff/models/")}
    assert {".json", ".safetensors", ".md"} <= suffixes


def test_the_sdist_holds_each_source_once_and_no_links(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert not [member.name for member in members if member.issym() or member.islnk()]
    assert not [
        member.name for member in members if "/hidiff/envs" in member.name
    ]  # the sources are in envs/


def test_the_wheel_from_the_sdist_is_the_wheel_from_the_checkout(
    sdist: Path, wheel_names: set[str], tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = next(path for path in tmp_path.iterdir() if path.is_dir())
    (tmp_path / "out").mkdir()
    with zipfile.ZipFile(build(unpacked, "wheel", tmp_path / "out")) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == wheel_names


def test_the_command_and_the_version_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    import hidiff

    assert project["scripts"] == {"hidiff": "hidiff.cli:main"}
    assert hidiff.__version__ == project["version"]
    assert f"version: {hidiff.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
