"""The way of a home from its last readings to the paths of a fan: days first, then half-hours, then kilowatts.

Both levels were trained with known days at the beginning of their window. Here these are the readings: the high
level is told the daily tokens of the last weeks and draws those to come, the low level is told the half-hours of
the last days and goes on from there. All scenarios of a home are windows of one batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hidiff import rng as random
from hidiff.data import prepare as preparation
from hidiff.data import solar
from hidiff.data.calendars import STEPS_PER_DAY, Grid
from hidiff.data.prepare import CLEARNESS, LOAD_OFFSET, TOKENS, Prepared
from hidiff.data.solar import MAX_CLEARNESS
from hidiff.data.weather import COLUMNS

from . import engine, identity
from . import high as high_level
from . import low as low_level
from . import noise as noises
from .assemble import scale_to_energy, scale_to_energy_and_peak
from .high import HighLevel
from .household import Household
from .identity import LEARNED
from .kernels import is_bf16_fast
from .low import LowLevel, restore, standardise
from .network import Transformer
from .precondition import denoise
from .samplers import SAMPLERS
from .sampling import KNOWN_SLACK, SamplerConfig, filled_up, schedule

Array = NDArray[np.float32]
KNOWN_DAYS = 56
"""Days whose tokens the high level is told, at most: as many as in training."""
CONTEXT_DAYS = 4
"""Days whose half-hours the low level is told: as many as in training."""
AHEAD_DAYS = 16
"""Days that the high level draws; always the same, so that the tokens do not depend on the days asked for."""
LEAST_DAYS = 7
"""Days without a gap before the fan begins: as few as in training."""
DRAWN_SHARE, WEEK_SHARE, OWN_SHARE = 0.4, 0.7, 0.6
"""Of what is drawn, of the last week in the mean of the last days, of a day's departure from it, see `dressed`; set on
six days of 17 training homes in a year that was kept from the model (see docs/fans.md)."""
WINDOWS_A_PASS = 16
"""Windows in one pass: a fixed shape, so that neither the number of scenarios nor the threads change a trace."""


class FanSampling:
    """What all homes of a call share: networks, days, weather; and the way of one home to its paths."""

    def __init__(
        self, low: LowLevel, high: HighLevel, students: dict[str, Transformer], sampler: SamplerConfig, seed: int,
        grid: Grid, weather: Array, days: int, late: int,
    ) -> None:  # fmt: skip
        """Prepare.

        Args:
            grid: `KNOWN_DAYS` known days, then `AHEAD_DAYS`.
            weather: of each scenario, ``(scenario, day, 3)``.
            days: days to draw.
            late: last half-hours of the known days that are not known.
        """
        self.low, self.high, self.sampler, self.seed = low, high, sampler, seed
        self.grid, self.days, self.late, self.count = grid, days, late, len(weather)
        self.solve = SAMPLERS[sampler.solver]
        self.low_sigmas, self.high_sigmas, networks = schedule(low, high, sampler, students)
        dtype = torch.bfloat16 if sampler.bf16 and is_bf16_fast() else torch.float32
        self.low_network, self.high_network = (network.for_sampling("cpu", dtype) for network in networks)
        paths = torch.from_numpy(weather)
        of_high, of_low = (standardise(paths, level.weather_scale.cpu()) for level in (high, low))
        self.high_condition = torch.stack([high_level.condition(grid, path) for path in of_high])
        self.low_first = KNOWN_DAYS - CONTEXT_DAYS
        """Day of the grid that the first window of the low level begins with."""
        near = slice(self.low_first, None)
        shared = low_level.shared_condition(grid, of_low[0])[near]
        self.low_condition = shared.expand(self.count, *shared.shape).clone()
        self.low_condition[..., -len(COLUMNS) :] = of_low[:, near, None]
        self.half, self.shift, self.weekend = (
            part(grid)[near] for part in (low_level.summer, low_level.clock_shift, low_level.weekend)
        )
        self.sky = solar.clear_sky_of_days(grid.dates[near])

    def home(self, person: Household, known: Prepared, run: int) -> tuple[Array, Array]:
        """Load and PV of each scenario from the first midnight of standard time that is not known, less ``late``.

        Args:
            known: the home alone, on the known days of the grid.
            run: days without a gap before the fan.

        Returns:
            ``(scenario, late + days * 48)`` each [kW].
        """
        unit_kw = person.mean_load_kw
        load = np.maximum(np.exp(known.load_log_ratio[0]) - LOAD_OFFSET, 0) * known.scale_kw[0] / unit_kw
        clear = known.clearness[0]
        mean, spread = identity.token_scale(person.statistics)
        if not person.capacity_kwp > 0:  # what its roof would have made, nobody knows
            clear = np.full_like(clear, mean[CLEARNESS])
        day_clearness = known.tokens[0, :, CLEARNESS] if person.capacity_kwp > 0 else clear[:, 0]
        own = preparation.daily_tokens(load, day_clearness)
        tokens = self._tokens(person, own[-run:], mean, spread)
        signal = np.stack([np.log(load + LOAD_OFFSET), clear], axis=-1)[-CONTEXT_DAYS:]
        drawn, envelope = self._half_hours(person, signal.astype(np.float32), tokens)
        return self._kilowatts(person, drawn, envelope, tokens)

    # ---------------------------------------------------------------- days

    def _tokens(
        self, person: Household, own: Array, mean: NDArray[np.floating], spread: NDArray[np.floating]
    ) -> Array:
        """Tokens in natural units from the first day of the low level on, ``(scenario, day, 8)``."""
        run, model = len(own), self.high
        days = run + AHEAD_DAYS
        known = np.zeros((days, TOKENS), dtype=np.float32)
        known[:run] = (own - mean) / spread
        is_known = (torch.arange(days) < run).float()
        raw = torch.from_numpy(person.statistics)[None]
        statistics = standardise(raw, model.statistics_scale.cpu()).clamp(-4, 4)

        def drawn(rows: NDArray[np.int64]) -> Tensor:
            told = self.high_network.told(
                torch.from_numpy(known).expand(len(rows), -1, -1), is_known.expand(len(rows), -1),
                self.high_condition[rows, -days:],
            )  # fmt: skip
            white = [
                noises.of_days(days, self.seed, f"fan/{person.key}", int(row), self.sampler.noise)
                for row in rows
            ]
            return self._solve(self.high_network, self.high_sigmas, white, told, statistics)

        path = self._in_passes(drawn)
        load, keys = slice(0, CLEARNESS), range(self.count)
        starts = [random.generator(self.seed, f"fan/{person.key}", row, "days").integers(28) for row in keys]
        path[:, run:, load] = dressed(path[:, run:, load], known[:run, load], np.array(starts))
        level, slope = model.token_limits.cpu().numpy().transpose(1, 0, 2)
        lowest, highest = level[:, None] + slope[:, None] * np.log(spread)
        slack = KNOWN_SLACK
        path[:, run:] = np.clip(path[:, run:], lowest - slack, highest + slack)
        tokens = np.asarray(path * spread + mean, dtype=np.float32)
        tokens[:, run:, CLEARNESS] = np.clip(tokens[:, run:, CLEARNESS], 0.02, 1.2)
        tokens[:, :run] = own
        return tokens[:, run - CONTEXT_DAYS :]

    # ---------------------------------------------------------------- half-hours

    def _half_hours(self, person: Household, context: Array, tokens: Array) -> tuple[Array, Array]:
        """Log load ratio and clearness of the known days and the days to come, and the envelope of those days.

        Each ``(scenario, CONTEXT_DAYS + days, 48, 2)`` and ``(CONTEXT_DAYS + days, 48)``.
        """
        model, total = self.low, CONTEXT_DAYS + self.days
        window = model.config.window_days
        envelope = solar.envelope_kw(self.sky, person.roof, 1.0).reshape(-1, STEPS_PER_DAY)
        raw = torch.from_numpy(person.statistics)[None]
        statistics = standardise(raw, model.statistics_scale.cpu()).clamp(-4, 4)
        style = torch.from_numpy(person.style)[None]
        household = model.household(statistics, style[:, :LEARNED])
        scaled = standardise(torch.from_numpy(tokens), model.token_scale.cpu())
        habit = low_level.habit_of_hours(
            style[:, LEARNED:].contiguous(), self.half[None], self.shift[None], self.weekend[None]
        )
        signal = np.zeros((self.count, len(envelope), STEPS_PER_DAY, 2), dtype=np.float32)
        signal[:, :CONTEXT_DAYS] = standardise(torch.from_numpy(context), model.signal_scale.cpu()).numpy()
        is_settled = np.zeros((len(envelope), STEPS_PER_DAY), dtype=np.float32)
        is_settled[:CONTEXT_DAYS] = 1
        if self.late:
            is_settled[CONTEXT_DAYS - 1, -self.late :] = 0
        for start in range(0, self.days, window - CONTEXT_DAYS):
            # an even number of days, as the network attends to pairs of them; no more than are asked for
            size = min(window, CONTEXT_DAYS + self.days - start + (self.days - start) % 2)
            inside = slice(start, start + size)
            is_known = torch.from_numpy(is_settled[inside].copy()).flatten()
            steps = size * STEPS_PER_DAY

            def drawn(
                rows: NDArray[np.int64], inside: slice = inside, start: int = start, steps: int = steps,
                is_known: Tensor = is_known,
            ) -> Tensor:  # fmt: skip
                count = len(rows)
                condition = low_level.condition(
                    self.low_condition[rows, inside],
                    torch.from_numpy(envelope[inside]).expand(count, -1, -1),
                    scaled[rows, inside],
                    torch.full((count,), self.sampler.token_noise),
                    habit[:, inside].expand(count, -1, -1, -1),
                )
                known = torch.from_numpy(signal[rows, inside]).flatten(1, 2) * is_known[:, None]
                told = self.low_network.told(known, is_known.expand(count, -1), condition)
                white = [self._noise(person, int(row), start, steps) for row in rows]
                return self._solve(self.low_network, self.low_sigmas, white, told, household)

            path = self._in_passes(drawn).reshape(self.count, size, STEPS_PER_DAY, 2)
            free = is_settled[inside] == 0
            signal[:, inside][:, free] = path[:, free]
            is_settled[inside] = 1
        natural = restore(torch.from_numpy(signal[:, :total]), model.signal_scale.cpu()).numpy()
        return natural, envelope[:total]

    def _noise(self, person: Household, scenario: int, start: int, steps: int) -> Array:
        clouds = random.normal((steps,), self.seed, "region", "fan", scenario, start)
        return noises.of_half_hours(
            steps, self.seed, f"fan/{person.key}/{scenario}", start, clouds, self.sampler.noise
        )

    def _kilowatts(
        self, person: Household, signal: Array, envelope: Array, tokens: Array
    ) -> tuple[Array, Array]:
        """Load and PV [kW]; whole days have the energy that their tokens say, the last hour of a known one its own."""
        unit_kw, total = person.mean_load_kw, CONTEXT_DAYS + self.days
        ratio = np.maximum(np.exp(signal[..., 0]) - LOAD_OFFSET, 0)
        ahead, shape = (
            tokens[:, CONTEXT_DAYS:total].reshape(-1, TOKENS),
            (self.count, self.days, STEPS_PER_DAY),
        )
        load = scale_to_energy_and_peak(
            ratio[:, CONTEXT_DAYS:].reshape(-1, STEPS_PER_DAY), preparation.day_energy_ratio(ahead),
            preparation.peak_ratio(ahead),
        )  # fmt: skip
        clear_kw = envelope[CONTEXT_DAYS:] * person.capacity_kwp
        clear_kw = np.broadcast_to(clear_kw, shape).reshape(-1, STEPS_PER_DAY)
        cap = np.minimum(MAX_CLEARNESS * clear_kw, person.capacity_kwp)
        wanted = (
            np.clip(signal[:, CONTEXT_DAYS:, :, 1], 0.005, MAX_CLEARNESS).reshape(clear_kw.shape) * clear_kw
        )
        pv = scale_to_energy(wanted, ahead[:, CLEARNESS] * clear_kw.mean(1), cap)
        load, pv = load.reshape(self.count, -1), pv.reshape(self.count, -1)
        if self.late:
            hour = slice(STEPS_PER_DAY - self.late, None)
            evening = np.clip(signal[:, CONTEXT_DAYS - 1, hour, 1], 0, MAX_CLEARNESS)
            evening_kw = envelope[CONTEXT_DAYS - 1, hour] * person.capacity_kwp
            load = np.concatenate([ratio[:, CONTEXT_DAYS - 1, hour], load], axis=1)
            pv = np.concatenate([np.minimum(evening * evening_kw, person.capacity_kwp), pv], axis=1)
        return (load * unit_kw).astype(np.float32), pv.astype(np.float32)

    # ---------------------------------------------------------------- passes

    def _in_passes(self, drawn: Callable[[NDArray[np.int64]], Tensor]) -> Array:
        """What ``drawn`` makes of the numbers of all scenarios, a pass at a time on each core."""
        numbers = np.arange(self.count)
        parts = [numbers[begin : begin + WINDOWS_A_PASS] for begin in range(0, self.count, WINDOWS_A_PASS)]

        def one(part: NDArray[np.int64]) -> Array:
            with torch.no_grad():
                return drawn(filled_up(part, WINDOWS_A_PASS))[: len(part)].numpy()

        return np.concatenate(list(engine.in_order(one, parts, min(engine.cores(), len(parts)))))

    def _solve(
        self,
        network: Transformer,
        sigmas: Tensor,
        noise: list[Array],
        told: tuple[Any, ...],
        household: Tensor,
    ) -> Tensor:
        def predict(noisy: Tensor, noise_value: Tensor) -> Tensor:
            return network.predict(noisy, noise_value[:1], household, *told)  # one noise level for all

        with torch.autocast("cpu", enabled=False):
            return self.solve(
                lambda noisy, sigma: denoise(predict, noisy, sigma), torch.from_numpy(np.stack(noise)), sigmas
            )


def dressed(drawn: Array, own: Array, starts: NDArray[np.integer]) -> Array:
    """Load tokens of the coming days ``(scenario, day, 7)`` that keep to the home's own last days.

    The high level alone is too wide (spread 1.39 where its error is 1.06, in units of the home's days) and slow to
    follow a home's last week. So a share of what it drew is put about the mean of the last days and given the
    departures from it of days in a row among the last 28.

    Args:
        drawn: of the high level.
        own: of the last days, ``(day, 7)``.
        starts: the first of those days, for each scenario.
    """
    centre = WEEK_SHARE * own[-LEAST_DAYS:].mean(0) + (1 - WEEK_SHARE) * own.mean(0)
    last = own[-28:]
    place = (starts[:, None] + np.arange(drawn.shape[1])) % len(last)
    return np.asarray(
        DRAWN_SHARE * drawn + (1 - DRAWN_SHARE) * centre + OWN_SHARE * (last - last.mean(0))[place]
    )
