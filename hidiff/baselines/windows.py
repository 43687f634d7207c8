"""What every trained baseline sees: homes on standard-time days, what is known of each step, one training loop.

Signal, calendar, weather, roof and household are those that the generator itself learns from, so that a
baseline differs from it in its method and in nothing that it was told.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from hidiff import rng as random
from hidiff.data.calendars import STEPS_PER_DAY, Grid, day_features, harmonics
from hidiff.data.prepare import Prepared
from hidiff.errors import NotConverged

Array = NDArray[np.float32]
CHANNELS = 2
"""Standardised log load ratio and clearness."""
CLOCK, DAY, WEATHER = 8, 14, 3
CONDITION = CLOCK + DAY + WEATHER + 1
"""Values known of a step: clock harmonics, day features, standardised weather, clear-sky output per kWp."""
ENVELOPE = CONDITION - 1
"""Place of the clear-sky output per kWp [kW/kWp] among them; it alone is in natural units, 0 at night."""
HOUSEHOLD_LIMIT = 4.0
"""Standardised household statistics beyond this are not believed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """Mean and spread of what goes into a baseline, each ``(2, value)``."""

    signal: Tensor
    weather: Tensor
    household: Tensor

    @staticmethod
    def fit(prepared: Prepared, weather: Array, household: Array) -> Scale:
        """Scales of training homes; arguments as in `lay_out`."""
        load, clear = prepared.load_log_ratio[prepared.is_known], prepared.clearness[prepared.is_sunny]
        clear = clear if len(clear) else np.array([0.0, 1.0], dtype=np.float32)
        signal = torch.tensor([[load.mean(), clear.mean()], [load.std(), clear.std()]], dtype=torch.float32)
        seen = weather[prepared.is_known.any(0)]
        return Scale(signal=_spread_from_zero(signal), weather=_scale(seen), household=_scale(household))


def _scale(values: Array) -> Tensor:
    return _spread_from_zero(torch.from_numpy(np.stack([values.mean(0), values.std(0)]).astype(np.float32)))


def _spread_from_zero(scale: Tensor) -> Tensor:
    """``scale`` with a spread of one for a value that is the same everywhere."""
    return torch.stack([scale[0], torch.where(scale[1] > 1e-6, scale[1], torch.ones_like(scale[1]))])


def standardise(values: Tensor, scale: Tensor) -> Tensor:
    """``values`` less their mean over their spread; ``scale`` is ``(2, value)``."""
    return (values - scale[0]) / scale[1]


def restore(values: Tensor, scale: Tensor) -> Tensor:
    """The inverse of `standardise`."""
    return values * scale[1] + scale[0]


