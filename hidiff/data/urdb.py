"""Tariffs in the form of the Utility Rate Database (URDB, openei.org): its JSON becomes a `hidiff.home.Tariff`.

What a `Tariff` cannot say is refused, by the name of the field; nothing is left out in silence. Prices are in US
dollars, months and hours those of the utility's local clock.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hidiff.errors import DataFormatError
from hidiff.tariff import Block, Days, DemandCharge, Period, Tariff

DAYS_PER_YEAR = 365.25
DAYS_PER_CHARGE = {"$/day": 1.0, "$/month": DAYS_PER_YEAR / 12, "$/year": DAYS_PER_YEAR}
"""Days that a fixed charge of each unit pays for."""
REFUSED = (
    "coincidentratestructure", "demandratchetpercentage", "demandreactivepowercharge", "fueladjustmentsmonthly",
    "lookbackPercent", "lookbackpercent", "minmonthlycharge", "mincharge", "annualmincharge", "fixedchargeeaaddl",
)  # fmt: skip
"""Fields that cost money and have no place in a `Tariff`; they must be missing or zero."""
TOLERANCE = 1e-9
"""Steps between tiers that differ by less are the same [currency/kWh]."""


class Window(NamedTuple):
    """Hours that a period of the schedule covers in some months."""

    start_h: int
    end_h: int
    days: Days
    months: tuple[int, ...]


def read_urdb(source: Mapping[str, Any] | str | Path, *, export_price_per_kwh: float | None = None) -> Tariff:
    """The tariff of a URDB record.

    Energy periods become import prices by the hour; tiers become blocks, where each tier costs so much more than the
    first in every period; demand periods and flat demand become demand charges; a fixed charge is paid by the day.

    Args:
        source: a record, an answer ``{"items": [record]}`` of the service, or the path of a JSON file of either.
        export_price_per_kwh: paid for exported energy [currency/kWh] in the place of the record's ``sell`` rates;
            needed where the record nets import and export over time. A record without ``sell`` pays nothing.

    Raises:
        DataFormatError: not JSON, or not in the form of the URDB.
        ValueError: charges that a `Tariff` cannot say.
    """
    record = _record(source)
    for name in REFUSED:
        if _is_charged(record.get(name)):
            raise ValueError(
                f"{name} is {_short(record[name])}, which a Tariff cannot say; remove it from the record to "
                "read the rest"
            )
    tiers = _structure(record, "energyratestructure")
    schedule = _schedules(record, "energy", len(tiers))
    prices = [_price(period[0], "energyratestructure") for period in tiers]
    base, periods = _by_hours(schedule, prices)
    export_base, export_periods = _export(record, tiers, schedule, export_price_per_kwh)
    return Tariff(
        import_price_per_kwh=base,
        periods=periods,
        export_price_per_kwh=export_base,
        export_periods=export_periods,
        daily_charge=_daily_charge(record),
        blocks=_blocks([tiers[number] for number in sorted(_used(schedule))]),
        demand=(*_flat_demand(record), *_demand_by_hours(record)),
    )


def _record(source: Mapping[str, Any] | str | Path) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        content: Any = source
    else:
        try:
            content = json.loads(Path(source).read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DataFormatError(f"{source} is not valid JSON: {error}") from error
    if isinstance(content, Mapping) and isinstance(content.get("items"), list):
        if len(content["items"]) != 1:
            raise DataFormatError(f"the answer holds {len(content['items'])} records; give one of its items")
        content = content["items"][0]
    if not isinstance(content, Mapping) or "energyratestructure" not in content:
        raise DataFormatError(
            "the record has no energyratestructure; ask the service for it with detail=full"
        )
    return content


# ---------------------------------------------------------------- energy


def _blocks(periods: list[list[Mapping[str, Any]]]) -> tuple[Block, ...]:
    """Adders of the tiers; all periods must have the same limits and the same steps between their prices."""
    name = "energyratestructure"
    steps = [[_price(tier, name) - _price(period[0], name) for tier in period] for period in periods]
    limits = [[_number(tier.get("max"), name, math.inf) for tier in period[:-1]] for period in periods]
    for tier in (tier for period in periods if len(period) > 1 for tier in period):
        if str(tier.get("unit", "kWh")).strip().lower() != "kwh":
            raise ValueError(f"a tier is in {tier['unit']!r}; only tiers in kWh a month can be read")
    for own_steps, own_limits in zip(steps, limits, strict=True):
        is_same = own_limits == limits[0] and all(
            abs(own - first) <= TOLERANCE for own, first in zip(own_steps, steps[0], strict=True)
        )
        if not is_same:
            raise ValueError(
                f"tiers differ between periods: above {limits[0]} kWh prices rise by {steps[0][1:]} in one, above "
                f"{own_limits} kWh by {own_steps[1:]} in another; a Tariff has the same blocks in all hours"
            )
    if any(math.isinf(limit) for limit in limits[0]) or sorted(set(limits[0])) != limits[0]:
        raise DataFormatError(f"tiers end at {limits[0]} kWh; each but the last needs a rising max")
    rises = [after - before for before, after in zip(steps[0], steps[0][1:], strict=False)]
    return tuple(
        Block(above_kwh_per_month=limit, extra_per_kwh=rise)
        for limit, rise in zip(limits[0], rises, strict=True)
    )


def _export(
    record: Mapping[str, Any],
    tiers: list[list[Mapping[str, Any]]],
    schedule: dict[str, list[list[int]]],
    asked: float | None,
) -> tuple[float, tuple[Period, ...]]:
    if asked is not None:
        return asked, ()
    rules = str(record.get("dgrules", ""))
    if rules.lower().startswith("net metering"):
        raise ValueError(
            f"dgrules is {rules!r}: import and export are netted over time, which a Tariff cannot say; give "
            "export_price_per_kwh, such as the import price, to come near"
        )
    sells = []
    for period in tiers:
        rates = {_number(tier.get("sell"), "energyratestructure", 0.0) for tier in period}
        if len(rates) > 1:
            raise ValueError(
                f"sell rates of a period differ by tier, {sorted(rates)}; give export_price_per_kwh"
            )
        sells.append(rates.pop())
    return _by_hours(schedule, sells)


def _by_hours(schedule: dict[str, list[list[int]]], prices: list[float]) -> tuple[float, tuple[Period, ...]]:
    """The price of most hours, and the hours of all others."""
    priced = {days: [[prices[n] for n in hours] for hours in rows] for days, rows in schedule.items()}
    count = Counter(
        p for days, weight in (("weekday", 5), ("weekend", 2)) for row in priced[days] for p in row * weight
    )
    base = count.most_common(1)[0][0]
    return base, tuple(
        Period(price_per_kwh=price, **window._asdict())
        for price in sorted(count)
        if price != base
        for window in _windows(priced, price)
    )


# ---------------------------------------------------------------- demand and fixed charges


def _flat_demand(record: Mapping[str, Any]) -> Iterator[DemandCharge]:
    """Charges on the highest power of a month, whatever the hour."""
    if not record.get("flatdemandstructure"):
        return
    prices = _demand_prices(record, "flatdemandstructure", "flatdemandunit")
    months = record.get("flatdemandmonths")
    if not isinstance(months, list) or len(months) != 12 or any(n not in range(len(prices)) for n in months):
        raise DataFormatError(
            f"flatdemandmonths is {_short(months)}; it must name a period for each of 12 months"
        )
    interval_h = _interval_h(record)
    for number, price in enumerate(prices):
        own = tuple(month for month in range(1, 13) if months[month - 1] == number)
        if price and own:
            yield DemandCharge(price_per_kw=price, months=_all_year(own), interval_h=interval_h)


def _demand_by_hours(record: Mapping[str, Any]) -> Iterator[DemandCharge]:
    """Charges on the highest power within hours; a period may have one stretch of hours in each month."""
    if not record.get("demandratestructure"):
        return
    prices = _demand_prices(record, "demandratestructure", "demandrateunit")
    schedule = _schedules(record, "demand", len(prices))
    interval_h = _interval_h(record)
    for number, price in enumerate(prices):
        if not price:
            continue
        windows = _windows(schedule, number)
        seen = Counter(month for window in windows for month in window.months or range(1, 13))
        twice = [month for month, count in seen.items() if count > 1]
        if twice:
            raise ValueError(
                f"demand period {number} has several stretches of hours in month {min(twice)}; a DemandCharge has one"
            )
        for window in windows:
            yield DemandCharge(price_per_kw=price, interval_h=interval_h, **window._asdict())


def _demand_prices(record: Mapping[str, Any], name: str, unit_name: str) -> list[float]:
    periods = _structure(record, name)
    unit = str(record.get(unit_name) or "kW")
    if unit.lower() != "kw":
        raise ValueError(f"{unit_name} is {unit!r}; only charges by kW and month can be read")
    if any(len(period) > 1 for period in periods):
        raise ValueError(f"{name} has tiers; a DemandCharge has one price for all power")
    return [_price(period[0], name) for period in periods]


def _interval_h(record: Mapping[str, Any]) -> float:
    return _number(record.get("demandwindow"), "demandwindow", 0.0) / 60


def _daily_charge(record: Mapping[str, Any]) -> float:
    if record.get("fixedchargefirstmeter") is not None:
        unit = str(record.get("fixedchargeunits") or "$/month")
        if unit not in DAYS_PER_CHARGE:
            raise ValueError(f"fixedchargeunits is {unit!r}; use one of {', '.join(DAYS_PER_CHARGE)}")
        return _number(record["fixedchargefirstmeter"], "fixedchargefirstmeter", 0.0) / DAYS_PER_CHARGE[unit]
    return _number(record.get("fixedmonthlycharge"), "fixedmonthlycharge", 0.0) / DAYS_PER_CHARGE["$/month"]


# ---------------------------------------------------------------- schedules and numbers


def _windows(schedule: Mapping[str, Sequence[Sequence[float]]], value: float) -> list[Window]:
    """Stretches of hours in which the schedule has ``value``, those of several months together."""
    months: dict[tuple[int, int, Days], list[int]] = defaultdict(list)
    for month in range(12):
        weekday = _stretches([own == value for own in schedule["weekday"][month]])
        weekend = _stretches([own == value for own in schedule["weekend"][month]])
        if weekday == weekend:
            found: list[tuple[Days, list[tuple[int, int]]]] = [("all", weekday)]
        else:
            found = [("weekday", weekday), ("weekend", weekend)]
        for days, stretches in found:
            for start_h, end_h in stretches:
                months[start_h, end_h, days].append(month + 1)
    return [Window(start, end, days, _all_year(tuple(own))) for (start, end, days), own in months.items()]


def _stretches(holds: list[bool]) -> list[tuple[int, int]]:
    """Start and end hours of each run of a day; one that goes on after midnight is one."""
    if all(holds):
        return [(0, 24)]
    starts = [hour for hour in range(24) if holds[hour] and not holds[hour - 1]]
    return [
        (start, next(hour % 24 or 24 for hour in range(start + 1, start + 25) if not holds[hour % 24]))
        for start in starts
    ]


def _all_year(months: tuple[int, ...]) -> tuple[int, ...]:
    return () if len(months) == 12 else months


def _schedules(record: Mapping[str, Any], kind: str, periods: int) -> dict[str, list[list[int]]]:
    schedules = {}
    for days in ("weekday", "weekend"):
        name = f"{kind}{days}schedule"
        rows = record.get(name)
        if (
            not isinstance(rows, list)
            or len(rows) != 12
            or any(not isinstance(row, list) or len(row) != 24 for row in rows)
            or any(number not in range(periods) for row in rows for number in row)
        ):
            raise DataFormatError(
                f"{name} must have 12 rows of 24 period numbers from 0 to {periods - 1}; it is {_short(rows)}"
            )
        schedules[days] = rows
    return schedules


def _used(schedule: dict[str, list[list[int]]]) -> set[int]:
    return {number for rows in schedule.values() for row in rows for number in row}


def _structure(record: Mapping[str, Any], name: str) -> list[list[Mapping[str, Any]]]:
    periods = record.get(name)
    is_well_formed = (
        isinstance(periods, list)
        and periods
        and all(isinstance(period, list) and period for period in periods)
        and all(isinstance(tier, Mapping) for period in periods for tier in period)
    )
    if not isinstance(periods, list) or not is_well_formed:
        raise DataFormatError(
            f"{name} must be a list of periods, each a list of tiers; it is {_short(periods)}"
        )
    return periods


def _price(tier: Mapping[str, Any], name: str) -> float:
    return _number(tier.get("rate"), name, 0.0) + _number(tier.get("adj"), name, 0.0)


def _number(value: Any, name: str, missing: float) -> float:
    if value is None or value == "":
        return missing
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DataFormatError(f"{name} holds {value!r}, which is no number")
    return float(value)


def _is_charged(value: Any) -> bool:
    """Whether there is anything but zeros in it, also in lists and mappings."""
    if isinstance(value, Mapping):
        return any(_is_charged(entry) for entry in value.values())
    if isinstance(value, list):
        return any(_is_charged(entry) for entry in value)
    return isinstance(value, (int, float)) and value != 0


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
