"""The common frame of the trained baselines: what they see, how they train, and how windows become years."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from hidiff.baselines import windows
from hidiff.baselines.windows import CONDITION, ENVELOPE, Scale, Windows, lay_out, train
from hidiff.baselines.years import AskedHome, join, years
from hidiff.data.prepare import Prepared, prepare
from hidiff.data.solar import Roof
from hidiff.data.traces import Traces
from hidiff.data.weather import COLUMNS
from hidiff.errors import NotConverged


@pytest.fixture(scope="module")
def prepared(tiny_homes: Traces) -> Prepared:
    return prepare(tiny_homes)


@pytest.fixture(scope="module")
def scale(prepared: Prepared) -> Scale:
    return Scale.fit(prepared, weather_of(prepared), household_of(prepared))


def weather_of(prepared: Prepared) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal([25, 12, 0.7], [5, 4, 0.2], (len(prepared.grid), 3)).astype(np.float32)


def household_of(prepared: Prepared) -> np.ndarray:
    return np.stack([np.log(prepared.scale_kw), prepared.capacity_kwp, np.ones(6)], axis=1).astype(np.float32)


def frame(prepared: Prepared, scale: Scale, days: int = 3, **choices: float) -> Windows:
    return lay_out(prepared, weather_of(prepared), household_of(prepared), scale, days, **choices)


def test_a_batch_is_a_run_of_days_as_the_homes_had_them(prepared: Prepared, scale: Scale) -> None:
    laid = frame(prepared, scale, household_noise=0.0)
    signal, condition, household = laid.batch(np.random.default_rng(3), 5)
    assert signal.shape == (5, 144, 2)
    assert condition.shape == (5, 144, CONDITION)
    assert household.shape == (5, 3)
    home, day = laid.starts[np.random.default_rng(3).integers(len(laid.starts), size=5)][2]
    natural = windows.restore(signal, scale.signal)[2].view(3, 48, 2).numpy()
    assert np.allclose(natural[..., 0], prepared.load_log_ratio[home, day : day + 3], atol=1e-5)
    assert np.allclose(natural[..., 1], prepared.clearness[home, day : day + 3], atol=1e-5)
    assert np.array_equal(condition[2, :, ENVELOPE].numpy(), prepared.envelope[home, day : day + 3].ravel())
    assert torch.equal(household[2], laid.household[home])
    assert prepared.is_known[home, day : day + 3].all()


def test_known_signal_is_standard_and_unknown_is_zero(prepared: Prepared, scale: Scale) -> None:
    laid = frame(prepared, scale)
    load = laid.signal[..., 0].numpy()[prepared.is_known]
    assert abs(load.mean()) < 1e-3
    assert abs(load.std() - 1) < 1e-3
    assert not laid.signal.numpy()[~prepared.is_known].any()
    assert laid.household[:, 2].eq(0).all()  # the same in every home: its spread is taken as one


def test_household_noise_blurs_homes_and_nothing_else(prepared: Prepared, scale: Scale) -> None:
    clear = frame(prepared, scale, household_noise=0.0).batch(np.random.default_rng(1), 400)
    blurred = frame(prepared, scale, household_noise=0.2).batch(np.random.default_rng(1), 400)
    assert torch.equal(clear[0], blurred[0])
    assert float((blurred[2] - clear[2]).std()) == pytest.approx(0.2, rel=0.1)


def test_windows_refuse_what_cannot_be_trained_on(prepared: Prepared, scale: Scale) -> None:
    with pytest.raises(ValueError, match="no home has 451 whole days in a row"):
        frame(prepared, scale, 451)
    laid = frame(prepared, scale)
    with pytest.raises(ValueError, match="condition has shape"):
        Windows(
            signal=laid.signal, condition=laid.condition[..., 1:], household=laid.household, days=3,
            starts=laid.starts,
        )  # fmt: skip


class Slope(nn.Module):
    """One weight, learned by noisy steps, with a buffer that counts them."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.register_buffer("count", torch.zeros(1))


