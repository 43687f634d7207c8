"""The command line: ``hidiff <verb>``. Each verb brings in its part only when it is asked for.

Exit codes: 0 done, 1 a failure, 2 a mistake in what was asked, 130 interrupted. Messages and progress go to
stderr; the last line on stdout is the path of what was written.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hidiff.config import add_arguments, from_arguments, path_argument, suggestion
from hidiff.errors import DependencyMissing, HidiffError

# A wrong value or path of the user's (DataFormatError is a ValueError); any other error is a failure.
MISTAKES = (
    ValueError,
    DependencyMissing,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
)

Run = Callable[[argparse.Namespace], Path]


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One subcommand."""

    summary: str
    prepare: Callable[[argparse.ArgumentParser], Run]
    """Gives the parser its arguments; returns what does the work, which returns the path written."""
    examples: str


class Parser(argparse.ArgumentParser):
    """An argparse parser whose complaints are ValueErrors, so that `main` words all errors alike."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Raise instead of leaving the program."""
        raise ValueError(f"{message}; see '{self.prog} --help'")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code comes back, nothing is raised."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    has_traceback = "--traceback" in arguments or os.environ.get("HIDIFF_TRACEBACK", "") not in ("", "0")
    try:
        namespace = _parse(arguments)
        path = namespace.run(namespace)
        print(path, flush=True)
    except SystemExit as end:  # argparse, after --help and --version
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # the outermost frame: every error becomes one line and an exit code
        if has_traceback:
            traceback.print_exc()
        print(f"error: {_message(error)}", file=sys.stderr)
        if not has_traceback and not isinstance(error, (*MISTAKES, HidiffError, OSError)):
            print("this was not foreseen; add --traceback to see where it happened", file=sys.stderr)
        return 2 if isinstance(error, MISTAKES) else 1
    return 0


