"""`/v1/campaigns`: list, create, show, change, delete, and the results."""

from __future__ import annotations

import uuid

from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.base import CampaignsScopeView, OneCampaignView
from campaigns.api.shapes import (
    TAGS,
    CampaignChangeInput,
    CampaignInput,
    CampaignOutput,
    CampaignResultsOutput,
    show_campaign,
    show_campaigns,
)
from campaigns.edit import campaigns, drafts
from campaigns.models import Campaign
from campaigns.report import stored
from campaigns.report.results_json import as_json
from notifier.api.framework import schema
from notifier.api.framework.pagination import page


class CampaignsView(CampaignsScopeView):
    reads_replica = True

    @schema.get_list("List campaigns, newest first", CampaignOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        rows = Campaign.objects.filter(tenant_id=self.tenant_id).select_related("template")
        return Response(page(request, rows, show_campaigns))

    @schema.post("Create a campaign as a draft", CampaignInput, CampaignOutput, tags=TAGS)
    def post(self, request: Request) -> Response:
        fields = self.read(CampaignInput)
        campaign = campaigns.create(self.tenant, fields, mode=self.caller.mode, by=self.actor)
        return Response(show_campaign(campaign), status=201)


class CampaignView(OneCampaignView):
    @schema.describe("Show a campaign", gives=CampaignOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return Response(show_campaign(self.find(campaign_id, to_change=False)))

    @schema.describe(
        "Change a campaign: before GO, and its limits until it has ended; one that is armed returns to draft when its "
        "messages change",
        takes=CampaignChangeInput,
        gives=CampaignOutput,
        fails=(400, 404, 409, 413, 415),
        tags=TAGS,
    )
    def patch(self, request: Request, campaign_id: uuid.UUID) -> Response:
        fields = self.read(CampaignChangeInput)
        return Response(show_campaign(campaigns.update(self.find(campaign_id), fields, by=self.actor)))

    @schema.describe("Delete a draft", status=204, fails=(404, 409), tags=TAGS)
    def delete(self, request: Request, campaign_id: uuid.UUID) -> Response:
        """A campaign that was launched is never deleted: it is the record of its messages."""
        drafts.delete(self.find(campaign_id), by=self.actor)
        return Response(status=204)


class CampaignResultsView(OneCampaignView):
    @schema.describe("What became of the messages", gives=CampaignResultsOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return Response(as_json(stored.results_of(self.find(campaign_id, to_change=False))))
