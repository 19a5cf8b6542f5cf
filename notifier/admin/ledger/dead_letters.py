"""Dead letters: a list, and the action that sends the messages again."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from notifier.admin.ledger.lists import SearchByIdAdmin
from notifier.delivery import redrive
from notifier.models import DeadLetter
from tenants.admin import OPERATORS, admin_site, may
from tenants.admin.audit_entries import record_change
from tenants.admin.base.filters import ChannelFilter

#: reasons that the page before a re-drive lists
SHOWN_ERRORS = 10


@admin.register(DeadLetter, site=admin_site)
class DeadLetterAdmin(SearchByIdAdmin):
    group = "Delivery"
    icon = "report"
    rank = 30
    searched_columns = ("pk", "delivery_id")
    search_help_text = "The delivery's id."
    list_display = ("delivery_id", "channel", "attempts", "last_error", "created_at", "redriven_at")
    list_filter = (ChannelFilter, ("redriven_at", admin.EmptyFieldListFilter))
    fields = ("tenant", "delivery_id", "channel", "attempts", "last_error", "created_at", "redriven_at")
    actions = ("send_again",)

    def has_redrive_permission(self, request: HttpRequest) -> bool:
        return may(request, OPERATORS)

    @admin.action(description=_("Send again, with fresh attempts"), permissions=["redrive"])
    def send_again(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """First a page with the count; a POST of that page queues the messages again."""
        letters = [row for row in queryset.filter(redriven_at=None) if may(request, OPERATORS, row)]
        if letters and not request.POST.get("confirmed"):
            return self._confirmation(request, letters)
        letters_by_tenant: dict[uuid.UUID, list[DeadLetter]] = defaultdict(list)
        for letter in letters:
            letters_by_tenant[letter.tenant_id].append(letter)
        queued = 0
        for tenant_id, of_tenant in letters_by_tenant.items():
            queued += redrive(tenant_id, [letter.pk for letter in of_tenant])
            for letter in of_tenant:
                record_change(request, letter, "redriven")
        messages.success(
            request, ngettext("%(n)d message queued again.", "%(n)d messages queued again.", queued) % {"n": queued}
        )
        return None

    def _confirmation(self, request: HttpRequest, letters: list[DeadLetter]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Send again?"),
            "letters": letters,
            "by_channel": sorted(Counter(letter.channel for letter in letters).items()),
            "by_error": Counter(letter.last_error for letter in letters).most_common(SHOWN_ERRORS),
        }
        return TemplateResponse(request, "admin/notifier/deadletter/send_again.html", context)
