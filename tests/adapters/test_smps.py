import pytest

from hidiff.adapters.battery_day_ahead import battery_day_ahead, expected_cost
from hidiff.adapters.smps import core, write_smps
from hidiff.home import Battery, Home, Tariff

from .export_sets import make_export_set
from .reader_environments import read


@pytest.mark.slow
def test_mpisppy_reads_the_files_and_finds_our_optimum(tmp_path):
    scenario_set = make_export_set(days=1)
    home = Home(battery=Battery(capacity_kwh=8, charge_max_kw=3), import_limit_kw=9.0)
    folder = write_smps(scenario_set, tmp_path / "out", home=home)
    seen = read("smps", folder / "home-h0")
    assert seen["names"] == scenario_set.names
    assert seen["probability"] == scenario_set.probability.tolist()
    problem = battery_day_ahead(scenario_set, home, "h0")
    assert seen["expected_cost"] == pytest.approx(expected_cost(problem), rel=1e-7)


def test_the_core_file_is_the_first_scenario(tmp_path):
    import highspy

    scenario_set = make_export_set(days=1)
    path = tmp_path / "core.mps"
    path.write_text("\n".join(core(battery_day_ahead(scenario_set, None, "h1"))) + "\n")
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(path))
    highs.run()
    alone = expected_cost(battery_day_ahead(scenario_set.select(scenarios=[0]), None, "h1"))
    assert highs.getInfo().objective_function_value == pytest.approx(alone, rel=1e-7)


def test_only_what_differs_from_the_core_is_written(tmp_path):
    channels = ("load_kw", "pv_kw")
    folder = write_smps(make_export_set(days=1, channels=channels), tmp_path / "out") / "home-h2"
    lines = (folder / "day_ahead.sto").read_text().splitlines()
    assert sum(line.startswith(" SC ") for line in lines) == 3
    assert sum(line.startswith(" RHS1 B") for line in lines) == 2 * 48  # loads of two scenarios
    assert not any("RCOST" in line for line in lines)  # prices are the tariff's in all of them


def test_a_year_is_no_day_ahead(tmp_path):
    with pytest.raises(ValueError, match="spans 8 days"):
        write_smps(make_export_set(days=8), tmp_path / "out")


def test_a_wholesale_tariff_follows_the_prices_of_each_scenario():
    full = make_export_set(days=1)
    spot_of = full.channels["import_price_per_kwh"]
    scenario_set = make_export_set(days=1, channels=("load_kw", "pv_kw")).with_channels(
        {"wholesale_price_per_kwh": spot_of}
    )
    problem = battery_day_ahead(scenario_set, Home(tariff=Tariff.wholesale(0.2, multiplier=1.5)), "h1")
    spot = scenario_set["wholesale_price_per_kwh"].astype(float)
    assert problem.import_price_per_kwh == pytest.approx(0.2 + 1.5 * spot)
    assert problem.export_price_per_kwh == pytest.approx(spot)
    with pytest.raises(ValueError, match="the battery programme counts"):
        battery_day_ahead(scenario_set, Home(tariff=Tariff.with_demand()), "h1")
