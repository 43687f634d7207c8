"""``Community``: what agents see, do and earn; its homes are the scalar homes, and its books balance."""

import itertools
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given, settings
from hypothesis import strategies as st

from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.envs import Community, Forecast, HomeEnv, bill
from hidiff.envs.episode import Episode
from hidiff.envs.kpis import community_kpis
from hidiff.envs.variants import FULL, HEAT
from hidiff.home import Battery, Home, HotWaterTank, Tariff
from hidiff.market import Market, Rule
from hidiff.tariff import Block, DemandCharge

STREET = synthetic_homes(4, 12)
NAMES = STREET.names
DEMAND = Tariff(
    import_price_per_kwh=0.25,
    export_price_per_kwh=0.06,
    daily_charge=1.1,
    demand=(DemandCharge(price_per_kw=0.4, start_h=15, end_h=21),),
    blocks=(Block(above_kwh_per_month=60, extra_per_kwh=0.05),),
)
OTHER = Tariff.flat(0.25, export_price_per_kwh=0.08)
HOMES = [
    Home(),
    Home(battery=None, tank=HotWaterTank(), import_limit_kw=3.0, export_limit_kw=1.0),
    Home(
        battery=Battery(
            capacity_kwh=7,
            charge_max_kw=3,
            discharge_max_kw=2,
            loss_per_kw=0.01,
            soc_loss=1e-4,
            standby_kw=0.02,
        ),
        tariff=DEMAND,
    ),
    Home(
        battery=Battery(capacity_kwh=4, cycle_fade=1e-4, replacement_cost=3000),
        tank=HotWaterTank(loss_kw_per_k=0.002),
    ),
]


EVERY = replace(
    FULL,
    battery=Battery(capacity_kwh=5, charge_max_kw=2.5, discharge_max_kw=2.5),
    import_limit_kw=9.0,
    export_limit_kw=3.0,
)


def actions(community: Community, random: np.random.Generator) -> dict[str, Any]:
    return {
        agent: random.uniform(-1, 1, community.action_space(agent).shape).astype(np.float32)
        for agent in community.agents
    }


def played(community: Community, shaker: int, **reset: Any) -> tuple[list[Any], np.ndarray]:
    """Observations of all steps and rewards ``(step, home)`` of an episode of random actions."""
    seen, _ = community.reset(**reset)
    random = np.random.default_rng(shaker)
    sights, rewards = [seen], []
    while community.agents:
        seen, reward, *_ = community.step(actions(community, random))
        sights.append(seen)
        rewards.append(list(reward.values()))
    return sights, np.array(rewards)


@pytest.mark.parametrize("forecast", [None, Forecast(kind="persistence", horizon_steps=4)])
@pytest.mark.parametrize(
    "homes", [HOMES, [EVERY, HOMES[1], HEAT, HOMES[2]]], ids=["some devices", "every device"]
)
@pytest.mark.parametrize("padded", [True, False])
def test_without_a_market_every_home_is_the_scalar_home(
    padded: bool, homes: list[Home], forecast: Forecast | None
) -> None:
    community = Community(STREET, homes, padded=padded, episode_days=5, forecast=forecast)
    start = "2012-07-03 06:30"
    seen, infos = community.reset(options={"homes": NAMES, "start": start})
    alone = [HomeEnv(STREET, home, episode_days=5, forecast=forecast, check=True) for home in homes]
    begun = [
        env.reset(options={"home": name, "start": start}) for env, name in zip(alone, NAMES, strict=True)
    ]
    for agent, name, (_, info) in zip(infos, NAMES, begun, strict=True):
        assert infos[agent] == {"home": name, "start": info["start"]}
    random = np.random.default_rng(3)
    own = [row for row, _ in begun]
    while True:
        for agent, env, row in zip(seen, alone, own, strict=True):
            sight = dict(zip([one.name for one in community.features(agent)], seen[agent], strict=True))
            for feature, value in zip(env.feature_table()["name"], row, strict=True):
                if (
                    community.agents or "forecast" not in feature
                ):  # HomeEnv repeats its last forecast at the end
                    assert sight[feature] == pytest.approx(value, abs=2e-5), feature
        if not community.agents:
            break
        given = {}
        wanted = []
        for agent, env in zip(community.agents, alone, strict=True):
            numbers = dict(zip(env.action_names, random.uniform(-1, 1, 9).astype(np.float32), strict=False))
            wanted.append(np.array(list(numbers.values()), np.float32))
            given[agent] = np.array(
                [numbers.get(one, 0.7) for one in community.action_names(agent)], np.float32
            )
        seen, rewards, _, _, infos = community.step(given)
        stepped = [env.step(action) for env, action in zip(alone, wanted, strict=True)]
        own = [one[0] for one in stepped]
        for agent, (_, reward, _, _, info) in zip(rewards, stepped, strict=True):
            assert rewards[agent] == pytest.approx(reward, abs=1e-9)
            for name in set(info) & set(infos[agent]):
                assert infos[agent][name] == pytest.approx(info[name], abs=1e-9), name
    assert all(env._step == env._steps for env in alone)


