"""One row of a file -> one checked Row, or the reason why not. Pure; the values seen before are not checked again."""

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


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """One person as one row tells of them; empty means "not told"."""

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
    #: JSON
    attributes: str = "{}"


# a file of a million people names a few hundred locales and time zones
_locale = lru_cache(maxsize=4096)(checks.locale)
_timezone = lru_cache(maxsize=4096)(checks.timezone)
_CHECKS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("name", checks.name),
    ("email", checks.email),
    ("phone", checks.phone),
    ("locale", _locale),
    ("timezone", _timezone),
)


class RowParser:
    """Reads rows of one header."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._checked = [(n, columns.fields[n], check) for n, check in _CHECKS if n in columns.fields]
        self._attributes = [(a.path[:-1], a.path[-1], a.place, ColumnType(a.name, a.type)) for a in columns.attributes]

    @property
    def types(self) -> list[tuple[tuple[str, ...], ColumnType]]:
        """Each attribute's path, and what its values have been so far."""
        return [((*above, key), kind) for above, key, _, kind in self._attributes]

    def read(self, line: int, cells: Sequence[str]) -> RecipientRow | RowProblem:
        """The row, or every reason against it in one sentence."""
        try:
            return self._row(line, cells)
        except InvalidInput as error:
            return RowProblem(line, f"{error.field}: {error.message}" if error.field else error.message)

    def _row(self, line: int, cells: Sequence[str]) -> RecipientRow:
        values = {"external_id": checks.external_id(self._cell(cells, "external_id"))}
        for name, place, check in self._checked:
            if value := cells[place]:
                values[name] = check(value)
        token = self._cell(cells, "push_token")
        if token:
            platform = self._cell(cells, "push_platform").lower() or "fcm"
            values |= {"token": token, "platform": platform, "app": self._cell(cells, "app")}
            checks.device(platform, token, values["app"])
        return RecipientRow(line=line, attributes=self._written(cells), **values)

    def _cell(self, cells: Sequence[str], name: str) -> str:
        place = self._columns.fields.get(name)
        return "" if place is None else cells[place]

    def _written(self, cells: Sequence[str]) -> str:
        found: dict[str, Any] = {}
        for above, key, place, kind in self._attributes:
            if cell := cells[place]:
                into = found
                for level in above:
                    into = into.setdefault(level, {})
                into[key] = kind.value(cell)
        if not found:
            return "{}"
        written = orjson.dumps(found)
        check_size(len(written))
        return written.decode()
