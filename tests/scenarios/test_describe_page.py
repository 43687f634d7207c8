"""The page of a described set stands alone and shows what the set has."""

import base64
import io
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Wedge

from hidiff.scenarios import ScenarioSet, open_scenarios, verify_scenarios
from hidiff.scenarios.describe import describe, describe_dir
from hidiff.scenarios.describe_fans import extremes, figure_fans, peak_week
from hidiff.scenarios.describe_maps import figure_map, figure_probabilities
from hidiff.scenarios.describe_page import write_page
from hidiff.scenarios.describe_sections import kept_names, sections_of
from hidiff.scenarios.tree_figure import tree_of, with_tree

from .conftest import make_set


def titles(scenario_set: ScenarioSet) -> list[str]:
    return [section.title for section in sections_of(describe(scenario_set))]


def test_the_page_stands_alone(tmp_path: Path) -> None:
    made = make_set(days=16).with_provenance(model_sha256="abc")
    page = describe_dir(made.save(tmp_path / "set"), progress=False).read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|<link|url\(|@import", page)
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) >= 6
    for source in sources:
        head, data = source.split(",")
        assert head == "data:image/png;base64"
        picture = matplotlib.image.imread(io.BytesIO(base64.b64decode(data)))
        assert np.ptp(picture[..., :3]) > 0.5  # something is drawn
    assert page.count("How to read it:") == len(sources)
    assert "Provenance: seed 1; model_sha256 abc." in page


def test_a_short_set_is_shown_whole_and_a_long_one_by_its_week_and_seasons() -> None:
    short, long = titles(make_set(days=2)), titles(make_set(days=20))
    assert short == ["Fans", "Load-duration curves", "Probabilities", "Distances", "Scenarios", "Homes"]
    assert long == [
        "Week of the highest peak", "Mean day of each season", "Load-duration curves", "Types of days", "Probabilities",
        "Distances", "Scenarios", "Homes",
    ]  # fmt: skip


def test_a_set_of_prices_alone_has_no_load_and_no_homes() -> None:
    found = titles(make_set(days=20).select(channels=["import_price_per_kwh"]))
    assert found == [
        "Week of the highest peak", "Mean day of each season", "Probabilities", "Distances", "Scenarios",
    ]  # fmt: skip


def test_a_single_scenario_has_no_probabilities_and_no_distances(tmp_path: Path) -> None:
    made = make_set(scenarios=1, days=8)
    assert titles(made) == ["Fans", "Load-duration curves", "Types of days", "Scenarios", "Homes"]
    assert write_page(describe(made), tmp_path / "page.html").is_file()


def test_a_single_step_is_described_too(tmp_path: Path) -> None:
    made = ScenarioSet.from_arrays(
        {"load_kw": [[[1.0]], [[2.0]]]}, time=pd.date_range("2030-01-01", periods=1, tz="UTC"), homes=["a"]
    )
    assert write_page(describe(made), tmp_path / "page.html").is_file()


@pytest.mark.parametrize(
    "start", ["2030-04-06", "2030-10-05"], ids=["the clock goes back", "the clock goes forward"]
)
def test_pages_are_written_across_a_change_of_the_clock(tmp_path: Path, start: str) -> None:
    assert write_page(describe(make_set(days=20, start=start)), tmp_path / "page.html").is_file()


def test_each_channel_has_a_panel_of_its_own_and_others_have_none() -> None:
    def panels(scenario_set: ScenarioSet) -> list[str]:
        return [axes.get_title(loc="left") for axes in figure_fans(describe(scenario_set)).axes]

    made = make_set()
    assert panels(made) == ["Load", "PV", "Net load", "Import price"]
    cars = made.with_channels({"ev_kw": made.channels["load_kw"], "heat_kw": made.channels["load_kw"]})
    assert panels(cars) == ["Load", "PV", "Net load", "Electric cars", "Heat pumps", "Import price"]
    assert panels(made.select(channels=["load_kw"])) == ["Load"]


@pytest.mark.parametrize("days", [2, 20])
def test_axes_say_what_they_show_and_in_what_unit(days: int) -> None:
    for section in sections_of(describe(make_set(days=days))):
        for picture in section.figures:
            figure = picture.draw()
            labels = [
                label for axes in figure.axes for label in (axes.get_xlabel(), axes.get_ylabel()) if label
            ]
            units = [label for label in labels if "[" in label and "]" in label]
            told = [
                label
                for label in labels
                if "time" in label or "hour" in label or "scenario, in order" in label
            ]
            assert units
            assert set(labels) == {*units, *told}


def test_more_scenarios_than_fit_are_put_into_classes_whose_bars_hold_all_probability() -> None:
    few, many = (figure_probabilities(describe(make_set(scenarios=count))).axes[0] for count in (150, 151))
    assert (len(few.patches), len(many.patches)) == (150, 40)
    for axes in (few, many):
        assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(1)


