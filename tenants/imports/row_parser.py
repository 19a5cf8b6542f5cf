"""One row of a file -> a checked RecipientRow, or the reason for rejecting it. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from notifier.errors import InvalidInput
from tenants.imports.column_types import ColumnType
from tenants.imports.columns import Columns
from tenants.imports.csv_file import RowProblem
from tenants.people import fields as checks
from tenants.people.attributes import check_size
from tenants.people.platforms import DEFAULT_PLATFORM, check_token


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """The values of one row; empty means that the row has no value. `attributes` is JSON."""

    line: int
    external_id: str
    name: str = ""
    email: str = ""
    phone: str = ""
    locale: str = ""
    timezone: str = ""
    token: str = ""
    platform: str = ""
    app: str = ""
    attributes: str = "{}"


# a file of a million recipients names a few hundred locales and time zones, and some apps
_app = lru_cache(maxsize=4096)(checks.app)
_locale = lru_cache(maxsize=4096)(checks.locale)
_timezone = lru_cache(maxsize=4096)(checks.timezone)
_CHECKS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("name", checks.name),
    ("email", checks.email),
    ("phone", checks.phone),
    ("locale", _locale),
    ("timezone", _timezone),
)

#: a device's field -> its column in a file, where the names differ
_COLUMN_OF = {"platform": "push_platform", "token": "push_token"}


class RowParser:
    """Parses the rows of a file with these columns."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._external_id, self._token = columns.fields["external_id"], columns.fields.get("push_token")
        self._field_checks = [(n, columns.fields[n], check) for n, check in _CHECKS if n in columns.fields]
        self._attributes = [(a.path[:-1], a.path[-1], a.index, ColumnType(a.name, a.type)) for a in columns.attributes]

    @property
    def types(self) -> list[tuple[tuple[str, ...], ColumnType]]:
        """Each attribute's path, and the type of its values so far."""
        return [((*parents, key), column_type) for parents, key, _, column_type in self._attributes]

    def parse(self, line: int, cells: Sequence[str]) -> RecipientRow | RowProblem:
        """The row, or the first reason for rejecting it."""
        try:
            return self._parse(line, cells)
        except InvalidInput as error:
            column = _COLUMN_OF.get(error.field or "", error.field)
            return RowProblem(line, f"{column}: {error.message}" if column else error.message, cells)

    def _parse(self, line: int, cells: Sequence[str]) -> RecipientRow:
        values = {"external_id": checks.external_id(cells[self._external_id])}
        for name, index, check in self._field_checks:
            if value := cells[index]:
                values[name] = check(value)
        if token := cells[self._token] if self._token is not None else "":
            platform = self._cell(cells, "push_platform").lower() or DEFAULT_PLATFORM
            app = self._cell(cells, "app")
            values |= {"token": check_token(platform, token), "platform": platform, "app": _app(app) if app else ""}
        return RecipientRow(line=line, attributes=self._attributes_json(cells), **values)

    def _cell(self, cells: Sequence[str], field: str) -> str:
        index = self._columns.fields.get(field)
        return "" if index is None else cells[index]

    def _attributes_json(self, cells: Sequence[str]) -> str:
        attributes: dict[str, Any] = {}
        for parents, key, index, column_type in self._attributes:
            if cell := cells[index]:
                level = attributes
                for parent in parents:
                    level = level.setdefault(parent, {})
                level[key] = column_type.value(cell)
        if not attributes:
            return "{}"
        document = orjson.dumps(attributes)
        check_size(len(document))
        return document.decode()
