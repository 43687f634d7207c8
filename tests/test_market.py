"""A market that cannot be is refused, and YAML brings one in."""

import pytest

from hidiff.config import read_config, to_mapping
from hidiff.market import PROMISES, Market, Rule


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rule": "barter"}, "rule is 'barter'; it must be one of none, mid_market_rate"),
        ({"local_fee_per_kwh": -0.01}, "local_fee_per_kwh is -0.01; it must be at least 0"),
        ({"local_fee_per_kwh": float("nan")}, "local_fee_per_kwh is nan"),
        ({"loss_share": 1.0}, "loss_share is 1.0; it must be at least 0 and below 1"),
        ({"fixed_ratio": 1.1}, "fixed_ratio is 1.1; it must lie between 0.0 and 1.0"),
        ({"bid_weight": -0.1}, "bid_weight is -0.1; it must lie between 0.0 and 1.0"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_limit(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Market(**values)  # type: ignore[arg-type]


def test_a_market_goes_through_a_mapping_and_back() -> None:
    market = Market(rule="pay_as_bid_auction", local_fee_per_kwh=0.04, loss_share=0.03)
    assert read_config(to_mapping(market), Market) == market


def test_every_rule_has_a_row_of_promises() -> None:
    assert set(PROMISES) == set(Rule.__args__)  # type: ignore[attr-defined]
