"""Opt a recipient out of one category on one channel; the unsubscribe link of an email calls this."""

from __future__ import annotations

import uuid

from tenants.models import Preference, Recipient


def opt_out(tenant_id: uuid.UUID, recipient_id: uuid.UUID, channel: str, category: str) -> None:
    """Needs an open transaction in the tenant's scope. A repeat changes nothing, and neither does the link of a
    deleted recipient. A trigger writes the consent change."""
    if not Recipient.objects.filter(pk=recipient_id, tenant_id=tenant_id).exists():
        return
    Preference.objects.get_or_create(recipient_id=recipient_id, defaults={"tenant_id": tenant_id})
    preference = Preference.objects.select_for_update().get(recipient_id=recipient_id)
    entry = f"{category}:{channel}"
    if not {entry, category} & set(preference.categories_off):
        preference.categories_off = [*preference.categories_off, entry]
        preference.save(update_fields=["categories_off", "updated_at"])
