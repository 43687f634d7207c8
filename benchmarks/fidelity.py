"""Fidelity of every generator on real homes: trains the rivals, samples, judges, writes docs/fidelity.md.

    python benchmarks/fidelity.py --real DATA/ausgrid --weather DATA/weather/FILE.parquet

Takes hours with all rivals; what is done (trained, sampled, judged) is kept in ``--work`` and not done again,
so it can be stopped at any time and run in parts (``--generators hidiff plain --modes new --seeds 1``). The
page is written from what is there.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import pandas as pd
from fidelity_page import write_page
from rivals import GENERATORS, KNOWN, START, Study

import hidiff
from hidiff.data.ausgrid import read_traces
from hidiff.data.parquet import read_set, write_set
from hidiff.data.traces import Traces
from hidiff.evaluate import EvaluateConfig, evaluate
from hidiff.evaluate_like import evaluate_like
from hidiff.evaluate_use import evaluate_use
from hidiff.output import folder_when_done, replace_when_done
from hidiff.training import clean


def sampled(study: Study, name: str, mode: str, seed: int, named: list[str], homes: int) -> Traces:
    """The generator's year, made unless it is there."""
    folder = study.folder / "sets" / f"{name}-{mode}-{seed}"
    if not folder.exists():
        generator = GENERATORS[name](study, name)
        began = time.monotonic()
        traces = generator.sample(homes, seed, named)
        seconds = (time.monotonic() - began) / homes
        with folder_when_done(folder) as temporary:
            write_set(temporary, traces)
            (temporary / "cost.json").write_text(
                json.dumps({"seconds_a_home_year": seconds}), encoding="utf-8"
            )
    return read_set(folder)


def judged(study: Study, generated: Traces, mode: str, seed: int, *, thorough: bool) -> pd.DataFrame:
    """All tables of one set in one: fidelity, and identity and use where ``thorough``."""
    parts = study.model.notes["split"]
    names = parts["hidden_year_homes"] if mode == "like" else parts["validation_homes"]
    real = study.real.select(names)
    after, before = real.between(START, "2013-07-01"), real.between(KNOWN, START)
    others = study.known_year(study.model.homes) if mode == "new" else None
    config = EvaluateConfig(
        seed=seed, resamples=100 if thorough else 0, ceiling="other-homes" if mode == "new" else "other-year"
    )
    tables = [evaluate(generated, after, before, config, others)]
    if thorough:
        if mode == "like":
            everyone = study.known_year(study.model.homes)
            tables.append(evaluate_like(generated, after, everyone, seed))
            tables.append(evaluate_use(generated, before, after, seed))
        else:
            tables.append(evaluate_use(generated, study.known_year(study.model.homes), after, seed))
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Train, sample, judge, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="folder of the real homes")
    parser.add_argument("--weather", type=Path, required=True, help="temperature of the same years")
    parser.add_argument(
        "--model", type=Path, default=None, help="model directory; the shipped one by default"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/fidelity"), help="what is done is kept here")
    parser.add_argument("--out", type=Path, default=Path("docs/fidelity.md"))
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
    parser.add_argument("--modes", nargs="+", default=["new", "like"], choices=["new", "like"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--minutes", type=float, default=5.0, help="training of each rival")
    parser.add_argument("--stages", nargs="+", default=["train", "sample", "judge", "write"],
                        choices=["train", "sample", "judge", "write"])  # fmt: skip
    arguments = parser.parse_args()

    model, everything = hidiff.load(arguments.model), read_traces(arguments.real)
    study = Study(
        model=model, real=clean(everything), data=arguments.real,
        weather_file=arguments.weather, minutes=arguments.minutes, folder=arguments.work,
    )  # fmt: skip
    parts = model.notes["split"]
    for name in arguments.generators:
        if "train" in arguments.stages:
            print("training", name, flush=True)
            GENERATORS[name](study, name)
        for mode in arguments.modes:
            named = parts["hidden_year_homes"] if mode == "like" else []
            homes = len(named) or len(parts["validation_homes"])
            for seed in arguments.seeds:
                table = arguments.work / "tables" / f"{name}-{mode}-{seed}.csv"
                if "sample" in arguments.stages:
                    print("sampling", name, mode, seed, flush=True)
                    sampled(study, name, mode, seed, named, homes)
                if "judge" in arguments.stages and not table.exists():
                    print("judging", name, mode, seed, flush=True)
                    generated = sampled(study, name, mode, seed, named, homes)
                    rows = judged(study, generated, mode, seed, thorough=name == "hidiff")
                    table.parent.mkdir(parents=True, exist_ok=True)
                    with replace_when_done(table) as temporary:
                        rows.to_csv(temporary, index=False)
    if "write" in arguments.stages:
        print(write_page(arguments.work, arguments.out, str(model.model_hash)[:12], arguments.minutes))


if __name__ == "__main__":
    main()
