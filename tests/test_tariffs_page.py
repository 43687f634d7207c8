"""The Python of docs/tariffs.md runs as it stands, and its table names every field of a tariff."""

import dataclasses
import re
from pathlib import Path

from hidiff.home import Tariff

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tariffs.md"


def test_the_page_on_tariffs_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)


def test_the_table_of_parts_names_every_field_of_a_tariff() -> None:
    rows = re.findall(r"^\| \w+ \| (.*?) \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows))) - {"Block", "DemandCharge"}
    assert named == {field.name for field in dataclasses.fields(Tariff)}
