"""What homes bring to the market and what a rule makes of it.

All rules count at the seller's end of the wire: a buyer who needs ``e`` kWh and bears the losses has ``e / (1 - loss)``
sent, and can pay the sender ``(bid - fee) * (1 - loss)`` for each kWh sent. So losses and fee are gone before a rule
begins, and a trade is worth while exactly where a buyer's worth is above a seller's ask.
"""

from __future__ import annotations

from typing import NamedTuple

from hidiff.envs.ops import Ops, Value

from .arrays import HomeAxis


class Orders(NamedTuple):
    """Wishes of the homes in a step, each ``(…, home)``; a home has a demand or a supply, never both."""

    demand_kw: Value
    """Power that would have to be sent for all that a buyer lacks."""
    supply_kw: Value
    """A seller's surplus."""
    worth: Value
    """Most that a buyer would pay the sender, per kWh sent."""
    ask: Value
    """Least that a seller would take, per kWh sent."""


class Match(NamedTuple):
    """What a rule makes of the orders; money per kWh sent, from buyers straight to sellers."""

    buy_kw: Value
    """Part of its demand that is sent to each home."""
    sell_kw: Value
    """Part of its supply that each home sends."""
    paid: Value
    """What a buyer pays the sellers, for each home or for all; counts where ``buy_kw > 0``."""
    received: Value
    """What a seller receives, for each home or for all; counts where ``sell_kw > 0``."""


def pick(condition: Value, if_true: Value, if_false: Value) -> Value:
    """``if_true`` where the condition holds, else ``if_false``, both finite.

    Quicker than torch's ``where`` on a processor and as exact: equal prices stay equal, which ties rest on.
    """
    return if_true * condition + if_false * ~condition


def ratio(part: Value, whole: Value, m: Ops) -> Value:
    """``part / whole``, a wholly negligible ``whole`` counting as 1e-30: 0 / 0 is 0, and gradients stay finite."""
    return part / m.maximum(whole, 1e-30)


def mean_worth(orders: Orders, axis: HomeAxis, m: Ops) -> Value:
    """What a kWh sent is worth to the buyers, weighted by their demands; 0 without any."""
    return ratio(axis.total(orders.worth * orders.demand_kw), axis.total(orders.demand_kw), m)


def mean_ask(orders: Orders, axis: HomeAxis, m: Ops) -> Value:
    """What the sellers ask, weighted by their supplies; 0 without any."""
    return ratio(axis.total(orders.ask * orders.supply_kw), axis.total(orders.supply_kw), m)


def trade_at(price: Value, orders: Orders, axis: HomeAxis, m: Ops) -> Match:
    """Trade of all who gain at one price; the longer side is served in proportion to its wishes.

    Whoever does better with the grid stays with it. That is what makes any price individually rational, however
    different the homes' tariffs are; one price for both sides is what balances the budget.
    """
    # a mean of equal prices is equal to them but for rounding, which must not send anyone away
    slack = axis.precision(price) * m.maximum(price, -price)
    is_buyer = orders.worth >= price - slack
    is_seller = orders.ask <= price + slack
    return pool(price, is_buyer, is_seller, orders, axis, m)


def pool(price: Value, is_buyer: Value, is_seller: Value, orders: Orders, axis: HomeAxis, m: Ops) -> Match:
    """Trade of these buyers and sellers at one price; the longer side is served in proportion to its wishes."""
    demand_kw, supply_kw = orders.demand_kw * is_buyer, orders.supply_kw * is_seller
    demand_total_kw, supply_total_kw = axis.total(demand_kw), axis.total(supply_kw)
    volume_kw = m.minimum(demand_total_kw, supply_total_kw)
    return Match(
        buy_kw=demand_kw * ratio(volume_kw, demand_total_kw, m),
        sell_kw=supply_kw * ratio(volume_kw, supply_total_kw, m),
        paid=price,
        received=price,
    )
