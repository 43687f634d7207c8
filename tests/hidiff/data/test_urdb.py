"""Records of the Utility Rate Database become tariffs, or say what cannot be read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hidiff.data.urdb import read_urdb
from hidiff.envs import bill
from hidiff.errors import DataFormatError
from hidiff.prices import export_price_per_kwh, import_price_per_kwh, price_series

CASE = Path(__file__).resolve().parents[2] / "cases" / "urdb_hand_made.json"
ZONE = "America/Los_Angeles"


def record() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(CASE.read_text(encoding="utf-8"))
    return read


def year() -> pd.DatetimeIndex:
    return pd.date_range("2030-01-01", "2031-01-01", freq="1h", tz=ZONE, inclusive="left").tz_convert("UTC")


def test_prices_are_those_of_the_schedule_in_every_hour_of_a_year() -> None:
    case, time = record(), year()
    tariff = read_urdb(CASE)
    local = time.tz_convert(ZONE)
    names = np.where(local.day_of_week >= 5, "energyweekendschedule", "energyweekdayschedule")
    period = [case[n][m - 1][h] for n, m, h in zip(names, local.month, local.hour, strict=True)]
    tiers = case["energyratestructure"]
    bought = [tiers[n][0]["rate"] + tiers[n][0]["adj"] for n in period]
    assert import_price_per_kwh(tariff, time, ZONE) == pytest.approx(np.array(bought))
    assert export_price_per_kwh(tariff, time, ZONE) == pytest.approx([tiers[n][0]["sell"] for n in period])
    assert len(set(period)) == 3


def test_tiers_become_blocks_and_fixed_charges_daily() -> None:
    tariff = read_urdb(record())
    (block,) = tariff.blocks
    assert block.above_kwh_per_month == 400
    assert block.extra_per_kwh == pytest.approx(0.05)
    assert tariff.daily_charge * 365.25 == pytest.approx(144)
    daily = record() | {"fixedchargefirstmeter": 0.7, "fixedchargeunits": "$/day"}
    assert read_urdb(daily).daily_charge == 0.7


def test_three_tiers_add_up_to_the_price_of_the_last() -> None:
    tiers = [{"rate": 0.1, "max": 100}, {"rate": 0.3, "max": 250}, {"rate": 0.25}]
    flat = record() | {"energyratestructure": [tiers, tiers, tiers]}
    blocks = read_urdb(flat, export_price_per_kwh=0.0).blocks
    assert [block.above_kwh_per_month for block in blocks] == [100, 250]
    assert [block.extra_per_kwh for block in blocks] == pytest.approx([0.2, -0.05])


def test_a_july_bill_is_what_one_reckons_by_hand() -> None:
    time = pd.date_range("2030-07-01", "2030-08-01", freq="30min", tz=ZONE, inclusive="left")
    import_kw = np.full(len(time), 1.0)
    import_kw[34] = 4.0  # Monday 17:00
    answer = bill(import_kw, np.zeros(len(time)), read_urdb(CASE), time.tz_convert("UTC"), ZONE)
    # 31 days, 23 of them weekdays: 5 h at the summer peak, 8 h at night
    peak, night = 23 * 5 + 1.5, 31 * 8
    rest = 31 * 24 + 1.5 - peak - night
    assert answer.import_cost == pytest.approx(0.41 * peak + 0.11 * night + 0.21 * rest)
    assert answer.block_cost == pytest.approx(0.05 * (31 * 24 + 1.5 - 400))
    assert answer.demand_cost == pytest.approx(4 * 10 + 4 * 3)
    assert answer.daily_charge == pytest.approx(31 * 144 / 365.25)


def test_demand_by_hours_is_measured_where_the_schedule_says() -> None:
    tariff, time = read_urdb(CASE), year()
    local = time.tz_convert(ZONE)
    by_hours = next(c for c in tariff.demand if c.price_per_kw == 10.0)
    expected = (
        local.month.isin([6, 7, 8, 9]) & (local.hour >= 16) & (local.hour < 21) & (local.day_of_week < 5)
    )
    measured = price_series(tariff, time, ZONE).in_demand_window[tariff.demand.index(by_hours)]
    assert measured.tolist() == np.asarray(expected, dtype=float).tolist()
    assert by_hours.interval_h == 0.5


def test_an_answer_of_the_service_with_one_record_is_read() -> None:
    assert read_urdb({"items": [record()]}) == read_urdb(CASE)
    with pytest.raises(DataFormatError, match="holds 2 records"):
        read_urdb({"items": [record(), record()]})


def test_what_a_tariff_cannot_say_is_named() -> None:
    case = record()
    uneven = [[{"rate": 0.1, "max": 400}, {"rate": rate}] for rate in (0.2, 0.3, 0.2)]
    split = [[int(h in (8, 18)) for h in range(24)] for _ in range(12)]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"energyratestructure": uneven}, "tiers differ between periods"),
        ({"mincharge": 10.0}, "mincharge is 10.0"),
        ({"demandratchetpercentage": [0.8] * 12}, "demandratchetpercentage is"),
        ({"dgrules": "Net Metering"}, "give export_price_per_kwh"),
        ({"demandrateunit": "kVA"}, "demandrateunit is 'kVA'"),
        ({"demandweekdayschedule": split, "demandweekendschedule": split}, "several stretches of hours in month 1"),
        ({"flatdemandstructure": [[{"rate": 1, "max": 5}, {"rate": 2}]], "flatdemandmonths": [0] * 12}, "has tiers"),
        ({"fixedchargeunits": "$/week"}, r"fixedchargeunits is '\$/week'"),
        ({"energyweekdayschedule": [[0] * 24] * 11}, "energyweekdayschedule must have 12 rows"),
        ({"energyweekdayschedule": [[3] * 24] * 12}, "numbers from 0 to 2"),
        ({"flatdemandmonths": [2] * 12}, "must name a period for each of 12 months"),
        ({"energyratestructure": [[{"rate": "dear"}]] * 3}, "'dear', which is no number"),
        ({"energyratestructure": [[{"rate": 0.1}, {"rate": 0.2}]] * 3}, "each but the last needs a rising max"),
        ({"energyratestructure": [[{"rate": 0.1, "max": 5, "unit": "kWh daily"}, {"rate": 0.2}]] * 3}, "kWh daily"),
    ]  # fmt: skip
    for change, message in wrong:
        with pytest.raises(ValueError, match=message):
            read_urdb(case | change)


def test_a_file_that_is_no_json_and_a_record_without_prices_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rate.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(DataFormatError, match="is not valid JSON"):
        read_urdb(path)
    with pytest.raises(DataFormatError, match="detail=full"):
        read_urdb({"label": "5"})
