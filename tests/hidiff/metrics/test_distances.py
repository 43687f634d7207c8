"""Distances between sets of windows: known answers, no lean with few homes, equal sides at zero."""

import numpy as np
import pytest
from scipy import stats

from hidiff.metrics import distances


def names(count: int, side: str = "home") -> list[str]:
    return [f"{side}{number}" for number in range(count)]


def windows(homes: int, seed: int, *, level: float = 0.0, count: int = 6, features: int = 4) -> np.ndarray:
    """Windows around a level of each home's own, (home, window, feature)."""
    rng = np.random.default_rng(seed)
    return level + rng.normal(size=(homes, 1, features)) + rng.normal(size=(homes, count, features))


def test_the_same_number_of_windows_of_each_home_is_drawn_without_repeats() -> None:
    everything = np.arange(3 * 10).reshape(3, 10, 1).astype(float)
    drawn = distances.draw_windows(everything, np.random.default_rng(0), max_windows=13)
    assert drawn.shape == (3, 4, 1)
    assert len(np.unique(drawn)) == 12
    assert (drawn[:, :, 0] // 10 == np.arange(3)[:, None]).all()
    assert distances.draw_windows(everything, np.random.default_rng(0), max_windows=2).shape == (3, 1, 1)
    assert distances.draw_windows(everything, np.random.default_rng(0), max_windows=99).shape == (3, 10, 1)


def test_pair_distances_are_root_mean_squares_in_the_unit_of_the_features() -> None:
    a, b = np.array([[[1.0, 2.0]]]), np.array([[[1.0, 2.0]], [[4.0, 6.0]]])
    assert distances.pair_distances(a, b)[0, 0, :, 0] == pytest.approx([0, np.sqrt((9 + 16) / 2)])
    with pytest.raises(ValueError, match="2 and 3 features"):
        distances.pair_distances(a, np.zeros((1, 1, 3)))


def test_energy_distance_of_two_points_and_of_one_dimension() -> None:
    # two points a distance d apart: 2 d - 0 - 0
    apart = distances.energy_distance(np.zeros((1, 1, 1)), np.full((1, 1, 1), 3.0))
    assert apart == pytest.approx([6.0])
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=40), rng.gamma(2, size=60)
    ours = distances.energy_distance(a.reshape(4, 10, 1), b.reshape(6, 10, 1))[0]
    assert ours == pytest.approx(stats.energy_distance(a, b) ** 2)


def test_energy_distance_is_in_kw_and_sees_the_scale() -> None:
    a, b = windows(5, 0), windows(6, 1)
    assert distances.energy_distance(3 * a, 3 * b) == pytest.approx(3 * distances.energy_distance(a, b))
    assert distances.energy_distance(a, a) == pytest.approx([0], abs=1e-12)
    assert distances.energy_distance(1.5 * b, b)[0] > 0.01


def test_shares_of_homes_equal_the_same_homes_taken_as_often() -> None:
    a, b = windows(3, 0), windows(4, 1)
    shares = np.array([[2 / 3, 1 / 3, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    found = distances.energy_distance(a, b, shares)
    assert found[0] == pytest.approx(distances.energy_distance(a[[0, 0, 1]], b)[0])
    assert found[1] == pytest.approx(distances.energy_distance(a, b)[0])
    # a home that is drawn twice is one home: no pair with itself
    mmd = distances.mmd_squared(a, b, names(3), names(4, "real"), shares[:1])
    twice = distances.mmd_squared(a[[0, 0, 1]], b, ["x", "x", "y"], names(4, "real"))
    assert mmd == pytest.approx(twice)
    moments = [distances.code_moments(x) for x in (a, b, a[[0, 0, 1]])]
    assert distances.frechet_distance(moments[0], moments[1], shares)[0] == pytest.approx(
        distances.frechet_distance(moments[2], moments[1])[0]
    )


def test_mmd_with_one_window_a_home_is_the_unbiased_estimate_of_gretton() -> None:
    a, b = np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0])
    median = 2.0  # the one distance between two windows of b; the other side does not matter

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.exp(-((x[:, None] - y) ** 2) / (2 * median**2))

    within_a = (kernel(a, a).sum() - 3) / 6
    expected = within_a + kernel(b, b)[0, 1] - 2 * kernel(a, b).mean()
    sides = a.reshape(3, 1, 1), b.reshape(2, 1, 1)
    found = distances.mmd_squared(*sides, names(3), names(2, "real"), bandwidths=(1.0,))
    assert found == pytest.approx([expected])


def test_mmd_of_few_homes_does_not_lean_and_another_level_is_seen() -> None:
    def mean(level: float) -> tuple[float, float]:
        found = [
            distances.mmd_squared(
                windows(5, 2 * seed, level=level), windows(5, 2 * seed + 1), names(5), names(5, "real")
            )[0]
            for seed in range(60)
        ]
        return float(np.mean(found)), float(np.std(found) / np.sqrt(len(found)))

    equal, error = mean(0.0)
    assert abs(equal) < 3 * error
    assert mean(1.0)[0] > equal + 10 * error
    # pairs within a home, were they counted, would make equal sides look different
    energy = [distances.energy_distance(windows(5, s), windows(5, 100 + s))[0] for s in range(20)]
    assert min(energy) > 0


def test_mmd_of_a_side_with_itself_is_zero_and_one_home_is_too_few() -> None:
    a = windows(4, 0)
    assert distances.mmd_squared(a, a, names(4), names(4)) == pytest.approx([0], abs=1e-12)
    with pytest.raises(ValueError, match="at least 2"):
        distances.mmd_squared(a[:1], a[:1], ["one"], ["one"])
    with pytest.raises(ValueError, match="copies"):
        distances.mmd_squared(a, np.ones_like(a), names(4), names(4, "real"))


def test_frechet_distance_of_normal_distributions() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(20, 500, 3))
    moments = distances.code_moments(codes)
    assert distances.frechet_distance(moments, moments) == pytest.approx([0], abs=1e-9)
    shifted = distances.code_moments(codes + np.array([1.0, 0.0, -2.0]))
    assert distances.frechet_distance(shifted, moments) == pytest.approx([5.0])
    # S_a = 4 S_b: tr(4 S + S - 2 * 2 S) = tr S, and the mean doubles
    mean, square = codes.mean(axis=(0, 1)), codes.reshape(-1, 3).var(axis=0)
    doubled = distances.code_moments(2 * codes)
    assert distances.frechet_distance(doubled, moments) == pytest.approx([square.sum() + (mean**2).sum()])
