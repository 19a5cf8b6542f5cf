"""Erase a recipient's inbox. Registered as an eraser (tenants.erasure)."""

from __future__ import annotations

import uuid

from django.db import transaction

from inbox.models import Feed, InboxMessage
from tenants.erasure import Erased


def erase(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> Erased:
    """Delete the messages and their counters. Engine role."""
    with transaction.atomic():
        # as every writer does, the feed's row is locked first
        list(Feed.objects.select_for_update().filter(recipient_id=recipient_id))
        messages, _ = InboxMessage.objects.filter(recipient_id=recipient_id).delete()
        Feed.objects.filter(recipient_id=recipient_id).delete()
    return Erased(messages)
