"""Import consents that were given elsewhere: who said yes or no to which category, when, and where it is written.

A file has the columns external_id, category, channel (may be left out), consent, at and source. The
answers of a file hold in the order of their times. A no holds against what is stored. A yes that is older than a stored
no does not: the row is reported. Each yes keeps its proof (OptInProof).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from typing import BinaryIO

from django.conf import settings
from django.db import connection, transaction

from notifier.values import timestamps
from notifier.vocabulary.status import ConsentSource
from tenants.access import set_consent_source
from tenants.imports.csv_file import (
    LINE_COLUMN,
    PROBLEM_COLUMN,
    BinarySource,
    CsvTable,
    RowProblem,
    UnreadableFile,
    open_table,
)
from tenants.imports.left_out import LeftOutRows
from tenants.imports.staging import staged_consents
from tenants.models import Category, ConsentChange, OptInProof, Preference, Recipient
from tenants.people.opt_out import EVERYTHING, opt_outs_since, without

#: rows of one transaction
BATCH = 1_000
COLUMNS = ("external_id", "category", "channel", "consent", "at", "source")
_ANSWERS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
MAX_SOURCE = 300
FIRST_YEAR = 1970
_LONG_AGO = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Consent:
    """One row: a recipient's yes or no to a category, or to one channel of it."""

    line: int
    external_id: str
    category: str
    channel: str
    consent: bool
    at: datetime
    source: str  #: where it was given: "form on shop.example, 2024"
    cells: Sequence[str] = ()  #: the row as it was

    @property
    def entry(self) -> str:
        """As preferences hold it."""
        return f"{self.category}:{self.channel}" if self.channel else self.category


_columns = attrgetter(*(column.name for column in fields(Consent)))


@dataclass
class ConsentResult:
    """What became of the rows. `rows` is `applied + rejected`."""

    applied: int = 0
    bytes_read: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    left_out: LeftOutRows | None = None

    @property
    def rejected(self) -> int:
        return len(self.problems)

    @property
    def rows(self) -> int:
        return self.applied + self.rejected

    def reject(self, problem: RowProblem) -> None:
        if self.left_out is not None:
            self.left_out.add(problem)
        # without the cells: a million rows may be wrong
        self.problems.append(RowProblem(problem.line, problem.reason))


@dataclass(frozen=True)
class Reading:
    """How a file is read: `progress` is called after each batch, `left_out` gets the rows that are left out. A file is
    read again after its worker died: `uploaded_at` says since when stored answers may be those of the file itself."""

    progress: Callable[[ConsentResult], None] = lambda result: None
    left_out: LeftOutRows | None = None
    uploaded_at: datetime | None = None


_ALONE = Reading()


def import_consents(
    tenant_id: uuid.UUID, source: BinarySource | BinaryIO, channels: Collection[str], reading: Reading = _ALONE
) -> ConsentResult:
    """Apply the good rows and report the others. `channels`: their names. Raises UnreadableFile, and changes nothing,
    for a file that is none of consents."""
    table = open_table(source, settings.IMPORT_MAX_BYTES)
    result = ConsentResult(left_out=reading.left_out)
    if reading.left_out is not None:
        reading.left_out.begin(table.header)
    with staged_consents() as staged:
        rows = _parse(table, channels, result)
        while batch := list(islice(rows, BATCH)):
            staged.copy(map(_columns, batch))
            result.bytes_read = table.lines.bytes_read
            reading.progress(result)
        run = _Run(tenant_id, channels, _began(reading))
        for stored in staged.batches(BATCH):
            problems = _apply(run, [Consent(*columns) for columns in stored])
            for problem in problems:
                result.reject(problem)
            result.applied += len(stored) - len(problems)
            reading.progress(result)
    result.problems.sort(key=lambda problem: problem.line)
    return result


@dataclass(frozen=True)
class _Run:
    tenant_id: uuid.UUID
    channels: Collection[str]
    began: datetime


