"""The counter of operations counts what it says, and the re-derived reference has the size it claims."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.nn import functional as F

from hidiff.diffusion.kernels import add_gated, norm_linear


@pytest.fixture(scope="module")
def cost() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "reference_cost.py"
    spec = importlib.util.spec_from_file_location("reference_cost", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@torch.no_grad()
def test_products_attention_and_convolutions_are_all_counted(cost: ModuleType) -> None:
    x, weight = torch.zeros(3, 5, 8), torch.zeros(16, 8)
    q, grouped = torch.zeros(2, 4, 100, 8), torch.zeros(8, 1, 5)
    half = torch.zeros(3, 8, 5)
    assert cost.count_flop(lambda: F.linear(x, weight)) == 2 * 15 * 8 * 16
    assert cost.count_flop(lambda: F.linear(x, weight, torch.zeros(16))) == 2 * 15 * 8 * 16
    assert cost.count_flop(lambda: x @ x.transpose(1, 2)) == 2 * 3 * 5 * 5 * 8
    assert cost.count_flop(lambda: F.scaled_dot_product_attention(q, q, q)) == 4 * 2 * 4 * 100 * 100 * 8
    assert cost.count_flop(lambda: F.conv1d(half, grouped, padding=2, groups=8)) == 2 * 3 * 5 * 8 * 5


@torch.no_grad()
def test_autocast_changes_no_count(cost: ModuleType) -> None:
    x, weight, q = torch.zeros(3, 5, 8), torch.zeros(16, 8), torch.zeros(2, 4, 100, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert cost.count_flop(lambda: F.linear(x, weight)) == 2 * 15 * 8 * 16
        assert cost.count_flop(lambda: F.scaled_dot_product_attention(q, q, q)) == 4 * 2 * 4 * 100 * 100 * 8


@torch.no_grad()
def test_fused_layers_count_as_the_plain_ones(cost: ModuleType) -> None:
    x, h, gate = torch.zeros(3, 5, 8).bfloat16(), torch.zeros(3, 5, 16).bfloat16(), torch.ones(1, 1, 8)
    grow, shrink = torch.nn.Linear(8, 16).bfloat16(), torch.nn.Linear(16, 8).bfloat16()
    assert cost.count_flop(lambda: norm_linear(x, gate, gate, grow, gelu=True)) == 2 * 15 * 8 * 16
    assert cost.count_flop(lambda: add_gated(x, h, shrink, gate)) == 2 * 15 * 16 * 8


def test_the_reference_has_the_published_size_and_costs_grow_with_the_window(cost: ModuleType) -> None:
    network = cost.reference_network()
    assert cost.parameters(network) == pytest.approx(22e6, rel=0.1)
    long, mixed, short = (cost.reference_flop(network, lengths) for lengths in ((96, 96), (96, 24), (48, 48)))
    assert long > mixed and long > short
    assert long / short == pytest.approx(2, rel=0.05)
    assert network(torch.zeros(1, 2, 48), torch.zeros(1)).shape == (1, 2, 48)


def test_heun_takes_two_passes_a_step_but_one_at_the_end(cost: ModuleType) -> None:
    assert cost.network_passes("heun", 18) == 35
    assert cost.network_passes("dpm++2m", 8) == 8
