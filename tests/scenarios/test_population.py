from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hidiff.diffusion.hierarchy import HiDiff, load
from hidiff.scenarios.population import DRAWN, draw_devices, draw_homes, shares
from hidiff.scenarios.study import Distribution, Group, Population


@pytest.fixture(scope="module")
def model() -> HiDiff:
    return load()


@given(st.integers(1, 300), st.sampled_from(DRAWN), st.integers(0, 1000), st.floats(0, 1))
def test_a_share_of_the_homes_is_met_within_a_few_homes_and_more_homes_change_none(
    count: int, name: str, seed: int, share: float
) -> None:
    drawn = shares(count, name, seed)
    assert ((drawn >= 0) & (drawn < 1)).all()
    assert abs((drawn < share).sum() - share * count) <= 1 + np.log2(count + 1)
    np.testing.assert_array_equal(drawn, shares(count + 20, name, seed)[:count])


def test_a_larger_share_keeps_those_who_had_one() -> None:
    def who(share: float) -> set[int]:
        table = draw_devices([(Group(count=50, ev_share=share), 50)], seed=3)
        return set(np.flatnonzero(table["has_ev"]))

    assert who(0) == set() and len(who(1)) == 50
    assert who(0.2) < who(0.5) < who(0.9)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(Distribution(low=2, high=6), [2.4, 4, 5.6]), (Distribution(values=(5, 0, 3), weights=(1, 2, 1)), [0, 3, 5]),
     (Distribution(mean=5000, spread=0.001), [5000, 5000, 5000])],
)  # fmt: skip
def test_quantiles_of_a_distribution(asked: Distribution, expected: list[float]) -> None:
    assert [asked.quantile(share) for share in (0.1, 0.5, 0.9)] == pytest.approx(expected, rel=1e-5)


def test_a_lognormal_has_the_mean_and_spread_that_were_asked() -> None:
    asked = Distribution(mean=7000, spread=2500)
    drawn = np.array([asked.quantile(share) for share in (np.arange(20_000) + 0.5) / 20_000])
    assert drawn.mean() == pytest.approx(7000, rel=2e-3) and drawn.std() == pytest.approx(2500, rel=2e-2)
    cut = replace(asked, low=5000, high=9000)
    assert cut.quantile(0.001) == 5000 and cut.quantile(0.999) == 9000


@pytest.mark.parametrize(
    ("given_", "message"),
    [({}, "give mean and spread"), ({"mean": 5}, "spread None"), ({"low": 3, "high": 2}, "low 3 is above high 2"),
     ({"values": (1, 2), "weights": (1,)}, "1 weights for 2 values"), ({"values": (1,), "mean": 3}, "stand alone")],
)  # fmt: skip
def test_a_distribution_that_is_none_is_refused(given_: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Distribution(**given_)


def test_homes_of_a_group_do_not_depend_on_the_other_groups(model: HiDiff) -> None:
    first = Group(name="families", count=4, annual_kwh=Distribution(low=6000, high=9000), ev_share=0.5)
    second = Group(name="couples", count=3, pv_kwp=0, like=(model.homes[0],))
    people, homes = draw_homes(model, Population(groups=(first, second)))
    assert len(people) == len(homes) == 7 and homes.index.is_unique
    assert list(homes["archetype"]) == ["families"] * 4 + ["couples"] * 3
    assert all(6000 <= home.annual_kwh <= 9000 for home in people[:4])  # type: ignore[operator]
    assert (homes["pv_capacity_kwp"][4:] == 0).all()
    alone, alone_homes = draw_homes(model, Population(groups=(replace(first, count=6),)))
    for one, other in zip(people[:4], alone, strict=False):
        assert one.key == other.key and one.annual_kwh == other.annual_kwh
        np.testing.assert_array_equal(one.style, other.style)
    assert (alone_homes["has_ev"][:4].to_numpy() == homes["has_ev"][:4].to_numpy()).all()
