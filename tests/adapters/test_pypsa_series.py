import numpy as np
import pandas as pd
import pypsa
import pytest

from hidiff.adapters.pypsa_series import stochastic_network, write_pypsa

from .export_sets import make_export_set


def cost_without_battery(scenario_set, row):
    """Import of what PV does not cover, at the set's price."""
    consumption = sum(scenario_set.read(name, row).astype(float) for name in ("load_kw", "ev_kw", "heat_kw"))
    import_kw = np.clip(consumption - scenario_set.read("pv_kw", row), 0, None)
    return float((import_kw * scenario_set.read("import_price_per_kwh", row)).sum() * scenario_set.dt_h)


def optimum(network):
    status, condition = network.optimize(
        solver_name="highs", log_to_console=False, include_objective_constant=False
    )
    assert (status, condition) == ("ok", "optimal")
    return network.objective


def test_pypsa_opens_a_network_with_our_energies_and_optimises_it(tmp_path):
    scenario_set = make_export_set()
    folder = write_pypsa(scenario_set, tmp_path / "out")
    network = pypsa.Network(folder / "scenario-s1")
    weight_h = network.snapshot_weightings.generators
    load_kwh = network.loads_t.p_set.mul(weight_h, axis=0).sum() * 1000
    assert load_kwh["h0 load"] == pytest.approx(scenario_set.read("load_kw", 1)[0].sum() * 0.5, rel=1e-6)
    assert load_kwh["h0 ev"] == pytest.approx(14.0)
    assert network.snapshots[0] == pd.Timestamp("2030-01-06 13:00")
    pv = network.generators_t.p_max_pu["h1 pv"] * network.generators.p_nom["h1 pv"] * 1000
    np.testing.assert_allclose(pv, scenario_set.read("pv_kw", 1)[1], atol=1e-6)
    assert optimum(network) == pytest.approx(cost_without_battery(scenario_set, 1), rel=1e-6)


def test_the_stochastic_network_costs_what_the_scenarios_cost_on_average(tmp_path):
    scenario_set = make_export_set()
    network = stochastic_network(write_pypsa(scenario_set, tmp_path / "out"))
    assert list(network.scenarios) == ["s0", "s1", "s2"]
    costs = [cost_without_battery(scenario_set, row) for row in range(3)]
    assert optimum(network) == pytest.approx(scenario_set.probability @ costs, rel=1e-6)


def test_a_set_of_loads_alone_is_a_network_without_generators(tmp_path):
    folder = write_pypsa(make_export_set(channels=("load_kw",)), tmp_path / "out")
    network = pypsa.Network(folder / "scenario-s0")
    assert len(network.generators) == 0
    assert list(network.loads.index) == ["h0 load", "h1 load", "h2 load"]
