"""Supply-demand ratio: shared energy is dear when it is scarce and as cheap as the feed-in when there is plenty.

With ``s = min(supply / demand, 1)``, the buyers' mean worth ``b`` and the sellers' mean ask ``a``, the price is
``p = a b / ((b - a) s + a)``: from ``b`` without supply to ``a`` where supply meets demand, and ``1 / p`` straight in
between. The source's buying price ``p s + b (1 - s)`` is this price for the share ``s`` that sharing can serve and the
grid's for the rest. The curve is made for prices above 0: an ask below 0 counts as 0.

Liu, Yu, Wang, Li, Ma, Lei: Energy-sharing model with price-based demand response for microgrids of peer-to-peer
prosumers. IEEE Transactions on Power Systems 2017, doi:10.1109/TPWRS.2017.2649558, equations of the internal prices.
"""

from __future__ import annotations

from hidiff.envs.ops import Ops
from hidiff.market import Market

from .arrays import HomeAxis
from .orders import Match, Orders, mean_ask, mean_worth, ratio, trade_at


def supply_demand_ratio(orders: Orders, market: Market, axis: HomeAxis, m: Ops) -> Match:
    """Trade at the price that the ratio of supply to demand gives."""
    supply_share = m.minimum(ratio(axis.total(orders.supply_kw), axis.total(orders.demand_kw), m), 1.0)
    worth = m.maximum(mean_worth(orders, axis, m), 0.0)
    ask = m.maximum(mean_ask(orders, axis, m), 0.0)
    price = ratio(ask * worth, worth * supply_share + ask * (1.0 - supply_share), m)
    return trade_at(price, orders, axis, m)
