"""GET /v1/limits: the rates and quotas of the caller, what is left of them, and when they renew."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.views import TenantView
from notifier.delivery.quotas.counting import uses
from notifier.rates import limits
from notifier.vocabulary.quotas import Period, read_quotas
from notifier.vocabulary.rates import WINDOW


class RateLimitOutput(serializers.Serializer[Any]):
    name = serializers.CharField(
        help_text="`requests` and `recipients` of the tenant, `key-requests` and `key-recipients` of this key."
    )
    per_second = serializers.IntegerField()
    quota = serializers.IntegerField(help_text="At most so many in a window.")
    window_s = serializers.IntegerField()
    remaining = serializers.IntegerField(help_text="As far as the process knows that answers.")
    full_in_s = serializers.IntegerField(help_text="Seconds until the whole quota is there again.")


class QuotaOutput(serializers.Serializer[Any]):
    channel = serializers.CharField()
    period = serializers.ChoiceField([period.value for period in Period])
    most = serializers.IntegerField()
    used = serializers.IntegerField()
    remaining = serializers.IntegerField()
    renews_at = serializers.DateTimeField(help_text="Midnight by the tenant's time zone.")


class LimitsOutput(serializers.Serializer[Any]):
    rates = RateLimitOutput(many=True)
    quotas = QuotaOutput(many=True)


class LimitsView(TenantView):
    scope = "send"

    @schema.describe("Read the limits of this key", gives=LimitsOutput, tags=["limits"])
    def get(self, request: Request) -> Response:
        """Rates are of requests and of recipients (a bulk request of 1,000 counts 1,000). A limit that is not listed
        does not exist. Every answer has the rates in RateLimit-Policy and RateLimit."""
        caller, now = self.caller, time.monotonic()
        buckets = limits.of_key(caller.tenant_id, caller.key_id, caller.tenant_rates, caller.key_rates).buckets
        rates = [
            {
                "name": bucket.name,
                "per_second": int(bucket.rate),
                "quota": int(bucket.quota),
                "window_s": WINDOW,
                "remaining": bucket.remaining(now),
                "full_in_s": bucket.seconds_to_full(now),
            }
            for bucket in buckets
        ]
        tenant = self.tenant
        used = uses(tenant.pk, read_quotas(tenant.quotas), tenant.timezone, datetime.now(UTC))
        quotas = [
            {
                "channel": use.quota.channel,
                "period": use.quota.period.value,
                "most": use.quota.most,
                "used": use.used,
                "remaining": use.left,
                "renews_at": use.renews_at,
            }
            for use in used
        ]
        return Response(LimitsOutput({"rates": rates, "quotas": quotas}).data)
