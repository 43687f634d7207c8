"""Each rule gives the prices and amounts of its source, worked by hand or by a plain loop."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hidiff.envs.market import Market, Trade, clear, settle_accounts
from hidiff.envs.ops import ARRAYS

BUY, SELL = 0.30, 0.10
SHORT = (np.array([3.0, 1.0, 0.0]), np.array([0.0, 0.0, 2.0]))  # demand 4, supply 2
LONG = (np.array([0.0, 0.0, 2.0]), np.array([3.0, 1.0, 0.0]))


def share(rule: str, flows: tuple[np.ndarray, np.ndarray], **fields: float) -> Trade:
    return clear(Market(rule=rule, **fields), *flows, BUY, SELL, 1.0, ARRAYS)  # type: ignore[arg-type]


def test_mid_market_rate_blends_the_middle_with_the_grid_on_the_longer_side() -> None:
    short = share("mid_market_rate", SHORT)
    np.testing.assert_allclose(short.payment, [3 * 0.25, 0.25, -2 * 0.20])  # (2 * 0.20 + 2 * 0.30) / 4
    long = share("mid_market_rate", LONG)
    np.testing.assert_allclose(long.payment, [-3 * 0.15, -0.15, 2 * 0.20])


def test_mid_market_rate_splits_the_gain_after_losses_and_fee_in_halves() -> None:
    trade = share("mid_market_rate", SHORT, loss_share=0.1, local_fee_per_kwh=0.05)
    sent_worth = (BUY - 0.05) * 0.9
    np.testing.assert_allclose(trade.price_sell[2], (sent_worth + SELL) / 2)
    buyers_gain = (BUY - trade.price_buy[0]) * trade.bought_kw.sum()
    sellers_gain = (trade.price_sell[2] - SELL) * trade.sold_kw.sum()
    assert buyers_gain == pytest.approx(sellers_gain)
    np.testing.assert_allclose(trade.bought_kw, [1.35, 0.45, 0.0])
    np.testing.assert_allclose(trade.loss_kw, [0.15, 0.05, 0.0])


def test_supply_demand_ratio_follows_the_curve_of_its_source() -> None:
    ratio = 0.5
    sell = SELL * BUY / ((BUY - SELL) * ratio + SELL)
    buy = sell * ratio + BUY * (1 - ratio)
    np.testing.assert_allclose(share("supply_demand_ratio", SHORT).payment, [3 * buy, buy, -2 * sell])
    long = share("supply_demand_ratio", LONG)
    np.testing.assert_allclose(long.payment, [-3 * SELL, -SELL, 2 * SELL])


def test_bill_sharing_divides_the_bill_of_the_community_by_energy() -> None:
    np.testing.assert_allclose(share("bill_sharing", SHORT).payment, [0.6 * 3 / 4, 0.6 / 4, 0.0])
    np.testing.assert_allclose(share("bill_sharing", LONG).payment, [-0.2 * 3 / 4, -0.2 / 4, 0.0])


def test_fixed_ratio_costs_the_buyer_its_share_of_the_retail_price_all_in() -> None:
    trade = share("fixed_ratio", SHORT, fixed_ratio=0.8, loss_share=0.1, local_fee_per_kwh=0.05)
    np.testing.assert_allclose(trade.price_buy[:2], 0.8 * BUY)
    np.testing.assert_allclose(trade.price_sell[2], (0.8 * BUY - 0.05) * 0.9)


def test_a_member_with_a_better_tariff_than_the_community_price_stays_with_the_grid() -> None:
    import_price = np.array([0.40, 0.10, 0.30])
    trade = clear(Market(), *SHORT, import_price, SELL, 1.0, ARRAYS)
    assert trade.bought_kw[1] == 0
    np.testing.assert_allclose(trade.bought_kw[0], 2.0)


def auction(rule: str, orders: list[tuple[float, float]], **fields: float) -> Trade:
    """Orders (kW, price); > 0 buys."""
    power, price = np.array(orders).T
    flows = np.maximum(power, 0), np.maximum(-power, 0)
    market = Market(rule=rule, **fields)  # type: ignore[arg-type]
    return clear(market, *flows, 1.0, 0.0, 1.0, ARRAYS, bid_price=price, ask_price=price)


@pytest.mark.parametrize(("bid_weight", "price"), [(0.0, 0.25), (0.5, 0.275), (1.0, 0.3)])
def test_a_uniform_price_lies_between_the_last_bid_and_the_last_ask(bid_weight: float, price: float) -> None:
    trade = auction(
        "uniform_price_auction", [(2, 0.3), (1, 0.2), (-1, 0.1), (-2, 0.25)], bid_weight=bid_weight
    )
    np.testing.assert_allclose(trade.bought_kw, [2, 0, 0, 0])
    np.testing.assert_allclose(trade.sold_kw, [0, 0, 1, 1])
    np.testing.assert_allclose([trade.price_buy[0], *trade.price_sell[2:]], price)


def test_ties_share_in_proportion() -> None:
    trade = auction("uniform_price_auction", [(3, 0.3), (1, 0.3), (-2, 0.1)])
    np.testing.assert_allclose(trade.bought_kw, [1.5, 0.5, 0])
    trade = auction("uniform_price_auction", [(3, 0.2), (-1, 0.2), (-5, 0.2)])  # all at one price
    np.testing.assert_allclose(trade.sold_kw, [0, 0.5, 2.5])


def test_rounding_lets_nobody_set_the_price_of_a_trade_that_is_not_theirs() -> None:
    assert 0.1 + 0.2 > 0.3  # what the exact balances below turn on
    trade = auction("uniform_price_auction", [(0.1, 0.3), (0.2, 0.3), (-0.3, 0.1), (-1, 0.2)])
    np.testing.assert_allclose(trade.price_buy[:2], 0.2)
    trade = auction("uniform_price_auction", [(0.3, 0.3), (1, 0.2), (-0.1, 0.1), (-0.2, 0.1)])
    np.testing.assert_allclose(trade.price_sell[2:], 0.2)


def test_a_tiny_bid_beside_a_large_one_pays_no_more_than_it_bid() -> None:
    tiny = [(1e-9, 0.2 + step * 1e-7) for step in range(1, 6)]
    trade = auction("pay_as_bid_auction", [(1000, 0.3), *tiny, (-2000, 0.2)], bid_weight=0.0)
    assert np.all(trade.price_buy[1:6] <= [bid + 1e-12 for _, bid in tiny])


def test_pay_as_bid_prices_each_pair_and_equal_bids_alike() -> None:
    orders = [(1, 0.3), (1, 0.3), (-1, 0.1), (-1, 0.2)]
    trade = auction("pay_as_bid_auction", orders)
    np.testing.assert_allclose(trade.price_buy[:2], 0.5 * 0.3 + 0.5 * 0.15)
    np.testing.assert_allclose(trade.price_sell[2:], [0.2, 0.25])
    np.testing.assert_allclose(auction("pay_as_bid_auction", orders, bid_weight=1.0).price_buy[:2], 0.3)
    np.testing.assert_allclose(
        auction("pay_as_bid_auction", orders, bid_weight=0.0).price_sell[2:], [0.1, 0.2]
    )


def test_a_bid_below_every_ask_trades_nothing() -> None:
    for rule in ("uniform_price_auction", "pay_as_bid_auction"):
        trade = auction(rule, [(2, 0.1), (1, 0.05), (-1, 0.2), (-2, 0.3)])
        assert not trade.bought_kw.any()
        np.testing.assert_allclose(trade.payment, [2, 1, 0, 0])


def pair_by_pair(orders: list[tuple[float, float]], k: float) -> tuple[list[float], list[float]]:
    """Traded power and money paid by each home: dearest bid with cheapest ask, one pair after the other."""
    left = [abs(power) for power, _ in orders]
    money = [0.0] * len(orders)
    bids = sorted((i for i, order in enumerate(orders) if order[0] > 0), key=lambda i: -orders[i][1])
    asks = sorted((i for i, order in enumerate(orders) if order[0] < 0), key=lambda i: orders[i][1])
    while bids and asks and orders[bids[0]][1] >= orders[asks[0]][1]:
        buyer, seller = bids[0], asks[0]
        power = min(left[buyer], left[seller])
        paid = power * (k * orders[buyer][1] + (1 - k) * orders[seller][1])
        money[buyer] += paid
        money[seller] -= paid
        left[buyer] -= power
        left[seller] -= power
        if left[buyer] < 1e-9:
            bids.pop(0)
        if left[seller] < 1e-9:
            asks.pop(0)
    return [abs(power) - rest for (power, _), rest in zip(orders, left, strict=True)], money


@settings(deadline=None)
@given(
    prices=st.lists(st.integers(1, 999), min_size=2, max_size=12, unique=True),
    powers=st.lists(
        st.integers(-9, 9).filter(bool) | st.floats(0.01, 9).map(lambda x: round(x, 3)),
        min_size=12,
        max_size=12,
    ),
    bid_weight=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
def test_both_auctions_agree_with_matching_pair_by_pair(
    prices: list[int], powers: list[float], bid_weight: float
) -> None:
    orders = [(float(power), price / 1000) for power, price in zip(powers, prices, strict=False)]
    traded_kw, money = pair_by_pair(orders, bid_weight)
    for rule in ("uniform_price_auction", "pay_as_bid_auction"):
        trade = auction(rule, orders, bid_weight=bid_weight)
        np.testing.assert_allclose(trade.bought_kw + trade.sold_kw, traded_kw, atol=1e-8)
    shared_cost = trade.price_buy * trade.bought_kw - trade.price_sell * trade.sold_kw
    np.testing.assert_allclose(shared_cost, money, atol=1e-8)


def test_a_dearer_bid_never_buys_less() -> None:
    bids = np.linspace(0.05, 0.4, 36)
    bought = [
        auction("uniform_price_auction", [(2, bid), (1, 0.2), (-1, 0.1), (-1, 0.25)]).bought_kw[0]
        for bid in bids
    ]
    assert all(later >= earlier for earlier, later in pairwise(bought))
    assert bought[0] == 0
    assert bought[-1] == 2


def test_the_books_name_who_receives_what() -> None:
    trade = share("mid_market_rate", SHORT, local_fee_per_kwh=0.05)
    ledger = settle_accounts(trade, BUY, SELL, 1.0)
    assert ledger.retailer == pytest.approx(2 * BUY)  # the rest of the demand
    assert ledger.network_operator == pytest.approx(2 * 0.05)
    assert ledger.homes[2] == pytest.approx(2 * trade.price_sell[2])
    assert ledger.balance == pytest.approx(0, abs=1e-12)
    invented = trade._replace(payment=trade.payment + np.array([0.0, 0.0, -0.01]))
    assert settle_accounts(invented, BUY, SELL, 1.0).balance == pytest.approx(0.01)
