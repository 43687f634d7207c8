"""What learning on generated years is worth on real homes: rules, MPC, PPO, SAC, the gradient through the physics.

    python benchmarks/learning.py --real DATA/ausgrid

Policies learn on generated years of new homes. They are tested on a real year of real homes of which nothing was
trained on, neither the generator nor the policies: one episode of 365 days a home. Regret is the year's cost above the
optimum of the same year, known ahead. What is done is kept in ``--work`` and not done again. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import hidiff
from hidiff.adapters.home_optimum import optimise_home
from hidiff.adapters.mpc import MpcController
from hidiff.adapters.sb3 import on_self_consumption, to_sb3_vecenv
from hidiff.data.ausgrid import read_traces
from hidiff.data.parquet import read_set
from hidiff.data.traces import Traces
from hidiff.envs import Fleet, Forecast, HomeEnv, do_nothing, self_consumption, simulate, time_of_use
from hidiff.envs.learn import LearnConfig, learn, load_policy, run, save_policy
from hidiff.home import Home

HOME = Home()
"""A battery of 13.5 kWh and 5 kW on a time-of-use tariff, with the PV that each home has."""
SEEN: dict[str, Any] = {"forecast": Forecast(kind="persistence", horizon_steps=48), "look_ahead_steps": 47}
"""What all learners see: the prices of the coming day, and the mean of the last seven days as forecast."""
RULES = {"do nothing": do_nothing, "self-consumption": self_consumption, "time of use": time_of_use}
Policy = Callable[[Tensor], Tensor]


def generated(work: Path, homes: int) -> Traces:
    """Years to learn on, made unless they are there."""
    folder = work / f"generated-{homes}"
    if not folder.exists():
        hidiff.load().sample(homes=homes, years=1, start="2030-07-01", seed=11).to_parquet(folder)
    return read_set(folder)


def by_gradient(train: Traces, work: Path, iterations: int, seed: int) -> Policy:
    """The policy that follows the gradient through the physics."""
    folder = work / f"gradient-{iterations}-{seed}"
    if not folder.exists():
        fleet = Fleet(train, HOME, envs=192, episode_days=4, device="cpu", grad=True, **SEEN)
        began = time.process_time()
        save_policy(learn(fleet, LearnConfig(iterations=iterations, seed=seed)), folder)
        (folder / "seconds.txt").write_text(str(time.process_time() - began))
    return load_policy(folder)


def by_sb3(name: str, train: Traces, work: Path, steps: int, seed: int, on_rule: bool = False) -> Policy:
    """PPO or SAC of Stable-Baselines3, with its defaults but for what a long day asks for."""
    import stable_baselines3 as sb3
    from stable_baselines3.common.vec_env import VecNormalize

    file = work / f"{name}-{steps}-{seed}{'-on-rule' * on_rule}"
    envs = 64 if name == "PPO" else 16
    fleet = Fleet(train, HOME, envs=envs, episode_days=7, dtype="float64", **SEEN)
    vec = to_sb3_vecenv(fleet, seed=seed, on_rule=on_rule)
    if not file.with_suffix(".zip").exists():
        gamma = 0.98 if on_rule else 0.995  # on the rule, stored energy is paid for at once
        vec = VecNormalize(vec, gamma=gamma)
        settings: dict[str, Any] = {"gamma": gamma, "seed": seed, "device": "cpu"}
        if name == "PPO":
            settings |= {"n_steps": 96, "batch_size": 1024, "n_epochs": 5, "learning_rate": 5e-4}
        else:
            settings |= {"train_freq": 4, "gradient_steps": 4, "learning_starts": 2000}
        if on_rule:
            small_steps = {"log_std_init": -2, "net_arch": [128, 128]}
            settings |= {"learning_rate": 2e-4, "policy_kwargs": small_steps}
        model = getattr(sb3, name)("MlpPolicy", vec, **settings)
        began = time.process_time()
        model.learn(steps, progress_bar=False)
        file.parent.mkdir(parents=True, exist_ok=True)
        model.save(file)
        vec.save(str(file.with_suffix(".pkl")))
        file.with_suffix(".txt").write_text(str(time.process_time() - began))
    else:
        vec = VecNormalize.load(str(file.with_suffix(".pkl")), vec)
    model = getattr(sb3, name).load(file, device="cpu")

    def policy(seen: Tensor) -> Tensor:
        flat = vec.normalize_obs(seen.numpy().reshape(-1, seen.shape[-1]))
        action, _ = model.predict(flat, deterministic=True)
        shares = np.asarray(action, float).reshape(*seen.shape[:-1], -1)
        if on_rule:
            load, pv = (seen.numpy()[..., place] for place in (6, 7))
            shares = on_self_consumption(fleet, load, pv, shares)
        return torch.from_numpy(shares.astype(np.float32))

    return policy


def tested(policy: Policy, real: Traces) -> np.ndarray:
    """Cost of a real year of every home under a policy: the bill less what the battery gained, ``(home,)``."""
    fleet = Fleet(real, HOME, envs=len(real), episode_days=365, device="cpu", **SEEN)
    rows, first = np.arange(len(real))[:, None], np.zeros(len(real), np.int64)
    reward, _ = run(fleet, policy, np.random.default_rng(0), rows=rows, first=first)
    return -reward[:, 0]


def yardsticks(real: Traces) -> pd.DataFrame:
    """Cost of the same year under each rule, and its optimum, ``(home, controller)``."""
    table = {}
    for name in real.names:
        env = HomeEnv(real, HOME, episode_days=365)
        options = {"home": name, "start": real.time[0]}
        table[name] = {
            label: -simulate(env, rule, options=options).reward.sum() for label, rule in RULES.items()
        }
        table[name]["MPC"] = -simulate(env, MpcController(env), options=options).reward.sum()
        best = optimise_home(
            HOME, env.load_kw, env.pv_kw, env.time, end="free", end_value_per_kwh=env.end_value_per_kwh
        )
        table[name]["optimum"] = best.cost - best.end_value
    return pd.DataFrame(table).T


def main() -> None:
    """Learn, test, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="folder of the real homes")
    parser.add_argument("--work", type=Path, default=Path("runs/learning"), help="what is done is kept here")
    parser.add_argument("--homes", type=int, default=160, help="generated home-years to learn on")
    parser.add_argument("--test-homes", type=int, default=28, help="real homes to test on, at most")
    parser.add_argument("--iterations", type=int, default=500, help="of the gradient")
    parser.add_argument("--ppo-steps", type=int, default=1_500_000)
    parser.add_argument("--sac-steps", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.work.mkdir(parents=True, exist_ok=True)

    names = hidiff.load().notes["split"]["validation_homes"][: arguments.test_homes]
    real = read_traces(arguments.real).select(names).between("2012-07-01", "2013-07-01")
    train = generated(arguments.work, arguments.homes)
    kept = arguments.work / f"yardsticks-{len(names)}.csv"
    if not kept.exists():
        yardsticks(real).to_csv(kept)
    table = pd.read_csv(kept, index_col=0, dtype={0: str})
    learners: dict[str, Callable[[int], Policy]] = {
        "PPO": lambda seed: by_sb3("PPO", train, arguments.work, arguments.ppo_steps, seed),
        "PPO, on the rule": lambda seed: by_sb3(
            "PPO", train, arguments.work, arguments.ppo_steps, seed, on_rule=True
        ),
        "SAC": lambda seed: by_sb3("SAC", train, arguments.work, arguments.sac_steps, seed),
        "gradient through the physics": lambda seed: by_gradient(
            train, arguments.work, arguments.iterations, seed
        ),
    }
    for label, learner in learners.items():
        costs = [tested(learner(seed), real) for seed in arguments.seeds]
        table[label] = np.mean(costs, axis=0)
        table.to_csv(arguments.work / "costs.csv")
    optimum = table.pop("optimum")
    regret = table.sub(optimum, axis=0)
    rule, random = regret["self-consumption"].mean(), np.random.default_rng(0)
    draws = random.integers(0, len(regret), (2000, len(regret)))
    print(f"{len(real)} real homes, a year each; optimum {optimum.mean():.0f} a year on average.\n")
    print(
        "| controller | cost a year | regret | 95 % over homes | of self-consumption's | of time of use's |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for label in regret:
        mean, spread = (
            regret[label].mean(),
            np.quantile(regret[label].to_numpy()[draws].mean(1), [0.025, 0.975]),
        )
        print(
            f"| {label} | {table[label].mean():.0f} | {mean:.1f} | {spread[0]:.1f} to {spread[1]:.1f} "
            f"| {mean / rule:.0%} | {mean / regret['time of use'].mean():.0%} |"
        )


if __name__ == "__main__":
    main()