def run(folder: Path, steps: int, **choices: object) -> tuple[Slope, list[dict[str, float]]]:
    module = Slope()
    optimiser = torch.optim.AdamW(module.parameters(), lr=0.05)

    def step(rng: np.random.Generator, share: float) -> float:
        assert 0 <= share <= 1
        loss = ((module.weight - torch.from_numpy(rng.normal([1, -1], 0.3, 2))) ** 2).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        module.count += 1
        return float(loss.detach())

    chosen = {"minutes": 5.0, "report_every": 10, **choices}
    history = train(module, [optimiser], step, seed=1, folder=folder, name="slope", steps=steps, **chosen)  # type: ignore[arg-type]
    return module, history


def test_a_killed_training_goes_the_way_it_would_have_gone(tmp_path: Path) -> None:
    whole, history = run(tmp_path / "whole", 90)
    run(tmp_path / "parts", 35)
    parts, resumed = run(tmp_path / "parts", 90)
    assert torch.equal(whole.weight, parts.weight)
    assert float(parts.count) == 90
    assert [row["step"] for row in history] == list(range(10, 100, 10))
    assert resumed[-1]["loss"] == history[-1]["loss"]
    assert torch.allclose(whole.weight, torch.tensor([1.0, -1.0]), atol=0.2)


def test_training_stops_when_the_minutes_of_all_calls_are_over(tmp_path: Path) -> None:
    _, history = run(tmp_path, 10**9, minutes=0.005)
    _, again = run(tmp_path, 10**9, minutes=0.005)
    assert history
    assert again == history


def test_the_average_ends_in_the_weights_and_training_goes_on_from_those_that_it_left(tmp_path: Path) -> None:
    last, _ = run(tmp_path / "last", 60)
    average, _ = run(tmp_path / "average", 60, ema_halflife_steps=20.0)
    more, _ = run(tmp_path / "average", 61, ema_halflife_steps=1e-3)  # its average follows at once
    straight, _ = run(tmp_path / "straight", 61)
    assert not torch.allclose(last.weight, average.weight, atol=1e-3)
    assert torch.allclose(more.weight, straight.weight, atol=1e-6)


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path: Path) -> None:
    module = Slope()
    with pytest.raises(NotConverged, match="loss of slope is nan at step 1"):
        train(module, [], lambda rng, share: float("nan"), minutes=1, seed=0, folder=tmp_path, name="slope")
    with pytest.raises(ValueError, match="minutes=nan"):
        train(module, [], lambda rng, share: 0.0, minutes=float("nan"), seed=0, folder=tmp_path, name="slope")


class Numbered:
    """A model whose load is the number of the window plus what the calendar says, so that joints show."""

    def __init__(self, days: int) -> None:
        self.days = days

    def fit(self, windows: Windows, *, minutes: float, seed: int, folder: Path) -> list[dict[str, float]]:
        return []

    def sample(self, condition: Tensor, household: Tensor, seed: int, key: str) -> Tensor:
        number = torch.arange(len(condition)).float()[:, None].expand(condition.shape[:2])
        return torch.stack([number, torch.full_like(number, 0.1)], dim=-1)


class Filling(Numbered):
    """… which can be given a part of its window, and says how much of it was known."""

    regional_share = 0.0

    def sample_known(
        self, condition: Tensor, household: Tensor, known: Tensor, is_known: Tensor, noise: Tensor
    ) -> Tensor:
        share = is_known.mean(1)[:, None, None].expand(*is_known.shape, 2)
        return torch.where(is_known[..., None] > 0, torch.full_like(share, 99.0), share)


def person(name: str = "a", **choices: float) -> AskedHome:
    given = {"capacity_kwp": 2.0, "mean_load_kw": 0.7, **choices}
    return AskedHome(
        name=name, key=name, household=np.array([0.0, 1.5, 1.0], dtype=np.float32), roof=Roof(), **given
    )


def span(days: int) -> tuple[pd.DatetimeIndex, pd.DataFrame]:
    time = pd.date_range("2012-06-30 14:00", periods=48 * days, freq="30min", tz="UTC")
    path = pd.DataFrame(
        dict.fromkeys(COLUMNS, 0.5), index=pd.date_range("2012-07-01", periods=days + 40, freq="D")
    )
    return time, path


UNIT = Scale(
    signal=torch.tensor([[0.0, 0.0], [1.0, 1.0]]), weather=torch.tensor([[0.0] * 3, [1.0] * 3]),
    household=torch.tensor([[0.0] * 3, [1.0] * 3]),
)  # fmt: skip


