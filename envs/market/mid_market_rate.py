"""Mid-market rate: shared energy costs the middle between what the grid would take and what it would give.

``p = (worth + ask) / 2``, with the buyers' mean worth and the sellers' mean ask, weighted by their energies. The shorter
side trades all it has, the longer side the same share of each home's; the rest of it meets its own tariff. With one
tariff, no losses and no fee these are the blended prices of the source for surplus and for deficit.

Long, Wu, Zhang, Thomas, Cheng, Jenkins: Peer-to-peer energy trading in a community microgrid. IEEE PES General Meeting
2017, doi:10.1109/PESGM.2017.8274546.
"""

from __future__ import annotations

from hidiff.envs.ops import Ops
from hidiff.market import Market

from .arrays import HomeAxis
from .orders import Match, Orders, mean_ask, mean_worth, trade_at


def mid_market_rate(orders: Orders, market: Market, axis: HomeAxis, m: Ops) -> Match:
    """Trade at the middle of the community's two grid prices."""
    return trade_at(0.5 * (mean_worth(orders, axis, m) + mean_ask(orders, axis, m)), orders, axis, m)
