"""Receipts that no worker could read: an owner sees what came, deletes it, or has it read again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.postgres.functions import TransactionNow
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from notifier.channels.queues import RECEIPTS
from notifier.delivery.receipts import sealing
from notifier.delivery.wakeup import signal
from notifier.models import Receipt
from notifier.values.text import cleaned
from tenants.admin import OPERATORS, admin_site, may
from tenants.admin.audit_entries import record_change
from tenants.admin.lists.large_tables import LargeTableAdmin

#: characters of a body that the page shows
_SHOWN = 20_000


@admin.register(Receipt, site=admin_site)
class ReceiptAdmin(LargeTableAdmin):
    group = "Operations"
    icon = "receipt_long"
    rank = 60
    viewed_by = edited_by = OPERATORS
    can_add = False
    list_display = ("id", "account_id", "received_at", "error")
    actions = ("read_again",)
    fields = readonly_fields = ("account_id", "received_at", "attempts", "error", "call")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Only unreadable ones; a partial index has them. A worker deletes all others within seconds."""
        return super().get_queryset(request).filter(state=Receipt.State.UNREADABLE)

    @admin.display(description=_("the call"))
    def call(self, receipt: Receipt) -> str:
        """The body, and the headers that say what it is. The address and signatures are secrets."""
        try:
            call = sealing.unseal_call(receipt.tenant_id, bytes(receipt.sealed))
        except ValueError:
            return "Its encryption key is gone, or it holds events that wait."
        body = cleaned(call.body[:_SHOWN].decode(errors="replace"))
        return f"{call.method}, {call.headers.get('content-type', 'no content type')}, {len(call.body)} bytes\n\n{body}"

    def has_read_again_permission(self, request: HttpRequest) -> bool:
        return may(request, OPERATORS)

    @admin.action(description=_("Read again"), permissions=["read_again"])
    def read_again(self, request: HttpRequest, queryset: Any) -> None:
        receipts = [receipt for receipt in queryset if may(request, OPERATORS, receipt)]
        for receipt in receipts:
            record_change(request, receipt, "read_again")
        chosen = Receipt.objects.filter(pk__in=[receipt.pk for receipt in receipts], state=Receipt.State.UNREADABLE)
        chosen.update(state=Receipt.State.NEW, attempts=0, error="", due_at=TransactionNow())
        transaction.on_commit(lambda: signal.notify([RECEIPTS]))
        messages.success(request, f"{len(receipts)} receipts are read again; what cannot be read comes back here.")
