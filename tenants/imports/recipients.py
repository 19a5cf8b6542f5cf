"""Imports recipients from a CSV file; the admin, the command line and the demo all use `import_recipients`."""

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
from tenants.imports.left_out import LeftOutRows, erased_reason
from tenants.imports.merge import merge_staged_rows, stored_attribute_types
from tenants.imports.row_parser import RecipientRow, RowParser
from tenants.imports.staging import StagingTables, staging_tables
from tenants.people.attributes import MAX_BYTES

#: rows in memory at once
BATCH = 5000
#: problems that a result lists; it counts all of them
MAX_PROBLEMS = 1000
#: with so many new rows a table needs fresh statistics before a campaign plans over it
ANALYZE_ABOVE = 10_000


@dataclass(frozen=True)
class ColumnReport:
    """The type that an attribute column's values got, and the other types that stored recipients have there."""

    name: str
    type: str
    stored: tuple[str, ...] = ()

    def __str__(self) -> str:
        other_types = f" (stored people also have {', '.join(self.stored)} there)" if self.stored else ""
        return f"{self.name}: {self.type}{other_types}"


@dataclass
class ImportResult:
    """Counts of rows and recipients. `unchanged` recipients were in the file exactly as they are stored."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    devices: int = 0
    rejected: int = 0
    bytes_read: int = 0
    columns: list[ColumnReport] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    #: line -> reason of the rows that were left out after the file was read
    left_out_later: dict[int, str] = field(default_factory=dict)

    def reject(self, problem: RowProblem) -> None:
        self.rejected += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)


Progress = Callable[[ImportResult], None]


def import_recipients(
    tenant_id: uuid.UUID,
    source: BinarySource | BinaryIO,
    progress: Progress = lambda result: None,
    *,
    left_out: LeftOutRows | None = None,
    batch_rows: int = BATCH,
) -> ImportResult:
    """Import the good rows and report the others; `left_out` gets the rows that are wrong by themselves. Calls
    `progress` after each batch. Raises UnreadableFile, and changes nothing, for a file that is no CSV file of
    recipients."""
    table = open_table(source, settings.IMPORT_MAX_BYTES)
    parser = RowParser(parse_header(table.header))
    if left_out is not None:
        left_out.begin(table.header)
    result = ImportResult()
    with staging_tables() as staging:
        rows = _parse_rows(table, parser, result, left_out)
        while batch := list(islice(rows, batch_rows)):
            staging.copy(batch)
            result.bytes_read = table.lines.bytes_read
            progress(result)
        _restore_text(staging, parser)
        staging.analyze()
        result.columns = _report_columns(tenant_id, parser)
        _merge(result, tenant_id, nested=any(len(path) > 1 for path, _ in parser.types))
    return result


def _parse_rows(
    table: CsvTable, parser: RowParser, result: ImportResult, left_out: LeftOutRows | None
) -> Iterator[RecipientRow]:
    for csv_row in table.rows():
        result.rows += 1
        row = csv_row if isinstance(csv_row, RowProblem) else parser.parse(*csv_row)
        if isinstance(row, RowProblem):
            result.reject(row)
            if left_out is not None:
                left_out.add(row)
        else:
            yield row


def _restore_text(staging: StagingTables, parser: RowParser) -> None:
    """Restore the values that were typed before a later value showed that their column is text."""
    for path, column_type in parser.types:
        if column_type.mistaken in (AttributeType.NUMBER, AttributeType.BOOLEAN):
            staging.restore_text(path, column_type.mistaken, column_type.spelling)


#: the names of jsonb_typeof
_JSON_TYPES = {
    AttributeType.NUMBER: "number",
    AttributeType.BOOLEAN: "boolean",
    AttributeType.DATE: "string",
    AttributeType.TEXT: "string",
}
_SHOWN_AS = {"string": "text"}


def _report_columns(tenant_id: uuid.UUID, parser: RowParser) -> list[ColumnReport]:
    """A report for each attribute column that had a value."""
    typed = [(path, column.name, column.type) for path, column in parser.types if column.type is not None]
    stored_types = stored_attribute_types(tenant_id, [path for path, _, _ in typed])
    return [
        ColumnReport(name, kind, tuple(_SHOWN_AS.get(t, t) for t in sorted(stored - {_JSON_TYPES[kind], "null"})))
        for (_, name, kind), stored in zip(typed, stored_types, strict=True)
    ]


def _merge(result: ImportResult, tenant_id: uuid.UUID, *, nested: bool) -> None:
    """Merge the staged rows into the tenant's tables, and add counts and problems to the result."""
    merged = merge_staged_rows(tenant_id, nested=nested)
    result.created, result.updated, result.devices = merged.created, merged.updated, merged.devices
    result.unchanged = merged.people - merged.created - merged.updated - len(merged.erased)
    later = [
        *((line, erased_reason(name)) for line, name in merged.erased),
        *(
            (line, f"attributes: all of {name!r} would have {size} bytes; the limit is {MAX_BYTES}")
            for line, name, size in merged.too_large
        ),
    ]
    for line, reason in later:
        result.reject(RowProblem(line, reason))
    result.left_out_later = dict(later)
    if merged.created > ANALYZE_ABOVE:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE tenants_recipient; ANALYZE tenants_device")
