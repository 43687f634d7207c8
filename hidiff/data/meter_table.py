"""The table inside a meter CSV: its encoding, delimiter, header line, and which column means what."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hidiff.errors import DataFormatError

ROLES = ("time", "load", "pv", "home")
KNOWN_NAMES = {
    "time": "time timestamp datetime localtime utctime start starttime startdate intervalstart "
    "intervalend end endtime enddate readdatetime readingdatetime readingtime periodstart periodend tstp",
    "load": "load usage consumption use import demand energy power value reading kwh kw generalconsumption "
    "gridimport energyconsumption electricity",
    "pv": "pv solar generation production gen solargeneration pvgeneration grossgeneration",
    "home": "home meter meterid meternumber nmi customer customerid household householdid house "
    "houseid homeid id lclid",
}
UNITS = {"kwh": "kwh", "kw": "kw", "wh": "wh", "w": "w"}
HEADER_LINES = 20
EXAMPLE = '--columns "time=Timestamp,load=Usage,pv=Solar,home=Meter"'
WAY_OUT = f"name them, e.g. {EXAMPLE} (or layout wide: one column a home)"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text with their line numbers, and the delimiter they were cut by."""

    cells: pd.DataFrame
    delimiter: str


def read_text(path: Path) -> str:
    """The whole file as text.

    Raises:
        DataFormatError: a file that is missing, empty, or no text.
    """
    if not path.is_file():
        raise DataFormatError(f"{path} does not exist, or is no file")
    raw = path.read_bytes()
    if raw[:2] in (b"PK", b"\xd0\xcf", b"\x1f\x8b") or raw[:4] == b"PAR1":
        raise DataFormatError(
            f"{path} is a packed or spreadsheet file, not text; unpack it, or save it as CSV"
        )
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataFormatError(
            f"{path} is not {encoding.upper()} text ({error.reason}); save it as UTF-8 CSV"
        ) from error
    if "\0" in text:
        raise DataFormatError(f"{path} holds zero bytes; it is not a text file")
    if not text.strip():
        raise DataFormatError(f"{path} is empty")
    return text


def read_table(path: Path, wanted: dict[str, str]) -> Table:
    """All fields as text; the index is the line in the file.

    Args:
        wanted: role to column name as the user gave them; they help to find the header below title lines.
    """
    text = read_text(path)
    # Physical lines only: str.splitlines also breaks at characters that CSV keeps inside fields.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    known = {plain(name) for name in wanted.values() for name in name.split("+")}
    known |= {name for names in KNOWN_NAMES.values() for name in names.split()} | {"date"}
    header = next(number for number, line in enumerate(lines) if line.strip())
    delimiter = max(",;\t|", key=lines[header].count)
    for number, line in enumerate(lines[:HEADER_LINES]):
        cut = max(",;\t|", key=line.count)
        fields = {plain(field) for field in line.split(cut)}
        if cut in line and (fields & known or {_bare(field) for field in fields} & known):
            header, delimiter = number, cut
            break
    try:
        reader = csv.reader(io.StringIO("\n".join(lines[header:])), delimiter=delimiter)
        rows = [(header + reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise DataFormatError(f"{path} cannot be cut into columns at {delimiter!r}: {error}") from error
    names = [name.strip() for name in rows[0][1]]
    while names and not names[-1]:
        names.pop()
    if len(names) < 2:
        raise DataFormatError(
            f"{path} has one column ({lines[header][:60]!r}); a time and a load column are needed"
        )
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise DataFormatError(f"{path} has two columns named {double!r}; rename one")
    kept = [(line, row) for line, row in rows[1:] if any(field.strip() for field in row)]
    ragged = [
        line for line, row in kept if len(row) < len(names) or any(f.strip() for f in row[len(names) :])
    ]
    if ragged:
        raise DataFormatError(
            f"{path}: {len(ragged)} rows do not have the {len(names)} fields of the header, "
            f"first line {ragged[0]}; repair them, or cut what follows the table"
        )
    if not kept:
        raise DataFormatError(f"{path} has a header ({', '.join(names[:8])}) and no rows")
    cells = pd.DataFrame(
        [row[: len(names)] for _, row in kept], columns=names, index=[line for line, _ in kept]
    )
    return Table(cells=cells, delimiter=delimiter)


def find_columns(names: list[str], wanted: dict[str, str], where: str) -> dict[str, str]:
    """Column of each role that the names reveal; ``time`` may be two columns, ``Date+Time``.

    Raises:
        DataFormatError: a wanted column that is not there, or no time column.
    """
    found: dict[str, str] = {}
    for role, name in wanted.items():
        parts = name.split("+") if name not in names and role == "time" else [name]
        for part in parts:
            if part not in names:
                raise DataFormatError(
                    f"{where} has no column {part!r} for {role}; it has {', '.join(names[:20])}"
                )
        found[role] = name
    free = [name for name in names if name not in found.values()]
    if "time" not in found:
        date = next((name for name in free if plain(name) == "date"), None)
        clock = next((name for name in free if plain(name) == "time"), None)
        if date and clock:
            found["time"] = f"{date}+{clock}"
        elif date:
            found["time"] = date
    for role in ROLES:
        options = KNOWN_NAMES[role].split()
        matches = [name for name in free if plain(name) in options or _bare(plain(name)) in options]
        matches = [name for name in matches if name not in "+".join(found.values()).split("+")]
        if role not in found and len(matches) == 1:
            found[role] = matches[0]
        elif role not in found and len(matches) > 1:
            raise DataFormatError(
                f"{where}: {' and '.join(map(repr, matches))} could all be {role}; {WAY_OUT}"
            )
    if "time" not in found:
        raise DataFormatError(f"{where} has no time column among {', '.join(names[:20])}; {WAY_OUT}")
    return found


def unit_in_name(name: str) -> str | None:
    """Unit that a column name ends in, as in ``load_kw`` or ``Usage (kWh)``."""
    last = re.split(r"[^a-z]+", name.lower().strip(" )]"))[-1]
    return UNITS.get(last)


def plain(name: str) -> str:
    """Lower-case letters and digits of a name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _bare(name: str) -> str:
    """A plain name without the unit or zone at its end."""
    return re.sub(r"(kwh|wh|kw|w|utc|local)$", "", name)
