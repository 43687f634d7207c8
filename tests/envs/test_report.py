"""The report: a page that stands alone, with flows that balance and sections that say why they are empty."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as float_arrays

from hidiff.envs import report
from hidiff.envs.episode import Episode
from hidiff.envs.kpis import compare
from hidiff.envs.report import write_report
from hidiff.envs.report_community_figures import all_homes
from hidiff.envs.report_figures import figure_bills, figure_cost, flows, week_of
from hidiff.home import Home

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kpis.md"


def episode(
    days: int = 10, homes: int = 1, start: str = "2030-06-01", level: float = 1.0, **changes: Any
) -> Episode:
    steps = 48 * days
    hour = np.arange(steps) / 2 % 24
    column = np.ones(homes) if homes > 1 else 1.0
    pv_kw = np.multiply.outer(3 * np.maximum(np.sin((hour - 6) / 12 * np.pi), 0), column)
    arrays = {
        "import_kw": level * np.maximum(1 - pv_kw, 0),
        "export_kw": np.maximum(pv_kw - 1, 0),
        "pv_used_kw": pv_kw,
        "cost": level * (1 + 0 * pv_kw),
        "import_price": 0.3 + 0 * hour,
    }
    time = pd.date_range(start, periods=steps, freq="30min", tz="Europe/Berlin").tz_convert("UTC")
    names = tuple(f"h{k}" for k in range(homes))
    return Episode(time=time, time_zone="Europe/Berlin", dt_h=0.5, arrays=arrays | changes, homes=names)


def test_the_page_stands_alone_and_shows_every_indicator(tmp_path: Path) -> None:
    storage = {"battery_kw": np.zeros(480), "battery_kwh": np.full(480, 6.0), "air_c": np.full(480, 21.0)}
    episodes = {"rule": episode(level=2, **storage), "optimum <1>": episode(**storage)}
    page = write_report(episodes, tmp_path / "new" / "report.html", "Ten days", home=Home()).read_text(
        encoding="utf-8"
    )
    assert not re.search(r"(src|href)=\"(?!data:|#)|url\(|@import|<script", page)
    assert page.count("data:image/png;base64,") == 5
    shown = re.findall(r'<tr><th title="[^"]+">(.*?)</th>', page)
    assert len(shown) == len(set(shown)) == len(compare(episodes, Home()))
    assert {"bill", "import", "mean charge"} <= set(shown)
    assert "optimum &lt;1&gt;" in page and "<1>" not in page
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]
    assert len(page) < 1_500_000


def test_the_best_of_a_row_is_bold_where_one_way_is_better(tmp_path: Path) -> None:
    page = write_report({"dear": episode(level=2), "cheap": episode()}, tmp_path / "r.html").read_text(
        "utf-8"
    )

    def cells(name: str) -> list[str]:
        row = re.search(rf"<tr><th[^>]*>{name}</th>(.*?)</tr>", page)
        assert row
        return re.findall(r"<td>(.*?)</td>", row[1])

    assert cells("bill") == ["960.0", "<strong>480.0</strong>", "currency"]
    assert cells("export")[0] == cells("export")[1]  # equal: no best
    assert cells("consumption")[0] != cells("consumption")[1]  # no direction
    assert "strong" not in "".join(cells("export") + cells("consumption") + cells("self consumption"))


def test_nothing_is_overwritten_or_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.html"
    path.write_text("mine")
    with pytest.raises(ValueError, match="exists; choose another name"):
        write_report({"a": episode()}, path)
    with pytest.raises(ValueError, match="is a folder"):
        write_report({"a": episode()}, tmp_path)
    with pytest.raises(ValueError, match="no episode"):
        write_report({}, tmp_path / "other.html")
    made = episode()
    bare = Episode(time=made.time, time_zone="UTC", dt_h=0.5, arrays={"import_kw": made["import_kw"]})
    with pytest.raises(ValueError, match="'b' has no export_kw"):
        write_report({"b": bare}, tmp_path / "other.html")
    monkeypatch.setattr(report, "page_html", lambda *_: "\ud800")  # cannot be encoded
    with pytest.raises(UnicodeEncodeError):
        write_report({"a": made}, path, force=True)
    assert path.read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_a_single_day_says_what_it_is_too_short_for(tmp_path: Path) -> None:
    page = write_report({"rule": episode(days=1)}, tmp_path / "r.html").read_text("utf-8")
    assert "Left out: the episode spans 1 days." in page
    assert page.count("data:image/png") == 2


def test_a_community_shows_trade_and_payments_or_says_why_not(tmp_path: Path) -> None:
    alone = {"no market": episode(homes=3)}
    page = write_report(alone, tmp_path / "a.html").read_text("utf-8")
    assert "Left out: no episode has bought_kw and sold_kw." in page
    trade = {
        "bought_kw": np.ones((480, 3)),
        "sold_kw": np.ones((480, 3)),
        "grid_only_cost": np.full((480, 3), 2.0),
    }
    page = write_report(alone | {"market": episode(homes=3, **trade)}, tmp_path / "b.html").read_text("utf-8")
    assert "Left out" not in page
    assert page.count("data:image/png") == 6
    assert "least gain" in page


@settings(max_examples=40, deadline=None)
@given(float_arrays(float, (8, 6), elements=st.floats(-5, 5)))
def test_sources_and_uses_balance_and_leave_the_load(draw: np.ndarray) -> None:
    load, pv, battery, car, pump, tank = (
        np.abs(draw[0]),
        np.abs(draw[1]),
        draw[2],
        draw[3],
        draw[4],
        np.abs(draw[5]),
    )
    net = load + battery + car + np.abs(pump) + tank - pv
    arrays = {
        "import_kw": np.maximum(net, 0), "export_kw": np.maximum(-net, 0), "pv_used_kw": pv, "battery_kw": battery,
        "car_kw": car, "heat_pump_kw": pump, "tank_kw": tank,
    }  # fmt: skip
    time = pd.date_range("2030-01-01", periods=6, freq="1h", tz="UTC")
    sources, uses = flows(Episode(time=time, time_zone="UTC", dt_h=1.0, arrays=arrays))
    np.testing.assert_allclose(sum(p for *_, p in sources), sum(p for *_, p in uses), atol=1e-9)
    np.testing.assert_allclose(uses[0][2], load, atol=1e-9)
    assert all((power >= 0).all() for *_, power in (*sources, *uses))


def test_all_homes_meet_at_their_common_connection() -> None:
    one_buys = np.column_stack([np.full(480, 3.0), np.zeros(480)])
    one_sells = np.column_stack([np.zeros(480), np.full(480, 2.0)])
    pump = np.column_stack([np.full(480, -1.0), np.full(480, 1.0)])
    total = all_homes(episode(homes=2, import_kw=one_buys, export_kw=one_sells, heat_pump_kw=pump))
    assert (total["import_kw"] == 1).all() and (total["export_kw"] == 0).all()
    assert (total["heat_pump_kw"] == 2).all() and not total.is_community
    assert (total["import_price"] == 0.3).all()


def test_the_week_shown_begins_on_a_monday_of_the_local_clock() -> None:
    made = episode(days=40)
    first, end = week_of(made)
    assert end - first == 336
    assert f"{made.local_time[first]:%a %H:%M}" == "Mon 00:00"
    assert week_of(episode(days=3)) == (0, 144)


def test_the_week_in_which_the_clock_goes_back_can_be_shown(tmp_path: Path) -> None:
    page = write_report({"rule": episode(days=9, start="2030-10-21")}, tmp_path / "r.html").read_text("utf-8")
    assert "to 29 October 2030" in page and page.count("data:image/png") == 4


def test_the_bill_is_shown_by_local_month_and_the_savings_against_the_first() -> None:
    episodes = {"dear": episode(days=61, level=3), "cheap": episode(days=61)}
    heights = [bar.get_height() for bar in figure_bills(episodes).axes[0].patches]
    assert heights == pytest.approx([3 * 48 * 30, 3 * 48 * 31, 48 * 30, 48 * 31])
    saved = figure_cost(episodes).axes[1].lines[0].get_ydata()
    assert np.asarray(saved)[-1] == pytest.approx(2 * 48 * 61)


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(compile(block, str(PAGE), "exec"), {})
    assert (tmp_path / "report.html").stat().st_size > 50_000
