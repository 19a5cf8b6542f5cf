"""What became of an uploaded list: one message, and the sentences of the audience's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.models import Import


def report_upload(page: admin.ModelAdmin[Any], request: HttpRequest, job: Import) -> None:
    """Say what became of a file: green only when every id in it is a recipient."""
    if job.state != Import.State.DONE:
        page.message_user(request, _("The file is read in the background; the audience's page shows how far it is."))
        return
    page.message_user(request, summary(job), _level(job))
    for line, reason in job.problems[:10]:
        page.message_user(request, _("Line %(line)s: %(reason)s") % {"line": line, "reason": reason}, messages.WARNING)


def summary(job: Import) -> str:
    """What was in a file, in two sentences."""
    report = job.list_report
    figures = {
        "stored": f"{report['stored']:,}",
        "rows": f"{job.rows:,}",
        "duplicates": f"{report['duplicates']:,}",
        "rejected": f"{job.rejected:,}",
    }
    stored = (
        _("%(stored)s external ids stored of %(rows)s rows: %(duplicates)s repeated, %(rejected)s unusable.") % figures
    )
    return f"{stored} {_known(report)}"


def _level(job: Import) -> int:
    if not job.list_report["known"]:
        return messages.ERROR
    return messages.WARNING if job.list_report["unknown"] or job.rejected else messages.SUCCESS


def _known(report: dict[str, Any]) -> str:
    """How many of the ids are recipients."""
    known, unknown, examples = report["known"], report["unknown"], ", ".join(report["unknown_ids"])
    figures = {"known": f"{known:,}", "unknown": f"{unknown:,}"}
    if not unknown:
        return ngettext("All %(known)s are recipients.", "All %(known)s are recipients.", known) % figures
    examples += ", …" if unknown > len(report["unknown_ids"]) else ""
    if not known:
        return _("None of the ids is a recipient, so no message would be sent: %(ids)s") % {"ids": examples}
    return _("%(known)s are recipients, %(unknown)s are not: %(ids)s") % {**figures, "ids": examples}
