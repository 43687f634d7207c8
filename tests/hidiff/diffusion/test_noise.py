"""Noise that is not white: each number stays standard normal, and what is shared is shared by as much as said."""

import numpy as np
import pytest

from hidiff.data.prepare import CLEARNESS
from hidiff.diffusion import noise
from hidiff.diffusion.noise import NoiseShares

WHITE = NoiseShares(regional=0, week=0, day=0, slow=0, midnight=0)


def days(shares: NoiseShares, homes: int = 60) -> np.ndarray:
    """Noise of many homes, ``(home, day, 8)``."""
    return np.stack([noise.of_days(392, 0, f"home {home}", 0, shares) for home in range(homes)])


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_noise_of_days_is_standard_normal_whatever_is_shared() -> None:
    for shares in (WHITE, NoiseShares(slow=0.3, midnight=0.4)):
        drawn = days(shares)
        np.testing.assert_allclose(drawn.mean((0, 1)), 0, atol=0.06)
        np.testing.assert_allclose(drawn.std((0, 1)), 1, atol=0.04)


def test_a_slow_share_holds_days_together_for_weeks_but_not_their_sky() -> None:
    drawn = days(NoiseShares(slow=0.3, midnight=0), homes=300)
    for lag, expected in ((1, 0.3 * np.exp(-1 / 20)), (14, 0.3 * np.exp(-14 / 20))):
        assert correlation(drawn[:, lag:, 2], drawn[:, :-lag, 2]) == pytest.approx(expected, abs=0.03)
    assert abs(correlation(drawn[:, 1:, CLEARNESS], drawn[:, :-1, CLEARNESS])) < 0.03
    assert abs(correlation(drawn[..., 2], drawn[..., 3])) < 0.05


def test_a_midnight_share_ties_the_first_block_to_the_last_of_the_day_before() -> None:
    drawn = days(NoiseShares(slow=0, midnight=0.25))
    assert correlation(drawn[:, 1:, 0], drawn[:, :-1, 5]) == pytest.approx(0.5, abs=0.03)
    assert abs(correlation(drawn[:, :, 0], drawn[:, :, 5])) < 0.03


def test_an_unknown_habit_has_the_variance_that_it_shares_and_days_that_are_alike() -> None:
    shares = NoiseShares(week=0.1, day=0.3)
    habits = np.stack([noise.unknown_habit(0, str(home), shares) for home in range(400)])
    assert habits.shape == (400, 7, 48)
    assert habits.var() == pytest.approx(0.4, abs=0.02)
    assert correlation(habits[:, 0], habits[:, 3]) == pytest.approx(0.3 / 0.4, abs=0.03)


def test_clouds_are_shared_and_load_is_not() -> None:
    clouds = noise.clouds(672, 0, 24)
    first, second = (
        noise.of_half_hours(672, 0, home, 24, clouds, NoiseShares(regional=0.6)) for home in ("a", "b")
    )
    assert correlation(first[:, 1], second[:, 1]) == pytest.approx(0.6, abs=0.08)
    assert abs(correlation(first[:, 0], second[:, 0])) < 0.12


@pytest.mark.parametrize("values", [{"regional": 1.5}, {"week": -1}, {"slow": float("nan")}])
def test_shares_outside_of_their_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"the share {next(iter(values))}="):
        NoiseShares(**values)
    with pytest.raises(ValueError, match="more than all"):
        NoiseShares(week=0.6, day=0.6)
