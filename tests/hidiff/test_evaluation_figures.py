"""The pictures of ``hidiff evaluate``: what is drawn is what was measured, and what is known shows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from hidiff import evaluate, evaluate_folders
from hidiff.data.traces import Traces
from hidiff.evaluate_report import PICTURES, picture_paths, write_report
from hidiff.evaluation_figures import write as evaluation_figures
from hidiff.evaluation_figures.homes import figure_homes, figure_hours, figure_months
from hidiff.evaluation_figures.look import figure_carpets, figure_weeks, homes_alike
from hidiff.evaluation_figures.peaks import coincidence, figure_coincidence, figure_duration, ordered
from hidiff.evaluation_figures.seams import correlation, figure_seams, midnight_sums
from hidiff.evaluation_figures.sides import draw_means, real_range, shares_of_homes, three_sides
from hidiff.evaluation_figures.time import autocorrelations, figure_autocorrelation, figure_days
from hidiff.evaluation_figures.write import identity_curve, write_figures
from hidiff.figure_style import new_figure
from hidiff.metrics import population, temporal
from hidiff.report_numbers import on_local_days

ZONE = "Australia/Sydney"


def year(first: str) -> pd.DatetimeIndex:
    start = pd.Timestamp(first).tz_localize(ZONE)
    end = start + pd.DateOffset(years=1)
    return pd.date_range(start.tz_convert("UTC"), end.tz_convert("UTC"), freq="30min", inclusive="left")


def homes(seed: int, *, first: str = "2012-07-01", count: int = 5) -> Traces:
    """Homes with evenings, slow levels and a sun that sets."""
    time = year(first)
    clock, rng = time.tz_convert(ZONE), np.random.default_rng(seed)
    hour = np.asarray(clock.hour + clock.minute / 60)
    level = rng.lognormal(0, 0.4, (count, 1)) * np.repeat(rng.gamma(8, 1 / 8, (count, 366)), 48, 1)
    load_kw = (
        level[:, : len(time)] * (0.3 + np.exp(-((hour - 19) ** 2) / 6)) * rng.gamma(4, 0.25, (1, len(time)))
    )
    capacity_kwp = rng.uniform(1, 3, count)
    cloud = np.repeat(rng.uniform(0.2, 1, 366), 48)[: len(time)]
    pv_kw = capacity_kwp[:, None] * 0.8 * cloud * np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None)
    return with_power(time, load_kw, pv_kw, capacity_kwp, f"s{seed}")


def with_power(
    time: pd.DatetimeIndex, load_kw: np.ndarray, pv_kw: np.ndarray, capacity_kwp: np.ndarray, stem: str
) -> Traces:
    names = pd.Index([f"{stem}-{number}" for number in range(len(load_kw))], name="home")
    return Traces(load_kw, pv_kw, time, pd.DataFrame({"pv_capacity_kwp": capacity_kwp}, index=names), ZONE)


@pytest.fixture(scope="module")
def sides() -> tuple[Traces, Traces, Traces]:
    return homes(0, count=6), homes(1), homes(2, first="2011-07-01")


def line(axes: Axes, side: str, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    drawn = [one for one in axes.get_lines() if one.get_label() == side]
    return np.asarray(drawn[number].get_xdata()), np.asarray(drawn[number].get_ydata())


def test_autocorrelations_by_fourier_transform_are_those_of_the_metric(sides: tuple[Traces, ...]) -> None:
    load_kw = sides[0].load_kw
    fast = autocorrelations(load_kw, 336)
    assert fast[:, [0]] == pytest.approx(np.ones((6, 1)))
    assert fast[:, [1, 48, 336]] == pytest.approx(temporal.autocorrelation(load_kw, (1, 48, 336)))
    assert autocorrelations(np.ones((1, 99)), 3) == pytest.approx(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="lag 99 needs more than 99 steps"):
        autocorrelations(np.ones((1, 99)), 99)


def test_each_side_has_its_own_mean_autocorrelation(sides: tuple[Traces, ...]) -> None:
    generated, real, other_year = sides
    panels = figure_autocorrelation(generated, real, other_year).axes
    for name, side in (("generated", generated), ("real", real), ("other_year", other_year)):
        lag_days, drawn = line(panels[0], name)
        assert lag_days[-1] == pytest.approx(14)
        assert drawn[48] == pytest.approx(temporal.autocorrelation(side.load_kw, (48,)).mean())
        net = temporal.autocorrelation(side.load_kw - side.pv_kw, (48,)).mean()
        assert line(panels[1], name)[1][48] == pytest.approx(net)
        energy_kwh, _ = temporal.daily_energy(side.load_kw, side.time.tz_convert(ZONE), 0.5)
        assert line(panels[2], name)[1][6] == pytest.approx(temporal.autocorrelation(energy_kwh, (7,)).mean())


def test_a_load_that_only_the_hour_decides_has_one_curve_for_all_quantiles(sides: tuple[Traces, ...]) -> None:
    real = sides[1]
    slot = np.asarray(2 * real.time.tz_convert(ZONE).hour + (real.time.minute == 30))
    profile_kw = 1 + np.arange(48) / 10
    even = with_power(real.time, np.tile(profile_kw[slot], (5, 1)), real.pv_kw, np.ones(5), "even")
    panels = figure_hours(even, real, None, is_southern=True).axes
    assert panels[0].get_title(loc="left") == "Summer (Dec–Feb)"
    assert panels[0].get_yscale() == "log"
    for season in range(4):
        for level in range(3):
            hour, drawn_kw = line(panels[season], "generated", level)
            assert hour[0] == 0.25
            assert drawn_kw == pytest.approx(profile_kw)


def test_a_kilowatt_all_year_is_24_kwh_on_a_day_of_any_month(sides: tuple[Traces, ...]) -> None:
    real = sides[1]
    steady = with_power(real.time, np.ones_like(real.load_kw), real.pv_kw, 2 * np.ones(5), "steady")
    load, pv, net = figure_months(steady, real).axes
    # the day that the clock is put back has 25 hours, the day that it is put forward 23
    assert line(load, "generated")[1] == pytest.approx(
        [24] * 3 + [24 - 1 / 31] + [24] * 5 + [24 + 1 / 30] + [24] * 2
    )
    assert line(net, "generated")[1] == pytest.approx(
        line(load, "generated")[1] - 2 * line(pv, "generated")[1]
    )
    assert [label.get_text() for label in load.get_xticklabels()][:2] == ["Jul", "Aug"]


def test_the_share_of_homes_at_or_below_is_a_step_at_each_home(sides: tuple[Traces, ...]) -> None:
    generated, real, other_year = sides
    x, share = line(figure_homes(generated, real, other_year).axes[0], "generated")
    annual_kwh = 8760 * generated.load_kw.mean(axis=1)
    assert share == pytest.approx((annual_kwh[:, None] <= x).mean(axis=0))
    assert (share[0], share[-1]) == (0, 1)


def test_ordered_power_goes_from_the_peak_to_the_least() -> None:
    power_kw = np.array([[3.0, 1.0, 4.0, 2.0], [0.0, 0.0, 0.0, 8.0]])
    found = ordered(power_kw, np.array([0.001, 0.5, 1.0]))
    assert found == pytest.approx(np.array([[4, 2.5, 1], [8, 0, 0]]))


def test_duration_curves_reach_the_mean_peak_of_the_homes(sides: tuple[Traces, ...]) -> None:
    generated, real, other_year = sides
    load, _, net, _ = figure_duration(generated, real, other_year).axes
    share, drawn_kw = line(load, "generated")
    assert drawn_kw[0] == pytest.approx(generated.load_kw.max(axis=1).mean())
    assert (np.diff(share) > 0).all()
    assert (np.diff(drawn_kw) <= 1e-12).all()
    net_kw = generated.load_kw - generated.pv_kw
    assert line(net, "generated")[1][[0, -1]] == pytest.approx(
        [net_kw.max(axis=1).mean(), net_kw.min(axis=1).mean()], rel=1e-6
    )


def test_homes_alike_coincide_and_homes_apart_share_their_peak() -> None:
    power_kw = np.zeros((6, 100), dtype=np.float32)
    power_kw[:, 7] = 2
    assert coincidence(power_kw, [2, 6])[0] == pytest.approx(1)
    assert coincidence(np.eye(6, dtype=np.float32), [2, 3, 6])[0].mean(axis=0) == pytest.approx(
        [1 / 2, 1 / 3, 1 / 6]
    )
    assert coincidence(np.eye(6, dtype=np.float32), [3])[1] == pytest.approx(1 / 3)


def test_coincidence_of_all_homes_is_that_of_the_metric(sides: tuple[Traces, ...]) -> None:
    generated, real, other_year = sides
    panels = figure_coincidence(generated, real, other_year).axes
    sizes, factor = line(panels[0], "real")
    assert sizes.tolist() == [2, 3, 4, 5]
    expected = population.coincidence_factor(real.load_kw, 5, np.random.default_rng(0))
    assert factor[-1] == pytest.approx(expected, rel=1e-5)
    assert line(panels[4], "real")[1][-1] == pytest.approx(real.load_kw.sum(axis=0).max() / 5, rel=1e-5)


def test_correlation_from_sums_is_the_correlation_of_the_metric(sides: tuple[Traces, ...]) -> None:
    side = sides[0]
    days, sums = midnight_sums(side, side.load_kw, 2)
    # Sydney's standard midnight is 14:00 UTC, and the year begins and ends with one
    midnights = np.flatnonzero((side.time.hour == 14) & (side.time.minute == 0))
    assert correlation(sums)[0] == pytest.approx(temporal.boundary_correlation(side.load_kw, midnights, 4))
    assert np.diff(days).tolist() == [1] * 363
    twice = np.full((1, sums.shape[1]), 2)
    assert correlation(sums, twice)[0] == pytest.approx(correlation(sums)[0])


def test_windows_that_know_nothing_of_each_other_show_at_their_joints_only(sides: tuple[Traces, ...]) -> None:
    real = sides[1]
    day = np.arange(len(real.time)) // 48
    window = 2 * (day // 24) + (day % 24 >= 14)
    rng = np.random.default_rng(3)
    load_kw = rng.uniform(1, 3, (40, window.max() + 1))[:, window] + rng.uniform(0, 0.1, (40, len(day)))
    pv_kw = np.tile(real.pv_kw, (8, 1))
    apart = with_power(real.time, load_kw, pv_kw, np.full(40, 3.0), "apart")
    pattern_day, drawn = line(figure_seams(apart, real).axes[0], "generated")
    assert pattern_day.tolist() == list(range(24))
    is_joint = np.isin(pattern_day, [0, 14])
    assert np.abs(drawn[is_joint]).max() < 0.25
    assert drawn[~is_joint].min() > 0.9
    # a first step five days earlier turns the pattern by five days
    earlier = figure_seams(apart, real, origin=real.time[0] - pd.Timedelta(days=5)).axes[0]
    assert line(earlier, "generated")[1][[5, 19]] == pytest.approx(drawn[[0, 14]])


def test_days_drawn_are_loads_over_the_mean_of_their_home(sides: tuple[Traces, ...]) -> None:
    generated, real, other_year = sides
    panels = figure_days(generated, real, other_year).axes
    energy_kwh, _ = temporal.daily_energy(generated.load_kw, generated.time.tz_convert(ZONE), 0.5)
    relative = energy_kwh / energy_kwh.mean(axis=1, keepdims=True)
    r = np.corrcoef(relative[:, :-1].ravel(), relative[:, 1:].ravel())[0, 1]
    assert panels[4].get_title(loc="left") == f"Generated days, correlation {r:.2f}"
    frequency, density = line(panels[1], "generated")
    assert frequency[np.argmax(density)] == pytest.approx(1)  # the sun comes once a day
    assert frequency[0] == pytest.approx(1 / 28)


def test_the_generated_home_shown_is_the_one_nearest_in_load_and_capacity(sides: tuple[Traces, ...]) -> None:
    generated, real, _ = sides
    middle = real.names[int(np.argsort(real.load_kw.mean(axis=1))[2])]
    twin = real.select([middle]).homes.rename(index={middle: "twin"})
    one = real.select([middle])
    both = Traces(
        np.concatenate([generated.load_kw, one.load_kw]),
        np.concatenate([generated.pv_kw, one.pv_kw]),
        real.time,
        pd.concat([generated.homes, twin]).rename_axis("home"),
        ZONE,
    )
    assert homes_alike(real, both, 0.5) == (middle, "twin")
    panels = figure_weeks(both, real).axes
    heights = [np.asarray(axes.get_lines()[0].get_ydata()) for axes in panels[:2]]
    assert heights[0] == pytest.approx(heights[1], nan_ok=True)
    assert panels[0].get_title(loc="left") == "Real: week of 9 July 2012"


def test_a_carpet_is_the_year_of_its_home(sides: tuple[Traces, ...]) -> None:
    generated, real, _ = sides
    figure = figure_carpets(generated, real)
    name, _ = homes_alike(real, generated, 0.3)
    drawn = np.ma.filled(figure.axes[0].collections[0].get_array().astype(float), np.nan)
    _, grid = on_local_days(real, real.select([name]).load_kw)
    assert np.reshape(drawn, (48, 365)) == pytest.approx(grid[0].T, nan_ok=True)


def test_homes_that_are_all_alike_have_a_band_without_width() -> None:
    assert shares_of_homes(7).sum(axis=1) == pytest.approx(np.ones(200))
    rows = {"real": np.ones((4, 3)), "other_year": np.ones((4, 3)), "generated": np.zeros((4, 3))}
    low, high = real_range(rows)
    assert (low == pytest.approx(1)) and (high == pytest.approx(1))
    low, high = real_range(rows | {"other_year": np.full((4, 3), 5.0)})
    assert (low == pytest.approx(1)) and (high == pytest.approx(5))


def test_what_is_shown_of_a_mean_is_made_of_the_mean() -> None:
    axes = new_figure(3, 3).subplots()
    rows = {"real": np.array([[0.0, 2.0], [2.0, 2.0]]), "generated": np.array([[3.0, 1.0]])}
    draw_means(axes, np.arange(2.0), rows, lambda values: 10**values)
    assert line(axes, "real")[1] == pytest.approx([10, 100])
    assert line(axes, "generated")[1] == pytest.approx([1000, 10])


def test_sides_that_cannot_be_compared_are_refused(sides: tuple[Traces, ...]) -> None:
    generated, real, _ = sides
    idle = with_power(real.time, real.load_kw, real.pv_kw * (np.arange(5) > 0)[:, None], np.ones(5), "idle")
    assert three_sides(generated, idle, None)["real"].names == idle.names[1:]
    with pytest.raises(ValueError, match="real has 1 homes with load and PV"):
        three_sides(generated, idle.select(idle.names[:2]), None)
    with pytest.raises(ValueError, match="generated spans 91 days; give a year"):
        three_sides(generated.between("2012-07-01", "2012-09-30"), real, None)
    load_kw = real.load_kw.copy()
    load_kw[0, 3] = np.nan
    gap = with_power(real.time, load_kw, real.pv_kw, np.ones(5), "gap")
    with pytest.raises(ValueError, match="other_year has steps without a value"):
        three_sides(generated, real, gap)


def test_the_identity_curve_shows_the_table_in_order_of_weeks() -> None:
    table = pd.DataFrame(
        {"weeks": [4, 1, 2], "generated": [0.5, 0.2, 0.3], "ceiling": [0.8, 0.4, 0.6], "chance": [0.1] * 3}
    )
    axes = identity_curve(table).axes[0]
    weeks, accuracy = line(axes, "generated homes")
    assert weeks.tolist() == [1, 2, 4]
    assert accuracy.tolist() == [0.2, 0.3, 0.5]
    assert line(axes, "real homes (ceiling)")[1].tolist() == [0.4, 0.6, 0.8]
    assert not axes.collections
    band = identity_curve(table.assign(low_95=[0.4, 0.1, 0.2], high_95=0.9)).axes[0].collections[0]
    assert band.get_paths()[0].vertices[:, 1].min() == 0.1
    with pytest.raises(ValueError, match="it needs weeks, generated, ceiling, chance"):
        identity_curve(table.drop(columns="chance"))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    row = dict.fromkeys(evaluate.NUMBERS, 0.25)
    words = {"group": "time", "metric": "a < b", "channel": "load", "unit": "kW", "kind": "distance"}
    return pd.DataFrame([words | row | {"score_kind": "scaled", "note": ""}])


def test_pictures_are_written_whole_linked_and_put_in_one_page(
    sides: tuple[Traces, ...], table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation_figures, "DPI", 20)
    for name in set(vars(evaluation_figures)) - {"figure_months"}:
        if name.startswith("figure_"):  # each is drawn in a test of its own
            monkeypatch.setattr(evaluation_figures, name, lambda *sides, **more: new_figure(1, 1))
    identity = pd.DataFrame(
        {"weeks": [1, 2], "generated": [0.2, 0.3], "ceiling": [0.4, 0.6], "chance": [0.1] * 2}
    )
    _, folder = picture_paths(tmp_path / "my report.md")
    paths = write_figures(*sides, folder, identity=identity)
    assert [path.stem for path in paths] == list(PICTURES)
    assert sorted(folder.iterdir()) == sorted(paths)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    report = write_report(table, tmp_path / "my report.md", pictures=paths)
    text = report.read_text(encoding="utf-8")
    assert "![Seams](my%20report-figures/seams.png)" in text
    assert text.count("![") == len(PICTURES)
    page = report.with_suffix(".html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64,') == page.count("src=") == len(PICTURES)
    assert "a &lt; b" in page
    for there in ("my report.html", "my report-figures"):
        with pytest.raises(ValueError, match=f"{there} exists"):
            picture_paths(tmp_path / "my report.md")
        (tmp_path / "my report.html").unlink(missing_ok=True)
    picture_paths(tmp_path / "my report.md", force=True)


@pytest.mark.slow
def test_all_pictures_are_drawn_without_another_year(sides: tuple[Traces, ...], tmp_path: Path) -> None:
    generated, real, _ = sides
    paths = write_figures(generated, real, None, tmp_path / "figures")
    assert {path.stem for path in paths} == set(PICTURES) - {"identity"}
    assert min(path.stat().st_size for path in paths) > 20_000
    again = write_figures(generated, real, None, tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_the_pictures_show_the_homes_and_the_year_of_the_table(
    sides: tuple[Traces, ...], table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generated, real, _ = sides
    real.to_parquet(tmp_path / "real")
    generated.to_parquet(tmp_path / "made")
    drawn = []

    def remember(
        made: Traces, real: Traces, other: Traces | None, folder: Path, **more: object
    ) -> list[Path]:
        drawn.append((made.names, real.names, other, folder.name, more["is_southern"], more["origin"]))
        folder.mkdir()
        (folder / "hours.png").write_bytes(b"")
        return [folder / "hours.png"]

    monkeypatch.setattr(evaluate_folders, "evaluate", lambda *sides: table)
    monkeypatch.setattr(evaluate_folders, "write_figures", remember)
    config = evaluate.EvaluateConfig(max_homes=4)
    evaluate_folders.evaluate_dirs(tmp_path / "made", tmp_path / "real", tmp_path / "out.md", config)
    made, shown, other, folder, is_southern, origin = drawn.pop()
    assert (len(made), len(shown), other, folder) == (4, 4, None, "out-figures")
    assert is_southern is True
    assert origin == generated.time[0]
    with pytest.raises(ValueError, match="exists"):
        evaluate_folders.evaluate_dirs(tmp_path / "nothing", tmp_path / "real", tmp_path / "out.md", config)
    plain = evaluate.EvaluateConfig(max_homes=4, figures=False)
    path = evaluate_folders.evaluate_dirs(tmp_path / "made", tmp_path / "real", tmp_path / "plain.md", plain)
    assert not drawn
    assert not path.with_suffix(".html").exists()
    assert "![" not in path.read_text(encoding="utf-8")


@pytest.mark.real
def test_real_homes_lie_inside_the_band_that_they_make(data_dir: Path) -> None:
    from hidiff.data.ausgrid import read_traces

    real, other_year = evaluate_folders.real_years(
        read_traces(data_dir / "ausgrid"), evaluate.EvaluateConfig()
    )
    real, other_year = (side.select(side.names[:20]) for side in (real, other_year))
    axes = figure_autocorrelation(real, real, other_year).axes[2]
    lags, drawn = line(axes, "generated")
    edges = axes.collections[0].get_paths()[0].vertices
    for lag, value in zip(lags[:10], drawn[:10], strict=True):
        at = edges[np.isclose(edges[:, 0], lag), 1]
        assert at.min() < value < at.max()
