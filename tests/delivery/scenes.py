"""Set-ups for several tests of the engine: a running campaign, an inbox that answers as a test says, expired leases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from pytest_django import Settings

from campaigns import arming
from campaigns.lifecycle.launching import launch
from campaigns.models import Audience, Campaign, Shard
from campaigns.sending import shards
from inbox.provider import InApp
from notifier.channels.in_app import InAppMessage
from notifier.delivery.accounts import registry
from notifier.models import Delivery, ProviderAccount, Template
from notifier.providers.base import Answers
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.status import Mode, Status
from tests.delivery.build import Shop


def a_campaign(shop: Shop, **columns: Any) -> Campaign:
    audience = Audience.objects.create(tenant=shop.tenant, name="all", source="everybody")
    values = {"channels": ["in_app"], "data": {"order": "7"}, **columns}
    return Campaign.objects.create(
        tenant=shop.tenant, name="Sale", template=Template.objects.get(tenant=shop.tenant), audience=audience, **values
    )


def running(campaign: Campaign) -> Campaign:
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    launch.go(campaign.tenant_id, campaign.pk)
    campaign.refresh_from_db()
    return campaign


def send_shards(campaign: Campaign) -> None:
    for pk in Shard.objects.filter(campaign=campaign).values_list("pk", flat=True):
        shards.send_shard(pk, "bulk@one")


def of_campaign(campaign: Campaign) -> list[str]:
    rows = Delivery.objects.filter(campaign_id=campaign.pk).order_by("id")
    return [Status(status).label for status in rows.values_list("status", flat=True)]


class ScriptedInbox(InApp):
    """An inbox that answers with `answer(messages)`, a function of the test."""

    name = ""  # not registered
    column_batch = 0  # so that a campaign gives it messages, too

    def __init__(self, answer: Callable[[Sequence[InAppMessage]], Iterator[Answers]]) -> None:
        super().__init__(InApp.Config())
        self._answer = answer

    def send(self, messages: Sequence[InAppMessage], client: HttpClient) -> Iterator[Answers]:
        yield from self._answer(messages)


def inbox_account(shop: Shop) -> ProviderAccount:
    return registry.choose_account(shop.tenant, "in_app", "", Mode.LIVE)


@contextmanager
def answering(shop: Shop, answer: Callable[[Sequence[InAppMessage]], Iterator[Answers]]) -> Iterator[None]:
    """Inside, the shop's inbox answers by `answer(messages)`."""
    registry.override_provider(inbox_account(shop).pk, ScriptedInbox(answer))
    try:
        yield
    finally:
        registry.reset()


def all_due() -> None:
    Delivery.objects.filter(status=Status.QUEUED).update(due_at=datetime.now(UTC) - timedelta(seconds=1))


def age_leases(settings: Settings) -> None:
    settings.LEASE_SECONDS = 0.1
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifier_delivery SET lease_until = now() - interval '1 h' WHERE lease_until IS NOT NULL"
        )
        cursor.execute("UPDATE campaigns_shard SET lease_until = now() - interval '1 h' WHERE lease_until IS NOT NULL")


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def waits_for_a_lock(backend: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [backend])
        return bool(cursor.fetchone()[0])


def backend_pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])
