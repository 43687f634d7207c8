"""``Market``: how homes share energy, as plain configuration, and what each rule promises."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from .devices import check

Rule = Literal[
    "none",
    "mid_market_rate",
    "supply_demand_ratio",
    "bill_sharing",
    "fixed_ratio",
    "uniform_price_auction",
    "pay_as_bid_auction",
]
"""Names of the rules that energy is shared by."""


class Promise(NamedTuple):
    """What a rule keeps in every step, whatever the homes, tariffs, losses and fees."""

    budget_balanced: bool
    """All that buyers pay reaches the sellers and, as the fee, the network operator; nobody adds or keeps money."""
    individually_rational: bool
    """No home pays more for the step's energy than with the grid alone, if it bids no worse than its grid prices."""


PROMISES: dict[Rule, Promise] = {
    "none": Promise(True, True),
    "mid_market_rate": Promise(True, True),
    "supply_demand_ratio": Promise(True, True),
    "bill_sharing": Promise(True, False),  # sellers get nothing where the community is short
    "fixed_ratio": Promise(True, True),
    "uniform_price_auction": Promise(True, True),
    "pay_as_bid_auction": Promise(True, True),
}
"""The promises of each rule; the tests hold every rule to its row."""


@dataclass(frozen=True, kw_only=True)
class Market:
    """Sharing of surplus energy among homes, behind which each home's own tariff with the grid stays."""

    rule: Rule = "mid_market_rate"
    """How prices and quantities are found; ``none`` leaves every home with the grid alone."""
    local_fee_per_kwh: float = 0.0
    """Network fee on shared energy, paid by the buyer for what arrives [currency/kWh]."""
    loss_share: float = 0.0
    """Share of shared energy lost on the way. The buyer carries it: all that is sold is paid for, less arrives."""
    fixed_ratio: float = 0.9
    """What a shared kWh costs under ``fixed_ratio``, fee and losses included, a share of the mean retail price."""
    bid_weight: float = 0.5
    """The k of the auctions: price = k * bid + (1 - k) * ask; 1 pays what buyers bid, 0 what sellers ask."""

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise ValueError(f"rule is {self.rule!r}; it must be one of {', '.join(get_args(Rule))}")
        if not 0 <= self.local_fee_per_kwh < math.inf:
            raise ValueError(
                f"local_fee_per_kwh is {self.local_fee_per_kwh}; it must be at least 0 and finite"
            )
        if not 0 <= self.loss_share < 1:
            raise ValueError(f"loss_share is {self.loss_share}; it must be at least 0 and below 1")
        check("fixed_ratio", self.fixed_ratio, 0.0, 1.0)
        check("bid_weight", self.bid_weight, 0.0, 1.0)
