"""`/v1/audiences`: segments, lists, and everybody."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import audience as audiences
from campaigns import edit
from campaigns.api.shapes import (
    TAGS,
    AudienceDetail,
    AudienceInput,
    AudienceOutput,
    MembersInput,
    MembersOutput,
    show_audiences,
)
from campaigns.audience import ListReport
from campaigns.models import Audience
from notifier.api import schema
from notifier.api.base import TenantView
from notifier.api.errors import TooLarge
from notifier.api.pagination import page
from tenants import audit
from tenants.access import owned


class AudiencesView(TenantView):
    scope = "campaigns"

    @schema.get_list("List audiences, newest first", AudienceOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        return Response(page(request, Audience.objects.filter(tenant_id=self.tenant_id), show_audiences))

    @schema.post("Create an audience", AudienceInput, AudienceOutput, tags=TAGS)
    def post(self, request: Request) -> Response:
        asked = self.read(AudienceInput)
        made = edit.create_audience(self.tenant, asked["name"], asked["source"], asked.get("filter"))
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
    streams = "text/csv"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not self._is_csv(request):
            return
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
        if self._is_csv(request):
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

    def _is_csv(self, request: Request) -> bool:
        return (request.content_type or "").partition(";")[0].strip().lower() == self.streams
