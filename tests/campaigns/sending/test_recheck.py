"""An opt-out holds until the request is written, also after arming and in the middle of a shard."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import pausing
from campaigns.report import accounting
from campaigns.sending import recheck, sender
from notifier.delivery.infra import bulk
from notifier.delivery.planning import consent_changes
from notifier.models import Delivery
from notifier.vocabulary.status import Status
from tenants.models import Category, Device, Preference, Recipient, Suppression, Tenant
from tenants.people import devices
from tests.campaigns.fake_client import BUSY, Post, claimed, ledger, post, reported, retried, send, shard_of, stop
from tests.campaigns.workers import held_up

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]

OptOut = Callable[[Recipient], object]


def suppress(person: Recipient) -> None:
    Suppression.objects.create(tenant=person.tenant, channel="push", address=person.external_id, cause="manual")


def prefer(person: Recipient, **values: Any) -> None:
    Preference.objects.update_or_create(recipient=person, defaults={"tenant": person.tenant, **values})


OPT_OUTS: dict[str, tuple[OptOut, tuple[str, str]]] = {
    "no push": (lambda p: prefer(p, channels_off=["push"]), ("suppressed", "channel_off")),
    "no news": (lambda p: prefer(p, categories_off=["news"]), ("suppressed", "category_off")),
    "no news by push": (lambda p: prefer(p, categories_off=["news:push"]), ("suppressed", "category_off")),
    "suppressed": (suppress, ("suppressed", "address_suppressed")),
    "device dead": (
        lambda p: Device.objects.filter(recipient=p).update(dead_since=datetime.now(UTC)),
        ("suppressed", "no_address"),
    ),
    "device gone": (lambda p: Device.objects.filter(recipient=p).delete(), ("suppressed", "no_address")),
    "device another's": (
        lambda p: Device.objects.filter(recipient=p).update(recipient=Recipient.objects.get(external_id="t9")),
        ("suppressed", "no_address"),
    ),
    "blocked": (
        lambda p: Recipient.objects.filter(pk=p.pk).update(status="blocked"),
        ("suppressed", "recipient_blocked"),
    ),
    "erased": (
        lambda p: Recipient.objects.filter(pk=p.pk).update(status="erased"),
        ("suppressed", "recipient_erased"),
    ),
    "quiet": (lambda p: prefer(p, **quiet_now()), ("queued", "")),
    "everything": (lambda p: prefer(p, everything_off=True), ("suppressed", "everything_off")),
    "snoozed": (lambda p: prefer(p, snoozed_until=in_two_hours()), ("queued", "")),
}


def in_two_hours() -> datetime:
    return (datetime.now(UTC) + timedelta(hours=2)).replace(second=0, microsecond=0)


def suppress_strangers(tenant: Tenant, count: int) -> None:
    """So many consent changes that a sender does not read them all."""
    Suppression.objects.bulk_create(
        Suppression(tenant=tenant, channel="push", address=f"stranger-{n}", cause="manual") for n in range(count)
    )


def quiet_now() -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "quiet_from": f"{now - timedelta(hours=2):%H:%M}",
        "quiet_until": f"{now + timedelta(hours=2):%H:%M}",
    }


@pytest.mark.parametrize("many", [False, True], ids=["few changes", "many"])
@pytest.mark.parametrize("name", OPT_OUTS)
def test_an_opt_out_after_arming_holds(post: Post, name: str, many: bool) -> None:
    tokens = post.people(10)
    campaign = post.running()
    if many:
        suppress_strangers(post.tenant, consent_changes.FEW + 1)
    opt_out, figure = OPT_OUTS[name]
    opt_out(Recipient.objects.get(tenant=post.tenant, external_id="t3"))
    send(campaign)
    assert post.client.counted == {token: 1 for token in tokens if token != "t3"}
    assert reported(campaign) == {("sent", ""): 9, figure: 1}
    if figure[0] == "queued":
        [row] = Delivery.objects.filter(campaign_id=campaign.pk, status=Status.QUEUED)
        assert timedelta(hours=1, minutes=58) < row.due_at - datetime.now(UTC) <= timedelta(hours=2)
    else:
        accounting.account(campaign.pk)
        assert reported(campaign) == ledger(campaign) == {("sent", ""): 9, figure: 1}


@pytest.mark.parametrize("many", [False, True], ids=["few changes", "many"])
def test_an_opt_out_that_was_written_before_arming_and_committed_after_it_holds(post: Post, many: bool) -> None:
    post.people(10)
    person = Recipient.objects.get(tenant=post.tenant, external_id="t3")
    other = connections.create_connection("default")
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("SAVEPOINT one")  # the change has the id of a transaction below the top one
        cursor.execute("UPDATE tenants_recipient SET status = 'blocked' WHERE id = %s", [person.pk])
    campaign = post.running()
    other.commit()
    other.close()
    if many:
        suppress_strangers(post.tenant, consent_changes.FEW + 1)
    send(campaign)
    assert "t3" not in post.client.counted and len(post.client.begun) == 9
    assert reported(campaign) == {("sent", ""): 9, ("suppressed", "recipient_blocked"): 1}


def test_changes_that_were_committed_before_arming_are_not_read_again(post: Post) -> None:
    post.people(10)
    suppress_strangers(post.tenant, consent_changes.FEW + 1)
    prefer(Recipient.objects.get(tenant=post.tenant, external_id="t3"), channels_off=["push"])
    campaign = post.running()
    assert campaign.consent_since is not None
    unseen = consent_changes.Unseen(
        campaign.consent_since, campaign.consent_transactions, campaign.consent_next_transaction
    )
    assert consent_changes.few_unseen(post.tenant.pk, unseen) == (set(), set())
    send(campaign)
    assert "t3" not in post.client.counted and len(post.client.begun) == 9


def test_quiet_hours_that_were_known_at_arming_are_kept(post: Post) -> None:
    post.people(10)
    prefer(Recipient.objects.get(tenant=post.tenant, external_id="t3"), **quiet_now())
    campaign = post.running()
    send(campaign)
    assert "t3" not in post.client.counted and len(post.client.begun) == 9
    assert reported(campaign) == {("sent", ""): 9, ("queued", ""): 1}


def test_an_opt_in_that_is_taken_back_after_arming_holds(post: Post) -> None:
    post.people(10)
    for person in Recipient.objects.filter(tenant=post.tenant):
        prefer(person, categories_on=["news"])
    Category.objects.filter(tenant=post.tenant, key="news").update(opt_in="single")
    campaign = post.running()
    prefer(Recipient.objects.get(tenant=post.tenant, external_id="t3"), categories_on=[])
    send(campaign)
    assert "t3" not in post.client.counted and len(post.client.begun) == 9
    assert reported(campaign) == {("sent", ""): 9, ("suppressed", "not_opted_in"): 1}


@pytest.mark.parametrize("expires", [False, True])
def test_nothing_leaves_outside_of_the_send_window(post: Post, expires: bool) -> None:
    now = datetime.now(UTC)
    window = "push * 13:00-14:00" if now.hour < 12 else "push * 01:00-02:00"
    Tenant.objects.filter(pk=post.tenant.pk).update(send_windows=window)
    post.tenant.refresh_from_db()
    post.people(3)
    campaign = post.running(**({"not_after": now + timedelta(minutes=30)} if expires else {}))
    send(campaign)
    assert not post.client.begun
    assert reported(campaign) == {("expired", "send_window") if expires else ("queued", ""): 3}


def test_an_opt_out_in_the_middle_of_a_shard_holds_for_messages_that_have_not_begun(post: Post) -> None:
    tokens = post.people(300)
    campaign = post.running(rate_per_s=100.0)
    opted_out_at: list[float] = []
    begins: dict[str, float] = {}

    def fate(token: str) -> int:
        begins[token] = time.monotonic()
        return 200

    def opt_out_all() -> None:
        if len(begins) >= 60 and not opted_out_at:
            for person in Recipient.objects.filter(tenant=post.tenant):
                prefer(person, channels_off=["push"])
            opted_out_at.append(time.monotonic())

    post.client.fate, post.client.before_take = fate, opt_out_all
    while shard_of(campaign).state != "done":  # on a busy machine, a rate-limited shard yields its worker
        send(campaign)
    late = [token for token, at in begins.items() if at > opted_out_at[0] + 1]
    assert not late
    sent = len(begins)
    assert 60 <= sent < 300
    assert reported(campaign) == {("sent", ""): sent, ("suppressed", "channel_off"): 300 - sent}
    assert set(begins) < set(tokens)


@pytest.mark.parametrize("change", ["opt-out", "stop", "pause"])
def test_an_opt_out_stop_or_pause_while_the_database_is_slow_holds(post: Post, change: str) -> None:
    post.people(10)
    campaign = post.running()
    shard = claimed(campaign)
    with held_up(sender.Sender(shard).run, f"SELECT FROM campaigns_shard WHERE id = '{shard.id}' FOR UPDATE"):
        time.sleep(recheck.CONSENT_CACHE_SECONDS + 0.1)  # the sender has read the consent changes before
        if change == "opt-out":
            prefer(Recipient.objects.get(tenant=post.tenant, external_id="t3"), channels_off=["push"])
        elif change == "stop":
            stop(campaign)
        else:
            pausing.pause(campaign.tenant_id, campaign.pk)
    assert "t3" not in post.client.counted
    assert len(post.client.begun) == (9 if change == "opt-out" else 0)
    not_sent = {"stop": ("cancelled", "stopped"), "pause": ("armed", "")}
    if change == "opt-out":
        assert reported(campaign) == {("sent", ""): 9, ("suppressed", "channel_off"): 1}
    else:
        assert reported(campaign) == {not_sent[change]: 10}


def test_an_opt_out_holds_for_a_retry_in_the_ledger_too(post: Post) -> None:
    post.people(3)
    campaign = post.running()
    post.client.fate = lambda token: BUSY if token == "t1" else 200
    send(campaign)
    suppress(Recipient.objects.get(tenant=post.tenant, external_id="t1"))
    retried(campaign)
    assert post.client.counted == dict.fromkeys(("t0", "t1", "t2"), 1)
    assert reported(campaign) == {("sent", ""): 2, ("suppressed", "address_suppressed"): 1}


def test_rechecking_costs_no_statement_a_message(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.people(2_000)
    campaign = post.running()
    cursor, opened = bulk.cursor, list[int]()

    def counting() -> Any:
        opened.append(1)
        return cursor()

    monkeypatch.setattr(bulk, "cursor", counting)
    began = time.monotonic()
    send(campaign)
    checks = (time.monotonic() - began) / recheck.CONSENT_CACHE_SECONDS + 1
    chunks = 2_000 / (post.client.streams // 2)
    assert len(post.client.begun) == 2_000
    assert len(opened) <= 2 + chunks + checks + (time.monotonic() - began) / sender.WRITE_SECONDS


def test_a_token_that_moves_after_arming_gets_neither_the_old_nor_a_second_message(post: Post) -> None:
    post.people(2)
    post.person("token-of-t1", external_id="former")
    new_owner = Recipient.objects.get(tenant=post.tenant, external_id="t1")
    campaign = post.armed()
    devices.register(new_owner, "fcm", "token-of-t1", "another app")
    launch.go(campaign.tenant_id, campaign.pk)
    send(campaign)
    assert post.client.counted == {"t0": 1, "t1": 1}
    accounting.account(campaign.pk)
    assert reported(campaign) == ledger(campaign) == {("sent", ""): 2, ("suppressed", "no_address"): 1}


def test_quiet_hours_count_by_the_recipient_s_clock_when_the_message_is_sent(post: Post) -> None:
    """The offset changes between arming and sending: here the tenant's zone changes."""
    post.people(10)
    Tenant.objects.filter(pk=post.tenant.pk).update(timezone="Asia/Tokyo")
    prefer(Recipient.objects.get(tenant=post.tenant, external_id="t3"), **quiet_now())
    campaign = post.running()
    Tenant.objects.filter(pk=post.tenant.pk).update(timezone="UTC")
    send(campaign)
    assert "t3" not in post.client.counted and len(post.client.begun) == 9
    assert reported(campaign) == {("sent", ""): 9, ("queued", ""): 1}


