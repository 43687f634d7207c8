"""Who trades in an auction: the dearest bids with the cheapest asks, as long as a bid is above an ask.

Sort all orders by price, buyers and sellers together, and add up their quantities from below. The market clears at the
order by which the sum reaches the whole demand: below it lie as many asks as there are bids above it (Satterthwaite and
Williams' remark that the clearing price is the m-th of all offers, with m the number of buyers). Orders better than
this price are served in full; those at the price share what is left, in proportion.
"""

from __future__ import annotations

from typing import NamedTuple

from hidiff.envs.ops import Ops, Value

from .arrays import HomeAxis
from .orders import Orders, pick, ratio


class MeritOrder(NamedTuple):
    """The orders by price and what of them is traded."""

    order: Value
    """Homes from the lowest price to the highest."""
    price: Value
    """Prices of their orders, in this order."""
    buy_kw: Value
    """Traded demand, home by home."""
    sell_kw: Value
    """Traded supply, home by home."""


def merit_order(orders: Orders, axis: HomeAxis, m: Ops) -> MeritOrder:
    """Who trades how much; both sides sum up to the same."""
    price = pick(orders.demand_kw > 0, orders.worth, orders.ask)
    order = axis.order(price)
    sorted_price = axis.take(price, order)
    below_kw = axis.cumulate(axis.take(orders.demand_kw + orders.supply_kw, order))
    demand_kw = axis.total(orders.demand_kw)
    position = axis.total(below_kw < demand_kw)
    clearing = axis.take(sorted_price, m.minimum(position, order.shape[-1] - 1))

    better_bid_kw = orders.demand_kw * (orders.worth > clearing)
    better_ask_kw = orders.supply_kw * (orders.ask < clearing)
    bid_kw = orders.demand_kw * (orders.worth == clearing)
    ask_kw = orders.supply_kw * (orders.ask == clearing)
    better_bids_kw, better_asks_kw = axis.total(better_bid_kw), axis.total(better_ask_kw)
    bids_kw, asks_kw = axis.total(bid_kw), axis.total(ask_kw)
    rounding_kw = axis.precision(demand_kw) * demand_kw

    def share(room_kw: Value, wanted_kw: Value) -> Value:
        """Part of the orders at the clearing price that the other side leaves room for, more than by rounding."""
        return m.minimum(ratio(room_kw * (room_kw > rounding_kw), wanted_kw, m), 1.0)

    return MeritOrder(
        order=order,
        price=sorted_price,
        buy_kw=better_bid_kw + bid_kw * share(better_asks_kw + asks_kw - better_bids_kw, bids_kw),
        sell_kw=better_ask_kw + ask_kw * share(better_bids_kw + bids_kw - better_asks_kw, asks_kw),
    )
