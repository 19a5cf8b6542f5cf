"""Armed and launched campaigns with shards made by hand, with the counts that a test needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from campaigns.lifecycle.fan_out import fanout
from campaigns.lifecycle.launching import launch
from campaigns.models import Campaign, Shard, ShardPayload
from campaigns.shard.payload import Payload, pack
from notifier.delivery.accounts import registry
from notifier.models import ProviderAccount
from tenants.models import AuditLog
from tests.broker import Broker, broker
from tests.campaigns.conftest import Site

__all__ = ["Broker", "after_go", "an_armed", "audited_acts", "broker", "count_sendable", "end_shards", "unchanged"]


def an_armed(site: Site, shards: int = 3, canaries: int = 0, **columns: Any) -> Campaign:
    """An armed campaign; its first shards are the canary."""
    campaign = site.draft(state="armed", armed_at=datetime.now(UTC), first_armed_ms=1, **columns)
    account = inbox(site)
    for n in range(shards):
        shard = Shard.objects.create(
            tenant=site.acme,
            campaign=campaign,
            number=1_000 * n + 1,
            channel="in_app",
            account=account,
            size=10,
            canary=n < canaries,
        )
        ShardPayload.objects.create(shard=shard, tenant=site.acme, rows=pack(Payload()))
    return campaign


def inbox(site: Site) -> ProviderAccount:
    return registry.choose_account(site.acme, "in_app", "", "live")


def after_go(campaign: Campaign, **columns: Any) -> Campaign:
    """Launch the campaign, and read it again."""
    launch.go(campaign.tenant_id, campaign.pk, **columns)
    campaign.refresh_from_db()
    return campaign


def end_shards(campaign: Campaign, *, canary: bool = False, seconds_ago: float = 1.0, **counts: int) -> None:
    """End the canary's shards, or all other shards, each with these counts."""
    began = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    ended = {"state": "done", "began_at": began, "ended_at": began, "begun": 10, **counts}
    Shard.objects.filter(campaign=campaign, canary=canary).update(**ended)


def count_sendable(campaign: Campaign) -> int:
    return fanout.sendable_shards(campaign.pk).count()


def audited_acts(campaign: Campaign) -> list[str]:
    rows = AuditLog.objects.filter(object_id=str(campaign.pk)).order_by("id")
    return [action.removeprefix("campaign.") for action in rows.values_list("action", flat=True)]


@contextmanager
def unchanged(campaign: Campaign) -> Iterator[None]:
    before = Campaign.objects.filter(pk=campaign.pk).values().get()
    yield
    assert Campaign.objects.filter(pk=campaign.pk).values().get() == before
