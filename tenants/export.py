"""Everything that is stored of one person, for the person who asks for it: page by page, newest first.

Each package registers what it holds (`register_exporter`), in rows with time-ordered ids; a page holds the rows of one
span of time. What has no such ids is whole on the first page.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from tenants.models import AuditLog, ConsentChange, Device, OptInProof, Preference, Recipient, Suppression

#: rows of each kind on a page
MOST = 1_000
Row = dict[str, Any]
#: the rows of a recipient with ids below the given one, newest first, at most so many; each has an `id`
Exporter = Callable[[Recipient, uuid.UUID, int], Sequence[Row]]
_exporters: dict[str, Exporter] = {}
_NEWEST = uuid.UUID(int=2**128 - 1)


def register_exporter(kind: str, exporter: Exporter) -> None:
    """Let every export call this function for its rows of `kind`. Call it in `AppConfig.ready`."""
    _exporters[kind] = exporter


def export(recipient: Recipient, before: uuid.UUID | None, most: int = MOST) -> dict[str, Any]:
    """One page: rows with ids below `before`, or the newest, with the person's own rows. `next` is the id to go on
    from; None on the last page."""
    rows = {kind: exporter(recipient, before or _NEWEST, most + 1) for kind, exporter in _exporters.items()}
    # a kind with more rows than a page ends the span; rows of other kinds below that id come with the next page
    ends = [listed[most - 1]["id"] for listed in rows.values() if len(listed) > most]
    end = max(ends, default=None)
    page: dict[str, Any] = {} if before else _own_rows(recipient)
    for kind, listed in rows.items():
        page[kind] = [row for row in listed if end is None or row["id"] >= end]
    return {**page, "next": end}


def _own_rows(recipient: Recipient) -> dict[str, Any]:
    addresses = [("email", recipient.email), ("sms", recipient.phone)]
    suppressed = [
        row
        for channel, address in addresses
        if address
        for row in Suppression.objects.filter(tenant_id=recipient.tenant_id, channel=channel, address=address).values(
            "channel", "address", "cause", "created_at"
        )
    ]
    return {
        "recipient": _columns(Recipient, recipient.pk, "pk")[0],
        "devices": _columns(Device, recipient.pk, "recipient_id"),
        "preferences": _columns(Preference, recipient.pk, "recipient_id"),
        "suppressions": suppressed,
        "opt_in_proofs": _columns(OptInProof, recipient.pk, "recipient_id"),
        "read_by_staff": _reads(recipient),
        "consent_changes": list(
            ConsentChange.objects.filter(tenant_id=recipient.tenant_id, recipient_id=recipient.pk)
            .order_by("-id")
            .values("changed", "source", "channel", "address", "detail", "at")
        ),
    }


def _reads(recipient: Recipient) -> list[Row]:
    """When a member of the tenant or an operator of the installation read what is stored of the person, and on which
    page. The names of members are personal data of theirs."""
    rows = AuditLog.objects.filter(tenant_id=recipient.tenant_id, object_id=str(recipient.pk), action="recipient.read")
    return [
        {"at": at, "page": detail.get("page"), "by": "operator" if detail.get("operator") else "member"}
        for at, detail in rows.order_by("-id").values_list("at", "detail")
    ]


def _columns(model: Any, recipient_id: uuid.UUID, column: str) -> list[Row]:
    """The rows of a model, whatever columns it has, without those that name other rows only."""
    names = [f.attname for f in model._meta.concrete_fields if f.attname not in ("tenant_id", "recipient_id")]
    return list(model.objects.filter(**{column: recipient_id}).order_by("id").values(*names))
