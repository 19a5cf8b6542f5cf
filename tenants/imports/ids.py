"""A list of external ids: a CSV file with the column, or a file with one id per line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from django.conf import settings

from notifier.errors import InvalidInput
from tenants.imports.columns import SYNONYMS, normalize_name
from tenants.imports.csv_file import BinarySource, CsvRow, CsvTable, RowProblem, UnreadableFile, open_table
from tenants.people import fields


class IdRow(NamedTuple):
    """An id and its line in the file."""

    line: int
    external_id: str


def read_external_ids(source: BinarySource | BinaryIO, max_bytes: int | None = None) -> Iterator[str | RowProblem]:
    """Each id in the file's order, repeats included, and a RowProblem for each row without one.

    Raises UnreadableFile, at once or while the ids are read: read them in a transaction.
    """
    rows = read_id_rows(source, max_bytes)
    return (row if isinstance(row, RowProblem) else row.external_id for row in rows)


def read_id_rows(source: BinarySource | BinaryIO, max_bytes: int | None = None) -> Iterator[IdRow | RowProblem]:
    """The same with the line of each id."""
    table = open_table(source, settings.IMPORT_MAX_BYTES if max_bytes is None else max_bytes)
    column = _id_column([normalize_name(name) for name in table.header])
    if column is None:
        return _read_ids(table, 0, [(table.lines.number, table.header)])
    return _read_ids(table, column, [])


def _id_column(names: list[str]) -> int | None:
    """The index of the column with ids; None for a file without a header, which has one column."""
    for synonym in ("external_id", *SYNONYMS["external_id"]):
        if synonym in names:
            return names.index(synonym)
    if len(names) > 1:
        raise UnreadableFile("Its first line names no column external_id, and it has more than one column.")
    if any(names[0] in (field, *synonyms) for field, synonyms in SYNONYMS.items()):
        raise UnreadableFile(
            f"Its only column is {names[0]}. A list holds your own ids of people, in a column external_id."
        )
    return None


def _read_ids(table: CsvTable, column: int, first_rows: list[CsvRow]) -> Iterator[IdRow | RowProblem]:
    for line, cells in first_rows:
        yield _row(line, cells[column])
    for row in table.rows(has_header=not first_rows):
        if isinstance(row, RowProblem):
            yield RowProblem(row.line, row.reason, row.cells[column : column + 1])
        else:
            line, cells = row
            yield _row(line, cells[column])


def _row(line: int, value: str) -> IdRow | RowProblem:
    checked = check_id(line, value)
    return checked if isinstance(checked, RowProblem) else IdRow(line, checked)


def check_id(line: int, value: str) -> str | RowProblem:
    """The id as it is stored, or why it is no external id."""
    try:
        return fields.external_id(value)
    except InvalidInput as error:
        return RowProblem(line, error.message if value else "has no external_id", [value])
