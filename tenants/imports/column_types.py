"""The type of an attribute's column: stated by its header (`points:number`), or inferred from all of its values.

Values are typed while the file is read, by the column's values so far. When a later value shows that the column is
text, the values before it are restored to text before anything is stored. Nothing is lost: a value counts as a number
only if the number prints exactly as the value was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import orjson

from notifier.errors import InvalidInput
from notifier.values import timestamps


class AttributeType(StrEnum):
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TEXT = "text"


#: no leading zero (zip codes), no plus (phone numbers), no 0 at the end of a fraction (prices print as they were
#: written), and no more digits than a double keeps
_NUMBER = re.compile(r"(?=-?[.\d]{1,16}\Z)(?!-0\Z)-?(?:0|[1-9]\d{0,14})(?:\.\d{0,13}[1-9])?\Z", re.ASCII)
_STATED_NUMBER = re.compile(r"([+-]?)0*(\d{1,18}(?:\.\d{1,12})?)\Z", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?\Z", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_STATED_BOOLEANS = {**_BOOLEANS, "yes": True, "no": False, "1": True, "0": False}
#: spellings of a boolean, each named by the SQL function that restores it
_SPELLINGS: Mapping[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper, "initcap": str.title}


class ColumnType:
    """The type of one column so far, and the JSON values of its cells."""

    def __init__(self, name: str, stated: AttributeType | None) -> None:
        self.name = name
        self.stated = stated
        self.type = stated
        #: the type of the first values, when a later value did not fit it
        self.mistaken: AttributeType | None = None
        self.spelling = "lower"

    def value(self, cell: str) -> Any:
        """The cell as JSON. Raises InvalidInput when the cell is not of the stated type."""
        if self.stated:
            return _stated_value(self.name, self.stated, cell)
        if self.type is None:
            self.type, self.spelling = infer_type(cell), _spelling(cell)
        elif self.type != AttributeType.TEXT and not self._fits(cell):
            self.mistaken, self.type = self.type, AttributeType.TEXT
        return _inferred_value(self.type, cell)

    def _fits(self, cell: str) -> bool:
        if infer_type(cell) != self.type:
            return False
        return self.type != AttributeType.BOOLEAN or _spelling(cell) == self.spelling


def infer_type(cell: str) -> AttributeType:
    """The type of one value."""
    if _NUMBER.match(cell):
        return AttributeType.NUMBER
    if cell.lower() in _BOOLEANS and _spelling(cell):
        return AttributeType.BOOLEAN
    return AttributeType.DATE if _is_date(cell) else AttributeType.TEXT


def _is_date(cell: str) -> bool:
    return bool(_DATE.match(cell)) and timestamps.parse(cell) is not None


def _spelling(cell: str) -> str:
    return next((name for name, spell in _SPELLINGS.items() if spell(cell) == cell), "")


def _inferred_value(kind: AttributeType, cell: str) -> Any:
    if kind == AttributeType.NUMBER:
        return orjson.Fragment(cell)
    return _BOOLEANS[cell.lower()] if kind == AttributeType.BOOLEAN else cell


def _stated_value(name: str, kind: AttributeType, cell: str) -> Any:
    if kind == AttributeType.NUMBER and (number := _STATED_NUMBER.match(cell)):
        return orjson.Fragment(number[1].strip("+") + number[2])
    if kind == AttributeType.BOOLEAN and cell.lower() in _STATED_BOOLEANS:
        return _STATED_BOOLEANS[cell.lower()]
    if kind == AttributeType.TEXT or (kind == AttributeType.DATE and _is_date(cell)):
        return cell
    raise InvalidInput(f"{cell[:40]!r} is no {kind}, such as {_EXAMPLES[kind]}.", field=name)


_EXAMPLES = {
    AttributeType.NUMBER: "12.5",
    AttributeType.BOOLEAN: "true, false, yes or no",
    AttributeType.DATE: "2026-01-31",
}