def condition_of(grid: Grid, weather: Tensor, envelope: Tensor) -> Tensor:
    """All that is known of every step, ``(home, day, 48, C)``.

    Args:
        weather: standardised, ``(day, 3)``.
        envelope: clear-sky output per kWp, ``(home, day, 48)`` [kW/kWp].
    """
    clock = torch.from_numpy(harmonics(grid.clock_hour / 24, CLOCK // 2))
    day = torch.cat([torch.from_numpy(day_features(grid)), weather], dim=1)
    result = torch.empty(*envelope.shape, CONDITION)
    result[..., :CLOCK] = clock
    result[..., CLOCK:ENVELOPE] = day[:, None]
    result[..., ENVELOPE] = envelope
    return result


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Homes laid out on standard-time days, as every trained baseline sees them."""

    signal: Tensor
    """Standardised log load ratio and clearness, ``(home, day, 48, 2)``; 0 where nothing was measured."""
    condition: Tensor
    """Clock harmonics, day features, standardised weather, clear sky per kWp, ``(home, day, 48, C)``."""
    household: Tensor
    """Standardised household statistics, ``(home, H)``."""
    starts: NDArray[np.int64]
    """Pairs ``(home, first day)`` of whole windows of ``days``, ``(run, 2)``."""
    days: int
    """Days in a window."""
    household_noise: float = 0.0
    """Noise on the household statistics of a batch: a hundred homes must not be known by heart."""

    def __post_init__(self) -> None:
        if not self.days >= 1:
            raise ValueError(f"days={self.days}; a window holds at least 1 day")
        if not self.household_noise >= 0:
            raise ValueError(f"household_noise={self.household_noise}; it must be at least 0")
        if not len(self.starts):
            raise ValueError(f"no home has {self.days} whole days in a row; there is nothing to train on")
        homes, days = self.signal.shape[:2]
        wanted = {
            "signal": (homes, days, STEPS_PER_DAY, CHANNELS),
            "condition": (homes, days, STEPS_PER_DAY, CONDITION),
            "household": (homes, self.household.shape[-1]),
        }
        for name, shape in wanted.items():
            if tuple(getattr(self, name).shape) != shape:
                raise ValueError(f"{name} has shape {tuple(getattr(self, name).shape)}; {shape} is needed")

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Random windows: signal ``(size, days * 48, 2)``, condition ``(…, C)``, household ``(size, H)``."""
        picked = torch.from_numpy(self.starts[rng.integers(len(self.starts), size=size)])
        home, start = picked.to(self.signal.device).T
        day = start[:, None] + torch.arange(self.days, device=self.signal.device)
        household = self.household[home]
        if self.household_noise:
            noise = torch.from_numpy(rng.standard_normal(household.shape, dtype=np.float32))
            household = household + self.household_noise * noise.to(household.device)
        rows = home[:, None]
        return self.signal[rows, day].flatten(1, 2), self.condition[rows, day].flatten(1, 2), household

    def to(self, device: torch.device) -> Windows:
        """The same windows on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("signal", "condition", "household")}
        return replace(self, **moved)


def lay_out(
    prepared: Prepared, weather: Array, household: Array, scale: Scale, days: int,
    *, household_noise: float = 0.15,
) -> Windows:  # fmt: skip
    """Windows of ``days`` of prepared homes.

    Args:
        weather: one row a day of ``prepared``, in the units of `hidiff.data.weather`, ``(day, 3)``.
        household: statistics of each home in natural units, ``(home, H)``.
    """
    raw = np.stack([np.nan_to_num(prepared.load_log_ratio), np.nan_to_num(prepared.clearness)], axis=-1)
    is_known = torch.from_numpy(prepared.is_known)[..., None, None]
    return Windows(
        signal=standardise(torch.from_numpy(raw), scale.signal) * is_known,
        condition=condition_of(
            prepared.grid,
            standardise(torch.from_numpy(weather), scale.weather),
            torch.from_numpy(prepared.envelope),
        ),
        household=standardise(torch.from_numpy(household), scale.household).clamp(
            -HOUSEHOLD_LIMIT, HOUSEHOLD_LIMIT
        ),
        starts=prepared.known_starts(days),
        days=days,
        household_noise=household_noise,
    )


class WindowModel(Protocol):
    """A baseline that makes windows; `hidiff.baselines.years` makes years of them."""

    days: int
    """Days in a window."""

    def fit(self, windows: Windows, *, minutes: float, seed: int, folder: Path) -> list[dict[str, float]]:
        """Train for ``minutes`` in all on the device at hand; a call with the same folder goes on.

        Returns:
            History: rows of step, minutes, loss.
        """

    def sample(self, condition: Tensor, household: Tensor, seed: int, key: str) -> Tensor:
        """Standardised windows ``(window, step, 2)``.

        Args:
            condition: ``(window, step, C)``.
            household: ``(window, H)``.
            key: names the noise, together with the place of the window.
        """


def device_at_hand() -> torch.device:
    """The CUDA card if torch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def window_noise(shape: tuple[int, int, int], seed: int, key: str, *more: random.Key) -> Tensor:
    """Standard normal noise ``(window, step, channel)``, a stream of its own for each window."""
    rows = [random.normal(shape[1:], seed, key, *more, place) for place in range(shape[0])]
    return torch.from_numpy(np.stack(rows))


Step = Callable[[np.random.Generator, float], float]
"""``(generator of the step, share of the training that is over, 0..1) -> loss``: one update of the weights."""


def train(
    module: nn.Module, optimisers: Sequence[torch.optim.Optimizer], step: Step, *, minutes: float, seed: int,
    folder: Path, name: str, ema_halflife_steps: float | None = None, steps: int | None = None,
    report_every: int = 100, save_every_s: float = 120.0,
) -> list[dict[str, float]]:  # fmt: skip
    """Call ``step`` until ``minutes`` of training are over in all, those of earlier calls counted.

    What a step draws is a function of its number alone, so a killed run goes on the way it would have gone.

    Args:
        module: holds every weight and buffer that ``step`` changes; it ends with the averaged weights.
        optimisers: every optimiser that ``step`` uses, always in the same order.
        folder: where the state is kept, ``state.safetensors``.
        ema_halflife_steps: steps after which a weight counts half in the averaged weights; None: no average.
        steps: stop after so many steps in all as well; then the share counts steps, not minutes.

    Returns:
        One row each ``report_every`` steps and at the end: step, minutes, mean loss since the row before.

    Raises:
        NotConverged: the loss is not finite; the state saved last stays.
    """
    if not minutes > 0:
        raise ValueError(f"minutes={minutes}; training needs more than 0")
    state = _State(module, optimisers, folder / "state.safetensors")
    before = state.load()
    began = saved = time.monotonic()
    decay = 1.0 if ema_halflife_steps is None else 0.5 ** (1 / ema_halflife_steps)
    recent: list[float] = []
    module.train()

    def spent() -> float:
        return before + (time.monotonic() - began) / 60

    with tqdm(total=steps, initial=state.step, desc=name, unit="step", mininterval=1.0) as bar:
        while spent() < minutes and (steps is None or state.step < steps):
            torch.manual_seed(seed * 1_000_003 + state.step)  # dropout
            share = spent() / minutes if steps is None else state.step / steps
            recent.append(step(random.generator(seed, name, "train", state.step), min(share, 1.0)))
            state.step += 1
            if not np.isfinite(recent[-1]):
                raise NotConverged(f"the loss of {name} is {recent[-1]} at step {state.step}; "
                                   "lower the learning rate, or look for odd values in the data")  # fmt: skip
            state.follow(min(decay, (1 + state.step) / (10 + state.step)) if decay < 1 else 0.0)
            bar.update()
            if state.step % report_every == 0:
                state.report(recent, spent())
                bar.set_postfix(loss=f"{state.history[-1]['loss']:.4f}")
                recent = []
            if time.monotonic() - saved > save_every_s:
                state.save(spent())
                saved = time.monotonic()
    if recent:
        state.report(recent, spent())
    if state.step:
        state.save(spent())
    _copy(dict(module.named_parameters()), state.average)
    module.eval()
    return state.history


class _State:
    """Weights, averaged weights, optimisers and counters; on disk one file, renamed into place."""

    def __init__(self, module: nn.Module, optimisers: Sequence[torch.optim.Optimizer], path: Path) -> None:
        self.module, self.optimisers, self.path = module, optimisers, path
        self.average = {key: value.detach().clone() for key, value in module.named_parameters()}
        self.step = 0
        self.history: list[dict[str, float]] = []

    def follow(self, keep: float) -> None:
        """Move the average: ``keep`` of it stays."""
        for key, value in self.module.named_parameters():
            self.average[key].lerp_(value.detach(), 1 - keep)

    def report(self, recent: list[float], minutes: float) -> None:
        self.history.append(
            {"step": float(self.step), "minutes": round(minutes, 3), "loss": float(np.mean(recent))}
        )

    def save(self, minutes: float) -> None:
        tensors = {f"now.{key}": value for key, value in self.module.state_dict().items()}
        tensors |= {f"average.{key}": value for key, value in self.average.items()}
        for place, optimiser in enumerate(self.optimisers):
            for number, values in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{place}.{number}.{key}": value for key, value in values.items()}
        counters = {"step": self.step, "minutes": minutes, "history": self.history}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        whole = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
        save_file(whole, temporary, metadata={"counters": json.dumps(counters)})
        temporary.replace(self.path)

    def load(self) -> float:
        """Take up what is on disk, if anything is; minutes trained so far."""
        if not self.path.is_file():
            return 0.0
        with safe_open(self.path, framework="pt") as file:
            counters = json.loads(file.metadata()["counters"])
        tensors = load_file(self.path)
        here = {key[4:]: value for key, value in tensors.items() if key.startswith("now.")}
        self.module.load_state_dict(here)
        _copy(self.average, {key: tensors[f"average.{key}"] for key in self.average})
        for place, optimiser in enumerate(self.optimisers):
            values: dict[int, dict[str, Tensor]] = {}
            for key, tensor in tensors.items():
                if key.startswith(f"optimiser.{place}."):
                    number, name = key.split(".", 3)[2:]
                    values.setdefault(int(number), {})[name] = tensor
            optimiser.load_state_dict({**optimiser.state_dict(), "state": values})
        self.step, self.history = counters["step"], counters["history"]
        return float(counters["minutes"])


def _copy(into: dict[str, Tensor] | dict[str, nn.Parameter], values: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for key, tensor in into.items():
            tensor.copy_(values[key])
