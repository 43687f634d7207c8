"""Configs: what comes in is exactly what the dataclass says, and an error names the key."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from hidiff.config import (
    add_arguments,
    field_docstrings,
    from_arguments,
    read_config,
    to_mapping,
    write_config,
)
from hidiff.errors import DataFormatError


@dataclass(frozen=True, kw_only=True)
class Battery:
    capacity_kwh: float = 10.0
    """Usable energy [kWh]."""
    power_max_kw: float = 5.0

    def __post_init__(self) -> None:
        if not self.capacity_kwh > 0:
            raise ValueError(f"capacity_kwh is {self.capacity_kwh}, must be > 0")


@dataclass(frozen=True, kw_only=True)
class Study:
    homes: int
    """How many homes;
    a second line."""
    out: Path
    start: str = "2030-01-01"
    mode: Literal["new", "like"] = "new"
    """Whose homes, 100 % of them."""
    household: tuple[str, ...] = ()
    annual_kwh: float | None = None
    is_quiet: bool = False
    is_checked: bool = True
    battery: Battery = field(default_factory=lambda: Battery(capacity_kwh=7.0))
    prices: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.homes >= 1:
            raise ValueError(f"homes is {self.homes}, must be at least 1")


def parse(*arguments: str) -> Study:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser, Study, skip=["prices"])
    return from_arguments(parser.parse_args(arguments), Study)


def test_a_mapping_becomes_nested_dataclasses_with_their_types() -> None:
    study = read_config(
        {
            "homes": 2,
            "out": "x",
            "household": ["12", "13"],
            "battery": {"capacity_kwh": 8},
            "prices": {"a": 1},
        },
        Study,
    )
    assert study.out == Path("x")
    assert study.household == ("12", "13")
    assert isinstance(study.battery.capacity_kwh, float)
    assert study.battery == Battery(capacity_kwh=8.0)
    assert study.prices == {"a": 1.0}


def test_an_unknown_key_is_refused_with_its_path_and_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"unknown key 'battery.capacity_kw'; did you mean 'capacity_kwh'\?"):
        read_config({"homes": 1, "out": "x", "battery": {"capacity_kw": 3.0}}, Study)


def test_an_unknown_key_like_no_other_is_answered_with_the_list_of_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown key 'zzz'; known are capacity_kwh, power_max_kw"):
        read_config({"zzz": 3.0}, Battery)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ValueError, match="missing key 'homes', 'out'"):
        read_config({}, Study)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"homes": 2.0}, r"'homes' is 2.0 \(float\), expected int"),
        ({"homes": True}, r"'homes' is True \(bool\), expected int"),
        ({"homes": "2"}, r"'homes' is '2' \(str\), expected int"),
        ({"homes": None}, "'homes' is None"),
        ({"is_quiet": 1}, r"'is_quiet' is 1 \(int\), expected bool"),
        ({"out": ""}, "'out' is empty"),
        ({"mode": "nwe"}, r"'mode' is 'nwe', not one of 'new', 'like'; did you mean 'new'\?"),
        ({"household": "12"}, "'household' is '12'"),
        ({"household": ["12", 13]}, r"'household\[1\]' is 13 .*put it in quotes"),
        ({"annual_kwh": float("nan")}, "'annual_kwh' is nan"),
        ({"battery": {"capacity_kwh": "1e1"}}, r"'battery.capacity_kwh' is '1e1' .*write 1.0e-4"),
        ({"battery": {"capacity_kwh": -1.0}}, "battery: capacity_kwh is -1.0, must be > 0"),
        ({"battery": 3}, "'battery' is 3"),
        ({"prices": {"peak": "x"}}, "'prices.peak' is 'x'"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_key(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_config({"homes": 1, "out": "x"} | change, Study)


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".yml"])
def test_what_is_written_is_read_back_equal(tmp_path: Path, suffix: str) -> None:
    study = Study(homes=3, out=tmp_path / "ö", household=("1",), annual_kwh=1e-7, prices={"peak": 0.25})
    path = write_config(study, tmp_path / f"study{suffix}")
    assert read_config(path, Study) == study
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]  # no temporary file is left


def test_a_date_without_quotes_in_yaml_stays_a_date_as_text(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("homes: 1\nout: x\nstart: 2031-02-03\n")
    assert read_config(tmp_path / "c.yaml", Study).start == "2031-02-03"


def test_an_error_in_a_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("homes: 0\nout: x\n")
    with pytest.raises(ValueError, match=r"c\.yaml: homes is 0, must be at least 1"):
        read_config(tmp_path / "c.yaml", Study)


@pytest.mark.parametrize(("name", "text"), [("c.json", "{"), ("c.yaml", "a: [1"), ("d.yaml", "- 1\n- 2\n")])
def test_a_file_that_holds_no_mapping_is_a_format_error(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataFormatError, match=name):
        read_config(tmp_path / name, Battery)


def test_an_unknown_suffix_is_refused_both_ways(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in '\.toml'"):
        write_config(Battery(), tmp_path / "c.toml")
    with pytest.raises(ValueError, match=r"ends in '\.toml'"):
        read_config(tmp_path / "c.toml", Battery)


def test_a_value_without_a_plain_form_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        write_config(Study(homes=1, out=Path("x"), prices={"a": object()}), tmp_path / "c.json")  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []


def test_to_mapping_refuses_what_is_no_dataclass() -> None:
    with pytest.raises(ValueError, match="no instance of a dataclass"):
        to_mapping({"a": 1})


def test_every_field_is_a_flag_with_its_type() -> None:
    study = parse(
        "--homes", "3", "--out", "d", "--mode", "like", "--household", "1", "2", "--annual-kwh", "5e3"
    )
    assert study == Study(homes=3, out=Path("d"), mode="like", household=("1", "2"), annual_kwh=5000.0)


def test_a_repeated_list_flag_adds_up() -> None:
    assert parse("--homes", "1", "--out", "d", "--household", "1", "--household", "2").household == ("1", "2")


def test_switches_go_on_and_off() -> None:
    study = parse("--homes", "1", "--out", "d", "--is-quiet", "--no-is-checked")
    assert (study.is_quiet, study.is_checked) == (True, False)


def test_a_nested_flag_keeps_the_other_defaults_of_its_part() -> None:
    assert parse("--homes", "1", "--out", "d", "--battery.power-max-kw", "2").battery == Battery(
        capacity_kwh=7.0, power_max_kw=2.0
    )


def test_a_value_out_of_range_on_the_command_line_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="homes is -1"):
        parse("--homes", "-1", "--out", "d")
    with pytest.raises(ValueError, match="'annual_kwh' is nan"):
        parse("--homes", "1", "--out", "d", "--annual-kwh", "nan")


def test_a_positional_field_needs_no_flag() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, Study, positional=["out"], skip=["prices"])
    assert from_arguments(parser.parse_args(["d", "--homes", "1"]), Study, start="x").out == Path("d")


def test_the_help_is_the_docstring_under_the_field() -> None:
    assert field_docstrings(Study)["homes"] == "How many homes; a second line."
    parser = argparse.ArgumentParser()
    add_arguments(parser, Study, skip=["prices"])
    text = " ".join(parser.format_help().split())
    assert "How many homes; a second line." in text
    assert "100 % of them. [default: new]" in text
    assert "Usable energy [kWh]. [default: 10.0]" in text


def test_a_misspelt_field_in_skip_is_refused() -> None:
    with pytest.raises(ValueError, match="Study has no field 'price'"):
        add_arguments(argparse.ArgumentParser(), Study, skip=["price"])


def test_a_field_without_a_form_on_the_command_line_must_be_skipped() -> None:
    with pytest.raises(ValueError, match=r"field 'prices' .* skip it"):
        add_arguments(argparse.ArgumentParser(), Study)
