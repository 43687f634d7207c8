"""Fixed ratio: a shared kWh costs its buyer a set share of the retail price, fee and losses included.

``p = (ratio * retail - fee) * (1 - loss)`` reaches the seller, with the buyers' retail prices weighted by demand. It is
the rule of several published environments, with one difference: there each side is paid by its own tariff, so that what
buyers pay is not what sellers get; here the price is one.
"""

from __future__ import annotations

from hidiff.envs.ops import Ops
from hidiff.market import Market

from .arrays import HomeAxis
from .orders import Match, Orders, mean_worth, trade_at


def fixed_ratio(orders: Orders, market: Market, axis: HomeAxis, m: Ops) -> Match:
    """Trade at ``fixed_ratio`` of the buyers' mean retail price."""
    arriving = 1.0 - market.loss_share
    fee = market.local_fee_per_kwh * arriving
    # worth = retail * arriving - fee, and so is its mean
    price = market.fixed_ratio * (mean_worth(orders, axis, m) + fee) - fee
    return trade_at(price, orders, axis, m)
