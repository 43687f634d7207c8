"""TimeGAN: a generator and a critic in the latent space of an autoencoder, led by a supervisor.

Yoon, Jarrett and van der Schaar, "Time-series Generative Adversarial Networks", NeurIPS 2019; five stacks of
GRUs, three phases, in the paper's order, with the weights of its losses.

Chosen here: windows of one day, 48 half-hours, the nearest whole day to the published 24 steps; what is known
of a step and of the household stands beside the input of all five networks; signals are standardised, so the
recovery ends linearly (published: scaled to 0..1, a sigmoid); 48 units a layer (published: 24, for signals
without conditions). Published are equal counts of steps in each phase; the shares below give that within the
minutes. Windows draw independent noise: a day knows nothing of the day before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hidiff import rng as random

from . import windows as shared
from .windows import CHANNELS, CONDITION, Windows

SUPERVISED_WEIGHT, MOMENTS_WEIGHT = 100.0, 100.0
RECONSTRUCTION_WEIGHT, EMBEDDER_SUPERVISED_WEIGHT = 10.0, 0.1
CRITIC_LIMIT = 0.15
"""The critic rests while its loss is below this."""
GENERATOR_ROUNDS = 2
"""Updates of generator and embedder for each of the critic."""
WINDOWS_A_PASS = 512


@dataclass(frozen=True, kw_only=True)
class TimeGanConfig:
    """Size and training of TimeGAN; the defaults are the published ones but for the width."""

    days: int = 1
    """Days in a window."""
    width: int = 48
    """Units of a GRU, and values of the latent space."""
    layers: int = 3
    """GRUs on top of each other; the supervisor has one fewer."""
    batch: int = 128
    learning_rate: float = 1e-3
    embedding_share: float = 0.27
    """Share of the training that goes to the autoencoder alone, the first phase."""
    supervised_share: float = 0.05
    """Share that goes to the supervisor alone, the second phase; all else is the joint phase."""
    steps: int | None = None
    """Stop after so many steps, for runs that must repeat exactly; None: minutes decide."""

    def __post_init__(self) -> None:
        for name in ("days", "width", "batch", "learning_rate", "embedding_share", "supervised_share"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)}; it must be above 0")
        if not self.layers >= 2:
            raise ValueError(f"layers={self.layers}; the supervisor has one fewer, so 2 are needed at least")
        if not self.embedding_share + self.supervised_share < 1:
            raise ValueError(
                f"embedding_share={self.embedding_share} and supervised_share={self.supervised_share} leave "
                "nothing for the joint phase; their sum must be below 1"
            )


class Recurrent(nn.Module):
    """GRUs along the steps, what is known of each step beside the input, a linear layer at the end."""

    def __init__(self, inputs: int, outputs: int, width: int, layers: int) -> None:
        super().__init__()
        self.units = nn.GRU(inputs, width, layers, batch_first=True)
        self.leave = nn.Linear(width, outputs)

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """``(batch, step, in)`` and ``(batch, step, known)`` to ``(batch, step, out)``."""
        hidden, _ = self.units(torch.cat([values, known], dim=-1))
        out: Tensor = self.leave(hidden)
        return out


class Networks(nn.Module):
    """The five networks."""

    def __init__(self, config: TimeGanConfig, household: int) -> None:
        super().__init__()
        width, layers, known = config.width, config.layers, CONDITION + household
        self.width = width
        self.embedder = Recurrent(CHANNELS + known, width, width, layers)
        self.recovery = Recurrent(width + known, CHANNELS, width, layers)
        self.generator = Recurrent(width + known, width, width, layers)
        self.supervisor = Recurrent(width + known, width, width, layers - 1)
        self.critic = Recurrent(width + known, 1, width, layers)

    def embed(self, signal: Tensor, known: Tensor) -> Tensor:
        """Latent path of a signal, ``(batch, step, width)``, in 0..1."""
        return torch.sigmoid(self.embedder(signal, known))

    def supervise(self, latent: Tensor, known: Tensor) -> Tensor:
        """Latent path one step ahead."""
        return torch.sigmoid(self.supervisor(latent, known))

    def generate(self, noise: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Latent path from uniform noise ``(batch, step, width)``, before and after the supervisor."""
        raw = torch.sigmoid(self.generator(noise, known))
        return raw, self.supervise(raw, known)

    def embedder_loss(self, signal: Tensor, known: Tensor, *, supervised: bool) -> Tensor:
        """Root of the reconstruction error; in the joint phase with a little of the supervisor's."""
        latent = self.embed(signal, known)
        error = RECONSTRUCTION_WEIGHT * F.mse_loss(self.recovery(latent, known), signal).sqrt()
        if not supervised:
            return error
        return error + EMBEDDER_SUPERVISED_WEIGHT * self.supervisor_loss(latent, known)

    def supervisor_loss(self, latent: Tensor, known: Tensor) -> Tensor:
        """Squared error of the latent path one step ahead."""
        return F.mse_loss(self.supervise(latent, known)[:, :-1], latent[:, 1:])

    def generator_loss(self, signal: Tensor, known: Tensor, noise: Tensor) -> Tensor:
        """What the critic says of both made paths, the supervisor's error, mean and spread of each step."""
        raw, led = self.generate(noise, known)
        fooled = sum(_called(self.critic(path, known), True) for path in (raw, led))
        supervised = self.supervisor_loss(self.embed(signal, known).detach(), known)
        made = self.recovery(led, known)
        spread, real_spread = ((x.var(0, correction=0) + 1e-6).sqrt() for x in (made, signal))
        moments = F.l1_loss(spread, real_spread) + F.l1_loss(made.mean(0), signal.mean(0))
        return fooled + SUPERVISED_WEIGHT * (supervised + 1e-12).sqrt() + MOMENTS_WEIGHT * moments

    def critic_loss(self, signal: Tensor, known: Tensor, noise: Tensor) -> Tensor:
        """Error of telling real latent paths from the two made ones."""
        with torch.no_grad():
            real, (raw, led) = self.embed(signal, known), self.generate(noise, known)
        wrong = sum(_called(self.critic(path, known), False) for path in (raw, led))
        return _called(self.critic(real, known), True) + wrong


