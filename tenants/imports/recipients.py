"""Import recipients from a CSV file: the one road for the admin, the command line and the demo."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from django.conf import settings
from django.db import connection

from tenants.imports.column_types import AttributeType
from tenants.imports.columns import parse_header
from tenants.imports.csv_file import BinarySource, CsvTable, RowProblem, open_table
from tenants.imports.merge import merge_staged_rows, stored_attribute_types
from tenants.imports.row_parser import RecipientRow, RowParser
from tenants.imports.staging import StagingTables, staging_tables
from tenants.people.attributes import MAX_BYTES

#: rows in memory at once
BATCH = 5000
#: problems told one by one; the total is always told
MAX_PROBLEMS = 1000
#: a table that grew by so much needs fresh statistics before a campaign plans over it
ANALYZE_ABOVE = 10_000


@dataclass(frozen=True)
class ColumnReport:
    """Which type the values of an attribute's column got, and which others stored people have there."""

    name: str
    type: str
    stored: tuple[str, ...] = ()

    def __str__(self) -> str:
        also = f" (stored people also have {', '.join(self.stored)} there)" if self.stored else ""
        return f"{self.name}: {self.type}{also}"


@dataclass
class ImportResult:
    """What an import did. `unchanged` people were in the file exactly as they are stored."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    devices: int = 0
    rejected: int = 0
    bytes_read: int = 0
    columns: list[ColumnReport] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    def reject(self, problem: RowProblem) -> None:
        self.rejected += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)


Progress = Callable[[ImportResult], None]


def import_recipients(
    tenant_id: uuid.UUID, source: BinarySource | BinaryIO, progress: Progress = lambda result: None
) -> ImportResult:
    """Import; good rows go in, bad ones are reported. Raises Refused, and changes nothing, when it is no CSV file."""
    table = open_table(source, settings.IMPORT_MAX_BYTES)
    reader = RowParser(parse_header(table.header))
    result = ImportResult()
    with staging_tables() as staged:
        for batch in _batches(_rows(table, reader, result)):
            staged.add(batch)
            result.bytes_read = table.lines.bytes_read
            progress(result)
        _restore_text(staged, reader)
        staged.close()
        result.columns = _column_reports(tenant_id, reader)
        _merge_into(result, tenant_id, nested=any(len(path) > 1 for path, _ in reader.types))
    return result


def _rows(table: CsvTable, reader: RowParser, result: ImportResult) -> Iterator[RecipientRow]:
    for found in table.rows():
        result.rows += 1
        read = found if isinstance(found, RowProblem) else reader.read(*found)
        if isinstance(read, RowProblem):
            result.reject(read)
        else:
            yield read


def _restore_text(staged: StagingTables, reader: RowParser) -> None:
    for path, kind in reader.types:
        if kind.mistaken in (AttributeType.NUMBER, AttributeType.BOOLEAN):
            staged.untype(path, kind.mistaken, kind.spelling)


#: how JSON calls them
_STORED_AS = {
    AttributeType.NUMBER: "number",
    AttributeType.BOOLEAN: "boolean",
    AttributeType.DATE: "string",
    AttributeType.TEXT: "string",
}
_SHOWN_AS = {"string": "text"}


def _column_reports(tenant_id: uuid.UUID, reader: RowParser) -> list[ColumnReport]:
    """What the report says of each column that had a value."""
    typed = [(path, kind.name, kind.type) for path, kind in reader.types if kind.type is not None]
    seen = stored_attribute_types(tenant_id, [path for path, _, _ in typed])
    return [
        ColumnReport(name, kind, tuple(_SHOWN_AS.get(s, s) for s in sorted(stored - {_STORED_AS[kind], "null"})))
        for (_, name, kind), stored in zip(typed, seen, strict=True)
    ]


def _merge_into(result: ImportResult, tenant_id: uuid.UUID, *, nested: bool) -> None:
    done = merge_staged_rows(tenant_id, nested=nested)
    result.created, result.updated, result.devices = done.created, done.updated, done.devices
    result.unchanged = done.people - done.created - done.updated - len(done.erased)
    for line, external_id in done.erased:
        result.reject(RowProblem(line, f"external_id: {external_id!r} was erased and is not made again"))
    for line, external_id, size in done.too_large:
        result.reject(
            RowProblem(line, f"attributes: all of {external_id!r} would have {size} bytes; the limit is {MAX_BYTES}")
        )
    if done.created > ANALYZE_ABOVE:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE tenants_recipient; ANALYZE tenants_device")


def _batches(rows: Iterator[RecipientRow]) -> Iterator[list[RecipientRow]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