def test_agents_of_different_homes_see_their_own_devices_or_all_of_them() -> None:
    own = Community(STREET, HOMES, padded=False)
    assert [own.action_names(agent) for agent in own.possible_agents] == [
        ["battery"], ["battery", "tank"], ["battery"], ["battery", "tank"],
    ]  # fmt: skip
    assert len({space.shape for space in own.observation_spaces.values()}) == 3
    padded = Community(STREET, HOMES, padded=True)
    assert {space.shape for space in padded.action_spaces.values()} == {(2,)}
    seen, infos = padded.reset(seed=1)
    names = [one.name for one in padded.features("home_0")]
    has_tank = {agent: row[names.index("has tank")] for agent, row in seen.items()}
    assert list(has_tank.values()) == [0, 1, 0, 1]
    assert seen["home_0"][names.index("tank: fill")] == 0 < seen["home_1"][names.index("tank: fill")]
    *_, infos = padded.step(actions(padded, np.random.default_rng(0)))
    assert "tank_kw" in infos["home_1"]
    assert "tank_kw" not in infos["home_0"]
    tank_kwh = padded.episode["tank_kwh"]
    assert np.isnan(tank_kwh).tolist() == [[True, False, True, False]]


def test_slots_keep_their_devices_unless_padded() -> None:
    with pytest.raises(ValueError, match="use padded=True, or let all"):
        Community(STREET, HOMES, padded=False, homes_per_env=3)
    own = Community(STREET, HOMES, padded=False)
    with pytest.raises(ValueError, match="household 1 has other devices than slot home_0"):
        own.reset(options={"homes": [NAMES[1], NAMES[0], NAMES[2], NAMES[3]]})
    padded = Community(STREET, HOMES, homes_per_env=3)
    drawn = set()
    for seed in range(12):
        padded.reset(seed=seed)
        drawn.add(tuple(padded.households.values()))
    assert len(drawn) > 5


def least_zero(power_kw: np.ndarray) -> np.ndarray:
    """Magnitudes without what rounding left below 0."""
    assert power_kw.min() > -1e-12
    return np.maximum(power_kw, 0)


def shared_episode(rule: Rule, homes: Sequence[Home]) -> tuple[Episode, dict[str, Any]]:
    """The record of six days of random actions, and what stays with the grid or goes to the operator."""
    market = Market(rule=rule, local_fee_per_kwh=0.02, loss_share=0.03)
    community = Community(STREET, homes, market=market, bids=rule.endswith("auction"), episode_days=6)
    played(community, 5, seed=2)
    done = community.episode
    if rule == "none":
        return done, {"import_kw": done["import_kw"], "export_kw": done["export_kw"], "fee": 0 * done["cost"]}
    return done, {
        "import_kw": least_zero(done["import_kw"] - done["bought_kw"]),
        "export_kw": least_zero(done["export_kw"] - done["sold_kw"]),
        "fee": done["fee"],
    }


@pytest.mark.parametrize("rule", get_args(Rule))
def test_energy_and_money_balance_in_every_step(rule: Rule) -> None:
    homes = [replace(home, tariff=OTHER if home.tariff is DEMAND else home.tariff) for home in HOMES]
    done, grid = shared_episode(rule, homes)
    dt_h = done.dt_h
    assert np.allclose(
        done["demand_kw"] + done["export_kw"], done["import_kw"] + done["pv_used_kw"], atol=1e-9
    )
    if rule != "none":
        assert done["bought_kw"].sum() > 1
        assert np.allclose(done["sold_kw"].sum(axis=1) * 0.97, done["bought_kw"].sum(axis=1), atol=1e-9)
        assert np.allclose(done["fee"], done["bought_kw"] * 0.02 * dt_h, atol=1e-12)
    energy = grid["import_kw"] * done["import_price"] - grid["export_kw"] * done["export_price"]
    retailers = energy.sum(axis=1) * dt_h + sum(home.tariff.daily_charge for home in homes) / 24 * dt_h
    assert np.allclose(done["cost"].sum(axis=1), retailers + grid["fee"].sum(axis=1), atol=1e-9)


