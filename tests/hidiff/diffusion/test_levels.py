"""Training data of both levels: what is shown, what is hidden, what counts."""

import numpy as np
import pytest
import torch

from hidiff import rng as random
from hidiff.data.prepare import Prepared, prepare
from hidiff.data.synthetic import synthetic_homes
from hidiff.diffusion import low as low_level
from hidiff.diffusion.high import HighConfig, HighData, HighLevel
from hidiff.diffusion.low import LowConfig, LowData, LowLevel, known_context, restore, standardise
from hidiff.training import household_tables, low_data, scales

Levels = tuple[Prepared, LowData, HighData]


@pytest.fixture(scope="module")
def levels() -> Levels:
    prepared = prepare(synthetic_homes(2, 60, start="2012-07-01"))
    weather = np.random.default_rng(0).uniform(0.1, 30, (len(prepared.grid), 3)).astype(np.float32)
    tables = household_tables(prepared, weather, seed=0, stretches=3)
    torch.manual_seed(0)
    low, high = (
        LowLevel(LowConfig(width=40, blocks=1)),
        HighLevel(HighConfig(width=32, blocks=1, window_days=42)),
    )
    scales(low, high, prepared, weather, tables.statistics, tables.features)
    return (
        prepared,
        low_data(low, prepared, weather, tables),
        HighData(high, prepared, weather, tables.statistics),
    )


def test_what_the_levels_see_has_mean_zero_and_spread_one(levels: Levels) -> None:
    prepared, low, high = levels
    known = torch.from_numpy(prepared.is_known)
    load = low.signal[known][..., 0]
    assert float(load.mean()) == pytest.approx(0, abs=1e-3) and float(load.std()) == pytest.approx(
        1, abs=1e-2
    )
    clear = low.signal[..., 1][torch.from_numpy(prepared.is_sunny)]
    assert float(clear.mean()) == pytest.approx(0, abs=1e-3) and float(clear.std()) == pytest.approx(
        1, abs=1e-2
    )
    for home in range(2):  # each home by its own mean and spread
        own = high.tokens[home, known[home]]
        assert own.mean(0).tolist() == pytest.approx([0] * 8, abs=1e-3)
        assert own.std(0).tolist() == pytest.approx([1] * 8, abs=0.06)  # spreads have a floor


def test_standardised_values_come_back(levels: Levels) -> None:
    scale = levels[1].level.signal_scale
    values = torch.randn(3, 48, 2)
    torch.testing.assert_close(restore(standardise(values, scale), scale), values)


def test_losses_are_finite_and_a_function_of_the_generator(levels: Levels) -> None:
    for data in levels[1:]:
        first, second, other = (
            float(data.loss(random.generator("x", key), 4, training=False).detach()) for key in (0, 0, 1)
        )
        assert np.isfinite(first) and first > 0
        assert first == second != other


def test_a_silent_network_is_judged_at_one(levels: Levels) -> None:
    """The weights of the noise levels make the loss of unit data one, whatever the level."""
    _, low, high = levels
    for data in (low, high):
        losses = [float(data.loss(random.generator("x", i), 16, training=False).detach()) for i in range(8)]
        assert np.mean(losses) == pytest.approx(1, abs=0.35)


def test_the_condition_of_an_hour_holds_its_clock_its_block_and_its_sky(levels: Levels) -> None:
    prepared, low, _ = levels
    day = torch.arange(14)[None]
    rows = torch.zeros(1, 1, dtype=torch.long)
    tokens = low.tokens[rows, day]
    habit = torch.arange(336.0)[None]  # winter first, then summer
    on_days = low_level.habit_of_hours(habit, low.half[day], low.shift[day], low.weekend[day])
    half = 168 * int(low.half[3])
    condition = low_level.condition(
        low.shared[day], low.envelope[rows, day], tokens, torch.tensor([0.1]), on_days
    )
    assert condition.shape == (1, 14 * 24, low_level.CONDITION)
    hour = condition.view(14, 24, -1)
    torch.testing.assert_close(hour[3, 9, 25:27], low.envelope[0, 3, 18:20])
    torch.testing.assert_close(hour[3, 9, 27:35], tokens[0, 3])
    assert float(hour[3, 9, 35]) == pytest.approx(float(tokens[0, 3, 2]))  # 8:00 to 12:00
    assert float(hour[3, 23, 35]) == pytest.approx(float(tokens[0, 3, 5]))
    assert hour[..., 36] == pytest.approx(0.1)
    sine = np.sin(2 * np.pi * prepared.grid.clock_hour[3, 18] / 24)
    assert float(hour[3, 9, 0]) == pytest.approx(sine, abs=1e-5)
    ahead = int(prepared.grid.clock_hour[3, 0] * 2)  # half-hours of the wall clock before standard time
    assert hour[3, 9, 37:43].tolist() == [
        half + (18 + ahead + step) % 48 + 48 * kind for kind in range(3) for step in (0, 1)
    ]
    off = float(prepared.grid.weekday[3] >= 5) - 2 / 7
    assert float(hour[3, 9, 43]) == pytest.approx((half + 144 + (18 + ahead) // 2) * off, rel=1e-5)


def test_known_days_lie_at_the_ends_and_never_fill_the_window() -> None:
    known = known_context(np.random.default_rng(0), 2000, 14).reshape(2000, 14, 48)
    assert set(known.unique().tolist()) == {0, 1}
    assert (known == known[..., :1]).all()  # whole days
    days = known[..., 0]
    assert days[:, 4:10].sum() == 0
    none, left, right = (days.sum(1) == 0), (days[:, 0] > 0), (days[:, -1] > 0)
    for case in (none, left & ~right, right & ~left, left & right):
        assert 0.1 < float(case.float().mean()) < 0.65


def test_gaps_are_never_inside_a_window(levels: Levels) -> None:
    prepared, low, high = levels
    for data in (low, high):
        for home, start in data.starts:
            assert prepared.is_known[home, start : start + data.days].all()


def test_too_short_records_are_refused(levels: Levels) -> None:
    prepared = prepare(synthetic_homes(1, 20))
    weather = np.zeros((len(prepared.grid), 3), np.float32)
    tables = household_tables(prepared, weather, seed=0, stretches=1)
    with pytest.raises(ValueError, match="no home has 392 whole days in a row"):
        HighData(HighLevel(HighConfig(width=32, blocks=1)), prepared, weather, tables.statistics)
    short = prepare(synthetic_homes(1, 13))
    with pytest.raises(ValueError, match="no home has 14 whole days in a row"):
        low_data(levels[1].level, short, weather[:13], tables)
