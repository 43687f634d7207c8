"""Years of homes from a model that has learned next to nothing: all that must hold without learning."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from hidiff.data import solar
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces, concat_homes
from hidiff.diffusion import hierarchy
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.household import Household
from hidiff.diffusion.identity import PLACE
from hidiff.errors import CheckpointError

START = "2030-01-01"
CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module")
def three(tiny_model: HiDiff) -> Traces:
    """Three new homes over 2030."""
    return tiny_model.sample(homes=3, start=START, seed=1)


# ---------------------------------------------------------------- physics


def test_a_year_in_sydney_begins_at_local_midnight(three: Traces) -> None:
    assert three.time[0] == pd.Timestamp("2029-12-31 13:00", tz="UTC")
    assert three.load_kw.shape == three.pv_kw.shape == (3, 17520)
    assert three.load_kw.dtype == np.float32


def test_load_and_pv_are_physical_in_every_step(three: Traces) -> None:
    capacity = three.homes["pv_capacity_kwp"].to_numpy()
    assert np.isfinite(three.load_kw).all() and np.isfinite(three.pv_kw).all()
    assert (three.load_kw >= 0).all() and (three.load_kw.mean(1) > 0.01).all()
    assert (three.pv_kw >= 0).all() and (three.pv_kw <= capacity[:, None] * (1 + 1e-6)).all()
    assert (three.pv_kw.max(1) > 0.2 * capacity).all()


def test_pv_is_exactly_zero_while_the_sun_is_down(three: Traces) -> None:
    sky = solar.clear_sky(three.time)
    night = sky.apparent_zenith > 90
    assert 0.4 < night.mean() < 0.6
    assert (three.pv_kw[:, night] == 0).all()
    noon = sky.apparent_zenith < 60
    assert (three.pv_kw[:, noon] > 0).all()


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/Los_Angeles"])
def test_the_sun_of_other_time_zones_stands_high_at_noon(tiny_model: HiDiff, zone: str) -> None:
    traces = tiny_model.sample(start="2030-07-01", time_zone=zone, steps=1, seed=2)
    assert traces.time[0] == pd.Timestamp("2030-07-01", tz=zone)
    local = traces.time.tz_convert(zone)
    by_hour = pd.Series(traces.pv_kw[0]).groupby(local.hour).mean()
    assert 10 <= by_hour.idxmax() <= 14
    assert by_hour[[22, 23, 0, 1, 2, 3]].max() == 0


def test_energies_in_the_table_of_homes_are_those_of_the_traces(three: Traces) -> None:
    np.testing.assert_allclose(three.homes["annual_kwh"], three.load_kwh, rtol=1e-5)
    np.testing.assert_allclose(three.homes["annual_pv_kwh"], three.pv_kwh, rtol=1e-5)
    assert three.homes.index.tolist() == ["new-000000", "new-000001", "new-000002"]
    assert (three.homes["mode"] == "new").all()


# ---------------------------------------------------------------- one home, one trace


def assert_same_bits(found: Traces, expected: Traces) -> None:
    np.testing.assert_array_equal(found.load_kw, expected.load_kw)
    np.testing.assert_array_equal(found.pv_kw, expected.pv_kw)
    pd.testing.assert_frame_equal(found.homes, expected.homes)


@pytest.mark.parametrize(
    "choices", [{"batch_size": 1}, {"batch_size": 2}, {"workers": 1}, {"workers": 3, "batch_size": 5}]
)
def test_a_trace_depends_neither_on_the_batch_size_nor_on_the_workers(
    tiny_model: HiDiff, three: Traces, choices: dict[str, int]
) -> None:
    assert_same_bits(tiny_model.sample(homes=3, start=START, seed=1, **choices), three)


def test_a_trace_does_not_depend_on_the_homes_asked_with_it(tiny_model: HiDiff, three: Traces) -> None:
    assert_same_bits(tiny_model.sample(homes=1, start=START, seed=1), three.select([three.names[0]]))


def test_the_same_call_gives_the_same_bits_with_any_number_of_threads(
    tiny_model: HiDiff, three: Traces
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = tiny_model.sample(homes=3, start=START, seed=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert_same_bits(again, three)


@pytest.mark.parametrize("skip", [1, 2])
def test_homes_can_be_made_from_the_middle_on(tiny_model: HiDiff, three: Traces, skip: int) -> None:
    batches = list(tiny_model.sample_batches(3, 1, START, 1, skip=skip, batch_size=1))
    assert [batch.names for batch in batches] == [[name] for name in three.names[skip:]]
    for batch in batches:
        assert_same_bits(batch, three.select(batch.names))
    assert list(tiny_model.sample_batches(3, 1, START, 1, skip=3)) == []


def test_a_set_made_in_any_order_of_its_parts_is_the_same_set(tiny_model: HiDiff, three: Traces) -> None:
    parts = {}
    for place in (2, 0, 1):
        (parts[place],) = tiny_model.sample_batches(place + 1, 1, START, 1, skip=place)
    assert_same_bits(concat_homes([parts[place] for place in range(3)]), three)


def test_homes_are_drawn_as_they_are_needed(
    tiny_model: HiDiff, three: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    draw = hierarchy.new_household

    def noted(*arguments: Any) -> Household:
        drawn.append(next(value for value in arguments if isinstance(value, int)))
        return draw(*arguments)

    monkeypatch.setattr(hierarchy, "new_household", noted)
    batches = tiny_model.sample_batches(1_000_000, 1, START, 1, skip=999_990, batch_size=1, workers=1)
    assert drawn == []
    assert next(batches).names == ["new-999990"]
    assert 999_990 in drawn and set(drawn) <= {999_990, 999_991, 999_992}
    batches.close()  # type: ignore[attr-defined]


def test_homes_and_seeds_differ(tiny_model: HiDiff, three: Traces) -> None:
    other = tiny_model.sample(homes=1, start=START, seed=2)
    for a, b in ((three.load_kw[0], three.load_kw[1]), (three.load_kw[0], other.load_kw[0])):
        assert np.abs(a - b).mean() > 0.05 * a.mean()


def test_two_years_begin_with_the_first_one_and_cross_new_year_without_a_seam(
    tiny_model: HiDiff, three: Traces
) -> None:
    two = tiny_model.sample(homes=1, years=2, start=START, seed=1)
    assert two.load_kw.shape == (1, 2 * 17520)
    np.testing.assert_allclose(two.load_kw[0, :17520], three.load_kw[0], **CLOSE)
    first, second = two.load_kw[0].reshape(2, -1)
    assert np.abs(first - second).mean() > 0.05 * first.mean()
    assert two.homes["annual_kwh"].iloc[0] == pytest.approx(two.load_kwh[0] / 2, rel=1e-5)


# ---------------------------------------------------------------- what can be asked


def test_asked_energy_and_capacity_are_met(tiny_model: HiDiff) -> None:
    traces = tiny_model.sample(homes=2, start="2032-01-01", annual_kwh=5000, pv_kwp=6.5, steps=1)
    np.testing.assert_allclose(traces.load_kwh, 5000, rtol=1e-5)
    assert (traces.homes["pv_capacity_kwp"] == 6.5).all()
    assert (traces.pv_kw.max(1) > 1.5).all() and (traces.pv_kw <= 6.5 * (1 + 1e-6)).all()


def test_no_panels_generate_nothing(tiny_model: HiDiff) -> None:
    traces = tiny_model.sample(homes=1, start=START, pv_kwp=0, steps=1)
    assert not traces.pv_kw.any()
    assert traces.homes["pv_capacity_kwp"].iloc[0] == 0
    assert traces.load_kw.mean() > 0.01


def test_homes_like_training_homes_carry_their_statistics(tiny_model: HiDiff) -> None:
    name = tiny_model.homes[-1]
    (home,) = tiny_model.households(1, 0, mode="like", household=[name])
    assert home.name == f"like-{name}"
    np.testing.assert_array_equal(home.statistics, tiny_model.statistics[-1])
    np.testing.assert_array_equal(home.style, tiny_model.styles[-1])
    assert home.capacity_kwp == pytest.approx(tiny_model.capacity_kwp[-1])
    traces = tiny_model.sample(mode="like", household=[name], start=START, steps=1)
    assert traces.homes["mode"].tolist() == ["like"]


def test_one_name_is_as_good_as_a_list_of_one(tiny_model: HiDiff) -> None:
    name = tiny_model.homes[0]
    assert tiny_model.households(1, 0, mode="like", household=name)[0].name == f"like-{name}"


def test_without_names_every_training_home_comes_once_before_any_comes_again(tiny_model: HiDiff) -> None:
    count = len(tiny_model.homes)
    homes = tiny_model.households(count + 1, 3, mode="like")
    assert {home.name for home in homes[:count]} == {f"like-{name}" for name in tiny_model.homes}
    assert homes[-1].name == f"{homes[0].name}-2"
    assert homes[-1].key != homes[0].key
    assert [home.name for home in tiny_model.households(2, 3, mode="like")] == [h.name for h in homes[:2]]


def test_readings_give_a_home_of_their_size(tiny_model: HiDiff) -> None:
    readings = synthetic_homes(2, 30, start="2012-10-20", seed=9)
    homes = tiny_model.households(2, 0, mode="from-readings", readings=readings)
    assert [home.name for home in homes] == [f"readings-{name}" for name in readings.names]
    for row, home in enumerate(homes):
        assert home.capacity_kwp == pytest.approx(readings.homes["pv_capacity_kwp"].iloc[row])
        assert home.mean_load_kw == pytest.approx(readings.load_kw[row].mean(), rel=0.5)
        assert np.isfinite(home.statistics).all() and np.isfinite(home.style).all()
    traces = tiny_model.sample(homes=1, mode="from-readings", readings=readings, start=START, steps=1)
    assert traces.homes["mode"].tolist() == ["from-readings"]


def test_readings_with_gaps_count_their_whole_days(tiny_model: HiDiff) -> None:
    readings = synthetic_homes(1, 30, start="2012-06-20", seed=9)
    load = readings.load_kw.copy()
    load[0, 48 * 3 : 48 * 12 : 50] = np.nan
    gaps = Traces(load, readings.pv_kw, readings.time, readings.homes)
    (home,) = tiny_model.households(1, 0, mode="from-readings", readings=gaps)
    assert np.isfinite(home.statistics).all() and np.isfinite(home.style).all()


def test_a_home_that_reads_no_pv_gets_none(tiny_model: HiDiff) -> None:
    readings = synthetic_homes(1, 20, seed=9)
    dark = Traces(
        readings.load_kw, 0 * readings.pv_kw, readings.time, readings.homes.assign(pv_capacity_kwp=0.0)
    )
    (home,) = tiny_model.households(1, 0, mode="from-readings", readings=dark)
    assert home.capacity_kwp == 0 and np.isfinite(home.statistics).all()
    assert home.statistics[PLACE["tilt"]] == pytest.approx(tiny_model.reader.population[PLACE["tilt"]])


@pytest.mark.parametrize("days", [2, 4, 13])
def test_less_than_two_weeks_of_readings_are_refused(tiny_model: HiDiff, days: int) -> None:
    with pytest.raises(
        ValueError, match=rf"'synthetic-00000' has {days} whole days of readings; 14 are needed"
    ):
        tiny_model.households(1, 0, mode="from-readings", readings=synthetic_homes(1, days))


def test_given_weather_is_what_the_homes_live_under(tiny_model: HiDiff, three: Traces) -> None:
    dates = pd.date_range("2029-12-01", "2031-02-01")
    dull = pd.DataFrame({"clearness": 0.15, "temperature_max_c": 45.0}, index=dates)
    traces = tiny_model.sample(homes=1, start=START, seed=1, weather=dull)
    assert np.abs(traces.pv_kw[0] - three.pv_kw[0]).max() > 1e-3


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"homes": 0}, "homes=0; ask for a whole number of homes"),
        ({"homes": -1}, "homes=-1"),
        ({"homes": 2.5}, "homes=2.5"),
        ({"mode": "old"}, "unknown mode 'old'; there are new, like and from-readings"),
        ({"mode": "like", "household": ["nobody"]}, "unknown household 'nobody'; the model was trained on"),
        ({"household": ["synthetic-00001"]}, "mode is 'new'; ask for mode like"),
        ({"mode": "from-readings"}, "mode from-readings and readings go together"),
        ({"annual_kwh": 0}, r"annual_kwh=0 lies outside 100\.\.200000"),
        ({"annual_kwh": np.nan}, "annual_kwh=nan"),
        ({"pv_kwp": -1}, "pv_kwp=-1 lies outside"),
        ({"steps": 0}, "steps=0; sampling needs at least 1"),
        ({"steps": -3}, "steps=-3"),
        ({"solver": "euler"}, r"unknown solver 'euler'; there are heun, dpm\+\+2m"),
        ({"batch_size": 0}, "batch_size=0; give a whole number, at least 1"),
        ({"batch_size": 2.5}, r"batch_size=2\.5"),
        ({"batch_size": True}, "batch_size=True"),
        ({"workers": 0}, "workers=0; give a whole number, at least 1, or none to have it chosen"),
        ({"workers": -1}, "workers=-1"),
        ({"workers": 1.5}, r"workers=1\.5"),
        ({"skip": -1}, r"skip=-1; it must lie in 0\.\.1, the number of homes"),
        ({"skip": 2}, "skip=2"),
        ({"device": "tpu"}, "unknown device 'tpu'; there are cpu and cuda"),
        ({"time_zone": "Mars/Olympus"}, "unknown time zone"),
    ],
)
def test_what_cannot_be_made_is_refused_before_any_work(
    tiny_model: HiDiff, choices: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_model.sample_batches(**{"homes": 1, **choices})


def test_a_household_named_twice_is_refused(tiny_model: HiDiff) -> None:
    with pytest.raises(ValueError, match="is named twice; ask for more homes"):
        tiny_model.households(2, 0, mode="like", household=[tiny_model.homes[0]] * 2)


def test_weather_must_cover_every_asked_day(tiny_model: HiDiff) -> None:
    half = pd.DataFrame({"clearness": 0.5}, index=pd.date_range("2029-12-01", "2030-06-30"))
    with pytest.raises(
        ValueError, match=r"covers 2029-12-01 to 2030-06-30, but 2030-07-01 is needed \(184 days"
    ):
        tiny_model.sample_batches(1, 1, START, weather=half)
    with pytest.raises(ValueError, match="covers no day"):
        tiny_model.sample_batches(1, 1, START, weather=half.iloc[:0])
    with pytest.raises(ValueError, match="none of the columns temperature_max_c"):
        tiny_model.sample_batches(1, 1, START, weather=half.rename(columns={"clearness": "sun"}))


# ---------------------------------------------------------------- on disk


def test_a_saved_model_makes_the_same_traces(tiny_model: HiDiff, three: Traces, tmp_path: Path) -> None:
    tiny_model.save(tmp_path / "again", "card")
    again = HiDiff.load(tmp_path / "again")
    assert again.sampler == tiny_model.sampler and again.homes == tiny_model.homes
    assert again.notes == tiny_model.notes
    traces = again.sample(homes=1, start=START, seed=1)
    np.testing.assert_allclose(traces.load_kw[0], three.load_kw[0], **CLOSE)


def test_a_config_of_another_model_is_refused(tiny_model: HiDiff, tmp_path: Path) -> None:
    tiny_model.save(tmp_path, "card")
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    for change in (
        {"low": {"width": 64}},
        {"low": {"colour": 1}},
        {"homes": ["one"]},
        {"sampler": {"steps": 0}},
    ):
        file.write_text(json.dumps({**config, **change}))
        with pytest.raises(CheckpointError, match="does not hold a model of this version"):
            HiDiff.load(tmp_path)
    del config["high"]
    file.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="'high'"):
        HiDiff.load(tmp_path)


def test_who_asks_for_steps_gets_a_solver_that_can_take_them(tiny_model: HiDiff) -> None:
    assert (tiny_model.sampler_for(None, None).solver, tiny_model.sampler_for(None, None).steps) == (
        "student",
        4,
    )
    assert tiny_model.sampler_for(3, None).solver == "dpm++2m"
    assert tiny_model.sampler_for(3, "heun").steps == 3
    with pytest.raises(ValueError, match="the student takes 4"):
        tiny_model.sampler_for(3, "student")
    with pytest.raises(ValueError, match="steps=0"):
        tiny_model.sampler_for(0, None)
