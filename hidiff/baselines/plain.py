"""Plain one-level diffusion: one transformer makes half-hours of 14 days, with no level of days above it.

EDM preconditioning and noise (Karras et al. 2022, arXiv 2206.00364), attention from every hour to every hour
with rotary places, known context in training, DPM-Solver++ (2M) (Lu et al. 2022, arXiv 2211.01095) in 8 passes.
What it lacks beside the hierarchical generator is what it cannot know: anything longer than a window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hidiff.data.calendars import STEPS_PER_DAY

from .windows import CHANNELS, CONDITION, ENVELOPE, Windows, device_at_hand, train, window_noise

PATCH = 2
"""Half-hours in a token."""


@dataclass(frozen=True, kw_only=True)
class PlainConfig:
    """Size, noise and training of the plain diffusion."""

    days: int = 14
    width: int = 128
    blocks: int = 6
    heads: int = 4
    dropout: float = 0.05
    sigma_min: float = 0.01
    sigma_max: float = 30.0
    sigma_mean: float = -0.6
    """Mean of the log noise level in training."""
    sigma_spread: float = 1.3
    night_weight: float = 0.05
    """Weight of the clearness with the sun down, where it means nothing."""
    sampler_steps: int = 8
    """Network passes of one sample."""
    regional_share: float = 0.35
    """Share of the variance of the clearness noise that all homes share."""
    batch: int = 32
    learning_rate: float = 1e-3
    steps: int | None = None
    """Stop training after these many steps; None: by the minutes alone."""

    def __post_init__(self) -> None:
        for name in ("days", "width", "blocks", "heads", "sampler_steps", "batch"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name}={getattr(self, name)}; it must be at least 1")
        if self.width % (2 * self.heads):
            raise ValueError(f"width={self.width}; it must be a multiple of twice the heads={self.heads}")
        if not 0 < self.sigma_min < self.sigma_max:
            raise ValueError(
                f"sigma_min={self.sigma_min} and sigma_max={self.sigma_max} must rise from above 0"
            )
        if not 0 <= self.regional_share <= 1:
            raise ValueError(f"regional_share={self.regional_share}; it must lie in 0..1")


class Block(nn.Module):
    """A short convolution, attention over the whole window and two layers, scaled and shifted by the context."""

    def __init__(self, config: PlainConfig) -> None:
        super().__init__()
        width, self.heads, self.dropout = config.width, config.heads, config.dropout
        self.local = nn.Conv1d(width, width, 5, padding=2, groups=width)
        self.enter, self.leave = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.grow, self.shrink = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        self.context = nn.Linear(width, 6 * width)
        for layer in (self.context, self.leave, self.shrink):  # begins as the identity
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, context: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        batch, length, width = x.shape
        shift1, scale1, gate1, shift2, scale2, gate2 = self.context(context)[:, None].chunk(6, dim=-1)
        h = F.layer_norm(x, (width,)) * (1 + scale1) + shift1
        h = h + self.local(h.transpose(1, 2)).transpose(1, 2)
        q, k, v = self.enter(h).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        h = _attend(_rotate(q, turn), _rotate(k, turn), v)  # (batch, head, token, …)
        h = self.leave(h.transpose(1, 2).flatten(2))
        x = x + (1 + gate1) * F.dropout(h, self.dropout, self.training)
        h = F.layer_norm(x, (width,)) * (1 + scale2) + shift2
        h = self.shrink(F.gelu(self.grow(h), approximate="tanh"))
        out: Tensor = x + (1 + gate2) * F.dropout(h, self.dropout, self.training)
        return out


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention, all ``(batch, head, token, width)``; on a CPU two plain products beat the fused kernel by a third."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v)
    return (q / math.sqrt(q.shape[-1]) @ k.transpose(-1, -2)).softmax(-1).to(v) @ v


def _rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = turn[0].to(x), turn[1].to(x)  # each (token, half of the head's width)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class Denoiser(nn.Module):
    """Clean guess of noisy windows, given what is known of the steps, the household and its neighbours."""

    def __init__(self, config: PlainConfig, household: int) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.enter = nn.Linear(PATCH * (2 * CHANNELS + 1 + CONDITION), width)
        self.noise_level = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))
        self.household = nn.Linear(household, width)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.blocks)])
        self.last_context, self.leave = nn.Linear(width, 2 * width), nn.Linear(width, PATCH * CHANNELS)
        for layer in (self.last_context, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        noisy: Tensor,
        sigma: Tensor,
        known: Tensor,
        is_known: Tensor,
        condition: Tensor,
        household: Tensor,
    ) -> Tensor:
        """``(batch, step, 2)``; ``sigma`` is ``(batch,)``, ``is_known`` ``(batch, step)`` of 0 and 1."""
        batch, steps, _ = noisy.shape
        level = sigma.to(noisy)[:, None, None]
        total = (level**2 + 1).sqrt()  # the signal is standardised: sigma_data is 1
        inputs = torch.cat([noisy / total, known, is_known[..., None], condition], dim=-1)
        x = self.enter(inputs.reshape(batch, steps // PATCH, -1))
        angle = sigma.to(noisy).log()[:, None] / 4 * torch.exp(torch.linspace(0, 5, 32, device=x.device))
        waves = torch.cat([angle.sin(), angle.cos()], dim=-1)
        context = F.silu(self.noise_level(waves) + self.household(household))
        turn = self._places(x.shape[1], x.device)
        for block in self.blocks:
            x = block(x, context, turn)
        shift, scale = self.last_context(context)[:, None].chunk(2, dim=-1)
        x = self.leave(F.layer_norm(x, (x.shape[-1],)) * (1 + scale) + shift)
        output: Tensor = x.reshape(batch, steps, CHANNELS).to(noisy)
        return noisy / total**2 + output * level / total

    def _places(self, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Cosine and sine of the rotary angles; periods from 3 hours to 1000, even in the log."""
        half = self.config.width // self.config.heads // 2
        periods = 3 * (1000 / 3) ** torch.linspace(0, 1, half, device=device)
        angle = 2 * math.pi * torch.arange(length, device=device)[:, None] / periods
        return angle.cos(), angle.sin()


