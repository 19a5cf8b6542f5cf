"""Uploaded lists: a CSV of external ids, streamed; duplicates merge by the unique key, memory stays flat.

A small one is stored as it is read. A large one is read by a worker into a staging table first, outside of any
transaction, so that everybody can see how far it is; then it replaces the members at once.
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

#: rows of one INSERT; larger ones gain nothing (one round trip each) and cost memory
BATCH = 5_000
#: problems that a report names; the rest are counted
SHOWN_PROBLEMS = 100
_MEMBERS = {"tenant_id": "uuid", "audience_id": "uuid", "external_id": "text"}


#: ids of nobody that a report names
SHOWN_UNKNOWN = 10


@dataclass
class ListReport:
    """What became of a file. `rows` counts what it held: `stored + duplicates + rejected`; `known` of the stored ids
    are recipients now, `unknown` are nobody."""

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
    """Replace the members by those of a file. A file that is no list changes nothing: InvalidInput."""
    entries = read_external_ids(source)
    return _replace(audience, lambda: _store(audience, entries))


def load_ids(audience: Audience, external_ids: Iterable[object]) -> ListReport:
    """The same from values in memory; a line number is then the place in the list."""
    entries = (_entry(place, value) for place, value in enumerate(external_ids, start=1))
    try:
        return _replace(audience, lambda: _store(audience, entries))
    except UnreadableFile as refused:
        raise InvalidInput(refused.message, field="external_ids", code="empty") from refused


@contextmanager
def stage_ids(source: BinarySource | BinaryIO, progress: Callable[[ListReport], None]) -> Iterator[ListReport]:
    """The ids of a file in a staging table of this session, and what the file held. Raises Refused."""
    with connection.cursor() as cursor:
        cursor.execute(_DROP)
        cursor.execute("CREATE TEMPORARY TABLE list_id (n bigint GENERATED ALWAYS AS IDENTITY, external_id text)")
    try:
        report = ListReport()
        good = _good(read_external_ids(source), report)
        while batch := list(islice(good, BATCH)):
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
# in the order of the file; the unique key passes over repeats
_STORE_STAGED = """
INSERT INTO campaigns_audiencemember (tenant_id, audience_id, external_id)
SELECT %s, %s, external_id FROM list_id ORDER BY n ON CONFLICT DO NOTHING
"""


def load_staged(audience: Audience, report: ListReport) -> ListReport:
    """Replace the members by the staged ids: 300,000 take some seconds."""

    def store() -> ListReport:
        with connection.cursor() as cursor:
            cursor.execute(_STORE_STAGED, [audience.tenant_id, audience.pk])
            report.stored = cursor.rowcount
        return report

    return _replace(audience, store)


def _entry(place: int, value: object) -> str | RowProblem:
    if not isinstance(value, str):
        return RowProblem(place, "An external id is a text.")
    return ids.check_id(place, value)


def _replace(audience: Audience, store: Callable[[], ListReport]) -> ListReport:
    if audience.source != Audience.Source.LIST:
        raise InvalidInput(
            f"The source of this audience is {audience.source}; only a list has members.", field="source"
        )
    with transaction.atomic():
        allow_slow_statements()
        # one file at a time: two uploads at once would otherwise mix
        Audience.objects.select_for_update().get(pk=audience.pk)
        _forget(audience.pk)
        report = store()
        if not report.stored:
            raise _useless(report)
        _look_up(audience, report)
        audience.size = report.stored
        audience.save(update_fields=["size"])
    return report


def _useless(report: ListReport) -> InvalidInput:
    """A list of nobody is a mistake: its sender would wait for messages that never leave."""
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


def _look_up(audience: Audience, report: ListReport) -> None:
    """Count who of the list is a recipient: 0.3 s for 300,000 ids."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [audience.tenant_id, audience.pk])
        report.known = cursor.fetchone()[0]
        if report.unknown:
            cursor.execute(_UNKNOWN, [audience.tenant_id, audience.pk, SHOWN_UNKNOWN])
            report.unknown_ids = [row[0] for row in cursor.fetchall()]


def _store(audience: Audience, entries: Iterator[str | RowProblem]) -> ListReport:
    report = ListReport()
    good = _good(entries, report)
    while batch := list(islice(good, BATCH)):
        rows = [(audience.tenant_id, audience.pk, external_id) for external_id in batch]
        report.rows += len(rows)
        report.stored += bulk.insert("campaigns_audiencemember", _MEMBERS, rows, ignore_conflicts=True)
    return report


def _good(entries: Iterator[str | RowProblem], report: ListReport) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, RowProblem):
            report.reject(entry)
        else:
            yield entry


def _forget(audience_id: uuid.UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM campaigns_audiencemember WHERE audience_id = %s", [audience_id])
