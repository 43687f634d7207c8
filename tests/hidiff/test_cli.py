"""The command line: what reaches the parts behind it, what comes out, and how it ends on an error.

The parts behind it are replaced by small ones that record what they were asked.
"""

import errno
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from hidiff import __version__
from hidiff.cli import VERBS, main
from hidiff.errors import CheckpointError, DataFormatError, DependencyMissing, InfeasibleError, NotConverged


@dataclass(frozen=True, kw_only=True)
class FakeConfig:
    out: Path
    """Folder to write."""
    homes: int = 1
    mode: Literal["new", "like", "from-readings"] = "new"
    household: tuple[str, ...] = ()
    force: bool = False

    def __post_init__(self) -> None:
        if not self.homes >= 1:
            raise ValueError(f"homes is {self.homes}, must be at least 1")


@dataclass(frozen=True, kw_only=True)
class FakeOptions:
    time_zone: str = "UTC"
    seed: int = 0


@dataclass
class Calls:
    """What the replaced parts were asked, and the error they are told to end with."""

    seen: list[Any] = field(default_factory=list)
    error: BaseException | None = None


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()

    def work(config: FakeConfig) -> Path:
        calls.seen.append(config)
        if calls.error:
            raise calls.error
        return config.out

    def ingest(path: Path, out: Path, config: FakeOptions, *, force: bool) -> Path:
        calls.seen.append((path, out, config, force))
        out.mkdir()
        (out / "report.txt").write_text("3 rows\n")
        return out

    def evaluate_dirs(directory: Path, real: Path, out: Path, config: FakeOptions, *, force: bool) -> Path:
        calls.seen.append((directory, real, out, config, force))
        return out

    def verify(directory: Path) -> Path:
        calls.seen.append(directory)
        return directory

    def report_dir(directory: Path, out: Path, *, force: bool) -> Path:
        calls.seen.append((directory, out, force))
        return out

    parts: dict[str, dict[str, object]] = {
        "hidiff.generate": {"GenerateConfig": FakeConfig, "generate": work},
        "hidiff.verify": {"verify": verify},
        "hidiff.training": {"TrainConfig": FakeConfig, "train": work},
        "hidiff.demo": {"DemoConfig": FakeConfig, "demo": work},
        "hidiff.data.meter_csv": {"MeterCsvConfig": FakeOptions, "ingest": ingest},
        "hidiff.evaluate": {"EvaluateConfig": FakeOptions},
        "hidiff.evaluate_folders": {"evaluate_dirs": evaluate_dirs},
        "hidiff.report": {"report_dir": report_dir},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delenv("HIDIFF_TRACEBACK", raising=False)
    return calls


@pytest.mark.parametrize("verb", ["generate", "train", "demo"])
def test_the_flags_become_the_config_and_the_path_is_the_last_line(
    verb: str, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        verb,
        "--homes",
        "3",
        "--out",
        "d",
        "--mode",
        "from-readings",
        "--household",
        "1",
        "2",
        "--force",
    ]
    assert main(asked) == 0
    assert calls.seen == [
        FakeConfig(homes=3, out=Path("d"), mode="from-readings", household=("1", "2"), force=True)
    ]
    assert capsys.readouterr().out.splitlines()[-1] == "d"


def test_verify_takes_a_folder_and_gives_it_back(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "made"]) == 0
    assert calls.seen == [Path("made")]
    assert capsys.readouterr().out == "made\n"


