"""Forecasts know what they may know, and are as wrong as asked."""

from dataclasses import replace

import numpy as np
import pytest

from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.envs.forecasts import Forecast, error_of, forecasts
from hidiff.envs.sources import TraceSource, Window

HORIZON = 60


@pytest.fixture(scope="module")
def traces() -> Traces:
    return synthetic_homes(2, 60, "2030-06-01")


@pytest.fixture(scope="module")
def window(traces: Traces) -> Window:
    return TraceSource(traces, 336).draw(
        np.random.default_rng(0), home=traces.names[0], start="2030-06-20 07:30"
    )


def with_future_changed(window: Window, step: int) -> Window:
    """Everything after ``step`` of the window is another world."""
    load_kw, pv_kw = window.record_load_kw.copy(), window.record_pv_kw.copy()
    load_kw[window.first + step + 1 :] += 7.0
    pv_kw[window.first + step + 1 :] = 3.0
    return replace(window, record_load_kw=load_kw, record_pv_kw=pv_kw)


@pytest.mark.parametrize("step", [0, 1, 47, 48, 200])
def test_persistence_does_not_see_the_future(window: Window, step: int) -> None:
    config = Forecast(kind="persistence", horizon_steps=130)
    before, after = forecasts(config, window), forecasts(config, with_future_changed(window, step))
    for name in before:
        assert np.array_equal(before[name][: step + 1], after[name][: step + 1])
        assert not np.array_equal(before[name][step + 1 :], after[name][step + 1 :])


def test_persistence_is_the_mean_of_the_last_seven_days_at_that_time(window: Window) -> None:
    ahead = forecasts(Forecast(horizon_steps=HORIZON), window)["load_kw"]
    record, step = window.record_load_kw, window.first + 100
    assert ahead[100, 9] == pytest.approx(np.mean([record[step + 10 - 48 * day] for day in range(1, 8)]))
    assert ahead[100, 49] == pytest.approx(np.mean([record[step + 50 - 48 * day] for day in range(2, 9)]))


def test_persistence_at_the_beginning_of_a_record_takes_what_there_is(traces: Traces) -> None:
    window = TraceSource(traces, 96).draw(np.random.default_rng(0), start="2030-06-01")
    ahead = forecasts(Forecast(horizon_steps=48), window)["load_kw"]
    assert ahead[:1] == pytest.approx(window.load_kw[0])  # a first step, and no day before
    assert ahead[48, 0] == pytest.approx(window.load_kw[1])


def test_a_perfect_forecast_is_the_truth_and_ends_with_the_record(traces: Traces, window: Window) -> None:
    ahead = forecasts(Forecast(kind="perfect", horizon_steps=HORIZON), window)
    assert error_of(ahead, window) == {"load_kw": 0.0, "pv_kw": 0.0}
    assert ahead["pv_kw"][5, 7] == window.pv_kw[13]
    last = TraceSource(traces, 96).draw(np.random.default_rng(0), start="2030-07-29")
    beyond = forecasts(Forecast(kind="perfect", horizon_steps=HORIZON), last)
    persistence = forecasts(Forecast(horizon_steps=HORIZON), last)
    assert np.array_equal(beyond["load_kw"][-1], persistence["load_kw"][-1])


def test_a_noisy_forecast_is_as_wrong_as_asked_and_replays(traces: Traces) -> None:
    config = Forecast(kind="noisy", horizon_steps=60, error_1h=0.1, error_24h=0.5)
    flat = Traces(np.ones_like(traces.load_kw), np.zeros_like(traces.pv_kw), traces.time, traces.homes)
    window = TraceSource(flat, 48 * 50).draw(np.random.default_rng(0), start="2030-06-03")
    ahead = forecasts(config, window)
    error = ahead["load_kw"] - 1
    whole = slice(0, window.steps - 60)
    assert np.sqrt(np.mean(error[whole, 1] ** 2)) == pytest.approx(0.1, rel=0.15)
    assert np.sqrt(np.mean(error[whole, 47:] ** 2)) == pytest.approx(0.5, rel=0.25)
    assert abs(error[whole].mean()) < 0.08
    assert np.corrcoef(error[whole, 40], error[whole, 41])[0, 1] > 0.7
    assert (ahead["pv_kw"] == 0).all()
    assert np.array_equal(forecasts(config, window)["load_kw"], ahead["load_kw"])


def test_a_fan_is_asked_once_a_midnight_and_given_nothing_after_it(
    traces: Traces, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    from hidiff.diffusion.conditional import Fan, fan_time

    asked: list[pd.Timestamp] = []

    class Model:
        def conditional(self, readings: Traces, days: int, n: int, seed: int) -> Fan:
            asked.append(readings.time[-1] + pd.Timedelta(minutes=30))
            time = fan_time(readings, days)
            paths = np.arange(n)[:, None, None] + 10.0 * len(asked) + np.zeros((n, 1, len(time)))
            return Fan(
                load_kw=paths, pv_kw=paths, weather=np.zeros(0), time=time, homes=readings.homes,
                time_zone=readings.time_zone, provenance={},
            )  # fmt: skip

    model = Model()
    config = Forecast(kind="ensemble", horizon_steps=48, members=5, quantiles=(0.0, 1.0))
    result = forecasts(config, window, model=model)  # type: ignore[arg-type]
    local = window.time.tz_convert(window.time_zone)
    assert [stamp.tz_convert(window.time_zone).hour for stamp in asked] == [0] * 8
    assert asked[0] <= window.time[0] < asked[1]
    assert result["load_kw"].shape == (336, 48)
    assert result["pv_kw_quantiles"].shape == (336, 48, 2)
    expected = 12.0 + 10.0 * (local.normalize() - local[0].normalize()).days
    assert np.array_equal(result["load_kw"], np.repeat(expected.to_numpy()[:, None], 48, axis=1))
    assert np.array_equal(result["load_kw_quantiles"][:, 3] - result["load_kw"][:, 3:4], [[-2.0, 2.0]] * 336)
    again = forecasts(config, window, model=model)  # type: ignore[arg-type]
    assert len(asked) == 8
    assert np.array_equal(again["load_kw"], result["load_kw"])


@pytest.mark.slow
def test_the_generators_fan_does_not_see_the_future(window: Window) -> None:
    config = Forecast(kind="ensemble", members=2, horizon_steps=4, readings_days=16)
    short = replace(window, steps=84)
    step = 32  # the last before the second midnight; the third, from which the change is known, is step 81
    before, after = (forecasts(config, one) for one in (short, with_future_changed(short, step)))
    assert np.array_equal(before["load_kw"][:81], after["load_kw"][:81])
    assert not np.array_equal(before["load_kw"][81:], after["load_kw"][81:])


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"kind": "oracle"}, "use perfect"),
        ({"horizon_steps": 0}, "at least 1"),
        ({"error_1h": 0.5, "error_24h": 0.1}, "errors grow"),
        ({"quantiles": (0.1,)}, "has no quantiles"),
        ({"kind": "ensemble", "quantiles": (1.5,)}, "within 0..1"),
        ({"kind": "ensemble", "readings_days": 3}, "from 14 days on"),
    ],
)
def test_a_forecast_that_cannot_be_is_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Forecast(**fields)  # type: ignore[arg-type]


def test_a_fan_without_history_says_how_to_get_it(traces: Traces) -> None:
    window = TraceSource(traces, 96).draw(np.random.default_rng(0), start="2030-06-04")
    with pytest.raises(ValueError, match="history_days=15"):
        forecasts(Forecast(kind="ensemble"), window, model=object())  # type: ignore[arg-type]
