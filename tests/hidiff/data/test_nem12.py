"""NEM12 through the kept library."""

import sys

import numpy as np
import pandas as pd
import pytest

from hidiff.data.meter_csv import read_meter_csv
from hidiff.errors import DataFormatError, DependencyMissing


def nem12(days, registers, unit="kWh", step=30) -> str:
    lines = ["100,NEM12,201207010000,MDP1,RETAILER"]
    for name, values in registers.items():
        lines.append(f"200,6123456789,E1B1,001,{name},N1,METER1,{unit},{step},20991231")
        for day in days:
            numbers = ",".join(map(str, values))
            lines.append(f"300,{day},{numbers},A,,,20120801000000,20120801000000")
    return "\n".join([*lines, "900"]) + "\n"


def test_registers_are_summed_and_the_market_clock_has_no_daylight_saving(tmp_path) -> None:
    pytest.importorskip("nemreader")
    registers = {"E1": [0.1] * 48, "E2": [0.2] * 48, "B1": [0.0] * 20 + [0.5] * 28, "Q1": [9] * 48}
    (tmp_path / "a.csv").write_text(nem12(["20121006", "20121007"], registers))
    traces, report = read_meter_csv(tmp_path / "a.csv")
    assert traces.names == ["6123456789"]
    assert traces.load_kw.shape == (1, 96)
    np.testing.assert_allclose(traces.load_kw, 0.6)
    np.testing.assert_allclose(traces.pv_kw[0, [0, 20]], [0.0, 1.0])
    assert traces.time[0] == pd.Timestamp("2012-10-05 14:00", tz="UTC")
    assert "B registers" in str(report)


def test_five_minutes_and_watt_hours_keep_the_energy(tmp_path) -> None:
    pytest.importorskip("nemreader")
    (tmp_path / "a.csv").write_text(nem12(["20120701"], {"E1": list(range(288))}, unit="Wh", step=5))
    traces, _ = read_meter_csv(tmp_path / "a.csv")
    assert traces.load_kwh[0] == pytest.approx(sum(range(288)) / 1000)
    assert traces.pv_kw.max() == 0


def test_a_half_hour_that_one_register_lacks_is_a_gap(tmp_path) -> None:
    pytest.importorskip("nemreader")
    text = nem12(["20120701", "20120702"], {"E1": [0.1] * 48})
    second = nem12(["20120701"], {"E2": [0.2] * 48}).splitlines()[1:-1]
    (tmp_path / "a.csv").write_text(text.replace("900\n", "\n".join([*second, "900"]) + "\n"))
    traces, _ = read_meter_csv(tmp_path / "a.csv")
    assert np.isnan(traces.load_kw[0]).tolist() == [False] * 48 + [True] * 48


def test_damage_and_a_missing_library_are_named(tmp_path, monkeypatch) -> None:
    pytest.importorskip("nemreader")
    file = tmp_path / "a.csv"
    file.write_text(nem12(["today"], {"E1": [0.1] * 48}))
    with pytest.raises(DataFormatError, match="starts like NEM12 but cannot be read"):
        read_meter_csv(file)
    file.write_text(nem12(["20120701"], {"B1": [0.1] * 48}))
    with pytest.raises(DataFormatError, match="no E register"):
        read_meter_csv(file)
    monkeypatch.setitem(sys.modules, "nemreader", None)
    with pytest.raises(DependencyMissing, match=r"hidiff\[nem12\]"):
        read_meter_csv(file)
