"""What is said before anything is written, and which homes go into which shard."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hidiff import generate as generate_module
from hidiff.generate import GenerateConfig, generate
from hidiff.generate_plan import Part, ShardPlan

HOMES, SHARDS = 5, 3
START = "2030-07-01"


def test_the_free_space_that_is_asked_for_is_that_of_what_is_missing(
    config: GenerateConfig, monkeypatch: pytest.MonkeyPatch, interrupt_after: Callable[..., Any]
) -> None:
    interrupt_after(config, config.out, 2)
    free = 1.2 * generate_module.BYTES_PER_HOME_YEAR  # of one home-year: what the last shard needs
    monkeypatch.setattr(generate_module.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    generate(replace(config, resume=True))
    with pytest.raises(OSError, match=r"about 0 MB are needed, 0 MB are free in .*; make room"):
        generate(replace(config, out=config.out.with_name("anew")))
    assert not config.out.with_name("anew").exists()


def test_a_dry_run_names_what_is_there_and_writes_nothing(
    config: GenerateConfig,
    capsys: pytest.CaptureFixture[str],
    contents: Callable[..., Any],
    interrupt_after: Callable[..., Any],
) -> None:
    interrupt_after(config, config.out, 2)
    before = contents(config.out)
    generate(replace(config, resume=True, dry_run=True))
    said = capsys.readouterr().out
    assert "shards of 2 homes: 3; already there: 2 (0, 1)" in said
    assert "shards to make: 1 (2), 1 home-years, too few to time a trial" in said
    generate(replace(config, shard="2/2", dry_run=True))
    assert "shards of part 2/2: 1 (1)\nshards to make: none, 0 home-years" in capsys.readouterr().out
    with pytest.raises(ValueError, match="seed=1, but this command has 2"):
        generate(replace(config, seed=2, resume=True, dry_run=True))
    assert contents(config.out) == before


def test_a_dry_run_of_many_home_years_times_a_trial(
    config: GenerateConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(replace(config, homes=5, years=10, dry_run=True))
    assert re.search(
        r"50 home-years, about .* home-years/s \(cpu, measured just now on 4 home-years",
        capsys.readouterr().out,
    )
    assert not config.out.exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"shard": "0/4"}, "shard='0/4'; write i/n"),
        ({"shard": "5/4"}, "shard='5/4'"),
        ({"shard": "half"}, "shard='half'"),
        ({"force": True, "resume": True}, "give one of them"),
        ({"force": True, "shard": "1/2"}, "would throw away what the other parts made"),
        ({"workers": 0}, "workers=0; it must be at least 1"),
        ({"home_years_per_shard": 0}, "home_years_per_shard=0"),
    ],
)
def test_what_cannot_go_together_is_refused(
    config: GenerateConfig, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        replace(config, **changed)


@given(
    homes=st.integers(1, 400), years=st.integers(1, 100), size=st.integers(1, 2000), parts=st.integers(1, 20)
)
def test_a_plan_has_each_home_once_and_its_parts_have_each_shard_once(
    homes: int, years: int, size: int, parts: int
) -> None:
    plan = ShardPlan.of(homes, years, size)
    shards = [Part(number, parts).shards(plan) for number in range(1, parts + 1)]
    assert sorted(shard for part in shards for shard in part) == list(range(plan.shard_count))
    assert [home for shard in range(plan.shard_count) for home in plan.homes_of(shard)] == list(range(homes))
    assert all(plan.home_years([shard]) <= max(size, years) for shard in range(plan.shard_count))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@given(pairs=st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(1, 12)))
def test_parts_overlap_where_they_have_a_shard_in_common(pairs: tuple[int, int, int, int]) -> None:
    one, other = (Part(min(a, b), max(a, b)) for a, b in (pairs[:2], pairs[2:]))
    plan = ShardPlan.of(200, 1, 1)
    assert one.overlaps(other) == bool(set(one.shards(plan)) & set(other.shards(plan)))
