"""A campaign in the inbox: its messages go to the provider by columns, and each is stored once, whatever happens."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import pausing, stopping
from campaigns.models import Campaign
from campaigns.report import accounting
from campaigns.sending.in_flight import InFlight
from campaigns.sending.recheck import Recheck
from campaigns.sending.sender import CHECK_SECONDS, Sender
from campaigns.shard.outcomes import ShardOutcomes, WriteResult, write_outcomes
from inbox.models import Feed, InboxMessage
from inbox.provider import InApp
from notifier.delivery.content import templates
from notifier.delivery.ledger.settle import Outcome
from notifier.delivery.send import deliver
from notifier.models import Delivery
from notifier.vocabulary.status import Lane, Status
from tenants.models import Preference, Recipient
from tests.campaigns.conftest import Site, armed, recipients, sent
from tests.campaigns.fake_client import Killed, claimed, ledger, lose_leases, reported, send, stop
from tests.campaigns.workers import held_up, terminate

pytestmark = pytest.mark.django_db(transaction=True)


def running(site: Site, **columns: Any) -> Campaign:
    campaign = armed(site.draft(**columns))
    launch.go(campaign.tenant_id, campaign.pk)
    campaign.refresh_from_db()
    return campaign


def inboxes(site: Site) -> dict[str, list[str]]:
    """The titles of each recipient's messages; their numbers must have no gap."""
    titles: dict[str, list[str]] = {}
    for person in Recipient.objects.filter(tenant=site.acme).order_by("external_id"):
        rows = InboxMessage.objects.filter(recipient_id=person.pk).order_by("seq").values_list("seq", "title")
        assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
        feed = Feed.objects.filter(recipient_id=person.pk).values_list("last_seq", "unread").first()
        assert feed in {(len(rows), len(rows)), None}
        titles[person.external_id] = [title for _, title in rows]
    return titles


def test_everybody_gets_the_text_of_their_locale_with_their_own_values(site: Site) -> None:
    recipients(site.acme, "eva", "fritz")
    Recipient.objects.filter(tenant=site.acme, external_id__in=["eva", "fritz"]).update(locale="de")
    content = {
        "en": {"title": "Hello {{ recipient.name }}", "body": "Spring", "data": {"n": "{{ recipient.external_id }}"}},
        "de": {"title": "Der Frühling", "body": "Ist da", "link": "/de"},
    }
    templates.publish(site.template, {"in_app": content})
    campaign = sent(armed(site.draft()))
    assert inboxes(site) == {
        **{name: [f"Hello {name.title()}"] for name in ("ada", "bob", "cy", "dee")},
        "eva": ["Der Frühling"],
        "fritz": ["Der Frühling"],
    }
    rows = InboxMessage.objects.filter(tenant=site.acme).values_list("category", "body", "link")
    assert Counter(rows) == {("news", "Spring", ""): 4, ("news", "Ist da", "/de"): 2}
    assert {row["n"] for row in InboxMessage.objects.values_list("data", flat=True) if row} == {
        "ada",
        "bob",
        "cy",
        "dee",
    }
    accounting.account(campaign.pk)
    assert reported(campaign) == ledger(campaign) == {("delivered", ""): 6}


def test_a_worker_that_is_killed_after_it_stored_a_chunk_stores_nothing_twice(site: Site, settings: Settings) -> None:
    campaign = running(site)

    def write_once(outcomes: ShardOutcomes, shard_id: uuid.UUID, fence: int, begin: int) -> WriteResult:
        if outcomes.sent:
            raise Killed
        return write_outcomes(outcomes, shard_id, fence, begin)

    def die(*arguments: Any, ended: bool) -> bool:
        raise Killed

    with pytest.raises(Killed):
        Sender(claimed(campaign), write_once, die).run()
    assert all(len(titles) == 1 for titles in inboxes(site).values())
    assert reported(campaign) == {("sending", ""): 4}
    lose_leases(settings)
    send(campaign)
    assert all(len(titles) == 1 for titles in inboxes(site).values())
    assert reported(campaign) == {("delivered", ""): 4}


def test_a_connection_that_is_lost_while_a_chunk_is_stored_loses_and_repeats_nothing(site: Site) -> None:
    ada = Recipient.objects.get(tenant=site.acme, external_id="ada")
    Feed.objects.create(tenant=site.acme, recipient_id=ada.pk)
    campaign = running(site)
    with held_up(lambda: send(campaign), f"SELECT FROM inbox_feed WHERE recipient_id = '{ada.pk}' FOR UPDATE") as pid:
        terminate(pid)
    assert all(len(titles) == 1 for titles in inboxes(site).values())
    assert reported(campaign) == {("delivered", ""): 4}


