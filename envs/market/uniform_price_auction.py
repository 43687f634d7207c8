"""Uniform-price double auction: the merit order trades, all at one price between the last bid and the last ask.

``p = k * lowest bid that trades + (1 - k) * highest ask that trades``: the k-double auction of many traders. Quantities
are the homes' surpluses and deficits. The price is not the competitive one where a side is rationed (that would jump
between the grid's two prices with the sign of the community's balance); k splits the gain of the last pair instead.

Chatterjee and Samuelson: Bargaining under incomplete information. Operations Research 1983, doi:10.1287/opre.31.5.835.
"""

from __future__ import annotations

from hidiff.envs.ops import Ops
from hidiff.market import Market

from .arrays import HomeAxis
from .merit_order import merit_order
from .orders import Match, Orders, pick


def uniform_price_auction(orders: Orders, market: Market, axis: HomeAxis, m: Ops) -> Match:
    """Trade of the merit order at the price of its last pair."""
    trades = merit_order(orders, axis, m)
    # where nobody trades, these are some prices that no one pays
    last_bid = axis.least(pick(trades.buy_kw > 0, orders.worth, axis.largest(orders.worth)))
    last_ask = axis.largest(pick(trades.sell_kw > 0, orders.ask, axis.least(orders.ask)))
    price = market.bid_weight * last_bid + (1.0 - market.bid_weight) * last_ask
    return Match(buy_kw=trades.buy_kw, sell_kw=trades.sell_kw, paid=price, received=price)