def _called(logit: Tensor, is_real: bool) -> Tensor:
    """Cross entropy of calling every step real, or made."""
    return F.softplus(-logit if is_real else logit).mean()


def known_of(condition: Tensor, household: Tensor) -> Tensor:
    """Condition and household beside each other at every step, ``(batch, step, C + H)``."""
    return torch.cat([condition, household[:, None].expand(-1, condition.shape[1], -1)], dim=-1)


class TimeGan:
    """TimeGAN as a `windows.WindowModel`."""

    def __init__(self, config: TimeGanConfig | None = None) -> None:
        self.config = config or TimeGanConfig()
        self.days = self.config.days
        self.networks: Networks | None = None

    def fit(self, windows: Windows, *, minutes: float, seed: int, folder: Path) -> list[dict[str, float]]:
        """Train all three phases within ``minutes``; the loss told is that of the phase."""
        config, device = self.config, shared.device_at_hand()
        torch.manual_seed(seed)
        networks = Networks(config, windows.household.shape[-1]).to(device)
        windows = windows.to(device)

        def adam(*parts: nn.Module) -> torch.optim.Adam:
            return torch.optim.Adam([p for part in parts for p in part.parameters()], config.learning_rate)

        autoencoder = adam(networks.embedder, networks.recovery)
        generation = adam(networks.generator, networks.supervisor)
        judging = adam(networks.critic)

        def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
            signal, condition, household = windows.batch(rng, config.batch)
            noise = rng.random((*signal.shape[:2], config.width), dtype=np.float32)
            return signal, known_of(condition, household), torch.from_numpy(noise).to(device)

        def step(rng: np.random.Generator, share: float) -> float:
            signal, known, noise = draw(rng)
            if share < config.embedding_share:
                return _update(autoencoder, networks.embedder_loss(signal, known, supervised=False))
            if share < config.embedding_share + config.supervised_share:
                with torch.no_grad():
                    latent = networks.embed(signal, known)
                return _update(generation, networks.supervisor_loss(latent, known))
            for _ in range(GENERATOR_ROUNDS):
                loss = _update(generation, networks.generator_loss(signal, known, noise))
                _update(autoencoder, networks.embedder_loss(signal, known, supervised=True))
                signal, known, noise = draw(rng)
            judged = networks.critic_loss(signal, known, noise)
            if float(judged.detach()) > CRITIC_LIMIT:
                _update(judging, judged)
            return loss

        history = shared.train(
            networks, [autoencoder, generation, judging], step,
            minutes=minutes, seed=seed, folder=folder, name="timegan", steps=config.steps,
        )  # fmt: skip
        self.networks = networks
        return history

    @torch.no_grad()
    def sample(self, condition: Tensor, household: Tensor, seed: int, key: str) -> Tensor:
        """Standardised windows ``(window, step, 2)``; arguments as in `windows.WindowModel`."""
        if self.networks is None:
            raise ValueError("TimeGan has no weights yet; call fit first")
        networks, made = self.networks, []
        device = next(networks.parameters()).device
        shape = (condition.shape[1], networks.width)
        for begin in range(0, len(condition), WINDOWS_A_PASS):
            some = slice(begin, begin + WINDOWS_A_PASS)
            known = known_of(condition[some], household[some]).to(device)
            draws = [
                random.generator(seed, key, "timegan", begin + place).random(shape, dtype=np.float32)
                for place in range(len(known))
            ]
            _, latent = networks.generate(torch.from_numpy(np.stack(draws)).to(device), known)
            made.append(networks.recovery(latent, known).cpu())
        return torch.cat(made)


def _update(optimiser: torch.optim.Optimizer, loss: Tensor) -> float:
    """One step down ``loss``; its value before."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(loss.detach())
