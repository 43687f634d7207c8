"""Layers as the processor does them fastest: where PyTorch's plain operations waste a CPU's time in sampling.

Each function is one line of mathematics, given in its docstring, and computes it plainly wherever gradients, a
card or another number format are in play. On a CPU that multiplies bfloat16 the private operators that PyTorch's
own compiler calls (oneDNN with the next operation fused) take over; they need no compiler on the user's machine.
"""

from __future__ import annotations

import functools
import platform

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@functools.cache
def is_bf16_fast() -> bool:
    """Whether this CPU multiplies bfloat16 itself.

    Without AVX512-BF16 a pass of the low level takes 1.8 times as long in bfloat16 as in float32, without AVX512
    six times.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    has_instruction = not is_x86 or bool(torch.cpu._is_avx512_bf16_supported())
    return has_instruction and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def is_fused(x: Tensor, weight: Tensor) -> bool:
    """Whether the fused operators may be called: inference in bfloat16 on a CPU (in float32 they gain nothing)."""
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.bfloat16
        and not torch.is_grad_enabled()
        and is_bf16_fast()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def norm_linear(x: Tensor, scale: Tensor, shift: Tensor, layer: nn.Linear, *, gelu: bool = False) -> Tensor:
    """``layer(scale * norm(x) + shift)``, then perhaps the tanh form of gelu.

    ``scale`` and ``shift`` are ``(batch or 1, 1, width)``. Fused it is the error-function form of gelu, which is
    cheaper and lies within 5e-4 of the other: less than bfloat16 rounds off, in single values and in the error of a
    whole pass.
    """
    if len(scale) == 1 and is_fused(x, layer.weight):  # one for all: a part of the matrix
        weight = (layer.weight * scale[0]).to(x.dtype)
        bias = torch.addmv(layer.bias.float(), layer.weight.float(), shift[0, 0]).to(x.dtype)
        then = "gelu" if gelu else "none"
        out: Tensor = torch.ops.mkldnn._linear_pointwise(plain_norm(x), weight, bias, then, [], "none")
        return out
    plain: Tensor = layer(modulated_norm(x, scale, shift))
    return F.gelu(plain, approximate="tanh") if gelu else plain


def plain_norm(x: Tensor) -> Tensor:
    """``norm(x)`` over the channels, in float32: PyTorch's own norm of bfloat16 takes half as long again."""
    y = x.float()
    y.sub_(y.mean(-1, keepdim=True))
    length = torch.linalg.vector_norm(y, dim=-1, keepdim=True)
    width = x.shape[-1]
    return y.mul_(length.square_().div_(width).add_(1e-5).rsqrt_()).to(x.dtype)


def add_gated(x: Tensor, h: Tensor, layer: nn.Linear, gate: Tensor) -> Tensor:
    """``x + gate * layer(h)``; ``gate`` is ``(batch or 1, 1, width)``."""
    if len(gate) == 1 and is_fused(h, layer.weight):  # one gate for all: a part of the matrix
        rows = gate[0, 0]
        weight, bias = (part.to(h.dtype) for part in (rows[:, None] * layer.weight, rows * layer.bias))
        out: Tensor = torch.ops.mkldnn._linear_pointwise.binary(h, x, weight, bias, "add")
        return out
    plain: Tensor = x + gate.to(x.dtype) * layer(h)
    return plain


def modulated_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """``scale * norm(x) + shift`` over the channels; ``scale`` and ``shift`` are ``(batch or 1, 1, width)``."""
    width = x.shape[-1:]
    if len(scale) == 1 and not x.is_cuda:  # one for all: the norm's own weight and bias
        return F.layer_norm(x, width, scale.flatten(), shift.flatten())
    return F.layer_norm(x, width) * scale.to(x.dtype) + shift.to(x.dtype)


def add_local(x: Tensor, layer: nn.Conv1d) -> Tensor:
    """``x + layer(x)`` with ``x`` ``(batch, token, channel)`` and a convolution over the tokens."""
    if x.is_cuda:
        plain: Tensor = x + layer(x.transpose(1, 2)).transpose(1, 2)
        return plain
    # as an image of one row whose channels lie last, which a CPU convolves without copies
    image = x.unsqueeze(1).permute(0, 3, 1, 2)
    padding, kernel = (0, int(layer.padding[0])), layer.weight.unsqueeze(2)
    out = F.conv2d(image, kernel, layer.bias, padding=padding, groups=layer.groups)
    return x + out.permute(0, 2, 3, 1).squeeze(1)


LARGEST_SCORE = 80.0
"""Scores of short runs are held to it on either side, so that neither their exponentials nor the sums overflow."""


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """``softmax(q k') v``, all ``(batch, head, token, width)``; who wants ``1 / sqrt(width)`` has it in ``q``.

    On a CPU the fused kernel is slow on short runs, its backward pass most of all (half of a training step);
    two plain products are not.
    """
    if torch.is_grad_enabled() or q.is_cuda:
        if q.is_cuda or q.shape[2] > 64:
            return F.scaled_dot_product_attention(q, k, v, scale=1.0)
        return (q @ k.transpose(-1, -2)).softmax(-1).to(v.dtype) @ v
    scores = (q @ k.transpose(-1, -2)).float()
    if scores.shape[-1] >= 16:  # as many as a vector register holds; PyTorch's softmax of fewer is slow
        return scores.softmax(-1).to(v.dtype) @ v
    weight = scores.clamp_(
        -LARGEST_SCORE, LARGEST_SCORE
    ).exp_()  # costs half of finding the largest of each row
    return weight.div_(weight.sum(-1, keepdim=True)).to(v.dtype) @ v
