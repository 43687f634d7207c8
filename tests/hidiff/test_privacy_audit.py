"""What a model gives away: memory is found, ignorance is not accused, canaries go where the coin says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import hidiff
from hidiff import privacy_audit
from hidiff.data.ausgrid import read_traces
from hidiff.data.prepare import prepare
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.diffusion.habit import HABIT
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.diffusion.identity import FEATURES, STATISTICS
from hidiff.diffusion.low import LowData
from hidiff.privacy_audit import membership_scores
from hidiff.privacy_canaries import canary_homes, included_canaries, with_canaries
from hidiff.training import TrainConfig, clean, split

IS_MEMBER = np.arange(14) < 8


@pytest.fixture(scope="module")
def street() -> Traces:
    """Fourteen homes over a year."""
    return synthetic_homes(14, 365)


# ---------------------------------------------------------------- generated sets


def test_sides_hold_the_same_days_and_nothing_of_the_hidden_year(
    tiny_model: HiDiff, tiny_homes: Traces
) -> None:
    sides = privacy_audit.sides(tiny_model, tiny_homes)
    parts = tiny_model.notes["split"]
    assert [
        n for n, is_in in zip(sides.traces.names, sides.is_member, strict=True) if is_in
    ] == tiny_model.homes
    assert sides.traces.names[len(tiny_model.homes) :] == parts["validation_homes"]
    assert sides.traces.time[-1] < pd.Timestamp(parts["hidden_from"])
    load = tiny_homes.load_kw.copy()
    load[tiny_homes.names.index(tiny_model.homes[0]), -1] = np.nan
    gap = Traces(load, tiny_homes.pv_kw, tiny_homes.time, tiny_homes.homes)
    assert privacy_audit.sides(tiny_model, gap).traces.names == sides.traces.names[1:]
    with pytest.raises(ValueError, match="training and 0 validation homes of the model are among the traces"):
        privacy_audit.sides(tiny_model, tiny_homes.select(tiny_model.homes))


def test_copies_are_found_by_distances_and_attacks(street: Traces) -> None:
    real = privacy_audit.home_records(street)
    made = privacy_audit.home_records(street.select(street.names[:8]))
    distances = privacy_audit.distance_table(made, real, IS_MEMBER).set_index("record")
    loads = ["load day", "load week", "load profile"]
    assert (distances.loc[loads, "share_nearer_to_training"] == 1).all()
    assert (distances.loc[loads, "nndr_low_share"] == 1).all()
    attacks = privacy_audit.attack_table(privacy_audit.black_box(made, real), IS_MEMBER)
    nearest = attacks[attacks["score"].isin(["nearest", "calibrated"])]
    assert (nearest["auroc"] == 1).all() and not nearest["is_chance"].any()


def test_homes_of_another_street_are_no_leak(street: Traces) -> None:
    real = privacy_audit.home_records(street)
    made, control = (privacy_audit.home_records(synthetic_homes(10, 365, seed=s)) for s in (7, 8))
    distances = privacy_audit.distance_table(made, real, IS_MEMBER).set_index("record")
    assert (distances["p_value"] > 0.01).all()
    assert distances.loc["load day", "distance_ratio"] == pytest.approx(1, abs=0.1)
    attacks = privacy_audit.attack_table(
        privacy_audit.black_box(made, real), IS_MEMBER, control=privacy_audit.black_box(control, real)
    )
    assert attacks["p_holm"].min() > 0.05
    excess = attacks[attacks["record"] == "load week"]
    assert ((excess["excess_low_95"] <= 0) & (excess["excess_high_95"] >= 0)).all()


def test_a_copied_year_is_told_from_another_year_of_the_same_home() -> None:
    real = synthetic_homes(4, 1096, start="2010-07-01", seed=3)
    hidden_from = real.time[-1] + pd.Timedelta(minutes=30) - pd.DateOffset(years=1)
    year = pd.DateOffset(years=1)

    def as_like(start: pd.Timestamp) -> Traces:
        part = real.between(start, start + year)
        return Traces(part.load_kw, part.pv_kw, part.time, part.homes.assign(source_home=part.names))

    copied = privacy_audit.reconstruction_table(as_like(hidden_from - year), real, hidden_from)
    assert copied["to_own_like"].max() < 1e-6 and (copied["nearer_to_trained"] == 1).all()
    honest = privacy_audit.reconstruction_table(as_like(hidden_from), real, hidden_from)
    np.testing.assert_allclose(honest["median_ratio"], 1)
    np.testing.assert_allclose(honest["to_own_like"], honest["to_own_other_year"])
    assert (honest["nearer_to_trained"] == 0).all()
    assert honest.set_index("record")["nearer_of_earlier"]["load day"] == pytest.approx(0.5, abs=0.06)
    load = real.load_kw.copy()
    load[0, -5] = np.nan
    with pytest.raises(ValueError, match="gaps in the load"):
        privacy_audit.reconstruction_table(
            as_like(hidden_from - year), Traces(load, real.pv_kw, real.time, real.homes), hidden_from
        )


# ---------------------------------------------------------------- the weights


def test_scores_of_a_home_do_not_depend_on_who_else_is_asked(tiny_model: HiDiff, tiny_homes: Traces) -> None:
    names = tiny_homes.names[:3]
    together = membership_scores(tiny_model, tiny_homes, names, windows=2, spans=1, sigmas=(0.5,))
    alone = membership_scores(tiny_model, tiny_homes, names[1:2], windows=2, spans=1, sigmas=(0.5,))
    assert list(together.index) == names and np.isfinite(together.to_numpy()).all()
    pd.testing.assert_frame_equal(together.loc[names[1:2]], alone, rtol=1e-3, atol=1e-5)


def test_a_network_that_remembers_one_home_by_heart_is_caught(
    tiny_model: HiDiff, tiny_homes: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tiny_homes.names
    prepared = prepare(tiny_homes.select(names[2:3]))
    days = np.zeros((len(prepared.grid), 3), np.float32)
    statistics = np.zeros((1, len(STATISTICS)), np.float32)
    features, habits = (np.zeros((1, 1, size), np.float32) for size in (FEATURES, HABIT))
    data = LowData(tiny_model.low, prepared, days, statistics, features, habits)
    runs = torch.from_numpy(data.starts[:, 1, None] + np.arange(14))
    memory = data.signal[0][runs].flatten(1, 2)

    def recall(noisy: Tensor, *_: Tensor) -> Tensor:
        return torch.stack([memory[int(((memory - row) ** 2).sum((1, 2)).argmin())] for row in noisy])

    monkeypatch.setattr(tiny_model.low, "denoise", recall)
    found = membership_scores(tiny_model, tiny_homes, names, windows=2, spans=1, sigmas=(0.3,))
    assert found["low_loss"].idxmax() == names[2]
    assert found["low_loss"][names[2]] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(found["low_calibrated"], 0)  # that network looks at no household


def test_the_stored_numbers_name_the_training_homes(tiny_model: HiDiff, tiny_homes: Traces) -> None:
    parts = tiny_model.notes["split"]
    whole = [name for name in tiny_model.homes if name not in parts["hidden_year_homes"]]
    found = membership_scores(tiny_model, tiny_homes, tiny_homes.names, windows=1, spans=1, sigmas=(1.0,))
    assert (
        found.loc[whole, "stored_numbers"].min()
        > found.loc[parts["validation_homes"], "stored_numbers"].max()
    )


def test_homes_without_a_long_stretch_have_no_high_loss_and_short_ones_are_refused(
    tiny_model: HiDiff, tiny_homes: Traces
) -> None:
    quarter = tiny_homes.between("2012-01-01", "2012-04-01")
    found = membership_scores(tiny_model, quarter, quarter.names[:2], windows=1, sigmas=(1.0,))
    assert found[["high_loss", "high_calibrated"]].isna().all(axis=None)
    assert np.isfinite(found["low_loss"]).all()
    with pytest.raises(ValueError, match="whole days of readings; 14 are needed"):
        membership_scores(tiny_model, tiny_homes.between("2012-01-01", "2012-01-10"), tiny_homes.names[:1])
    weather = tiny_model.regional.climatology(pd.date_range("2012-01-01", "2012-02-01"))
    with pytest.raises(ValueError, match="the weather lacks 20"):
        membership_scores(tiny_model, quarter, quarter.names[:1], weather=weather)


# ---------------------------------------------------------------- canaries


def test_a_canary_is_a_doubled_home_run_backwards_with_pulses_of_its_own(street: Traces) -> None:
    canaries = canary_homes(street, 5, seed=1)
    assert len(set(canaries.homes["source"])) == 5
    for name in canaries.names:
        row = canaries.names.index(name)
        source = street.names.index(canaries.homes.loc[name, "source"])
        backwards = street.load_kw[source].reshape(-1, 48)[:, ::-1].ravel()
        pulses = canaries.load_kw[row] - 2 * backwards
        at = np.flatnonzero(pulses > 1)
        assert len(np.unique(np.diff(at))) == 1 and np.diff(at)[0] % 2 == 1
        assert 3 <= pulses[at].mean() <= 6 and np.ptp(pulses[at]) < 1e-4
        np.testing.assert_array_equal(canaries.pv_kw[row], street.pv_kw[source])
    more = canary_homes(street, 30, seed=1)
    np.testing.assert_array_equal(more.load_kw[:5], canaries.load_kw)
    with pytest.raises(ValueError, match="count=0"):
        canary_homes(street, 0)


def test_the_coins_are_fair_and_belong_to_the_canaries() -> None:
    names = [f"canary-{i:03d}" for i in range(1000)]
    included = included_canaries(names, seed=0)
    assert 440 < included.sum() < 560
    np.testing.assert_array_equal(included_canaries(names[::-1], seed=0), included[::-1])
    assert (included_canaries(names, seed=1) != included).mean() == pytest.approx(0.5, abs=0.06)


def test_every_included_canary_is_trained_on_and_no_other() -> None:
    homes = synthetic_homes(12, 400, start="2012-01-01")
    marked = Traces(
        homes.load_kw, homes.pv_kw, homes.time, homes.homes.assign(is_clean=[False] * 4 + [True] * 8)
    )
    odd = marked.select(marked.names[:4])
    made = canary_homes(clean(marked), 6, seed=0)
    for canaries, included in ((made, np.arange(6) % 2 == 0), (odd, np.arange(4) < 2)):
        data = with_canaries(marked, canaries, included)
        seen = clean(data)
        parts = split(seen, TrainConfig(data=Path("homes"), out=Path("model"), validation_share=0.6))
        chosen = {name for name, is_in in zip(canaries.names, included, strict=True) if is_in}
        assert chosen <= set(parts.train) and not chosen & set(parts.hidden_year)
        assert not (set(canaries.names) - chosen) & set(data.names)
        late = np.asarray(data.time >= parts.hidden_from)
        own = data.select(sorted(chosen))
        assert np.isnan(own.load_kw[:, late]).all() and np.isfinite(own.load_kw[:, ~late]).all()
    assert np.isfinite(marked.load_kw).all()  # what was given is not changed


def test_canaries_need_days_before_the_last_year_and_one_that_is_in(street: Traces) -> None:
    canaries = canary_homes(street, 3)
    with pytest.raises(ValueError, match="none of 3 canaries is included"):
        with_canaries(street, canaries, np.zeros(3, bool))
    with pytest.raises(ValueError, match="0 days stand before the last year"):
        with_canaries(street, canaries, np.ones(3, bool))


# ---------------------------------------------------------------- real homes


@pytest.mark.real
def test_odd_real_homes_can_be_scored_and_sides_are_those_of_the_shipped_model(data_dir: Path) -> None:
    model, real = hidiff.load(), read_traces(data_dir / "ausgrid")
    sides = privacy_audit.sides(model, real)
    assert (~sides.is_member).sum() == len(model.notes["split"]["validation_homes"])
    assert np.isfinite(sides.traces.load_kw).all()
    odd = [name for name in real.names if name not in clean(real).names][:1]
    before = real.between("2010-07-01", "2011-08-10")
    found = membership_scores(model, before, odd, windows=1, spans=1, sigmas=(0.5,))
    assert np.isfinite(found.to_numpy()).all() and (found["low_loss"] < 0).all()