def _message(error: Exception) -> str:
    """What happened, and to which file, without a traceback."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = str(error).strip()
    if text and isinstance(error, (ValueError, HidiffError, OSError)):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _parse(arguments: list[str]) -> argparse.Namespace:
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    if asked is not None and asked not in VERBS:
        raise ValueError(f"unknown command {asked!r}{suggestion(asked, VERBS)}")
    parser = Parser(prog="hidiff", description=DESCRIPTION, epilog=START)
    parser.add_argument("--version", action="version", version=_version())
    parser.add_argument("--traceback", action="store_true", help=TRACEBACK_HELP)
    parts = parser.add_subparsers(metavar="VERB", dest="verb", required=True)
    for name, verb in VERBS.items():
        part = parts.add_parser(
            name, help=verb.summary, description=f"{verb.summary}.", epilog=f"examples:\n{verb.examples}"
        )
        part.add_argument("--traceback", action="store_true", help=TRACEBACK_HELP)
        if name == asked:  # only now is the part behind the verb imported
            part.set_defaults(run=verb.prepare(part))
    namespace, unknown = parser.parse_known_args(arguments)
    if unknown:
        known = [flag for action in parts.choices[namespace.verb]._actions for flag in action.option_strings]
        near = suggestion(unknown[0], known)
        way_out = near if "?" in near else f"; see 'hidiff {namespace.verb} --help'"
        raise ValueError(f"unknown argument {unknown[0]!r}{way_out}")
    return namespace


def _version() -> str:
    from hidiff import __version__

    return f"hidiff {__version__}"


def _generate(parser: argparse.ArgumentParser) -> Run:
    from hidiff.generate import GenerateConfig, generate

    add_arguments(parser, GenerateConfig)
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local",
        help="this process, or the workers of a Ray cluster, to which --out must be one folder [default: local]",
    )  # fmt: skip
    parser.add_argument(
        "--address",
        metavar="ADDRESS",
        help="Ray cluster, such as auto or ray://host:10001; a local one if not given",
    )

    def run(namespace: argparse.Namespace) -> Path:
        config = from_arguments(namespace, GenerateConfig)
        if namespace.engine == "ray":
            from hidiff.adapters.ray_engine import generate_on_ray

            return generate_on_ray(config, namespace.address)
        if namespace.address is not None:
            raise ValueError(f"--address {namespace.address} is that of a Ray cluster; add --engine ray")
        return generate(config)

    return run


def _verify(parser: argparse.ArgumentParser) -> Run:
    from hidiff.verify import verify

    parser.add_argument("directory", metavar="DIR", type=path_argument, help="folder that generate wrote")
    return lambda namespace: verify(namespace.directory)


def _train(parser: argparse.ArgumentParser) -> Run:
    from hidiff.training import TrainConfig, train

    add_arguments(parser, TrainConfig)
    return lambda namespace: train(from_arguments(namespace, TrainConfig))


def _demo(parser: argparse.ArgumentParser) -> Run:
    from hidiff.demo import DemoConfig, demo

    add_arguments(parser, DemoConfig)
    return lambda namespace: demo(from_arguments(namespace, DemoConfig))


def _ingest(parser: argparse.ArgumentParser) -> Run:
    from hidiff.data.meter_csv import MeterCsvConfig, ingest

    parser.add_argument(
        "file", metavar="FILE", type=path_argument, help="a meter's CSV file, long or wide, or a NEM12 file"
    )
    _add_out(parser, "folder for the homes")
    add_arguments(parser, MeterCsvConfig)

    def run(namespace: argparse.Namespace) -> Path:
        config = from_arguments(namespace, MeterCsvConfig)
        out = ingest(namespace.file, namespace.out, config, force=namespace.force)
        print((out / "report.txt").read_text(encoding="utf-8"), end="")
        return out

    return run


def _evaluate(parser: argparse.ArgumentParser) -> Run:
    from hidiff.evaluate import EvaluateConfig
    from hidiff.evaluate_folders import evaluate_dirs

    parser.add_argument("directory", metavar="DIR", type=path_argument, help="folder of generated homes")
    parser.add_argument(
        "--real", metavar="DIR", type=path_argument, required=True, help="folder of the homes to compare with"
    )
    _add_out(parser, "report to write, FILE.md; the table goes beside it as CSV")
    add_arguments(parser, EvaluateConfig)

    def run(namespace: argparse.Namespace) -> Path:
        config = from_arguments(namespace, EvaluateConfig)
        return evaluate_dirs(
            namespace.directory, namespace.real, namespace.out, config, force=namespace.force
        )

    return run


def _report(parser: argparse.ArgumentParser) -> Run:
    from hidiff.report import report_dir

    parser.add_argument(
        "directory", metavar="DIR", type=path_argument, help="folder of homes, as generate or ingest wrote it"
    )
    _add_out(parser, "page to write, FILE.html")
    return lambda namespace: report_dir(namespace.directory, namespace.out, force=namespace.force)


def _export(parser: argparse.ArgumentParser) -> Run:
    from hidiff.adapters.zarr_store import write_zarr
    from hidiff.data.stored import open_stored

    parser.add_argument(
        "directory", metavar="DIR", type=path_argument, help="folder of homes, as generate or ingest wrote it"
    )
    parser.add_argument("--to", choices=("zarr",), default="zarr", help="format; zarr is for xarray")
    _add_out(parser, "folder to write, such as homes.zarr")
    return lambda namespace: write_zarr(
        open_stored(namespace.directory), namespace.out, force=namespace.force
    )


def _scenarios(parser: argparse.ArgumentParser) -> Run:
    from hidiff.adapters.exports import FORMATS

    parts = parser.add_subparsers(metavar="WHAT", dest="what", required=True)
    build = parts.add_parser("build", help="make the scenario set that a study, a YAML file, asks for")
    build.add_argument("study", metavar="STUDY.yaml", type=path_argument, help="what to make; see --schema")
    _add_out(build, "folder to write")
    build.add_argument(
        "--dry-run", action="store_true", help="say how large it would be and how long it would take"
    )
    build.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where to generate [default: cpu]"
    )
    build.add_argument("--workers", metavar="N", type=int, help="threads that generate, instead of all cores")
    build.add_argument(
        "--schema", action=_PrintSchema, nargs=0, help="print the JSON schema of a study and stop"
    )
    describe = parts.add_parser("describe", help="tables and figures of a scenario set, on one page")
    describe.add_argument("directory", metavar="DIR", type=path_argument, help="folder that build wrote")
    describe.add_argument(
        "--out", metavar="PATH", type=path_argument, help="page to write [default: DIR/report.html]"
    )
    describe.add_argument("--force", action="store_true", help="replace what is there")
    export = parts.add_parser("export", help="write a scenario set for another program")
    export.add_argument("directory", metavar="DIR", type=path_argument, help="folder that build wrote")
    formats = "; ".join(f"{name}: {text}" for name, (_, text) in FORMATS.items())
    export.add_argument("--to", choices=tuple(FORMATS), required=True, help=formats.replace("%", "%%"))
    _add_out(export, "folder or file to write")
    verify = parts.add_parser("verify", help="check that every file of a scenario set is as it was written")
    verify.add_argument("directory", metavar="DIR", type=path_argument, help="folder that build wrote")
    for part in (build, describe, export, verify):
        part.add_argument("--traceback", action="store_true", help=TRACEBACK_HELP)
    return _run_scenarios


class _PrintSchema(argparse.Action):
    """Prints the schema and leaves, as --version does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import json

        from hidiff.config_schema import json_schema
        from hidiff.scenarios.study import Study

        print(json.dumps(json_schema(Study), indent=2, ensure_ascii=False))
        parser.exit()


