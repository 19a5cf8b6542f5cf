"""The life of an uploaded file: stored by a web process, read by a worker (again if that worker dies), then deleted.

This module reads files of recipients. Packages above register readers of other kinds with `register_reader`.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError, connection, transaction

from notifier.errors import NotifierError
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.load import Work
from tenants import audit
from tenants.batch_slots import batch_slot
from tenants.database.connections import own_session
from tenants.erasure import Erased
from tenants.imports.columns import parse_header
from tenants.imports.consents import ConsentResult, Reading, check_columns, import_consents
from tenants.imports.csv_file import RowProblem, open_table
from tenants.imports.left_out import LeftOutRows, delete_all_of
from tenants.imports.recipients import MAX_PROBLEMS, ImportResult, import_recipients
from tenants.load_shedding import may_run
from tenants.models import Import, Tenant, User

log = structlog.get_logger("tenants.imports")
OPEN_STATES = (Import.State.WAITING, Import.State.RUNNING)
#: a file that was not read to its end so often is given up
MAX_ATTEMPTS = 3
FOLDER = "imports"


def check_header(upload: File[bytes], kind: Import.Kind = Import.Kind.RECIPIENTS) -> None:
    """Raise UnreadableFile when the header already shows that the file is none of recipients, or of consents."""
    header = open_table(upload, settings.IMPORT_MAX_BYTES).header
    if kind == Import.Kind.CONSENTS:
        check_columns(header)
    else:
        parse_header(header)


#: reads the file of an import; returns the columns of the import's row to save
FileReader = Callable[[Import, "File[bytes]"], Mapping[str, Any]]
_readers: dict[str, FileReader] = {}


def register_reader(kind: Import.Kind, reader: FileReader) -> None:
    """Read the uploads of a kind with this function. Call it in `AppConfig.ready`."""
    _readers[kind] = reader


def new_import(
    tenant: Tenant, upload: File[bytes], user: User | None = None, kind: Import.Kind = Import.Kind.RECIPIENTS
) -> Import:
    """The row of an upload, not yet saved."""
    name = (upload.name or "upload.csv")[-255:]
    return Import(id=new_id(), tenant=tenant, filename=name, size=upload.size, created_by=user, kind=kind)


def submit(job: Import, upload: File[bytes]) -> Import:
    """Store the file and its row in the caller's transaction. The caller posts the task after the commit."""
    # the user's file name is shown but never becomes a path
    job.stored = default_storage.save(f"{FOLDER}/{job.id}.csv", upload)
    job.save(force_insert=True)
    audit.record(job.tenant_id, "import.uploaded", job.id, {"bytes": job.size}, by=audit.Actor(job.created_by))
    return job


def run_waiting() -> int:
    """Run every import that waits or whose worker died, but none while load is shed. Returns how many were run."""
    count = 0
    tried: set[uuid.UUID] = set()
    turns: Counter[uuid.UUID] = Counter()
    while waiting := _waiting(tried):
        # the oldest import of the tenant that had the fewest turns
        chosen = min(waiting, key=lambda job: turns[job.tenant_id])
        tried.add(chosen.pk)
        turns[chosen.tenant_id] += 1
        with batch_slot(chosen.tenant_id) as has_slot, _lock(chosen.pk) as is_locked:
            # read again under the lock: another worker may have run the import meanwhile
            open_imports = Import.objects.select_related("tenant").filter(pk=chosen.pk, state__in=OPEN_STATES)
            job = open_imports.first() if has_slot and is_locked else None
            if job is not None:
                count += _run_alone(job)
    return count


def _run_alone(job: Import) -> bool:
    """Run an import; one that breaks off, for example because the storage is away, must not end the others. The next
    task runs it again."""
    try:
        run_import(job)
    except (OperationalError, InterfaceError):
        raise  # the database is away, for the others as well
    except Exception:
        log.exception("import broke off", action="import", import_id=str(job.pk), tenant=str(job.tenant_id))
        return False
    return True


def _waiting(tried: Collection[uuid.UUID]) -> list[Import]:
    if not may_run(Work.IMPORTS):
        return []
    return list(Import.objects.filter(state__in=OPEN_STATES).exclude(pk__in=tried).order_by("id"))


@contextmanager
def _lock(pk: uuid.UUID) -> Iterator[bool]:
    """Lock an import for the block; yields False while another session has the lock. The lock of a dead worker's
    session is free at once, so that its import starts again."""
    key = "hashtext('tenants.import'), hashtext(%s)"
    with own_session():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_try_advisory_lock({key})", [str(pk)])
            is_locked = bool(cursor.fetchone()[0])
        try:
            yield is_locked
        finally:
            if is_locked:
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT pg_advisory_unlock({key})", [str(pk)])


