"""Configuration: one frozen dataclass is the file's form, the command line and the record beside the result.

Files come in through `read_config`, which refuses what it does not know; the command line comes in through
`add_arguments` and `from_arguments`, which read the same dataclass: the docstring under a field is its help.
"""

import argparse
import ast
import dataclasses
import difflib
import inspect
import itertools
import json
import math
import textwrap
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from hidiff.errors import DataFormatError
from hidiff.output import replace_when_done

T = TypeVar("T")


def read_config(source: Mapping[str, Any] | str | Path, cls: type[T]) -> T:
    """Instance of the dataclass ``cls`` from a mapping, or from a YAML or JSON file.

    Args:
        source: a mapping, or the path of a ``.yaml``, ``.yml`` or ``.json`` file.
        cls: a dataclass; its fields may be dataclasses themselves.
    Raises:
        ValueError: an unknown or missing key, a value of a wrong type, or one that ``cls`` refuses.
        DataFormatError: the file is not valid YAML or JSON.
    """
    if isinstance(source, Mapping):
        return _build(source, cls, "")
    path = Path(source)
    mapping = _read_mapping(path)
    try:
        return _build(mapping, cls, "")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def to_mapping(config: Any) -> dict[str, Any]:
    """Plain dicts, lists, numbers and text of a config, as `read_config` takes them back."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise ValueError(f"{config!r} is no instance of a dataclass")
    return {
        field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config) if field.init
    }


def write_config(config: Any, path: str | Path) -> Path:
    """Write ``config`` as YAML or JSON, by the suffix of ``path``: whole, or not at all.

    Raises:
        ValueError: the suffix is none of .json, .yaml and .yml.
    """
    path = Path(path)
    _check_suffix(path)
    mapping = to_mapping(config)
    if path.suffix == ".json":
        text = json.dumps(mapping, indent=2, ensure_ascii=False) + "\n"
    else:
        text = yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True)
    with replace_when_done(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def add_arguments(
    parser: argparse.ArgumentParser,
    cls: type,
    *,
    positional: Collection[str] = (),
    skip: Collection[str] = (),
    prefix: str = "",
) -> None:
    """Give ``parser`` one argument for each field of the dataclass ``cls``.

    Field ``annual_kwh`` becomes ``--annual-kwh``; field ``width`` of the nested config ``network`` becomes
    ``--network.width``. What is not given stays out of the namespace: the dataclass has the defaults.

    Args:
        positional: fields that are given by place, without a flag.
        skip: fields that get no argument.
    """
    names = {field.name for field in dataclasses.fields(cls)}
    for name in (*positional, *skip):
        if name not in names:
            raise ValueError(f"{cls.__name__} has no field {name!r}")
    helps = field_docstrings(cls)
    for field, hint in _fields(cls):
        if field.name in skip:
            continue
        if dataclasses.is_dataclass(hint):
            add_arguments(parser, typing.cast(type, hint), prefix=f"{prefix}{field.name}.")
            continue
        options = _argument_options(field, hint)
        options["help"] = (
            " ".join([helps.get(field.name, ""), *_default_text(field)]).strip().replace("%", "%%")
        )
        if field.name in positional:
            parser.add_argument(field.name, **options | {"metavar": field.name.upper()})
        else:
            if _is_required(field) and not prefix:
                options["required"] = True
            flag = "--" + (prefix + field.name).replace("_", "-")
            parser.add_argument(flag, dest=prefix + field.name, default=argparse.SUPPRESS, **options)


def from_arguments(namespace: argparse.Namespace, cls: type[T], **fixed: Any) -> T:
    """Instance of ``cls`` from what `add_arguments` parsed; ``fixed`` are fields given by the caller.

    Raises:
        ValueError: a value that ``cls`` refuses.
    """
    return _build(_nest(vars(namespace), cls, "") | fixed, cls, "")


def path_argument(text: str) -> Path:
    """A path given on a command line; an empty one would mean the working directory."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def field_docstrings(cls: type) -> dict[str, str]:
    """The docstring written under each field of a dataclass, on one line, its bases included."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        try:
            source = textwrap.dedent(inspect.getsource(base))
        except (OSError, TypeError):  # made at run time, or a frozen program without sources: no help texts
            continue
        definition = ast.parse(source).body[0]
        body = definition.body if isinstance(definition, ast.ClassDef) else []
        for statement, following in itertools.pairwise(body):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            ):
                texts[statement.target.id] = " ".join(following.value.value.split())
    return texts


def suggestion(word: str, known: Collection[str]) -> str:
    """``; did you mean 'x'?`` for the known word nearest to ``word``, or the list of all."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(sorted(known))}" if known else ""


def _read_mapping(path: Path) -> Mapping[str, Any]:
    _check_suffix(path)
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataFormatError(
            f"{path} is not valid {path.suffix[1:]}: {' '.join(str(error).split())}"
        ) from error
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise DataFormatError(f"{path} holds a {type(content).__name__}, expected 'key: value' pairs")
    return content


def _check_suffix(path: Path) -> None:
    if path.suffix not in (".json", ".yaml", ".yml"):
        raise ValueError(f"{path} ends in {path.suffix!r}; a config file ends in .yaml, .yml or .json")


