"""The reference two-stage design, HiDiffEnergy (OU-CPS, 2025), as published and with its collapse repaired.

Two U-Nets denoise windows of two days: one a coarse signal of a quarter of the steps, one what the coarse
signal leaves over. The network, its losses and its noise follow the published code; nothing is copied from it.

**As published** the coarse signal is a learned convolution of the same window, trained by the coarse level's
loss alone, so it shrinks to what is easily denoised; the transposed convolution back has no gradient and stays
as it was drawn. Its sampler draws weekday and day of the year at random, which tells a segment as much as no
date does: here the network is told the household and nothing else. Segments draw independent noise, all 500
steps of the DDPM are taken, nothing is bounded: clearness may come out negative, and what becomes of it is up
to who makes kilowatts of it. Two parts differ: a household is its statistics (published: one learned vector
for each training home, none for others), and the time of day is no channel to be generated, since every
window starts at midnight.

**Repaired** the coarse signal is the mean of four steps, repeated to come back; both levels are scaled to unit
spread; both are told the condition; weights are averaged; a clean guess is kept within the values of training.
A home-year costs 2 x 500 passes of 183 windows as published; repaired, a strided DDIM (Song et al. 2021) takes
`sampling_steps`, 25 unless asked otherwise, which is what makes a year affordable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hidiff import rng as random

from . import windows as shared
from .windows import CHANNELS, CONDITION, Windows

FACTOR = 4
"""Steps of the window in a step of the coarse signal."""
NOISE_STEPS = 500
DDIM_START = 490
"""First step of DDIM: before it, a clean guess is the network's error over next to no signal."""
GROUPS, HEADS = 8, 8
FINE_WEIGHT = 1.5
"""Of the fine level's loss over the coarse one's."""


@dataclass(frozen=True, kw_only=True)
class HiDiffEnergyConfig:
    """Size, training and sampling; the network's defaults are the published ones."""

    repaired: bool = False
    """Mend the collapse, tell the date, average the weights, bound the samples, sample by DDIM."""
    days: int = 2
    """Days in a window."""
    width: int = 128
    """Channels at the finest of three resolutions, doubled at each; 128 makes 22 million weights a level."""
    blocks: int = 3
    """Residual blocks at each resolution, on the way down and up."""
    dropout: float = 0.1
    batch: int = 64
    """Published: 512."""
    learning_rate: float = 2e-4
    """Published: 3e-5, for more steps than the minutes of a comparison allow."""
    gradient_limit: float = 1.0
    """Largest norm of the gradient; published: 0.1."""
    sampling_steps: int | None = None
    """Steps of DDIM. None: repaired 25; as published no DDIM but the 500 steps of the DDPM."""
    steps: int | None = None
    """Stop after so many steps, for runs that must repeat exactly; None: minutes decide."""

    def __post_init__(self) -> None:
        for name in ("days", "blocks", "batch", "learning_rate", "gradient_limit"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)}; it must be above 0")
        if not self.width >= GROUPS or self.width % GROUPS:
            raise ValueError(f"width={self.width}; it must be a multiple of {GROUPS}")
        if self.sampling_steps is not None and not 2 <= self.sampling_steps <= DDIM_START:
            raise ValueError(f"sampling_steps={self.sampling_steps}; it must lie in 2..{DDIM_START}")


class ResidualBlock(nn.Module):
    """Two convolutions; the context scales and shifts between them."""

    def __init__(self, channels_in: int, channels: int, context: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels_in, channels, 3, padding=1)
        self.first_norm = nn.GroupNorm(GROUPS, channels, affine=False)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(context, 2 * channels))
        self.second = nn.Sequential(
            nn.Conv1d(channels, channels, 3, padding=1), nn.GroupNorm(GROUPS, channels), nn.SiLU(),
            nn.Dropout(dropout),
        )  # fmt: skip
        self.skip = nn.Conv1d(channels_in, channels, 1) if channels_in != channels else nn.Identity()

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        scale, shift = self.modulation(context)[..., None].chunk(2, dim=1)
        h = F.silu(self.first_norm(self.first(x)) * (1 + scale) + shift)
        out: Tensor = self.second(h) + self.skip(x)
        return out


