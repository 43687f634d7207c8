"""A neighbourhood that shares energy: one policy for all homes, and a learner for each.

python examples/06_train_community.py --homes 6 --timesteps 60000
Needs: pip install "hidiff[sb3]"
"""

import argparse
from typing import Any

import numpy as np
import stable_baselines3 as sb3

import hidiff
from hidiff.adapters.sb3 import learn_together, to_sb3_vecenv, to_sb3_vecenvs
from hidiff.envs import Fleet
from hidiff.home import Battery, Home
from hidiff.market import Market

SETTINGS: dict[str, Any] = {"n_steps": 96, "batch_size": 384, "gamma": 0.99, "seed": 0, "device": "cpu"}


def main() -> None:
    """Learn both ways, then run the same weeks of other years."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=6, help="homes of the neighbourhood")
    parser.add_argument("--timesteps", type=int, default=60_000, help="steps of each home")
    parser.add_argument("--days", type=int, default=7, help="days of an episode")
    arguments = parser.parse_args()

    model = hidiff.load()
    years = [
        model.sample(homes=arguments.homes, start=start, seed=2) for start in ("2030-01-01", "2031-01-01")
    ]
    # Every second home has a battery; neighbours meet at the mid-market rate and pay the network 2 cents.
    homes = [Home(battery=Battery() if place % 2 else None) for place in range(arguments.homes)]
    market = Market(rule="mid_market_rate", local_fee_per_kwh=0.02)

    def neighbourhood(year: int, envs: int, shares: bool = True) -> Fleet:
        return Fleet(
            years[year], homes, envs=envs, homes_per_env=arguments.homes, episode_days=arguments.days,
            dtype="float64", market=market if shares else None,
        )  # fmt: skip

    shared = sb3.PPO("MlpPolicy", to_sb3_vecenv(neighbourhood(0, 8)), **SETTINGS)
    shared.learn(arguments.timesteps * arguments.homes)
    own = [sb3.PPO("MlpPolicy", vec, **SETTINGS) for vec in to_sb3_vecenvs(neighbourhood(0, 8))]
    learn_together(own, arguments.timesteps)

    def each_its_own(seen: np.ndarray) -> np.ndarray:
        return np.stack([own[home].predict(seen[home], deterministic=True)[0] for home in range(len(own))])

    def one_for_all(seen: np.ndarray) -> np.ndarray:
        return shared.predict(seen, deterministic=True)[0]

    def idle(seen: np.ndarray) -> np.ndarray:
        return np.zeros((len(seen), 1))

    controllers = {
        "idle, no sharing": idle,
        "idle": idle,
        "one policy": one_for_all,
        "a learner each": each_its_own,
    }
    print(f"{arguments.homes} homes in the same 8 weeks of another year")
    for name, act in controllers.items():
        fleet = neighbourhood(1, 1, shares=name != "idle, no sharing")
        random, cost, traded = np.random.default_rng(0), 0.0, 0.0
        for _ in range(8):
            seen, is_over = fleet.reset(random), False
            while not is_over:
                moved = fleet.step(act(seen[0].astype(np.float32))[None])
                seen, is_over = moved.observation, moved.is_over[0]
                cost -= moved.reward.sum() / 8
                traded += moved.trade.bought_kw.sum() * fleet.dt_h / 8 if moved.trade else 0.0
        print(f"{name:>18}: cost of all {cost:7.2f}, energy from neighbours {traded:6.1f} kWh")


if __name__ == "__main__":
    main()
