"""/v1/push/webpush-key: the key with which a page subscribes browsers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.views import TenantView
from notifier.delivery.accounts import webpush_keys


class WebPushKeyOutput(serializers.Serializer[Any]):
    public_key = serializers.CharField(help_text="applicationServerKey of pushManager.subscribe(), in base64url.")
    key_id = serializers.CharField(help_text="Send it with the subscription, so that a rotation finds its key.")


class WebPushKeyView(TenantView):
    scope = "recipients"

    @schema.describe(
        "Read the VAPID key of Web Push",
        gives=WebPushKeyOutput,
        fails=(404,),
        tags=["recipients"],
        parameters=[OpenApiParameter("app", str, description="Of several Web Push accounts, the one of this app.")],
    )
    def get(self, request: Request) -> Response:
        """With a test key, and while the tenant is in the sandbox, the key is that of the sandbox's account. 404
        `no_push_key`: no Web Push account is enabled."""
        app = request.query_params.get("app", "")
        key = webpush_keys.current_key(self.tenant, self.caller.mode, app)
        return Response(WebPushKeyOutput({"public_key": key.public_key, "key_id": key.key_id}).data)
