"""What `manage.py doctor` finds wrong with campaigns: halted ones, and such as do not move."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from campaigns.models import Campaign, Shard
from campaigns.states import State
from notifier.doctor.findings import Finding, error, warning
from notifier.doctor.registry import Options, Server, register

HALTED = warning("campaign-halted", "It waits for a person.", "open it in the admin: resume or stop it")
STUCK = error("campaign-stuck", "Its messages do not leave.", "start workers of its channel's bulk queue and `control`")
ARMING = error("arming-stuck", "Its GO cannot be given.", "start workers of the queue `batch`")
#: without a sign of life
SILENCE = timedelta(minutes=10)


def halted(options: Options) -> Iterator[Finding]:
    campaigns = Campaign.objects.filter(state__in=[State.RUNNING, State.PAUSED]).select_related("tenant")
    for campaign in campaigns.exclude(halted="", halted_channels={}).order_by("pk")[:20]:
        channels = ", ".join(sorted(campaign.halted_channels))
        what = f"its channels {channels}" if channels and not campaign.halted else "itself"
        yield HALTED.says(f"{_name(campaign)} has halted {what}.")


def stuck(options: Options) -> Iterator[Finding]:
    long_ago = timezone.now() - SILENCE
    shards = Shard.objects.filter(campaign=OuterRef("pk"))
    due = Q(not_before__isnull=True) | Q(not_before__lt=long_ago)
    lively = Q(lease_until__gt=timezone.now()) | Q(began_at__gt=long_ago) | Q(ended_at__gt=long_ago)
    campaigns = Campaign.objects.filter(
        Exists(shards.filter(due, state__in=[Shard.State.ARMED, Shard.State.RUNNING])),
        ~Exists(shards.filter(lively)),
        state=State.RUNNING,
        launched_at__lt=long_ago,
        halted_channels={},
    )
    # a campaign of which only the canary may leave waits for a person
    for campaign in campaigns.filter(rollout="all").select_related("tenant").order_by("pk")[:20]:
        yield STUCK.says(f"{_name(campaign)} runs since {campaign.launched_at:%Y-%m-%d %H:%M} UTC and does not move.")


def arming(options: Options) -> Iterator[Finding]:
    long_ago = timezone.now() - SILENCE
    for campaign in Campaign.objects.filter(state=State.ARMING, turn_at__lt=long_ago).select_related("tenant")[:20]:
        yield ARMING.says(f"{_name(campaign)} is being armed, and no worker has gone on for ten minutes.")


def _name(campaign: Campaign) -> str:
    return f"The campaign {campaign.pk} of {campaign.tenant.slug}"


def register_checks() -> None:
    register("halted campaigns", halted, Server.DATABASE)
    register("campaigns that run", stuck, Server.DATABASE)
    register("campaigns that are armed", arming, Server.DATABASE)
