import numpy as np
import pandas as pd
import pytest
from nemreader import read_nem_file

from hidiff.adapters.nem12_file import nmi_of, write_nem12
from hidiff.cli import main
from hidiff.data.stored import open_stored

from .export_sets import make_export_set


def readings(path, nmi, register):
    """Start in market time and kWh of every interval that has a value."""
    found = read_nem_file(str(path)).readings[nmi][register]
    return pd.Series({one.t_start: one.read_value for one in found if one.read_value is not None})


def net_kw(scenario_set, row):
    consumption = sum(scenario_set.read(name, row) for name in ("load_kw", "ev_kw", "heat_kw"))
    return consumption - scenario_set.read("pv_kw", row)


def test_nemreader_finds_import_and_export_in_kwh_at_market_time(tmp_path):
    scenario_set = make_export_set()
    path = write_nem12(scenario_set, tmp_path / "out") / "scenario-s1" / "meters.csv"
    expected = net_kw(scenario_set, 1)[0] * 0.5
    from_grid, to_grid = (readings(path, "H000000000", register) for register in ("E1", "B1"))
    np.testing.assert_allclose(from_grid, np.clip(expected, 0, None), atol=1e-6)
    np.testing.assert_allclose(to_grid, np.clip(-expected, 0, None), atol=1e-6)
    # Midnight of Sydney's summer is 23:00 of the market's day before.
    assert from_grid.index[0] == pd.Timestamp("2030-01-06 23:00")


@pytest.mark.parametrize("start", ["2030-04-06", "2030-10-05"])
def test_the_market_has_no_long_and_no_short_day(tmp_path, start):
    scenario_set = make_export_set(start=start, days=3)
    path = write_nem12(scenario_set, tmp_path / "out") / "scenario-s0" / "meters.csv"
    found = readings(path, "H000000002", "E1")
    assert (np.diff(found.index) == pd.Timedelta("30min")).all()
    np.testing.assert_allclose(found, net_kw(scenario_set, 0)[2] * 0.5, atol=1e-6)


def test_ingest_reads_gross_meters_back(tmp_path):
    scenario_set = make_export_set(channels=("load_kw", "pv_kw"))
    path = write_nem12(scenario_set, tmp_path / "out", metering="gross") / "scenario-s2" / "meters.csv"
    asked = ["ingest", str(path), "--time-zone", "Australia/Sydney", "--out", str(tmp_path / "in")]
    assert main(asked) == 0
    found = open_stored(tmp_path / "in").between("2030-01-07", "2030-01-09").read()
    np.testing.assert_allclose(found.load_kw, scenario_set.read("load_kw", 2), atol=2e-6)
    np.testing.assert_allclose(found.pv_kw, scenario_set.read("pv_kw", 2), atol=2e-6)


def test_meters_keep_their_nmi_or_get_one():
    assert nmi_of(["4001234567", "kitchen"]) == {"4001234567": "4001234567", "kitchen": "H000000001"}
    with pytest.raises(ValueError, match="'12345' of home 'h' has 5 characters"):
        nmi_of(["h"], {"h": "12345"})
    with pytest.raises(ValueError, match="has no NMI"):
        nmi_of(["h", "g"], {"h": "4001234567"})
    with pytest.raises(ValueError, match="share an NMI"):
        nmi_of(["h", "g"], {"h": "4001234567", "g": "4001234567"})


def test_other_intervals_than_the_markets_are_refused(tmp_path):
    with pytest.raises(ValueError, match="60 minutes"):
        write_nem12(make_export_set(step="1h"), tmp_path / "out")
    odd = make_export_set(start="2030-01-07 00:10")
    with pytest.raises(ValueError, match="within an interval"):
        write_nem12(odd, tmp_path / "out")
