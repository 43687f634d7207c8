"""The reader of charging sessions: its traps, and its errors."""

from pathlib import Path

import pandas as pd
import pytest

from hidiff.errors import DataFormatError
from hidiff.scenarios.ev_data import clean_sessions, home_users, read_sessions

HEAD = (
    "session_ID;Garage_ID;User_ID;User_type;Shared_ID;Start_plugin;Start_plugin_hour;End_plugout;"
    "End_plugout_hour;El_kWh;Duration_hours\n"
)


def write(folder: Path, *rows: str) -> Path:
    path = folder / "sessions.csv"
    path.write_text(HEAD + "".join(f"1;G;{row}\n" for row in rows), encoding="utf-8")
    return path


def sessions_of(*rows: tuple[str, str, float], user: str = "a") -> pd.DataFrame:
    start, end, energy = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "user": user, "is_private": True, "start": pd.to_datetime(list(start), utc=True),
            "end": pd.to_datetime(list(end), utc=True), "energy_kwh": energy,
        }
    )  # fmt: skip


def test_decimal_commas_and_day_first_stamps_are_read_on_the_local_clock(tmp_path: Path) -> None:
    table = read_sessions(write(tmp_path, "u1;Private;NA;05.01.2019 17:30;17;06.01.2019 07:00;7;8,25;13,5"))
    row = table.iloc[0]
    assert row["start"] == pd.Timestamp("2019-01-05 16:30", tz="UTC")
    assert (row["end"] - row["start"]) == pd.Timedelta(hours=13.5)
    assert (row["energy_kwh"], row["is_private"]) == (8.25, True)


def test_a_night_of_the_spring_change_is_an_hour_shorter_than_its_stamps(tmp_path: Path) -> None:
    table = read_sessions(write(tmp_path, "u1;Shared;S1;30.03.2019 22:00;22;31.03.2019 06:00;6;8,0;8"))
    assert table["end"][0] - table["start"][0] == pd.Timedelta(hours=7)
    assert not table["is_private"][0]


@pytest.mark.parametrize("end", ["NA;NA", ";"])
def test_a_session_without_plug_out_is_left_out(tmp_path: Path, end: str) -> None:
    path = write(
        tmp_path,
        f"u1;Private;NA;05.01.2019 17:30;17;{end};8,25;NA",
        "u1;Private;NA;06.01.2019 17:30;17;06.01.2019 18:30;18;3;1",
    )
    assert len(read_sessions(path)) == 1


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("u;Private;NA;2019-01-05 17:30;17;06.01.2019 07:00;7;8,25;1", "row 2.*2019-01-05.*Start_plugin"),
        ("u;Private;NA;05.01.2019 17:30;17;06.01.2019 07:00;7;much;1", "row 2.*'much'.*El_kWh"),
        ("u;Private;NA;NA;17;06.01.2019 07:00;7;8,25;1", "row 2: no Start_plugin"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_row(tmp_path: Path, row: str, match: str) -> None:
    with pytest.raises(DataFormatError, match=match):
        read_sessions(write(tmp_path, row))


def test_a_table_with_commas_is_refused_with_its_missing_column(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("User_ID,Start\n1,2\n", encoding="utf-8")
    with pytest.raises(DataFormatError, match=r"no column 'User_ID'.*separated by ';'"):
        read_sessions(path)


def test_a_connection_counted_twice_becomes_one() -> None:
    table = clean_sessions(
        sessions_of(
            ("2019-01-05 17:00", "2019-01-05 18:00", 2.0), ("2019-01-05 18:03", "2019-01-06 06:00", 5.0)
        )
    )
    assert table["energy_kwh"].to_list() == [7.0]
    assert table["end"][0] == pd.Timestamp("2019-01-06 06:00", tz="UTC")


def test_a_session_that_begins_before_the_last_ended_cuts_it() -> None:
    table = clean_sessions(
        sessions_of(
            ("2019-01-05 17:00", "2019-01-08 18:00", 2.0), ("2019-01-06 18:00", "2019-01-07 06:00", 5.0)
        )
    )
    assert table["end"][0] == table["start"][1]


def test_a_month_without_the_car_begins_a_new_window() -> None:
    table = clean_sessions(
        sessions_of(
            ("2019-01-05 17:00", "2019-01-06 07:00", 2.0), ("2019-02-06 18:00", "2019-02-07 06:00", 5.0)
        )
    )
    assert table["window"].to_list() == [0, 1]


@pytest.mark.real
def test_the_real_sessions_are_as_their_authors_count_them(data_dir: Path) -> None:
    table = read_sessions(data_dir / "ev" / "norway_residential_sessions.csv")
    assert table["user"].nunique() == 96  # of 97: one, with two sessions, has no plug-out
    assert 6878 - 34 - 20 <= len(table) <= 6878 - 34
    clean = clean_sessions(table)
    follow = clean["start"] - clean.groupby("user")["end"].shift()
    assert (follow.dropna() >= pd.Timedelta(0)).all()
    assert clean["energy_kwh"].sum() == pytest.approx(table["energy_kwh"].sum())
    assert len(home_users(clean)) == 48