def test_an_address_without_its_engine_is_a_mistake(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--out", "d", "--address", "auto"]) == 2
    assert "--address auto is that of a Ray cluster; add --engine ray" in capsys.readouterr().err
    assert calls.seen == []


def test_ingest_prints_its_report_before_the_path(
    calls: Calls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    assert main(["ingest", "m.csv", "--out", str(out), "--time-zone", "Europe/Paris"]) == 0
    assert calls.seen == [(Path("m.csv"), out, FakeOptions(time_zone="Europe/Paris"), False)]
    assert capsys.readouterr().out.splitlines() == ["3 rows", str(out)]


def test_evaluate_takes_both_folders_and_its_options(calls: Calls) -> None:
    assert main(["evaluate", "made", "--real", "homes", "--out", "r", "--seed", "4", "--force"]) == 0
    assert calls.seen == [(Path("made"), Path("homes"), Path("r"), FakeOptions(seed=4), True)]


def test_report_takes_a_folder_and_a_page(calls: Calls) -> None:
    assert main(["report", "made", "--out", "r.html"]) == 0
    assert calls.seen == [(Path("made"), Path("r.html"), False)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("years is -1"), 2),
        (DataFormatError("no column load_kw"), 2),
        (DependencyMissing("pip install hidiff[nem12]"), 2),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x.csv"), 2),
        (FileExistsError("x is not empty"), 2),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "x"), 2),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "x"), 2),
        (CheckpointError("model.safetensors was changed"), 1),
        (InfeasibleError("import limit below the load"), 1),
        (NotConverged("loss is nan"), 1),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 1),
        (RuntimeError("no idea"), 1),
        (KeyError("a"), 1),
        (MemoryError(), 1),
    ],
)
def test_an_error_is_one_line_without_a_traceback_and_its_kind_sets_the_code(
    error: Exception, code: int, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.error = error
    assert main(["demo", "--out", "d"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert "Traceback" not in shown.err
    is_foreseen = not isinstance(error, (RuntimeError, KeyError, MemoryError))
    assert ("--traceback" in shown.err) != is_foreseen


def test_an_error_of_the_system_names_the_file(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    calls.error = OSError(errno.ENOSPC, "No space left on device", "x/traces.parquet")
    main(["demo", "--out", "d"])
    assert capsys.readouterr().err == "error: x/traces.parquet: No space left on device\n"


@pytest.mark.parametrize(
    "arguments", [["demo", "--out", "d", "--traceback"], ["--traceback", "demo", "--out", "d"]]
)
def test_a_traceback_is_shown_when_asked_for(
    arguments: list[str], calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.error = RuntimeError("no idea")
    assert main(arguments) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.splitlines()[-1] == "error: RuntimeError: no idea"


def test_a_traceback_can_be_asked_for_by_the_environment(
    calls: Calls, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls.error = RuntimeError("no idea")
    monkeypatch.setenv("HIDIFF_TRACEBACK", "1")
    assert main(["demo", "--out", "d"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_with_130(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    calls.error = KeyboardInterrupt()
    assert main(["demo", "--out", "d"]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "VERB; see 'hidiff --help'"),
        (["generat"], "unknown command 'generat'; did you mean 'generate'?"),
        (["generate"], "required: --out; see 'hidiff generate --help'"),
        (["generate", "--out", "d", "--home", "3"], "unknown argument '--home'; did you mean '--homes'?"),
        (["generate", "--out", "d", "x"], "unknown argument 'x'; see 'hidiff generate --help'"),
        (["generate", "--out", "d", "--homes", "three"], "--homes: invalid int value: 'three'"),
        (["generate", "--out", "d", "--homes", "-1"], "homes is -1, must be at least 1"),
        (["generate", "--out", "d", "--mode", "nwe"], "invalid choice: 'nwe'"),
        (["generate", "--out", ""], "--out: the path is empty"),
    ],
)
def test_a_mistake_on_the_command_line_is_named_with_code_2(
    arguments: list[str], message: str, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert calls.seen == []


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_a_help_with_an_example(
    verb: str, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"examples:\n  hidiff {verb}" in text
    assert verb == "verify" or "--out" in text  # it writes nothing


def test_the_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hidiff {__version__}\n"


def test_help_lists_every_verb_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from hidiff.cli import main; main(['--help'])\n"
        "print('heavy:', *sorted({'torch', 'pyomo', 'gymnasium', 'matplotlib'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert all(f"    {verb} " in done.stdout for verb in VERBS)
    assert done.stdout.splitlines()[-1] == "heavy:"


PROMISED = {
    "generate": "homes years start seed out mode household readings annual-kwh pv-kwp weather steps device "
    "batch-size model dry-run force resume shard log workers home-years-per-shard engine address",
    "verify": "",
    "train": "data out preset resume",
    "ingest": "out time-zone interval unit columns",
    "evaluate": "real out",
    "report": "out force",
    "export": "to out force",
    "demo": "out homes seed force",
    "scenarios": "help",
}


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_the_real_parts_take_the_promised_flags(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    words = capsys.readouterr().out.replace("]", " ").replace("[", " ").split()
    missing = [flag for flag in PROMISED[verb].split() if f"--{flag}" not in words]
    assert not missing
