"""Finders of people: by external id, name, email, phone or id, and by the token of a device."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from tenants.admin.base.indexes import prefer_indexes
from tenants.admin.base.visibility import masked, sees_several_tenants, visible_rows
from tenants.admin.roles import is_platform_operator, roles_of
from tenants.admin.search.finders import SHOWN, Finder, Hit, register_finder
from tenants.admin.search.terms import Term
from tenants.models import Device, Recipient
from tenants.people.platforms import spellings
from tenants.people.search import search_recipients

#: the shortest text that is looked up as the token of a device
MIN_TOKEN = 16


def register() -> None:
    register_finder(Finder("people", 10, _("People"), "person", find_people, Recipient))
    register_finder(Finder("devices", 20, _("People by device token"), "smartphone", find_by_token, Device))


def find_people(request: HttpRequest, term: Term) -> Iterator[Hit]:
    """The recipient with this id or external id first, then those in whose fields each word of the term occurs."""
    rows = visible_rows(Recipient.objects.select_related("tenant"), request)
    with prefer_indexes():
        exact = list(rows.filter(pk=term.id) if term.id else rows.filter(external_id=term.text[:128])[: SHOWN + 1])
        ids = [] if term.id or len(term.text) > 254 else _ids_like(request, term)
        partial = list(rows.filter(pk__in=ids).order_by("external_id"))
    known = {recipient.pk for recipient in exact}
    for recipient in [*exact, *(row for row in partial if row.pk not in known)]:
        yield person_hit(request, recipient)


def _ids_like(request: HttpRequest, term: Term) -> list[object]:
    """Of one tenant for its member: the index of the order then bounds a common word."""
    tenants = list(roles_of(request))
    tenant = tenants[0] if len(tenants) == 1 and not is_platform_operator(request) else None
    text = term.phone or term.text
    ids: list[object] = list(search_recipients(text, tenant, SHOWN + 1))
    return ids


def find_by_token(request: HttpRequest, term: Term) -> Iterator[Hit]:
    """The owners of the devices that have this very token, as each platform spells it."""
    if len(term.text) < MIN_TOKEN or " " in term.text:
        return
    tokens = spellings(term.text)
    rows = visible_rows(Device.objects.select_related("recipient__tenant"), request)
    with prefer_indexes():
        devices = rows.filter(platform__in=list(tokens), token__in=sorted(set(tokens.values())))
        found = list(devices[: SHOWN + 1])
    for device in found:
        yield person_hit(request, device.recipient)


def person_hit(request: HttpRequest, recipient: Recipient) -> Hit:
    """A recipient's line: leads to the recipient's timeline. Addresses are masked, as in lists."""
    parts = [recipient.external_id, masked(recipient.email), masked(recipient.phone)]
    parts += [recipient.tenant.name] if sees_several_tenants(request) else []
    url = reverse("admin:tenants_recipient_timeline", args=[recipient.pk])
    return Hit(recipient.name or recipient.external_id, url, " · ".join(filter(None, parts)))
