"""Pay-as-bid (discriminatory) double auction: the dearest bid meets the cheapest ask, each pair at its own price.

Lay the bids that trade along a line of energy, dearest first, and the asks below them, cheapest first. At each point of
the line a kWh changes hands at ``k * bid + (1 - k) * ask``. A buyer's price is the mean over its stretch, a seller's
over its own; homes with equal prices share their common stretch. With k = 1 every buyer pays its bid, with k = 0 every
seller gets its ask; with k = 1/2 this is the midpoint pricing of the source.

Nicolaisen, Petrov, Tesfatsion: Market power and efficiency in a computational electricity market with discriminatory
double-auction pricing. IEEE Transactions on Evolutionary Computation 2001, doi:10.1109/4235.956714.
"""

from __future__ import annotations

from hidiff.envs.ops import Ops, Value
from hidiff.market import Market

from .arrays import HomeAxis
from .merit_order import MeritOrder, merit_order
from .orders import Match, Orders, ratio


def pay_as_bid_auction(orders: Orders, market: Market, axis: HomeAxis, m: Ops) -> Match:
    """Trade of the merit order, each pair between its own bid and ask."""
    trades = merit_order(orders, axis, m)
    ask_met, bid_met = _prices_met(trades, axis, m)
    k = market.bid_weight
    # a mean over a very short stretch is a difference of near sums: rounding must not carry it past the own price
    return Match(
        buy_kw=trades.buy_kw,
        sell_kw=trades.sell_kw,
        paid=k * orders.worth + (1.0 - k) * m.minimum(ask_met, orders.worth),
        received=k * m.maximum(bid_met, orders.ask) + (1.0 - k) * orders.ask,
    )


def _prices_met(trades: MeritOrder, axis: HomeAxis, m: Ops) -> tuple[Value, Value]:
    """Mean ask that each home's bid meets, and mean bid that each home's ask meets."""
    descending = axis.turn(trades.order)
    bid_end_kw = axis.cumulate(axis.take(trades.buy_kw, descending))
    ask_end_kw = axis.cumulate(axis.take(trades.sell_kw, trades.order))
    asks_sum, bids_sum = _integrals(bid_end_kw, ask_end_kw, trades.price, axis, m)

    # homes with equal prices share the stretch from the first of them to the last
    before = axis.count(trades.order)
    after = trades.order.shape[-1] - 1 - before
    changes = trades.price[..., 1:] != trades.price[..., :-1]
    first = axis.running_largest(axis.join(before[..., :1], before[..., 1:] * changes))
    first_from_end = axis.running_largest(axis.turn(axis.join(after[..., :-1] * changes, after[..., -1:])))

    def mean(sums: Value, end_kw: Value, begins: Value, ends: Value, order: Value) -> Value:
        nothing = 0.0 * sums[..., :1]
        sums_before = axis.take(axis.join(nothing, sums), begins)
        kw_before = axis.take(axis.join(nothing, end_kw), begins)
        part = axis.take(sums, ends) - sums_before
        return axis.put_back(ratio(part, axis.take(end_kw, ends) - kw_before, m), order)

    last_index = trades.order.shape[-1] - 1
    ask_met = mean(asks_sum, bid_end_kw, first_from_end, last_index - axis.turn(first), descending)
    bid_met = mean(bids_sum, ask_end_kw, first, last_index - axis.turn(first_from_end), trades.order)
    return ask_met, bid_met


def _integrals(
    bid_end_kw: Value, ask_end_kw: Value, price: Value, axis: HomeAxis, m: Ops
) -> tuple[Value, Value]:
    """Ask integrated up to the end of each bid, dearest first; bid up to the end of each ask, cheapest first."""
    homes = price.shape[-1]
    ends_kw = axis.join(bid_end_kw, ask_end_kw)
    order = axis.order(ends_kw)
    sorted_kw = axis.take(ends_kw, order)
    length_kw = axis.join(sorted_kw[..., :1], sorted_kw[..., 1:] - sorted_kw[..., :-1])
    is_ask = (order >= homes) * 1
    asks_before = axis.cumulate(is_ask) - is_ask
    bids_before = axis.count(order) - asks_before
    ask = axis.take(price, m.minimum(asks_before, homes - 1))
    bid = axis.take(price, homes - 1 - m.minimum(bids_before, homes - 1))
    asks_sum = axis.put_back(axis.cumulate(ask * length_kw), order)
    bids_sum = axis.put_back(axis.cumulate(bid * length_kw), order)
    return asks_sum[..., :homes], bids_sum[..., homes:]
