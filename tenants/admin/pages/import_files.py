"""What pages of uploads share: how far a worker has read a file, as JSON, and the download of the rows that were left
out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifier.web.serving.downloads import Download
from tenants.imports.jobs import OPEN_STATES
from tenants.models import Import


def import_progress(job: Import | None) -> HttpResponse:
    """`percent`, a sentence, and whether the page must be read again because the file is read."""
    if job is None:
        raise Http404
    return JsonResponse(progress_of(job))


def progress_of(job: Import) -> dict[str, Any]:
    """As the script static/audiences/progress.js shows it."""
    running = job.state in OPEN_STATES
    read = 100 if not running else min(99, 100 * job.bytes_read // max(job.size, 1))
    return {"running": running, "percent": read, "text": _sentence(job)}


def _sentence(job: Import) -> str:
    if job.state == Import.State.WAITING:
        return _("Waiting for a worker.")
    rows = ngettext("%(n)s row read", "%(n)s rows read", job.rows) % {"n": f"{job.rows:,}"}
    if not job.rejected:
        return f"{rows}."
    left_out = ngettext("%(n)s left out", "%(n)s left out", job.rejected) % {"n": f"{job.rejected:,}"}
    return f"{rows}, {left_out}."


def left_out_file(job: Import) -> Download:
    """The file of the rows that were left out, streamed. It is deleted after a week."""
    if not job.left_out or not default_storage.exists(job.left_out):
        raise Http404(_("The file is no longer kept."))
    name = f"{job.filename.rpartition('.')[0] or job.filename}-left-out.csv"
    return Download(_pieces(job.left_out), name)


def _pieces(stored: str) -> Iterator[bytes]:
    with default_storage.open(stored, "rb") as file:
        yield from file.chunks()
