"""Train PPO or SAC of Stable-Baselines3 on generated homes, test on homes that it has not seen.

python examples/05_train_home.py --algorithm PPO --timesteps 300000 --real ../shared/data/ausgrid

Without --real the test homes are generated too. Needs: pip install "hidiff[sb3]"
"""

import argparse
from pathlib import Path

import numpy as np
import stable_baselines3 as sb3
from stable_baselines3.common.vec_env import VecNormalize

import hidiff
from hidiff.adapters.sb3 import on_self_consumption, to_sb3_vecenv
from hidiff.data.ausgrid import read_traces
from hidiff.envs import Fleet, Forecast, HomeEnv, self_consumption, simulate, split_source, time_of_use
from hidiff.home import Battery, Home

HOME = Home(battery=Battery(capacity_kwh=10))  # on a time-of-use tariff
SEEN = {"look_ahead_steps": 47, "forecast": Forecast(kind="persistence", horizon_steps=48)}


def main() -> None:
    """Learn, then compare with rules on whole months of test homes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--algorithm", choices=["PPO", "SAC"], default="PPO")
    parser.add_argument("--timesteps", type=int, default=300_000)
    parser.add_argument("--homes", type=int, default=32, help="generated homes, a year each")
    parser.add_argument("--test-homes", type=int, default=4)
    parser.add_argument("--real", type=Path, help="folder of real homes to test on")
    arguments = parser.parse_args()

    model = hidiff.load()
    traces = model.sample(homes=arguments.homes, start="2030-07-01", seed=1)
    train, test = split_source(traces, arguments.test_homes / arguments.homes, steps=48 * 28)
    held_out = test.traces
    if arguments.real:  # homes that the generator has not seen either
        names = model.notes["split"]["validation_homes"][: arguments.test_homes]
        held_out = read_traces(arguments.real).select(names).between("2012-07-01", "2013-07-01")

    # One policy learns from 32 homes at once, a week an episode. Its battery begins at the self-consumption rule.
    fleet = Fleet(train.traces, HOME, envs=32, episode_days=7, dtype="float64", **SEEN)
    vec = VecNormalize(to_sb3_vecenv(fleet, on_rule=True), gamma=0.98)
    settings = {"learning_rate": 2e-4, "gamma": 0.98, "seed": 0, "policy_kwargs": {"log_std_init": -2}}
    settings |= {"n_steps": 96, "batch_size": 512} if arguments.algorithm == "PPO" else {"train_freq": 4}
    learner = getattr(sb3, arguments.algorithm)("MlpPolicy", vec, **settings)
    learner.learn(arguments.timesteps)

    print(f"{'home':>8} {'self-consumption':>17} {'time of use':>12} {arguments.algorithm:>8}")
    for name in held_out.names:
        env = HomeEnv(held_out, HOME, episode_days=28, **SEEN)
        options = {"home": name, "start": held_out.time[48 * 14]}
        rules = [
            -simulate(env, rule, options=options).reward.sum() for rule in (self_consumption, time_of_use)
        ]
        observation, _ = env.reset(options=options)
        cost, is_over = 0.0, False
        while not is_over:
            action, _ = learner.predict(vec.normalize_obs(observation), deterministic=True)
            action = on_self_consumption(fleet, *observation[[6, 7]], action)
            observation, reward, _, is_over, _ = env.step(np.asarray(action, np.float32))
            cost -= reward
        print(f"{name:>8} {rules[0]:17.2f} {rules[1]:12.2f} {cost:8.2f}")


if __name__ == "__main__":
    main()