@pytest.mark.parametrize("rule", get_args(Rule))
def test_retailers_and_operator_are_paid_what_their_meters_say(rule: Rule) -> None:
    done, grid = shared_episode(rule, HOMES)
    bills = [
        bill(
            grid["import_kw"][:, place], grid["export_kw"][:, place], home.tariff, done.time, done.time_zone
        ).total
        for place, home in enumerate(HOMES)
    ]
    assert done["cost"].sum() == pytest.approx(sum(bills) + grid["fee"].sum(), abs=1e-9)
    assert "grid_only_cost" not in done  # a demand charge of a meter that is not there cannot be told


def test_sharing_makes_the_community_cheaper_and_says_by_how_much() -> None:
    still = {f"home_{slot}": np.zeros(1, np.float32) for slot in range(4)}
    costs = {}
    for market in (None, Market(rule="mid_market_rate")):
        community = Community(STREET, market=market, episode_days=7)
        community.reset(options={"start": "2012-07-03"})
        while community.agents:
            community.step(still)
        costs[market is not None] = community.episode
    alone, shared = costs[False], costs[True]
    assert np.allclose(shared["grid_only_cost"], alone["cost"], atol=1e-12)
    gains = alone["cost"].sum(axis=0) - shared["cost"].sum(axis=0)
    assert gains.min() > -1e-9
    assert gains.sum() > 0.1
    assert community_kpis(shared)["community_gain"] == pytest.approx(gains.sum())


@settings(deadline=None, max_examples=12)
@given(order=st.permutations(range(4)), seed=st.integers(0, 50))
def test_the_order_of_the_homes_changes_nothing(order: Sequence[int], seed: int) -> None:
    market = Market(rule="mid_market_rate", loss_share=0.05)
    random = np.random.default_rng(seed)
    table = random.uniform(-1, 1, (48, 4, 2)).astype(np.float32)
    results = []
    for places in (range(4), order):
        community = Community(STREET, HOMES, market=market, shares_prices=True, episode_days=1)
        community.reset(options={"homes": [NAMES[place] for place in places], "start": "2012-07-02"})
        rewards = np.zeros((48, 4))
        for step in range(48):
            given = {f"home_{slot}": table[step, place] for slot, place in enumerate(places)}
            seen, reward, *_ = community.step(given)
            rewards[step, list(places)] = list(reward.values())
        results.append((rewards, np.array([seen[f"home_{list(places).index(place)}"] for place in range(4)])))
    assert np.allclose(results[0][0], results[1][0], atol=1e-9)
    assert np.allclose(results[0][1], results[1][1], atol=1e-5)


def test_bids_name_prices_between_a_homes_own_grid_prices() -> None:
    market = Market(rule="pay_as_bid_auction", bid_weight=1.0)
    home = Home(tariff=Tariff.flat(0.30, export_price_per_kwh=0.10), battery=None)
    community = Community(STREET, home, market=market, bids=True, episode_days=3)
    assert community.action_names("home_0") == ["battery", "bid", "ask"]
    paid = {}
    for bid in (1.0, 0.0, -1.0):
        community.reset(options={"start": "2012-07-03"})
        while community.agents:
            community.step({agent: np.array([0, bid, -1], np.float32) for agent in community.agents})
        done = community.episode
        is_buyer = done["bought_kw"] > 1e-9
        paid[bid] = np.unique(done["price_buy"][is_buyer].round(9)).tolist()
    assert paid == {1.0: [0.3], 0.0: [0.2], -1.0: [0.1]}
    community.reset(options={"start": "2012-07-03"})
    while community.agents:  # asks above all bids: nobody trades
        community.step({agent: np.array([0, -0.5, 0.5], np.float32) for agent in community.agents})
    assert not community.episode["bought_kw"].any()


