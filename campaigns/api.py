"""`/v1/audiences` and `/v1/campaigns`: the campaign road for tenants' servers. Keys need the scope `campaigns`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import audience as audiences
from campaigns import control, edit, launch, prepare, results
from campaigns.audience import ListReport
from campaigns.models import Audience, Campaign
from notifier.api import schema
from notifier.api.base import TenantView
from notifier.api.errors import TooLarge
from notifier.api.fields import Object, Text, Time
from notifier.api.pagination import page
from notifier.vocabulary import Mode
from tenants import audit
from tenants.access import owned

TAGS = ["campaigns"]


# ---- what goes in and out ----------------------------------------------------------------------------------------


class AudienceInput(serializers.Serializer[Any]):
    """A segment with its filter, or a list whose members are put afterwards."""

    name = Text(max_length=edit.MAX_NAME)
    source = serializers.ChoiceField(Audience.Source.choices)  # type: ignore[assignment]
    filter = serializers.JSONField(
        required=False,
        help_text='Conditions that must all hold: [{"field": "attributes.plan", "op": "eq", "value": "pro"}].',
    )


class AudienceOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    filter = serializers.JSONField()
    size = serializers.IntegerField(help_text="Ids in a list; 0 for a segment.")
    created_at = serializers.DateTimeField()


class AudienceDetail(AudienceOutput):
    reaches = serializers.IntegerField(help_text="Recipients it has now.")


class MembersInput(serializers.Serializer[Any]):
    external_ids = serializers.ListField(child=serializers.JSONField(), help_text="Replace those that are in it.")


class ProblemOutput(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    reason = serializers.CharField()


class MembersOutput(serializers.Serializer[Any]):
    rows = serializers.IntegerField()
    stored = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = serializers.IntegerField()
    problems = ProblemOutput(many=True, help_text="The first hundred.")


class CampaignPatch(serializers.Serializer[Any]):
    """What is left out stays as it is."""

    name = Text(max_length=edit.MAX_NAME, required=False)
    template = Text(max_length=64, required=False, help_text="The key of a template with a published version.")
    audience = Text(max_length=36, required=False, allow_null=True, help_text="The id of an audience.")
    channels = serializers.ListField(
        child=Text(max_length=16), required=False, help_text="Without it, all that the template has."
    )
    data = Object(edit.MAX_DATA_BYTES, required=False, help_text="Variables of the template.")  # type: ignore[assignment]
    not_after = Time(required=False, allow_null=True, help_text="Nothing leaves after this.")


class CampaignInput(CampaignPatch):
    name = Text(max_length=edit.MAX_NAME)
    template = Text(max_length=64, help_text="The key of a template with a published version.")


class CampaignOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.CharField()
    mode = serializers.CharField()
    template = serializers.CharField(source="template.key")
    audience = serializers.UUIDField(source="audience_id", allow_null=True)
    channels = serializers.ListField(child=serializers.CharField())
    data = serializers.JSONField()  # type: ignore[assignment]
    not_after = serializers.DateTimeField(allow_null=True)
    audience_size = serializers.IntegerField(help_text="People looked at by the last arming.")
    prepared = serializers.IntegerField(help_text="How far arming is.")
    excluded = serializers.DictField(child=serializers.IntegerField(), help_text="Left out while arming, by reason.")
    failure = serializers.CharField(help_text="Why the last arming failed.")
    created_at = serializers.DateTimeField()
    armed_at = serializers.DateTimeField(allow_null=True)
    launched_at = serializers.DateTimeField(allow_null=True)
    stopped_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class GoOutput(serializers.Serializer[Any]):
    launched = serializers.BooleanField(help_text="True for the one request that launched it.")
    state = serializers.CharField()


class StopOutput(serializers.Serializer[Any]):
    stopped = serializers.BooleanField(help_text="True for the one request that stopped it.")
    state = serializers.CharField()


class ResultsOutput(serializers.Serializer[Any]):
    """Counts and times from the ledger."""

    state = serializers.CharField()
    audience = serializers.IntegerField()
    excluded = serializers.DictField(child=serializers.IntegerField(), help_text="Left out while arming, by reason.")
    suppressed = serializers.DictField(child=serializers.IntegerField(), help_text="Ledger rows that a no held back.")
    sent = serializers.IntegerField()
    not_sent = serializers.IntegerField()
    in_doubt = serializers.IntegerField()
    waiting = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True)
    rate_per_s = serializers.FloatField(allow_null=True)
    p50_ms = serializers.IntegerField(allow_null=True, help_text="From GO to the provider's answer.")
    p95_ms = serializers.IntegerField(allow_null=True)
    p99_ms = serializers.IntegerField(allow_null=True)
    last_ms = serializers.IntegerField(allow_null=True)
    channels = serializers.DictField(help_text="The same for each channel, with counts by status and reason.")
    throughput = serializers.ListField(child=serializers.DictField())
    workers = serializers.ListField(child=serializers.DictField())
    shards = serializers.DictField(child=serializers.IntegerField())


def show_audiences(rows: Sequence[Audience]) -> list[Any]:
    return [dict(AudienceOutput(row).data) for row in rows]


def show_campaigns(rows: Sequence[Campaign]) -> list[Any]:
    return [show_campaign(row) for row in rows]


def show_campaign(row: Campaign) -> dict[str, Any]:
    # not `.data`, which type checkers take for the field of that name
    return dict(CampaignOutput().to_representation(row))


# ---- audiences ---------------------------------------------------------------------------------------------------


class AudiencesView(TenantView):
    scope = "campaigns"

    @schema.get_list("List audiences, newest first", AudienceOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        return Response(page(request, Audience.objects.filter(tenant_id=self.tenant_id), show_audiences))

    @schema.post("Create an audience", AudienceInput, AudienceOutput, tags=TAGS)
    def post(self, request: Request) -> Response:
        asked = self.read(AudienceInput)
        made = edit.create_audience(self.tenant, asked["name"], asked["source"], asked.get("filter", []))
        return Response(AudienceOutput(made).data, status=201)


class AudienceView(TenantView):
    scope = "campaigns"

    @schema.describe("Show an audience and how many it reaches", gives=AudienceDetail, fails=(400, 404), tags=TAGS)
    def get(self, request: Request, audience_id: uuid.UUID) -> Response:
        found = owned(Audience.objects.all(), self.tenant, pk=audience_id)
        return Response({**AudienceOutput(found).data, "reaches": audiences.count(found)})


class MembersView(TenantView):
    """A list's members. A CSV is read line by line, so that a million ids need no more memory than ten."""

    scope = "campaigns"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if not _is_csv(request):
            super().initial(request, *args, **kwargs)
            return
        # without the limit on JSON bodies, which would read the whole of it into memory; the import has its own
        APIView.initial(self, request, *args, **kwargs)
        announced = str(request.META.get("CONTENT_LENGTH") or "0")
        if announced.isdecimal() and int(announced) > settings.IMPORT_MAX_BYTES:
            raise TooLarge(f"The file is over the limit of {settings.IMPORT_MAX_BYTES} bytes; split it.")

    @extend_schema(
        summary="Replace the members of a list: text/csv, or JSON",
        tags=TAGS,
        request={"application/json": MembersInput, "text/csv": str},
        responses={200: MembersOutput, **schema.problems(400, 404, 409, 413, 415)},
    )
    def put(self, request: Request, audience_id: uuid.UUID) -> Response:
        audience = owned(Audience.objects.all(), self.tenant, pk=audience_id)
        if _is_csv(request):
            file: HttpRequest = request._request
            report = edit.replace_members(audience, lambda a: audiences.fill(a, file))
        else:
            ids = self.read(MembersInput)["external_ids"]
            report = edit.replace_members(audience, lambda a: audiences.fill_ids(a, ids))
        self._note(audience, report)
        return Response(MembersOutput(report).data)

    def _note(self, audience: Audience, report: ListReport) -> None:
        detail = {"stored": report.stored, "rejected": report.rejected}
        audit.record(self.tenant_id, "audience.filled", audience.pk, detail, api_key_id=self.caller.key_id)


