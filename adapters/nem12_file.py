"""NEM12 meter data files of the Australian market, one file a scenario; read by nemreader 0.9.2 and `hidiff ingest`.

After AEMO's Meter Data File Format Specification NEM12 & NEM13:

* Records 100 (header), 200 (a register of an NMI), 300 (a day), 400 (quality of parts of a day), 900 (end).
* Values are **energy an interval [kWh]**, ``kW x dt_h``, magnitudes: ``E1`` is what the home takes from the grid,
  ``B1`` what it gives, after its own PV (``metering="net"``), or all that it consumes and all that its PV makes
  (``"gross"``, as `hidiff ingest` reads it back).
* Days are days of **market time, UTC+10** all year: there is no daylight saving, and an interval belongs to the day
  that it begins in. A first or last day that the set covers in part is written with the intervals outside it as null
  (quality N).
* Quality is A, as readers need it; the data are simulated, so participants are called HIDIFF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.scenarios import ScenarioSet

from .export_tables import (
    Values,
    consumption_kw,
    export_folder,
    pv_kw_of,
    require_channels,
    scenario_folders,
    write_csv,
)

FORMAT = "NEM12"
CONVENTIONS = {
    "energy": "kWh per interval, magnitudes; E1 from the grid, B1 to it",
    "time": "days of market time, UTC+10 all year",
    "nmi": "of homes, in nmi.csv",
}
MARKET_ZONE = "Etc/GMT-10"
INTERVALS_MIN = (5, 15, 30)
NMI = re.compile(r"[A-HJ-NP-Z0-9]{10}")
"""Ten capitals and digits, without O and I."""
DECIMALS = 6


def write_nem12(
    scenario_set: ScenarioSet, out: Path | str, *, force: bool = False, progress: bool = False,
    nmi: Mapping[str, str] | None = None, metering: Literal["net", "gross"] = "net",
) -> Path:  # fmt: skip
    """Write ``scenario-NAME/meters.csv`` with all homes of each scenario, and ``nmi.csv`` with their NMIs.

    Args:
        nmi: identifier of each home; without it a home whose name is an NMI keeps it, and others get H000000000,
            H000000001, … which no distributor gives out.
        metering: net of the home's own PV, or gross.

    Raises:
        ValueError: intervals other than 5, 15 or 30 minutes; steps that do not begin on a whole interval of market
            time; an NMI that is none, or double.
    """
    require_channels(scenario_set, ["load_kw"], "NEM12")
    if metering not in ("net", "gross"):
        raise ValueError(f"metering is {metering!r}; use 'net' or 'gross'")
    step = round(scenario_set.dt_h * 60)
    if step not in INTERVALS_MIN or abs(step - scenario_set.dt_h * 60) > 1e-9:
        raise ValueError(
            f"steps of {scenario_set.dt_h * 60:g} minutes cannot be written as NEM12, which has 5, 15 and 30; "
            "resample() first"
        )
    start = scenario_set.time[0].tz_convert(MARKET_ZONE)
    if (start.hour * 60 + start.minute) % step or start.second:
        raise ValueError(
            f"the set begins at {start.isoformat()}, within an interval of {step} minutes of market time; shift it or "
            "resample()"
        )
    meters = nmi_of(scenario_set.home_names, nmi)
    with export_folder(scenario_set, out, format_name=FORMAT, conventions=CONVENTIONS, force=force) as folder:
        for row, own in scenario_folders(scenario_set, folder, progress):
            write_csv(
                own / "nmi.csv",
                {
                    "home": np.array(list(meters), dtype=object),
                    "nmi": np.array(list(meters.values()), dtype=object),
                },
            )
            load_kw, pv_kw = consumption_kw(scenario_set, row), pv_kw_of(scenario_set, row)
            from_grid, to_grid = (load_kw, pv_kw) if metering == "gross" else _net(load_kw, pv_kw)
            with (own / "meters.csv").open("w", encoding="ascii", newline="\r\n") as stream:
                stream.write(f"100,NEM12,{start:%Y%m%d%H%M},HIDIFF,HIDIFF\n")
                for number, home in enumerate(scenario_set.home_names):
                    registers = [("E1", from_grid[number])]
                    if pv_kw[number].any():
                        registers.append(("B1", to_grid[number]))
                    suffixes = "".join(name for name, _ in registers)
                    for name, power_kw in registers:
                        stream.write(f"200,{meters[home]},{suffixes},,{name},N,,KWH,{step},\n")
                        stream.writelines(_days(power_kw.astype(np.float64) * scenario_set.dt_h, start, step))
                stream.write("900\n")
    return Path(out)


def nmi_of(homes: list[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The NMI of each home.

    Raises:
        ValueError: one that is not ten capitals and digits without O and I, is given twice, or is missing.
    """
    if given is None:
        given = {home: home if NMI.fullmatch(home) else f"H{number:09d}" for number, home in enumerate(homes)}
    lacking = [home for home in homes if home not in given]
    if lacking:
        raise ValueError(f"home {lacking[0]!r} has no NMI; give one for every home, or none at all")
    meters = {home: str(given[home]) for home in homes}
    for home, one in meters.items():
        if not NMI.fullmatch(one):
            raise ValueError(
                f"NMI {one!r} of home {home!r} has {len(one)} characters; an NMI has ten, capitals and digits without "
                "O and I"
            )
    if len(set(meters.values())) < len(homes):
        raise ValueError("two homes share an NMI; give each its own")
    return meters


def _net(load_kw: Values, pv_kw: Values) -> tuple[Values, Values]:
    net_kw = load_kw - pv_kw
    return np.maximum(net_kw, 0), np.maximum(-net_kw, 0)


def _days(energy_kwh: NDArray[np.float64], start: pd.Timestamp, step: int) -> Iterator[str]:
    """Records 300, and 400 where a day is covered in part, of one register."""
    per_day = 24 * 60 // step
    before = (start.hour * 60 + start.minute) // step
    after = -(before + len(energy_kwh)) % per_day
    values = np.concatenate([np.zeros(before), energy_kwh, np.zeros(after)]).round(DECIMALS)
    first, last = before, before + len(energy_kwh)
    day = start.tz_localize(None).normalize()
    for number in range(len(values) // per_day):
        low, high = number * per_day, (number + 1) * per_day
        date = f"{day + pd.Timedelta(days=number):%Y%m%d}"
        inside = range(max(low, first) - low, min(high, last) - low)
        # As text, so that a thousandth is not written 1e-03; nothing at all where nothing is known.
        texts = np.char.mod(f"%.{DECIMALS}f", values[low + inside.start : low + inside.stop]).tolist()
        cells = ",".join([*[""] * inside.start, *texts, *[""] * (per_day - inside.stop)])
        is_whole = len(inside) == per_day
        yield f"300,{date},{cells},{'A' if is_whole else 'V'},,,{date}000000,\n"
        if not is_whole:
            if inside.start > 0:
                yield f"400,1,{inside.start},N,,\n"
            yield f"400,{inside.start + 1},{inside.stop},A,,\n"
            if inside.stop < per_day:
                yield f"400,{inside.stop + 1},{per_day},N,,\n"
