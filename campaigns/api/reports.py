"""`/v1/campaigns/<id>/report` and `/correct`: the funnel of a campaign, and a correction for those who got it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.base import OneCampaignView
from campaigns.api.shapes import TAGS, CampaignOutput, show_campaign
from campaigns.edit import corrections
from campaigns.models import Campaign
from campaigns.report import stored
from campaigns.report.funnel import DIMENSIONS, STEPS, Funnel, breakdown, curve, funnel_of
from notifier.api.framework import schema
from notifier.api.framework.fields import ChannelNames
from notifier.errors import Conflict


class CampaignFunnelOutput(serializers.Serializer[Any]):
    """Messages by the step that they reached; each step includes the later ones, but for `unsubscribed`."""

    sent = serializers.IntegerField()
    delivered = serializers.IntegerField(allow_null=True, help_text="null: the provider reports nothing after sending.")
    opened = serializers.IntegerField(allow_null=True)
    clicked = serializers.IntegerField(allow_null=True)
    unsubscribed = serializers.IntegerField(
        help_text="Messages whose recipients opted out of its category, of its channel or of everything within "
        f"{stored.OPT_OUT_DAYS} days after the message. A recipient who got three messages counts three times."
    )
    bounced = serializers.IntegerField()
    complained = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="Failed, expired, or in doubt.")


class CampaignReportOutput(serializers.Serializer[Any]):
    """The report of a launched campaign."""

    counted_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was counted; null: a worker counts it for the first time, ask again."
    )
    counting = serializers.BooleanField(help_text="A newer count is on its way.")
    funnel = CampaignFunnelOutput(allow_null=True)
    by = serializers.DictField(
        child=serializers.DictField(child=CampaignFunnelOutput()),
        help_text=f"The same by {', '.join(DIMENSIONS)}.",
    )
    over_time = serializers.DictField(
        child=serializers.ListField(child=serializers.ListField(child=serializers.FloatField())),
        help_text="Step -> [seconds since GO, messages that had reached the step by then].",
    )


class CampaignCorrectInput(serializers.Serializer[Any]):
    channels = ChannelNames(
        required=False,
        help_text="Channels of the campaign. Without it: those whose later message replaces the earlier one, else all.",
    )


class CampaignReportView(OneCampaignView):
    reads_replica = True

    @schema.describe(
        "The funnel from sent to unsubscribed: in all, by channel, language, platform and provider, and over time",
        gives=CampaignReportOutput,
        fails=(404, 409),
        tags=TAGS,
    )
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return Response(show_report(self.find(campaign_id, to_change=False)))


class CampaignCorrectView(OneCampaignView):
    @schema.post(
        "A draft to the addresses that got the campaign, which replaces the messages on their phones",
        CampaignCorrectInput,
        CampaignOutput,
        404,
        tags=TAGS,
    )
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        fields = self.read(CampaignCorrectInput)
        draft = corrections.correct(self.find(campaign_id), fields.get("channels"), by=self.actor)
        return Response(show_campaign(draft), status=201)


def show_report(campaign: Campaign) -> dict[str, Any]:
    """Raises Conflict for a campaign that was not launched."""
    if campaign.launched_at is None:
        raise Conflict("A campaign has a report once it was launched.", code="not_launched")
    report = stored.report_of(campaign)
    if report is None:
        return _shown(None, counting=True)
    cells, accounts = report.counted.cells, report.counted.accounts
    return {
        **_shown(report.counted_at, counting=report.is_counting),
        "funnel": _funnel(funnel_of(cells)),
        "by": {
            dimension: {value: _funnel(funnel) for value, funnel in breakdown(cells, dimension, accounts).items()}
            for dimension in DIMENSIONS
        },
        "over_time": {step: curve(report.counted.intervals, step, report.counted.width) for step in STEPS},
    }


def _shown(counted_at: datetime | None, *, counting: bool) -> dict[str, Any]:
    return {"counted_at": counted_at, "counting": counting, "funnel": None, "by": {}, "over_time": {}}


def _funnel(funnel: Funnel) -> dict[str, int | None]:
    steps = {step: funnel.count_of(step) for step in STEPS}
    return {**steps, "bounced": funnel.bounced, "complained": funnel.complained, "failed": funnel.failed}
