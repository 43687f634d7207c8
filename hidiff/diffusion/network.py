"""The network of both levels: a transformer over time with rotary positions, read top to bottom.

Tokens are short runs of steps. Noise level and household enter every block through adaptive layer norms;
calendar, weather, the level above and the known neighbours enter beside the noisy signal, step by step.
"""

from __future__ import annotations

import functools
import math
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .kernels import add_gated, add_local, attend, modulated_norm, norm_linear


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Size and inputs of a network."""

    channels: int
    """Channels of the signal."""
    condition_channels: int
    """Condition values per token."""
    household_channels: int
    """Values that describe the household."""
    patch: int = 1
    """Steps in a token."""
    width: int = 128
    blocks: int = 6
    heads: int = 4
    expansion: int = 3
    """Hidden width of a block's two-layer network over ``width``."""
    dropout: float = 0.0
    periods: tuple[float, ...] = ()
    """Rotary periods that matter by themselves, in tokens (a day, a week); the rest is spread in the log."""
    longest_period: float = 2000.0
    """Longest of the spread periods, in tokens."""
    day: int | None = None
    """Tokens in a day. Given, half of the heads attend within two days and half across days at the same hour,
    which costs a tenth of attending everywhere and says what matters; ``None`` attends everywhere."""

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads) or (self.day is not None and self.heads % 2):
            raise ValueError(
                f"width={self.width} with heads={self.heads}; the width must be a multiple of twice the "
                "heads, and the heads even where a day is given"
            )
        if self.width // (2 * self.heads) < len(self.periods):
            raise ValueError(
                f"width={self.width} with heads={self.heads} leaves no room for {len(self.periods)} rotary "
                f"periods; the width must be at least {2 * self.heads * len(self.periods)}"
            )


class Rotary(NamedTuple):
    """Rotary tables for each way of attending, each ``(2, 2, 1, group, 1, token, head width)``.

    First the cosine and the signed sine, then those of queries and of keys.
    """

    near: Tensor
    shifted: Tensor
    """Of windows that start a day late."""
    across: Tensor


