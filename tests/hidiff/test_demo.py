"""The demo and its battery study: bills that hang together, a whole folder or none."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hidiff import demo as demo_module
from hidiff import report_page
from hidiff.battery_study import (
    CASES,
    BatteryStudy,
    BatteryStudyConfig,
    first_year,
    median_pv_home,
    study_battery,
)
from hidiff.cli import main
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.demo import CONTENT, DemoConfig, demo, study_text
from hidiff.envs import bill
from hidiff.figure_battery_study import figure_study, typical_days
from hidiff.home import Battery, Tariff

BILL = "yearly_bill"


def coarse(traces: Traces) -> Traces:
    """Steps of two hours instead of half-hours: a year is solved four times sooner."""
    homes, steps = traces.load_kw.shape
    load_kw, pv_kw = (
        power.reshape(homes, steps // 4, 4).mean(axis=2) for power in (traces.load_kw, traces.pv_kw)
    )
    return Traces(load_kw, pv_kw, traces.time[::4], traces.homes, traces.time_zone)


@pytest.fixture(scope="module")
def year() -> Traces:
    return coarse(synthetic_homes(4, 365, "2030-01-01", seed=3))


@pytest.fixture(scope="module")
def study(year: Traces) -> BatteryStudy:
    return study_battery(year)


def test_each_step_from_nothing_to_the_optimum_lowers_the_bill(study: BatteryStudy) -> None:
    assert tuple(study.table.index) == CASES
    assert (np.diff(study.table[BILL]) < 0).all()
    assert study.table["saving"].to_numpy() == pytest.approx(
        (study.table[BILL].iloc[0] - study.table[BILL]).to_numpy()
    )


def test_bills_without_a_battery_are_those_of_load_and_pv_alone(study: BatteryStudy) -> None:
    tariff, nothing = study.config.tariff, np.zeros(len(study.time))
    without = bill(study.load_kw, nothing, tariff, study.time, study.time_zone)
    net_kw = study.load_kw - study.pv_kw
    with_pv = bill(np.maximum(net_kw, 0), np.maximum(-net_kw, 0), tariff, study.time, study.time_zone)
    assert study.table.loc[CASES[0], BILL] == pytest.approx(without.total, rel=1e-9)
    assert study.table.loc[CASES[1], BILL] == pytest.approx(with_pv.total, rel=1e-9)
    assert without.daily_charge == pytest.approx(365 * tariff.daily_charge)


def test_energy_of_every_case_balances_but_for_the_losses_of_the_battery(study: BatteryStudy) -> None:
    table = study.table
    load_kwh, pv_kwh = 2 * study.load_kw.sum(), 2 * study.pv_kw.sum()
    taken = table["import_kwh"] - table["export_kwh"]
    assert taken[CASES[0]] == pytest.approx(load_kwh)
    assert taken[CASES[1]] == pytest.approx(load_kwh - pv_kwh)
    for case, run in ((CASES[2], study.rule), (CASES[3], study.optimum)):
        assert taken[case] == pytest.approx(load_kwh - pv_kwh + 2 * run.battery_kw.sum())
    assert table["self_sufficiency"].iloc[0] == pytest.approx(0)
    assert table["self_sufficiency"].between(-1e-9, 1).all()


def test_flat_price_without_losses_leaves_the_optimum_nothing_over_the_rule(year: Traces) -> None:
    config = BatteryStudyConfig(
        battery=Battery(efficiency_charge=1, efficiency_discharge=1, soc_initial=0), tariff=Tariff.flat()
    )
    table = study_battery(year.between("2030-01-01", "2031-01-01"), config=config).table
    worth = config.battery.capacity_kwh * 0.30  # what the rule may leave in the battery at the end
    assert 0 <= table[BILL].iloc[2] - table[BILL].iloc[3] <= worth


def test_the_home_studied_is_the_median_of_those_with_pv(year: Traces) -> None:
    sizes = pd.Series([0.0, 5.0, 2.0, 3.0], index=year.homes.index)
    traces = year.with_homes(year.homes.assign(pv_capacity_kwp=sizes))
    assert median_pv_home(traces) == year.names[3]
    assert median_pv_home(traces.select(year.names[:3])) == year.names[2]
    with pytest.raises(ValueError, match="none of the 1 homes has PV"):
        median_pv_home(traces.select(year.names[:1]))


def test_the_study_takes_the_first_twelve_months_and_refuses_fewer() -> None:
    traces = synthetic_homes(1, 400, "2031-10-20")
    year = first_year(traces)
    assert len(year.time) == 48 * 366  # 2032 is a leap year
    assert year.time[0] == traces.time[0]
    with pytest.raises(ValueError, match="needs twelve months"):
        first_year(traces.between("2031-10-20", "2032-10-19"))


def test_typical_days_are_two_whole_weekdays_from_local_midnight(study: BatteryStudy) -> None:
    days = study.time[typical_days(study)].tz_convert(study.time_zone)
    assert len(days) == 24
    assert days[0].hour == 0 and days[12] == days[0] + pd.Timedelta(days=1)
    assert days[0].day_of_week < 4
    load_kw, pv_kw = study.load_kw[typical_days(study)], study.pv_kw[typical_days(study)]
    assert load_kw.mean() == pytest.approx(study.load_kw.mean(), rel=0.3)
    assert pv_kw.mean() == pytest.approx(study.pv_kw.mean(), rel=0.3)


def test_the_picture_names_the_bills_and_shows_what_the_runs_did(study: BatteryStudy) -> None:
    figure = figure_study(study)
    bars, *panels = figure.axes
    text = " ".join(label.get_text() for label in bars.texts)
    assert all(f"{value:,.0f}" in text for value in study.table[BILL])
    assert len(panels) == 6
    steps = typical_days(study)
    for panel, run in zip(panels[2:4], (study.rule, study.optimum), strict=True):
        shown = panel.lines[0].get_ydata()[1:]
        assert shown == pytest.approx(100 * run.energy_kwh[steps] / study.config.battery.capacity_kwh)


def test_the_table_for_the_terminal_holds_every_bill(study: BatteryStudy) -> None:
    lines = study_text(study).splitlines()
    assert len(lines) == 2 + len(CASES)
    assert "0.22 / 0.31 / 0.52" in lines[0]
    for line, value in zip(lines[2:], study.table[BILL], strict=True):
        assert f"{value:,.2f}" in line


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, study: BatteryStudy) -> None:
    """The study is tested above and the pictures elsewhere: here one is given, the others coarse."""
    monkeypatch.setattr(demo_module, "study_battery", lambda traces, *, progress: study)
    monkeypatch.setattr(report_page, "_DPI", 30)


def test_the_demo_writes_all_of_its_folder_and_the_same_again(
    tiny_folder: Path,
    tmp_path: Path,
    quick: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "new" / "look"
    asked = ["demo", "--homes", "1", "--seed", "3", "--model", str(tiny_folder), "--out", str(out)]
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == str(out)
    assert [line.rpartition(" in ")[0] for line in lines[:3]] == [
        "generated 1 home-years",
        "studied the battery of one home",
        "drew the report",
    ]
    assert sorted(path.name for path in out.iterdir()) == sorted(CONTENT)
    assert [path.name for path in out.parent.iterdir()] == ["look"]
    assert Traces.from_parquet(out / "traces").time[0] == pd.Timestamp("2030-01-01", tz="Australia/Sydney")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Battery study" in page and "Two days of the battery" in page
    assert json.loads((out / "demo.json").read_text())["seed"] == 3
    shards = (out / "traces" / "traces-00000.parquet").read_bytes()

    assert main(asked) == 2
    assert "is not empty; choose another folder or give --force" in capsys.readouterr().err
    monkeypatch.setattr(demo_module, "report", lambda traces, out, **_: out.write_text("new"))
    assert main([*asked, "--force"]) == 0
    assert (out / "report.html").read_text(encoding="utf-8") == "new"
    assert (out / "traces" / "traces-00000.parquet").read_bytes() == shards


@pytest.mark.parametrize("had", [True, False])
def test_a_demo_that_fails_leaves_everything_as_it_was(
    had: bool, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "demo"
    if had:
        out.mkdir()
        (out / "report.html").write_text("old")

    def full(*arguments: object, **keywords: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(demo_module, "study_battery", full)
    with pytest.raises(OSError, match="No space left"):
        demo(DemoConfig(out=out, homes=1, model=tiny_folder, force=True))
    assert [path.name for path in tmp_path.iterdir()] == (["demo"] if had else [])
    assert not had or (out / "report.html").read_text() == "old"


def test_force_replaces_a_demo_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(ValueError, match=r"holds 'thesis.docx', which is no part of an earlier result"):
        demo(DemoConfig(out=tmp_path, force=True))
    with pytest.raises(ValueError, match="is a file; name a folder"):
        demo(DemoConfig(out=tmp_path / "thesis.docx", force=True))
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


@pytest.mark.parametrize(("field", "value"), [("homes", 0), ("years", -1), ("seed", -1)])
def test_a_config_out_of_range_is_refused(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{field}={value}"):
        replace(DemoConfig(), **{field: value})
