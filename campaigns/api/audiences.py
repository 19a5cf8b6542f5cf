"""`/v1/audiences`: segments, lists, and all recipients."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.conf import settings
from django.core.files.base import File
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.base import CampaignsScopeView
from campaigns.api.shapes import (
    TAGS,
    AudienceDetailOutput,
    AudienceInput,
    AudienceMembersInput,
    AudienceMembersOutput,
    AudienceOutput,
    FilterCountOutput,
    FilterInput,
    show_audiences,
    show_members,
)
from campaigns.audience import Reach, check_kept, is_kept, loading, people_of, segment
from campaigns.edit import audiences, uploads
from campaigns.models import Audience
from notifier.api.framework import schema
from notifier.api.framework.errors import TooLarge
from notifier.api.framework.pagination import page
from notifier.errors import NotFound
from tenants.access import get_owned
from tenants.models import Import

_CHUNK, _IN_MEMORY = 256 * 1024, 2 * 1024 * 1024


class AudiencesView(CampaignsScopeView):
    reads_replica = True

    @schema.get_list("List audiences, newest first", AudienceOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        return Response(page(request, Audience.objects.filter(tenant_id=self.tenant_id), show_audiences))

    @schema.post("Create an audience", AudienceInput, AudienceOutput, tags=TAGS)
    def post(self, request: Request) -> Response:
        fields = self.read(AudienceInput)
        definition = audiences.Definition(**{name: value for name, value in fields.items() if name != "name"})
        audience = audiences.create(self.tenant, fields["name"], definition, by=self.actor)
        return Response(AudienceOutput(audience).data, status=201)


class FilterCountView(CampaignsScopeView):
    """How many recipients a filter finds, while it is being written."""

    @schema.post("Count the recipients that a filter finds", FilterInput, FilterCountOutput, status=200, tags=TAGS)
    def post(self, request: Request) -> Response:
        audience = segment(self.tenant_id, self.read(FilterInput)["filter"])
        check_kept(audience)
        reach = people_of(audience)
        return Response({"reaches": reach.people, "exact": reach.exact})


class AudienceView(CampaignsScopeView):
    @schema.describe(
        "Show an audience and how many it reaches", gives=AudienceDetailOutput, fails=(400, 404), tags=TAGS
    )
    def get(self, request: Request, audience_id: uuid.UUID) -> Response:
        audience = get_owned(Audience.objects.all(), self.tenant, pk=audience_id)
        is_loading = loading.running_upload(audience.pk) is not None
        reach = people_of(audience) if is_kept(audience) else Reach(None, exact=False)
        counted = {"reaches": reach.people, "exact": reach.exact}
        return Response({**AudienceOutput(audience).data, **counted, "loading": is_loading})


class AudienceMembersView(CampaignsScopeView):
    """A list's members. A CSV is read in pieces, so that a million ids need no more memory than ten."""

    scope = "campaigns"
    reads_replica = True
    streams = "text/csv"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not self._is_csv(request):
            return
        announced = str(request.META.get("CONTENT_LENGTH") or "0")
        if announced.isdecimal() and int(announced) > settings.IMPORT_MAX_BYTES:
            raise TooLarge(f"The file is over the limit of {settings.IMPORT_MAX_BYTES} bytes; split it.")

    @schema.describe("What became of a list's last upload", gives=AudienceMembersOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, audience_id: uuid.UUID) -> Response:
        """Also an upload that is still being read: `state`, and how many rows so far."""
        audience = get_owned(Audience.objects.all(), self.tenant, pk=audience_id)
        job = loading.last_upload(audience.pk)
        if job is None:
            raise NotFound("Nothing was uploaded to this audience.")
        return Response(show_members(job))

    @extend_schema(
        summary="Replace the members of a list: text/csv, or JSON",
        description=f"A CSV of more than {uploads.AT_ONCE:,} lines is read in the background: 202. Ask with GET until "
        "its `state` is `done`; until then the list stays as it was, and cannot be armed.",
        tags=TAGS,
        request={"application/json": AudienceMembersInput, "text/csv": str},
        responses={200: AudienceMembersOutput, 202: AudienceMembersOutput, **schema.problems(400, 404, 409, 413, 415)},
    )
    def put(self, request: Request, audience_id: uuid.UUID) -> Response:
        audience = get_owned(Audience.objects.select_related("tenant"), self.tenant, pk=audience_id)
        if self._is_csv(request):
            with _spooled(request._request) as file:
                job = uploads.put(audience, uploads.Upload(File(file, name="members.csv"), self.actor))
        else:
            job = uploads.put_ids(audience, self.read(AudienceMembersInput)["external_ids"], by=self.actor)
        return Response(show_members(job), status=200 if job.state == Import.State.DONE else 202)

    def _is_csv(self, request: Request) -> bool:
        return (request.content_type or "").partition(";")[0].strip().lower() == self.streams


@contextmanager
def _spooled(request: HttpRequest) -> Iterator[IO[bytes]]:
    """The body as a file, in memory while it is small. A request stores a small file itself; a worker reads a large
    one."""
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        read = 0
        while chunk := request.read(_CHUNK):
            read += len(chunk)
            if read > settings.IMPORT_MAX_BYTES:
                raise TooLarge(f"The file is over the limit of {settings.IMPORT_MAX_BYTES} bytes; split it.")
            file.write(chunk)
        file.seek(0)
        yield file
