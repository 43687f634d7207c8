"""Run in an environment with CityLearn: random steps of a data set's buildings, an agent each."""

import sys

import citylearn
import numpy as np
from citylearn.citylearn import CityLearnEnv
from timing import measure

env = CityLearnEnv(sys.argv[2], interface="flat", render_mode="none")
rng = np.random.default_rng(0)
actions = [
    [rng.uniform(space.low, space.high).astype(space.dtype) for space in env.action_space]
    for _ in range(int(sys.argv[1]))
]
assert all(len(action) == 1 for action in actions[0]), "every building is to have a battery, and nothing else"
measure(env.reset, env.step, actions, version=citylearn.__version__, homes=len(env.buildings))
