"""Loads when and by whom a recipient's choices were made, for the trace of a decision."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from notifier.channels import channels
from notifier.delivery.planning.trace import Choice, Choices
from notifier.vocabulary.people import Person
from tenants.models import ConsentChange, Recipient, Suppression

#: changes that are listed
MOST_CHANGES = 50
#: changes that are read to find the newest of each column
MOST_READ = 500


class Change(NamedTuple):
    """One consent change of a recipient: what changed (preference, recipient, device), when, and by whom."""

    changed: str
    at: datetime
    source: str
    detail: Mapping[str, Any]  #: of a preference: the columns that changed


def load_choices(tenant_id: uuid.UUID, person: Person) -> Choices:
    """The newest change of the recipient, of each column of the preferences, and of each suppressed address. Four
    queries."""
    changes = ConsentChange.objects.filter(tenant_id=tenant_id, recipient_id=person.id)
    newest: dict[str, Choice] = {}
    for row in changes.filter(changed__in=["recipient", "preference"]).order_by("-id")[:MOST_READ]:
        for name in row.detail if row.changed == "preference" else {"recipient"} if "status" in row.detail else ():
            newest.setdefault(name, Choice(row.at, row.source))
    return Choices(newest, _suppressions(tenant_id, person), _zone_source(person))


def load_changes(tenant_id: uuid.UUID, recipient_id: uuid.UUID, since: datetime) -> list[Change]:
    """The recipient's consent changes since then, the newest first, at most MOST_CHANGES."""
    rows = ConsentChange.objects.filter(tenant_id=tenant_id, recipient_id=recipient_id, at__gte=since)
    return [Change(row.changed, row.at, row.source, row.detail) for row in rows.order_by("-id")[:MOST_CHANGES]]


def _suppressions(tenant_id: uuid.UUID, person: Person) -> dict[tuple[str, str], Choice]:
    addresses = {(name, a.value) for name, kind in channels().items() for a in kind.addresses(person)}
    suppressed = {(name, address) for name, address in addresses if (name, address) in person.suppressed}
    if not suppressed:
        return {}
    values = [address for _, address in suppressed]
    changes = ConsentChange.objects.filter(tenant_id=tenant_id, changed="suppression", address__in=values)
    sources = {(row.channel, row.address): row.source for row in changes.order_by("id")}
    rows = Suppression.objects.filter(tenant_id=tenant_id, address__in=values)
    return {
        (row.channel, row.address): Choice(row.created_at, sources.get((row.channel, row.address), "") or row.cause)
        for row in rows
        if (row.channel, row.address) in suppressed
    }


def _zone_source(person: Person) -> str:
    if not person.timezone:
        return ""
    has_phone_zone = Recipient.objects.filter(pk=person.id).exclude(device_timezone="").exists()
    return "phone" if has_phone_zone else "recipient"
