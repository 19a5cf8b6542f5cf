"""`GET /v1/status`: how well the tenant's channels work."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.views import TenantView
from notifier.delivery.channel_status.read import read_accounts
from notifier.delivery.channel_status.state import AccountFacts, ChannelState, state_of, state_of_account
from notifier.vocabulary.load import Level
from tenants.load_shedding import current_level

_STATES = [state.value for state in ChannelState]


class AccountStatusOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    provider = serializers.CharField()
    state = serializers.ChoiceField(_STATES)
    health = serializers.IntegerField(help_text="100: all is well; 0: nothing is sent through it for a while.")
    oldest_due_s = serializers.FloatField(help_text="Seconds for which its oldest due urgent message waits.")


class ChannelStatusOutput(serializers.Serializer[Any]):
    channel = serializers.CharField()
    state = serializers.ChoiceField(_STATES)
    oldest_due_s = serializers.FloatField(help_text="Seconds for which the oldest due urgent message waits.")
    accounts = AccountStatusOutput(many=True)


class StatusOutput(serializers.Serializer[Any]):
    load = serializers.ChoiceField(
        [level.value for level in Level], help_text="`shedding`: marketing, digests and imports wait."
    )
    channels = ChannelStatusOutput(many=True)


_ACCOUNT = {"name": "FCM", "provider": "fcm", "state": "operational", "health": 100, "oldest_due_s": 0.0}
_CHANNEL = {"channel": "push", "state": "operational", "oldest_due_s": 0.0, "accounts": [_ACCOUNT]}
EXAMPLES = [OpenApiExample("All is well", {"load": "normal", "channels": [_CHANNEL]}, response_only=True)]


class StatusView(TenantView):
    scope = "send"

    @schema.describe(
        "Read how well the channels work",
        gives=StatusOutput,
        tags=["status"],
        examples=EXAMPLES,
        operation_id="status_retrieve",
    )
    def get(self, request: Request) -> Response:
        """Each channel with an enabled provider account. `degraded`: an account fails, or urgent messages wait for more
        than a minute; `outage`: no account takes messages, or they wait for more than five minutes."""
        channels = read_accounts([self.tenant_id])[self.tenant_id]
        shown = [_channel(name, accounts) for name, accounts in sorted(channels.items())]
        return Response({"load": current_level().value, "channels": shown})


def _channel(name: str, accounts: list[AccountFacts]) -> dict[str, Any]:
    return {
        "channel": name,
        "state": state_of(accounts).value,
        "oldest_due_s": round(max(account.oldest for account in accounts), 1),
        "accounts": [_account(account) for account in accounts],
    }


def _account(account: AccountFacts) -> dict[str, Any]:
    return {
        "name": account.name,
        "provider": account.provider,
        "state": state_of_account(account.health).value,
        "health": account.health,
        "oldest_due_s": round(account.oldest, 1),
    }