def test_a_reward_may_be_a_homes_own_or_the_communitys() -> None:
    rewards = {
        name: played(Community(STREET, HOMES, episode_days=2, reward=name, reward_share=0.25), 4, seed=9)[1]
        for name in ("own", "community", "mixed")
    }
    mean = rewards["own"].mean(axis=1, keepdims=True)
    assert np.allclose(rewards["community"], mean)
    assert np.allclose(rewards["mixed"], 0.75 * rewards["own"] + 0.25 * mean)
    assert rewards["own"].std(axis=1).min() > 0


def test_shared_prices_are_those_of_the_step_before() -> None:
    community = Community(
        STREET, Home(tariff=Tariff.flat(0.30, export_price_per_kwh=0.10)), shares_prices=True, episode_days=4,
        market=Market(rule="mid_market_rate"), padded=False,
    )  # fmt: skip
    seen, _ = community.reset(seed=0)
    assert seen["home_3"][-3:].tolist() == pytest.approx([0.3, 0.1, 0.0])
    random = np.random.default_rng(0)
    met = set()
    while community.agents:
        seen, *_, infos = community.step(actions(community, random))
        rows = np.array([row[-3:] for row in seen.values()])
        assert (rows == rows[0]).all()
        net_kw = sum(info["import_kw"] - info["export_kw"] for info in infos.values())
        assert rows[0, 2] == pytest.approx(net_kw, abs=1e-4)
        is_trade = any(info["bought_kw"] > 0 for info in infos.values())
        expected = (0.2, 0.2) if is_trade else (0.3, 0.1)
        assert rows[0, :2].tolist() == pytest.approx(expected, abs=1e-6)
        met.add(is_trade)
    assert met == {True, False}


def test_an_episode_is_replayed_by_seed_or_by_name_and_seeds_differ() -> None:
    community = Community(STREET, homes_per_env=2, episode_days=1)
    _, first = played(community, 1, seed=7)
    households, start = dict(community.households), community.neighbourhood.start
    _, again = played(community, 1, seed=7)
    assert np.array_equal(first, again)
    _, named = played(community, 1, options={"homes": list(households.values()), "start": start})
    assert np.array_equal(first, named)
    drawn = set()
    for seed in range(10):
        community.reset(seed=seed)
        drawn.add((*community.households.values(), community.neighbourhood.start))
    assert len(drawn) > 7
    community.reset(seed=7)
    community.reset()
    unseeded = (*community.households.values(), community.neighbourhood.start)
    community.reset(seed=7)
    community.reset()
    assert unseeded == (*community.households.values(), community.neighbourhood.start)


def test_nothing_is_drawn_from_the_global_generator() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    played(Community(STREET, homes_per_env=3, episode_days=1), 0, seed=3)
    np.random.seed(1)  # noqa: NPY002
    _, one = played(Community(STREET, homes_per_env=3, episode_days=1), 0, seed=3)
    after_seed = np.random.get_state()[1].copy()  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    _, two = played(Community(STREET, homes_per_env=3, episode_days=1), 0, seed=3)
    assert np.array_equal(one, two)
    np.random.seed(1)  # noqa: NPY002
    assert np.array_equal(after_seed, np.random.get_state()[1])  # noqa: NPY002
    assert before.shape == after_seed.shape


def test_state_is_all_observations_and_lies_in_its_space() -> None:
    for padded, homes in (
        (True, HOMES),
        (False, HOMES),
        (True, [EVERY, *HOMES[1:]]),
        (False, [EVERY, *HOMES[1:]]),
    ):
        community = Community(STREET, homes, padded=padded, shares_prices=True, episode_days=6)
        with pytest.raises(gymnasium.error.ResetNeeded, match="no state yet"):
            community.state()
        seen, _ = community.reset(seed=0)
        random = np.random.default_rng(0)
        while community.agents:
            seen, *_ = community.step(actions(community, random))
            assert np.array_equal(community.state(), np.concatenate(list(seen.values())))
            assert community.state_space.contains(community.state())
            for agent, row in seen.items():
                assert community.observation_space(agent).contains(row)
        before = community.state()
        community.state()[:] = 99
        assert np.array_equal(before, community.state())


def test_it_can_be_sent_to_another_process_in_the_middle_of_an_episode() -> None:
    here = Community(STREET, HOMES, market=Market(), episode_days=1)
    here.reset(seed=4)
    random = np.random.default_rng(0)
    here.step(actions(here, random))
    there = pickle.loads(pickle.dumps(here))
    given = actions(here, random)
    for one, other in zip(here.step(given), there.step(given), strict=True):
        assert data_equivalence(one, other, exact=True)
    assert data_equivalence(here.reset(), there.reset(), exact=True)


