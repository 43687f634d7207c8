"""Floating-point operations of one home-year: this sampler beside the published reference design.

    python benchmarks/reference_cost.py

**Ours** is counted, not estimated: PyTorch's `FlopCounterMode` sees every matrix product, attention and
convolution of one real sampling call; a multiply and an add are two operations. Everything else (norms,
activations, assembly) is not counted, here or below.

**The reference as cited** is HiDiffEnergy (2025): two U-Nets of 22 million parameters, DDPM with 500 steps
each, windows of two days. The 175 TFLOP a home-year are those of this project's design notes
(generator.md), which read and ran that design; they say neither which operations were counted, nor whether
a multiply-add is one or two, nor how long the networks' inputs were. Taken apart: with 182.5 windows a year
and 2 x 500 passes a window, 175 TFLOP are 0.96 GFLOP a pass. A convolutional network does two operations
per parameter and position, so 22 M parameters at 0.96 GFLOP work at 22 positions on (parameter-weighted)
average: plausible for a U-Net on windows of 48 to 96, whose parameters sit mostly at its coarse
resolutions.

**The reference re-derived** is a rough check of that figure: a plain 1-D U-Net (residual blocks, four
resolutions, attention at the lowest) as wide as 22 M parameters allow, counted by the same counter on
windows of 96 positions (two days of half-hours) and of 48. The design's coarse level may run on the 4x
shortened window (24 or 12 positions, padded to a multiple of 8): both readings are shown. It is a network
of that size, not a copy of theirs. It comes to between a fifth and two thirds of the cited figure: the
order of magnitude holds, the figure itself is not reproduced.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

import hidiff
from hidiff import HiDiff
from hidiff.diffusion.sampling import Sampling, make_span

CITED_TFLOP = 175.0
PARAMETERS = 22e6
WINDOWS_A_YEAR = 365 / 2
STEPS_A_LEVEL = 500
LEVELS = 2


def attention_flop(query: torch.Size, key: torch.Size, value: torch.Size, *_: Any, **__: Any) -> int:
    """Operations of the CPU's fused attention, which the counter does not know by itself."""
    return int(sdpa_flop_count(query, key, value))


def linear_flop(x: torch.Size, *_: Any, out_shape: torch.Size, **__: Any) -> int:
    """Operations of a linear layer with the next operation fused to it, likewise."""
    return 2 * math.prod(out_shape) * x[-1]


def count_flop(run: Callable[[], Any]) -> int:
    """Floating-point operations of all matrix products, attentions and convolutions within ``run()``.

    Other threads than the caller's are not seen.
    """
    fused = {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_flop,
        torch.ops.mkldnn._linear_pointwise: linear_flop,
    }
    with FlopCounterMode(display=False, custom_mapping=fused) as counter:
        run()
    return int(counter.get_total_flops())


def network_passes(solver: str, steps: int) -> int:
    """Passes through each level's network that ``steps`` of ``solver`` take."""
    return 2 * steps - 1 if solver == "heun" else steps


def sampling_flop(model: HiDiff, solver: str | None = None, steps: int | None = None) -> float:
    """Operations of one home over one year, as really sampled."""
    span = make_span("2030-01-01", 1, "Australia/Sydney", model.low.config, model.high.config)
    weather = model.regional.sample(span.grid.dates, 0)
    sampling = Sampling(
        model.low, model.high, model.regional, span, weather, 0, model.sampler_for(steps, solver), "cpu",
        model.students,
    )  # fmt: skip
    people = model.households(1, 0)
    return count_flop(lambda: sampling.traces(people))