def _run_scenarios(namespace: argparse.Namespace) -> Path:
    from hidiff.scenarios import open_scenarios, verify_scenarios

    if namespace.what == "build":
        from hidiff.scenarios.build import build, plan_text

        if namespace.dry_run:
            print(plan_text(namespace.study))
            return Path(namespace.out)
        return build(
            namespace.study, namespace.out, force=namespace.force, device=namespace.device,
            workers=namespace.workers, progress=True,
        )  # fmt: skip
    if namespace.what == "describe":
        from hidiff.scenarios.describe import describe_dir

        return describe_dir(namespace.directory, namespace.out, force=namespace.force, say=print)
    if namespace.what == "export":
        from hidiff.adapters.exports import FORMATS

        write = FORMATS[namespace.to][0]
        return write(open_scenarios(namespace.directory), namespace.out, force=namespace.force, progress=True)
    return verify_scenarios(namespace.directory)


def _add_out(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--out", metavar="PATH", type=path_argument, required=True, help=text)
    parser.add_argument("--force", action="store_true", help="replace what is there")


TRACEBACK_HELP = "show where an error happened; HIDIFF_TRACEBACK=1 does the same"

DESCRIPTION = "Years of realistic half-hourly load and PV for individual homes."

START = """start here:
  hidiff demo                                    20 homes, a report and a battery study, offline
  hidiff generate --homes 10 --out homes         a year of ten new homes
  hidiff VERB --help                             all that a verb takes
"""

VERBS = {
    "generate": Verb(
        summary="Write years of half-hourly load and PV of homes that the model makes up",
        prepare=_generate,
        examples="""  hidiff generate --homes 42 --years 1 --start 2030-01-01 --seed 1 --out homes
  hidiff generate --homes 5 --annual-kwh 6000 --pv-kwp 5 --out five       yearly use and PV size are asked for
  hidiff generate --homes 2 --mode like --household 12 13 --out alike     like two homes of the training data
  hidiff generate --homes 1 --mode from-readings --readings meter.csv --out mine
  hidiff generate --homes 10000 --years 10 --out many --dry-run           how large, how long
  hidiff generate --homes 10000 --years 10 --out many --resume            go on where it was stopped
  hidiff generate --homes 10000 --years 10 --out many --shard 3/16        one of 16 jobs, anywhere, in any order
""",
    ),
    "verify": Verb(
        summary="Check that a folder of generated homes is whole and unchanged, file by file",
        prepare=_verify,
        examples="""  hidiff verify homes
""",
    ),
    "train": Verb(
        summary="Train a model on a folder of homes; stop it at any time and go on with --resume",
        prepare=_train,
        examples="""  hidiff train --data homes --out model
  hidiff train --data homes --out model --resume
  hidiff train --data homes --out model --preset gpu
  hidiff train --data homes --out mine --start-from model --low-steps 1000 --high-steps 0    teach a model more
""",
    ),
    "ingest": Verb(
        summary="Turn a meter file into a folder of homes, and say what was found in it",
        prepare=_ingest,
        examples="""  hidiff ingest meter.csv --out mine
  hidiff ingest meter.csv --out mine --time-zone Europe/Paris --interval end --unit kwh
  hidiff ingest meter.csv --out mine --columns "time=Timestamp,load=Usage,pv=Solar,home=Meter"
""",
    ),
    "evaluate": Verb(
        summary="Compare generated homes with real ones, beside a ceiling and a floor for every number",
        prepare=_evaluate,
        examples="""  hidiff evaluate generated --real homes --out fidelity.md
""",
    ),
    "report": Verb(
        summary="Draw a folder of homes on one self-contained HTML page",
        prepare=_report,
        examples="""  hidiff report homes --out homes.html
""",
    ),
    "export": Verb(
        summary="Write a folder of homes in another format: Zarr, for xarray",
        prepare=_export,
        examples="""  hidiff export homes --to zarr --out homes.zarr
""",
    ),
    "scenarios": Verb(
        summary="Build, describe and export scenario sets: homes, weather, prices, cars, with probabilities",
        prepare=_scenarios,
        examples="""  hidiff scenarios build study.yaml --out study
  hidiff scenarios build study.yaml --out study --dry-run
  hidiff scenarios build --schema > study.schema.json
  hidiff scenarios describe study
  hidiff scenarios export study --to pypsa --out network
""",
    ),
    "demo": Verb(
        summary="Make 20 homes, a report of them and a battery study of one; needs no download",
        prepare=_demo,
        examples="""  hidiff demo
  hidiff demo --homes 5 --seed 7 --out look
""",
    ),
}