@pytest.mark.parametrize("connection_is_lost", [False, True], ids=["waits", "connection lost"])
@pytest.mark.parametrize("change", ["opt-out", "stop", "pause"])
def test_an_opt_out_stop_or_pause_while_a_chunk_waits_for_an_inbox_holds(
    site: Site, change: str, connection_is_lost: bool
) -> None:
    ada = Recipient.objects.get(tenant=site.acme, external_id="ada")
    for person in Recipient.objects.filter(tenant=site.acme):
        Feed.objects.create(tenant=site.acme, recipient_id=person.pk)
    campaign = running(site)
    with held_up(lambda: send(campaign), "SELECT FROM inbox_feed FOR UPDATE") as pid:
        if connection_is_lost:
            terminate(pid)
            until_another_waits(pid)
        time.sleep(CHECK_SECONDS + 0.1)
        if change == "opt-out":
            Preference.objects.create(tenant=site.acme, recipient=ada, categories_off=["news"])
        elif change == "stop":
            stop(campaign)
        else:
            pausing.pause(campaign.tenant_id, campaign.pk)
    stored = {name for name, titles in inboxes(site).items() if titles}
    if change == "opt-out":
        assert stored == {"bob", "cy", "dee"}
        assert reported(campaign) == {("delivered", ""): 3, ("suppressed", "category_off"): 1}
        return
    assert not stored
    if change == "stop":
        stopping.cancel_rows(campaign.pk)
        in_doubt, cancelled = reported(campaign).get(("unknown", "in_doubt"), 0), ("cancelled", "stopped")
        assert reported(campaign).get(cancelled, 0) + in_doubt == 4
        assert connection_is_lost or not in_doubt
        return
    launch_again(campaign)
    assert all(len(titles) == 1 for titles in inboxes(site).values())
    assert reported(campaign) == {("delivered", ""): 4}


def until_another_waits(backend: int) -> None:
    """Wait until another backend than this one waits for a lock."""
    with connection.cursor() as cursor:
        for _ in range(6_000):
            cursor.execute("SELECT FROM pg_locks WHERE NOT granted AND pid <> %s", [backend])
            if cursor.rowcount:
                return
            time.sleep(0.01)
    raise AssertionError("no other backend waits")


def launch_again(campaign: Campaign) -> None:
    """Resume, and send what the shard and the ledger have."""
    pausing.resume(campaign.tenant_id, campaign.pk)
    send(campaign)
    Delivery.objects.filter(campaign_id=campaign.pk, status=Status.QUEUED).update(due_at="2020-01-01T00:00Z")
    deliver("in_app", (Lane.BULK,))


class SlowRecheck(Recheck):
    """Takes long for each message."""

    checks = 0

    def refusals(self, rows: Sequence[int]) -> dict[int, Outcome]:
        self.checks += 1
        assert self.checks < 50, "no message leaves"
        time.sleep(0.6 * CHECK_SECONDS / 2 * len(rows))
        return super().refusals(rows)


def test_messages_whose_check_takes_longer_than_it_holds_leave_in_smaller_chunks(site: Site) -> None:
    campaign = running(site)
    Sender(claimed(campaign), recheck=SlowRecheck).run()
    assert all(len(titles) == 1 for titles in inboxes(site).values())
    assert reported(campaign) == {("delivered", ""): 4}


def test_a_recipient_who_was_erased_after_arming_gets_nothing_and_the_others_do(site: Site) -> None:
    campaign = running(site)
    Recipient.objects.filter(tenant=site.acme, external_id="cy").update(status=Recipient.State.ERASED)
    send(campaign)
    assert reported(campaign) == {("delivered", ""): 3, ("suppressed", "recipient_erased"): 1}
    assert {name for name, titles in inboxes(site).items() if titles} == {"ada", "bob", "dee"}


def test_large_messages_go_in_small_chunks(site: Site) -> None:
    shard = claimed(running(site))
    assert InFlight(shard).chunk == InApp.column_batch
    shard.payload.contents[0] = {**shard.payload.contents[0], "body": "x" * (1 << 20)}
    assert InFlight(shard).chunk == 7


def test_one_short_message_does_not_make_the_chunks_of_long_ones_large(site: Site) -> None:
    shard = claimed(running(site))
    shard.payload.personal_texts["title"][1:] = ["x" * (1 << 20)] * 3  # each but the first
    assert InFlight(shard).chunk == 10


def test_a_message_that_no_inbox_takes_fails_alone(site: Site) -> None:
    """Arming refuses such a text, so the test puts it into the shard."""
    campaign = running(site)
    shard = claimed(campaign)
    shard.payload.personal_texts["title"][2] = "x" * 501
    Sender(shard).run()
    assert reported(campaign) == {("delivered", ""): 3, ("failed", "rejected"): 1}
    assert sum(len(titles) for titles in inboxes(site).values()) == 3
