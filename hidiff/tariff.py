"""What energy costs, as plain configuration; money is in whatever currency the tariff is written in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Days = Literal["all", "weekday", "weekend"]


@dataclass(frozen=True, kw_only=True)
class Period:
    """Hours of the local clock in which a price of its own holds."""

    price_per_kwh: float
    """Price of energy [currency/kWh]; may be negative."""
    start_h: float
    """First hour of the local clock, 0 <= start_h < 24 [h]."""
    end_h: float
    """Hour at which the period is over, 0 < end_h <= 24 [h]; below ``start_h`` it runs past midnight."""
    days: Days = "all"
    """``all``, ``weekday`` (Monday to Friday) or ``weekend``; each step is judged by its own day."""
    months: tuple[int, ...] = ()
    """Months it holds in, 1 to 12; empty for every month."""

    def __post_init__(self) -> None:
        _check_finite(self, "price_per_kwh")
        _check_window(self)


@dataclass(frozen=True, kw_only=True)
class DemandCharge:
    """A charge on the highest power that is drawn from the grid in some hours of a month.

    A month of the local clock is charged as soon as one of its steps lies in the hours, and always whole: a span of
    one week pays a month's charge for the highest power of that week. Months without such a step are not charged.
    """

    price_per_kw: float
    """Price of the highest power, for each month [currency/kW]."""
    start_h: float = 0.0
    """First hour of the local clock that counts, 0 <= start_h < 24 [h]."""
    end_h: float = 24.0
    """Hour from which on power no longer counts, 0 < end_h <= 24 [h]; below ``start_h`` it runs past midnight."""
    days: Days = "all"
    """``all``, ``weekday`` (Monday to Friday) or ``weekend``; each step is judged by its own day."""
    months: tuple[int, ...] = ()
    """Months that are measured and charged, 1 to 12; empty for every month."""
    months_back: int = 1
    """Months whose highest power a month is charged for, itself included: 1 is a monthly charge, 12 a rolling one."""
    minimum_kw: float = 0.0
    """Least power that a month is charged for [kW]."""
    interval_h: float = 0.0
    """Time that power is averaged over, such as 0.5 [h], counted from the first step; 0 for the step as it is. Where
    it is at least the step, the charge does not depend on the step length."""

    def __post_init__(self) -> None:
        _check_finite(self, "price_per_kw", "minimum_kw", "interval_h", least=0.0)
        _check_window(self)
        if not 1 <= self.months_back <= 24 or self.months_back != int(self.months_back):
            raise ValueError(
                f"months_back is {self.months_back}; it must be a whole number from 1 (monthly) to 24"
            )
        if self.interval_h > 24:
            raise ValueError(f"interval_h is {self.interval_h}; power is averaged over at most 24 h")


@dataclass(frozen=True, kw_only=True)
class Block:
    """An adder on the import price once a month has taken so much energy; prices by the hour keep their pattern."""

    above_kwh_per_month: float
    """Import of a month of the local clock from which on the adder is paid [kWh]."""
    extra_per_kwh: float
    """Added to the import price [currency/kWh]; negative where more energy is cheaper."""

    def __post_init__(self) -> None:
        _check_finite(self, "above_kwh_per_month", least=0.0)
        _check_finite(self, "extra_per_kwh")


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """What energy costs: prices by the hour, a daily charge, and what a month's energy and highest power add.

    Months are those of the local clock. Allowance, blocks and demand charges are never cut to the part of a month
    that a span covers.
    """

    import_price_per_kwh: float = 0.30
    """Price of imported energy outside every period [currency/kWh]."""
    periods: tuple[Period, ...] = ()
    """Periods with their own import price; where several hold, the first one counts."""
    export_price_per_kwh: float = 0.05
    """Paid for exported energy outside every export period [currency/kWh]; negative if exporting costs money."""
    daily_charge: float = 0.0
    """Fixed charge per 24 h of metered time [currency/day]."""
    export_periods: tuple[Period, ...] = ()
    """Periods with their own export price; where several hold, the first one counts."""
    export_allowance_kwh_per_month: float = 0.0
    """Export of a month that costs nothing though its price is negative [kWh], the month's first such energy."""
    wholesale_multiplier: float = 0.0
    """Share of the wholesale price that is added to the import price; 1 passes it through."""
    wholesale_export_multiplier: float = 0.0
    """Share of the wholesale price that is added to the export price."""
    blocks: tuple[Block, ...] = ()
    """Adders on the import price above a month's energy; those that are reached add up."""
    demand: tuple[DemandCharge, ...] = ()
    """Charges on a month's highest power; they add up."""

    def __post_init__(self) -> None:
        _check_finite(self, "import_price_per_kwh", "export_price_per_kwh", "daily_charge")
        _check_finite(self, "wholesale_multiplier", "wholesale_export_multiplier")
        _check_finite(self, "export_allowance_kwh_per_month", least=0.0)

    @cached_property
    def is_energy_only(self) -> bool:
        """Whether each step's cost follows from its own energy and price, whatever the month has seen."""
        return not (self.demand or self.blocks or self.export_allowance_kwh_per_month)

    @property
    def needs_wholesale(self) -> bool:
        """Whether its prices follow a wholesale price."""
        return bool(self.wholesale_multiplier or self.wholesale_export_multiplier)

    def require_energy_only(self, reader: str) -> None:
        """Refuse a tariff that ``reader`` would bill wrongly.

        Raises:
            ValueError: a demand charge, a block or an export allowance; the message names the field.
        """
        for name in ("demand", "blocks", "export_allowance_kwh_per_month"):
            if getattr(self, name):
                raise ValueError(
                    f"{reader} counts energy prices and the daily charge only, the tariff has {name}="
                    f"{getattr(self, name)}; leave it out with dataclasses.replace(tariff, {name}="
                    f"{'0.0' if name.startswith('export') else '()'}) and bill the outcome with hidiff.envs.bill"
                )

    @classmethod
    def flat(
        cls,
        import_price_per_kwh: float = 0.30,
        export_price_per_kwh: float = 0.05,
        *,
        daily_charge: float = 0.90,
    ) -> Tariff:
        """One price all day."""
        return cls(
            import_price_per_kwh=import_price_per_kwh,
            export_price_per_kwh=export_price_per_kwh,
            daily_charge=daily_charge,
        )

    @classmethod
    def time_of_use(
        cls,
        peak_per_kwh: float = 0.52,
        shoulder_per_kwh: float = 0.31,
        off_peak_per_kwh: float = 0.22,
        export_price_per_kwh: float = 0.05,
        *,
        daily_charge: float = 0.90,
    ) -> Tariff:
        """Ausgrid's classic hours: peak 14-20 on weekdays, shoulder else from 7 to 22, off-peak at night."""
        return cls(
            import_price_per_kwh=off_peak_per_kwh,
            periods=(
                Period(price_per_kwh=peak_per_kwh, start_h=14, end_h=20, days="weekday"),
                Period(price_per_kwh=shoulder_per_kwh, start_h=7, end_h=22),
            ),
            export_price_per_kwh=export_price_per_kwh,
            daily_charge=daily_charge,
        )

    @classmethod
    def wholesale(
        cls,
        adder_per_kwh: float = 0.15,
        *,
        multiplier: float = 1.1,
        export_multiplier: float = 1.0,
        daily_charge: float = 0.90,
    ) -> Tariff:
        """The wholesale price of each step and an adder for the network and the retailer; export earns the spot.

        Round numbers, no one's published tariff; 1.1 is Australia's goods and services tax on the spot price.
        """
        return cls(
            import_price_per_kwh=adder_per_kwh,
            export_price_per_kwh=0.0,
            daily_charge=daily_charge,
            wholesale_multiplier=multiplier,
            wholesale_export_multiplier=export_multiplier,
        )

    @classmethod
    def with_demand(
        cls,
        price_per_kw: float = 11.14,
        import_price_per_kwh: float = 0.25,
        export_price_per_kwh: float = 0.05,
        *,
        daily_charge: float = 0.90,
    ) -> Tariff:
        """A monthly demand charge like Ausgrid's residential one (EA116), on top of one energy price.

        Published: the highest half-hour from 15 to 21 h on any day, November to March and June to August alone,
        anew each calendar month; 0.3662 AUD per kW and day with tax from July 2024, here times 365 / 12 days for
        every month. Round numbers: the energy prices and the daily charge, which are a retailer's.
        """
        peak = DemandCharge(
            price_per_kw=price_per_kw,
            start_h=15,
            end_h=21,
            months=(1, 2, 3, 6, 7, 8, 11, 12),
            interval_h=0.5,
        )
        return cls(
            import_price_per_kwh=import_price_per_kwh,
            export_price_per_kwh=export_price_per_kwh,
            daily_charge=daily_charge,
            demand=(peak,),
        )

    @classmethod
    def two_way_export(
        cls,
        charge_per_kwh: float = 0.0123,
        reward_per_kwh: float = 0.0385,
        allowance_kwh_per_month: float = 205.0,
        import_price_per_kwh: float = 0.30,
        *,
        daily_charge: float = 0.90,
    ) -> Tariff:
        """Ausgrid's two-way pricing of export (EA029): a charge at noon above an allowance, a reward in the evening.

        Published: 0.0123 AUD/kWh from 10 to 15 h above the free threshold, 0.0385 AUD/kWh earned from 16 to 21 h.
        The published threshold grows with the days of the month, from 192 kWh in February to 212 kWh; here it is the
        205 kWh of a month of 30 days. A retailer's feed-in price is left out: an allowance spares negative prices
        alone. Round numbers: the import price and the daily charge.
        """
        return cls(
            import_price_per_kwh=import_price_per_kwh,
            export_price_per_kwh=0.0,
            daily_charge=daily_charge,
            export_periods=(
                Period(price_per_kwh=-charge_per_kwh, start_h=10, end_h=15),
                Period(price_per_kwh=reward_per_kwh, start_h=16, end_h=21),
            ),
            export_allowance_kwh_per_month=allowance_kwh_per_month,
        )


def _check_finite(config: object, *names: str, least: float = -math.inf) -> None:
    for name in names:
        value = getattr(config, name)
        if not (math.isfinite(value) and value >= least):
            bound = "" if least == -math.inf else f"at least {least:g} and "
            raise ValueError(f"{name} is {value}; it must be {bound}finite")


def _check_window(window: Period | DemandCharge) -> None:
    if not 0 <= window.start_h < 24:
        raise ValueError(f"start_h is {window.start_h}; it must be at least 0 and below 24")
    if not 0 < window.end_h <= 24 or window.end_h == window.start_h:
        raise ValueError(
            f"end_h is {window.end_h}; it must be above 0, at most 24 and not start_h={window.start_h}"
        )
    if window.days not in ("all", "weekday", "weekend"):
        raise ValueError(f"days is {window.days!r}; use 'all', 'weekday' or 'weekend'")
    if any(month not in range(1, 13) for month in window.months):
        raise ValueError(f"months is {window.months}; months are 1 to 12")
