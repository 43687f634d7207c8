import numpy as np
import pandas as pd
import pytest

from hidiff.scenarios import ScenarioSet

from .conftest import make_set


def years_set(homes: int = 40, years: int = 5) -> ScenarioSet:
    time = pd.date_range("2030-01-01", f"{2030 + years}-01-01", freq="1D", inclusive="left", tz="UTC")
    table = pd.DataFrame(
        {"pv_capacity_kwp": 1.0, "source_home": [f"r{i % 15}" for i in range(homes)]},
        index=pd.Index([f"h{i}" for i in range(homes)], name="home", dtype=object),
    )
    return ScenarioSet.from_arrays(
        {"load_kw": np.zeros((2, homes, len(time)))}, time=time, homes=table, time_zone="UTC"
    )


def test_parts_by_home_share_no_real_home_behind_them() -> None:
    parts = years_set().split("home", shares=(0.5, 0.25, 0.25), seed=3)
    behind = [set(part.homes["source_home"]) for part in parts.values()]
    assert sum(map(len, behind)) == len(set.union(*behind)) == 15
    assert sum(len(part.homes) for part in parts.values()) == 40


def test_more_homes_move_no_other() -> None:
    small, large = (years_set(homes).split("home", shares=(0.6, 0, 0.4), seed=1) for homes in (30, 40))
    for name in ("train", "test"):
        assert set(small[name].home_names) <= set(large[name].home_names)


def test_parts_by_year_are_whole_years_in_order() -> None:
    parts = years_set().split("year", shares=(0.6, 0.2, 0.2))
    spans = {name: (part.time[0].year, part.time[-1].year, len(part.time)) for name, part in parts.items()}
    assert spans == {"train": (2030, 2032, 1096), "validation": (2033, 2033, 365), "test": (2034, 2034, 365)}


def test_parts_by_home_and_year_share_neither() -> None:
    parts = years_set().split(["home", "year"], shares=(0.6, 0, 0.4), seed=1)
    assert set(parts) == {"train", "test"}
    assert not set(parts["train"].home_names) & set(parts["test"].home_names)
    assert not set(parts["train"].time) & set(parts["test"].time)


def test_parts_by_scenario_keep_probabilities_in_proportion() -> None:
    whole = make_set(scenarios=40)
    parts = whole.split("scenario", seed=2)
    assert sorted(name for part in parts.values() for name in part.names) == whole.names
    part = parts["train"]
    old = whole.scenarios.loc[part.names, "probability"].to_numpy()
    np.testing.assert_allclose(part.probability, old / old.sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("by", "shares", "message"),
    [("month", (0.7, 0.15, 0.15), "by='month'"), ("home", (0.7, 0.2, 0.2), "sum to 1"), ([], (1, 0, 0), "name home"),
     ("year", (0.4, 0.3, 0.3), "holds 0 whole years"), ("home", (0.98, 0.01, 0.01), "no home of 3 falls to")],
)  # fmt: skip
def test_splits_that_cannot_be_made_are_refused(
    by: str, shares: tuple[float, float, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_set().split(by, shares=shares)
