"""`/v1/campaigns`: from draft to results."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import arming
from campaigns.api.shapes import (
    TAGS,
    CampaignInput,
    CampaignOutput,
    CampaignPatch,
    ResultsOutput,
    show_campaign,
    show_campaigns,
)
from campaigns.edit import campaigns, drafts
from campaigns.lifecycle.transition import By
from campaigns.models import Campaign
from campaigns.report import results
from notifier.api.framework import schema
from notifier.api.framework.pagination import page
from notifier.api.framework.views import TenantView
from notifier.vocabulary.status import Mode
from tenants import audit
from tenants.access import get_owned


class CampaignsView(TenantView):
    scope = "campaigns"

    @schema.get_list("List campaigns, newest first", CampaignOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        rows = Campaign.objects.filter(tenant_id=self.tenant_id).select_related("template")
        return Response(page(request, rows, show_campaigns))

    @schema.post("Create a campaign as a draft", CampaignInput, CampaignOutput, tags=TAGS)
    def post(self, request: Request) -> Response:
        made = campaigns.create(self.tenant, self.read(CampaignInput), mode=self.caller.mode)
        self._note(made)
        return Response(show_campaign(made), status=201)

    def _note(self, campaign: Campaign) -> None:
        audit.record(self.tenant_id, "campaign.added", campaign.pk, api_key_id=self.caller.key_id)


class CampaignStep(TenantView):
    """Base of what is done to one campaign."""

    scope = "campaigns"

    def find(self, campaign_id: uuid.UUID, *, to_change: bool = True) -> Campaign:
        rows = Campaign.objects.select_related("tenant", "template__category", "audience")
        campaign = get_owned(rows, self.tenant, pk=campaign_id)
        if to_change:
            campaigns.check_mode(campaign, Mode(self.caller.mode))
        return campaign

    def note(self, campaign: Campaign, verb: str, **detail: Any) -> None:
        audit.record(self.tenant_id, f"campaign.{verb}", campaign.pk, detail, api_key_id=self.caller.key_id)


class CampaignView(CampaignStep):
    @schema.describe("Show a campaign", gives=CampaignOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return Response(show_campaign(self.find(campaign_id, to_change=False)))

    @schema.describe(
        "Change a campaign: before GO, and its limits until it has ended; one that is armed returns to draft when its "
        "messages change",
        takes=CampaignPatch,
        gives=CampaignOutput,
        fails=(400, 404, 409, 413, 415),
        tags=TAGS,
    )
    def patch(self, request: Request, campaign_id: uuid.UUID) -> Response:
        asked = self.read(CampaignPatch)
        saved = campaigns.update(self.find(campaign_id), asked)
        self.note(saved, "changed", fields=sorted(asked))
        return Response(show_campaign(saved))

    @schema.describe("Delete a draft", status=204, fails=(404, 409), tags=TAGS)
    def delete(self, request: Request, campaign_id: uuid.UUID) -> Response:
        """What was launched is never deleted: it is the account of its messages."""
        drafts.delete(self.find(campaign_id), By(api_key_id=self.caller.key_id))
        return Response(status=204)


class ArmView(CampaignStep):
    @schema.post(
        "Arm: freeze the audience, check and prepare every message", None, CampaignOutput, 404, status=202, tags=TAGS
    )
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        campaign = self.find(campaign_id)
        arming.request_arm(campaign)
        self.note(campaign, "arm")
        return Response(show_campaign(self.find(campaign_id)), status=202)


class ResultsView(CampaignStep):
    @schema.describe("What became of it", gives=ResultsOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return Response(results.as_json(results.results(self.find(campaign_id, to_change=False))))
