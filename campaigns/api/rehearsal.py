"""`/v1/campaigns/<id>/preflight`, `/rehearse` and `/test`: what a careful sender does before GO."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.base import OneCampaignView
from campaigns.api.shapes import (
    EXCLUDED,
    RENDER_PROBLEMS,
    TAGS,
    TOPIC,
    UNREACHED,
    WAVES,
    CampaignOutput,
    CampaignWaveOutput,
    RenderProblemOutput,
    show_campaign,
)
from campaigns.preflight import preflight, rehearse, test_send
from notifier.api import shapes
from notifier.api.framework import schema
from notifier.api.framework.fields import Text

SECONDS = OpenApiParameter(
    "seconds", float, description="What would the campaign need to be answered in so many seconds?"
)


class PreflightReadyOutput(serializers.Serializer[Any]):
    channel = serializers.CharField()
    account = serializers.CharField()
    provider = serializers.CharField()
    messages = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True, help_text="Messages a second that the account allows.")
    by_default = serializers.BooleanField(help_text="The rate is the provider's default.")
    enabled = serializers.BooleanField()
    seconds = serializers.FloatField(help_text="The least time that the rate allows.")
    per_worker = serializers.FloatField(allow_null=True, help_text="Messages a second of one worker.")
    shown_by = serializers.CharField(help_text="The campaign that showed `per_worker`; empty: an assumption.")
    platform = serializers.CharField(help_text="Of the devices that the account sends to, such as apns; may be empty.")
    prepared = serializers.BooleanField(help_text="Arming encrypted each message (Web Push).")
    segments = serializers.IntegerField(help_text="SMS segments of all messages together; 0 on other channels.")
    price_per_segment = serializers.FloatField(help_text="As the account's settings say; 0: unknown.")
    cost = serializers.FloatField(allow_null=True, help_text="`segments` at `price_per_segment`.")


class PreflightNeedOutput(serializers.Serializer[Any]):
    channel = serializers.CharField()
    workers = serializers.IntegerField()
    connections_per_worker = serializers.IntegerField()
    rate_per_s = serializers.FloatField()
    says = serializers.ListField(child=serializers.CharField())


class CampaignPreflightOutput(serializers.Serializer[Any]):
    audience = serializers.IntegerField()
    topic = serializers.CharField(help_text=TOPIC)
    unreached = serializers.IntegerField(help_text=UNREACHED)
    excluded = serializers.DictField(child=serializers.IntegerField(), help_text=EXCLUDED)
    problems = RenderProblemOutput(many=True, help_text=RENDER_PROBLEMS)
    messages = serializers.IntegerField()
    segments = serializers.IntegerField(help_text="SMS segments of all messages together.")
    cost = serializers.FloatField(allow_null=True, help_text="Of all accounts with a price per segment.")
    ready = PreflightReadyOutput(many=True)
    arithmetic = serializers.ListField(child=serializers.CharField(), help_text="What the rate limits mean.")
    waves = CampaignWaveOutput(many=True, help_text=WAVES)
    seconds = serializers.FloatField(allow_null=True, help_text="About how long the campaign will take.")
    because = serializers.CharField(help_text="What decides how long.")
    workers = serializers.DictField(
        child=serializers.IntegerField(), allow_null=True, help_text="Workers that listen now, by channel."
    )
    needs = PreflightNeedOutput(many=True, help_text="With `seconds`: what that time needs.")
    warnings = serializers.ListField(child=serializers.CharField())


class CampaignTestInput(serializers.Serializer[Any]):
    recipient = Text(max_length=128, help_text="The external id of the recipient who gets it.")


class CampaignPreflightView(OneCampaignView):
    @schema.describe(
        "What an armed campaign is about to do",
        gives=CampaignPreflightOutput,
        fails=(400, 404, 409),
        tags=TAGS,
        parameters=[SECONDS],
    )
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        seconds = preflight.read_seconds(request.query_params.get("seconds"))
        return Response(preflight.as_json(preflight.preflight(self.find(campaign_id, to_change=False), seconds)))


class CampaignRehearseView(OneCampaignView):
    @schema.post(
        "Silent run: a copy goes the whole way, and no message is delivered",
        None,
        CampaignOutput,
        404,
        status=202,
        tags=TAGS,
    )
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        """Answers the campaign of the silent run, which arms and launches itself; its results are under its own id."""
        silent_run = rehearse.rehearse(self.find(campaign_id), self.actor)
        return Response(show_campaign(self.find(silent_run.pk, to_change=False)), status=202)


class CampaignTestView(OneCampaignView):
    @schema.post(
        "Test send: the campaign's message to one recipient",
        CampaignTestInput,
        shapes.AcceptedOutput,
        404,
        429,
        status=202,
        tags=TAGS,
    )
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        """What becomes of the message is under `/v1/notifications/<id>`."""
        campaign = self.find(campaign_id)
        recipient = self.read(CampaignTestInput)["recipient"]
        accepted = test_send.send(campaign, recipient, self.actor)
        deliveries = [
            {"id": d.id, "channel": d.channel, "status": d.status.label, "reason": d.reason}
            for d in accepted.deliveries
        ]
        return Response({"id": accepted.notification_id, "deliveries": deliveries}, status=202)
