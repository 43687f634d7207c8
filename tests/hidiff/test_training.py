"""``hidiff train``: what is kept aside stays aside, and a run can be stopped and taken up again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from hidiff import training
from hidiff.data import prepare as preparation
from hidiff.data.prepare import prepare
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.diffusion import loop
from hidiff.diffusion.hierarchy import HiDiff
from hidiff.errors import CheckpointError
from hidiff.training import TrainConfig, clean, hide, household_tables, split

from .conftest import train_tiny

CONFIG = TrainConfig(data=Path("homes"), out=Path("model"))


def many_homes(count: int, short: int = 0) -> Traces:
    """Homes of two years whose load hardly matters; the first ``short`` lack the last year."""
    time = pd.date_range("2010-06-30 14:00", periods=731 * 48, freq="30min", tz="UTC")
    load = np.ones((count, len(time)), dtype=np.float32)
    load[:short, -365 * 48 :] = np.nan
    names = pd.Index([f"h{i}" for i in range(count)], name="home")
    return Traces(load, np.zeros_like(load), time, pd.DataFrame({"pv_capacity_kwp": 1.0}, index=names))


# ---------------------------------------------------------------- the split


def test_nobody_is_on_both_sides_and_nobody_is_lost() -> None:
    traces = many_homes(60)
    parts = split(traces, CONFIG)
    assert not set(parts.train) & set(parts.validation)
    assert sorted([*parts.train, *parts.validation]) == sorted(traces.names)
    assert set(parts.hidden_year) <= set(parts.train)
    assert 4 <= len(parts.validation) <= 22
    assert 4 <= len(parts.hidden_year) <= 24


def test_more_homes_never_move_one_to_the_other_side() -> None:
    few, many = split(many_homes(20), CONFIG), split(many_homes(60), CONFIG)
    assert set(few.validation) <= set(many.validation) and set(few.train) <= set(many.train)
    assert set(few.hidden_year) <= set(many.hidden_year)
    assert few.hidden_from == many.hidden_from == pd.Timestamp("2011-06-30 14:00", tz="UTC")


def test_another_seed_splits_otherwise() -> None:
    traces = many_homes(60)
    assert split(traces, CONFIG).validation != split(traces, replace(CONFIG, seed=1)).validation


def test_homes_without_the_last_year_are_always_trained_on() -> None:
    parts = split(many_homes(30, short=10), CONFIG)
    assert {f"h{i}" for i in range(10)} <= set(parts.train)
    assert not {f"h{i}" for i in range(10)} & set(parts.hidden_year)


def test_the_hidden_year_is_nan_in_what_is_trained_and_the_rest_is_not() -> None:
    traces = synthetic_homes(3, 400)
    start = traces.time[-1] - pd.Timedelta(days=200)
    seen = hide(traces, ["synthetic-00001"], start)
    late = np.asarray(traces.time >= start)
    assert np.isnan(seen.load_kw[1, late]).all() and np.isnan(seen.pv_kw[1, late]).all()
    assert np.isfinite(seen.load_kw[1, ~late]).all()
    assert np.isfinite(seen.load_kw[[0, 2]]).all()
    assert np.isfinite(traces.load_kw).all()  # what was given is not changed
    prepared = prepare(seen)
    assert prepared.scale_kw[1] == pytest.approx(traces.load_kw[1, ~late].mean(), rel=0.01)
    days = prepared.grid.dates >= start.tz_convert("Etc/GMT-10").tz_localize(None)
    assert not prepared.is_known[1, days].any()


def test_only_clean_homes_are_trained_on_where_the_table_says_so() -> None:
    traces = synthetic_homes(3, 2)
    marked = Traces(
        traces.load_kw, traces.pv_kw, traces.time, traces.homes.assign(is_clean=[True, False, True])
    )
    assert clean(marked).names == ["synthetic-00000", "synthetic-00002"]
    assert clean(traces).names == traces.names


# ---------------------------------------------------------------- a run


def test_a_model_directory_is_whole_and_says_what_it_was_trained_on(tiny_folder: Path) -> None:
    assert sorted(path.name for path in tiny_folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    config = json.loads((tiny_folder / "config.json").read_text())
    model = HiDiff.load(tiny_folder)
    assert config["training"]["steps"] == {"low": 2, "high": 2, "low student": 2, "high student": 2}
    assert config["sampler"]["solver"] == "student" and set(model.students) == {"low", "high"}
    assert sorted([*model.homes, *config["split"]["validation_homes"]]) == [
        f"synthetic-{i:05d}" for i in range(6)
    ]
    assert model.statistics.shape == (len(model.homes), 26) and model.styles.shape == (len(model.homes), 352)
    assert np.isfinite(model.statistics).all() and np.isfinite(model.styles).all()
    card = (tiny_folder / "README.md").read_text()
    for part in ("Ausgrid", "kept aside", "Intended use", "Limits", "checkpoint format 2"):
        assert part in card


def test_training_goes_on_from_a_model_and_leaves_a_level_alone_that_gets_no_steps(
    tiny_folder: Path, tiny_set: Path, tmp_path: Path
) -> None:
    before = HiDiff.load(tiny_folder)
    out = train_tiny(tiny_set, tmp_path / "more", start_from=tiny_folder, low_steps=3, high_steps=0)
    after = HiDiff.load(out)
    changed = {
        level: any(
            not torch.equal(value, getattr(after, level).state_dict()[name])
            for name, value in getattr(before, level).state_dict().items()
        )
        for level in ("low", "high")
    }
    assert changed == {"low": True, "high": False}
    for name in ("signal_scale", "habit_scale"):  # its weights were trained with these
        assert torch.equal(getattr(after.low, name), getattr(before.low, name))
    assert torch.equal(after.students["high"].enter.weight, before.students["high"].enter.weight)
    steps = json.loads((out / "config.json").read_text())["training"]["steps"]
    assert steps == {"low": 5, "high": 2, "low student": 3, "high student": 2}
    with pytest.raises(ValueError, match="high_steps=0; it must be above 0"):
        TrainConfig(data=tiny_set, out=out, high_steps=0)


def test_what_is_kept_aside_changes_no_number_of_the_model(
    tiny_folder: Path, tiny_homes: Traces, tmp_path: Path
) -> None:
    there = HiDiff.load(tiny_folder)
    aside = there.notes["split"]
    assert aside["validation_homes"] and aside["hidden_year_homes"]
    load = tiny_homes.load_kw.copy()
    late = np.asarray(tiny_homes.time >= pd.Timestamp(aside["hidden_from"]))
    for row, name in enumerate(tiny_homes.names):
        if name in aside["validation_homes"]:
            load[row] *= 1.7
        if name in aside["hidden_year_homes"]:
            load[row, late] = load[row, late][::-1]
    homes = Traces(load, tiny_homes.pv_kw, tiny_homes.time, tiny_homes.homes).to_parquet(tmp_path / "homes")
    again = HiDiff.load(train_tiny(homes, tmp_path / "model"))
    assert again.homes == there.homes and not set(there.homes) & set(aside["validation_homes"])
    np.testing.assert_array_equal(again.statistics, there.statistics)
    np.testing.assert_array_equal(again.styles, there.styles)
    np.testing.assert_array_equal(again.reader.trust, there.reader.trust)
    for level in ("low", "high"):
        for name, value in getattr(there, level).state_dict().items():
            torch.testing.assert_close(getattr(again, level).state_dict()[name], value, rtol=0, atol=0)


def test_a_run_stopped_by_the_clock_goes_on_to_the_same_model(
    tiny_set: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "model"
    train_tiny(tiny_set, out, minutes=1e-9)  # one step of each level, then stop
    assert json.loads((out / "config.json").read_text())["training"]["steps"] == {"low": 1, "high": 1}
    assert (out / "state").is_dir()
    train_tiny(tiny_set, out, resume=True)
    assert not (out / "state").exists()
    there, again = HiDiff.load(tiny_folder), HiDiff.load(out)
    for level in ("low", "high"):
        for name, value in getattr(there, level).state_dict().items():
            torch.testing.assert_close(getattr(again, level).state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_a_killed_run_leaves_a_state_and_no_model(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop.fit

    def dies(*args: Any, name: str = "", **choices: Any) -> list[dict[str, float]]:
        if name == "high":
            raise KeyboardInterrupt
        return real(*args, name=name, **choices)

    monkeypatch.setattr(loop, "fit", dies)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tiny_set, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
        HiDiff.load(tmp_path)


def test_a_finished_model_is_not_replaced_unasked(tiny_set: Path, tiny_folder: Path) -> None:
    before = (tiny_folder / "model.safetensors").read_bytes()
    for choices in ({}, {"resume": True}):
        with pytest.raises(ValueError, match="holds a model already; choose another --out or give --force"):
            train_tiny(tiny_set, tiny_folder, **choices)
    assert (tiny_folder / "model.safetensors").read_bytes() == before


def test_homes_of_a_few_days_are_refused() -> None:
    prepared = prepare(synthetic_homes(2, 10))
    with pytest.raises(ValueError, match=r"'synthetic-00000' has \d+ whole days of readings; 14 are needed"):
        household_tables(prepared, np.zeros((len(prepared.grid), 3), np.float32), seed=0)


def test_when_everybody_is_validated_on_nobody_is_left(tiny_set: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="all 6 homes fell to validation"):
        train_tiny(tiny_set, tmp_path / "out", validation_share=0.999)


@pytest.mark.parametrize(
    ("field", "value"),
    [("validation_share", 1.0), ("hidden_year_share", float("nan")), ("minutes", 0.0), ("low_steps", 0),
     ("device", "tpu")],
)  # fmt: skip
def test_settings_are_checked(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field if field != "device" else "unknown device 'tpu'"):
        replace(CONFIG, **{field: value})  # type: ignore[arg-type]


def test_a_card_trains_longer_than_a_processor() -> None:
    for name, cpu in training.PRESETS["cpu"].items():
        assert training.PRESETS["gpu"][name].steps > cpu.steps


def test_homes_that_are_not_clean_train_the_low_level_alone(tiny_homes: Traces, tmp_path: Path) -> None:
    odd = tiny_homes.names[0], tiny_homes.names[3]
    marked = tiny_homes.homes.assign(is_clean=[name not in odd for name in tiny_homes.names])
    homes = Traces(tiny_homes.load_kw, tiny_homes.pv_kw, tiny_homes.time, marked).to_parquet(
        tmp_path / "homes"
    )
    parts = HiDiff.load(train_tiny(homes, tmp_path / "model", student_steps=0)).notes["split"]
    assert sorted([*parts["odd_homes"], *parts["odd_homes_aside"]]) == sorted(odd)
    model = HiDiff.load(tmp_path / "model")
    assert not set(odd) & set(model.homes) and not model.students


def test_load_only_homes_have_no_say_in_pv(tiny_homes: Traces) -> None:
    prepared = preparation.prepare(tiny_homes)
    others = training.load_only(prepared, prepared.names[1:3])
    assert prepared.is_sunny[1].any() and not others.is_sunny.any()
    both = preparation.together(prepared, others)
    assert both.names == [*prepared.names, *prepared.names[1:3]]
    np.testing.assert_array_equal(both.tokens[-1], prepared.tokens[2])
    shorter = preparation.prepare(tiny_homes.between(tiny_homes.time[0], tiny_homes.time[48 * 40]))
    with pytest.raises(ValueError, match="same span"):
        preparation.together(prepared, shorter)
