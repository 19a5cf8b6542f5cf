"""/v1/recipients/<external_id>/erase and /v1/erasures: erase a person, and the receipt of it."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.views import TenantView
from notifier.api.people.recipients import TAGS, find
from notifier.tasks import post
from tenants import erasure
from tenants.access import get_owned
from tenants.models import Erasure

_EXAMPLE = OpenApiExample(
    "Done",
    {
        "id": "01936f2a-7c3d-7e1f-8a2b-1234567890ab",
        "state": "done",
        "removed": {"devices": 2, "preferences": 1, "suppressions": 0, "messages": 118, "inbox_messages": 31},
        "requested_at": "2030-01-31T09:00:00Z",
        "finished_at": "2030-01-31T09:01:10Z",
    },
    response_only=True,
)


class ErasureOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(Erasure.State.choices, help_text="done: nothing of the person is left.")
    removed = serializers.DictField(child=serializers.IntegerField(), help_text="What was erased, by kind.")
    requested_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class EraseView(TenantView):
    scope = "recipients"

    @schema.post("Erase a person", None, ErasureOutput, 404, tags=TAGS, examples=[_EXAMPLE])
    def post(self, request: Request, external_id: str) -> Response:
        """From now on nothing is sent to the person. The rest follows within two minutes; the answer is a receipt, and
        a repeat returns the same one."""
        erased = erasure.request(find(self.tenant, external_id), self.actor)
        transaction.on_commit(lambda: post("tenants.erase", queue="batch"))
        return Response(ErasureOutput(erased).data, status=201)


class ErasureView(TenantView):
    scope = "recipients"

    @schema.describe("Read the receipt of an erasure", gives=ErasureOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, erasure_id: uuid.UUID) -> Response:
        """It names no person."""
        return Response(ErasureOutput(get_owned(Erasure.objects.all(), self.tenant, pk=erasure_id)).data)
