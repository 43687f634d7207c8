"""Time and memory of a large scenario set: built, reduced, described and exported.

    python benchmarks/scenarios.py --real DATA/ausgrid --homes 100 --scenarios 100

The set is a day bootstrap of real homes over a year of half-hours, with a tariff and, in half of the homes, electric
cars; its values take as much room and time to move as generated ones. Each row is measured in a fresh process.
"""

import argparse
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_GIB = 2.0
EXPORTS = ("netcdf", "zarr", "pypsa", "opendss", "nem12")


def work(part: str, folder: Path, real: Path, homes: int, scenarios: int) -> None:
    """One row of the table."""
    from hidiff.home import Tariff
    from hidiff.scenarios import open_scenarios
    from hidiff.scenarios.build import build
    from hidiff.scenarios.study import Group, Population, Scenarios, SpanConfig, Study

    made = folder / "set"
    if part == "build":
        study = Study(
            population=Population(groups=(Group(count=homes, ev_share=0.5),)),
            scenarios=Scenarios(count=scenarios, source="bootstrap", traces=real),
            span=SpanConfig(start="2012-07-01"),
            tariff=Tariff.time_of_use(),
        )
        build(study, made)
    elif part == "reduce to 10":
        from hidiff.scenarios.reduce import reduce_set

        reduce_set(open_scenarios(made), 10)[0].save(folder / "reduced")
    elif part == "describe":
        from hidiff.scenarios.describe import describe_dir

        describe_dir(made, None, force=True)
    else:
        from hidiff.adapters.exports import FORMATS

        FORMATS[part.removeprefix("export ")][0](open_scenarios(made), folder / "out", force=True)


def main() -> None:
    """Measure every row and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--real", type=Path, required=True, help="folder of real homes, as hidiff ingest wrote it, or Ausgrid"
    )
    parser.add_argument("--homes", type=int, default=100)
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument(
        "--parts", nargs="+", default=["build", "reduce to 10", "describe", *(f"export {e}" for e in EXPORTS)]
    )
    parser.add_argument("--work", type=Path, help="folder to work in, kept; a temporary one by default")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        work(arguments.part, arguments.work, arguments.real, arguments.homes, arguments.scenarios)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        real = as_set(arguments.real, folder, arguments.homes)
        print(f"{arguments.homes} homes x {arguments.scenarios} scenarios x 1 year, {platform.machine()}\n")
        print(f"| part | seconds | peak memory GiB (limit {LIMIT_GIB:g}) | on disk MB |\n|---|---|---|---|")
        for part in arguments.parts:
            shutil.rmtree(folder / "out", ignore_errors=True)
            begin = time.perf_counter()
            done = subprocess.run(
                [sys.executable, __file__, "--real", real, "--homes", str(arguments.homes), "--scenarios",
                 str(arguments.scenarios), "--work", folder, "--part", part],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            seconds = time.perf_counter() - begin
            at = folder / {"build": "set", "describe": "set", "reduce to 10": "reduced"}.get(part, "out")
            size = sum(
                file.stat().st_size for file in ([at] if at.is_file() else at.rglob("*")) if file.is_file()
            )
            print(
                f"| {part} | {seconds:.0f} | {float(done.stdout.split()[-1]):.2f} | {size / 1e6:,.0f} |",
                flush=True,
            )


def as_set(real: Path, folder: Path, homes: int) -> Path:
    """The real homes as a set folder."""
    if not (real / "homes.csv").exists() or any(real.glob("traces-*.parquet")):
        return real
    from hidiff.data.ausgrid import read_traces

    out = folder / "homes"
    if not out.exists():
        traces = read_traces(real).between("2011-07-01", "2012-07-01")
        traces.select(traces.names[:homes]).to_parquet(out)
    return out


if __name__ == "__main__":
    main()