def _is_csv(request: Request) -> bool:
    return (request.content_type or "").partition(";")[0].strip().lower() == "text/csv"


# ---- campaigns ---------------------------------------------------------------------------------------------------


class CampaignsView(TenantView):
    scope = "campaigns"

    @schema.get_list("List campaigns, newest first", CampaignOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        rows = Campaign.objects.filter(tenant_id=self.tenant_id).select_related("template")
        return Response(page(request, rows, show_campaigns))

    @schema.post("Create a campaign as a draft", CampaignInput, CampaignOutput, tags=TAGS)
    def post(self, request: Request) -> Response:
        made = edit.create(self.tenant, self.read(CampaignInput), mode=self.caller.mode)
        self._note(made)
        return Response(show_campaign(made), status=201)

    def _note(self, campaign: Campaign) -> None:
        audit.record(self.tenant_id, "campaign.added", campaign.pk, api_key_id=self.caller.key_id)


class CampaignStep(TenantView):
    """Base of what is done to one campaign."""

    scope = "campaigns"

    def find(self, campaign_id: uuid.UUID, *, to_change: bool = True) -> Campaign:
        rows = Campaign.objects.select_related("tenant", "template__category", "audience")
        campaign = owned(rows, self.tenant, pk=campaign_id)
        if to_change:
            edit.check_mode(campaign, Mode(self.caller.mode))
        return campaign

    def note(self, campaign: Campaign, verb: str, **detail: Any) -> None:
        audit.record(self.tenant_id, f"campaign.{verb}", campaign.pk, detail, api_key_id=self.caller.key_id)


class CampaignView(CampaignStep):
    @schema.describe("Show a campaign", gives=CampaignOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return Response(show_campaign(self.find(campaign_id, to_change=False)))

    @schema.describe(
        "Change a campaign before GO; an armed one returns to draft",
        takes=CampaignPatch,
        gives=CampaignOutput,
        fails=(400, 404, 409, 413, 415),
        tags=TAGS,
    )
    def patch(self, request: Request, campaign_id: uuid.UUID) -> Response:
        asked = self.read(CampaignPatch)
        saved = edit.update(self.find(campaign_id), asked)
        self.note(saved, "changed", fields=sorted(asked))
        return Response(show_campaign(saved))


class ArmView(CampaignStep):
    @schema.post(
        "Arm: freeze the audience, check and prepare every message", None, CampaignOutput, 404, status=202, tags=TAGS
    )
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        campaign = self.find(campaign_id)
        prepare.request_arm(campaign)
        self.note(campaign, "arm")
        return Response(show_campaign(self.find(campaign_id)), status=202)


class GoView(CampaignStep):
    @schema.post("GO. A repeat is harmless", None, GoOutput, 404, status=200, tags=TAGS)
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        campaign = self.find(campaign_id)
        launched = launch.go(self.tenant_id, campaign.pk, api_key_id=self.caller.key_id)
        campaign.refresh_from_db(fields=["state"])
        return Response({"launched": launched, "state": campaign.state})


class StopView(CampaignStep):
    @schema.post("Stop: no request begins more than a second later", None, StopOutput, 404, status=200, tags=TAGS)
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        campaign = self.find(campaign_id)
        stopped = control.stop(self.tenant_id, campaign.pk, api_key_id=self.caller.key_id)
        campaign.refresh_from_db(fields=["state"])
        return Response({"stopped": stopped, "state": campaign.state})


class ResultsView(CampaignStep):
    @schema.describe("What became of it", gives=ResultsOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return Response(results.as_json(results.results(self.find(campaign_id, to_change=False))))


urlpatterns = [
    path("v1/audiences", AudiencesView.as_view()),
    path("v1/audiences/<uuid:audience_id>", AudienceView.as_view()),
    path("v1/audiences/<uuid:audience_id>/members", MembersView.as_view()),
    path("v1/campaigns", CampaignsView.as_view()),
    path("v1/campaigns/<uuid:campaign_id>", CampaignView.as_view()),
    path("v1/campaigns/<uuid:campaign_id>/arm", ArmView.as_view()),
    path("v1/campaigns/<uuid:campaign_id>/go", GoView.as_view()),
    path("v1/campaigns/<uuid:campaign_id>/stop", StopView.as_view()),
    path("v1/campaigns/<uuid:campaign_id>/results", ResultsView.as_view()),
]