@pytest.mark.parametrize(
    ("now", "hold_hours"),
    [
        ("2027-03-27T20:30+01:00", None),
        ("2027-03-27T21:30+01:00", 9.5),  # over the night in which summer time begins
        ("2027-03-28T20:30+02:00", None),
        ("2027-03-28T21:30+02:00", 10.5),
        ("2027-03-29T07:30+02:00", 0.5),
        ("2027-03-29T08:00+02:00", None),
    ],
)
def test_an_armed_campaign_survives_a_change_of_the_clocks(post: Post, now: str, hold_hours: float | None) -> None:
    """The shard stores the hours and the zone, so the season of arming does not matter."""
    post.person("t0", timezone="Europe/Vienna")
    prefer(Recipient.objects.get(tenant=post.tenant, external_id="t0"), quiet_from="21:00", quiet_until="08:00")
    campaign = post.running()
    check = recheck.Recheck(claimed(campaign), clock=lambda: datetime.fromisoformat(now).astimezone(UTC))
    held_hours = {i: outcome.wait / 3600 for i, outcome in check.refusals([0]).items()}
    assert held_hours == ({} if hold_hours is None else {0: hold_hours})


@pytest.mark.parametrize("when", ["before arming", "after arming"])
def test_a_message_that_would_wait_past_not_after_expires_at_once(post: Post, when: str) -> None:
    post.people(10)
    person = Recipient.objects.get(tenant=post.tenant, external_id="t3")
    if when == "before arming":
        prefer(person, **quiet_now())
    campaign = post.running(not_after=datetime.now(UTC) + timedelta(hours=1))
    if when == "after arming":
        prefer(person, **quiet_now())
    send(campaign)
    assert "t3" not in post.client.counted and len(post.client.begun) == 9
    assert reported(campaign) == {("sent", ""): 9, ("expired", "quiet_hours"): 1}
    accounting.account(campaign.pk)
    assert reported(campaign) == ledger(campaign) == {("sent", ""): 9, ("expired", "quiet_hours"): 1}


def test_a_retry_that_would_wait_past_not_after_expires_at_once(post: Post) -> None:
    post.people(3)
    campaign = post.running(not_after=datetime.now(UTC) + timedelta(hours=1))
    post.client.fate = lambda token: BUSY if token == "t1" else 200
    send(campaign)
    prefer(Recipient.objects.get(tenant=post.tenant, external_id="t1"), **quiet_now())
    retried(campaign)
    assert post.client.counted == dict.fromkeys(("t0", "t1", "t2"), 1)
    assert reported(campaign) == {("sent", ""): 2, ("expired", "quiet_hours"): 1}
