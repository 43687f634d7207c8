"""TSDiff: its state spaces against the recurrence that they stand for, its sampler against a known posterior."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hidiff.baselines.tsdiff import S4D, Network, StateSpace, TSDiff, TSDiffConfig, kept_share
from hidiff.baselines.windows import CONDITION, Windows

TINY = TSDiffConfig(days=1, width=8, blocks=2, states=4, batch=4, steps=2, diffusion_steps=6)


def frame() -> Windows:
    rng = np.random.default_rng(0)
    return Windows(
        signal=torch.from_numpy(rng.normal(size=(5, 3, 48, 2)).astype(np.float32)),
        condition=torch.from_numpy(rng.normal(size=(5, 3, 48, CONDITION)).astype(np.float32)),
        household=torch.from_numpy(rng.normal(size=(5, 3)).astype(np.float32)),
        starts=np.argwhere(np.ones((5, 3))),
        days=1,
    )


def trained(folder: Path, config: TSDiffConfig = TINY) -> TSDiff:
    model = TSDiff(config)
    model.fit(frame(), minutes=5, seed=0, folder=folder)
    return model


@pytest.mark.parametrize("length", [1, 7, 49, 50])
def test_the_kernel_is_the_recurrence(length: int) -> None:
    torch.manual_seed(0)
    space = S4D(3, 5).double()
    inputs = torch.randn(3, length, dtype=torch.float64)
    log_factor, read = space.discrete()
    state, outputs = torch.zeros(3, 5, dtype=torch.complex128), []
    for step in range(length):
        state = log_factor.exp() * state + inputs[:, step, None]
        outputs.append(2 * (read * state).real.sum(1))
    kernel = space.kernel(length)
    summed = [
        sum(kernel[:, lag] * inputs[:, step - lag] for lag in range(step + 1)) for step in range(length)
    ]
    assert torch.allclose(torch.stack(outputs), torch.stack(summed), atol=1e-10)


def test_states_are_stable_and_discretised_by_holding_the_input() -> None:
    space = S4D(2, 3).double()
    log_factor, read = space.discrete()
    assert (log_factor.real < 0).all()
    # one state: the integral of read * exp(rate t) over the step, in fine steps
    rate = torch.complex(-space.log_decay.exp(), space.frequency)[0, 1]
    step = space.log_step.detach().exp()[0]
    time = (torch.arange(20_000) + 0.5) * step / 20_000
    area = (rate * time).exp().mean() * step
    assert torch.allclose(read[0, 1], torch.view_as_complex(space.read)[0, 1] * area, atol=1e-7)


def test_the_state_space_sees_both_directions_of_time() -> None:
    torch.manual_seed(0)
    space = StateSpace(2, 4)
    x = torch.randn(1, 2, 30)
    changed = x.clone()
    changed[0, :, 15] += 1
    moved = (space(changed) - space(x)).detach().abs().amax(1)[0]
    assert moved[:15].max() > 1e-4
    assert moved[16:].max() > 1e-4
    with torch.no_grad():
        space.backwards.read.zero_()
    assert float((space(changed) - space(x)).detach()[..., :15].abs().max()) < 1e-5  # no wrap around


def test_the_sampler_ends_in_the_distribution_of_a_perfect_network() -> None:
    config = TSDiffConfig(days=1)
    kept, mean = kept_share(config), 2.0

    class Perfect(Network):
        """Knows that every value is drawn from a normal of mean 2 and variance 1 / 4."""

        def forward(self, noisy: Tensor, place: Tensor, condition: Tensor, household: Tensor) -> Tensor:
            share = kept[place][:, None, None]
            variance = share * 0.25 + 1 - share
            return (1 - share).sqrt() * (noisy - share.sqrt() * mean) / variance

    model = TSDiff(config)
    model.network = Perfect(config, 1)
    made = model.sample(torch.zeros(60, 48, CONDITION), torch.zeros(60, 1), 0, "a")
    assert float(made.mean()) == pytest.approx(2.0, abs=0.03)
    assert float(made.std()) == pytest.approx(0.5, abs=0.03)


def test_as_published_it_is_told_nothing_and_can_be_told_all(tmp_path: Path) -> None:
    _, condition, household = frame().batch(np.random.default_rng(0), 3)
    model = trained(tmp_path / "plain")
    made = model.sample(condition, household, 1, "a")
    assert made.shape == (3, 48, 2)
    assert torch.equal(made, model.sample(condition * 2, household - 1, 1, "a"))
    assert not torch.equal(made, model.sample(condition, household, 2, "a"))
    told = trained(tmp_path / "told", TSDiffConfig(**{**vars(TINY), "is_conditional": True}))
    made = told.sample(condition, household, 1, "a")
    assert not torch.equal(made, told.sample(condition * 2, household, 1, "a"))
    assert not torch.equal(made, told.sample(condition, household - 1, 1, "a"))


def test_a_killed_training_is_taken_up_again(tmp_path: Path) -> None:
    first, again = trained(tmp_path), trained(tmp_path)
    assert first.network is not None
    assert again.network is not None
    for one, other in zip(first.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_errors_say_the_limit() -> None:
    with pytest.raises(ValueError, match="variance"):
        TSDiffConfig(variance=(0.1, float("nan")))
    with pytest.raises(ValueError, match="diffusion_steps=1"):
        TSDiffConfig(diffusion_steps=1)
    with pytest.raises(ValueError, match="call fit first"):
        TSDiff().sample(torch.zeros(1, 48, CONDITION), torch.zeros(1, 3), 0, "a")
