"""The shape of the code: floors, packages, links, and what an import may load."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINKED = ("adapters", "envs", "scenarios")  # folders at the root that are installed as hidiff.<name>

# Imports go down: from a floor to a lower one, or within a room. The longest prefix of a name decides.
# A plain module of hidiff that is not named (training, generate, evaluate …) stands above the generators; the
# package itself, `hidiff`, is the shop window and stands on no floor.
ROOMS: dict[str, tuple[float, str]] = {
    "hidiff.errors": (0.0, "base"),
    "hidiff.config": (0.0, "base"),
    "hidiff.config_schema": (0.0, "base"),
    "hidiff.rng": (0.0, "base"),
    "hidiff.output": (0.0, "base"),
    "hidiff.units": (0.0, "base"),
    "hidiff.arrays": (0.0, "base"),
    "hidiff.home": (0.0, "base"),
    "hidiff.devices": (0.0, "base"),
    "hidiff.tariff": (0.0, "base"),
    "hidiff.rc_house": (0.0, "base"),
    "hidiff.market": (0.0, "base"),
    "hidiff.prices": (0.0, "base"),
    "hidiff.cop": (0.0, "base"),
    "hidiff.checkpoint": (0.0, "base"),  # files and hashes; knows nothing of what the weights are for
    "hidiff.data": (0.5, "data"),
    "hidiff.diffusion": (1.0, "diffusion"),
    "hidiff.baselines": (1.0, "baselines"),
    "hidiff.metrics": (1.0, "metrics"),
    "hidiff.forecast": (1.0, "forecast"),
    "hidiff.evaluation_figures": (1.5, "generator"),  # drawing, beside the figures of the report
    "hidiff.scenarios": (2.0, "scenarios"),
    "hidiff.envs.physics": (3.0, "physics"),
    "hidiff.envs.market": (3.0, "market"),
    "hidiff.envs.grid": (3.0, "grid"),
    "hidiff.envs.ops": (2.9, "ops"),
    "hidiff.envs.meter": (3.0, "tariffs"),
    "hidiff.envs.tariffs": (3.0, "tariffs"),
    "hidiff.envs": (3.5, "envs"),
    "hidiff.envs.learn": (4.0, "learn"),
    "hidiff.adapters": (5.0, "adapters"),
    "hidiff.cli": (6.0, "commands"),
    "hidiff.demo": (6.0, "commands"),
    "hidiff.battery_study": (6.0, "commands"),
    "hidiff.figure_battery_study": (6.0, "commands"),
}
GENERATOR = (1.5, "generator")
FLOOR_0_ONLY = ("physics", "market", "grid", "tariffs")

DISTRIBUTIONS = {"yaml": "pyyaml", "sklearn": "scikit-learn"}  # where the import has another name
LIGHT = {"numpy", "pandas", "scipy"}  # what an adapter may import before it is asked to do anything


def python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package by its installed name; the links inside ``hidiff/`` are not followed."""
    for top in ("hidiff", *LINKED):
        for path in python_files(ROOT / top):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            if parts[0] == "hidiff" and parts[1] in LINKED:
                continue
            parts = parts if top == "hidiff" else ["hidiff", *parts]
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())
MODULES_BY_PATH = {path: name for name, path in MODULES.items()}


