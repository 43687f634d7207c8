"""What holds for every rule, over communities with different tariffs, losses and fees."""

from typing import Any, NamedTuple, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hidiff.envs.market import PROMISES, Market, Rule, Trade, clear, settle_accounts
from hidiff.envs.ops import ARRAYS, FLOATS, tensors

RULES: tuple[Rule, ...] = get_args(Rule)
AUCTIONS = ("uniform_price_auction", "pay_as_bid_auction")
Array = NDArray[np.float64]


class Step(NamedTuple):
    """One step of a community."""

    import_kw: Array
    export_kw: Array
    import_price: Array
    export_price: Array
    bid_price: Array
    ask_price: Array
    dt_h: float


def run(market: Market, step: Step) -> Trade:
    bids = {"bid_price": step.bid_price, "ask_price": step.ask_price} if market.rule in AUCTIONS else {}
    return clear(market, *step[:4], step.dt_h, ARRAYS, **bids)


def grid_only(step: Step) -> Array:
    return (step.import_price * step.import_kw - step.export_price * step.export_kw) * step.dt_h


# round numbers make ties and exact balances common; unround ones would hide them
POWER = st.one_of(st.just(0.0), st.integers(1, 4).map(float), st.floats(0.001, 12).map(lambda x: round(x, 3)))


def prices(low: float, high: float) -> st.SearchStrategy[float]:
    return st.one_of(
        st.sampled_from([0.05, 0.1, 0.3]), st.floats(low, high).map(lambda value: round(value, 4))
    )


@st.composite
def steps(draw: st.DrawFn, most_homes: int = 8) -> Step:
    count = draw(st.integers(1, most_homes))

    def row(values: st.SearchStrategy[float]) -> Array:
        return np.array(draw(st.lists(values, min_size=count, max_size=count)))

    side = row(st.sampled_from([-1.0, 0.0, 1.0, 2.0]))  # 2: a meter that saw both within the step
    import_price, export_price = row(prices(-0.2, 0.6)), row(prices(-0.2, 0.4))
    margin = prices(0, 0.3) | st.just(0.0)
    return Step(
        row(POWER) * (side > 0),
        row(POWER) * ((side < 0) | (side == 2)),
        import_price,
        export_price,
        import_price - row(margin),
        export_price + row(margin),
        draw(st.sampled_from([1 / 12, 0.25, 0.5, 1.0])),
    )


MARKETS = st.builds(
    Market,
    rule=st.sampled_from(RULES),
    local_fee_per_kwh=st.sampled_from([0.0, 0.0, 0.02, 0.1]),
    loss_share=st.sampled_from([0.0, 0.0, 0.05, 0.3]),
    fixed_ratio=st.sampled_from([0.0, 0.4, 0.9, 1.0]),
    bid_weight=st.sampled_from([0.0, 0.5, 0.7, 1.0]),
)


@settings(deadline=None)
@given(market=MARKETS, step=steps())
def test_each_rule_keeps_its_promises(market: Market, step: Step) -> None:
    trade = run(market, step)
    promise = PROMISES[market.rule]
    if promise.budget_balanced:
        ledger = settle_accounts(trade, step.import_price, step.export_price, step.dt_h)
        assert abs(ledger.balance) < 1e-9
    if promise.individually_rational:
        assert np.all(trade.payment <= grid_only(step) + 1e-9)
        has_bids = market.rule in AUCTIONS
        most = step.bid_price if has_bids else step.import_price
        least = step.ask_price if has_bids else step.export_price
        assert np.all((trade.price_buy <= most + 1e-9) | (trade.bought_kw == 0))
        assert np.all((trade.price_sell >= least - 1e-9) | (trade.sold_kw == 0))


def test_bill_sharing_rightly_promises_no_individual_rationality() -> None:
    trade = clear(
        Market(rule="bill_sharing"), np.array([2.0, 0.0]), np.array([0.0, 1.0]), 0.3, 0.1, 1.0, ARRAYS
    )
    np.testing.assert_allclose(trade.payment, [0.3, 0.0])  # the seller would have had 0.1 from the grid