@functools.lru_cache(maxsize=16)
def rotary(length: int, config: NetworkConfig, device: torch.device, dtype: torch.dtype) -> Rotary:
    """Rotary tables of ``length`` tokens; those of the queries hold ``1 / sqrt(head width)`` of the attention too."""
    width = config.width // config.heads
    spread = width // 2 - len(config.periods)
    ratio = torch.linspace(0, 1, max(spread, 2), dtype=torch.float64)[:spread]
    periods = torch.cat(
        [torch.tensor(config.periods, dtype=torch.float64), 4 * (config.longest_period / 4) ** ratio]
    )
    angle = 2 * math.pi * torch.arange(length, dtype=torch.float64)[:, None] / periods
    cos, sin = angle.cos(), angle.sin()
    turns = torch.stack(
        [torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)]
    )  # of both halves of a head
    scale = torch.tensor([width**-0.5, 1.0], dtype=torch.float64)
    table = (
        turns[:, :, None, None] * scale[:, None, None]
    )  # (cos and sin, token, q and k, one head, head width)
    day = config.day or length
    window = 2 * day if config.day else length
    cuts = cut_near(table, window, 0), cut_near(table, window, day % length), cut_across(table, day)
    return Rotary(*(part.unsqueeze(2).transpose(0, 1).contiguous().to(device, dtype) for part in cuts))


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn the pairs of ``x`` ``(…, head width)``, one of each half, by the angles of their place.

    ``(a, b) -> (a cos - b sin, b cos + a sin)``: the halves change places, the sign lies in the table.
    """
    cos, sin = table
    turned: Tensor = (x * cos).addcmul_(x.roll(x.shape[-1] // 2, -1), sin)
    return turned


def cut_near(x: Tensor, window: int, shift: int) -> Tensor:
    """``(batch, token, part, head, width)`` as ``(part, batch, window, head, token, width)``.

    The windows, of ``window`` tokens, start ``shift`` tokens late; the last one wraps.
    """
    x = torch.roll(x, -shift, dims=1) if shift else x
    batch, length, *rest = x.shape
    return x.view(batch, length // window, window, *rest).permute(3, 0, 1, 4, 2, 5).contiguous()


def cut_across(x: Tensor, day: int) -> Tensor:
    """``(batch, token, part, head, width)`` as ``(part, batch, hour, head, day, width)``."""
    batch, length, *rest = x.shape
    return x.view(batch, length // day, day, *rest).permute(3, 0, 2, 4, 1, 5).contiguous()


def attend_groups(x: Tensor, table: Tensor) -> Tensor:
    """Attention within each group; ``x`` ``(queries, keys and values, batch, group, head, token, width)``."""
    q, k = rotate(x[:2], table).flatten(1, 2)
    return attend(q, k, x[2].flatten(0, 1)).view(x.shape[1:])


def attend_near(x: Tensor, table: Tensor, window: int, shift: int) -> Tensor:
    """Attention within windows of ``window`` tokens that start ``shift`` tokens late (the last one wraps).

    ``x`` ``(batch, token, queries, keys and values, head, width)`` to ``(batch, token, head, width)``.
    """
    out = attend_groups(cut_near(x, window, shift), table).transpose(2, 3).flatten(1, 2)
    return torch.roll(out, shift, dims=1) if shift else out


def attend_across(x: Tensor, table: Tensor, day: int) -> Tensor:
    """Attention among the tokens of the same hour of all days; shapes as those of `attend_near`."""
    return attend_groups(cut_across(x, day), table).permute(0, 3, 1, 2, 4).flatten(1, 2)


class Block(nn.Module):
    """Local mixing, attention and a two-layer network, each scaled and shifted by the context."""

    def __init__(self, config: NetworkConfig, place: int) -> None:
        super().__init__()
        width, self.heads = config.width, config.heads
        self.day, self.shift = config.day, config.day if config.day and place % 2 else 0
        self.dropout = config.dropout
        self.local = nn.Conv1d(width, width, 5, padding=2, groups=width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.grow = nn.Linear(width, config.expansion * width)
        self.shrink = nn.Linear(config.expansion * width, width)
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        nn.init.zeros_(self.local.weight)

    def forward(self, x: Tensor, context: Tensor, tables: Rotary) -> Tensor:
        batch, length, width = x.shape
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(context)[:, None].chunk(6, dim=-1)
        x = add_local(x, self.local)
        qkv = norm_linear(x, 1 + scale1, shift1, self.queries_keys_values)
        qkv = qkv.view(batch, length, 3, self.heads, width // self.heads)
        if self.day is None:
            h = attend_near(qkv, tables.near, length, 0)
        else:
            near, far = qkv.chunk(2, dim=3)
            table = tables.shifted if self.shift else tables.near
            h = torch.cat(
                [
                    attend_near(near, table, 2 * self.day, self.shift),
                    attend_across(far, tables.across, self.day),
                ],
                dim=2,
            )
        x = self.add(x, h.flatten(2), self.attended, 1 + gate1)
        h = norm_linear(x, 1 + scale2, shift2, self.grow, gelu=True)
        return self.add(x, h, self.shrink, 1 + gate2)

    def add(self, x: Tensor, h: Tensor, layer: nn.Linear, gate: Tensor) -> Tensor:
        """``x + gate * dropout(layer(h))``."""
        if self.training and self.dropout:
            return x + gate * F.dropout(layer(h), self.dropout)
        return add_gated(x, h, layer, gate)


class Transformer(nn.Module):
    """Predicts the preconditioned signal from its noisy version and all that is known around it."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.arithmetic: torch.dtype | None = None
        """Number format of the blocks where it is not that of their input, see `for_sampling`."""
        steps = config.patch * (2 * config.channels + 1)  # noisy, known, is known
        self.enter = nn.Linear(steps + config.condition_channels, config.width)
        self.noise_level = nn.Sequential(
            nn.Linear(64, config.width), nn.SiLU(), nn.Linear(config.width, config.width)
        )
        self.household = nn.Linear(config.household_channels, config.width)
        blocks = [Block(config, place) for place in range(config.blocks)]
        self.blocks = nn.ModuleList(blocks)
        self.final_modulation = nn.Linear(config.width, 2 * config.width)
        self.leave = nn.Linear(config.width, config.patch * config.channels)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        for block in blocks:  # keep the sum of the residual branches near one at the start
            for layer in (block.attended, block.shrink):
                nn.init.normal_(layer.weight, std=0.02 / math.sqrt(2 * config.blocks))

    def forward(
        self, noisy: Tensor, noise_value: Tensor, known: Tensor, is_known: Tensor, condition: Tensor,
        household: Tensor,
    ) -> Tensor:  # fmt: skip
        """Output of the shape of ``noisy``.

        Args:
            noisy: ``(batch, step, channel)``, scaled to unit variance.
            noise_value: ``(batch,)``, a quarter of the log noise level.
            known: ``(batch, step, channel)`` clean values where known, zero elsewhere.
            is_known: ``(batch, step)`` 0 or 1.
            condition: ``(batch, token, condition channel)``.
            household: ``(batch, household channel)``.
        """
        return self.predict(noisy, noise_value, household, *self.told(known, is_known, condition))

    def told(self, known: Tensor, is_known: Tensor, condition: Tensor) -> tuple[Tensor, Rotary]:
        """What is the same at every noise level: what enters beside the signal, and the rotary tables.

        The first is ``(batch, token, width)``.
        """
        batch, tokens, _ = condition.shape
        own = torch.cat([known, is_known[..., None]], dim=-1).reshape(batch, tokens, -1)
        of_own = self._signal_weights()[..., self.config.channels :].flatten(1)
        weight = torch.cat([of_own, self.enter.weight[:, -self.config.condition_channels :]], dim=1)
        beside = F.linear(torch.cat([own, condition], dim=-1), weight, self.enter.bias)
        return beside, rotary(tokens, self.config, beside.device, self.arithmetic or beside.dtype)

    def predict(
        self, noisy: Tensor, noise_value: Tensor, household: Tensor, beside: Tensor, tables: Rotary
    ) -> Tensor:
        """Output of the shape of ``noisy``; the last two arguments are what `told` gives.

        Where the whole batch has one noise level and household, ``noise_value`` and ``household`` may have one row.
        """
        of_noisy = self._signal_weights()[..., : self.config.channels].flatten(1)
        x = beside + F.linear(noisy.reshape(*beside.shape[:2], -1), of_noisy)
        x = x.to(tables.near.dtype)
        frequencies = torch.exp(torch.linspace(0, 5, 32, device=noisy.device))
        angle = noise_value[:, None] * frequencies
        context = F.silu(
            self.noise_level(torch.cat([angle.sin(), angle.cos()], dim=-1)) + self.household(household)
        )
        for block in self.blocks:
            x = block(x, context, tables)
        shift, scale = self.final_modulation(context)[:, None].chunk(2, dim=-1)
        x = modulated_norm(x, 1 + scale, shift)
        out: Tensor = self.leave(x.to(self.leave.weight.dtype))
        return out.reshape(noisy.shape)

    def _signal_weights(self) -> Tensor:
        """Weights of the signal in `enter`, ``(width, step, channel)``: noisy, known, is known of each step."""
        of_signal: Tensor = self.enter.weight[:, : -self.config.condition_channels]
        return of_signal.reshape(len(of_signal), self.config.patch, -1)

    def for_sampling(self, device: str, dtype: torch.dtype) -> Transformer:
        """A copy to sample with: the blocks' matrices in ``dtype``, what enters, modulates and leaves in float32."""
        copy = deepcopy(self).to(device).eval().requires_grad_(False)
        copy.arithmetic = dtype
        for block in copy.blocks:
            for name, layer in block.named_children():
                if name != "modulation":
                    layer.to(dtype)
        return copy
