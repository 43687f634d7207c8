"""Policies that learn from fleets of homes, by the gradient of the bill through the physics."""

from .policy import HomePolicy, load_policy, save_policy
from .through_physics import LearnConfig, learn, run

__all__ = ["HomePolicy", "LearnConfig", "learn", "load_policy", "run", "save_policy"]
