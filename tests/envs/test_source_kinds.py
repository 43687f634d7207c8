"""Sources replay what they drew, and keep homes apart."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hidiff
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.envs.sources import Source, TraceSource, Window, split_source
from hidiff.envs.sources_bootstrap import BootstrapSource
from hidiff.envs.sources_generated import GeneratedSource
from hidiff.envs.sources_given import ArraySource
from hidiff.envs.sources_scenarios import ScenarioSource
from hidiff.scenarios.ev_scenarios import with_electric_cars
from hidiff.scenarios.scenario_set import ScenarioSet

WEEK = 336


class FakeModel:
    """Homes whose load says which they are; of the generator only the calls that a source makes."""

    def __init__(self) -> None:
        self.made: list[tuple[int, int]] = []
        self.error: Exception | None = None

    def sample_batches(
        self, homes: int, years: int, start: str, seed: int, *, skip: int, **_: Any
    ) -> Iterator[Traces]:
        for place in range(skip, homes):
            if self.error is not None:
                raise self.error
            self.made.append((seed, place))
            yield synthetic_homes(1, 21, start, seed=seed + place)


@pytest.fixture(scope="module")
def year() -> Traces:
    return synthetic_homes(4, 366, "2029-07-01")


@pytest.fixture(scope="module")
def scenario_set(year: Traces) -> ScenarioSet:
    traces = year.between("2029-07-01", "2029-08-10")
    parts = [traces, Traces(traces.load_kw * 2, traces.pv_kw, traces.time, traces.homes, traces.time_zone)]
    whole = with_electric_cars(
        ScenarioSet.from_traces(parts, probability=[0.25, 0.75]), seed=3, homes=traces.names[:2]
    )
    given = np.arange(len(traces.time), dtype=np.float32)
    more = ScenarioSet.from_arrays(
        {"temperature_c": np.stack([given, -given]), "wholesale_price_per_kwh": np.stack([given, given])},
        time=traces.time, homes=traces.homes, scenarios=whole.scenarios,
    )  # fmt: skip
    return whole.with_channels(more.channels)


@pytest.fixture(params=["traces", "stored", "bootstrap", "scenarios", "generated", "arrays"])
def source(
    request: pytest.FixtureRequest, year: Traces, scenario_set: ScenarioSet, tmp_path: Path
) -> Iterator[Source]:
    if request.param == "generated":
        generated = GeneratedSource(WEEK, model=FakeModel(), bank_homes=3, refresh_after=5)  # type: ignore[arg-type]
        yield generated
        generated.close()
        return
    if request.param == "arrays":
        window = TraceSource(year, WEEK).draw(np.random.default_rng(0))
        yield ArraySource({"load_kw": window.load_kw, "outdoor_c": window.load_kw}, time=window.time)
        return
    yield {
        "traces": lambda: TraceSource(year, WEEK),
        "stored": lambda: TraceSource(
            hidiff.open(year.between("2029-07-01", "2029-08-01").to_parquet(tmp_path)), WEEK
        ),
        "bootstrap": lambda: BootstrapSource(year, WEEK),
        "scenarios": lambda: ScenarioSource(scenario_set, WEEK),
    }[request.param]()


def same(one: Window, other: Window) -> bool:
    return (
        one.episode == other.episode
        and one.home == other.home
        and np.array_equal(one.load_kw, other.load_kw)
        and np.array_equal(one.pv_kw, other.pv_kw)
        and one.time.equals(other.time)
        and one.pv_capacity_kwp == other.pv_capacity_kwp
        and one.given.keys() == other.given.keys()
        and all(np.array_equal(one.given[name], other.given[name]) for name in one.given)
    )


def test_an_episode_is_given_back_by_its_name_whatever_was_drawn_since(source: Source) -> None:
    windows = [source.draw(np.random.default_rng(seed)) for seed in range(12)]
    for window in windows:
        assert len(window.load_kw) == len(window.time) == source.steps == WEEK
        assert window.time[0].tz_convert(window.time_zone).hour == 0
        assert same(window, source.draw(np.random.default_rng(99), episode=window.episode))
    if not isinstance(source, ArraySource):
        assert len({window.episode for window in windows}) > 4


def test_equal_generators_draw_equal_windows(source: Source) -> None:
    assert same(source.draw(np.random.default_rng(5)), source.draw(np.random.default_rng(5)))


def test_a_name_of_no_episode_is_refused(source: Source) -> None:
    random = np.random.default_rng(0)
    known = source.draw(random)
    for wrong in ("nonsense", f"x{known.episode}", known.episode[:-4]):
        with pytest.raises(ValueError, match=r"episode|unknown|home"):
            source.draw(random, episode=wrong)
    with pytest.raises(ValueError, match="not both"):
        source.draw(random, episode=known.episode, home=known.home)


def test_a_stored_set_reads_the_drawn_home_alone_and_draws_like_memory(
    year: Traces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = year.between("2029-07-01", "2029-08-01")
    short = Traces(short.load_kw.astype(np.float32), short.pv_kw.astype(np.float32), short.time, short.homes)
    stored = hidiff.open(short.to_parquet(tmp_path))
    read: list[str] = []
    original = type(stored).read_home
    monkeypatch.setattr(
        type(stored), "read_home", lambda self, name: read.append(name) or original(self, name)
    )
    window = TraceSource(stored, WEEK).draw(np.random.default_rng(2))
    assert read == [window.home]
    assert same(window, TraceSource(short, WEEK).draw(np.random.default_rng(2)))


def test_a_stored_set_with_gaps_gives_whole_windows_only(year: Traces, tmp_path: Path) -> None:
    short = year.between("2029-07-01", "2029-07-20")
    load_kw = short.load_kw.copy()
    load_kw[0, ::100] = np.nan
    load_kw[1, : 48 * 10] = np.nan
    path = Traces(load_kw, short.pv_kw, short.time, short.homes).to_parquet(tmp_path)
    source = TraceSource(hidiff.open(path, allow_gaps=True), WEEK)
    windows = [source.draw(np.random.default_rng(seed)) for seed in range(40)]
    assert {window.home for window in windows} == set(short.names[1:])
    assert all(np.isfinite(window.load_kw).all() for window in windows)
    with pytest.raises(ValueError, match="choose another"):
        source.draw(np.random.default_rng(0), home=short.names[0])


def test_history_leaves_days_before_random_windows(year: Traces) -> None:
    source = TraceSource(year, WEEK, history_days=340)
    assert {source.draw(np.random.default_rng(seed)).first >= 340 * 48 for seed in range(20)} == {True}
    with pytest.raises(ValueError, match="days before them"):
        TraceSource(year, WEEK, history_days=366)


def test_given_series_are_cut_to_the_window(year: Traces) -> None:
    clock = np.arange(len(year.time))
    window = TraceSource(year, WEEK, given={"outdoor_c": clock}).draw(np.random.default_rng(0))
    assert window.given["outdoor_c"].tolist() == list(range(window.first, window.first + WEEK))
    with pytest.raises(ValueError, match="one number for each"):
        TraceSource(year, WEEK, given={"outdoor_c": clock[:-1]})


def test_train_and_test_homes_do_not_mix_and_twins_stay_together(year: Traces) -> None:
    twins = year.homes.assign(source_home=[year.names[1], "", year.names[2], ""])
    traces = Traces(year.load_kw, year.pv_kw, year.time, twins)
    train, test = split_source(traces, [year.names[0]], steps=WEEK)
    assert test.names == year.names[:2]
    assert train.names == year.names[2:]
    with pytest.raises(ValueError, match="other side of the split"):
        train.draw(np.random.default_rng(0), home=year.names[1])
    window = test.draw(np.random.default_rng(0))
    with pytest.raises(ValueError, match="other side of the split"):
        train.draw(np.random.default_rng(0), episode=window.episode)


def test_a_share_of_homes_is_held_out_by_name(year: Traces) -> None:
    train, test = split_source(year, 0.5, steps=WEEK, seed=1)
    assert sorted(train.names + test.names) == year.names
    fewer = split_source(year.select([train.names[0], test.names[0]]), 0.5, steps=WEEK, seed=1)
    assert [side.names for side in fewer] == [[train.names[0]], [test.names[0]]]
    with pytest.raises(ValueError, match="left to test on"):
        split_source(year, 0.0, steps=WEEK)
    with pytest.raises(ValueError, match="unknown test home"):
        split_source(year, ["nobody"], steps=WEEK)


def test_bootstrap_days_are_the_homes_own_and_lives_differ(year: Traces) -> None:
    source = BootstrapSource(year, WEEK)
    home = year.names[2]
    one, other = (source.draw(np.random.default_rng(seed), home=home, start="2030-03-05") for seed in (1, 2))
    assert one.home == other.home == home
    assert not np.array_equal(one.load_kw, other.load_kw)
    assert set(one.load_kw.tolist()) <= set(year.load_kw[2].tolist())


def test_scenarios_come_by_their_probability_with_weather_prices_and_cars(scenario_set: ScenarioSet) -> None:
    source = ScenarioSource(scenario_set, WEEK)
    windows = [source.draw(np.random.default_rng(seed)) for seed in range(300)]
    share = np.mean([window.life.startswith("s1|") for window in windows])
    assert 0.65 < share < 0.85
    for window in windows[:20]:
        sign = -1 if window.life.startswith("s1|") else 1
        assert (
            window.given["outdoor_c"].tolist()
            == (sign * np.arange(window.first, window.first + WEEK)).tolist()
        )
        assert ("car_is_home" in window.given) == (window.home in scenario_set.home_names[:2])


def test_a_home_is_generated_the_same_in_any_bank_and_after_it_has_gone() -> None:
    small = GeneratedSource(WEEK, model=FakeModel(), bank_homes=2, refresh_after=3)  # type: ignore[arg-type]
    large = GeneratedSource(WEEK, model=FakeModel(), bank_homes=5)  # type: ignore[arg-type]
    windows = [small.draw(np.random.default_rng(seed)) for seed in range(10)]
    assert {window.home.split("-")[2] for window in windows} == {"0", "1", "2", "3"}
    for window in windows:
        assert same(window, large.draw(np.random.default_rng(0), episode=window.episode))
    other_seed = GeneratedSource(WEEK, model=FakeModel(), seed=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no home of this source"):
        other_seed.draw(np.random.default_rng(0), episode=windows[0].episode)
    for source in (small, large, other_seed):
        source.close()


@pytest.mark.slow
def test_the_model_makes_a_home_again_after_its_bank_has_gone() -> None:
    source = GeneratedSource(WEEK, bank_homes=2, refresh_after=1)
    window = source.draw(np.random.default_rng(0))
    source.draw(np.random.default_rng(0))
    again = source.draw(np.random.default_rng(7), episode=window.episode)
    source.close()
    assert again.load_kw is not window.load_kw
    assert same(window, again)


def test_what_the_thread_fails_with_is_raised_by_draw() -> None:
    model = FakeModel()
    source = GeneratedSource(WEEK, model=model, bank_homes=1, refresh_after=1)  # type: ignore[arg-type]
    model.error = RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        source.draw(np.random.default_rng(0))
    model.error = None
    assert source.draw(np.random.default_rng(0)).home == "generated-0-0-0"
    source.close()


def test_a_closed_source_draws_on_where_it_was() -> None:
    closed, open_ = (
        GeneratedSource(WEEK, model=FakeModel(), bank_homes=2, refresh_after=2) for _ in range(2)
    )  # type: ignore[arg-type]
    for seed in range(5):
        assert same(closed.draw(np.random.default_rng(seed)), open_.draw(np.random.default_rng(seed)))
        closed.close()
    open_.close()


def test_a_programme_ends_while_homes_are_being_made() -> None:
    code = """
