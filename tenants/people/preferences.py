"""The row that holds a recipient's preferences, locked for a change of them."""

from __future__ import annotations

import uuid

from tenants.models import Preference


def lock_preferences(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> Preference:
    """The recipient's preferences; other changes wait for the end of this transaction. A recipient without preferences
    gets an empty row, because a row that is not there cannot be locked, and an unsubscribe at the same moment would be
    overwritten. Needs an open transaction in the tenant's scope."""
    Preference.objects.get_or_create(recipient_id=recipient_id, defaults={"tenant_id": tenant_id})
    return Preference.objects.select_for_update().get(recipient_id=recipient_id)
