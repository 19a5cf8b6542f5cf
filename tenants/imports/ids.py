"""A list of external ids: a CSV file with the column, or a file of one id a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from django.conf import settings

from notifier.errors import InvalidInput
from tenants.imports.columns import SYNONYMS, normalize_name
from tenants.imports.csv_file import BinarySource, CsvTable, RowProblem, UnreadableFile, open_table
from tenants.people import fields


def read_external_ids(source: BinarySource | BinaryIO, max_bytes: int | None = None) -> Iterator[str | RowProblem]:
    """Each id in the file's order, repeats included, and a Problem for each row without one.

    Raises Refused, at once or while it is read, for a file that is not what it claims: use the ids in a transaction.
    """
    table = open_table(source, settings.IMPORT_MAX_BYTES if max_bytes is None else max_bytes)
    place = _place([normalize_name(name) for name in table.header])
    first = [] if place is not None else [(table.lines.number, table.header)]
    return _ids(table, place or 0, first)


def _place(names: list[str]) -> int | None:
    """The id's column; None for a file without a header, which has one column only."""
    for known in ("external_id", *SYNONYMS["external_id"]):
        if known in names:
            return names.index(known)
    if len(names) > 1:
        raise UnreadableFile("Its first line names no column external_id, and it has more than one column.")
    if any(names[0] in (field, *synonyms) for field, synonyms in SYNONYMS.items()):
        raise UnreadableFile(
            f"Its only column is {names[0]}. A list holds your own ids of people, in a column external_id."
        )
    return None


def _ids(table: CsvTable, place: int, first: list[tuple[int, list[str]]]) -> Iterator[str | RowProblem]:
    for line, cells in first:
        yield check_id(line, cells[place])
    for row in table.rows(named=not first):
        yield row if isinstance(row, RowProblem) else check_id(row[0], row[1][place])


def check_id(line: int, value: str) -> str | RowProblem:
    """The id as it is stored, or why it can be nobody's."""
    try:
        return fields.external_id(value)
    except InvalidInput as error:
        return RowProblem(line, error.message if value else "has no external_id")