def _fields(cls: type) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    """Each field that ``__init__`` takes, with its type resolved from text if need be."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.init:
            yield field, hints[field.name]


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _build(mapping: Mapping[str, Any], cls: type[T], prefix: str) -> T:
    if not dataclasses.is_dataclass(cls):
        raise ValueError(f"{cls.__name__} is no dataclass")
    fields = {field.name: (field, hint) for field, hint in _fields(cls)}
    for key in mapping:
        if key not in fields:
            raise ValueError(f"unknown key '{prefix}{key}'{suggestion(str(key), fields)}")
    missing = [
        prefix + name for name, (field, _) in fields.items() if _is_required(field) and name not in mapping
    ]
    if missing:
        raise ValueError(f"missing key {', '.join(map(repr, missing))}: {cls.__name__} has no default for it")
    values = {key: _convert(value, fields[key][1], prefix + key) for key, value in mapping.items()}
    try:
        return cls(**values)
    except ValueError as error:  # a check of the dataclass itself: say in which part of the file
        if not prefix:
            raise
        raise ValueError(f"{prefix[:-1]}: {error}") from error


def _convert(value: Any, hint: Any, key: str) -> Any:
    """``value`` as the type ``hint``, or a ValueError that names ``key``; nothing is guessed."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _convert_union(value, arguments, hint, key)
    if origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in arguments):
            return value
        near = suggestion(str(value), [str(choice) for choice in arguments])
        listed = ", ".join(map(repr, arguments))
        raise ValueError(f"{key!r} is {value!r}, not one of {listed}{near if '?' in near else ''}")
    if dataclasses.is_dataclass(hint):
        if isinstance(value, typing.cast(type, hint)):
            return value
        if isinstance(value, Mapping):
            return _build(value, typing.cast(type, hint), f"{key}.")
    elif origin is tuple and isinstance(value, (list, tuple)):
        return _convert_tuple(value, arguments, key)
    elif isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {
            _convert(k, arguments[0], f"{key}.{k}"): _convert(v, arguments[1], f"{key}.{k}")
            for k, v in value.items()
        }
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if math.isnan(value):
            raise ValueError(f"{key!r} is nan; give a number")
        return float(value)
    elif hint is str and isinstance(value, date):  # YAML reads an unquoted 2030-01-01 as a date
        return value.isoformat()
    elif hint is Path and isinstance(value, (str, Path)):
        if not str(value):
            raise ValueError(f"{key!r} is empty; give a path")
        return Path(value)
    elif hint in (int, str, bool) and type(value) is hint:
        return value
    elif hint is type(None) and value is None:
        return None
    raise ValueError(
        f"{key!r} is {value!r} ({type(value).__name__}), expected {_name(hint)}{_way_out(value, hint)}"
    )


def _convert_union(value: Any, members: tuple[Any, ...], hint: Any, key: str) -> Any:
    if value is None and type(None) in members:
        return None
    members = tuple(member for member in members if member is not type(None))
    if len(members) == 1:
        return _convert(value, members[0], key)
    reasons = []
    for member in members:
        try:
            return _convert(value, member, key)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(f"{key!r} is {value!r}, expected {_name(hint)} ({'; '.join(reasons)})")


def _convert_tuple(value: list[Any] | tuple[Any, ...], members: tuple[Any, ...], key: str) -> tuple[Any, ...]:
    if len(members) == 2 and members[1] is Ellipsis:
        members = (members[0],) * len(value)
    if len(members) != len(value):
        raise ValueError(f"{key!r} has {len(value)} entries, expected {len(members)}")
    return tuple(
        _convert(v, member, f"{key}[{i}]") for i, (v, member) in enumerate(zip(value, members, strict=True))
    )


def _way_out(value: Any, hint: Any) -> str:
    """What to write instead, for the two traps of YAML."""
    if hint is float and isinstance(value, str) and "e" in value.lower():
        return "; YAML reads 1e-4 as text, write 1.0e-4"
    if hint is str and isinstance(value, (int, float)):
        return "; put it in quotes"
    return ""


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_mapping(value)
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"{value!r} ({type(value).__name__}) cannot be written in a config file")


def _argument_options(field: dataclasses.Field[Any], hint: Any) -> dict[str, Any]:
    """argparse's keywords for one field."""
    members = [member for member in typing.get_args(hint) if member is not type(None)]
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and len(members) == 1:
        hint = members[0]  # X | None: left out means None
    if hint is bool:  # a switch; --no-flag where the default is on
        return {"action": argparse.BooleanOptionalAction if field.default is True else "store_true"}
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        return {"choices": choices, "type": type(choices[0])}
    if typing.get_origin(hint) is tuple and typing.get_args(hint)[1:] == (Ellipsis,):
        return {"nargs": "+", "action": "extend"} | _scalar_options(typing.get_args(hint)[0], field.name)
    return _scalar_options(hint, field.name)


def _scalar_options(hint: Any, name: str) -> dict[str, Any]:
    known: dict[Any, tuple[Callable[[str], Any], str]] = {
        int: (int, "N"),
        float: (float, "X"),
        str: (str, "TEXT"),
        Path: (path_argument, "PATH"),
    }
    if hint not in known:
        raise ValueError(f"field {name!r} of type {_name(hint)} has no form on the command line; skip it")
    kind, metavar = known[hint]
    return {"type": kind, "metavar": metavar}


def _default_text(field: dataclasses.Field[Any]) -> list[str]:
    value = _default(field)
    if value is dataclasses.MISSING or value is None or value is False or value in ("", ()):
        return []
    if isinstance(value, (tuple, list)):
        value = " ".join(map(str, value))
    return [f"[default: {value}]"]


def _nest(given: Mapping[str, Any], cls: type, prefix: str) -> dict[str, Any]:
    """The flat ``network.width`` of a command line as nested mappings, a nested config's defaults kept."""
    values: dict[str, Any] = {}
    for field, hint in _fields(cls):
        if dataclasses.is_dataclass(hint):
            inner = _nest(given, typing.cast(type, hint), f"{prefix}{field.name}.")
            if inner:
                default = None if _is_required(field) else _default(field)
                values[field.name] = (to_mapping(default) if default is not None else {}) | inner
        elif prefix + field.name in given:
            values[field.name] = given[prefix + field.name]
    return values


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default
