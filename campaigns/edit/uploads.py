"""Uploads of lists: a small file is stored within the request, a large file by a worker.

Each upload leaves a row (tenants.models.Import), which says how far the upload is and how it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.files.base import ContentFile, File
from django.db import transaction

from campaigns.audience import ListReport, load_file, load_ids, load_staged, loading, stage_ids
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.edit import audiences
from campaigns.edit.fields import MAX_NAME
from campaigns.models import Audience
from notifier.channels.queues import BATCH
from notifier.errors import InvalidInput, NotFound
from notifier.tasks import post
from tenants.imports import RowProblem, UnreadableFile, jobs, read_external_ids
from tenants.imports.left_out import LeftOutRows
from tenants.models import Import, Tenant

#: rows that a request stores itself, which takes about a second; 300,000 took 37 s
AT_ONCE = 20_000
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Upload:
    """A file for a list, and who sent it. `add`: the ids of the list stay."""

    file: File[bytes]
    by: Actor = OPERATOR
    add: bool = False

    @property
    def is_large(self) -> bool:
        """Whether the file has more lines than a request stores. Rewinds the file."""
        lines = 0
        self.file.seek(0)
        while lines <= AT_ONCE and (chunk := self.file.read(_CHUNK)):
            lines += chunk.count(b"\n")
        self.file.seek(0)
        return lines > AT_ONCE


def check(file: File[bytes]) -> None:
    """What a form can check before the file is stored: every line of a small file, the first line of a large one.
    Raises InvalidInput."""
    large = Upload(file).is_large
    entries = read_external_ids(file)
    if not large:
        _check_usable(list(entries))
    file.seek(0)


def _check_usable(entries: Sequence[str | RowProblem]) -> None:
    if any(isinstance(entry, str) for entry in entries):
        return
    first = next((entry for entry in entries if isinstance(entry, RowProblem)), None)
    why = f"line {first.line}: {first.reason}" if first else "the file holds no row"
    raise UnreadableFile(f"The file names no usable external id; {why}.")


def put(audience: Audience, upload: Upload) -> Import:
    """Replace the members of a list by those of a file: now, or in the background when the file is large. Raises
    InvalidInput for a file that is no list, and Conflict while another file is read, a campaign with this audience is
    being armed or launched, or the rest of its A/B test waits."""
    if audience.source != Audience.Source.LIST:
        raise InvalidInput(
            f"The source of this audience is {audience.source}; only a list has members.", field="source"
        )
    job = _new_job(audience, upload)
    with transaction.atomic():
        _check_alone(audience)
        if upload.is_large:
            _submit(audience, job, upload)
        else:
            with LeftOutRows() as rows:
                report = audiences.replace_members(
                    audience, lambda a: load_file(a, upload.file, add=upload.add, left_out=rows)
                )
                job.left_out = rows.save(job)
            _store(job, report)
        _record(audience, job, upload.by)
    return job


def put_ids(audience: Audience, external_ids: Sequence[object], *, by: Actor = OPERATOR) -> Import:
    """Replace the members of a list by a few ids. Raises as `put` does."""
    job = _new_job(audience, Upload(ContentFile(b"", name="ids"), by))
    with transaction.atomic():
        _check_alone(audience)
        _store(job, audiences.replace_members(audience, lambda a: load_ids(a, external_ids)))
        _record(audience, job, by)
    return job


def for_campaign(tenant: Tenant, campaign_name: str, upload: Upload) -> tuple[Audience, Import]:
    """A list for one campaign, named after it."""
    name = f"{campaign_name[: MAX_NAME - 40]}, uploaded {datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"
    audience = audiences.create(tenant, name, audiences.Definition(Audience.Source.LIST), by=upload.by)
    return audience, put(audience, upload)


def _new_job(audience: Audience, upload: Upload) -> Import:
    job = jobs.new_import(audience.tenant, upload.file, upload.by.user)
    job.kind, job.audience_id = Import.Kind.LIST, audience.pk
    job.list_report = {"add": True} if upload.add else {}
    return job


def _check_alone(audience: Audience) -> None:
    """One file at a time: a later file must not be overtaken by an earlier one."""
    Audience.objects.select_for_update().get(pk=audience.pk)
    loading.check_loaded(audience.pk, "send another file")


def _submit(audience: Audience, job: Import, upload: Upload) -> None:
    """Leave a large file to a worker."""
    audiences.check_replaceable(audience)
    # a first line that is not of a list is refused at once
    read_external_ids(upload.file)
    upload.file.seek(0)
    jobs.submit(job, upload.file)
    transaction.on_commit(lambda: post("tenants.imports", queue=BATCH))


def _store(job: Import, report: ListReport) -> None:
    for name, value in _columns(report).items():
        setattr(job, name, value)
    job.state, job.finished_at, job.bytes_read = Import.State.DONE, datetime.now(UTC), job.size
    job.save(force_insert=True)


def _record(audience: Audience, job: Import, by: Actor) -> None:
    stored = job.list_report.get("stored")
    record(audience, Act.FILL, by, upload=str(job.pk), stored=stored, rejected=job.rejected)


def read(job: Import, file: File[bytes]) -> Mapping[str, Any]:
    """A worker's part: replace the members by those of the stored file, all or none. Raises NotFound, or
    Conflict as `put` does: a campaign may have been launched since."""
    audience = Audience.objects.filter(tenant_id=job.tenant_id, pk__in=[job.audience_id]).first()
    if audience is None:
        raise NotFound("The audience was deleted.")

    def progress(so_far: ListReport) -> None:
        jobs.save_fields(job, rows=so_far.rows, rejected=so_far.rejected, bytes_read=file.tell())

    add = bool(job.list_report.get("add"))
    with LeftOutRows() as rows, stage_ids(file, progress, rows) as staged:
        report = audiences.replace_members(audience, lambda a: load_staged(a, staged, add=add))
        left_out = rows.save(job)
    return {**_columns(report), "bytes_read": job.size, "left_out": left_out}


def _columns(report: ListReport) -> dict[str, Any]:
    """Columns of the upload's row."""
    names = ("stored", "duplicates", "known", "unknown", "unknown_ids")
    return {
        "rows": report.rows,
        "rejected": report.rejected,
        "problems": jobs.problem_rows(report.problems),
        "list_report": {name: getattr(report, name) for name in names},
    }
