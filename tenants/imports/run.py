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
from tenants.imports.merge import merge
from tenants.imports.reader import Problem, Source, Table, open_table
from tenants.imports.rows import Reader, Row
from tenants.imports.stage import stage

#: rows in memory at once
BATCH = 5000
#: problems told one by one; the total is always told
PROBLEMS_KEPT = 1000
#: a table that grew by so much needs fresh statistics before a campaign plans over it
GREW_MUCH = 10_000


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
        staged.close()
        _merge_into(result, tenant_id)
    return result


def _rows(table: Table, reader: Reader, result: Result) -> Iterator[Row]:
    for found in table.rows():
        result.rows += 1
        read = found if isinstance(found, Problem) else reader.read(*found)
        if isinstance(read, Problem):
            result.reject(read)
        else:
            yield read


def _merge_into(result: Result, tenant_id: uuid.UUID) -> None:
    done = merge(tenant_id)
    result.created, result.updated, result.devices = done.created, done.updated, done.devices
    result.unchanged = done.people - done.created - done.updated - len(done.erased)
    for line, external_id in done.erased:
        result.reject(Problem(line, f"external_id: {external_id!r} was erased and is not made again"))
    if done.created > GREW_MUCH:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE tenants_recipient; ANALYZE tenants_device")


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