@settings(deadline=None)
@given(market=MARKETS, step=steps())
def test_energy_is_conserved_and_nobody_trades_with_itself(market: Market, step: Step) -> None:
    trade = run(market, step)
    arriving = 1 - market.loss_share
    assert trade.sold_kw.sum() * arriving == pytest.approx(trade.bought_kw.sum(), abs=1e-9)
    assert trade.sold_kw.sum() == pytest.approx(trade.bought_kw.sum() + trade.loss_kw.sum(), abs=1e-9)
    np.testing.assert_allclose(trade.bought_kw + trade.grid_import_kw, step.import_kw, atol=1e-12)
    np.testing.assert_allclose(trade.sold_kw + trade.grid_export_kw, step.export_kw, atol=1e-12)
    assert all(np.all(values >= 0) for values in (*trade[:4], trade.fee, trade.loss_kw))
    assert np.all(np.minimum(trade.bought_kw, trade.sold_kw) == 0)
    np.testing.assert_allclose(trade.fee, trade.bought_kw * market.local_fee_per_kwh * step.dt_h, atol=1e-12)


@settings(deadline=None)
@given(market=MARKETS, step=steps())
def test_a_payment_is_its_parts_at_the_prices_that_are_told(market: Market, step: Step) -> None:
    trade = run(market, step)
    parts = step.import_price * trade.grid_import_kw + trade.price_buy * trade.bought_kw
    parts -= step.export_price * trade.grid_export_kw + trade.price_sell * trade.sold_kw
    np.testing.assert_allclose(trade.payment, parts * step.dt_h, atol=1e-12)
    idle = trade.bought_kw == 0
    np.testing.assert_array_equal(trade.price_buy[idle], step.import_price[idle])


@settings(deadline=None)
@given(market=MARKETS, step=steps(), seed=st.integers(0, 99))
def test_the_order_of_the_homes_does_not_matter(market: Market, step: Step, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(step.import_kw))
    moved = Step(*(values[order] for values in step[:6]), step.dt_h)
    for one, other in zip(run(market, step), run(market, moved), strict=True):
        np.testing.assert_allclose(one[order], other, atol=1e-9)


@settings(deadline=None)
@given(market=MARKETS, step=steps(), factor=st.sampled_from([0.125, 2.0, 1024.0]))
def test_twice_the_energy_is_twice_the_trade_at_the_same_prices(
    market: Market, step: Step, factor: float
) -> None:
    trade = run(market, step)
    larger = run(market, step._replace(import_kw=step.import_kw * factor, export_kw=step.export_kw * factor))
    for name in Trade._fields:
        scale = 1.0 if name.startswith("price") else factor
        np.testing.assert_allclose(
            getattr(larger, name), getattr(trade, name) * scale, atol=1e-9 * max(scale, 1)
        )


@settings(deadline=None)
@given(market=MARKETS, step=steps())
def test_twice_the_time_is_twice_the_money(market: Market, step: Step) -> None:
    trade, longer = run(market, step), run(market, step._replace(dt_h=2 * step.dt_h))
    np.testing.assert_allclose(longer.payment, 2 * trade.payment, atol=1e-12)
    np.testing.assert_allclose(longer.fee, 2 * trade.fee, atol=1e-12)
    np.testing.assert_array_equal(longer.bought_kw, trade.bought_kw)


@settings(deadline=None)
@given(market=MARKETS, step=steps(most_homes=1))
def test_a_home_alone_pays_what_the_grid_alone_costs(market: Market, step: Step) -> None:
    trade = run(market, step)
    assert trade.bought_kw == trade.sold_kw == 0
    np.testing.assert_allclose(trade.payment, grid_only(step), atol=1e-12)


@settings(deadline=None)
@given(step=steps())
def test_without_a_rule_all_is_with_the_grid(step: Step) -> None:
    trade = run(Market(rule="none", local_fee_per_kwh=0.1, loss_share=0.1), step)
    np.testing.assert_allclose(trade.payment, grid_only(step), atol=1e-12)
    np.testing.assert_array_equal(trade.grid_import_kw, step.import_kw)
    assert not trade.bought_kw.any()


