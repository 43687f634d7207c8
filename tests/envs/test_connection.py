"""What a home imports, exports and curtails balances and is the cheapest that the limits allow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hidiff.envs.physics.connection import export_room, import_room, settle
from hidiff.home import Home

KW = st.floats(0, 10)
PRICE = st.floats(-1, 1)


@given(
    demand_kw=st.floats(-5, 10),
    pv_kw=KW,
    buy=PRICE,
    sell=PRICE,
    import_limit_kw=st.one_of(st.none(), KW),
    export_limit_kw=st.one_of(st.none(), st.floats(5, 10)),
)
def test_pv_use_is_the_cheapest_of_all_and_balances(
    demand_kw: float,
    pv_kw: float,
    buy: float,
    sell: float,
    import_limit_kw: float | None,
    export_limit_kw: float | None,
) -> None:
    home = Home(import_limit_kw=import_limit_kw, export_limit_kw=export_limit_kw)
    flows = settle(demand_kw, pv_kw, home, import_price_per_kwh=buy, export_price_per_kwh=sell)
    assert demand_kw + flows.export_kw == pytest.approx(flows.import_kw + flows.pv_used_kw, abs=1e-9)
    assert min(flows.import_kw, flows.export_kw) == 0
    assert 0 <= flows.pv_used_kw <= pv_kw
    import_max, export_max = import_limit_kw or 99.0, export_limit_kw or 99.0
    if import_limit_kw == 0:
        import_max = 0.0
    assert flows.export_kw <= export_max + 1e-9
    for used_kw in np.linspace(0, pv_kw, 21):
        net_kw = demand_kw - used_kw
        if -export_max <= net_kw <= import_max:
            other = buy * max(net_kw, 0) - sell * max(-net_kw, 0)
            assert buy * flows.import_kw - sell * flows.export_kw <= other + 1e-9


def test_surplus_is_curtailed_at_the_export_limit() -> None:
    flows = settle(1.0, 5.0, Home(export_limit_kw=1.5), import_price_per_kwh=0.3, export_price_per_kwh=0.05)
    assert flows == (2.5, 0.0, 1.5, 0.0)


def test_pv_that_cannot_be_curtailed_is_reported_above_the_export_limit() -> None:
    home = Home(export_limit_kw=1.5, pv_curtailable=False)
    flows = settle(1.0, 5.0, home, import_price_per_kwh=0.3, export_price_per_kwh=0.05)
    assert flows == (5.0, 0.0, 4.0, 2.5)


def test_a_load_above_the_import_limit_is_served_and_reported() -> None:
    flows = settle(5.0, 1.0, Home(import_limit_kw=3), import_price_per_kwh=0.3, export_price_per_kwh=0.05)
    assert flows == (1.0, 4.0, 0.0, 1.0)


def test_the_connection_leaves_room_for_charging_up_to_the_import_limit() -> None:
    assert import_room(1.0, 0.5, Home(import_limit_kw=3)) == 2.5
    assert import_room(5.0, 0.5, Home(import_limit_kw=3)) == 0
    assert import_room(5.0, 0.5, Home()) == np.inf


def test_the_connection_leaves_room_for_feeding_in_with_pv_turned_down_where_it_can_be() -> None:
    assert export_room(1.0, 4.0, Home(export_limit_kw=0)) == 1
    assert export_room(1.0, 4.0, Home(export_limit_kw=0, pv_curtailable=False)) == 0
