"""Warm up whoever would send a campaign: its connections to the provider, its access token, its database connection. GO
to the first shard took 157 ms with cold workers, and 36 with the same ones warm, on a busy machine."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import structlog
from celery import current_app
from celery.worker.control import control_command
from django.db import connection
from kombu.exceptions import OperationalError

from campaigns.models import Campaign, Shard
from notifier.channels.queues import is_bulk
from notifier.delivery.accounts import registry
from notifier.delivery.infra import redis
from notifier.errors import NotifierError
from notifier.models import ProviderAccount
from notifier.vocabulary.http import TokenRefused

log = structlog.get_logger("campaigns")


def warm_workers(campaign: Campaign) -> None:
    """Ask every bulk worker; returns at once. While Redis is away nobody is asked, and GO takes longer."""
    wanted = Shard.objects.filter(campaign=campaign).values_list("account_id", flat=True).distinct()
    ids = [str(pk) for pk in wanted]
    try:
        # our client knows at once that Redis is away; the broker's tries for seconds
        redis.client().ping()
        if ids:
            current_app.control.broadcast("warm", arguments={"account_ids": ids})
    except (redis.Unavailable, OperationalError) as error:
        log.warning("nobody warmed", action="warm", campaign=str(campaign.pk), error=type(error).__name__)


@control_command(name="warm", args=[("account_ids", list)])
def _warm(state: Any, account_ids: Sequence[str]) -> dict[str, str]:
    """In a worker's parent process: let its child do it, in whose hands the connections will be. A bulk worker has one
    child."""
    if any(is_bulk(queue.name) for queue in state.consumer.task_consumer.queues):
        state.consumer.pool.apply_async(warm_process, args=(list(account_ids),))
    return {"ok": "warming"}


def warm_process(account_ids: Sequence[str]) -> int:
    """Open this process's connections for these accounts; how many there are."""
    connection.ensure_connection()
    found = ProviderAccount.objects.filter(pk__in=[uuid.UUID(pk) for pk in account_ids])
    return sum(_warm_account(account) for account in found)


def _warm_account(account: ProviderAccount) -> int:
    try:
        provider, client = registry.provider_for(account), registry.http_client_for(account)
        if provider.builtin:
            return 0
        opened = client.warm(provider.base)
        if wanted := provider.required_token():
            client.token(wanted)
    except (NotifierError, ValueError, TokenRefused) as error:
        # preflight tells the marketer; the type only, because the text may quote the settings
        log.warning("not warm", action="warm", account=str(account.id), error=type(error).__name__)
        return 0
    return opened
