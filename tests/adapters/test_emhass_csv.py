import numpy as np
import pandas as pd
import pytest

from hidiff.adapters.emhass_csv import write_emhass

from .export_sets import make_export_set
from .reader_environments import read


@pytest.mark.slow
def test_emhass_reads_watts_and_prices_at_our_stamps(tmp_path):
    start = pd.Timestamp.now("Australia/Sydney").floor("30min")  # EMHASS forecasts from now on only
    scenario_set = make_export_set(start=str(start.tz_convert("UTC").tz_localize(None)), zone="UTC")
    folder = write_emhass(scenario_set, tmp_path / "out") / "scenario-s2" / "h1"
    seen = read("emhass", folder, "Australia/Sydney", "30min", 48, start.isoformat())
    assert seen["version"] == "0.18.7"
    assert pd.Timestamp(seen["start"]) == start
    load_kw = scenario_set.read("load_kw", 2)[1] + scenario_set.read("heat_kw", 2)[1]
    np.testing.assert_allclose(seen["load_w"], load_kw[:48] * 1000, rtol=1e-6)
    np.testing.assert_allclose(
        seen["pv_w"], scenario_set.read("pv_kw", 2)[1, :48] * 1000, rtol=1e-6, atol=1e-6
    )
    for name in ("import", "export"):
        price = scenario_set.read(f"{name}_price_per_kwh", 2)[:48]
        np.testing.assert_allclose(seen[f"{name}_price"], price, rtol=1e-6)


def test_stamps_have_the_offset_of_the_local_clock(tmp_path):
    scenario_set = make_export_set(start="2030-04-07", days=1, channels=("load_kw",))
    folder = write_emhass(scenario_set, tmp_path / "out") / "scenario-s0" / "h0"
    lines = (folder / "data_load_forecast.csv").read_text().splitlines()
    assert lines[4].startswith("2030-04-07 02:00:00+11:00,")
    assert lines[6].startswith("2030-04-07 02:00:00+10:00,")


def test_a_span_that_comes_round_to_the_same_day_of_the_month_is_refused(tmp_path):
    whole = make_export_set(days=28, start="2030-02-01", channels=("load_kw",), scenarios=1, homes=1)
    write_emhass(whole, tmp_path / "whole")
    longer = make_export_set(days=29, start="2030-02-01", channels=("load_kw",), scenarios=1, homes=1)
    with pytest.raises(ValueError, match="spans 29 days"):
        write_emhass(longer, tmp_path / "longer")
