"""Run a home's battery in the Gymnasium environment: at random, idle, and by a rule of your own.

python examples/02_home_env.py --homes 2 --days 7
"""

import argparse
from pathlib import Path

import gymnasium

import hidiff
from hidiff.envs import HomeState, do_nothing, self_consumption, simulate
from hidiff.home import Battery, Home, Tariff


def cheap_hours(state: HomeState) -> float:
    """Battery power wanted [kW], > 0 charges: fill it while import is cheap, else follow the home."""
    if state.import_price_per_kwh < 0.25:
        return 2.0
    return state.pv_kw - state.load_kw


def main() -> None:
    """Compare four ways to run the battery over the same days."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=2, help="number of new homes")
    parser.add_argument("--days", type=int, default=7, help="days of an episode")
    parser.add_argument("--seed", type=int, default=1, help="seed of the homes and of the episode")
    parser.add_argument("--model", type=Path, help="model directory, instead of the shipped model")
    arguments = parser.parse_args()

    traces = hidiff.load(arguments.model).sample(homes=arguments.homes, seed=arguments.seed)
    home = Home(
        battery=Battery(capacity_kwh=10, charge_max_kw=4, discharge_max_kw=4), tariff=Tariff.time_of_use()
    )
    env = gymnasium.make("hidiff/Home-v0", traces=traces, home=home, episode_days=arguments.days)

    # The plain Gymnasium loop, as a learner runs it: an action is a share of the battery's power, -1 to 1.
    observation, info = env.reset(seed=arguments.seed)
    env.action_space.seed(arguments.seed)
    print(
        f"home {info['home']}, {arguments.days} days from {info['start']}; {observation.size} values observed"
    )
    cost = reward_sum = 0.0
    is_over = False
    while not is_over:
        action = env.action_space.sample()
        observation, reward, terminated, truncated, step = env.step(action)
        cost += step["cost"]
        reward_sum += float(reward)
        is_over = terminated or truncated
    # The bill alone would praise a battery that ends empty; the reward counts what is left in it.
    print(f"{'random actions':28} bill {cost:7.2f}   reward {reward_sum:8.2f}")

    # Rules see the state in kW; `simulate` runs one through the same episode.
    rules = {"battery idle": do_nothing, "store surplus": self_consumption, "also fill at night": cheap_hours}
    for name, rule in rules.items():
        run = simulate(env.unwrapped, rule, seed=arguments.seed)
        print(f"{name:28} bill {run.cost:7.2f}   reward {run.reward.sum():8.2f}")


if __name__ == "__main__":
    main()
