"""Cars of homes: energy is kept, seeds and clocks do what they say, bad input is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hidiff.scenarios.ev_trips import EvConfig, channels_of, ev_channels, ev_day_types, ev_sessions, ev_trips

SYDNEY = "Australia/Sydney"


def clock(
    start: str = "2030-01-07", days: int = 28, minutes: int = 30, zone: str = SYDNEY
) -> pd.DatetimeIndex:
    first = pd.Timestamp(start, tz=zone)
    end = pd.Timestamp(start) + pd.Timedelta(days=days)
    return pd.date_range(first, end.tz_localize(zone), freq=f"{minutes}min", inclusive="left").tz_convert(
        "UTC"
    )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**40), home=st.text(min_size=1, max_size=5), minutes=st.sampled_from([5, 15, 30, 60, 240]),
    start=st.dates(pd.Timestamp("2025-01-01").date(), pd.Timestamp("2035-12-31").date()),
    zone=st.sampled_from([SYDNEY, "Europe/Oslo", "UTC", "Australia/Lord_Howe"]),
    config=st.builds(
        EvConfig, charger_kw=st.one_of(st.none(), st.floats(1.4, 22)),
        capacity_kwh=st.one_of(st.none(), st.floats(5, 100)),
    ),
)  # fmt: skip
def test_what_is_needed_is_charged_within_power_and_only_at_home(
    seed: int, home: str, minutes: int, start: object, zone: str, config: EvConfig
) -> None:
    time = clock(str(start), 21, minutes, zone)
    sessions = ev_sessions(time, zone, seed=seed, home=home, config=config)
    channels = channels_of(sessions, time)
    kw, is_home, need = channels["ev_kw"], channels["ev_is_home"], channels["ev_need_kwh"]
    hours = (sessions["plug_out"] - sessions["plug_in"]).dt.total_seconds() / 3600
    assert (hours > 0).all()
    assert (sessions["plug_in"].iloc[1:].to_numpy() >= sessions["plug_out"].iloc[:-1].to_numpy()).all()
    assert (sessions["energy_kwh"] <= sessions["charger_kw"] * hours * (1 + 1e-9)).all()
    if config.capacity_kwh is not None:
        assert (sessions["energy_kwh"] <= config.capacity_kwh / config.efficiency + 1e-9).all()
    assert kw.sum() * minutes / 60 == pytest.approx(need.sum(), abs=1e-6)
    assert kw.min() >= 0
    assert not len(sessions) or kw.max() <= sessions["charger_kw"].max()
    assert (kw[is_home == 0] == 0).all()
    assert set(np.unique(is_home)) <= {0.0, 1.0}


def test_energy_is_the_same_at_every_step_length() -> None:
    fine = ev_channels(clock(minutes=5), SYDNEY, seed=3, home="h1")
    for minutes in (15, 30, 60):
        coarse = ev_channels(clock(minutes=minutes), SYDNEY, seed=3, home="h1")
        parts = minutes // 5
        np.testing.assert_allclose(coarse["ev_kw"], fine["ev_kw"].reshape(-1, parts).mean(axis=1), atol=1e-9)
        np.testing.assert_allclose(
            coarse["ev_need_kwh"], fine["ev_need_kwh"].reshape(-1, parts).sum(axis=1), atol=1e-9
        )
        np.testing.assert_array_equal(coarse["ev_is_home"], fine["ev_is_home"].reshape(-1, parts).max(axis=1))


def test_a_connection_charges_at_full_power_until_its_energy_is_in() -> None:
    time = pd.date_range("2030-01-07", periods=6, freq="30min", tz="UTC")
    sessions = pd.DataFrame(
        {
            "plug_in": [time[1] + pd.Timedelta(minutes=15)], "plug_out": [time[5]], "energy_kwh": [5.0],
            "charger_kw": [4.0],
        }
    )  # fmt: skip
    channels = channels_of(sessions, time)
    np.testing.assert_allclose(channels["ev_kw"], [0, 2, 4, 4, 0, 0], atol=1e-12)
    np.testing.assert_array_equal(channels["ev_is_home"], [0, 1, 1, 1, 1, 0])
    np.testing.assert_allclose(channels["ev_need_kwh"], [0, 5, 0, 0, 0, 0])


def test_a_connection_that_the_span_cuts_counts_with_what_it_charges_inside() -> None:
    time = pd.date_range("2030-01-07", periods=4, freq="60min", tz="UTC")
    sessions = pd.DataFrame(
        {
            "plug_in": [time[0] - pd.Timedelta(hours=1), time[3]],
            "plug_out": [time[1], time[3] + pd.Timedelta(hours=9)], "energy_kwh": [5.0, 20.0], "charger_kw": [4.0, 4.0],
        }
    )  # fmt: skip
    channels = channels_of(sessions, time)
    np.testing.assert_allclose(channels["ev_kw"], [1, 0, 0, 4], atol=1e-12)
    np.testing.assert_allclose(channels["ev_need_kwh"], [1, 0, 0, 4])


def test_equal_seeds_give_equal_days_and_others_other_days_of_the_same_owner() -> None:
    time = clock(days=300)
    one, same, other = (ev_sessions(time, SYDNEY, seed=seed, home="h1") for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one["plug_in"].equals(other["plug_in"])
    assert one["charger_kw"][0] == other["charger_kw"][0]
    assert len(one) == pytest.approx(len(other), rel=0.25)
    assert (
        ev_sessions(time, SYDNEY, seed=1, home="h1", population_seed=5)["charger_kw"][0]
        != one["charger_kw"][0]
    )


def test_habits_differ_more_between_homes_than_between_scenarios() -> None:
    time = clock(days=364)
    counts = np.array(
        [[len(ev_sessions(time, SYDNEY, seed=seed, home=f"h{n}")) for seed in range(4)] for n in range(12)]
    )
    assert counts.mean(axis=1).std() > 3 * counts.std(axis=1).mean()


def test_a_shorter_span_of_the_same_year_has_the_same_connections() -> None:
    year = ev_sessions(clock("2030-01-01", 365), SYDNEY, seed=4, home="h1")
    time = clock("2030-03-01", 60)
    part = ev_sessions(time, SYDNEY, seed=4, home="h1")
    inside = year[(year["plug_out"] > time[0]) & (year["plug_in"] <= time[-1] + pd.Timedelta(minutes=29))]
    pd.testing.assert_frame_equal(part, inside.reset_index(drop=True))


@pytest.mark.parametrize("start", ["2030-04-06", "2030-10-05"])
def test_departures_keep_the_local_clock_through_a_clock_change(start: str) -> None:
    before, after = [], []
    for number in range(80):
        sessions = ev_sessions(clock(start, 3), SYDNEY, seed=0, home=f"h{number}")
        local = sessions["plug_out"].dt.tz_convert(SYDNEY)
        hour = local.dt.hour + local.dt.minute / 60
        for part, day in ((before, 0), (after, 2)):
            date = (pd.Timestamp(start) + pd.Timedelta(days=day)).date()
            part += hour[local.dt.date == date].to_list()
    monday = np.array(after)
    assert 6.3 < np.median(monday[(monday > 5) & (monday < 10)]) < 8.3
    assert len(before) > 20


@pytest.mark.parametrize("annual", [500.0, 2500.0])
def test_the_asked_energy_of_a_year_comes_out_over_homes(annual: float) -> None:
    config = EvConfig(annual_kwh=annual, charger_kw=7.4, capacity_kwh=60)
    time = clock("2030-01-01", 365, 60)
    found = [
        ev_channels(time, SYDNEY, seed=seed, home=f"h{number}", config=config)["ev_kw"].sum()
        for number in range(15)
        for seed in range(2)
    ]
    assert np.mean(found) == pytest.approx(annual, rel=0.07)


def test_more_energy_than_a_car_can_take_is_refused_with_the_most_it_can() -> None:
    config = EvConfig(annual_kwh=90_000, charger_kw=2.0)
    with pytest.raises(ValueError, match=r"annual_kwh=90000 .*'h1'.*ask for less"):
        ev_sessions(clock(), SYDNEY, seed=1, home="h1", config=config)


def test_day_types_cover_each_local_day_and_agree_with_the_connections() -> None:
    time = clock("2030-03-20", 40)
    types = ev_day_types(time, SYDNEY, seed=2, home="h3")
    assert len(types) == 40
    sessions = ev_sessions(time, SYDNEY, seed=2, home="h3")
    begun = (
        sessions["plug_in"].dt.tz_convert(SYDNEY).dt.tz_localize(None) - pd.Timedelta(hours=4)
    ).dt.normalize()
    counts = begun.value_counts().reindex(types.index[1:-1]).fillna(0)
    inner = types.iloc[1:-1]
    assert (counts[inner.isin(["stay", "away"])] == 0).all()
    assert (counts[inner.isin(["day", "night"])] == 1).all()
    assert (counts[inner == "several"] > 1).all()


def test_trips_lie_between_connections_and_use_what_is_charged_next() -> None:
    sessions = ev_sessions(clock(days=60), SYDNEY, seed=1, home="h2")
    trips = ev_trips(sessions, EvConfig(efficiency=0.8))
    assert len(trips) == len(sessions) - 1
    assert (trips["arrival"] >= trips["departure"]).all()
    assert trips["used_kwh"].sum() == pytest.approx(0.8 * sessions["energy_kwh"].iloc[1:].sum())


def test_cars_come_with_the_evening_rise_of_the_load_as_far_as_they_are_linked() -> None:
    time = clock("2030-01-01", 365)
    local = time.tz_convert(SYDNEY)
    late = np.where((local.hour >= 20) & (local.hour < 23), 3.0, 0.3)
    hours = {}
    for link in (0.0, 1.0):
        config = EvConfig(load_link=link)
        found = []
        for number in range(12):
            table = ev_sessions(time, SYDNEY, seed=0, home=f"h{number}", config=config, load_kw=late)
            arrival = table["plug_in"].dt.tz_convert(SYDNEY).dt.hour
            found.append(np.mean((arrival >= 19) & (arrival < 21)))
        hours[link] = np.mean(found)
    assert hours[1.0] > hours[0.0] + 0.1
    plain = ev_sessions(time, SYDNEY, seed=0, home="h0")
    off = ev_sessions(time, SYDNEY, seed=0, home="h0", config=EvConfig(load_link=0.0), load_kw=late)
    pd.testing.assert_frame_equal(plain, off)


def test_days_of_little_load_see_fewer_plug_ins() -> None:
    time = clock("2030-01-01", 364)
    day = np.arange(len(time)) // 48
    is_low = day % 9 < 2
    load = np.where(is_low, 0.2, 1.0)
    low, high = 0, 0
    for number in range(12):
        table = ev_sessions(
            time, SYDNEY, seed=0, home=f"h{number}", config=EvConfig(load_link=1.0), load_kw=load
        )
        inside = table[(table["plug_in"] >= time[0]) & (table["plug_in"] < time[-1])]
        began = time.searchsorted(inside["plug_in"] - pd.Timedelta(hours=4), side="right") - 1
        low += is_low[began].sum()
        high += (~is_low[began]).sum()
    assert low / is_low.sum() < 0.75 * high / (~is_low).sum()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("charger_kw", 0.0), ("charger_kw", float("nan")), ("capacity_kwh", -1.0), ("annual_kwh", float("inf")),
        ("efficiency", 1.1), ("load_link", 2.0), ("load_link", float("nan")),
    ],
)  # fmt: skip
def test_a_car_that_cannot_be_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        EvConfig(**{field: value})


@pytest.mark.parametrize(
    ("time", "match"),
    [
        (pd.date_range("2030-01-01", periods=4, freq="30min"), "naive"),
        (pd.date_range("2030-01-01", periods=1, freq="30min", tz="UTC"), "1 steps"),
        (pd.date_range("2030-01-01", periods=9, freq="7min", tz="UTC"), "7 minutes"),
        (pd.date_range("2030-01-01", periods=9, freq="30min", tz="UTC")[[0, 1, 3]], "uneven"),
    ],
)
def test_a_clock_that_cars_cannot_live_by_is_refused(time: pd.DatetimeIndex, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ev_channels(time, SYDNEY, seed=1, home="h")


def test_a_load_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="load_kw has the shape"):
        ev_channels(clock(), SYDNEY, seed=1, home="h", load_kw=np.ones(3))
