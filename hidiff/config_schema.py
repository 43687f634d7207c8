"""JSON schema of a config dataclass, for editors that complete and check YAML files as they are written."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from hidiff.config import field_docstrings, to_mapping


def json_schema(cls: type, title: str = "") -> dict[str, Any]:
    """Schema (JSON Schema 2020-12) of the files that `read_config` takes for ``cls``.

    Types, defaults, choices and the docstring under each field carry over; what ``__post_init__`` checks does not.
    """
    definitions: dict[str, Any] = {}
    schema = _object(cls, definitions)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title or cls.__name__}
    return head | schema | ({"$defs": definitions} if definitions else {})


def _object(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints, helps = typing.get_type_hints(cls), field_docstrings(cls)
    properties, required = {}, []
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        entry = _type(hints[field.name], definitions)
        if field.name in helps:
            entry = {**entry, "description": helps[field.name]}
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(field.name)
        else:
            default = field.default_factory() if callable(field.default_factory) else field.default
            entry = {**entry, "default": _plain(default)}
        properties[field.name] = entry
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": required} if required else {})


def _type(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_type(member, definitions) for member in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0], definitions)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type(arguments[1], definitions)}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}  # before its fields, which may lead back to it
            definitions[hint.__name__] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    plain = {
        int: {"type": "integer"},
        float: {"type": "number"},
        str: {"type": "string"},
        bool: {"type": "boolean"},
        Path: {"type": "string"},
        type(None): {"type": "null"},
        Any: {},
    }
    if hint not in plain:
        raise ValueError(f"{hint} has no form in a JSON schema")
    return dict(plain[hint])


def _plain(value: Any) -> Any:
    """Mappings and lists of plain values, as YAML would hold the default."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_mapping(value)
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value
