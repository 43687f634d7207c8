"""Draws the README's picture: one week of held-out real homes beside generated ones, drawn at random on both sides.

    python benchmarks/weeks.py --real ../shared/data/ausgrid --out docs/weeks.png

Rows are matched by rank of yearly energy only (small home beside small home), so that the axes can be compared; the
homes and the week are the first that the seed gives, not chosen by eye.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.patches import Patch

import hidiff
from hidiff import rng
from hidiff.data.ausgrid import read_traces
from hidiff.data.traces import Traces
from hidiff.figure_style import LOAD, PV, new_figure, styled

YEAR = ("2012-07-01", "2013-07-01")


@styled
def figure_weeks(real: Traces, generated: Traces, firsts: list[int]):
    """Two columns, one row a home, load above and PV below the line; ``firsts`` is the first step of each row's week."""
    figure = new_figure(12, 1.55 * len(real))
    axes = figure.subplots(len(real), 2, sharey="row", squeeze=False)
    for row, first in enumerate(firsts):
        for column, side in enumerate((real, generated)):
            axis, step = axes[row, column], slice(first, first + 7 * 48)
            clock = side.time.tz_convert(side.time_zone).tz_localize(None)[step]
            axis.fill_between(clock, 0, side.load_kw[row, step], color=LOAD, alpha=0.25, lw=0, step="post")
            axis.step(clock, side.load_kw[row, step], color=LOAD, lw=0.9, where="post")
            axis.fill_between(clock, 0, -side.pv_kw[row, step], color=PV, alpha=0.35, lw=0, step="post")
            axis.step(clock, -side.pv_kw[row, step], color=PV, lw=0.9, where="post")
            axis.set_xlim(clock[0], clock[-1])
            days = clock.normalize().unique()[1::2]
            axis.set_xticks(days, labels=[f"{day:%a %d %b}" for day in days], fontsize=7.5)
            what = f"customer {side.names[row]}, real" if column == 0 else f"{side.names[row]}, generated"
            energy = side.load_kw[row].sum() / 2
            axis.set_title(f"{what}: {energy:,.0f} kWh a year", fontsize=8.5)
        axes[row, 0].set_ylabel("kW")
    handles = [Patch(color=LOAD, alpha=0.5), Patch(color=PV, alpha=0.6)]
    figure.legend(handles, ["load", "PV, drawn below the line"], loc="outside upper right", ncols=2)
    return figure


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/weeks.png"))
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--homes", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    model = hidiff.load(arguments.model)
    homes = read_traces(arguments.real).select(model.notes["split"]["validation_homes"]).between(*YEAR)
    stream = rng.generator(arguments.seed, "weeks")
    real = homes.select(sorted(stream.permutation(homes.names)[: arguments.homes]))
    generated = model.sample(homes=arguments.homes, start=YEAR[0], seed=arguments.seed, progress=True)
    by_energy = [
        side.select([side.names[row] for row in np.argsort(side.load_kw.sum(1))])
        for side in (real, generated)
    ]
    firsts = [int(week) * 336 for week in np.sort(stream.permutation(52)[: arguments.homes])]
    figure_weeks(*by_energy, firsts).savefig(arguments.out, dpi=110)
    print(arguments.out)


if __name__ == "__main__":
    main()
