"""The page "Why did this person not get it?" of a campaign, also for people who were left out when it was armed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from campaigns.admin.base import CampaignPage, View
from campaigns.report.explain import explain_recipient
from notifier.values.trim import trimmed
from notifier.vocabulary.status import Status
from tenants.models import Recipient


class ExplainView(CampaignPage):
    """Mixin of CampaignAdmin."""

    def views(self) -> Mapping[str, View]:
        return {**super().views(), "explain": require_safe(self.explain_view)}

    def explain_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        campaign = self.find(request, pk)
        external_id = trimmed(request.GET.get("recipient", ""))[:128]
        found = Recipient.objects.filter(tenant_id=campaign.tenant_id, external_id=external_id).first()
        explained = None if found is None else explain_recipient(campaign, found, datetime.now(UTC))
        context = {
            **self.admin_site.each_context(request),
            "title": "Why did a person not get it?",
            "original": campaign,
            "external_id": external_id,
            "recipient": found,
            "explained": explained,
            "sent": [] if explained is None else [(d, Status(d.delivery.status).label) for d in explained.deliveries],
        }
        return TemplateResponse(request, "admin/campaigns/campaign/explain.html", context)
