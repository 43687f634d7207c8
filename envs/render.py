"""An episode so far as a picture: the frames of ``render_mode="rgb_array"``."""

from __future__ import annotations

import math
import threading
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from numpy.typing import NDArray

from hidiff.figure_style import INK, LOAD, PV, QUIET, styled
from hidiff.home import Home

from .episode import Episode, Floats

BATTERY, CAR, HEAT = "#00846b", "#7a3b69", "#c8442c"
DAYS_SHOWN = 2
SIZE_IN, DPI = (8.0, 6.0), 100

_own = threading.local()


class _Series(NamedTuple):
    name: str
    label: str
    colour: str
    is_filled: bool = False


class _Panel(NamedTuple):
    title: str
    needs: tuple[str, ...]
    """Shown where the episode has one of these."""
    height: float
    series: tuple[_Series, ...]
    from_zero: bool = True
    """Whether the axis begins at 0."""
    is_share: bool = False


_PANELS = (
    _Panel("power [kW]", ("net_kw",), 2.4, (
        _Series("pv_kw", "PV", PV, True), _Series("load_kw", "load", INK), _Series("net_kw", "grid, > 0 import", LOAD),
    )),
    _Panel("devices [kW]", ("battery_kw", "car_kw", "heat_pump_kw", "tank_kw", "appliance_kw"), 1.3, (
        _Series("battery_kw", "battery, > 0 charges", BATTERY, True), _Series("car_kw", "car", CAR),
        _Series("heat_pump_kw", "heat pump", HEAT), _Series("tank_kw", "hot water", PV),
        _Series("appliance_kw", "appliances", QUIET),
    )),
    _Panel("charge [%]", ("battery_soc", "car_soc"), 1.0, (
        _Series("battery_soc", "battery", BATTERY, True), _Series("car_soc", "car", CAR),
    ), is_share=True),
    _Panel("stored [kWh]", ("battery_kwh", "car_kwh"), 1.0, (
        _Series("battery_kwh", "battery", BATTERY, True), _Series("car_kwh", "car", CAR),
    )),
    _Panel("price [1/kWh]", ("import_price",), 1.0, (
        _Series("import_price", "import", LOAD), _Series("export_price", "export", PV),
    )),
    _Panel("indoors [°C]", ("air_c",), 1.0, (
        _Series("air_c", "air", HEAT), _Series("low_c", "low", QUIET), _Series("high_c", "high", QUIET),
    ), from_zero=False),
)  # fmt: skip


def frame(episode: Episode, home: Home | None = None) -> NDArray[np.uint8]:
    """The local day in progress and the one before it, ``(600, 800, 3)``.

    Nothing earlier is drawn, so ``episode`` may begin there: collecting all steps of a long episode for each frame
    would be slow.

    Args:
        home: what stands in the house; battery and car are then shown as shares of their capacity.

    Raises:
        ValueError: a community, or an episode without ``import_kw`` and ``export_kw``.
    """
    if episode.is_community:
        raise ValueError(
            f"the episode has {len(episode.homes)} homes; show one: episode.of_home({episode.homes[0]!r})"
        )
    for name in ("import_kw", "export_kw"):
        if name not in episode:
            raise ValueError(f"the episode has no {name}; a frame needs import_kw and export_kw")
    if home is not None:
        episode = episode.with_devices_of(home)
    midnight = episode.local_time[-1].normalize()
    hours = (episode.time - midnight) / pd.Timedelta(hours=1) + 24 * (DAYS_SHOWN - 1)
    first = int(np.searchsorted(hours, -1e-9))
    seen = episode.between(first, episode.steps)
    values = _values(seen, home)
    panels = tuple(panel for panel in _PANELS if any(name in values for name in panel.needs))
    pictures: dict[tuple[_Panel, ...], _Picture] = _own.__dict__.setdefault("pictures", {})
    if panels not in pictures:
        pictures[panels] = _Picture(panels)
    now = episode.local_time[-1] + pd.Timedelta(hours=episode.dt_h)
    note = f"bill of the time shown {seen['cost'].sum():,.2f}" if "cost" in seen else ""
    edges = np.append(hours[first:], hours[-1] + episode.dt_h)
    return pictures[panels].draw(
        values, edges, f"{episode.homes[0]}, {now:%A} {now.day} {now:%B %Y %H:%M}", note
    )


