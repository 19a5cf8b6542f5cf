"""Finders of messages and templates for the admin's search box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _

from notifier.models import Delivery, Notification, Template
from notifier.vocabulary.status import Status
from tenants.admin.base.indexes import prefer_indexes
from tenants.admin.base.visibility import visible_rows
from tenants.admin.search.finders import SHOWN, Finder, Hit, register_finder
from tenants.admin.search.terms import Term

#: the shortest text that is looked up as a provider's reference, and the longest that a delivery stores
MIN_REF, MAX_REF = 6, 200


def register() -> None:
    register_finder(Finder("messages", 40, _("Messages"), "outgoing_mail", find_messages, Delivery))
    register_finder(Finder("references", 45, _("Messages by the provider's reference"), "tag", find_by_ref, Delivery))
    register_finder(Finder("requests", 50, _("Notifications"), "notifications", find_notifications, Notification))
    register_finder(Finder("templates", 60, _("Templates"), "description", find_templates, Template))


def find_messages(request: HttpRequest, term: Term) -> Iterator[Hit]:
    """The delivery with this id."""
    if term.id is not None:
        yield from _message_hits(visible_rows(Delivery.objects.filter(pk=term.id), request))


def find_by_ref(request: HttpRequest, term: Term) -> Iterator[Hit]:
    """Deliveries that a provider names so. The index has none of push, on which no provider reports."""
    if MIN_REF <= len(term.text) <= MAX_REF:
        rows = Delivery.objects.exclude(provider_ref="").filter(platform="", provider_ref=term.text)
        yield from _message_hits(visible_rows(rows, request))


def _message_hits(rows: Any) -> Iterator[Hit]:
    with prefer_indexes():
        found = list(rows.order_by()[: SHOWN + 1])
    for row in found:
        at = formats.date_format(timezone.localtime(row.accepted_at), "SHORT_DATETIME_FORMAT")
        url = reverse("admin:tenants_recipient_timeline", args=[row.recipient_id])
        yield Hit(f"{row.channel} · {Status(row.status).label}", f"{url}?message={row.pk}", f"{at} · {row.pk}")


def find_notifications(request: HttpRequest, term: Term) -> Iterator[Hit]:
    """The notification with this id."""
    if term.id is None:
        return
    rows = visible_rows(Notification.objects.filter(pk=term.id).select_related("recipient"), request)
    for row in rows:
        url = reverse("admin:notifier_notification_change", args=[row.pk])
        yield Hit(row.recipient.name or row.recipient.external_id, url, f"{row.category} · {row.pk}")


def find_templates(request: HttpRequest, term: Term) -> Iterator[Hit]:
    """Templates by a part of the key. A tenant has few."""
    if term.is_part_of_name:
        rows = visible_rows(Template.objects.filter(key__icontains=term.text), request)
        for row in rows.order_by("key")[: SHOWN + 1]:
            yield Hit(row.key, reverse("admin:notifier_template_change", args=[row.pk]))