@settings(deadline=None)
@given(market=MARKETS, step=steps())
def test_numpy_and_torch_say_the_same(market: Market, step: Step) -> None:
    bids = {"bid_price": step.bid_price, "ask_price": step.ask_price} if market.rule in AUCTIONS else {}
    trade = clear(
        market,
        *(torch.from_numpy(values) for values in step[:4]),
        step.dt_h,
        tensors(),
        **{name: torch.from_numpy(values) for name, values in bids.items()},
    )
    for one, other in zip(run(market, step), trade, strict=True):
        assert other.dtype == torch.float64
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_leading_axes_are_communities_of_their_own_and_float32_stays_so(rule: Rule) -> None:
    net_kw = np.random.default_rng(3).normal(0, 2, (2, 5, 9))
    import_kw, export_kw = np.maximum(net_kw, 0), np.maximum(-net_kw, 0)
    market = Market(rule=rule, loss_share=0.05, local_fee_per_kwh=0.02)
    together = clear(market, import_kw, export_kw, 0.3, 0.05, 0.5, ARRAYS)
    alone = clear(market, import_kw[1, 2], export_kw[1, 2], 0.3, 0.05, 0.5, ARRAYS)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other[1, 2], atol=1e-12)
    small: list[tuple[Any, Any]] = [(np.float32, ARRAYS), (torch.float32, tensors())]
    for kind, m in small:
        as_kind = [
            values.astype(kind) if m is ARRAYS else torch.tensor(values, dtype=kind)
            for values in (import_kw, export_kw)
        ]
        for values, exact in zip(clear(market, *as_kind, 0.3, 0.05, 0.5, m), together, strict=True):
            assert values.dtype == kind
            np.testing.assert_allclose(np.asarray(values), exact, atol=1e-4)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("net_kw", [[0.0, 0.0, 0.0], [1.0, 2.0, 0.0], [-1.0, 0.0, -2.0], [2.0, -1.0, -3.0]])
def test_gradients_are_finite_even_where_nobody_trades(rule: Rule, net_kw: list[float]) -> None:
    net = torch.tensor(net_kw, requires_grad=True)  # float32, where an overflow is nearest
    buy, sell = torch.full((3,), 0.3, requires_grad=True), torch.full((3,), 0.1, requires_grad=True)
    market = Market(rule=rule, loss_share=0.1, local_fee_per_kwh=0.02)
    trade = clear(market, net.clamp(min=0), (-net).clamp(min=0), buy, sell, 1.0, tensors())
    gradients = torch.autograd.grad(trade.payment.sum(), (net, buy, sell))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    if not trade.bought_kw.any():
        expected = 0.3 * (net > 0) + 0.1 * (net < 0)
        assert torch.allclose(gradients[0][net != 0], expected[net != 0])


def test_the_gradient_of_the_mid_market_rate_is_that_of_differences() -> None:
    net = torch.tensor([2.0, 1.0, -0.5, -1.2, 0.7], dtype=torch.float64, requires_grad=True)
    buy = torch.tensor([0.3, 0.35, 0.3, 0.28, 0.4], dtype=torch.float64, requires_grad=True)

    def payments(net: torch.Tensor, buy: torch.Tensor) -> torch.Tensor:
        market = Market(loss_share=0.05, local_fee_per_kwh=0.02)
        return clear(market, net.clamp(min=0), (-net).clamp(min=0), buy, 0.06, 0.5, tensors()).payment

    assert torch.autograd.gradcheck(payments, (net, buy))


@pytest.mark.parametrize("rule", [rule for rule in RULES if PROMISES[rule].individually_rational])
def test_nobody_trades_where_fee_and_losses_eat_the_gain(rule: Rule) -> None:
    market = Market(rule=rule, local_fee_per_kwh=0.15, loss_share=0.5)  # (0.3 - 0.15) * 0.5 < 0.1
    trade = clear(market, np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.3, 0.1, 1.0, ARRAYS)
    assert not trade.bought_kw.any()
    np.testing.assert_allclose(trade.payment, [0.3, -0.1])


@pytest.mark.parametrize(
    ("import_kw", "m", "bids", "message"),
    [
        (np.zeros(3), ARRAYS, {}, r"import_kw has the shape \(3,\) and export_kw \(2,\)"),
        (np.zeros(2), FLOATS, {}, "m is FLOATS; a market is among several homes"),
        (np.zeros(2), ARRAYS, {"bid_price": 0.2}, "rule='mid_market_rate' takes no bids"),
    ],
)
def test_a_wrong_call_is_refused(import_kw: Array, m: Any, bids: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clear(Market(), import_kw, np.zeros(2), 0.3, 0.1, 1.0, m, **bids)
