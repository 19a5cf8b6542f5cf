"""`/v1/inbox/push-key`, `/v1/inbox/devices` and `/v1/inbox/events`: push for the page that holds a recipient token.

A person registers and removes only devices of their own. `static/push/notifier-push.js` calls these addresses.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.db.models import F, Q, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.http.base import TAGS, InboxView
from notifier.api import events
from notifier.api.framework import schema
from notifier.api.framework.fields import Object, Text
from notifier.api.framework.paths import path
from notifier.api.framework.views import read
from notifier.api.people.shapes import DeviceOutput, device_timezone
from notifier.api.push import WebPushKeyOutput
from notifier.delivery.accounts import webpush_keys
from notifier.errors import Forged
from notifier.values.trim import trimmed
from notifier.vocabulary.status import Mode
from tenants.models import Device, Recipient, Tenant
from tenants.people import devices
from tenants.people.platforms import MAX_SPELLING, check_token, platforms

WEBPUSH = "webpush"
#: devices of one person and platform. A token lasts an hour and registers what it likes: the newest stay
MOST_DEVICES = 50


class OwnDeviceInput(serializers.Serializer[Any]):
    platform = serializers.ChoiceField(platforms(), default=WEBPUSH)
    token = Text(max_length=MAX_SPELLING, required=False, help_text="As the platform gave it to the app.")
    subscription = Object(
        MAX_SPELLING,
        required=False,
        help_text="Of a browser, in place of token: what PushSubscription.toJSON() returns.",
    )
    app = Text(trimmed, max_length=100, required=False, allow_blank=True, help_text="Which of your apps.")
    timezone = device_timezone()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("token" in attrs) == ("subscription" in attrs):
            raise serializers.ValidationError({"token": "Either token or subscription is required, and not both."})
        if "subscription" in attrs:
            if attrs["platform"] != WEBPUSH:
                raise serializers.ValidationError({"subscription": f"Only the platform {WEBPUSH} has subscriptions."})
            attrs["token"] = orjson.dumps(attrs.pop("subscription")).decode()
        return attrs


class OwnDeviceRemoval(OwnDeviceInput):
    app = None  # type: ignore[assignment]
    timezone = None  # type: ignore[assignment]


class PushKeyView(InboxView):
    @schema.describe(
        "Read the key of Web Push for a page",
        gives=WebPushKeyOutput,
        fails=(404,),
        tags=TAGS,
        parameters=[OpenApiParameter("app", str, description="Of several Web Push accounts, the one of this app.")],
    )
    def get(self, request: Request) -> Response:
        """The key with which a browser subscribes. 404 `no_push_key` while the tenant has no Web Push account."""
        tenant = Tenant.objects.get(pk=self.visitor().tenant_id)
        key = webpush_keys.current_key(tenant, Mode.LIVE, request.query_params.get("app", ""))
        return Response(WebPushKeyOutput({"public_key": key.public_key, "key_id": key.key_id}).data)


class OwnDevicesView(InboxView):
    @schema.put("Register an own device", OwnDeviceInput, DeviceOutput, also=201, tags=TAGS)
    def put(self, request: Request) -> Response:
        """Safe to repeat at every start of the page: it tells that the device is still in use. A device of another
        recipient moves to this one. Beyond 50 devices of one platform the longest unused are removed."""
        values, recipient = read(OwnDeviceInput, request.data), self._recipient()
        device_id, created = devices.register(
            recipient, values["platform"], values["token"], values.get("app"), values.get("timezone")
        )
        device = Device.objects.get(pk=device_id)
        self._forget_earlier(device)
        return Response(DeviceOutput(device).data, status=201 if created else 200)

    @schema.describe("Remove an own device", takes=OwnDeviceRemoval, status=204, fails=(400,), tags=TAGS)
    def delete(self, request: Request) -> Response:
        """Nothing is sent to the device from now on. Safe to repeat; a device of another recipient stays."""
        values = read(OwnDeviceRemoval, request.data)
        token = check_token(values["platform"], values["token"])
        self._own(values["platform"]).filter(_same_device(token)).delete()
        return Response(status=204)

    def _recipient(self) -> Recipient:
        """The recipient, locked: pages that register devices of one recipient at once take turns, or they would wait
        for each other while they remove surplus devices. Raises Forged when the recipient is gone by now."""
        active = Recipient.objects.select_for_update(no_key=True).filter(status=Recipient.State.ACTIVE)
        recipient = active.filter(pk=self.visitor().recipient_id).first()
        if recipient is None:
            raise Forged("The token's recipient does not exist here.", code="token_recipient")
        return recipient

    def _own(self, platform: str) -> QuerySet[Device]:
        return Device.objects.filter(recipient_id=self.visitor().recipient_id, platform=platform)

    def _forget_earlier(self, device: Device) -> None:
        """Delete the same browser's earlier subscriptions with other keys, and the devices beyond the limit."""
        own = self._own(device.platform)
        own.filter(_same_device(device.token)).exclude(pk=device.pk).delete()
        newest = own.order_by(F("dead_since").asc(nulls_first=True), "-last_seen_at", "-id")
        surplus = list(newest.values_list("pk", flat=True)[MOST_DEVICES:])
        if surplus:
            own.filter(pk__in=surplus).exclude(pk=device.pk).delete()


class OwnEventsView(InboxView):
    @schema.describe(
        "Report what was opened", takes=events.EventsInput, gives=events.EventsOutput, status=202, also=207,
        fails=(400,), tags=TAGS,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """As `POST /v1/events`, for messages to this recipient only."""
        return events.record(self.visitor().tenant_id, request.data, self._channels)

    def _channels(self, deliveries: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, str]:
        """Delivery -> its channel, of those that went to this recipient."""
        own = events.within(deliveries).filter(recipient_id=self.visitor().recipient_id)
        return dict(own.values_list("pk", "channel"))


def _same_device(token: str) -> Q:
    """The rows of the device that has this token. A browser's token begins with its endpoint; keys follow a `#`."""
    endpoint, mark, _ = token.partition("#")
    return Q(token__startswith=f"{endpoint}#") if mark else Q(token=token)


urlpatterns = [
    path("v1/inbox/push-key", PushKeyView.as_view()),
    path("v1/inbox/devices", OwnDevicesView.as_view()),
    path("v1/inbox/events", OwnEventsView.as_view()),
]