class Plain:
    """The plain diffusion as a window model that can be given a part of its window."""

    def __init__(self, config: PlainConfig | None = None) -> None:
        self.config = config or PlainConfig()
        self.days, self.regional_share = self.config.days, self.config.regional_share
        self.network: Denoiser | None = None

    def fit(self, windows: Windows, *, minutes: float, seed: int, folder: Path) -> list[dict[str, float]]:
        """See `windows.WindowModel.fit`."""
        config, device = self.config, device_at_hand()
        data = windows.to(device)
        torch.manual_seed(seed)
        network = Denoiser(config, windows.household.shape[1]).to(device)
        optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99))

        def step(rng: np.random.Generator, share: float) -> float:
            rate = config.learning_rate * min(share / 0.01, 1.0) * min((1 - share) / 0.3 + 0.02, 1.0)
            optimiser.param_groups[0]["lr"] = max(rate, 1e-3 * config.learning_rate)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                loss = self._loss(network, data, rng)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            return float(loss.detach())

        history = train(
            network, [optimiser], step, minutes=minutes, seed=seed, folder=folder, name="plain",
            ema_halflife_steps=500, steps=config.steps,
        )  # fmt: skip
        self.network = network
        return history

    def _loss(self, network: Denoiser, data: Windows, rng: np.random.Generator) -> Tensor:
        """Weighted denoising error of the steps that are not known; a scalar."""
        config = self.config
        signal, condition, household = data.batch(rng, config.batch)

        def draw(*shape: int) -> Tensor:
            return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).to(signal.device)

        sigma = (config.sigma_mean + config.sigma_spread * draw(config.batch)).exp()
        is_known = known_context(rng, config.batch, config.days).to(signal.device)
        known = signal * is_known[..., None]
        noisy = signal + sigma[:, None, None] * draw(*signal.shape)
        denoised: Tensor = network(noisy, sigma, known, is_known, condition, household)
        error = (denoised - signal) ** 2
        sunny = torch.where(condition[..., ENVELOPE] > 0.03, 1.0, config.night_weight)
        weight = torch.stack([torch.ones_like(sunny), sunny], dim=-1) * (1 - is_known)[..., None]
        balance = ((sigma**2 + 1) / sigma**2)[:, None, None]
        return (balance * weight * error).sum() / weight.sum()

    def sample(self, condition: Tensor, household: Tensor, seed: int, key: str) -> Tensor:
        """See `windows.WindowModel.sample`."""
        shape = (len(condition), condition.shape[1], CHANNELS)
        noise = window_noise(shape, seed, key, "plain")
        return self.sample_known(condition, household, torch.zeros(shape), torch.zeros(shape[:2]), noise)

    @torch.no_grad()
    def sample_known(
        self, condition: Tensor, household: Tensor, known: Tensor, is_known: Tensor, noise: Tensor
    ) -> Tensor:
        """See `years.KnownContext.sample_known`; what is known comes back as it was given."""
        if self.network is None:
            raise ValueError("the model has not been trained; call fit first")
        device = next(self.network.parameters()).device
        fixed = [part.to(device) for part in (known, is_known, condition, household)]
        sigmas = _levels(self.config).tolist()
        x = noise.to(device) * sigmas[0]
        last: Tensor | None = None
        with torch.autocast(device.type, dtype=torch.bfloat16):
            for place, (now, then) in enumerate(zip(sigmas, [*sigmas[1:], 0.0], strict=True)):
                guess: Tensor = self.network(x, torch.full((len(x),), now, device=device), *fixed).float()
                if then == 0:
                    x = guess
                    break
                step, blend = math.log(now / then), guess
                if last is not None:
                    ratio = math.log(sigmas[place - 1] / now) / step
                    blend = guess + (guess - last) / (2 * ratio)
                x = x * (then / now) - math.expm1(-step) * blend
                last = guess
        return torch.where(is_known[..., None] > 0, known, x.cpu())


def _levels(config: PlainConfig) -> Tensor:
    """Falling noise levels ``(sampler_steps,)`` (Karras et al. 2022, eq. 5, rho = 7)."""
    place = torch.linspace(0, 1, config.sampler_steps, dtype=torch.float64)
    low, high = config.sigma_min ** (1 / 7), config.sigma_max ** (1 / 7)
    levels: Tensor = (high + place * (low - high)) ** 7
    return levels


def known_context(rng: np.random.Generator, batch: int, days: int) -> Tensor:
    """Known days at both ends, one end or none, as ``(batch, step)`` of 0 and 1; at most half is known."""
    most = min(2, days // 4)
    sides = rng.random((batch, 2)) < 0.5
    length = rng.integers(1, most + 1, (batch, 2)) * sides if most else np.zeros((batch, 2), dtype=np.int64)
    day = np.arange(days)[None]
    known = (day < length[:, :1]) | (day >= days - length[:, 1:])
    return torch.from_numpy(np.repeat(known, STEPS_PER_DAY, axis=1).astype(np.float32))