def log_ratio(traces: Traces) -> np.ndarray:
    """Whole numbers of the windows, up to the factor that gives the home its mean."""
    ratio = traces.load_kw[0].astype(np.float64)
    return ratio / ratio[0]


def test_pasted_windows_lie_side_by_side() -> None:
    time, path = span(13)
    made = years(Numbered(5), UNIT, [person()], time=time, weather=path, stitch="naive", seed=0)
    expected = (np.exp(np.repeat([0, 1, 2], [240, 240, 144])) - 0.1) / 0.9
    assert np.allclose(log_ratio(made), expected, rtol=1e-5)


def test_overlapping_windows_keep_their_inside_and_change_over_once() -> None:
    time, path = span(13)
    made = years(Numbered(5), UNIT, [person()], time=time, weather=path, stitch="overlap", seed=0)
    number = np.log(log_ratio(made) * 0.9 + 0.1).round().astype(int)
    days = number.reshape(13, 48)
    assert (days[0:3] == 0).all()  # windows begin on days 0, 3, 6 and 9
    assert (days[5:6] == 1).all()
    assert (days[8:9] == 2).all()
    assert (days[11:] == 3).all()
    assert (np.diff(number) >= 0).all()


def test_windows_are_joined_where_they_agree_channel_by_channel() -> None:
    rng = np.random.default_rng(0)
    late, early = (torch.from_numpy(rng.normal(size=(40, 2))) for _ in range(2))
    early[7:9, 0], early[15:17, 1] = late[27:29, 0], late[35:37, 1]
    joined = join(torch.stack([late, early]), 20)
    assert joined.shape == (60, 2)
    assert torch.equal(joined[:28, 0], late[:28, 0])
    assert torch.equal(joined[28:, 0], early[8:, 0])
    assert torch.equal(joined[:36, 1], late[:36, 1])
    assert torch.equal(joined[36:, 1], early[16:, 1])


def test_a_model_that_takes_context_fills_the_gaps_between_settled_windows() -> None:
    time, path = span(25)
    made = years(Filling(6), UNIT, [person()], time=time, weather=path, stitch="overlap", seed=0)
    number = np.log(log_ratio(made) * 0.9 + 0.1)
    in_gap = number.reshape(25, 48) > 0.5  # four of six days of a gap were known, none of the first windows
    assert in_gap.any(1).tolist() == [day % 8 in (6, 7) for day in range(25)]
    assert np.allclose(number.reshape(25, 48)[in_gap], 4 / 6, atol=1e-5)


def test_kilowatts_obey_size_night_and_capacity() -> None:
    class Bright(Numbered):
        def sample(self, condition: Tensor, household: Tensor, seed: int, key: str) -> Tensor:
            return windows.window_noise((*condition.shape[:2], 2), seed, key) * 3 + 1

    time, path = span(20)
    people = [person("a"), person("b", capacity_kwp=0.5, mean_load_kw=1.3)]
    made = years(Bright(5), UNIT, people, time=time, weather=path, stitch="overlap", seed=4)
    assert np.allclose(made.load_kw.mean(1), [0.7, 1.3], rtol=1e-5)
    assert made.load_kw.min() >= 0
    assert made.pv_kw.min() == 0
    assert (made.pv_kw.max(1) <= [2.0, 0.5]).all()
    assert not made.pv_kw[:, (time + pd.Timedelta(hours=10)).hour < 5].any()
    assert made.homes["source_home"].tolist() == ["a", "b"]
    alone = years(Bright(5), UNIT, people[1:], time=time, weather=path, stitch="overlap", seed=4)
    assert np.array_equal(alone.load_kw[0], made.load_kw[1])


def test_years_says_what_is_missing() -> None:
    time, path = span(13)
    with pytest.raises(ValueError, match="no weather for 2012-07-09 \\(5 days missing\\)"):
        years(Numbered(5), UNIT, [person()], time=time, weather=path[:8], stitch="naive", seed=0)
    with pytest.raises(ValueError, match="unknown stitch 'best'"):
        years(Numbered(5), UNIT, [person()], time=time, weather=path, stitch="best", seed=0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mean_load_kw=nan"):
        person(mean_load_kw=float("nan"))
