"""Distances between two sets of days or weeks as points of many dimensions: energy, kernels, Frechet.

The homes are the sample, their days and weeks only repeat them. With few homes a side the energy distance and
the Frechet distance lean high, as other distances of the table do. MMD^2 does not: it is unbiased over homes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Bandwidths of the kernels, in medians of the distance between real windows."""


def draw_windows(windows: Array, rng: np.random.Generator, max_windows: int = 1500) -> Array:
    """The same number of windows of each home, at most ``max_windows`` in all and at least one a home.

    Args:
        windows: ``(home, window, feature)``.
        rng: draws the windows of each home without repeating one.
        max_windows: bounds the time and memory of what follows, which grow with its square.
    """
    homes, available = windows.shape[:2]
    count = min(available, max(1, max_windows // homes))
    chosen = rng.permuted(np.tile(np.arange(available), (homes, 1)), axis=1)[:, :count]
    return np.asarray(windows[np.arange(homes)[:, None], chosen])


def pair_distances(a: Array, b: Array) -> Array:
    """Root mean square difference of each window of ``a`` and of ``b``, in their unit.

    Args:
        a: ``(home, window, feature)``, e.g. mean powers [kW].
        b: the other side; other numbers of homes and windows are fine.
    Returns:
        ``(home of a, window of a, home of b, window of b)``.
    """
    if a.shape[2] != b.shape[2]:
        raise ValueError(f"windows have {a.shape[2]} and {b.shape[2]} features; measure both alike")
    rows_a, rows_b = (x.reshape(-1, x.shape[2]) for x in (a, b))
    centre = rows_b.mean(axis=0)  # small numbers lose less in the difference of squares below
    rows_a, rows_b = rows_a - centre, rows_b - centre
    squares = (rows_a**2).sum(axis=1)[:, None] + (rows_b**2).sum(axis=1) - 2 * rows_a @ rows_b.T
    # rounding makes the square of a copy's distance slightly negative
    distances = np.sqrt(np.maximum(squares, 0) / a.shape[2])
    return np.asarray(distances.reshape(*a.shape[:2], *b.shape[:2]))


def energy_distance(a: Array, b: Array, weights: Array | None = None) -> Array:
    """``2 E|X - Y| - E|X - X'| - E|Y - Y'|`` over all pairs of windows, in the unit of the features.

    Szekely and Rizzo 2013 (doi:10.1016/j.jspi.2013.03.018); ``|.|`` is the root mean square over the
    features. Not below 0, and 0 for equal sets alone.

    Args:
        a: ``(home, window, feature)``, e.g. mean powers [kW].
        b: the other side.
        weights: shares of the homes of ``a``, ``(resample, home)``; equal shares by default.
    Returns:
        ``(resample,)``, one value where no weights are given.
    """
    across, within_a, within_b = (_home_means(pair_distances(x, y)) for x, y in ((a, b), (a, a), (b, b)))
    shares_a, shares_b = _shares(a, weights), _shares(b, None)
    return np.asarray(
        2 * _mean_of_pairs(across, shares_a, shares_b)
        - _mean_of_pairs(within_a, shares_a, shares_a)
        - _mean_of_pairs(within_b, shares_b, shares_b)
    )


def mmd_squared(
    a: Array,
    b: Array,
    homes_a: list[str],
    homes_b: list[str],
    weights: Array | None = None,
    bandwidths: tuple[float, ...] = BANDWIDTHS,
) -> Array:
    """Squared maximum mean discrepancy of a mean of Gaussian kernels, unbiased over homes [1].

    ``E k(X, X') + E k(Y, Y') - 2 E k(X, Y)`` with ``k(x, y) = mean over s of exp(-|x - y|^2 / (2 s^2 m^2))``
    (Gretton et al. 2012, JMLR 13:723, equation 3). A pair of windows of one home, on one side or across,
    does not count. So it is 0 in expectation for equal distributions however few the homes, it may fall
    below 0, and it is 0 between a side and itself. ``m`` is the median distance of the windows of ``b``
    alone: a scale taken from both sides would grow with their difference.

    Args:
        a: ``(home, window, feature)``.
        b: the real side.
        homes_a: name of the home (or of the real home behind it), ``(home,)``.
        homes_b: the same of ``b``.
        weights: shares of the homes of ``a``, ``(resample, home)``; equal shares by default.
        bandwidths: ``s``, in medians.
    Returns:
        ``(resample,)``, one value where no weights are given; NaN where a resample is of one home.
    Raises:
        ValueError: fewer than two homes on a side, or real windows that are copies.
    """
    across, within_a, within_b = pair_distances(a, b), pair_distances(a, a), pair_distances(b, b)
    median = float(np.median(within_b.swapaxes(1, 2)[_different(homes_b, homes_b)]))
    if not median > 0:
        raise ValueError("the median distance between windows of real homes is 0; they are copies")
    shares_a, shares_b = _shares(a, weights), _shares(b, None)

    def mean(distances: Array, homes: tuple[list[str], list[str]], shares: tuple[Array, Array]) -> Array:
        kernel = _home_means(_gaussian(distances, median, bandwidths))
        return _mean_of_pairs(kernel, *shares, _different(*homes))

    return np.asarray(
        mean(within_a, (homes_a, homes_a), (shares_a, shares_a))
        + mean(within_b, (homes_b, homes_b), (shares_b, shares_b))
        - 2 * mean(across, (homes_a, homes_b), (shares_a, shares_b))
    )


def _gaussian(distances: Array, median: float, bandwidths: tuple[float, ...]) -> Array:
    """Mean over the bandwidths of the Gaussian kernel of the distances."""
    exponent = -0.5 * (distances / median) ** 2
    total = np.zeros_like(exponent)
    for bandwidth in bandwidths:
        total += np.exp(exponent / bandwidth**2)
    return total / len(bandwidths)


def _home_means(values: Array) -> Array:
    """Mean over the windows of each pair of homes, ``(home of a, home of b)``."""
    return np.asarray(values.mean(axis=(1, 3)))


def _different(homes_a: list[str], homes_b: list[str]) -> NDArray[np.bool_]:
    """Whether two homes are different ones, ``(home of a, home of b)``."""
    is_different = np.array(homes_a)[:, None] != np.array(homes_b)[None, :]
    if not is_different.any():
        raise ValueError("there are no two different homes; give at least 2 on each side")
    return np.asarray(is_different)


def _shares(side: Array, weights: Array | None) -> Array:
    return np.full((1, len(side)), 1 / len(side)) if weights is None else weights


def _mean_of_pairs(
    values: Array, left: Array, right: Array, counts: NDArray[np.bool_] | None = None
) -> Array:
    """Mean over pairs of homes, of either side, that count, ``(resample,)``; all count by default."""
    counts = np.ones(values.shape, dtype=bool) if counts is None else counts
    total, share = (
        (left @ x * right).sum(axis=1) for x in (np.where(counts, values, 0.0), counts.astype(np.float64))
    )
    return np.asarray(np.divide(total, share, out=np.full_like(total, np.nan), where=share > 0))


def code_moments(codes: Array) -> tuple[Array, Array]:
    """Mean ``(home, code)`` and mean outer product ``(home, code, code)`` of each home's windows.

    Args:
        codes: ``(home, window, code)``, e.g. of ``encoder.week_codes``.
    """
    return codes.mean(axis=1), np.einsum("hwi,hwj->hij", codes, codes, optimize=True) / codes.shape[1]


def frechet_distance(a: tuple[Array, Array], b: tuple[Array, Array], weights: Array | None = None) -> Array:
    """Frechet distance of two normal distributions with the mean and covariance of either side's codes [1].

    ``|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))`` (Dowson and Landau 1982,
    doi:10.1016/0047-259X(82)90077-X; Heusel et al. 2017, arXiv:1706.08500). No inverse is taken, so the
    covariance of few homes needs no shrinkage; like every such distance it leans high where homes are few.

    Args:
        a: of ``code_moments``.
        b: the other side.
        weights: shares of the homes of ``a``, ``(resample, home)``; equal shares by default.
    Returns:
        ``(resample,)``, one value where no weights are given.
    """
    mean_b, covariance_b = _pooled(b, _shares(b[0], None)[0])
    values, vectors = np.linalg.eigh(covariance_b)
    root_b = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    found = []
    for share in _shares(a[0], weights):
        mean_a, covariance_a = _pooled(a, share)
        # the eigenvalues of S_a S_b are those of the symmetric S_b^(1/2) S_a S_b^(1/2)
        product = np.maximum(np.linalg.eigvalsh(root_b @ covariance_a @ root_b), 0)
        spread = np.trace(covariance_a) + np.trace(covariance_b) - 2 * np.sqrt(product).sum()
        found.append(((mean_a - mean_b) ** 2).sum() + spread)
    return np.array(found)


def _pooled(moments: tuple[Array, Array], share: Array) -> tuple[Array, Array]:
    """Mean and covariance over the windows of all homes."""
    mean = share @ moments[0]
    return mean, np.tensordot(share, moments[1], 1) - np.outer(mean, mean)
