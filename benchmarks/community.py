"""Steps a second of `Community` with 17 homes, and what a step is made of: two Markdown tables, the limit beside.

    python benchmarks/community.py

NumPy in float64, random actions drawn before the clock starts, no wrappers; resets count. Seconds are CPU time of one
thread, the median of five rounds that run the settings in turn, and the slowest and the fastest round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from hidiff.data.synthetic import synthetic_homes
from hidiff.envs import Community, CommunityCentralEnv
from hidiff.home import Battery, Home, HotWaterTank
from hidiff.market import Market

HOMES, LIMIT, ROUNDS = 17, 4000, 5
STREET = synthetic_homes(HOMES, 35)
MIXED = [
    Home(
        battery=None if place % 4 == 0 else Battery(capacity_kwh=5 + place),
        tank=HotWaterTank() if place % 3 == 0 else None,
    )
    for place in range(HOMES)
]
SETTINGS: dict[str, Callable[[], Community | CommunityCentralEnv]] = {
    "homes alike, no market": lambda: Community(STREET),
    "the same, infos=False": lambda: Community(STREET, infos=False),
    "mid-market rate": lambda: Community(STREET, market=Market()),
    "mid-market rate, shares_prices": lambda: Community(STREET, market=Market(), shares_prices=True),
    "uniform-price auction with bids": lambda: Community(
        STREET, market=Market(rule="uniform_price_auction"), bids=True
    ),
    "homes differ, padded": lambda: Community(STREET, MIXED),
    "homes differ, own spaces": lambda: Community(STREET, MIXED, padded=False),
    "central agent, mid-market rate": lambda: CommunityCentralEnv(STREET, market=Market()),
}


def seconds_a_step(env: Community | CommunityCentralEnv, steps: int) -> float:
    """CPU seconds of a step, mean over ``steps``."""
    if isinstance(env, Community):
        spaces = env.action_spaces
        actions = [{agent: spaces[agent].sample() for agent in spaces} for _ in range(100)]
    else:
        actions = [env.action_space.sample() for _ in range(100)]
    env.reset(seed=0)
    per_episode = env.neighbourhood.fleet.steps
    start = time.process_time()
    for step in range(steps):
        if step and step % per_episode == 0:
            env.reset()
        env.step(actions[step % 100])
    return (time.process_time() - start) / steps


def parts_of_a_step(community: Community, calls: int) -> dict[str, float]:
    """CPU seconds of the parts of a step, mean over ``calls`` in the middle of an episode."""
    here, fleet = community.neighbourhood, community.neighbourhood.fleet
    community.reset(seed=0)
    given = {agent: community.action_space(agent).sample() for agent in community.agents}
    for _ in range(24):
        community.step(given)
    table = here.layout.action(list(given.values()))
    seen = community._seen
    assert seen is not None
    rewards = np.zeros(HOMES)

    def by_agent() -> None:
        community._by_agent(seen)
        for values in (rewards.tolist(), [False] * HOMES, [False] * HOMES):
            dict(zip(community.agents, values, strict=True))

    parts: dict[str, Callable[[], object]] = {
        "actions: from dictionaries to a table": lambda: here.layout.action(
            [given[agent] for agent in community.agents]
        ),
        "observations, rewards, ends: to dictionaries": by_agent,
        "infos": here.infos,
        "fleet: series, prices, observation": fleet.observation,
    }
    seconds = {name: _mean_s(part, calls) for name, part in parts.items()}
    whole_s = seconds_a_step(community, calls)
    community.reset(seed=0)
    for _ in range(24):
        community.step(given)

    def physics() -> None:
        if not 0 <= here._done < fleet.steps:
            community.reset()
        fleet.step(table[None, :, : len(fleet.action_names)])
        here._done += 1

    seconds["fleet: physics, market, bill"] = (
        _mean_s(physics, calls) - seconds["fleet: series, prices, observation"]
    )
    seconds["record of the step and the rest"] = whole_s - sum(seconds.values())
    return seconds | {"whole step": whole_s}


def _mean_s(part: Callable[[], object], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        part()
    return (time.process_time() - start) / calls


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=3360, help="steps of a setting in each round")
    steps = parser.parse_args().steps
    envs = {name: make() for name, make in SETTINGS.items()}
    times: dict[str, list[float]] = {name: [] for name in envs}
    for _ in range(ROUNDS):
        for name, env in envs.items():
            times[name].append(seconds_a_step(env, steps))
    print(
        f"| {HOMES} homes | steps/s | slowest … fastest round | home-steps/s | limit, steps/s |\n|---|---|---|---|---|"
    )
    for name, each in times.items():
        rate = 1 / statistics.median(each)
        span = f"{1 / max(each):,.0f} … {1 / min(each):,.0f}"
        print(
            f"| {name} | {rate:,.0f} | {span} | {rate * HOMES:,.0f} | {LIMIT:,} {'met' if rate >= LIMIT else 'missed'} |"
        )
    print()
    columns = {name: SETTINGS[name]() for name in ("homes alike, no market", "mid-market rate")}
    parts = {name: parts_of_a_step(env, steps) for name, env in columns.items() if isinstance(env, Community)}
    print(f"| part of a step, µs | {' | '.join(parts)} |\n|---|{'---|' * len(parts)}")
    for part in next(iter(parts.values())):
        print(f"| {part} | {' | '.join(f'{1e6 * own[part]:.0f}' for own in parts.values())} |")


if __name__ == "__main__":
    main()
