"""The frozen encoder: the same codes on every call, that see scale, shape and the order of days."""

import numpy as np
import pytest

from hidiff.metrics import encoder


def weeks(homes: int, seed: int, count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Load whose days hang together, and PV, (home, week, step) [kW]."""
    rng = np.random.default_rng(seed)
    hour = np.arange(336) % 48 / 2
    trend = np.cumsum(rng.normal(0, 0.4, (homes, count, 7)), axis=2).repeat(48, axis=2)
    load_kw = np.exp(trend - 1) * (1 + 2 * np.exp(-((hour - 19) ** 2) / 8)) * rng.gamma(3, 0.33, trend.shape)
    pv_kw = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * rng.uniform(0.3, 2, trend.shape)
    return load_kw, pv_kw


def code(load_kw: np.ndarray, pv_kw: np.ndarray) -> np.ndarray:
    return encoder.week_codes(load_kw, pv_kw, 0.5)


def test_codes_are_shares_and_the_same_on_every_call_alone_or_among_others() -> None:
    load_kw, pv_kw = weeks(3, 0)
    codes = code(load_kw, pv_kw)
    assert codes.shape == (3, 8, len(encoder.DILATIONS) * encoder.KERNELS)
    assert codes.min() >= 0
    assert codes.max() <= 1
    encoder._kernels.cache_clear()
    assert code(load_kw[1:2], pv_kw[1:2])[0] == pytest.approx(codes[1], abs=1e-2)  # a step at its threshold
    # a new numpy must not change the encoder: published distances would change with it
    constant = code(np.full((1, 1, 336), 0.5), np.zeros((1, 1, 336)))[0, 0]
    assert set(np.unique(constant)) <= {0.0, 1.0}
    assert constant.sum() == 55


def test_scale_and_shape_and_order_of_days_change_the_codes_of_one_channel_or_both() -> None:
    load_kw, pv_kw = weeks(10, 0)
    codes = code(load_kw, pv_kw).mean(axis=(0, 1))
    noise = np.abs(code(*weeks(10, 1)).mean(axis=(0, 1)) - codes).max()
    assert np.abs(code(3 * load_kw, pv_kw).mean(axis=(0, 1)) - codes).max() > 2 * noise
    kernel = np.arange(len(codes)) % 3
    sunny = code(load_kw, 2 * pv_kw).mean(axis=(0, 1))
    assert (sunny[kernel == 0] == codes[kernel == 0]).all()  # these see the load alone
    assert (sunny[kernel == 1] != codes[kernel == 1]).any()
    days = load_kw.reshape(10, 8, 7, 48)[:, :, [4, 0, 6, 2, 5, 1, 3]].reshape(load_kw.shape)
    longest = slice(-encoder.KERNELS, None)
    assert np.abs(code(days, pv_kw)[..., longest] - code(load_kw, pv_kw)[..., longest]).mean() > 0.01


def test_finer_steps_give_the_codes_of_their_half_hours() -> None:
    load_kw, pv_kw = weeks(2, 0)
    fine = encoder.week_codes(load_kw.repeat(2, axis=2), pv_kw.repeat(2, axis=2), 0.25)
    assert fine == pytest.approx(code(load_kw, pv_kw), abs=1e-2)
    with pytest.raises(ValueError, match="dt_h=1"):
        encoder.week_codes(load_kw, pv_kw, 1.0)
    with pytest.raises(ValueError, match="h, not 168"):
        encoder.week_codes(load_kw[..., :168], pv_kw[..., :168], 0.5)
