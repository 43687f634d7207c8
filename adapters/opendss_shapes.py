"""OpenDSS load shapes and the elements that use them, one folder a scenario; run by DSS-Python 0.15.7.

In a circuit: ``redirect scenario-s0/homes.dss``, then ``set mode=yearly stepsize=30m number=…`` and ``solve``.

* A shape is one column of **kW**, mean over the step, with ``useactual=yes``: the element's own ``kW`` is only its
  rating. The first value holds from the start of the set to the end of the first step: OpenDSS solves at the end
  of a step and takes the value of that step, so no shift is needed.
* A home has one load for each of ``load_kw``, ``ev_kw``, ``heat_kw`` (> 0 consumes), and a generator for ``pv_kw``
  (> 0 generates); both have ``yearly=`` shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hidiff.scenarios import ScenarioSet

from .export_tables import (
    CONSUMPTION,
    Values,
    export_folder,
    pv_kw_of,
    read_channel,
    require_channels,
    scenario_folders,
    write_csv,
)

FORMAT = "OpenDSS load shapes"
CONVENTIONS = {
    "power": "kW, mean over the step; useactual=yes",
    "sign": "loads > 0 consume; generators > 0 generate",
    "time": "the first value is the first step from hour 0 of the yearly mode",
}


def write_opendss(
    scenario_set: ScenarioSet, out: Path | str, *, force: bool = False, progress: bool = False,
    buses: Mapping[str, str] | None = None, kv: float = 0.24, phases: int = 1, power_factor: float = 0.98,
) -> Path:  # fmt: skip
    """Write shapes, loads and generators of each scenario.

    Args:
        buses: bus of each home, such as ``{"h0": "671.1"}``; without it a home stands at a bus of its own name.
        kv: rated voltage of the homes' elements [kV]; 0.24 is a phase to neutral.
        phases: their phases.
        power_factor: of the loads; generators have 1.

    Raises:
        ValueError: no ``load_kw``; a home without a bus, or a bus of no home.
    """
    require_channels(scenario_set, ["load_kw"], "OpenDSS")
    homes = scenario_set.home_names
    buses = {home: home for home in homes} if buses is None else buses
    odd = sorted(set(homes) ^ set(buses))
    if odd:
        raise ValueError(
            f"buses and homes differ in {odd[0]!r}; give one bus for each of {', '.join(homes[:5])} …"
        )
    for home in homes:
        if "." in home:
            raise ValueError(f"home {home!r} has a '.', which ends an element's name in OpenDSS; rename it")
    with export_folder(scenario_set, out, format_name=FORMAT, conventions=CONVENTIONS, force=force) as folder:
        for row, own in scenario_folders(scenario_set, folder, progress):
            lines = []
            for name in (*CONSUMPTION, "pv_kw"):
                if name not in scenario_set.channels:
                    continue
                is_pv = name == "pv_kw"
                values = pv_kw_of(scenario_set, row) if is_pv else read_channel(scenario_set, name, row)
                for number, home in enumerate(homes):
                    if name != "load_kw" and not values[number].any():
                        continue
                    element = f"{home}_{name.removesuffix('_kw')}"
                    write_csv(own / f"{element}.csv", {"mult": values[number]}, has_header=False)
                    lines += _element(
                        element, values[number], scenario_set.dt_h, is_pv,
                        f"bus1={buses[home]} phases={phases} kV={kv:g} pf={1 if is_pv else power_factor:g}",
                    )  # fmt: skip
            (own / "homes.dss").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Path(out)


def _element(name: str, values_kw: Values, dt_h: float, is_pv: bool, place: str) -> list[str]:
    shape = f"New LoadShape.{name} npts={len(values_kw)} sinterval={dt_h * 3600:g} mult=(file={name}.csv) useactual=yes"
    rating = f"kW={max(float(values_kw.max()), 0.001):.6g}"
    kind = "Generator" if is_pv else "Load"
    # Constant power down to half the voltage: homes consume what they consume.
    return [shape, f"New {kind}.{name} {place} {rating} model=1 vminpu=0.5 vmaxpu=1.5 yearly={name}"]
