"""Scenario sets: what homes, weather, prices, cars and behaviour may do, with probabilities, on one clock."""

from .concat import concat_homes, concat_scenarios
from .decision import DecisionError, decision_error, reduce_for_study
from .distances import wasserstein_distance
from .ev_scenarios import with_electric_cars
from .extremes import cut_weeks, find_extremes
from .fan import from_fan
from .heat_pump import with_heat_pumps
from .nested_distance import nested_distance
from .reduce import Reduction, reduce_scenarios, reduce_set
from .reshape import years_as_scenarios
from .scenario_set import Channel, ScenarioSet, scenario_table
from .store import open_scenarios, verify_scenarios
from .tree import Tree, build_tree, fan_tree

__all__ = [
    "Channel",
    "DecisionError",
    "Reduction",
    "ScenarioSet",
    "Tree",
    "build_tree",
    "concat_homes",
    "concat_scenarios",
    "cut_weeks",
    "decision_error",
    "fan_tree",
    "find_extremes",
    "from_fan",
    "nested_distance",
    "open_scenarios",
    "reduce_for_study",
    "reduce_scenarios",
    "reduce_set",
    "scenario_table",
    "verify_scenarios",
    "wasserstein_distance",
    "with_electric_cars",
    "with_heat_pumps",
    "years_as_scenarios",
]
