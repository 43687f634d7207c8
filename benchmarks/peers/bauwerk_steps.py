"""Run in an environment with bauwerk: random steps of its default home (PV, battery, hourly, a year)."""

import sys

import bauwerk
import numpy as np
from timing import measure

env = bauwerk.HouseEnv()
actions = np.random.default_rng(0).uniform(-1, 1, (int(sys.argv[1]), 1)).astype(np.float32)
if len(actions) >= env.cfg.episode_len:
    sys.exit(f"{len(actions)} steps are not within its episode of {env.cfg.episode_len}")
measure(env.reset, env.step, list(actions), version=bauwerk.__version__, homes=1)
