import dataclasses
import json
from pathlib import Path
from typing import Literal

import pytest

from hidiff.config_schema import json_schema
from hidiff.scenarios.study import Study


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    """Inside."""

    size_kw: float = 5.0
    """How large [kW]."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer:
    """Outside."""

    count: int
    """How many."""
    kind: Literal["a", "b"] = "a"
    """Which."""
    parts: tuple[Inner, ...] = (Inner(),)
    """What of."""
    file: Path | None = None
    """From where."""


def test_types_choices_defaults_and_helps_are_in_the_schema() -> None:
    schema = json_schema(Outer)
    assert schema["required"] == ["count"] and schema["additionalProperties"] is False
    assert schema["properties"]["kind"] == {"enum": ["a", "b"], "description": "Which.", "default": "a"}
    assert schema["properties"]["parts"]["items"] == {"$ref": "#/$defs/Inner"}
    assert schema["properties"]["parts"]["default"] == [{"size_kw": 5.0}]
    assert schema["properties"]["file"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert schema["$defs"]["Inner"]["properties"]["size_kw"]["description"] == "How large [kW]."


def test_the_schema_of_a_study_is_json_and_names_every_part() -> None:
    schema = json.loads(json.dumps(json_schema(Study)))
    assert set(schema["properties"]) == {field.name for field in dataclasses.fields(Study)}
    assert "annual_kwh" in schema["$defs"]["Group"]["properties"]


def test_a_type_without_a_form_is_refused() -> None:
    @dataclasses.dataclass
    class Odd:
        value: complex = 1j

    with pytest.raises(ValueError, match="no form in a JSON schema"):
        json_schema(Odd)
