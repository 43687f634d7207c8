"""Rows of joint distribution and diversity: equal sides at zero, each fault caught by the row made for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hidiff.data.ausgrid import read_traces
from hidiff.metrics import joint, table_rows_samples
from hidiff.metrics.metric import Metric, Panel

TIME = pd.date_range("2012-07-01 14:00", periods=48 * 7 * 12, freq="30min", tz="UTC")


def panel(seed: int, homes: int = 12) -> Panel:
    """Twelve weeks of homes with levels, evenings and days of their own, under shared clouds."""
    rng = np.random.default_rng(seed)
    hour = np.arange(len(TIME)) % 48 / 2
    day = np.arange(len(TIME)) // 48
    level = rng.lognormal(-0.5, 0.3, (homes, 1))
    slow = np.stack([np.convolve(rng.normal(size=day.max() + 9), np.ones(9) / 3, "valid") for _ in level])
    shape = 0.3 + np.exp(-((hour - rng.normal(19, 0.5, (homes, 1))) ** 2) / 6)
    load_kw = level * np.exp(0.4 * slow)[:, day] * shape * rng.gamma(4, 0.25, (homes, len(TIME)))
    sun = np.clip(np.sin((hour - 7) / 10 * np.pi), 0, None) * (hour < 17)
    clouds = rng.uniform(0.2, 1, day.max() + 1)[day] * rng.uniform(0.6, 1, len(TIME))
    capacity_kwp = rng.uniform(1, 3, homes)
    return Panel(
        load_kw=load_kw,
        pv_kw=capacity_kwp[:, None] * sun * clouds,
        time=TIME,
        clock=TIME.tz_convert("Australia/Sydney"),
        dt_h=0.5,
        night=sun == 0,
        capacity_kwp=capacity_kwp,
        homes=[f"s{seed}-{number}" for number in range(homes)],
        joints=np.arange(0),
        others=np.arange(0),
    )


REAL = panel(0)
ROWS = {(row.name, row.channel): row for row in table_rows_samples.sample_rows(0, has_classifier=False)}


def distance(metric: Metric, a: Panel, b: Panel = REAL) -> float:
    return float(metric.compare(metric.measure(a), metric.measure(b), None)[0])


def row(start: str) -> Metric:
    found = [metric for (name, _), metric in ROWS.items() if name.startswith(start)]
    return found[0]


def test_rows_are_of_two_groups_and_classifiers_only_where_asked_for() -> None:
    assert {metric.group for metric in ROWS.values()} == {"joint", "diversity"}
    names = {metric.name for metric in table_rows_samples.sample_rows(0, has_classifier=True)}
    more = names - {name for name, _ in ROWS}
    assert len(more) == 3
    assert all(name.startswith("classifier AUROC") for name in more)


def test_a_side_has_no_distance_to_itself_in_any_row() -> None:
    found = {name: distance(metric, REAL) for name, metric in ROWS.items()}
    assert max(map(abs, found.values())) < 1e-9, found


def test_other_homes_are_nearer_than_faults_in_the_row_made_for_each() -> None:
    rng = np.random.default_rng(0)
    other = panel(1)
    twice = replace(other, load_kw=2 * other.load_kw)
    # load of other days than the PV of the same home; and days in random order
    shifted = replace(other, load_kw=np.roll(other.load_kw, 20, axis=1))
    order = rng.permutation(len(TIME) // 48)
    shuffled = replace(other, load_kw=other.load_kw.reshape(12, -1, 48)[:, order].reshape(12, -1))
    smooth = replace(
        other, load_kw=np.repeat(other.load_kw.reshape(12, -1, 48).mean(axis=1), 84, 0).reshape(12, -1)
    )
    for start, fault, times in (
        ("energy distance of days", twice, 2),
        ("energy distance of weeks", twice, 2),
        ("MMD squared of days", shifted, 2),
        ("MMD squared of weeks", shifted, 2),
        ("Frechet distance of weeks", twice, 1.5),
        ("Frechet distance of weeks", shuffled, 1.02),
        ("recall of weeks", smooth, 2),
        ("spread of daily energy in a month and day type over homes", twice, 2),
        ("spread of daily energy in a month and day type over the days", smooth, 4),
    ):
        metric = row(start)
        assert distance(metric, fault) > times * max(distance(metric, other), 0), start
    # the shape of a day does not see the level, which the distances in kW see
    assert distance(row("MMD squared of days"), twice) == pytest.approx(
        distance(row("MMD squared of days"), other)
    )


def test_intervals_over_homes_answer_for_each_resample() -> None:
    shares = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), size=7) / 12
    other = panel(1)
    for metric in ROWS.values():
        if metric.has_interval:
            found = metric.compare(metric.measure(other), metric.measure(REAL), shares)
            assert found.shape == (7,), metric.name
            assert np.ptp(found) > 0, metric.name


def test_three_homes_have_no_overlap_to_report_and_every_other_distance() -> None:
    few, other = REAL.take(np.arange(3)), panel(1).take(np.arange(3))
    for metric in ROWS.values():
        is_overlap = metric.name.split()[0] in ("precision", "recall", "density", "coverage")
        assert np.isnan(distance(metric, other, few)) == is_overlap, metric.name


@pytest.mark.real
def test_real_years_are_told_apart_by_their_weather_unless_dates_are_held_out(data_dir: Path) -> None:
    traces = read_traces(data_dir / "ausgrid")
    clean = traces.homes["is_clean"].to_numpy(dtype=bool)
    names = [name for name, is_clean in zip(traces.names, clean, strict=True) if is_clean][:12]
    sides = []
    for start, end in (("2010-07-01", "2011-07-01"), ("2011-07-01", "2012-07-01")):
        year = traces.select(names).between(start, end)
        clock = year.time.tz_convert(year.time_zone)
        sides.append(joint.week_features(year.load_kw, year.pv_kw, clock, year.dt_h))
    known, held_out = (
        joint.classifier_auroc(
            *sides,
            names,
            names,
            np.random.default_rng(0),
            max_windows=700,
            max_bins=31,
            folds=3,
            has_other_windows=other,
        )
        for other in (False, True)
    )
    assert known > held_out + 0.05
    assert 0.4 < held_out < 0.6
