"""A channel that is ill pauses by itself; the campaign goes on with the others, and says so everywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns import tasks
from campaigns.lifecycle import policies
from campaigns.lifecycle.fan_out.finish import pause_if_only_halted
from campaigns.lifecycle.running import canary, pausing
from campaigns.models import Campaign, Shard
from campaigns.sending.claim import claim
from notifier.delivery.recheck import CampaignPolicy
from notifier.models import Delivery
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.status import Lane, QueuePosition, Status
from tests.campaigns.conftest import Browser, Site, page, text
from tests.campaigns.launched import Broker, after_go, an_armed, audited_acts, broker, count_sendable, inbox

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]

ILL = {"sent": 100, "failed": 200}
WELL = {"sent": 300}
WHY = "66.7 % of 300 messages failed; the limit is 20 %."


def two_channels(site: Site, shards: int = 4, **columns: Any) -> Campaign:
    """After GO: of four shards every other one is push."""
    campaign = an_armed(site, shards, channels=["in_app", "push"], **columns)
    for n in range(1, shards, 2):
        Shard.objects.filter(campaign=campaign, number=1_000 * n + 1).update(channel="push")
    return campaign


def first_is_done(campaign: Campaign, channel: str, **counts: int) -> None:
    """The first shard of a channel ends, with these counts."""
    first = Shard.objects.filter(campaign=campaign, channel=channel).order_by("number")[0]
    now = datetime.now(UTC)
    Shard.objects.filter(pk=first.pk).update(state="done", began_at=now, ended_at=now, begun=10, **counts)


def one_ill(site: Site, ill: str = "push") -> Campaign:
    campaign = after_go(two_channels(site))
    first_is_done(campaign, "push", **(ILL if ill == "push" else WELL))
    first_is_done(campaign, "in_app", **(ILL if ill == "in_app" else WELL))
    tasks.sweep()
    campaign.refresh_from_db()
    return campaign


@pytest.mark.parametrize(("ill", "well"), [("push", "in_app"), ("in_app", "push")])
def test_the_healthy_channel_goes_on(site: Site, broker: Broker, ill: str, well: str) -> None:
    campaign = one_ill(site, ill)
    assert (campaign.state, campaign.halted, campaign.halted_channels) == ("running", f"{ill}: {WHY}", {ill: WHY})
    assert audited_acts(campaign) == ["go", "halted"]
    (left,) = Shard.objects.filter(campaign=campaign, state="armed", channel=well)
    (kept,) = Shard.objects.filter(campaign=campaign, state="armed", channel=ill)
    broker.published.clear()
    tasks.sweep()
    assert broker.take("campaigns.send_shard") == [str(left.pk)]
    assert (count_sendable(campaign), claim(kept.pk, "w")) == (1, None)
    assert claim(left.pk, "w") is not None


def test_rows_of_the_halted_channel_wait_in_the_ledger(site: Site, broker: Broker) -> None:
    campaign = one_ill(site)
    order = policies.policies([campaign.pk])[campaign.pk]
    assert order == CampaignPolicy(paused_channels=frozenset({"push"}))
    assert (order.holds("push"), order.holds("in_app")) == (True, False)


def test_when_the_healthy_channel_is_done_the_campaign_pauses(site: Site, broker: Broker) -> None:
    campaign = one_ill(site)
    assert pause_if_only_halted(campaign.pk) is False
    Shard.objects.filter(campaign=campaign, channel="in_app").update(state="done")
    tasks.sweep()
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted) == ("paused", f"push: {WHY}")
    assert pausing.resume(campaign.tenant_id, campaign.pk) is True
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted, campaign.halted_channels, count_sendable(campaign)) == (
        "running",
        "",
        {},
        1,
    )


def test_resume_lets_the_halted_channel_go_on_once(site: Site, broker: Broker) -> None:
    campaign = one_ill(site)
    broker.published.clear()
    assert [pausing.resume(campaign.tenant_id, campaign.pk) for _ in range(3)] == [True, False, False]
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted, campaign.halted_channels, count_sendable(campaign)) == (
        "running",
        "",
        {},
        2,
    )
    assert len(broker.take("campaigns.send_shard")) == 2
    assert audited_acts(campaign) == ["go", "halted", "resume"]
    tasks.sweep()  # the same errors are not told again
    campaign.refresh_from_db()
    assert campaign.halted_channels == {}


def test_when_both_are_ill_the_whole_campaign_pauses_and_names_both(site: Site, broker: Broker) -> None:
    campaign = after_go(two_channels(site))
    first_is_done(campaign, "push", **ILL)
    first_is_done(campaign, "in_app", **ILL)
    tasks.sweep()
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted) == ("paused", f"in_app: {WHY} push: {WHY}")
    assert count_sendable(campaign) == 0


def test_a_campaign_whose_other_channel_is_over_pauses_as_a_whole(site: Site, broker: Broker) -> None:
    campaign = after_go(two_channels(site))
    Shard.objects.filter(campaign=campaign, channel="in_app").update(state="done")
    assert pausing.halt(campaign.pk, WHY, "push") is True
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted) == ("paused", f"push: {WHY}")


def test_a_campaign_with_one_channel_says_it_without_the_channels_name(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site))
    assert [pausing.halt(campaign.pk, WHY, "in_app") for _ in range(2)] == [True, False]
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted) == ("paused", WHY)


@pytest.mark.parametrize(("rollout", "state"), [("canary", "running"), ("canary_wait", "paused")])
def test_a_canary_is_judged_channel_by_channel(site: Site, broker: Broker, rollout: str, state: str) -> None:
    campaign = two_channels(site)
    Shard.objects.filter(number__lt=2_000).update(canary=True)
    campaign = after_go(campaign, rollout=rollout)
    first_is_done(campaign, "push", **ILL)
    first_is_done(campaign, "in_app", **WELL)
    tasks.finish_chord(str(campaign.pk))
    campaign.refresh_from_db()
    assert campaign.halted_channels == {"push": WHY}
    assert (campaign.state, count_sendable(campaign)) == (state, 1 if state == "running" else 0)
    assert (campaign.canary_passed_at is None) == (state == "paused")
    assert campaign.halted.startswith(f"push: {WHY}")


def test_a_halted_channels_canary_is_not_waited_for(site: Site, broker: Broker) -> None:
    campaign = two_channels(site)
    Shard.objects.filter(number__lt=2_000).update(canary=True)
    campaign = after_go(campaign, rollout="canary")
    pausing.halt(campaign.pk, WHY, "push")  # by the sender, in the middle of the canary
    first_is_done(campaign, "in_app", **WELL)
    tasks.finish_chord(str(campaign.pk))
    campaign.refresh_from_db()
    assert campaign.canary_passed_at is not None
    assert (campaign.state, count_sendable(campaign)) == ("running", 1)


def test_the_page_says_which_channel_and_why_and_resumes_it(
    site: Site, broker: Broker, browser: Callable[..., Browser]
) -> None:
    campaign = one_ill(site)
    author = browser(site.people.ben)
    shown = text(author.get(page("change", campaign)))
    assert "A channel paused itself; the other channels go on." in shown and f"push: {WHY}" in shown
    assert "Resume push" in shown
    author.post(page("resume", campaign), page("change", campaign))
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted_channels) == ("running", {})


def test_a_channel_whose_messages_wait_in_the_ledger_is_no_reason_to_pause_all(site: Site, broker: Broker) -> None:
    """All shards of in_app are done, and one of its messages waits for the end of quiet hours."""
    campaign = after_go(two_channels(site))
    Shard.objects.filter(campaign=campaign, channel="in_app").update(state="done")
    waiting = Delivery.objects.create(
        id=new_id(), tenant=site.acme, campaign_id=campaign.pk, recipient_id=new_id(), channel="in_app", lane=Lane.BULK,
        status=Status.QUEUED, queue_position=QueuePosition.PARKED, account_id=inbox(site).pk,
        accepted_at=datetime.now(UTC), due_at=datetime.now(UTC) + timedelta(hours=8),
    )  # fmt: skip
    assert pausing.halt(campaign.pk, WHY, "push")
    campaign.refresh_from_db()
    assert (campaign.state, set(campaign.halted_channels)) == ("running", {"push"})
    waiting.delete()
    assert pause_if_only_halted(campaign.pk)


@pytest.mark.parametrize(
    ("size", "newest_lost", "state"),
    [(5_000, 2_500, "paused"), (5_000, 1_900, "running"), (150, 300, "paused")],
    ids=["large", "too few lost", "small"],
)
def test_what_left_before_does_not_hide_that_every_connection_ends(
    site: Site, broker: Broker, size: int, newest_lost: int, state: str
) -> None:
    campaign = after_go(an_armed(site, shards=2, audience_size=1_000_000))
    old, new = Shard.objects.filter(campaign=campaign).order_by("number")
    now = datetime.now(UTC)
    Shard.objects.filter(pk=old.pk).update(size=size, sent=500_000, began_at=now - timedelta(seconds=10), state="done")
    lost = {"requeued": newest_lost, "skipped": newest_lost, "disconnected": newest_lost}
    Shard.objects.filter(pk=new.pk).update(size=size, began_at=now - timedelta(seconds=1), **lost)
    canary.watch(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == state
    assert ("connections of 100 %" in campaign.halted) == (state == "paused")