class Attention(nn.Module):
    """Attention over all steps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.enter, self.leave = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, steps = x.shape
        parts = self.enter(self.norm(x)).view(batch, 3, HEADS, channels // HEADS, steps).transpose(-1, -2)
        h = F.scaled_dot_product_attention(*parts.unbind(1))  # (batch, head, step, channel)
        out: Tensor = x + self.leave(h.transpose(-1, -2).reshape(batch, channels, steps))
        return out


class Resolution(nn.Module):
    """Residual blocks and attention at one number of steps."""

    def __init__(self, channels_in: int, channels: int, context: int, blocks: int, dropout: float) -> None:
        super().__init__()
        before = [channels_in] + [channels] * (blocks - 1)
        self.blocks = nn.ModuleList([ResidualBlock(c, channels, context, dropout) for c in before])
        self.attention = Attention(channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, context)
        out: Tensor = self.attention(x)
        return out


class UNet(nn.Module):
    """Guess of the noise in a signal at three resolutions."""

    def __init__(self, config: HiDiffEnergyConfig, known: int, household: int) -> None:
        super().__init__()
        width, blocks, dropout = config.width, config.blocks, config.dropout
        self.width, context = width, 4 * width
        self.noise_step = nn.Sequential(nn.Linear(width, context), nn.SiLU(), nn.Linear(context, context))
        self.household = nn.Linear(household, context)
        self.enter = nn.Conv1d(CHANNELS + known, width, 7, padding=3)
        self.down, self.shorten, self.lengthen, self.up = (nn.ModuleList() for _ in range(4))
        for here in (width, 2 * width):
            self.down.append(Resolution(here, 2 * here, context, blocks, dropout))
            self.shorten.append(nn.Conv1d(2 * here, 2 * here, 4, stride=2, padding=1))
            self.lengthen.insert(0, nn.ConvTranspose1d(2 * here, 2 * here, 4, stride=2, padding=1))
            self.up.insert(0, Resolution(4 * here, here, context, blocks, dropout))
        self.middle = Resolution(4 * width, 4 * width, context, 1, dropout)
        self.middle_after = ResidualBlock(4 * width, 4 * width, context, dropout)
        self.last = ResidualBlock(width, width, context, dropout)
        self.leave = nn.Conv1d(width, CHANNELS, 1)

    def forward(self, noisy: Tensor, noise_step: Tensor, known: Tensor, household: Tensor) -> Tensor:
        """``(batch, step, 2)``; ``noise_step`` ``(batch,)``, ``known`` ``(batch, step, known)``."""
        frequency = torch.exp(torch.linspace(0, -math.log(10_000), self.width // 2, device=noisy.device))
        angle = noise_step[:, None] * frequency
        context = self.noise_step(torch.cat([angle.sin(), angle.cos()], dim=-1)) + self.household(household)
        x, skips = self.enter(torch.cat([noisy, known], dim=-1).transpose(1, 2)), []
        for part, shorten in zip(self.down, self.shorten, strict=True):
            x = part(x, context)
            skips.append(x)
            x = shorten(x)
        x = self.middle_after(self.middle(x, context), context)
        for lengthen, part in zip(self.lengthen, self.up, strict=True):
            x = part(torch.cat([skips.pop(), lengthen(x)], dim=1), context)
        out: Tensor = self.leave(self.last(x, context))
        return out.transpose(1, 2)


def kept_signal() -> Tensor:
    """Share of the signal's variance left after each of the 500 noise steps (Nichol and Dhariwal 2021)."""
    place = torch.arange(NOISE_STEPS + 1, dtype=torch.float64) / NOISE_STEPS
    wave = torch.cos((place + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - (1 - wave[1:] / wave[:-1]).clamp(1e-4, 0.9999)).cumprod(0)


class Level(nn.Module):
    """A U-Net with its noise: a DDPM."""

    kept: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, config: HiDiffEnergyConfig, known: int, household: int) -> None:
        super().__init__()
        self.network = UNet(config, known, household)
        self.register_buffer("kept", kept_signal().float())
        self.register_buffer("lowest", torch.full((CHANNELS,), -math.inf))
        self.register_buffer("highest", torch.full((CHANNELS,), math.inf))

    def loss(self, clean: Tensor, known: Tensor, household: Tensor, rng: np.random.Generator) -> Tensor:
        """Huber loss of the noise at random steps."""
        noise_step = torch.from_numpy(rng.integers(NOISE_STEPS, size=len(clean))).to(clean.device)
        noise = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32)).to(clean.device)
        kept = self.kept[noise_step][:, None, None]
        noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise
        return F.huber_loss(self.network(noisy, noise_step.float(), known, household), noise)

    def sample(
        self, steps: int, known: Tensor, household: Tensor, rngs: list[np.random.Generator],
        sampling_steps: int | None,
    ) -> Tensor:  # fmt: skip
        """Signals ``(window, step, 2)``, each from its own generator; None takes the DDPM's own 500 steps."""

        def noise() -> Tensor:
            rows = [rng.standard_normal((steps, CHANNELS), dtype=np.float32) for rng in rngs]
            return torch.from_numpy(np.stack(rows)).to(known.device)

        def guess(x: Tensor, place: int) -> Tensor:
            out: Tensor = self.network(x, torch.full((len(x),), float(place)).to(x), known, household)
            return out

        x, kept = noise(), [float(value) for value in kept_signal()]
        if sampling_steps is None:
            for place in reversed(range(NOISE_STEPS)):
                before = kept[place - 1] if place else 1.0
                alpha = kept[place] / before
                x = (x - (1 - alpha) / math.sqrt(1 - kept[place]) * guess(x, place)) / math.sqrt(alpha)
                if place:
                    x = x + math.sqrt((1 - alpha) * (1 - before) / (1 - kept[place])) * noise()
            return x
        places = np.linspace(DDIM_START, 0, sampling_steps).round().astype(int)
        levels = [kept[place] for place in places]
        for place, here, then in zip(places, levels, [*levels[1:], 1.0], strict=True):
            spread = math.sqrt(1 - here)
            clean = (x - spread * guess(x, int(place))) / math.sqrt(here)
            clean = clean.clamp(self.lowest, self.highest)
            noise_left = (x - math.sqrt(here) * clean) / spread
            x = math.sqrt(then) * clean + math.sqrt(1 - then) * noise_left
        return x


