"""Speed of the market's rules: home-steps a second, one thread.

    python benchmarks/market.py

Prints a Markdown table. A home-step is one home in one step, from meter readings to payments. Communities are drawn
anew for each of the ten steps that are timed in turn: normal net loads (2 kW), three import and two export prices,
5 % losses and a fee. Processor time, the least of several rounds of all ten. The limit is 1 ms a step for 1,024
communities of 17 homes: a batched environment of 5 million home-steps a second has 3.5 ms for all it does.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from hidiff.envs.market import Market, Rule, clear
from hidiff.envs.ops import ARRAYS, tensors

STEPS = 10
LIMIT_MS = 1.0


def communities(shape: tuple[int, int]) -> list[tuple[Any, Any, Any, Any]]:
    """Import, export, import price and export price of some steps."""
    random = np.random.default_rng(0)
    import_price, export_price = (
        random.choice([0.28, 0.32, 0.4], shape[1]),
        random.choice([0.05, 0.08], shape[1]),
    )
    steps = []
    for _ in range(STEPS):
        net_kw = random.normal(0, 2, shape)
        steps.append((np.maximum(net_kw, 0), np.maximum(-net_kw, 0), import_price, export_price))
    return steps


def as_tensors(steps: list[tuple[Any, Any, Any, Any]]) -> list[tuple[Any, Any, Any, Any]]:
    """The same steps in single precision."""
    return [tuple(torch.tensor(values, dtype=torch.float32) for values in step) for step in steps]  # type: ignore[misc]


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Least processor time of a step over several rounds."""
    work()
    spent = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        spent.append(time.process_time() - begin)
    return min(spent) / STEPS * 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    one, thousand = communities((1, 17)), communities((1, 1000))
    many = as_tensors(communities((1024, 17)))
    print(f"{platform.machine()}, one thread, NumPy {np.__version__}, torch {torch.__version__}\n")
    print(
        "| rule | NumPy (1, 17) ms | home-steps/s | torch (1024, 17) ms | limit | home-steps/s "
        "| NumPy (1, 1000) ms | home-steps/s |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    with threadpool_limits(1), torch.no_grad():
        for rule in get_args(Rule):
            market = Market(rule=rule, local_fee_per_kwh=0.03, loss_share=0.05)
            cells = [rule]
            for steps, m, homes in (
                (one, ARRAYS, 17),
                (many, tensors(), 1024 * 17),
                (thousand, ARRAYS, 1000),
            ):

                def work(market: Market = market, steps: Any = steps, m: Any = m) -> None:
                    for step in steps:
                        clear(market, *step, 0.5, m)

                spent_ms = milliseconds(work, arguments.rounds)
                limit = [f"{LIMIT_MS:.1f}"] if steps is many else []
                cells += [f"{spent_ms:.3f}", *limit, f"{homes / spent_ms * 1000:,.0f}"]
            print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
