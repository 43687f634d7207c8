from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from hidiff.scenarios import ScenarioSet, open_scenarios
from hidiff.scenarios.tree_figure import draw_tree, tree_of, with_tree

from .conftest import make_set


def test_the_tree_of_a_set_is_saved_and_drawn_with_every_branch_as_thick_as_it_is_likely(
    tmp_path: Path,
) -> None:
    made = make_set(scenarios=12, days=1)
    tree, distance = tree_of(made, [0, 16, 32], [1, 3, 6])
    assert distance > 0.1 and tree_of(made, [0, 16, 32], [12, 12, 12])[1] == pytest.approx(0, abs=1e-9)
    assert [int((tree.stage == number).sum()) for number in range(3)] == [1, 3, 6]
    saved = open_scenarios(with_tree(made, tree, [0, 16, 32], distance).save(tmp_path / "set"))
    kept = saved.provenance["tree"]
    assert kept["nested_distance"] == distance
    np.testing.assert_array_equal(kept["node_of"], tree.node_of)
    axes = Figure().subplots()
    draw_tree(kept, axes)
    assert len(axes.lines) == 9  # a branch to every node but the root
    widths = sorted(line.get_linewidth() for line in axes.lines)
    assert widths[-1] == pytest.approx(7 * max(tree.probability[tree.stage == 1]))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["step 0", "step 16", "step 32"]


def test_net_load_and_price_both_have_a_say(scenario_set: ScenarioSet) -> None:
    alone = scenario_set.select(channels=["load_kw", "pv_kw"])
    fan = tree_of(scenario_set, [0, 48], [1, 4])[0].values[1]
    assert fan.shape == (4, 48, 2) and tree_of(alone, [0, 48], [1, 4])[0].values[1].shape == (4, 48, 1)


def test_scenarios_that_do_not_differ_have_no_tree(scenario_set: ScenarioSet) -> None:
    flat = np.ones(scenario_set.shape)
    same = ScenarioSet.from_arrays({"load_kw": flat}, time=scenario_set.time, homes=scenario_set.home_names)
    with pytest.raises(ValueError, match="do not differ"):
        tree_of(same, [0, 48], [1, 2])