def _values(episode: Episode, home: Home | None) -> dict[str, Floats]:
    """The episode's arrays, with net power, and with charge as a share where the capacity is known."""
    values = dict(episode.arrays) | {"net_kw": episode["import_kw"] - episode["export_kw"]}
    if "heat_pump_kw" in values:
        values["heat_pump_kw"] = np.abs(values["heat_pump_kw"])  # cooling is < 0
    if home is None:
        return values
    batteries = {"battery": home.battery, "car": None if home.car is None else home.car.battery}
    for name, battery in batteries.items():
        energy_kwh = values.pop(f"{name}_kwh", None)
        if energy_kwh is not None and battery is not None:
            values[f"{name}_soc"] = 100 * energy_kwh / battery.usable_kwh
    return values


class _Picture:
    """A figure that lives on: axes and labels are drawn anew when they change, the rest moves in every frame."""

    def __init__(self, panels: tuple[_Panel, ...]) -> None:
        self._artists: dict[str, StepPatch] = {}
        self._axes: list[tuple[_Panel, Axes]] = []
        self._drawn: object = None
        self._background: Any = None
        self._figure = self._build(panels)
        self._canvas: Any = FigureCanvasAgg(self._figure)

    @styled
    def _build(self, panels: tuple[_Panel, ...]) -> Figure:
        figure = Figure(figsize=SIZE_IN, dpi=DPI)
        column = figure.subplots(
            len(panels), 1, sharex=True, squeeze=False, height_ratios=[panel.height for panel in panels]
        )[:, 0]
        figure.subplots_adjust(left=0.08, right=0.96, top=0.92, bottom=0.06, hspace=0.42)
        about: dict[str, Any] = {"y": 0.965, "animated": True}
        self._title = figure.text(0.08, s="", fontsize=10.5, color=INK, fontweight="bold", **about)
        self._note = figure.text(0.96, s="", fontsize=9, color="#444444", ha="right", **about)
        for panel, axes in zip(panels, column, strict=True):
            for name, label, colour, is_filled in panel.series:
                artist = axes.stairs(
                    [0.0],
                    [0, 1],
                    baseline=0.0 if is_filled else None,
                    label=label,
                    color=colour,
                    fill=is_filled,
                )
                artist.set(alpha=0.5 if is_filled else 1.0, linewidth=0 if is_filled else 1.5, animated=True)
                self._artists[name] = artist
            axes.set_title(panel.title, fontsize=8.5, pad=3)
            axes.tick_params(labelsize=8.5)
            axes.axvline(24, color="#b8bcc2", lw=0.8)
            axes.axhline(0, color="#b8bcc2", lw=0.8)
            self._axes.append((panel, axes))
        ticks = range(0, 24 * DAYS_SHOWN + 1, 6)
        column[-1].set_xlim(0, 24 * DAYS_SHOWN)
        column[-1].set_xticks(ticks, [f"{hour % 24:02d}:00" for hour in ticks])
        return figure

    def draw(self, values: dict[str, Floats], edges: Floats, title: str, note: str) -> NDArray[np.uint8]:
        shown = [[one.name for one in panel.series if one.name in values] for panel, _ in self._axes]
        limits = [
            _limits(panel, [values[name] for name in names])
            for (panel, _), names in zip(self._axes, shown, strict=True)
        ]
        if self._drawn != (shown, limits):
            self._draw_background(shown, limits)
            self._drawn = (shown, limits)
        self._canvas.restore_region(self._background)
        for (_, axes), names in zip(self._axes, shown, strict=True):
            for name in names:
                self._artists[name].set_data(values[name], edges)
                axes.draw_artist(self._artists[name])
        for text, words in ((self._title, title), (self._note, note)):
            text.set_text(words)
            self._figure.draw_artist(text)
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()

    def _draw_background(self, shown: list[list[str]], limits: list[tuple[float, float]]) -> None:
        for (_, axes), names, (low, high) in zip(self._axes, shown, limits, strict=True):
            axes.set_ylim(low, high)
            axes.legend(
                handles=[self._artists[name] for name in names], loc="lower right", bbox_to_anchor=(1, 0.97),
                ncols=len(names), fontsize=8, frameon=False, borderaxespad=0.0, handlelength=1.1, columnspacing=1.2,
            )  # fmt: skip
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(self._figure.bbox)


def _limits(panel: _Panel, shown: list[Floats]) -> tuple[float, float]:
    """Ends of a panel's axis, on round values: the axis jumps seldom from one frame to the next."""
    low, high = min(float(values.min()) for values in shown), max(float(values.max()) for values in shown)
    if panel.is_share:
        return 0.0, 105.0
    if panel.from_zero:
        low, high = min(low, 0.0), max(high, 0.1)
    grain = 0.2 * 10 ** math.floor(math.log10(max(high - low, 1e-3)))
    return math.floor(low / grain - 0.05) * grain if abs(low) > 1e-6 else 0.0, math.ceil(
        high / grain + 0.05
    ) * grain
