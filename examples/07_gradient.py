"""Learn by the gradient of the bill through the physics: a few minutes on a core, no critic, no exploration.

python examples/07_gradient.py --iterations 200
"""

import argparse
from pathlib import Path

import hidiff
from hidiff.adapters.home_optimum import optimise_home
from hidiff.envs import Fleet, Forecast, HomeEnv, self_consumption, simulate, time_of_use
from hidiff.envs.learn import LearnConfig, learn, save_policy
from hidiff.home import Home

SEEN = {"look_ahead_steps": 47, "forecast": Forecast(kind="persistence", horizon_steps=48)}


def main() -> None:
    """Learn on generated homes, then run four weeks of homes that were not learnt from."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=48, help="generated homes to learn from, a year each")
    parser.add_argument("--test-homes", type=int, default=4, help="generated homes to test on")
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--out", type=Path, help="folder to keep the policy in")
    arguments = parser.parse_args()

    model, home = hidiff.load(), Home()
    train = model.sample(homes=arguments.homes, start="2030-07-01", seed=1)
    test = model.sample(homes=arguments.test_homes, start="2030-07-01", seed=2)

    # Every step of Adam runs 128 homes for four days and follows the exact gradient of what they pay.
    fleet = Fleet(train, home, envs=128, episode_days=4, device="cpu", grad=True, **SEEN)
    policy = learn(fleet, LearnConfig(iterations=arguments.iterations))
    if arguments.out:
        save_policy(policy, arguments.out)

    print(f"{'home':>8} {'self-consumption':>17} {'time of use':>12} {'learnt':>8} {'optimum':>8}")
    for name in test.names:
        env = HomeEnv(test, home, episode_days=28, **SEEN)
        options = {"home": name, "start": "2031-01-06"}
        rules = [
            -simulate(env, rule, options=options).reward.sum() for rule in (self_consumption, time_of_use)
        ]
        observation, _ = env.reset(options=options)
        cost, is_over = 0.0, False
        while not is_over:
            observation, reward, _, is_over, _ = env.step(policy.act(observation))
            cost -= reward
        best = optimise_home(
            home, env.load_kw, env.pv_kw, env.time, end="free", end_value_per_kwh=env.end_value_per_kwh
        )
        print(f"{name:>8} {rules[0]:17.2f} {rules[1]:12.2f} {cost:8.2f} {best.cost - best.end_value:8.2f}")


if __name__ == "__main__":
    main()
