"""How every environment of ``envs.py`` is timed, in whichever Python it runs: standard library only."""

import json
import statistics
import time

SECONDS, MOST = 1.0, 50


def measure(reset, step, actions, *, version, homes):
    """Print as JSON the CPU time of a reset and of a step, each the median of as many runs as fill a second.

    A run is a reset and all the actions, which were drawn before; an episode must be longer, since a reset in between
    would be counted as steps.
    """
    reset_s, step_s, spent = [], [], 0.0
    while not step_s or (spent < SECONDS and len(step_s) < MOST):
        start = time.process_time()
        reset()
        middle = time.process_time()
        for action in actions:
            step(action)
        end = time.process_time()
        reset_s.append(middle - start)
        step_s.append((end - middle) / len(actions))
        spent += end - start
    median = statistics.median
    print(
        json.dumps({"version": version, "homes": homes, "reset_s": median(reset_s), "step_s": median(step_s)})
    )
