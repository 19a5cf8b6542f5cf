"""The receipts of erasures, and the action that erases people, with the page that asks first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from notifier.tasks import post
from notifier.vocabulary.ids import parse_id
from tenants import erasure
from tenants.admin.lists.large_tables import ReadOnlyLargeTableAdmin
from tenants.admin.site import admin_site
from tenants.audit import Actor
from tenants.models import Erasure, Recipient

#: people whom one press of the button erases
MOST = 100


@admin.register(Erasure, site=admin_site)
class ErasureAdmin(ReadOnlyLargeTableAdmin):
    group = "People"
    icon = "person_remove"
    rank = 70
    list_display = ("recipient_id", "state", "requested_at", "finished_at")
    search_fields = ("recipient_id",)
    search_help_text = "The recipient's id."
    fields = ("tenant", "recipient_id", "state", "removed", "requested_at", "finished_at")

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[Any]:
        return (self.rows(request).filter(recipient_id=parse_id(term)),)


def erase(request: HttpRequest, recipients: Sequence[Recipient]) -> HttpResponse | None:
    """Ask first, then erase; None when it is done: the list is shown again."""
    if len(recipients) > MOST:
        messages.error(request, f"{MOST} people at a time.")
        return None
    if "confirmed" not in request.POST:
        context = {**admin_site.each_context(request), "title": "Erase people", "recipients": recipients}
        return TemplateResponse(request, "admin/tenants/recipient/erase.html", context)
    for recipient in recipients:
        erasure.request(recipient, Actor(request.user))  # type: ignore[arg-type]
    transaction.on_commit(lambda: post("tenants.erase", queue="batch"))
    messages.success(request, f"{len(recipients)} erased: nothing is sent to them from now on.")
    return None