def means(signal: Tensor) -> Tensor:
    """Means of four steps, ``(batch, step, value)`` to ``(batch, step / 4, value)``."""
    batch, steps, values = signal.shape
    return signal.reshape(batch, steps // FACTOR, FACTOR, values).mean(2)


class Hierarchy(nn.Module):
    """Both levels and the way between a window and its coarse signal."""

    coarse_scale: Tensor
    fine_scale: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, config: HiDiffEnergyConfig, household: int) -> None:
        super().__init__()
        self.config = config
        known = CONDITION if config.repaired else 0
        self.coarse = Level(config, known, household)
        self.fine = Level(config, known + CHANNELS, household)
        if not config.repaired:
            self.down = nn.Conv1d(CHANNELS, CHANNELS, FACTOR, stride=FACTOR)
            self.back = nn.ConvTranspose1d(CHANNELS, CHANNELS, FACTOR, stride=FACTOR)
        for name in ("coarse_scale", "fine_scale"):
            self.register_buffer(name, torch.stack([torch.zeros(CHANNELS), torch.ones(CHANNELS)]))
        self.register_buffer("lowest", torch.full((CHANNELS,), -math.inf))
        self.register_buffer("highest", torch.full((CHANNELS,), math.inf))

    def shorten(self, signal: Tensor) -> Tensor:
        """Coarse signal ``(batch, step / 4, 2)``."""
        if self.config.repaired:
            return shared.standardise(means(signal), self.coarse_scale)
        out: Tensor = self.down(signal.transpose(1, 2))
        return out.transpose(1, 2)

    def lengthen(self, coarse: Tensor) -> Tensor:
        """Coarse signal back at every step, ``(batch, step, 2)``; never with a gradient, as published."""
        with torch.no_grad():
            if self.config.repaired:
                return shared.restore(coarse, self.coarse_scale).repeat_interleave(FACTOR, dim=1)
            out: Tensor = self.back(coarse.transpose(1, 2))
            return out.transpose(1, 2)

    def known(self, condition: Tensor) -> Tensor:
        """What the levels are told of each step: all, or as published nothing."""
        return condition if self.config.repaired else condition[..., :0]

    def loss(self, signal: Tensor, condition: Tensor, household: Tensor, rng: np.random.Generator) -> Tensor:
        """Sum of the levels' losses."""
        known, coarse = self.known(condition), self.shorten(signal)
        rough = self.lengthen(coarse)
        rest = shared.standardise(signal - rough, self.fine_scale)
        fine = self.fine.loss(rest, torch.cat([rough, known], dim=-1), household, rng)
        return self.coarse.loss(coarse, means(known), household, rng) + FINE_WEIGHT * fine

    @torch.no_grad()
    def sample(self, condition: Tensor, household: Tensor, rngs: list[np.random.Generator]) -> Tensor:
        """Windows ``(window, step, 2)``, the coarse signal first, each window from its own generator."""
        config, steps = self.config, condition.shape[1]
        taken = config.sampling_steps or (25 if config.repaired else None)
        known = self.known(condition)
        coarse = self.coarse.sample(steps // FACTOR, means(known), household, rngs, taken)
        rough = self.lengthen(coarse)
        rest = self.fine.sample(steps, torch.cat([rough, known], dim=-1), household, rngs, taken)
        signal = rough + shared.restore(rest, self.fine_scale)
        return signal.clamp(self.lowest, self.highest) if config.repaired else signal

    @torch.no_grad()
    def measure(self, days: Tensor) -> None:
        """Scales (repaired) and ranges of what the levels learn, from whole days ``(day, 48, 2)``."""

        def spread(x: Tensor) -> Tensor:
            return torch.stack([x.mean((0, 1)), x.std((0, 1)).clamp_min(1e-6)])

        if self.config.repaired:
            pooled = means(days)
            self.coarse_scale.copy_(spread(pooled))
            self.fine_scale.copy_(spread(days - pooled.repeat_interleave(FACTOR, dim=1)))
        coarse = self.shorten(days)
        rest = shared.standardise(days - self.lengthen(coarse), self.fine_scale)
        for part, values in ((self.coarse, coarse), (self.fine, rest), (self, days)):
            part.lowest.copy_(values.amin((0, 1)))
            part.highest.copy_(values.amax((0, 1)))


class HiDiffEnergy:
    """The reference design as a `windows.WindowModel`."""

    def __init__(self, config: HiDiffEnergyConfig | None = None) -> None:
        self.config = config or HiDiffEnergyConfig()
        self.days = self.config.days
        self.network: Hierarchy | None = None

    def fit(self, windows: Windows, *, minutes: float, seed: int, folder: Path) -> list[dict[str, float]]:
        """Train both levels at once for ``minutes`` in all."""
        config, device = self.config, shared.device_at_hand()
        torch.manual_seed(seed)
        network = Hierarchy(config, windows.household.shape[-1]).to(device)
        windows = windows.to(device)
        whole = days_of(windows)
        network.measure(whole)
        optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=1e-4)

        def step(rng: np.random.Generator, share: float) -> float:
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
            loss = network.loss(*windows.batch(rng, config.batch), rng)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), config.gradient_limit)
            optimiser.step()
            return float(loss.detach())

        history = shared.train(
            network, [optimiser], step, minutes=minutes, seed=seed, folder=folder, name="hidiff_energy",
            ema_halflife_steps=500.0 if config.repaired else None, steps=config.steps,
        )  # fmt: skip
        network.measure(whole)  # as published the coarse signal has moved
        self.network = network
        return history

    def sample(self, condition: Tensor, household: Tensor, seed: int, key: str) -> Tensor:
        """Standardised windows ``(window, step, 2)``; arguments as in `windows.WindowModel`."""
        if self.network is None:
            raise ValueError("HiDiffEnergy has no weights yet; call fit first")
        device = next(self.network.parameters()).device
        at_once, made = 512 if device.type == "cuda" else 32, []
        for begin in range(0, len(condition), at_once):
            some = slice(begin, begin + at_once)
            count = len(condition[some])
            rngs = [random.generator(seed, key, "hidiff_energy", begin + place) for place in range(count)]
            made.append(self.network.sample(condition[some].to(device), household[some].to(device), rngs))
        return torch.cat(made).cpu()


def days_of(windows: Windows) -> Tensor:
    """Every day that some window holds, ``(day, 48, 2)``."""
    is_seen = torch.zeros(windows.signal.shape[:2], dtype=torch.bool)
    for ahead in range(windows.days):
        is_seen[windows.starts[:, 0], windows.starts[:, 1] + ahead] = True
    return windows.signal[is_seen.to(windows.signal.device)]
