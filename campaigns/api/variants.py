"""`/v1/campaigns/<id>/variants`: the A/B test of a campaign, and its results. The winner is a control
(`POST /v1/campaigns/<id>/choose_winner`)."""

from __future__ import annotations

import uuid

from django.utils import translation
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.base import OneCampaignView
from campaigns.api.shapes import TAGS
from campaigns.api.variants_shapes import VariantResultsOutput, VariantsInput, VariantsOutput, show_variants
from campaigns.edit.variants import put_variants, remove_variants
from campaigns.models import Campaign, CampaignVariant, Experiment
from campaigns.variants.results import as_json, results
from notifier.api.framework import schema
from notifier.errors import NotFound


def _show(campaign: Campaign) -> Response:
    variants = CampaignVariant.objects.filter(campaign=campaign).select_related("template", "version")
    return Response(show_variants(campaign, _experiment(campaign), list(variants)))


def _experiment(campaign: Campaign) -> Experiment:
    experiment = Experiment.objects.filter(campaign=campaign).first()
    if experiment is None:
        raise NotFound("This campaign has no variants.", field="id")
    return experiment


class CampaignVariantsView(OneCampaignView):
    @schema.describe("Show the variants of a campaign", gives=VariantsOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return _show(self.find(campaign_id, to_change=False))

    @schema.describe(
        "Give a campaign two to eight variants, or replace them; an armed campaign returns to draft",
        takes=VariantsInput,
        gives=VariantsOutput,
        fails=(400, 404, 409, 413, 415),
        tags=TAGS,
    )
    def put(self, request: Request, campaign_id: uuid.UUID) -> Response:
        campaign = self.find(campaign_id)
        put_variants(campaign, self.read(VariantsInput), by=self.actor)
        return _show(campaign)

    @schema.describe("Remove the variants of a campaign", status=204, fails=(404, 409), tags=TAGS)
    def delete(self, request: Request, campaign_id: uuid.UUID) -> Response:
        """The campaign's own template stays. A repeat changes nothing."""
        remove_variants(self.find(campaign_id), by=self.actor)
        return Response(status=204)


class VariantResultsView(OneCampaignView):
    reads_replica = True

    @schema.describe("What the variants did", gives=VariantResultsOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        campaign = self.find(campaign_id, to_change=False)
        _experiment(campaign)
        with translation.override("en"):
            return Response(as_json(results(campaign)))
