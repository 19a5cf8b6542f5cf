"""/v1/frequency-caps: how many messages a recipient gets in an hour, a day or a week."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.fields import Integer, Text
from notifier.api.framework.pagination import page
from notifier.api.framework.views import TenantView
from notifier.delivery.caps import settings
from notifier.models import FrequencyCap
from notifier.models.caps import MOST
from notifier.values.trim import trimmed
from tenants import audit
from tenants.access import get_owned

TAGS = ["frequency caps"]
PERIODS = FrequencyCap.Period.values


def _most(**kwargs: Any) -> Integer:
    return Integer(
        min_value=1,
        max_value=MOST,
        help_text="Notifications and campaigns that one recipient gets in a period. To stop a category or a channel, "
        "archive or disable it instead.",
        **kwargs,
    )


class FrequencyCapInput(serializers.Serializer[Any]):
    """A category and a channel that are left out, null or empty stand for all."""

    category = Text(
        trimmed,
        max_length=64,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="Its key. Without one the cap holds all marketing messages together. Transactional and critical "
        "messages are held only by a cap that names their category.",
    )
    channel = Text(trimmed, max_length=16, required=False, allow_blank=True, allow_null=True)
    most = _most()
    period = serializers.ChoiceField(PERIODS, help_text="Of the recipient's own clock; a week begins on Monday.")


class FrequencyCapPatch(serializers.Serializer[Any]):
    """What a cap counts never changes: delete the cap and create another one."""

    most = _most(required=False)


class FrequencyCapOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    category = serializers.CharField(allow_null=True, help_text="null: all marketing messages together.")
    channel = serializers.CharField(allow_null=True, help_text="null: all channels together.")
    most = serializers.IntegerField()
    period = serializers.ChoiceField(PERIODS)


class FrequencyCapsView(TenantView):
    scope = "recipients"

    @schema.get_list("List frequency caps", FrequencyCapOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """The newest first."""
        caps = FrequencyCap.objects.filter(tenant_id=self.tenant_id).select_related("category")
        return Response(page(request, caps, _shown))

    @schema.post("Create a frequency cap", FrequencyCapInput, FrequencyCapOutput, tags=TAGS)
    def post(self, request: Request) -> Response:
        """It holds from the next request on, and in workers within two seconds. What left before it was created is not
        counted."""
        values = self.read(FrequencyCapInput)
        kind = (values.get("category") or "", values.get("channel") or "")
        cap = settings.create_cap(self.tenant, *kind, values["most"], values["period"])
        audit.record(self.tenant_id, "frequency_cap.create", cap.pk, {"cap": str(cap)}, by=self.actor)
        return Response(_shown([cap])[0], status=201)


class FrequencyCapView(TenantView):
    scope = "recipients"

    @schema.describe("Read a frequency cap", gives=FrequencyCapOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, frequency_cap_id: uuid.UUID) -> Response:
        """By its id."""
        return Response(_shown([self._find(frequency_cap_id)])[0])

    @schema.describe(
        "Change how many messages a cap allows",
        takes=FrequencyCapPatch,
        gives=FrequencyCapOutput,
        fails=(400, 404, 413, 415),
        tags=TAGS,
    )
    def patch(self, request: Request, frequency_cap_id: uuid.UUID) -> Response:
        """Places that were taken in the present windows stay taken."""
        cap, values = self._find(frequency_cap_id), self.read(FrequencyCapPatch)
        if "most" in values:
            cap.most = values["most"]
            cap.save(update_fields=["most", "changed_at"])
            audit.record(self.tenant_id, "frequency_cap.change", cap.pk, {"cap": str(cap)}, by=self.actor)
        return Response(_shown([cap])[0])

    @schema.describe("Delete a frequency cap", status=204, fails=(404,), tags=TAGS)
    def delete(self, request: Request, frequency_cap_id: uuid.UUID) -> Response:
        """Messages that it held until the next window still wait until then."""
        cap = self._find(frequency_cap_id)
        audit.record(self.tenant_id, "frequency_cap.delete", cap.pk, {"cap": str(cap)}, by=self.actor)
        cap.delete()
        return Response(status=204)

    def _find(self, frequency_cap_id: uuid.UUID) -> FrequencyCap:
        return get_owned(FrequencyCap.objects.select_related("category"), self.tenant, pk=frequency_cap_id)


def _shown(listed: Sequence[FrequencyCap]) -> list[Any]:
    return [
        {
            "id": cap.pk,
            "category": cap.category.key if cap.category else None,
            "channel": cap.channel or None,
            "most": cap.most,
            "period": cap.period,
        }
        for cap in listed
    ]
