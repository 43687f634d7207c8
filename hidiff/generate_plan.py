"""Which homes go into which file, and who makes it: a pure function of what is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import gcd


@dataclass(frozen=True, kw_only=True)
class ShardPlan:
    """Shard k holds the homes from ``k * homes_per_shard`` on, whole homes, whoever makes it."""

    homes: int
    years: int
    homes_per_shard: int

    @staticmethod
    def of(homes: int, years: int, home_years_per_shard: int) -> ShardPlan:
        """Whole homes of about so many home-years a shard."""
        return ShardPlan(
            homes=homes, years=years, homes_per_shard=min(max(home_years_per_shard // years, 1), homes)
        )

    @property
    def shard_count(self) -> int:
        """Number of shards."""
        return -(-self.homes // self.homes_per_shard)

    def homes_of(self, shard: int) -> range:
        """Numbers of the homes of a shard."""
        return range(self.homes)[shard * self.homes_per_shard : (shard + 1) * self.homes_per_shard]

    def home_years(self, shards: list[int]) -> int:
        """Home-years of some shards."""
        return sum(len(self.homes_of(shard)) for shard in shards) * self.years


@dataclass(frozen=True)
class Part:
    """One of ``count`` parts of a plan, counted from 1: every ``count``-th shard.

    Turns rather than runs of shards: parts differ by one shard at most, and the parts of a job array go through
    the homes side by side, so that a set that is cut short has the first homes of all parts.
    """

    number: int = 1
    count: int = 1

    @staticmethod
    def parse(text: str) -> Part:
        """The part written ``i/n``; all of it where the text is empty.

        Raises:
            ValueError: no such text, or i outside of 1..n.
        """
        if not text:
            return Part()
        numbers = re.fullmatch(r"([0-9]+)[/]([0-9]+)", text)
        part = Part(*map(int, numbers.groups())) if numbers else Part(0, 0)
        if not 1 <= part.number <= part.count:
            raise ValueError(f"shard={text!r}; write i/n with i in 1..n, such as 3/16")
        return part

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def shards(self, plan: ShardPlan) -> list[int]:
        """Numbers of the shards of this part."""
        return list(range(self.number - 1, plan.shard_count, self.count))

    def overlaps(self, other: Part) -> bool:
        """Whether the two may have a shard in common."""
        return (self.number - other.number) % gcd(self.count, other.count) == 0
