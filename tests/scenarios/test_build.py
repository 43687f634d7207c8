import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from hidiff.cli import main
from hidiff.config import read_config
from hidiff.data.synthetic import synthetic_homes
from hidiff.home import Tariff
from hidiff.scenarios import open_scenarios, verify_scenarios
from hidiff.scenarios.build import build, plan_text, scenarios_of
from hidiff.scenarios.study import Group, Population, Scenarios, SpanConfig, Study, Weather, Wholesale


@pytest.fixture(scope="module")
def homes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five made-up homes over three years."""
    return synthetic_homes(5, 1100, start="2010-07-01").to_parquet(tmp_path_factory.mktemp("homes") / "homes")


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    time = pd.date_range("2010-07-01", periods=3 * 365 * 48, freq="30min", tz="UTC")
    path = tmp_path / "prices.parquet"
    pd.DataFrame({"time": time, "price_per_mwh": np.arange(len(time)) / 100}).to_parquet(path)
    return path


def bootstrap_study(folder: Path, **parts: object) -> Study:
    study = Study(
        population=Population(groups=(Group(count=4, battery_share=0.5),)),
        span=SpanConfig(start="2031-03-01", end="2031-03-15"),
        scenarios=Scenarios(count=3, source="bootstrap", traces=folder, seed=5),
    )
    return replace(study, **parts)  # type: ignore[arg-type]


def test_a_bootstrap_study_is_built_from_its_file_and_says_all_that_it_was(
    homes_folder: Path, prices: Path, tmp_path: Path
) -> None:
    asked = {
        "population": {"groups": [{"name": "homes", "count": 4}]},
        "span": {"start": "2031-03-01", "end": "2031-03-15", "step": "1h"},
        "scenarios": {"count": 3, "source": "bootstrap", "traces": str(homes_folder)},
        "tariff": {
            "import_price_per_kwh": 0.3,
            "periods": [{"price_per_kwh": 0.5, "start_h": 14, "end_h": 20}],
        },
        "wholesale": {"file": str(prices)},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(asked))
    assert main(["scenarios", "build", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "set")]) == 0
    made = open_scenarios(verify_scenarios(tmp_path / "set"))
    assert made.shape == (3, 4, 14 * 24) and made.dt_h == 1
    assert list(made.channels) == [
        "load_kw", "pv_kw", "wholesale_price_per_kwh", "import_price_per_kwh", "export_price_per_kwh",
    ]  # fmt: skip
    assert set(np.unique(made["import_price_per_kwh"])) == {np.float32(0.3), np.float32(0.5)}
    assert not np.array_equal(made["load_kw"][0], made["load_kw"][1])
    resolved = read_config(tmp_path / "set" / "study.yaml", Study)
    assert resolved.population.seed == 1 and resolved.scenarios.count == 3
    again = scenarios_of(resolved)
    np.testing.assert_array_equal(again["load_kw"], made["load_kw"])
    np.testing.assert_array_equal(again["wholesale_price_per_kwh"], made["wholesale_price_per_kwh"])


def test_more_scenarios_and_homes_leave_the_others_as_they_are(homes_folder: Path) -> None:
    small = scenarios_of(bootstrap_study(homes_folder))
    study = bootstrap_study(
        homes_folder, scenarios=Scenarios(count=5, source="bootstrap", traces=homes_folder, seed=5)
    )
    large = scenarios_of(replace(study, population=Population(groups=(Group(count=5, battery_share=0.5),))))
    np.testing.assert_array_equal(large["load_kw"][:3, :4], small["load_kw"])
    assert (large.homes["battery_kwh"][:4].to_numpy() == small.homes["battery_kwh"].to_numpy()).all()
    assert set(large.homes["battery_kwh"]) == {0.0, 13.5}


def test_the_margin_makes_the_import_price_follow_the_market(homes_folder: Path, prices: Path) -> None:
    study = bootstrap_study(
        homes_folder, tariff=Tariff.flat(), wholesale=Wholesale(file=prices, margin_per_kwh=0.1)
    )
    made = scenarios_of(study)
    np.testing.assert_allclose(made["import_price_per_kwh"], made["wholesale_price_per_kwh"] + 0.1, rtol=1e-6)
    assert (made["export_price_per_kwh"] == np.float32(0.05)).all()


def test_each_year_of_the_traces_is_a_scenario(homes_folder: Path) -> None:
    study = Study(
        population=Population(groups=(Group(count=2),)),
        scenarios=Scenarios(count=9, source="traces", traces=homes_folder),
    )
    made = scenarios_of(study)
    assert made.shape == (3, 2, 365 * 48)
    assert made.scenarios["year_start"].tolist() == ["2010-07-01", "2011-07-01", "2012-07-01"]


def test_the_same_homes_live_another_year_in_every_scenario(tmp_path: Path) -> None:
    dates = pd.date_range("2029-12-25", "2031-01-10")
    frame = pd.DataFrame(
        {"date": dates.date, "temperature_max_c": 25.0, "temperature_min_c": 15.0, "clearness": 0.7}
    )
    frame.to_csv(tmp_path / "mild.csv", index=False)
    frame.assign(clearness=0.4).to_csv(tmp_path / "grey.csv", index=False)
    study = Study(
        population=Population(groups=(Group(count=1, pv_kwp=4.0, annual_kwh=5000.0),)),
        weather=Weather(files=(tmp_path / "mild.csv", tmp_path / "grey.csv"), weights=(3, 1)),
        scenarios=Scenarios(count=1),
        span=SpanConfig(start="2030-01-01", end="2030-01-08"),
    )
    made = scenarios_of(study)
    assert made.scenarios["weather"].tolist() == ["mild", "grey"]
    assert made.probability.tolist() == [0.75, 0.25]
    pv = made["pv_kw"].sum((1, 2))
    assert 0.4 < pv[1] / pv[0] < 0.75
    assert made["temperature_c"].max() == 25 and made["temperature_c"].min() == 15
    alone = scenarios_of(replace(study, weather=Weather(files=(tmp_path / "grey.csv",))))
    np.testing.assert_array_equal(alone["load_kw"][0], made["load_kw"][1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"population": {"groups": [{"count": 6}]}}, r"population has 6 homes, .* has 5"),
        ({"population": {"groups": [{"annual_kwh": 5000}]}}, "asks for annual_kwh, but source 'bootstrap'"),
        ({"population": {"groups": [{"ev_shar": 0.5}]}}, r"unknown key .*ev_shar'; did you mean 'ev_share'"),
        ({"scenarios": {"source": "model"}}, r"source 'model' with traces"),
        ({"scenarios": {"count": 0}}, "count is 0"),
        ({"span": {"step": "7min"}}, "do not fit into each other"),
        ({"span": {"time_zone": "Europe/Paris"}}, r"span\.time_zone: Australia/Sydney"),
        ({"population": {"groups": [{"count": 2, "heat_pump_share": 1.0}]}}, "heat pumps need a temperature"),
    ],
)
def test_a_study_that_cannot_be_is_refused_in_one_line(
    homes_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, dict[str, object]],
    message: str,
) -> None:  # fmt: skip
    asked: dict[str, dict[str, object]] = {
        "population": {"groups": [{"count": 2}]},
        "span": {"start": "2031-03-01", "end": "2031-03-08"},
        "scenarios": {"count": 2, "source": "bootstrap", "traces": str(homes_folder)},
    }
    for part, entries in change.items():
        asked[part] = asked[part] | entries
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(asked))
    assert main(["scenarios", "build", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "set")]) == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    with pytest.raises(ValueError, match=message):
        raise ValueError(error)
    assert not (tmp_path / "set").exists()


def test_the_schema_is_printed_without_a_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "build", "--schema"]) == 0
    assert "population" in json.loads(capsys.readouterr().out)["properties"]


def test_a_dry_run_writes_nothing(homes_folder: Path, tmp_path: Path) -> None:
    text = plan_text(bootstrap_study(homes_folder))
    assert text.startswith("3 scenarios x 4 homes x 672 steps of 0.5 h")


def test_what_is_there_is_not_overwritten(homes_folder: Path, tmp_path: Path) -> None:
    study = bootstrap_study(homes_folder)
    build(study, tmp_path / "set")
    with pytest.raises(ValueError, match="not empty"):
        build(study, tmp_path / "set")
    build(replace(study, scenarios=replace(study.scenarios, count=2)), tmp_path / "set", force=True)
    assert len(open_scenarios(tmp_path / "set")) == 2


def test_a_wholesale_tariff_makes_prices_of_each_scenario_and_demand_is_refused(
    homes_folder: Path, prices: Path
) -> None:
    asked: dict[str, object] = {
        "wholesale_multiplier": 1.1,
        "export_price_per_kwh": 0.02,
        "wholesale_export_multiplier": 0.5,
        "export_periods": [{"price_per_kwh": 0.1, "start_h": 0, "end_h": 24}],
    }
    tariff = read_config(asked, Tariff)
    made = scenarios_of(bootstrap_study(homes_folder, tariff=tariff, wholesale=Wholesale(file=prices)))
    spot = made["wholesale_price_per_kwh"].astype(float)
    np.testing.assert_allclose(made["import_price_per_kwh"], 0.3 + 1.1 * spot, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made["export_price_per_kwh"], 0.1 + 0.5 * spot, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="the study has none; name its file"):
        bootstrap_study(homes_folder, tariff=tariff)
    with pytest.raises(ValueError, match=r"tariff has demand=\(DemandCharge"):
        read_config({"tariff": {"demand": [{"price_per_kw": 10.0, "months_back": 12}]}}, Study)
