"""The fit of car owners: known answers from made-up users, and the file that ships."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hidiff.errors import DataFormatError
from hidiff.scenarios.behaviour import DAY_MIN, Behaviour, Person, live
from hidiff.scenarios.ev_data import clean_sessions
from hidiff.scenarios.ev_fit import EvFitConfig, decisions, fit_behaviour, read_behaviour, write_behaviour

DAYS = 84
FAST = EvFitConfig(habit=2, steps=200)


def made_up() -> pd.DataFrame:
    """Eight users: four plug in at 18:00 on every workday, four at 21:30 on every second day; all leave at 07:00."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(8):
        for day in range(DAYS):
            is_commuter = number < 4
            if (is_commuter and day % 7 < 5) or (not is_commuter and day % 2 == number % 2):
                start = day * 24 + (18 if is_commuter else 21.5) + rng.uniform(-0.2, 0.2)
                rows.append(
                    (f"u{number}", start, (day + 1) * 24 + 7 + rng.uniform(-0.2, 0.2), rng.uniform(7, 8))
                )
    user, start, end, energy = zip(*rows, strict=True)
    monday = pd.Timestamp("2019-01-07", tz="Europe/Oslo").tz_convert("UTC")
    return clean_sessions(
        pd.DataFrame(
            {
                "user": user, "is_private": True, "start": monday + pd.to_timedelta(start, unit="h"),
                "end": monday + pd.to_timedelta(end, unit="h"), "energy_kwh": energy,
            }
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted() -> Behaviour:
    return fit_behaviour(made_up(), FAST)


def lives(behaviour: Behaviour, count: int = 30) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for number in range(count):
        rng = np.random.default_rng(number)
        stays, _ = live(Person(behaviour, rng), np.arange(140) % 7, rng)
        start = np.array([stay.start_min for stay in stays])
        found.append((start, np.array([stay.end_min for stay in stays])))
    return found


def test_owners_plug_in_and_leave_at_the_hours_of_the_users(fitted: Behaviour) -> None:
    start, end = (np.concatenate(part) % DAY_MIN / 60 for part in zip(*lives(fitted), strict=True))
    assert np.mean((np.abs(start - 18) < 1) | (np.abs(start - 21.5) < 1)) > 0.85
    assert np.mean(np.abs(end - 7) < 1) > 0.85


def test_some_owners_keep_workdays_and_others_every_second_day(fitted: Behaviour) -> None:
    weekend, next_day = [], []
    for start, _ in lives(fitted):
        day = np.unique((start - 240) // DAY_MIN)
        weekend.append(np.mean(day % 7 >= 5))
        next_day.append(np.mean(np.diff(day) == 1))
    weekend, next_day = np.array(weekend), np.array(next_day)
    assert np.corrcoef(weekend, next_day)[0, 1] < -0.6
    assert np.quantile(next_day, 0.9) > 0.65
    assert np.quantile(next_day, 0.1) < 0.3


def test_the_tree_says_the_same_of_a_day_when_it_is_read_and_when_it_is_lived() -> None:
    rows, users = decisions(made_up())
    assert users == [f"u{number}" for number in range(8)]
    sessions = made_up()
    assert len(rows["plugs_in_at"].values) == len(rows["fraction"].values) == len(sessions)
    assert all(row[2] == 1 for row in rows["stays"].values)
    assert all(row[3] <= row[2] <= row[4] for part in rows.values() for row in part.values)


def test_two_users_are_no_population() -> None:
    sessions = made_up()
    with pytest.raises(ValueError, match=r"2 users.*at least 3"):
        fit_behaviour(sessions[sessions["user"].isin(["u1", "u2"])], FAST)


def test_a_written_fit_is_read_back_to_its_digits(fitted: Behaviour, tmp_path: Path) -> None:
    path = write_behaviour(fitted, tmp_path / "fit.json", {"source": "made up"})
    again = read_behaviour(path)
    np.testing.assert_allclose(again.spread, fitted.spread, atol=5.1e-5)
    np.testing.assert_allclose(again.weights["stays"]["hour"], fitted.weights["stays"]["hour"], atol=5.1e-5)
    content = json.loads(path.read_text())
    del content["weights"]["stays"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataFormatError, match="no part 'stays'"):
        read_behaviour(path)
    path.write_text("{")
    with pytest.raises(DataFormatError, match=r"no file of write_behaviour"):
        read_behaviour(path)


def test_the_shipped_fit_names_its_source_and_no_user() -> None:
    text = (Path(__file__).resolve().parents[2] / "scenarios" / "parameters" / "ev_norway.json").read_text()
    content = json.loads(text)
    assert "Sørensen" in content["attribution"] and "CC BY 4.0" in content["attribution"]
    assert set(content) == {"attribution", "fitted_on", "mean", "spread", "weights", "loadings"}
    assert len(text) < 100_000
    read_behaviour()


@pytest.mark.parametrize(
    ("field", "value"), [("habit", 0), ("steps", 0), ("learning_rate", float("nan")), ("smoothness", -1.0)]
)
def test_a_fit_that_cannot_be_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        EvFitConfig(**{field: value})


@pytest.mark.real
def test_owners_plug_in_as_often_as_the_real_users(data_dir: Path) -> None:
    from hidiff.scenarios.ev_data import home_users, read_sessions

    sessions = clean_sessions(read_sessions(data_dir / "ev" / "norway_residential_sessions.csv"))
    sessions = sessions[sessions["user"].isin(home_users(sessions))]
    rates = []
    for _, own in sessions.groupby(["user", "window"]):
        days = (own["end"].iloc[-1] - own["start"].iloc[0]).days
        rates.append([len(own) / days, own["energy_kwh"].sum() / days] if days >= 28 else [np.nan, np.nan])
    real = np.nanmean(rates, axis=0)
    found = [len(start) / 140 for start, _ in lives(read_behaviour(), 60)]
    assert np.mean(found) == pytest.approx(real[0], rel=0.25)