import numpy as np
import pandas as pd
from hidiff.data.traces import Traces
from hidiff.envs.sources_generated import GeneratedSource
from hidiff.rng import generator
first = int(generator("generated source", 0, 0).integers(2**31))
table = pd.DataFrame({"pv_capacity_kwp": [0.0]}, index=pd.Index(["a"], name="home"))
time = pd.date_range("2030-01-01", periods=480, freq="30min", tz="UTC")
home = Traces(np.ones((1, 480)), np.zeros((1, 480)), time, table)
class Endless:
    def sample_batches(self, homes, years, start, seed, **_):
        while seed != first or (homes := homes - 1) >= 0:
            yield home
source = GeneratedSource(96, model=Endless(), bank_homes=2)
print(source.draw(np.random.default_rng(0)).home)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.startswith("generated-0-0-")
    assert not done.stderr


def test_arrays_that_do_not_fit_are_refused() -> None:
    time = pd.date_range("2030-01-01", periods=4, freq="1h", tz="UTC")
    with pytest.raises(ValueError, match="no load_kw"):
        ArraySource({"pv_kw": [0.0] * 4}, time=time)
    with pytest.raises(ValueError, match="the 4 steps"):
        ArraySource({"load_kw": [1.0] * 3}, time=time)
    with pytest.raises(ValueError, match=r"outdoor_c"):
        ArraySource({"load_kw": [1.0] * 4, "outdor_c": [1.0] * 4}, time=time)
    with pytest.raises(ValueError, match="a magnitude"):
        ArraySource({"load_kw": [1.0, 2.0, -1.0, 1.0]}, time=time)
    with pytest.raises(ValueError, match="not finite"):
        ArraySource({"load_kw": [1.0, 2.0, np.nan, 1.0]}, time=time)
    with pytest.raises(ValueError, match="no zone"):
        ArraySource({"load_kw": [1.0] * 4}, time=time.tz_localize(None))
    source = ArraySource({"load_kw": [1.0] * 4}, time=time)
    with pytest.raises(ValueError, match="the arrays are of 'given'"):
        source.draw(np.random.default_rng(0), home="a")