class ResidualBlock(nn.Module):
    """Two convolutions around a shift by the noise level (Ho et al. 2020)."""

    def __init__(self, channels_in: int, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm_in, self.norm_out = nn.GroupNorm(8, channels_in), nn.GroupNorm(8, channels)
        self.conv_in = nn.Conv1d(channels_in, channels, 3, padding=1)
        self.conv_out = nn.Conv1d(channels, channels, 3, padding=1)
        self.shift = nn.Linear(embedding, channels)
        self.skip = nn.Conv1d(channels_in, channels, 1) if channels_in != channels else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv_in(F.silu(self.norm_in(x))) + self.shift(embedding)[..., None]
        return self.skip(x) + self.conv_out(F.silu(self.norm_out(h)))


class Attention(nn.Module):
    """Attention over positions, four heads."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.qkv, self.out = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, length = x.shape
        qkv = self.qkv(self.norm(x)).view(batch, 3, 4, channels // 4, length).transpose(-1, -2)
        h = F.scaled_dot_product_attention(*qkv.unbind(1))  # (batch, head, position, channel)
        return x + self.out(h.transpose(-1, -2).reshape(batch, channels, length))


class UNet(nn.Module):
    """A plain 1-D U-Net: four resolutions of 1, 2, 4 and 8 times the width, two residual blocks in each."""

    def __init__(self, width: int, channels: int = 2) -> None:
        super().__init__()
        widths = [width * factor for factor in (1, 2, 4, 8)]
        embedding = 4 * width
        self.embed = nn.Sequential(nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.enter, self.leave = nn.Conv1d(channels, width, 7, padding=3), nn.Conv1d(width, channels, 1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = width
        for place, here in enumerate(widths):
            halve = nn.Conv1d(here, here, 4, 2, 1) if place < 3 else nn.Identity()
            parts = [ResidualBlock(before, here, embedding), ResidualBlock(here, here, embedding), halve]
            self.down.append(nn.ModuleList(parts))
            before = here
        self.middle = nn.ModuleList(
            [
                ResidualBlock(before, before, embedding),
                Attention(before),
                ResidualBlock(before, before, embedding),
            ]
        )
        for place, here in reversed(list(enumerate(widths))):
            double = nn.ConvTranspose1d(before, before, 4, 2, 1) if place < 3 else nn.Identity()
            parts = [
                double,
                ResidualBlock(before + here, here, embedding),
                ResidualBlock(here, here, embedding),
            ]
            self.up.append(nn.ModuleList(parts))
            before = here
        self.width = width

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        angle = level[:, None] * torch.exp(torch.linspace(0, 5, self.width // 2))
        embedding = self.embed(torch.cat([angle.sin(), angle.cos()], dim=-1))
        x, skips = self.enter(x), []
        for first, second, halve in self.down:  # type: ignore[misc]
            x = second(first(x, embedding), embedding)
            skips.append(x)
            x = halve(x)
        first, attend, second = self.middle
        x = second(attend(first(x, embedding)), embedding)
        for double, first, second in self.up:  # type: ignore[misc]
            x = second(first(torch.cat([double(x), skips.pop()], dim=1), embedding), embedding)
        return self.leave(x)


def parameters(network: nn.Module) -> int:
    """Number of weights."""
    return sum(weight.numel() for weight in network.parameters())


def reference_network() -> UNet:
    """The U-Net whose number of weights is nearest 22 million; widths in steps of 8."""
    with torch.device("meta"):
        widths = range(24, 129, 8)
        width = min(widths, key=lambda width: abs(math.log(parameters(UNet(width)) / PARAMETERS)))
    return UNet(width).eval()


@torch.no_grad()
def reference_flop(network: UNet, lengths: tuple[int, int]) -> float:
    """Operations per home-year of two such networks, 500 steps each, on windows of the two ``lengths``."""
    padded = (math.ceil(length / 8) * 8 for length in lengths)  # three halvings
    passes = (count_flop(lambda n=n: network(torch.zeros(1, 2, n), torch.zeros(1))) for n in padded)
    return WINDOWS_A_YEAR * STEPS_A_LEVEL * sum(passes)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="model directory, instead of the shipped model")
    arguments = parser.parse_args()

    model = hidiff.load(arguments.model)
    sampler = model.sampler
    ours, own_passes = sampling_flop(model), network_passes(sampler.solver, sampler.steps)
    yardstick_passes = network_passes("heun", 18)
    network = reference_network()
    size = f"{(parameters(model.low) + parameters(model.high)) / 1e6:.1f} M"
    both = f"2 x {parameters(network) / 1e6:.1f} M"
    passes = STEPS_A_LEVEL * WINDOWS_A_YEAR
    rows = [
        (
            f"hidiff, {sampler.steps} steps {sampler.solver}, counted",
            size,
            f"{own_passes} (high level twice)",
            ours,
        ),
        # the operations of a call are those of a pass times the passes, but for a household's encoding
        (
            "hidiff, 18 steps heun",
            size,
            f"{yardstick_passes} (high level twice)",
            ours * yardstick_passes / own_passes,
        ),
        ("reference, as cited", "2 x 22 M", f"{passes:,.0f} of 2 days", CITED_TFLOP * 1e12),
    ]
    for lengths in ((96, 96), (96, 24), (48, 48), (48, 12)):
        name = f"reference re-derived, windows of {lengths[0]} and {lengths[1]}"
        rows.append((name, both, f"{passes:,.0f} of 2 days", reference_flop(network, lengths)))
    print("| sampler | parameters | network passes | TFLOP a home-year | times ours | of the cited |")
    print("|---|---|---|---:|---:|---:|")
    for name, weights, how, flop in rows:
        print(
            f"| {name} | {weights} | {how} | {flop / 1e12:,.3g} | {flop / ours:,.3g} | "
            f"{100 * flop / CITED_TFLOP / 1e12:.3g} % |"
        )


if __name__ == "__main__":
    main()