def run_import(job: Import) -> None:
    """Read the file and store the outcome in the job's row."""
    job.attempts += 1
    if job.attempts > MAX_ATTEMPTS:
        _finish(job, Import.State.FAILED, f"Reading this file broke off {MAX_ATTEMPTS} times.")
        return
    save_fields(job, state=Import.State.RUNNING, attempts=job.attempts)
    try:
        with default_storage.open(job.stored, "rb") as file:
            result = _readers[job.kind](job, file)
    except NotifierError as error:
        _finish(job, Import.State.REFUSED, error.message)
    except FileNotFoundError:
        _finish(job, Import.State.FAILED, "The uploaded file is no longer in storage; upload it again.")
    else:
        save_fields(job, **result)
        _finish(job, Import.State.DONE)


def read_recipients(job: Import, file: File[bytes]) -> Mapping[str, Any]:
    """The reader of Import.Kind.RECIPIENTS."""

    def save_progress(so_far: ImportResult) -> None:
        save_fields(job, rows=so_far.rows, rejected=so_far.rejected, bytes_read=so_far.bytes_read)

    with LeftOutRows() as left_out:
        result = import_recipients(job.tenant_id, file, save_progress, left_out=left_out)
        if result.left_out_later:
            file.seek(0)
            left_out.add_lines(file, result.left_out_later, settings.IMPORT_MAX_BYTES)
        stored = left_out.save(job)
        problems = left_out.without_quotations(job.tenant_id, result.problems)
    counts = {
        name: getattr(result, name) for name in ("rows", "created", "updated", "unchanged", "devices", "rejected")
    }
    columns = [[column.name, column.type, list(column.stored)] for column in result.columns]
    reports = {"columns": columns, "problems": problem_rows(problems), "left_out": stored}
    return {**counts, "bytes_read": result.bytes_read, **reports}


def read_consents(job: Import, file: File[bytes], channels: Collection[str]) -> Mapping[str, Any]:
    """The reader of Import.Kind.CONSENTS; `channels`: their names. Rows are stored in batches, and reading the file
    again changes nothing."""

    def save_progress(so_far: ConsentResult) -> None:
        save_fields(job, rows=so_far.rows, rejected=so_far.rejected, bytes_read=so_far.bytes_read)

    with LeftOutRows() as left_out:
        result = import_consents(job.tenant_id, file, channels, Reading(save_progress, left_out, job.created_at))
        stored = left_out.save(job)
    counts = {"rows": result.rows, "updated": result.applied, "rejected": result.rejected}
    problems = problem_rows(result.problems[:MAX_PROBLEMS])
    return {**counts, "bytes_read": result.bytes_read, "problems": problems, "left_out": stored}


def problem_rows(problems: Sequence[RowProblem]) -> list[list[object]]:
    """Problems as JSON, for Import.problems."""
    return [[problem.line, problem.reason] for problem in problems]


def erase_left_out(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> Erased:
    """The eraser of files of rows that were left out: they cannot be searched for one person, so all of them go."""
    return Erased(delete_all_of(tenant_id))


def _finish(job: Import, state: Import.State, failure: str = "") -> None:
    with transaction.atomic():
        save_fields(job, state=state, failure=failure[:500], finished_at=datetime.now(UTC))
        counts = {"created": job.created, "updated": job.updated, "devices": job.devices, "rejected": job.rejected}
        if job.kind == Import.Kind.LIST:
            counts = {"rows": job.rows, "stored": job.list_report.get("stored", 0), "rejected": job.rejected}
        audit.record(job.tenant_id, f"import.{state.value}", job.id, counts, by=audit.Actor(job.created_by))
    _delete_upload(job)
    log.info("import ended", action="import", import_id=str(job.id), state=state.value, rows=job.rows)


def _delete_upload(job: Import) -> None:
    """The file is personal data; only the report is kept."""
    if job.stored:
        default_storage.delete(job.stored)
        save_fields(job, stored="")


def delete_uploads() -> int:
    """Delete the files of ended imports that are left because a worker died, or the storage was away, after the end;
    returns how many."""
    ended = Import.objects.exclude(state__in=OPEN_STATES).exclude(stored="")
    for job in ended:
        _delete_upload(job)
    return len(ended)


def save_fields(job: Import, **values: object) -> None:
    """Change these columns of the job's row."""
    for name, value in values.items():
        setattr(job, name, value)
    job.save(update_fields=list(values))
