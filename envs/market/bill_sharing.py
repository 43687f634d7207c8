"""Bill sharing: the community is billed as one home, and what it still buys or sells outside is shared by energy.

Inside the community energy is free; each home's rest, in proportion to its energy, meets the grid at its own tariff, so
that no home pays for a neighbour's tariff. With one tariff this is the source's: where the community is short, a kWh
costs ``import_price * (demand - supply) / demand`` and a sold one brings nothing; where it has too much, a kWh is free
and a sold one brings ``export_price * (supply - demand) / supply``. Sellers can lose by it: no individual rationality.

Long, Wu, Zhang, Thomas, Cheng, Jenkins: Peer-to-peer energy trading in a community microgrid. IEEE PES General Meeting
2017, doi:10.1109/PESGM.2017.8274546. The source shares the bill of a longer time; here it is shared in every step.
"""

from __future__ import annotations

from hidiff.envs.ops import Ops
from hidiff.market import Market

from .arrays import HomeAxis
from .orders import Match, Orders, pool


def bill_sharing(orders: Orders, market: Market, axis: HomeAxis, m: Ops) -> Match:
    """Trade of all homes at no price."""
    free = 0.0 * axis.total(orders.demand_kw)
    return pool(free, 1.0, 1.0, orders, axis, m)
