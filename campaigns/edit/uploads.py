"""Uploads of lists: a small file is stored within the request, a large one by a worker.

Each upload leaves a row (tenants.models.Import), which tells how far it is and what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.files.base import ContentFile, File
from django.db import transaction

from campaigns import audience as audiences
from campaigns.audience import ListReport, loading
from campaigns.edit import campaigns
from campaigns.models import Audience
from notifier.channels.queues import BATCH
from notifier.errors import InvalidInput, NotFound
from notifier.tasks import post
from tenants.imports import RowProblem, UnreadableFile, jobs, read_external_ids
from tenants.models import Import, Tenant, User

#: rows that a request stores itself: about a second. 300,000 took 37 s
AT_ONCE = 20_000
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Upload:
    """A file for a list, and who sent it."""

    file: File[bytes]
    user: User | None = None

    @property
    def is_large(self) -> bool:
        """Whether it has more lines than a request stores. The file is at its begin afterwards."""
        lines = 0
        self.file.seek(0)
        while lines <= AT_ONCE and (chunk := self.file.read(_CHUNK)):
            lines += chunk.count(b"\n")
        self.file.seek(0)
        return lines > AT_ONCE


def check(file: File[bytes]) -> None:
    """What a form can say of a file before it is stored: of a small one everything, of a large one what its first line
    shows. Raises InvalidInput."""
    large = Upload(file).is_large
    entries = read_external_ids(file)
    if not large:
        _check_usable(list(entries))
    file.seek(0)


def _check_usable(entries: Sequence[str | RowProblem]) -> None:
    if any(isinstance(entry, str) for entry in entries):
        return
    first = next((entry for entry in entries if isinstance(entry, RowProblem)), None)
    why = f"line {first.line}: {first.reason}" if first else "it holds no row"
    raise UnreadableFile(f"It names no usable external id; {why}.")


def put(audience: Audience, upload: Upload) -> Import:
    """Replace a list's members by those of a file, now or, when it is large, in the background. Raises InvalidInput for
    what is no list, and Conflict while another file is being read or a campaign is being armed with it."""
    if audience.source != Audience.Source.LIST:
        raise InvalidInput(
            f"The source of this audience is {audience.source}; only a list has members.", field="source"
        )
    job = jobs.new_import(audience.tenant, upload.file, upload.user)
    job.kind, job.audience_id = Import.Kind.LIST, audience.pk
    with transaction.atomic():
        _alone(audience)
        if not upload.is_large:
            return _done(job, campaigns.replace_members(audience, lambda a: audiences.load_file(a, upload.file)))
        campaigns.check_replaceable(audience)
        # what the first line shows to be no list is refused at once
        read_external_ids(upload.file)
        upload.file.seek(0)
        jobs.submit(job, upload.file)
        transaction.on_commit(lambda: post("tenants.imports", queue=BATCH))
    return job


def put_ids(audience: Audience, external_ids: Sequence[object]) -> Import:
    """The same from a request's own ids, which are few."""
    job = jobs.new_import(audience.tenant, ContentFile(b"", name="ids"))
    job.kind, job.audience_id = Import.Kind.LIST, audience.pk
    with transaction.atomic():
        _alone(audience)
        return _done(job, campaigns.replace_members(audience, lambda a: audiences.load_ids(a, external_ids)))


def for_campaign(tenant: Tenant, campaign_name: str, upload: Upload) -> tuple[Audience, Import]:
    """A list of its own for one campaign, named after it."""
    name = f"{campaign_name[: campaigns.MAX_NAME - 40]}, uploaded {datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"
    audience = campaigns.create_audience(tenant, name, Audience.Source.LIST)
    return audience, put(audience, upload)


def _alone(audience: Audience) -> None:
    """One file at a time: the later of two must not be overtaken by the earlier."""
    Audience.objects.select_for_update().get(pk=audience.pk)
    loading.check_loaded(audience.pk, "send another file")


def _done(job: Import, report: ListReport) -> Import:
    for name, value in _told(report).items():
        setattr(job, name, value)
    job.state, job.finished_at, job.bytes_read = Import.State.DONE, datetime.now(UTC), job.size
    job.save(force_insert=True)
    return job


def read(job: Import, file: File[bytes]) -> Mapping[str, Any]:
    """A worker's part: replace the members by those of the stored file, all or none."""
    audience = Audience.objects.filter(tenant_id=job.tenant_id, pk__in=[job.audience_id]).first()
    if audience is None:
        raise NotFound("The audience was deleted.")

    def progress(so_far: ListReport) -> None:
        jobs.save_fields(job, rows=so_far.rows, rejected=so_far.rejected, bytes_read=file.tell())

    with audiences.stage_ids(file, progress) as found:
        report = campaigns.replace_members(audience, lambda a: audiences.load_staged(a, found))
    return {**_told(report), "bytes_read": job.size}


def _told(report: ListReport) -> dict[str, Any]:
    names = ("stored", "duplicates", "known", "unknown", "unknown_ids")
    return {
        "rows": report.rows,
        "rejected": report.rejected,
        "problems": jobs.problem_rows(report.problems),
        "list_report": {name: getattr(report, name) for name in names},
    }