def imports(name: str, path: Path, nodes: Iterator[ast.AST] | None = None) -> Iterator[str]:
    """Full names that a module imports, anywhere in it, relative ones resolved."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in nodes or ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                start = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full in MODULES else base


def top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs on import: neither function bodies nor ``if TYPE_CHECKING`` blocks."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def room_of(name: str) -> tuple[float, str] | None:
    prefixes = [prefix for prefix in ROOMS if name == prefix or name.startswith(f"{prefix}.")]
    if prefixes:
        return ROOMS[max(prefixes, key=len)]
    folder, _, _ = name.rpartition(".")
    is_plain = folder == "hidiff" and MODULES.get(name, Path()).name != "__init__.py"
    return GENERATOR if is_plain else None


def violation(source: str, target: str) -> str | None:
    """Why ``source`` may not import ``target``, or None."""
    here, there = room_of(source), room_of(target)
    if here is None or there is None:
        return None
    if here[1] == there[1]:
        return None
    if here[1] in FLOOR_0_ONLY and there[0] >= 1 and there[1] != "ops":
        return f"{source} may import floor 0 only, not {target}"
    if there[0] >= here[0]:
        return f"{source} (floor {here[0]:g}) imports {target} (floor {there[0]:g})"
    return None


@pytest.mark.parametrize(
    ("source", "target", "is_allowed"),
    [
        ("hidiff.data.traces", "hidiff.errors", True),
        ("hidiff.errors", "hidiff.data.traces", False),
        ("hidiff.diffusion.high", "hidiff.metrics.temporal", False),
        ("hidiff.evaluate", "hidiff.metrics.temporal", True),
        ("hidiff.metrics.temporal", "hidiff.evaluate", False),
        ("hidiff.envs.physics.battery", "hidiff.home", True),
        ("hidiff.envs.physics.battery", "hidiff.diffusion.high", False),
        ("hidiff.envs.home", "hidiff.envs.learn", False),
        ("hidiff.adapters.pyomo_home", "hidiff.envs.home", True),
        ("hidiff.envs.home", "hidiff.adapters.pyomo_home", False),
    ],
)
def test_the_floor_rule_itself_knows_up_from_down(source: str, target: str, is_allowed: bool) -> None:
    assert (violation(source, target) is None) == is_allowed


def test_imports_go_downwards_only() -> None:
    found = [
        reason
        for name, path in MODULES.items()
        for target in imports(name, path)
        if (reason := violation(name, target))
    ]
    assert not found, "\n".join(sorted(set(found)))


def test_every_module_stands_on_a_floor() -> None:
    homeless = [name for name in MODULES if name != "hidiff" and room_of(name) is None]
    assert not homeless, f"give them a floor in ROOMS: {homeless}"


def test_pyproject_lists_exactly_the_packages_on_disk() -> None:
    on_disk = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == on_disk


def test_every_folder_with_python_files_is_a_package() -> None:
    bare = {path.parent for path in MODULES.values() if not (path.parent / "__init__.py").exists()}
    assert not bare, f"without __init__.py they are left out of a wheel: {bare}"


def test_the_package_map_names_each_folder_at_the_root() -> None:
    expected = {"hidiff": "hidiff"} | {f"hidiff.{name}": name for name in LINKED if (ROOT / name).is_dir()}
    assert PYPROJECT["tool"]["setuptools"]["package-dir"] == expected


@pytest.mark.parametrize("name", [name for name in LINKED if (ROOT / name).is_dir()])
def test_the_link_into_the_package_is_relative_and_committed(name: str) -> None:
    link = ROOT / "hidiff" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..", name)
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: whether the link is committed cannot be seen")
    listed = subprocess.run(
        ["git", "ls-files", "--stage", f"hidiff/{name}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert listed.stdout.startswith("120000 "), "git add the link itself"


def test_nothing_imports_the_folders_by_their_bare_names() -> None:
    folders = ["hidiff", *LINKED, "tests", "examples", "benchmarks"]
    found = [
        f"{path.relative_to(ROOT)}: {target}"
        for folder in folders
        for path in python_files(ROOT / folder)
        for target in imports(MODULES_BY_PATH.get(path, path.stem), path)
        if target.split(".")[0] in LINKED
    ]
    assert not found, f"write hidiff.<name>: {found}"


def test_every_module_says_what_it_is() -> None:
    silent = [
        name
        for name, path in MODULES.items()
        if (text := path.read_text(encoding="utf-8")).strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert not silent, f"no docstring: {silent}"


def test_every_outside_package_is_declared() -> None:
    project = PYPROJECT["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    declared = {
        re.split(r"[^a-z0-9_-]", line.lower())[0].replace("_", "-")
        for line in project["dependencies"] + extras
    }
    outside = {
        (target.split(".")[0], name)
        for name, path in MODULES.items()
        for target in imports(name, path)
        if target.split(".")[0] not in sys.stdlib_module_names and target.split(".")[0] != "hidiff"
    }
    unknown = {
        (package, name)
        for package, name in outside
        if DISTRIBUTIONS.get(package, package).lower().replace("_", "-") not in declared
    }
    assert not unknown, f"not in pyproject.toml: {sorted(unknown)}"


def test_adapters_import_their_outside_package_only_when_asked_to_work() -> None:
    found = [
        f"{name}: {target}"
        for name, path in MODULES.items()
        if name.startswith("hidiff.adapters")
        for target in imports(name, path, top_level(ast.parse(path.read_text(encoding="utf-8"))))
        if target.split(".")[0] not in sys.stdlib_module_names | LIGHT | {"hidiff"}
    ]
    assert not found, f"import them inside the function: {found}"


def test_import_hidiff_loads_neither_torch_nor_pyomo_nor_gymnasium() -> None:
    heavy = {"torch", "pyomo", "gymnasium", "highspy", "matplotlib"}
    code = f"import sys, hidiff; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
