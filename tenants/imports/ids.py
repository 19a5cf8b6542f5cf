"""A list of external ids: a CSV file with the column, or a file of one id a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from django.conf import settings

from tenants.imports.columns import SYNONYMS, plain
from tenants.imports.reader import Problem, Refused, Source, Table, open_table

MAX_ID = 128


def read_external_ids(source: Source | BinaryIO, max_bytes: int | None = None) -> Iterator[str | Problem]:
    """Each id in the file's order, repeats included, and a Problem for each row without one.

    Raises Refused, at once or while it is read, for a file that is not what it claims: use the ids in a transaction.
    """
    table = open_table(source, settings.IMPORT_MAX_BYTES if max_bytes is None else max_bytes)
    names = [plain(name) for name in table.header]
    place = _place(names)
    first = [] if place is not None else [(table.lines.number, table.header)]
    return _ids(table, place or 0, first)


def _place(names: list[str]) -> int | None:
    """The id's column; None for a file without a header, which has one column only."""
    for known in ("external_id", *SYNONYMS["external_id"]):
        if known in names:
            return names.index(known)
    if len(names) > 1:
        raise Refused("Its first line names no column external_id, and it has more than one column.")
    return None


def _ids(table: Table, place: int, first: list[tuple[int, list[str]]]) -> Iterator[str | Problem]:
    for line, cells in first:
        yield _id(line, cells, place)
    for row in table.rows():
        yield row if isinstance(row, Problem) else _id(*row, place)


def _id(line: int, cells: list[str], place: int) -> str | Problem:
    value = cells[place].strip() if place < len(cells) else ""
    if not value:
        return Problem(line, "has no external_id")
    if len(value) > MAX_ID:
        return Problem(line, f"external_id is longer than {MAX_ID} characters")
    return value
