"""The fused operators compute what the plain ones do."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hidiff.diffusion import kernels

WIDTH = 32
FORMATS = pytest.mark.parametrize(
    ("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)], ids=["float32", "bfloat16"]
)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def assert_near(found: Tensor, exact: Tensor, error: float) -> None:
    assert (found.float() - exact).abs().max() < error * exact.abs().max()


def normed(x: Tensor) -> Tensor:
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()


@FORMATS
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("rows", [1, 2], ids=["one scale", "a scale a row"])
@torch.no_grad()
def test_norm_linear_layer_and_gelu_together(dtype: torch.dtype, error: float, rows: int, gelu: bool) -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(WIDTH, 3 * WIDTH), 5 + drawn(2, 48, WIDTH)
    scale, shift = 1 + 0.3 * drawn(rows, 1, WIDTH), drawn(rows, 1, WIDTH)
    exact = layer(scale * normed(x.to(dtype).float()) + shift)
    exact = F.gelu(exact, approximate="tanh") if gelu else exact
    found = kernels.norm_linear(x.to(dtype), scale, shift, layer.to(dtype), gelu=gelu)
    assert found.dtype == dtype
    assert_near(found, exact, error)


@FORMATS
@pytest.mark.parametrize("rows", [1, 2], ids=["one gate", "a gate a row"])
@torch.no_grad()
def test_a_gated_branch_is_added(dtype: torch.dtype, error: float, rows: int) -> None:
    torch.manual_seed(0)
    layer, x, h = nn.Linear(3 * WIDTH, WIDTH), drawn(2, 48, WIDTH), drawn(2, 48, 3 * WIDTH)
    gate = 1 + 0.3 * drawn(rows, 1, WIDTH)
    exact = x + gate * layer(h)
    assert_near(kernels.add_gated(x.to(dtype), h.to(dtype), layer.to(dtype), gate), exact, error)


@FORMATS
@pytest.mark.parametrize("rows", [1, 2], ids=["one scale", "a scale a row"])
def test_the_norm_is_scaled_and_shifted(dtype: torch.dtype, error: float, rows: int) -> None:
    x, scale, shift = drawn(2, 48, WIDTH), 1 + 0.3 * drawn(rows, 1, WIDTH), drawn(rows, 1, WIDTH)
    assert_near(kernels.modulated_norm(x.to(dtype), scale, shift), normed(x) * scale + shift, error)


@FORMATS
def test_the_local_convolution_sees_two_tokens_on_each_side(dtype: torch.dtype, error: float) -> None:
    torch.manual_seed(0)
    layer, x = nn.Conv1d(WIDTH, WIDTH, 5, padding=2, groups=WIDTH), drawn(2, 48, WIDTH)
    exact = x + layer(x.transpose(1, 2)).transpose(1, 2)
    assert_near(kernels.add_local(x.to(dtype), layer.to(dtype)), exact.detach(), error)
    moved = x.clone()
    moved[:, 20] += 1
    changed = (kernels.add_local(moved, layer.float()) - kernels.add_local(x, layer)).abs().amax(
        (0, 2)
    ) > 1e-6
    assert changed.nonzero().flatten().tolist() == [18, 19, 20, 21, 22]


@FORMATS
@pytest.mark.parametrize("tokens", [1, 14, 15, 16, 48, 100])
@pytest.mark.parametrize("has_gradients", [False, True])
def test_attention_of_short_and_long_runs(
    dtype: torch.dtype, error: float, tokens: int, has_gradients: bool
) -> None:
    q, k, v = (3 * drawn(2, 2, tokens, 8).roll(i, -1) for i in range(3))
    q = q / 8**0.5
    exact = (q @ k.transpose(-1, -2)).softmax(-1) @ v
    with torch.set_grad_enabled(has_gradients):
        found = kernels.attend(*(part.to(dtype) for part in (q, k, v)))
    assert found.dtype == dtype
    assert_near(found, exact, 2 * error)


@torch.no_grad()
def test_large_scores_stay_finite() -> None:
    q = 1e4 * drawn(1, 1, 14, 8).bfloat16()
    assert torch.isfinite(kernels.attend(q, q, q)).all()


def test_gradients_flow_through_the_plain_operations() -> None:
    layer, x = nn.Linear(WIDTH, WIDTH).bfloat16(), drawn(2, 4, WIDTH).bfloat16().requires_grad_()
    one = torch.ones(1, 1, WIDTH)
    grown = kernels.norm_linear(x, one, one, layer, gelu=True)
    kernels.add_gated(x, grown, layer, one).sum().backward()
    assert x.grad is not None and layer.weight.grad is not None and layer.weight.grad.any()