def test_the_end_is_a_truncation_of_all_and_a_further_step_is_refused() -> None:
    community = Community(STREET, episode_days=1)
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"reset\(\) first"):
        community.step({})
    community.reset(seed=0)
    random = np.random.default_rng(0)
    for step in itertools.count(1):
        _, _, terminated, truncated, _ = community.step(actions(community, random))
        assert not any(terminated.values())
        assert set(truncated.values()) == {step == 48}
        if not community.agents:
            break
    assert step == 48
    assert set(truncated) == set(community.possible_agents)
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"reset\(\) first"):
        community.step(actions(community, random))


def test_infos_may_be_left_out() -> None:
    told, quiet = Community(STREET, episode_days=1), Community(STREET, episode_days=1, infos=False)
    assert np.array_equal(played(told, 2, seed=1)[1], played(quiet, 2, seed=1)[1])
    _, infos = quiet.reset(seed=0)
    assert infos == {agent: {} for agent in quiet.possible_agents}
    played(quiet, 2, seed=1)
    assert np.array_equal(told.episode["cost"], quiet.episode["cost"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"homes_per_env": 5}, "homes_per_env is 5; there are 4 households"),
        ({"homes_per_env": 0}, "homes_per_env is 0"),
        ({"bids": True}, "only an auction takes bids"),
        ({"bids": True, "market": Market(rule="bill_sharing")}, "only an auction takes bids"),
        ({"reward": "team"}, "reward is 'team'; it must be one of own, community, mixed"),
        ({"reward_share": float("nan")}, "reward_share is nan"),
        ({"render_mode": "human"}, "render_mode is 'human'; use None or 'rgb_array'"),
        ({"homes": [Home(), Home()]}, "there are 2 homes for 4 traces"),
        ({"episode_days": 40}, "does not fit"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Community(STREET, **settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"home": NAMES[0]}, "unknown option 'home'; reset takes 'homes' and 'start'"),
        ({"homes": NAMES[:1]}, "names 1 different households .* there are 2 slots"),
        ({"homes": NAMES[:1] * 2}, "names 1 different households"),
        ({"homes": [NAMES[0], "nobody"]}, "unknown household 'nobody'"),
        ({"start": "2012-07-02 00:17"}, "does not begin 48 steps"),
    ],
)
def test_a_bad_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Community(STREET, homes_per_env=2, episode_days=1).reset(options=options)


def test_a_bad_action_is_named() -> None:
    community = Community(STREET, HOMES, padded=False, episode_days=1)
    community.reset(seed=0)
    good = actions(community, np.random.default_rng(0))
    bad = {
        "there is no action for 'home_2'": {agent: good[agent] for agent in good if agent != "home_2"},
        "unknown agent 'home_9'": {**good, "home_9": good["home_0"]},
        "the action of home_1 is .*; it must be 2": {**good, "home_1": np.zeros(1)},
        "the action of home_0 is": {**good, "home_0": np.zeros(2), "home_1": np.zeros(1)},
        "home_3 is .* clip it first": {**good, "home_3": np.array([0.0, 1.01])},
        "home_2 is": {**good, "home_2": np.array([np.nan])},
    }
    for message, action in bad.items():
        with pytest.raises(ValueError, match=message):
            community.step(action)


def test_a_gap_is_never_in_an_episode(traces: Traces) -> None:
    community = Community(traces, episode_days=1)  # home b lacks a step of its third day
    for seed in range(30):
        community.reset(seed=seed)
        assert not community.neighbourhood.start.startswith("2030-01-02T13")
    with pytest.raises(ValueError, match="home 'b' has missing values"):
        community.reset(options={"homes": ["a", "b"], "start": "2030-01-03"})
    with pytest.raises(ValueError, match="1 households have 48 whole steps"):
        community.reset(options={"start": "2030-01-03"})


def test_pettingzoo_is_loaded_only_for_the_community() -> None:
    code = (
        "import sys, hidiff.envs, gymnasium; gymnasium.make('hidiff/Community-v0')\n"
        "assert 'pettingzoo' not in sys.modules\n"
        "sys.modules['pettingzoo'] = None\n"
        "from hidiff.errors import DependencyMissing\n"
        "try: hidiff.envs.Community\n"
        "except DependencyMissing as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        'Community needs pettingzoo, which is not installed; run: pip install "hidiff[marl]"'
    )