def test_the_angles_of_each_ring_of_a_sunburst_go_once_around() -> None:
    made = make_set(days=40)
    section = next(part for part in sections_of(describe(made)) if part.title == "Types of days")
    sectors = [patch for patch in section.figures[0].draw().axes[0].patches if isinstance(patch, Wedge)]
    for radius in {sector.r for sector in sectors}:
        assert sum(
            sector.theta2 - sector.theta1 for sector in sectors if sector.r == radius
        ) == pytest.approx(360)


def test_the_week_shown_holds_the_peak_in_seven_whole_days() -> None:
    made = make_set(days=30)
    found = describe(made)
    steps, stamp = peak_week(found)
    values = found.aggregate["net_kw"]
    assert values[:, steps].max() == values.max()
    assert steps.stop - steps.start == 7 * 48
    assert stamp == made.time.tz_convert(made.time_zone)[values.max(axis=0).argmax()]


@pytest.mark.parametrize("place", [0, -1], ids=["at the start", "at the end"])
def test_a_peak_on_a_cut_day_is_in_the_week_shown(place: int) -> None:
    made = make_set(days=30, start="2030-01-07 18:00")
    load_kw = made["load_kw"].copy()
    load_kw[2, :, place] = 50
    peaked = ScenarioSet.from_arrays(
        {"load_kw": load_kw}, time=made.time, homes=made.home_names, time_zone=made.time_zone
    )
    steps, stamp = peak_week(describe(peaked))
    shown = made.time[steps].tz_convert(made.time_zone)
    assert stamp == made.time[place]
    assert stamp in shown
    assert len(shown) == 7 * 48


def test_the_three_scenarios_drawn_differ_and_can_happen() -> None:
    made = make_set(scenarios=4).with_probability([0.5, 0.5, 0.0, 0.0])
    rows = list(extremes(describe(made)).values())
    assert sorted(rows) == [0, 1]
    assert len(set(extremes(describe(make_set())).values())) == 3


def test_a_reduction_is_told() -> None:
    reduction = {
        "kept": ["s1", "s3"],
        "method": "forward selection",
        "distance": 1.5,
        "relative_distance": 0.25,
    }
    made = make_set().with_provenance(reduction=reduction)
    page = _page(made)
    assert "reduced by forward selection, at a Wasserstein distance of 1.5 from the full set, 25.0 %" in page
    assert "The set was reduced" not in _page(make_set())


def test_scenarios_kept_by_name_or_place_are_marked_unless_all_are() -> None:
    def kept(*entries: object) -> set[str]:
        return kept_names(describe(make_set().with_provenance(reduction={"kept": list(entries)})))

    assert kept("s1", "s3") == kept(1, 3) == {"s1", "s3"}
    assert kept(0, 1, 2, 3) == kept() == kept_names(describe(make_set())) == set()
    legend = figure_map(describe(make_set()), {"s1", "s3"}).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["kept by the reduction (2)"]
    assert figure_map(describe(make_set()), set()).axes[0].get_legend() is None


def test_a_tree_is_drawn_where_one_is_saved() -> None:
    assert "Tree" not in titles(make_set())
    made = make_set()
    tree, distance = tree_of(made, [0, 48], [1, 2])
    page = _page(with_tree(made, tree, [0, 48], distance))
    assert "3 nodes in 2 stages" in page


def test_a_page_is_replaced_only_when_asked(tmp_path: Path) -> None:
    folder = make_set().save(tmp_path / "set")
    page = describe_dir(folder, progress=False)
    assert page == folder / "report.html"
    before = page.read_bytes()
    with pytest.raises(ValueError, match=r"report\.html exists; .*--force"):
        describe_dir(folder, progress=False)
    assert (
        describe_dir(folder, force=True, progress=False).read_bytes() == before
    )  # the same set, the same page
    verify_scenarios(folder)  # the page is no change of the set
    assert len(open_scenarios(folder)) == 4


def test_a_folder_is_no_page(tmp_path: Path) -> None:
    folder = make_set().save(tmp_path / "set")
    with pytest.raises(ValueError, match=r"is a folder; name a file in it"):
        describe_dir(folder, tmp_path, progress=False)


def test_nothing_half_written_is_left_when_a_figure_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr("hidiff.scenarios.describe_sections.figure_map", fail)
    with pytest.raises(RuntimeError, match="no ink"):
        write_page(describe(make_set()), tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_the_tables_are_said_when_asked(tmp_path: Path) -> None:
    said: list[str] = []
    describe_dir(make_set().save(tmp_path / "set"), progress=False, say=said.append)
    assert said == [describe(make_set()).to_text()]


def test_names_are_escaped(tmp_path: Path) -> None:
    made = make_set().select(homes=[0])
    homes = made.homes.set_axis(pd.Index(["<b>"], name="home", dtype=object))
    bold = ScenarioSet(
        scenarios=made.scenarios,
        homes=homes,
        time=made.time,
        channels=made.channels,
        time_zone=made.time_zone,
    )
    page = _page(bold)
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


def _page(scenario_set: ScenarioSet) -> str:
    """The page without its pictures' data."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write_page(describe(scenario_set), Path(folder) / "page.html")
        return re.sub(r"base64,[^\"]*", "", path.read_text(encoding="utf-8"))
