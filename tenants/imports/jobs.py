"""Uploaded files, from the upload page to the report: stored by the web role, imported by a worker."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import connection, transaction

from notifier.vocabulary import new_id
from tenants import audit
from tenants.imports.columns import understand
from tenants.imports.reader import Refused, open_table
from tenants.imports.run import Result, import_recipients
from tenants.models import Import, Tenant, User

log = structlog.get_logger("tenants.imports")
OPEN = (Import.State.WAITING, Import.State.RUNNING)
#: a file that brought its worker down so often is given up
ATTEMPTS = 3
FOLDER = "imports"


def check_header(upload: File[bytes]) -> None:
    """Raise Refused for what the first line already shows to be no list of recipients."""
    understand(open_table(upload, settings.IMPORT_MAX_BYTES).header)


def submit(tenant: Tenant, upload: File[bytes], user: User | None = None) -> Import:
    """Store the file and its row in the caller's transaction. A worker that is rung after the commit takes it up."""
    job = Import(id=new_id(), tenant=tenant, filename=(upload.name or "upload.csv")[-255:], size=upload.size)
    job.created_by = user
    # the person's file name is shown but never becomes a path
    job.stored = default_storage.save(f"{FOLDER}/{job.id}.csv", upload)
    job.save(force_insert=True)
    audit.record(tenant.id, "import.uploaded", job.id, {"bytes": job.size}, user=user)
    return job


def run_waiting() -> int:
    """Run every import that waits, or whose worker died. Returns how many were run."""
    done = 0
    for pk in list(Import.objects.filter(state__in=OPEN).order_by("id").values_list("pk", flat=True)):
        with _lock(pk) as mine:
            job = Import.objects.select_related("tenant").filter(pk=pk, state__in=OPEN).first() if mine else None
            if job is not None:
                run(job)
                done += 1
    return done


@contextmanager
def _lock(pk: uuid.UUID) -> Iterator[bool]:
    """Held by the session, so a dead worker's lock is free at once and its import starts again."""
    key = "hashtext('tenants.import'), hashtext(%s)"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock({key})", [str(pk)])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT pg_advisory_unlock({key})", [str(pk)])


def run(job: Import) -> None:
    """Import the file and write down what became of it."""
    job.attempts += 1
    if job.attempts > ATTEMPTS:
        _finish(job, Import.State.FAILED, f"The worker died {ATTEMPTS} times while it read this file.")
        return
    _save(job, state=Import.State.RUNNING, attempts=job.attempts)
    try:
        with default_storage.open(job.stored, "rb") as file:
            result = import_recipients(job.tenant_id, file, lambda so_far: _progress(job, so_far))
    except Refused as refused:
        _finish(job, Import.State.REFUSED, refused.message)
    except FileNotFoundError:
        _finish(job, Import.State.FAILED, "The uploaded file is no longer in storage; upload it again.")
    else:
        _report(job, result)
        _finish(job, Import.State.DONE)


def _progress(job: Import, result: Result) -> None:
    _save(job, rows=result.rows, rejected=result.rejected, bytes_read=result.bytes_read)


def _report(job: Import, result: Result) -> None:
    counts = {
        name: getattr(result, name) for name in ("rows", "created", "updated", "unchanged", "devices", "rejected")
    }
    problems = [[problem.line, problem.reason] for problem in result.problems]
    columns = [[column.name, column.type, list(column.stored)] for column in result.columns]
    _save(job, **counts, bytes_read=result.bytes_read, columns=columns, problems=problems)


def _finish(job: Import, state: Import.State, failure: str = "") -> None:
    with transaction.atomic():
        _save(job, state=state, failure=failure[:500], finished_at=datetime.now(UTC))
        counts = {"created": job.created, "updated": job.updated, "devices": job.devices, "rejected": job.rejected}
        audit.record(job.tenant_id, f"import.{state.value}", job.id, counts, user=job.created_by)
    if job.stored:
        # personal data; the report is what is kept
        default_storage.delete(job.stored)
    log.info("import ended", action="import", import_id=str(job.id), state=state.value, rows=job.rows)


def _save(job: Import, **values: object) -> None:
    for name, value in values.items():
        setattr(job, name, value)
    job.save(update_fields=list(values))
