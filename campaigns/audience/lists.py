"""Uploaded lists: a CSV of external ids, streamed. The unique key merges duplicates, and memory stays flat.

A small list is stored as it is read. A worker reads a large list into a staging table first, outside of any
transaction, so that its progress is visible; then the list replaces the members at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from django.db import connection, transaction

from campaigns.models import Audience
from notifier.delivery.infra import bulk
from notifier.errors import InvalidInput
from tenants.access import allow_slow_statements
from tenants.imports import RowProblem, ids, read_external_ids
from tenants.imports.csv_file import BinarySource, UnreadableFile

#: rows of one INSERT; larger statements gain nothing (one round trip each) and cost memory
BATCH = 5_000
#: rows that a report names with their problem; all are counted
SHOWN_PROBLEMS = 100
_MEMBERS = {"tenant_id": "uuid", "audience_id": "uuid", "external_id": "text"}
#: unknown ids that a report names
SHOWN_UNKNOWN = 10


@dataclass
class ListReport:
    """The result of reading a file. `rows` is `stored + duplicates + rejected`; `known` of the stored ids are
    recipients now, `unknown` are not."""

    rows: int = 0
    stored: int = 0
    rejected: int = 0
    known: int = 0
    unknown_ids: list[str] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def duplicates(self) -> int:
        return self.rows - self.stored - self.rejected

    @property
    def unknown(self) -> int:
        return self.stored - self.known

    def reject(self, problem: RowProblem) -> None:
        self.rows += 1
        self.rejected += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(problem)


def load_file(audience: Audience, source: BinarySource) -> ListReport:
    """Replace the members by the ids of a file. Raises InvalidInput for a file that is no list; the members then
    stay."""
    entries = read_external_ids(source)
    return _replace(audience, lambda: _store(audience, entries))


def load_ids(audience: Audience, external_ids: Iterable[object]) -> ListReport:
    """Replace the members by these values; a report's line numbers are their positions in the list, from 1 on."""
    entries = (_entry(position, value) for position, value in enumerate(external_ids, start=1))
    try:
        return _replace(audience, lambda: _store(audience, entries))
    except UnreadableFile as refused:
        raise InvalidInput(refused.message, field="external_ids", code="empty") from refused


@contextmanager
def stage_ids(source: BinarySource | BinaryIO, progress: Callable[[ListReport], None]) -> Iterator[ListReport]:
    """Put the ids of a file into a staging table of this session; yields the report. Raises UnreadableFile."""
    with connection.cursor() as cursor:
        cursor.execute(_DROP)
        cursor.execute("CREATE TEMPORARY TABLE list_id (n bigint GENERATED ALWAYS AS IDENTITY, external_id text)")
    try:
        report = ListReport()
        external_ids = _without_problems(read_external_ids(source), report)
        while batch := list(islice(external_ids, BATCH)):
            with connection.cursor() as cursor, cursor.copy("COPY list_id (external_id) FROM STDIN") as copy:
                for external_id in batch:
                    copy.write_row((external_id,))
            report.rows += len(batch)
            progress(report)
        yield report
    finally:
        with connection.cursor() as cursor:
            cursor.execute(_DROP)


_DROP = "DROP TABLE IF EXISTS pg_temp.list_id"
# in the order of the file; the unique key skips duplicates
_STORE_STAGED = """
INSERT INTO campaigns_audiencemember (tenant_id, audience_id, external_id)
SELECT %s, %s, external_id FROM list_id ORDER BY n ON CONFLICT DO NOTHING
"""


def load_staged(audience: Audience, report: ListReport) -> ListReport:
    """Replace the members by the staged ids; 300,000 ids take some seconds."""

    def store() -> ListReport:
        with connection.cursor() as cursor:
            cursor.execute(_STORE_STAGED, [audience.tenant_id, audience.pk])
            report.stored = cursor.rowcount
        return report

    return _replace(audience, store)


def _entry(position: int, value: object) -> str | RowProblem:
    if not isinstance(value, str):
        return RowProblem(position, "An external id is a text.")
    return ids.check_id(position, value)


def _replace(audience: Audience, store: Callable[[], ListReport]) -> ListReport:
    if audience.source != Audience.Source.LIST:
        raise InvalidInput(
            f"The source of this audience is {audience.source}; only a list has members.", field="source"
        )
    with transaction.atomic():
        allow_slow_statements()
        # one file at a time: two uploads at once would mix
        Audience.objects.select_for_update().get(pk=audience.pk)
        _delete_members(audience.pk)
        report = store()
        if not report.stored:
            raise _no_usable_id(report)
        _count_known(audience, report)
        audience.size = report.stored
        audience.save(update_fields=["size"])
    return report


def _no_usable_id(report: ListReport) -> InvalidInput:
    """The refusal of a list without any usable id: a campaign with it would send nothing."""
    if not report.rows:
        return UnreadableFile("It names no external id, so that nobody would be reached.")
    first = report.problems[0]
    return UnreadableFile(
        f"None of its {report.rows:,} rows holds a usable external id. Line {first.line}: {first.reason}."
    )


_KNOWN = """
SELECT count(*) FROM campaigns_audiencemember m
JOIN tenants_recipient r ON r.tenant_id = m.tenant_id AND r.external_id = m.external_id
WHERE m.tenant_id = %s AND m.audience_id = %s
"""
_UNKNOWN = """
SELECT m.external_id FROM campaigns_audiencemember m
WHERE m.tenant_id = %s AND m.audience_id = %s AND NOT EXISTS (
  SELECT 1 FROM tenants_recipient r WHERE r.tenant_id = m.tenant_id AND r.external_id = m.external_id)
ORDER BY m.id LIMIT %s
"""


def _count_known(audience: Audience, report: ListReport) -> None:
    """Count the ids of the list that are recipients: 0.3 s for 300,000 ids."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [audience.tenant_id, audience.pk])
        (report.known,) = cursor.fetchone()
        if report.unknown:
            cursor.execute(_UNKNOWN, [audience.tenant_id, audience.pk, SHOWN_UNKNOWN])
            report.unknown_ids = [external_id for (external_id,) in cursor.fetchall()]


def _store(audience: Audience, entries: Iterator[str | RowProblem]) -> ListReport:
    report = ListReport()
    external_ids = _without_problems(entries, report)
    while batch := list(islice(external_ids, BATCH)):
        rows = [(audience.tenant_id, audience.pk, external_id) for external_id in batch]
        report.rows += len(rows)
        report.stored += bulk.insert("campaigns_audiencemember", _MEMBERS, rows, ignore_conflicts=True)
    return report


def _without_problems(entries: Iterator[str | RowProblem], report: ListReport) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, RowProblem):
            report.reject(entry)
        else:
            yield entry


def _delete_members(audience_id: uuid.UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM campaigns_audiencemember WHERE audience_id = %s", [audience_id])
