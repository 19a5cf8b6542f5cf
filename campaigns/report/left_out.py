"""Tells webhooks which messages arming left out of a campaign: once, when the campaign is closed the first time."""

from __future__ import annotations

from campaigns.arming import delivery_id_range
from campaigns.audit import Act
from campaigns.models import Campaign
from notifier.delivery.webhooks import deliveries
from notifier.delivery.webhooks.deliveries import LeftOut
from tenants.models import AuditLog


def tell(campaign: Campaign) -> None:
    """In the transaction that closes the campaign. A campaign that was stopped before GO left nobody out."""
    if campaign.launched_at is None or not deliveries.is_told([campaign.tenant_id]):
        return
    earlier = AuditLog.objects.filter(tenant_id=campaign.tenant_id, object_id=str(campaign.pk))
    # a retry opens the campaign again, and it is closed once more
    if not earlier.filter(action=f"campaign.{Act.FINISHED}").exists():
        low, high = delivery_id_range(campaign)
        deliveries.left_out(LeftOut(campaign.tenant_id, campaign.pk, low, high, campaign.launched_at))
