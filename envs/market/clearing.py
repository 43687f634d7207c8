"""One step of a community: what homes share, what stays with the grid, and what everyone pays for the energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hidiff.envs.ops import Ops, Value
from hidiff.market import Market, Rule

from .arrays import HomeAxis, home_axis
from .bill_sharing import bill_sharing
from .fixed_ratio import fixed_ratio
from .mid_market_rate import mid_market_rate
from .orders import Match, Orders, pick
from .pay_as_bid_auction import pay_as_bid_auction
from .supply_demand_ratio import supply_demand_ratio
from .uniform_price_auction import uniform_price_auction

_RULES: dict[Rule, Callable[[Orders, Market, HomeAxis, Ops], Match]] = {
    "mid_market_rate": mid_market_rate,
    "supply_demand_ratio": supply_demand_ratio,
    "bill_sharing": bill_sharing,
    "fixed_ratio": fixed_ratio,
    "uniform_price_auction": uniform_price_auction,
    "pay_as_bid_auction": pay_as_bid_auction,
}


class Trade(NamedTuple):
    """Sharing in one step, each ``(…, home)``; ``sum(sold_kw) = sum(bought_kw) + sum(loss_kw)``.

    Money is for energy only: demand charges, blocks and daily charges are billed on the metered import elsewhere.
    """

    bought_kw: Value
    """What arrives from the neighbours."""
    sold_kw: Value
    """What is sent to the neighbours."""
    grid_import_kw: Value
    """Import that stays with the home's own tariff."""
    grid_export_kw: Value
    """Export that stays with the home's own tariff."""
    price_buy: Value
    """Paid per kWh bought, fee and losses included; the home's own import price where it bought nothing."""
    price_sell: Value
    """Received per kWh sold; the home's own export price where it sold nothing."""
    payment: Value
    """The step's energy, shared and from the grid [currency]; > 0 is paid by the home."""
    fee: Value
    """Part of the payment that goes to the network operator [currency]."""
    loss_kw: Value
    """Lost on the way to the buyer, who has paid for it."""


def clear(
    market: Market,
    import_kw: Value,
    export_kw: Value,
    import_price: Value,
    export_price: Value,
    dt_h: float,
    m: Ops,
    *,
    bid_price: Value | None = None,
    ask_price: Value | None = None,
) -> Trade:
    """Trade of one step, on NumPy arrays or torch tensors with any leading axes and the homes last.

    A home that both imports and exports in a step trades its balance only; the rest stays with the grid, so that it
    never trades with itself. Prices may be numbers or arrays that broadcast to the homes.

    Args:
        import_kw, export_kw: at each home's meter, as if there were no market [kW].
        import_price, export_price: of each home's own tariff [currency/kWh].
        m: ``ARRAYS`` or ``tensors()``.
        bid_price: most that a home would pay per kWh bought, fee and losses included; its import price if not given.
            Auctions only.
        ask_price: least that a home would take per kWh sold; its export price if not given. Auctions only.
    Raises:
        ValueError: shapes that differ, or bids for a rule that takes none.
    """
    if import_kw.shape != export_kw.shape:
        raise ValueError(
            f"import_kw has the shape {tuple(import_kw.shape)} and export_kw {tuple(export_kw.shape)}; "
            "give one value per home to both"
        )
    is_auction = market.rule in ("uniform_price_auction", "pay_as_bid_auction")
    if not is_auction and not (bid_price is None and ask_price is None):
        raise ValueError(f"rule={market.rule!r} takes no bids; leave them out, or choose an auction")
    axis = home_axis(m)
    import_price, export_price = axis.like(import_price, import_kw), axis.like(export_price, import_kw)
    if market.rule == "none":
        return _grid_only(import_kw, export_kw, import_price, export_price, dt_h)

    arriving = 1.0 - market.loss_share
    fee_per_kwh = market.local_fee_per_kwh
    bid = import_price if bid_price is None else axis.like(bid_price, import_kw)
    ask = export_price if ask_price is None else axis.like(ask_price, import_kw)
    net_kw = import_kw - export_kw
    deficit_kw, surplus_kw = m.maximum(net_kw, 0.0), m.maximum(-net_kw, 0.0)
    orders = Orders(
        demand_kw=deficit_kw / arriving if market.loss_share else deficit_kw,
        supply_kw=surplus_kw,
        worth=(bid - fee_per_kwh) * arriving,
        ask=ask,
    )
    match = _RULES[market.rule](orders, market, axis, m)

    bought_kw = match.buy_kw * arriving if market.loss_share else match.buy_kw
    sold_kw = match.sell_kw
    grid_import_kw = m.maximum(import_kw - bought_kw, 0.0)  # rounding could leave less than nothing
    grid_export_kw = m.maximum(export_kw - sold_kw, 0.0)
    price_buy = pick(bought_kw > 0, match.paid / arriving + fee_per_kwh, import_price)
    price_sell = pick(sold_kw > 0, match.received, export_price)
    return Trade(
        bought_kw=bought_kw,
        sold_kw=sold_kw,
        grid_import_kw=grid_import_kw,
        grid_export_kw=grid_export_kw,
        price_buy=price_buy,
        price_sell=price_sell,
        payment=(
            import_price * grid_import_kw
            + price_buy * bought_kw
            - export_price * grid_export_kw
            - price_sell * sold_kw
        )
        * dt_h,
        fee=bought_kw * (fee_per_kwh * dt_h),
        loss_kw=bought_kw * (market.loss_share / arriving),
    )


def _grid_only(
    import_kw: Value, export_kw: Value, import_price: Value, export_price: Value, dt_h: float
) -> Trade:
    nothing = 0.0 * import_kw
    return Trade(
        bought_kw=nothing,
        sold_kw=nothing,
        grid_import_kw=import_kw,
        grid_export_kw=export_kw,
        price_buy=import_price,
        price_sell=export_price,
        payment=(import_price * import_kw - export_price * export_kw) * dt_h,
        fee=nothing,
        loss_kw=nothing,
    )
