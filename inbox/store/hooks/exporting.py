"""What the inbox holds of a recipient, for the export of a person. Registered as an exporter (tenants.export)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from inbox.models import InboxMessage
from tenants.export import Row
from tenants.models import Recipient


def messages(recipient: Recipient, before: uuid.UUID, most: int) -> Sequence[Row]:
    """Messages in the recipient's inbox, with when they were read."""
    rows = InboxMessage.objects.filter(tenant_id=recipient.tenant_id, recipient_id=recipient.pk, id__lt=before)
    names = [f.attname for f in InboxMessage._meta.concrete_fields if f.attname not in ("tenant_id", "recipient_id")]
    return list(rows.order_by("-id").values(*names)[:most])
