"""Pictures of a community: who trades with neighbours when, and what each home pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from hidiff.figure_style import INK, new_figure, styled

from .episode import Episode, Floats
from .report_figures import WIDTH_IN, colours

ADDED = ("pv_used_kw", "battery_kw", "battery_kwh", "car_kw", "car_kwh", "tank_kw", "appliance_kw", "cost")
HOMES_NAMED = 40
"""With more homes than this, axes number them."""


def per_step(episode: Episode, name: str) -> Floats:
    """An array summed over homes, ``(step,)``."""
    total: Floats = np.nansum(episode[name].reshape(episode.steps, -1), axis=1)
    return total


def has_trade(episode: Episode) -> bool:
    """Whether the episode says who bought and sold."""
    return "bought_kw" in episode and "sold_kw" in episode


def all_homes(episode: Episode) -> Episode:
    """The community as one home at its common connection; what does not add up over homes is left out."""
    arrays = {name: per_step(episode, name) for name in ADDED if name in episode}
    if "heat_pump_kw" in episode:
        arrays["heat_pump_kw"] = (
            np.abs(np.nan_to_num(episode["heat_pump_kw"])).reshape(episode.steps, -1).sum(axis=1)
        )
    net_kw = per_step(episode, "import_kw") - per_step(episode, "export_kw")
    arrays |= {"import_kw": np.maximum(net_kw, 0), "export_kw": np.maximum(-net_kw, 0)}
    for name in ("import_price", "export_price"):
        if name in episode:
            price = episode[name].reshape(episode.steps, -1)
            if (price == price[:, :1]).all():
                arrays[name] = price[:, 0]
    return replace(episode, arrays=arrays, homes=("all homes",), start={})


@styled
def figure_trade(episodes: Mapping[str, Episode]) -> Figure:
    """Mean power bought (violet) and sold (orange) by each home at each hour of the local day."""
    shown = {name: episode for name, episode in episodes.items() if has_trade(episode)}
    maps = {name: _by_hour(episode) for name, episode in shown.items()}
    homes = next(iter(shown.values())).homes
    height = 1.2 + min(max(0.2 * len(homes), 1.6), 6.5)
    figure = new_figure(WIDTH_IN, height)
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    largest = max(float(np.abs(table).max()) for table in maps.values()) or 1.0
    image = None
    for axes, (name, table) in zip(panels, maps.items(), strict=True):
        image = axes.imshow(
            table, aspect="auto", cmap="PuOr", vmin=-largest, vmax=largest, extent=(0, 24, len(homes), 0),
            interpolation="nearest",
        )  # fmt: skip
        axes.set_title(name)
        axes.grid(visible=False)
        axes.set_xticks(range(0, 25, 6))
        axes.set_xlabel("hour of the local clock")
    if len(homes) <= HOMES_NAMED:
        panels[0].set_yticks(np.arange(len(homes)) + 0.5, homes)
    panels[0].set_ylabel("home")
    if image is not None:
        figure.colorbar(image, ax=panels, label="bought − sold, mean [kW]", shrink=0.9)
    return figure


def _by_hour(episode: Episode) -> Floats:
    """Bought less sold, mean over the days, ``(home, hour)``; hours without a step are 0."""
    traded = np.nan_to_num(episode["bought_kw"] - episode["sold_kw"])
    hour = np.asarray(episode.local_time.hour)
    return np.stack(
        [traded[hour == at].mean(axis=0) if (hour == at).any() else 0 * traded[0] for at in range(24)], axis=1
    )


@styled
def figure_payments(episodes: Mapping[str, Episode]) -> Figure:
    """The bill of each home, joined to what it would have paid with the grid alone, a panel a controller."""
    homes = next(iter(episodes.values())).homes
    place = np.arange(len(homes))
    order = np.argsort(next(iter(episodes.values()))["cost"].sum(axis=0))
    figure = new_figure(WIDTH_IN, 1.2 + min(max(0.24 * len(place), 1.6), 8))
    panels = figure.subplots(1, len(episodes), sharey=True, sharex=True, squeeze=False)[0]
    for axes, (name, episode) in zip(panels, episodes.items(), strict=True):
        bill = episode["cost"].sum(axis=0)[order]
        if "grid_only_cost" in episode:
            alone = episode["grid_only_cost"].sum(axis=0)[order]
            axes.hlines(place, bill, alone, color="#c9ced5", lw=1.6)
            axes.scatter(alone, place, s=42, facecolor="white", edgecolor=INK, label="grid alone", zorder=3)
        axes.scatter(bill, place, s=26, color=colours(episodes)[name], label="bill", zorder=4)
        axes.axvline(0, color="#b8bcc2", lw=0.8)
        axes.set_title(name)
        axes.set_xlabel("bill of the episode [currency]")
        axes.legend(loc="lower right")
    if len(place) <= HOMES_NAMED:
        panels[0].set_yticks(place, [homes[home] for home in order])
    panels[0].set_ylabel("home")
    return figure
