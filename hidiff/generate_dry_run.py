"""``hidiff generate --dry-run``: the plan, its size, and a time estimate from a short trial."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from hidiff.data.parquet import finished_shards
from hidiff.diffusion.sampling import make_span
from hidiff.generate_folder import state_of
from hidiff.generate_plan import Part, ShardPlan
from hidiff.generate_shards import Source

BYTES_PER_HOME_YEAR = 100_000
"""Of Parquet, measured on the shipped model's homes with PV, rounded up."""
TRIAL_S = 5.0
TRIAL_HOMES = 16
"""A trial samples a year of so many homes after its first batch, or for so long [s]; a request of no more home-years
than that is not tried."""


def dry_run_text(source: Source, plan: ShardPlan, part: Part, *, has_trial: bool = True) -> str:
    """What a run would do; its time is estimated only with a trial on this machine."""
    config, model = source.config, source.model
    span = make_span(config.start, config.years, config.time_zone, model.low.config, model.high.config)
    first = model.households(max(len(config.household), 1), config.seed, **source.households)[0].name
    home_years = config.homes * config.years
    there = [] if config.force else shards_there(config.out, plan)
    own = part.shards(plan)
    missing = [shard for shard in own if shard not in there]
    lines = [
        f"{config.homes} homes ({first} …) x {config.years} years = {home_years} home-years,",
        f"{span.time[0].isoformat()} to {span.time[-1].isoformat()} ({len(span.time)} half-hours each),",
        f"about {home_years * BYTES_PER_HOME_YEAR / 1e6:,.1f} MB in {config.out}; model {str(model.model_hash)[:12]}",
        f"shards of {plan.homes_per_shard} homes: {plan.shard_count}; already there: {_ranges(there)}",
    ]
    if part.count > 1:
        lines.append(f"shards of part {part}: {_ranges(own)}")
    todo = plan.home_years(missing)
    time_text = _estimate(source, todo) if has_trial else "on other machines, so not timed here"
    lines.append(f"shards to make: {_ranges(missing)}, {todo} home-years, {time_text}")
    return "\n".join(lines)


def shards_there(out: Path, plan: ShardPlan) -> list[int]:
    """Shards of the set in a folder that are finished."""
    return list(range(plan.shard_count)) if state_of(out) == "finished" else finished_shards(out)


def _estimate(source: Source, home_years: int) -> str:
    if home_years <= TRIAL_HOMES:
        return "too few to time a trial"
    tried, seconds = _trial(source)
    rate = tried / seconds
    return (
        f"about {_duration(home_years / rate)} at {rate:.2g} home-years/s ({source.config.device}, measured just now "
        f"on {tried} home-years; other work on this machine shows in it)"
    )


def _trial(source: Source) -> tuple[int, float]:
    """Home-years that were sampled and the seconds it took, the first batch left out, which warms up."""
    config = source.config
    # Small batches on a processor, so that the trial is short; a graphics card is only itself in large ones.
    batch_size = min(config.batch_size or 4, 4) if config.device == "cpu" else config.batch_size
    trial = replace(source, config=replace(config, years=1, batch_size=batch_size))
    begin, tried = time.perf_counter(), 0
    for number, batch in enumerate(trial.batches(range(config.homes))):
        tried += len(batch)
        if number and (tried >= TRIAL_HOMES or time.perf_counter() - begin > TRIAL_S):
            break
        if number == 0 and len(batch) < config.homes:  # it warmed up; the next ones count
            begin, tried = time.perf_counter(), 0
    return tried, time.perf_counter() - begin


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _ranges(shards: list[int]) -> str:
    """How many there are, and the first few of them."""
    first = ", ".join(map(str, shards[:6])) + (" …" if len(shards) > 6 else "")
    return f"{len(shards)} ({first})" if shards else "none"
