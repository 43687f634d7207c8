"""Why habits are kept by half of the year, and why noise is not white: two tables on the training homes.

    python benchmarks/habits.py --real ../shared/data/ausgrid

The first says how much of the variance of a home's load (a year of half-hours) its mean profile explains, by the wall
clock, by standard time, and by the wall clock in each half of the year. The second holds correlations between blocks of
days (normal scores within the home): of the training homes, of `new` homes with white noise, and of `new` homes.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

import hidiff
from hidiff.data import calendars
from hidiff.data import prepare as preparation
from hidiff.data.ausgrid import read_traces
from hidiff.data.prepare import BLOCKS, Prepared
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.noise import NoiseShares
from hidiff.diffusion.regional import resolve
from hidiff.diffusion.sampling import Sampling, make_span
from hidiff.training import clean, hide

Array = NDArray[np.floating]


def explained(load: Array, label: NDArray[np.integer]) -> float:
    """Share of the variance of ``load`` ``(step,)`` that lies between the means of its labels."""
    count = np.maximum(np.bincount(label), 1)
    mean = np.bincount(label, weights=load) / count
    return float(mean[label].var() / load.var())


def profiles(prepared: Prepared) -> pd.DataFrame:
    """Share of the variance that each kind of mean profile explains, one row a home."""
    rows = []
    for home, is_known in enumerate(prepared.is_known):
        days = np.flatnonzero(is_known)
        load = np.exp(prepared.load_log_ratio[home, days].astype(np.float64)).ravel()
        standard = np.tile(np.arange(48), len(days))
        shift = np.rint(prepared.grid.clock_hour[days, 0] * 2).astype(int)
        wall = (standard + np.repeat(shift, 48)) % 48
        half = np.repeat(calendars.is_summer(prepared.grid.dates[days]), 48)
        rows.append([explained(load, label) for label in (wall, standard, wall + 48 * half)])
    return pd.DataFrame(
        rows, index=prepared.names, columns=["wall clock", "standard time", "by half of the year"]
    )


def block_correlations(homes: list[Array]) -> dict[str, float]:
    """Mean over homes of correlations between blocks, from tokens ``(day, 8)`` of each home."""
    midnight, day, week = [], [], []
    for tokens in homes:
        scores = norm.ppf((rankdata(tokens[:, :BLOCKS], axis=0) - 0.5) / len(tokens))
        midnight.append((scores[:-1, BLOCKS - 1] * scores[1:, 0]).mean())
        day.append((scores[:-1] * scores[1:]).mean())
        week.append((scores[:-7] * scores[7:]).mean())
    means = (float(np.mean(values)) for values in (midnight, day, week))
    return dict(zip(("across midnight", "a day apart", "a week apart"), means, strict=True))


def new_days(model: HiDiff, shares: NoiseShares, homes: int) -> list[Array]:
    """Tokens of the year of some new homes."""
    span = make_span("2011-07-01", 1, "Australia/Sydney", model.low.config, model.high.config)
    sampler = replace(model.sampler, noise=shares)
    weather = resolve(model.regional, span.grid.dates, 1, None)
    sampling = Sampling(
        model.low, model.high, model.regional, span, weather, 1, sampler, "cpu", model.students
    )
    with torch.no_grad():
        tokens, _ = sampling.days(model.households(homes, 1))
    return list(tokens[:, :365])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="folder of the real homes")
    parser.add_argument("--model", type=Path, help="model directory, instead of the shipped model")
    arguments = parser.parse_args()
    model = hidiff.load(arguments.model)
    parts = model.notes["split"]
    seen = hide(
        clean(read_traces(arguments.real)), parts["hidden_year_homes"], pd.Timestamp(parts["hidden_from"])
    )
    prepared = preparation.last_year(preparation.prepare(seen.select(model.homes)))

    table = profiles(prepared)
    print("| mean profile by half-hour of | share of the variance of load, mean over homes |\n|---|---:|")
    for name, share in table.mean().items():
        print(f"| {name} | {share:.3f} |")
    is_standard = table["standard time"] > table["wall clock"] + 0.005
    print(
        f"\n{is_standard.mean():.0%} of {len(table)} homes keep standard time better than the wall clock.\n"
    )

    white = NoiseShares(**{**vars(model.sampler.noise), "slow": 0.0, "midnight": 0.0})
    real = [tokens[known] for tokens, known in zip(prepared.tokens, prepared.is_known, strict=True)]
    print("| blocks of four hours | across midnight | a day apart | a week apart |\n|---|---:|---:|---:|")
    for name, homes in (
        ("training homes", real),
        ("new homes, white noise of days", new_days(model, white, len(model.homes))),
        ("new homes", new_days(model, model.sampler.noise, len(model.homes))),
    ):
        values = " | ".join(f"{value:.2f}" for value in block_correlations(homes).values())
        print(f"| {name} | {values} |")


if __name__ == "__main__":
    main()
