"""Day-ahead fans of real homes against what then happened; prints the table of docs/fans.md.

    python benchmarks/fans.py --real DATA/ausgrid

Homes that the model has not seen, twelve origins thirty days apart in 2012/13, the year before each as readings.
``--homes hidden`` takes the training homes whose year 2012/13 was kept from the model: what there is to settle about
fans is settled on them. Rivals: the home's own days of the last eight weeks of the same day type (analog), the days of
the last week, and the same-type days scaled to the load of the last week and to the clear sky of the day (scaled).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fan_scores import scores
from numpy.typing import NDArray

import hidiff
from hidiff.data import calendars, solar
from hidiff.data.ausgrid import read_traces
from hidiff.data.traces import Traces
from hidiff.training import clean

ORIGINS = pd.date_range("2012-07-10", periods=12, freq="30D")
STEPS = 48
Array = NDArray[np.floating[Any]]


def day(traces: Traces, date: pd.Timestamp) -> tuple[Array, Array]:
    """Load and PV of a local day ``(home, 48)``, by the wall clock: an hour twice is averaged, none is repeated."""
    cut = traces.between(date, date + pd.Timedelta(days=1))
    place = np.arange(STEPS)
    if len(cut.time) != STEPS:  # the clock changes: take the half-hours that come first and last
        place = np.rint(np.linspace(0, len(cut.time) - 1, STEPS)).astype(int)
    return cut.load_kw[:, place], cut.pv_kw[:, place]


def kind(dates: pd.DatetimeIndex) -> Array:
    """Whether each day is a workday."""
    return (np.asarray(dates.day_of_week) < 5) & ~calendars.is_holiday(dates)


def rivals(traces: Traces, origin: pd.Timestamp) -> dict[str, tuple[Array, Array]]:
    """Fans of real days, load and PV ``(scenario, home, 48)``."""
    dates = pd.date_range(origin - pd.Timedelta(days=56), periods=56)
    load, pv = (np.stack(part) for part in zip(*(day(traces, date) for date in dates), strict=True))
    same = kind(dates) == kind(pd.DatetimeIndex([origin]))[0]
    sky = solar.clear_sky_of_days(dates.append(pd.DatetimeIndex([origin]))).ghi.reshape(-1, STEPS).sum(1)
    scale = load[-7:].mean((0, 2)) / load[same].mean((0, 2))
    sun = sky[-1] / sky[:-1][same]
    return {
        "analog": (load[same], pv[same]),
        "last week": (load[-7:], pv[-7:]),
        "scaled": (load[same] * scale[:, None], pv[same] * sun[:, None, None]),
    }


def main() -> None:
    """Draw, score, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="folder of the real homes")
    parser.add_argument(
        "--model", type=Path, default=None, help="model directory; the shipped one by default"
    )
    parser.add_argument("--homes", choices=["validation", "hidden"], default="validation")
    parser.add_argument("--count", type=int, default=20, help="homes")
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument(
        "--steps", type=int, default=None, help="steps of the undistilled sampler; the student by default"
    )
    parser.add_argument("--every", type=int, default=1, help="take every so many-th origin")
    parser.add_argument("--out", type=Path, default=Path("runs/fans.csv"), help="all scores")
    parser.add_argument("--keep", type=Path, default=None, help="folder for the drawn fans")
    arguments = parser.parse_args()

    model = hidiff.load(arguments.model)
    part = {"validation": "validation_homes", "hidden": "hidden_year_homes"}[arguments.homes]
    real = clean(read_traces(arguments.real)).select(model.notes["split"][part])
    span = real.between(ORIGINS[0] - pd.Timedelta(days=365), ORIGINS[-1] + pd.Timedelta(days=2))
    whole = ~(np.isnan(span.load_kw) | np.isnan(span.pv_kw)).any(1)
    names = [name for name, is_whole in zip(span.names, whole, strict=True) if is_whole][: arguments.count]
    span = span.select(names)
    rows, seconds = [], 0.0
    for origin in ORIGINS[:: arguments.every]:
        past = span.between(origin - pd.Timedelta(days=365), origin)
        began = time.process_time()
        fan = model.conditional(past, 1, arguments.scenarios, 0, steps=arguments.steps)
        seconds += time.process_time() - began
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            np.savez(arguments.keep / f"{origin:%Y-%m-%d}.npz", load=fan.load_kw, pv=fan.pv_kw, names=names)
        true_load, true_pv = day(span, origin)
        fans = {"hidiff": (fan.load_kw, fan.pv_kw), **rivals(past, origin)}
        for name, (load, pv) in fans.items():
            for home, label in enumerate(names):
                row = scores(load[:, home], pv[:, home], true_load[home], true_pv[home])
                rows.append({"fan": name, "home": label, "origin": origin.date(), **row})
        print(f"{origin.date()} {seconds:.0f} s", flush=True)
    table = pd.DataFrame(rows)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out, index=False)
    print(
        f"{len(names)} homes, {table['origin'].nunique()} origins, {seconds / len(table) * 4:.1f} CPU s a fan"
    )
    print(summary(table))


def summary(table: pd.DataFrame, resamples: int = 1000) -> str:
    """Markdown: mean of each score, and the best rival's over ours less one with a 95 % interval over homes."""
    by_home = table.drop(columns="origin").groupby(["fan", "home"], sort=False).mean()
    names = list(table["fan"].unique())
    lines = [f"| | {' | '.join(names)} | hidiff against the best rival |", "|---" * (len(names) + 2) + "|"]
    rng = np.random.default_rng(0)
    for score in by_home.columns:
        values = np.stack([by_home.loc[name, score].to_numpy() for name in names])
        mean, note = values.mean(1), ""
        if "CRPS" in score or "score" in score:
            best = 1 + int(mean[1:].argmin())
            picks = rng.integers(values.shape[1], size=(resamples, values.shape[1]))
            ratio = values[0][picks].mean(1) / values[best][picks].mean(1) - 1
            low, high = np.quantile(ratio, [0.025, 0.975])
            note = f"{mean[0] / mean[best] - 1:+.1%} ({low:+.1%} to {high:+.1%}) of {names[best]}"
        lines.append(f"| {score} | {' | '.join(f'{value:.3g}' for value in mean)} | {note} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