def _began(reading: Reading) -> datetime:
    """By the clock of the database, as the times of changes are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return min(now, reading.uploaded_at or now)


def check_columns(header: Sequence[str]) -> list[str]:
    """The names of the columns. Raises UnreadableFile for a file that is none of consents."""
    names = [name.casefold() for name in header]
    if unknown := set(names) - {*COLUMNS, LINE_COLUMN, PROBLEM_COLUMN}:
        raise UnreadableFile(f"Unknown column {min(unknown)!r}; known: {', '.join(COLUMNS)}.")
    if missing := set(COLUMNS) - {"channel"} - set(names):
        raise UnreadableFile(f"The column {min(missing)!r} is missing.")
    return names


# ---- reading -------------------------------------------------------------------------------------------------------


def _parse(table: CsvTable, channels: Collection[str], result: ConsentResult) -> Iterator[Consent]:
    names = check_columns(table.header)
    for row in table.rows():
        if isinstance(row, RowProblem):
            result.reject(row)
            continue
        line, cells = row
        consent = _consent(line, dict(zip(names, cells, strict=True)), channels)
        if isinstance(consent, Consent):
            yield replace(consent, cells=cells)
        else:
            result.reject(RowProblem(line, consent, cells))


def _consent(line: int, cells: dict[str, str], channels: Collection[str]) -> Consent | str:
    """The row, or why it cannot be read."""
    answer, at, channel = _ANSWERS.get(cells["consent"].casefold()), _time(cells["at"]), cells.get("channel", "")
    if answer is None:
        return f"consent: {cells['consent'][:20]!r} is neither yes nor no"
    if at is None:
        return f"at: {cells['at'][:40]!r} is no date or time in the past, such as 2024-05-01 or 2024-05-01T09:00:00Z"
    if channel and channel not in channels:
        return f"channel: {channel[:20]!r} is unknown; known: {', '.join(sorted(channels))}"
    if not 1 <= len(cells["source"]) <= MAX_SOURCE:
        return f"source: says where the consent was given, in 1 to {MAX_SOURCE} characters"
    return Consent(line, cells["external_id"], cells["category"], channel, answer, at, cells["source"])


def _time(text: str) -> datetime | None:
    at = timestamps.parse(text)
    if at is not None and at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    # in UTC the first day of the year 1 may be one before it, which the database stores and Python cannot read back
    return at if at is not None and at.year >= FIRST_YEAR and at <= datetime.now(UTC) else None


# ---- applying ------------------------------------------------------------------------------------------------------

_NO_RECIPIENT = "external_id: there is no such recipient"
_NO_CATEGORY = "category: there is no such category"
_LATER_NO = "the recipient said no after that"


def _apply(run: _Run, rows: Sequence[Consent]) -> list[RowProblem]:
    """Apply the rows, which are in the order of their times, in one transaction; returns those that were left out."""
    with transaction.atomic():
        set_consent_source(ConsentSource.IMPORT)
        recipients = {
            recipient.external_id: recipient
            for recipient in Recipient.objects.filter(
                tenant_id=run.tenant_id, external_id__in=[row.external_id for row in rows]
            ).exclude(status=Recipient.State.ERASED)
        }
        keys = [row.category for row in rows]
        known = set(Category.objects.filter(tenant_id=run.tenant_id, key__in=keys).values_list("key", flat=True))
        preferences = _locked_preferences(run.tenant_id, [r.pk for r in recipients.values()])
        problems, proofs = [], []
        for row in rows:
            recipient = recipients.get(row.external_id)
            if recipient is None or row.category not in known:
                problems.append(RowProblem(row.line, _NO_CATEGORY if recipient else _NO_RECIPIENT, row.cells))
                continue
            preference = preferences[recipient.pk]
            if row.consent and _said_no_later(preference, row, run.began):
                problems.append(RowProblem(row.line, _LATER_NO, row.cells))
                continue
            _take(preference, row, run.channels)
            if row.consent:
                proofs.append(_proof(run.tenant_id, recipient, row))
        Preference.objects.bulk_update(
            [preferences[pk] for pk in sorted(preferences)], ["categories_off", "categories_on"]
        )
        OptInProof.objects.bulk_create(_new_proofs(proofs))
    return problems


def _locked_preferences(tenant_id: uuid.UUID, recipients: list[uuid.UUID]) -> dict[uuid.UUID, Preference]:
    missing = [Preference(tenant_id=tenant_id, recipient_id=pk) for pk in sorted(recipients)]
    Preference.objects.bulk_create(missing, ignore_conflicts=True)
    rows = Preference.objects.select_for_update().filter(recipient_id__in=recipients).order_by("recipient_id")
    return {preference.recipient_id: preference for preference in rows}


def _said_no_later(preference: Preference, row: Consent, began: datetime) -> bool:
    """Whether an opt-out of this entry stands that was made after the row's time. Those of the file itself were not:
    its rows come in the order of their times."""
    noes = {row.entry, row.category} & set(preference.categories_off)
    if preference.everything_off:
        noes.add(EVERYTHING)
    if not noes:
        return False
    changes = ConsentChange.objects.filter(recipient_id=preference.recipient_id, changed="preference").order_by("id")
    since = opt_outs_since(
        (_LONG_AGO if source == ConsentSource.IMPORT and at >= began else at, detail)
        for at, source, detail in changes.values_list("at", "source", "detail")
    )
    return any(since.get(no, _LONG_AGO) > row.at for no in noes)


def _take(preference: Preference, row: Consent, channels: Collection[str]) -> None:
    """Write the row's answer into the preference, in memory. A yes to a category leaves opt-outs of its channels."""
    off, on = preference.categories_off, set(preference.categories_on)
    of_entry = {row.entry} if row.channel else {row.category, *(e for e in on if e.startswith(f"{row.category}:"))}
    if row.consent:
        preference.categories_off = sorted(without(off, row.category, [row.entry], channels))
        preference.categories_on = sorted(on | {row.entry})
    else:
        preference.categories_off, preference.categories_on = sorted({*off, row.entry}), sorted(on - of_entry)


def _new_proofs(proofs: Sequence[OptInProof]) -> list[OptInProof]:
    """The proofs that are not stored yet: a file may be read again after its worker died."""
    people = {proof.recipient_id for proof in proofs}
    stored = {_key(proof) for proof in OptInProof.objects.filter(recipient_id__in=people, asked_by="import").order_by()}
    return list({_key(proof): proof for proof in proofs if _key(proof) not in stored}.values())


def _key(proof: OptInProof) -> tuple[object, ...]:
    return proof.recipient_id, proof.category, tuple(proof.entries), proof.asked_at, proof.text_sha256


def _proof(tenant_id: uuid.UUID, recipient: Recipient, row: Consent) -> OptInProof:
    return OptInProof(
        tenant_id=tenant_id,
        recipient=recipient,
        category=row.category,
        entries=[row.entry],
        asked_at=row.at,
        confirmed_at=row.at,
        asked_by="import",
        language="",
        text=row.source,
        text_sha256=hashlib.sha256(row.source.encode()).hexdigest(),
        notification_id=None,
    )
