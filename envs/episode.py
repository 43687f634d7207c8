"""``Episode``: what happened in an episode, by name and step; what indicators, frames and reports read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from hidiff.home import Home
from hidiff.output import replace_when_done

Floats = NDArray[np.float64]
PER_APPLIANCE = ("appliance_request", "waiting_h", "running_h")
OF_DEVICE = {
    "battery": ("battery_kw", "battery_kwh", "requested_kw", "fade"),
    "car": ("car_kw", "car_kwh", "car_is_home", "car_trip_kwh", "public_kwh"),
    "heat_pump": (
        "heat_pump_kw",
        "heat_kw",
        "air_c",
        "mass_c",
        "low_c",
        "high_c",
        "discomfort_kh",
        "discomfort_cost",
    ),
    "tank": ("tank_kw", "tank_kwh", "hot_water_kw", "boost_kwh"),
    "appliances": ("appliance_kw",),
}
"""Names that say something only where the home has the device."""
_METADATA = b"hidiff_episode"


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """The record of one home or of a community; ``episode["import_kw"]`` is an array.

    Arrays have the shape ``(step,)`` for one home, ``(step, home)`` for a community; in a community, what all
    homes share (outdoor temperature, prices) may be ``(step,)``. A home that lacks a device has NaN throughout; what
    all lack is left out.

    Raises:
        ValueError: arrays that do not fit the time or the homes, single values that are missing or infinite,
            times without a zone or unevenly spaced.
    """

    time: pd.DatetimeIndex
    """Start of each step, zone-aware."""
    time_zone: str
    """Clock that the homes live by, an IANA name."""
    dt_h: float
    """Length of a step [h]."""
    arrays: Mapping[str, Floats]
    """Values by name; names and units as in docs/nomenclature.md."""
    homes: tuple[str, ...] = ("home",)
    """Names of the homes, in the order of the last axis."""
    start: Mapping[str, Floats] = field(default_factory=dict)
    """States before the first step by name, such as ``battery_kwh``: one value, or one a home."""

    def __post_init__(self) -> None:
        steps, homes = len(self.time), len(self.homes)
        if not steps or not homes or len(set(self.homes)) != homes:
            raise ValueError(
                f"{steps} steps and homes {self.homes}; an episode has at least one of each, each home once"
            )
        if not 0 < self.dt_h < np.inf:
            raise ValueError(f"dt_h is {self.dt_h}; it must be above 0 and finite")
        ZoneInfo(self.time_zone)
        if self.time.tz is None:
            raise ValueError("time has no zone; localise it first, for example with tz_localize('UTC')")
        gaps = np.diff(self.time.as_unit("ns").asi8)
        if steps > 1 and not (gaps == round(self.dt_h * 3_600_000_000_000)).all():
            raise ValueError(
                f"time does not rise by dt_h={self.dt_h} h from each step to the next; sort and resample it"
            )
        arrays = {name: np.asarray(values, np.float64) for name, values in self.arrays.items()}
        for name, values in arrays.items():
            if values.shape not in ((steps,), (steps, homes)):
                raise ValueError(
                    f"{name} has shape {values.shape}; with {steps} steps and {homes} homes it must be "
                    f"({steps},) or ({steps}, {homes})"
                )
            known = np.isfinite(values)
            if not (known.all(axis=0) | np.isnan(values).all(axis=0)).all():
                raise ValueError(
                    f"{name} is missing or infinite in {np.size(values) - np.count_nonzero(known)} places; fill "
                    "them, or leave the name out"
                )
        start = {name: np.asarray(values, np.float64) for name, values in self.start.items()}
        for name, values in start.items():
            if values.shape not in ((), (homes,)):
                raise ValueError(
                    f"start {name} has shape {values.shape}; it must be one value, or one a home"
                )
        present = {name: values for name, values in arrays.items() if not np.isnan(values).all()}
        object.__setattr__(self, "arrays", present)
        object.__setattr__(self, "start", start)

    def __getitem__(self, name: str) -> Floats:
        return self.arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.time)

    @property
    def is_community(self) -> bool:
        """Whether there is an axis of homes."""
        return any(values.ndim == 2 for values in self.arrays.values())

    @property
    def local_time(self) -> pd.DatetimeIndex:
        """Start of each step on the homes' clock."""
        return self.time.tz_convert(self.time_zone)

    @classmethod
    def from_steps(
        cls,
        infos: Sequence[Mapping[str, Any]],
        time: pd.DatetimeIndex,
        time_zone: str,
        *,
        dt_h: float | None = None,
        homes: Sequence[str] = ("home",),
        start: Mapping[str, ArrayLike] | None = None,
    ) -> Episode:
        """Collect the ``info`` of each step.

        One home's infos hold a number a name; a community's hold an array ``(home,)`` a name, or, as in
        PettingZoo, an info of its own a home. What there is of each appliance (`PER_APPLIANCE`) has one more axis and
        becomes ``name_0``, ``name_1`` … Only names with numbers in every step are kept: wrappers add others.

        Args:
            time: start of each step.
            dt_h: length of a step [h]; read off ``time`` where that has two steps.

        Raises:
            ValueError: as many infos as steps are needed, of one shape a name.
        """
        if len(infos) != len(time):
            raise ValueError(f"{len(infos)} infos and {len(time)} times; each step needs one of each")
        if dt_h is None:
            if len(time) < 2:
                raise ValueError("time has fewer than two steps; say dt_h")
            dt_h = float((time[1] - time[0]) / pd.Timedelta(hours=1))
        if infos and infos[0] and all(isinstance(value, Mapping) for value in infos[0].values()):
            homes = list(infos[0])
            infos = [_by_name(info) for info in infos]
        arrays: dict[str, Floats] = {}
        is_many = len(homes) > 1
        shared = set(infos[0]).intersection(*infos[1:]) if infos else set()
        for name in [name for name in infos[0] if name in shared] if infos else []:
            values = [np.asarray(info[name]) for info in infos]
            if any(value.dtype.kind not in "fiub" for value in values):
                continue
            if len({value.shape for value in values}) > 1:
                raise ValueError(f"{name} has another shape in some steps; it must keep one")
            table = np.stack(values).astype(np.float64)
            if name in PER_APPLIANCE and table.ndim == (3 if is_many else 2):
                for place in range(table.shape[-1]):
                    arrays[f"{name}_{place}"] = table[..., place]
            elif table.ndim <= (2 if is_many else 1):
                arrays[name] = table
            else:
                raise ValueError(
                    f"{name} has shape {table.shape[1:]} in each step of {len(homes)} home(s); name the homes with "
                    "homes=[…], or leave it out of the infos"
                )
        return cls(
            time=time, time_zone=time_zone, dt_h=dt_h, arrays=arrays, homes=tuple(homes),
            start={name: np.asarray(value, np.float64) for name, value in (start or {}).items()},
        )  # fmt: skip

    def of_home(self, name: str) -> Episode:
        """The record of one home; what it lacks is left out.

        Raises:
            ValueError: an unknown home.
        """
        if name not in self.homes:
            raise ValueError(f"unknown home {name!r}; there are {', '.join(self.homes[:8])}")
        place = self.homes.index(name)
        own = {key: values[:, place] if values.ndim == 2 else values for key, values in self.arrays.items()}
        start = {key: np.broadcast_to(value, len(self.homes))[place] for key, value in self.start.items()}
        return replace(
            self,
            arrays=own,
            homes=(name,),
            start={key: value for key, value in start.items() if not np.isnan(value)},
        )

    def with_devices_of(self, home: Home) -> Episode:
        """The record without the names of devices that the home lacks, which an environment fills with zeros."""
        lacking = {name for device, names in OF_DEVICE.items() if not getattr(home, device) for name in names}
        if not home.car and not home.tank:
            lacking.add("service_cost")
        if not home.battery and not home.car:
            lacking.add("wear_cost")
        return replace(
            self,
            arrays={name: values for name, values in self.arrays.items() if name not in lacking},
            start={name: value for name, value in self.start.items() if name not in lacking},
        )

    def last(self, hours: float) -> Episode:
        """The steps of the last hours; the states before them are not known."""
        steps = min(max(round(hours / self.dt_h), 1), self.steps)
        if steps == self.steps:
            return self
        return self.between(self.steps - steps, self.steps)

    def between(self, first: int, end: int) -> Episode:
        """The steps from ``first`` to before ``end``; the states before them are kept at the beginning only."""
        arrays = {name: values[first:end] for name, values in self.arrays.items()}
        return replace(self, time=self.time[first:end], arrays=arrays, start={} if first else self.start)

    def to_frame(self) -> pd.DataFrame:
        """A column a name; a row a step, in a community a row a step and home (index ``time``, ``home``)."""
        time = self.time.rename("time")
        if not self.is_community:
            return pd.DataFrame(dict(self.arrays), index=time)
        shape = (self.steps, len(self.homes))
        columns = {
            name: np.broadcast_to(values if values.ndim == 2 else values[:, None], shape).ravel()
            for name, values in self.arrays.items()
        }
        index = pd.MultiIndex.from_product([time, list(self.homes)], names=["time", "home"])
        return pd.DataFrame(columns, index=index)

    def to_parquet(self, path: Path | str) -> Path:
        """Write `to_frame` to a file, replacing one that is there; `from_parquet` gives the episode back."""
        path = Path(path)
        about = {
            "time_zone": self.time_zone,
            "dt_h": self.dt_h,
            "homes": list(self.homes),
            "shared": [name for name, values in self.arrays.items() if values.ndim == 1],
            "start": {name: np.asarray(value).tolist() for name, value in self.start.items()},
        }
        table = pa.Table.from_pandas(self.to_frame().reset_index(), preserve_index=False)
        table = table.replace_schema_metadata(
            {**(table.schema.metadata or {}), _METADATA: json.dumps(about).encode()}
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_when_done(path) as temporary:
            pq.write_table(table, temporary)
        return path

    @classmethod
    def from_parquet(cls, path: Path | str) -> Episode:
        """The episode that `to_parquet` wrote.

        Raises:
            ValueError: a Parquet file of something else.
        """
        table = pq.read_table(path)
        metadata = table.schema.metadata or {}
        if _METADATA not in metadata:
            raise ValueError(f"{path} holds no episode; write one with Episode.to_parquet")
        about = json.loads(metadata[_METADATA])
        homes = len(about["homes"])
        frame = table.to_pandas()
        is_community = "home" in frame.columns
        time = pd.DatetimeIndex(frame["time"].iloc[:: homes if is_community else 1]).rename(None)
        arrays: dict[str, Floats] = {}
        for name in frame.columns.drop(["time", "home"], errors="ignore"):
            values = frame[name].to_numpy(np.float64)
            if is_community:
                values = values.reshape(-1, homes)
                values = values[:, 0] if name in about["shared"] else values
            arrays[str(name)] = values
        return cls(
            time=time, time_zone=about["time_zone"], dt_h=about["dt_h"], arrays=arrays,
            homes=tuple(about["homes"]),
            start={name: np.asarray(value, np.float64) for name, value in about["start"].items()},
        )  # fmt: skip


def _by_name(info: Mapping[str, Mapping[str, Any]]) -> dict[str, Floats]:
    """An info a home as an array ``(home,)`` a name; a home that lacks a name has NaN."""
    rows = [_flat(own) for own in info.values()]
    names = dict.fromkeys(name for own in rows for name in own)
    return {name: np.array([own.get(name, np.nan) for own in rows]) for name in names}


def _flat(info: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a home's info; those of its appliances under ``name_0``, ``name_1`` …"""
    flat: dict[str, float] = {}
    for name, value in info.items():
        array = np.asarray(value)
        if array.ndim == 0 and array.dtype.kind in "fiub":
            flat[name] = float(array)
        elif name in PER_APPLIANCE:
            flat |= {f"{name}_{place}": float(number) for place, number in enumerate(array)}
    return flat
