"""Import recipients from a CSV file: the one road for the admin, the command line and the demo."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from django.conf import settings
from django.db import connection

from tenants.imports.columns import understand
from tenants.imports.merge import merge, stored_types
from tenants.imports.reader import Problem, Source, Table, open_table
from tenants.imports.rows import Reader, Row
from tenants.imports.stage import Stage, stage
from tenants.imports.types import Type
from tenants.people.attributes import MAX_BYTES

#: rows in memory at once
BATCH = 5000
#: problems told one by one; the total is always told
PROBLEMS_KEPT = 1000
#: a table that grew by so much needs fresh statistics before a campaign plans over it
GREW_MUCH = 10_000


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
class Result:
    """What an import did. `unchanged` people were in the file exactly as they are stored."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    devices: int = 0
    rejected: int = 0
    bytes_read: int = 0
    columns: list[ColumnReport] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def reject(self, problem: Problem) -> None:
        self.rejected += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(problem)


Progress = Callable[[Result], None]


def import_recipients(
    tenant_id: uuid.UUID, source: Source | BinaryIO, progress: Progress = lambda result: None
) -> Result:
    """Import; good rows go in, bad ones are reported. Raises Refused, and changes nothing, when it is no CSV file."""
    table = open_table(source, settings.IMPORT_MAX_BYTES)
    reader = Reader(understand(table.header))
    result = Result()
    with stage() as staged:
        for batch in _batches(_rows(table, reader, result)):
            staged.add(batch)
            result.bytes_read = table.lines.bytes_read
            progress(result)
        _untype(staged, reader)
        staged.close()
        result.columns = _columns(tenant_id, reader)
        _merge_into(result, tenant_id, nested=any(len(path) > 1 for path, _ in reader.types))
    return result


def _rows(table: Table, reader: Reader, result: Result) -> Iterator[Row]:
    for found in table.rows():
        result.rows += 1
        read = found if isinstance(found, Problem) else reader.read(*found)
        if isinstance(read, Problem):
            result.reject(read)
        else:
            yield read


def _untype(staged: Stage, reader: Reader) -> None:
    for path, kind in reader.types:
        if kind.mistaken in (Type.NUMBER, Type.BOOLEAN):
            staged.untype(path, kind.mistaken, kind.spelling)


#: how JSON calls them
_STORED_AS = {Type.NUMBER: "number", Type.BOOLEAN: "boolean", Type.DATE: "string", Type.TEXT: "string"}
_SHOWN_AS = {"string": "text"}


def _columns(tenant_id: uuid.UUID, reader: Reader) -> list[ColumnReport]:
    """What the report says of each column that had a value."""
    typed = [(path, kind.name, kind.type) for path, kind in reader.types if kind.type is not None]
    seen = stored_types(tenant_id, [path for path, _, _ in typed])
    return [
        ColumnReport(name, kind, tuple(_SHOWN_AS.get(s, s) for s in sorted(stored - {_STORED_AS[kind], "null"})))
        for (_, name, kind), stored in zip(typed, seen, strict=True)
    ]


def _merge_into(result: Result, tenant_id: uuid.UUID, *, nested: bool) -> None:
    done = merge(tenant_id, nested=nested)
    result.created, result.updated, result.devices = done.created, done.updated, done.devices
    result.unchanged = done.people - done.created - done.updated - len(done.erased)
    for line, external_id in done.erased:
        result.reject(Problem(line, f"external_id: {external_id!r} was erased and is not made again"))
    for line, external_id, size in done.too_large:
        result.reject(
            Problem(line, f"attributes: all of {external_id!r} would have {size} bytes; the limit is {MAX_BYTES}")
        )
    if done.created > GREW_MUCH:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE tenants_recipient; ANALYZE tenants_device")


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
