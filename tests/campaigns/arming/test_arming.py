"""Arming by several workers at once: crashes, edits meanwhile, and what is left behind."""

from __future__ import annotations

import io
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from campaigns import arming, tasks
from campaigns import audience as audiences
from campaigns.arming import ids, request
from campaigns.arming.limits import ArmingLimits
from campaigns.arming.storing import sharding
from campaigns.arming.workers import ranges, scheduler
from campaigns.management.commands.arm_campaign import bar
from campaigns.models import Audience, AudienceRange, Campaign, Shard
from campaigns.shard import payload
from campaigns.states import State
from notifier.channels.queues import BATCH
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.planning import recipients as recipient_queries
from notifier.delivery.planning.consent_changes import note_unseen
from notifier.models import Delivery, ProviderAccount
from notifier.vocabulary.ids import derived_id
from notifier.vocabulary.status import Status
from tenants.models import Device, Preference, Recipient, Suppression
from tenants.people import devices
from tests.campaigns.conftest import Site, recipients
from tests.campaigns.workers import held_up, in_parallel, take_tasks, tasks_on, terminate

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE_PAYLOADS = "LOCK TABLE campaigns_shardpayload IN SHARE MODE"


RANGES_OF_SEVEN = ArmingLimits(range_size=7)


@pytest.fixture
def site_of_44(site: Site) -> Site:
    """Forty recipients more, each with a device; no task on the queue."""
    for recipient in recipients(site.acme, *(f"r{n}" for n in range(40))):
        Device.objects.create(tenant=site.acme, recipient=recipient, token=f"token-of-{recipient.external_id}")
    take_tasks()
    return site


def begun(campaign: Campaign) -> Campaign:
    """Arming was requested, and the audience is stored as ranges of seven."""
    arming.request_arm(campaign)
    assert arming.begin(campaign.pk, RANGES_OF_SEVEN)
    return campaign


def armed_in_ranges(campaign: Campaign) -> Campaign:
    arming.arm_ranges(begun(campaign).pk)
    return campaign


def seen(campaign: Campaign) -> Campaign:
    campaign.refresh_from_db()
    return campaign


def carried(campaign: Campaign) -> list[tuple[uuid.UUID, uuid.UUID, str]]:
    """(id, recipient, address) of everything in shards."""
    packed = [payload.unpack(s.payload.rows) for s in Shard.objects.filter(campaign=campaign)]
    return [(p.id(i), p.recipient(i), p.addresses[i]) for p in packed for i in range(len(p))]


def rows(campaign: Campaign, **which: Any) -> list[tuple[uuid.UUID, uuid.UUID, str]]:
    return list(Delivery.objects.filter(campaign_id=campaign.pk, **which).values_list("id", "recipient_id", "address"))


def assert_whole(campaign: Campaign) -> None:
    """The shards have the rows that the ledger has as armed, once each; counts agree with the rows."""
    assert seen(campaign).state == State.ARMED, campaign.failure
    assert sorted(carried(campaign)) == sorted(rows(campaign, status=Status.ARMED))
    assert campaign.processed == campaign.audience_size == 44
    refused = Counter(Delivery.objects.filter(campaign_id=campaign.pk, status=Status.SUPPRESSED).values_list("reason"))
    excluded = {k: n for k, n in campaign.excluded.items() if k != "duplicate_address"}
    assert {reason: n for (reason,), n in refused.items()} == excluded
    assert not AudienceRange.objects.filter(campaign=campaign).exists()


def test_several_workers_arm_each_recipient_once(site_of_44: Site) -> None:
    campaign = begun(site_of_44.draft(channels=["push", "in_app"]))
    assert AudienceRange.objects.filter(campaign=campaign).count() == 7
    in_parallel(*[lambda: arming.arm_ranges(campaign.pk)] * 4)
    assert_whole(campaign)
    assert len(rows(campaign)) == 88
    numbers = list(Shard.objects.filter(campaign=campaign).values_list("number", flat=True))
    assert len(numbers) == len(set(numbers))


def test_a_token_that_moves_while_its_campaign_is_armed_counts_once(site_of_44: Site) -> None:
    campaign = begun(site_of_44.draft(channels=["push"]))
    assert not arming.arm_ranges(campaign.pk, pause=lambda: True)
    armed_so_far = {recipient for _, recipient, _ in rows(campaign)}
    later = list(Recipient.objects.filter(tenant=site_of_44.acme).exclude(pk__in=armed_so_far).order_by("id"))[::9]
    for device, recipient in zip(Device.objects.filter(recipient__in=armed_so_far).order_by("id"), later, strict=False):
        devices.register(recipient, device.platform, device.token)
    in_parallel(*[lambda: arming.arm_ranges(campaign.pk)] * 4)
    assert_whole(campaign)
    assert len(armed_so_far) == 7 and len(later) == 5
    assert campaign.excluded == {"duplicate_address": 5}
    assert len(rows(campaign)) == 44


def test_every_reason_for_suppression_is_stored_and_counted(site_of_44: Site) -> None:
    person = {r.external_id: r for r in Recipient.objects.filter(tenant=site_of_44.acme)}
    Preference.objects.create(tenant=site_of_44.acme, recipient=person["r1"], channels_off=["push"])
    Preference.objects.create(tenant=site_of_44.acme, recipient=person["r2"], categories_off=["news"])
    Recipient.objects.filter(pk=person["r3"].pk).update(status="blocked")
    Recipient.objects.filter(pk=person["r4"].pk).update(status="erased")
    Device.objects.filter(recipient=person["r5"]).update(dead_since=datetime.now(UTC))
    Device.objects.filter(recipient=person["r6"]).update(platform="apns")
    Suppression.objects.create(tenant=site_of_44.acme, channel="push", address="token-of-r7")
    campaign = armed_in_ranges(site_of_44.draft(channels=["push"]))
    ProviderAccount.objects.filter(tenant=site_of_44.acme, platform="apns").update(enabled=False)
    registry.reset()
    armed_in_ranges(seen(campaign))
    assert_whole(campaign)
    assert campaign.excluded == {
        "channel_off": 1, "category_off": 1, "recipient_blocked": 1, "recipient_erased": 1, "no_address": 1,
        "no_account": 1, "address_suppressed": 1,
    }  # fmt: skip


def test_many_suppressions_are_looked_up_by_address(site_of_44: Site) -> None:
    addresses = [f"token-of-r{n}" for n in range(3)] + [f"other-{n}" for n in range(recipient_queries.FEW)]
    Suppression.objects.bulk_create(Suppression(tenant=site_of_44.acme, channel="push", address=a) for a in addresses)
    campaign = armed_in_ranges(site_of_44.draft(channels=["push"]))
    assert_whole(campaign)
    assert campaign.excluded == {"address_suppressed": 3}


def test_ids_of_a_list_without_a_recipient_are_counted(site_of_44: Site) -> None:
    id_list = Audience.objects.create(tenant=site_of_44.acme, name="Mine", source="list")
    audiences.load_ids(id_list, ["nobody", *(f"r{n}" for n in range(20)), "stranger"])
    campaign = armed_in_ranges(site_of_44.draft(audience=id_list))
    seen(campaign)
    assert (campaign.state, campaign.processed, campaign.audience_size) == (State.ARMED, 22, 22)
    assert campaign.excluded == {"unknown_recipient": 2}
    assert campaign.unreached == 2


def test_recipients_and_messages_are_counted_separately(site_of_44: Site) -> None:
    person = {r.external_id: r for r in Recipient.objects.filter(tenant=site_of_44.acme)}
    Preference.objects.create(tenant=site_of_44.acme, recipient=person["r1"], categories_off=["news"])
    Device.objects.filter(recipient=person["r2"]).delete()
    campaign = site_of_44.draft(channels=["push", "in_app"])
    for _ in range(2):  # a second arming begins anew
        seen(armed_in_ranges(campaign))
        # one person gets neither of two messages, another gets one of two
        assert (campaign.unreached, campaign.excluded) == (1, {"category_off": 2, "no_address": 1})


# ---- crashes and edits -------------------------------------------------------------------------------------------


def test_a_worker_lost_within_a_range_leaves_the_range_to_the_next_worker(site_of_44: Site) -> None:
    campaign = begun(site_of_44.draft())
    with pytest.raises(DatabaseError), held_up(lambda: arming.arm_ranges(campaign.pk), BEFORE_PAYLOADS) as backend:
        terminate(backend)
    assert not rows(campaign)
    assert AudienceRange.objects.filter(campaign=campaign).count() == 7
    arming.arm_ranges(campaign.pk)
    assert_whole(campaign)


def test_a_worker_lost_after_the_last_range_leaves_the_end_to_the_next_worker(site_of_44: Site) -> None:
    campaign = begun(site_of_44.draft())

    def die_after_the_last() -> bool:
        if not AudienceRange.objects.filter(campaign=campaign).exists():
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        arming.arm_ranges(campaign.pk, pause=die_after_the_last)
    assert seen(campaign).state == State.ARMING
    before = rows(campaign)
    arming.arm(campaign.pk)
    assert_whole(campaign)
    assert rows(campaign) == before


def test_an_edit_while_a_range_is_armed_leaves_nothing(site_of_44: Site) -> None:
    campaign = begun(site_of_44.draft())
    with held_up(lambda: arming.arm_ranges(campaign.pk), BEFORE_PAYLOADS):
        arming.disarm(Campaign.objects.get(pk=campaign.pk))
    assert seen(campaign).state == State.DRAFT
    assert not rows(campaign) and not Shard.objects.exists()
    # the range that the worker had locked is left to the sweep
    assert AudienceRange.objects.filter(campaign=campaign).count() == 1
    take_tasks()
    tasks.sweep()
    assert ("campaigns.clear", str(campaign.pk)) in tasks_on(BATCH)
    arming.remove_disarmed(campaign.pk)
    assert not AudienceRange.objects.exists()


def test_a_worker_of_an_older_arming_arms_no_range_of_a_newer_one(site_of_44: Site) -> None:
    campaign = begun(site_of_44.draft())

    def arm_anew() -> bool:
        arming.disarm(Campaign.objects.get(pk=campaign.pk))
        arming.request_arm(Campaign.objects.get(pk=campaign.pk))
        request.remove_arming(campaign)
        ranges.freeze_audience(Campaign.objects.get(pk=campaign.pk), note_unseen(), range_size=7)
        return False

    arming.arm_ranges(campaign.pk, pause=arm_anew)
    assert AudienceRange.objects.filter(campaign=campaign).count() == 7
    assert seen(campaign).state == State.ARMING
    assert not rows(campaign)
    arming.arm_ranges(campaign.pk)
    assert_whole(campaign)


def test_a_failure_in_one_worker_ends_arming_for_all(site_of_44: Site) -> None:
    campaign = begun(site_of_44.draft())
    arming.arm_ranges(campaign.pk, pause=lambda: True)
    no_time = ArmingLimits(cpu_seconds=0.0)
    in_parallel(*[lambda: arming.arm_ranges(campaign.pk, limits=no_time)] * 3)
    assert seen(campaign).state == State.DRAFT
    assert "takes too long" in campaign.failure
    arming.remove_disarmed(campaign.pk)
    assert not rows(campaign) and not Shard.objects.exists() and not AudienceRange.objects.exists()


def test_a_repeated_task_begins_nothing_anew(site_of_44: Site) -> None:
    campaign = begun(site_of_44.draft())
    arming.arm_ranges(campaign.pk, pause=lambda: True)
    assert seen(campaign).processed == 7
    assert arming.begin(campaign.pk)
    assert seen(campaign).processed == 7
    arming.arm(campaign.pk)
    assert_whole(campaign)
    assert not arming.begin(campaign.pk)


def test_the_sweep_posts_a_task_for_arming_only_while_no_worker_arms(site_of_44: Site) -> None:
    campaign = begun(site_of_44.draft())
    take_tasks()

    def sweep_meanwhile() -> bool:
        in_parallel(tasks.sweep)
        return True

    arming.arm_ranges(campaign.pk, pause=sweep_meanwhile)
    assert tasks_on(BATCH) == []
    tasks.sweep()
    assert tasks_on(BATCH) == [("campaigns.arm", str(campaign.pk))]


# ---- shards ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "messages", "range_number", "expected"),
    [
        (0, 10_000, 5, 0),
        (1, 99, 0, 0),
        (1, 100, 0, 1),
        (1, 10_000, 0, 100),
        (100, 7, 3, 7),
        (1, 60, 1, 1),
        (50, 0, 1, 0),
    ],
)
def test_canaries_of_a_range(percent: int, messages: int, range_number: int, expected: int) -> None:
    assert sharding.canary_count(percent, messages, range_number) == expected


def test_fractions_of_canaries_add_up_over_the_ranges() -> None:
    assert abs(sum(sharding.canary_count(1, 37, n) for n in range(1_000)) - 370) <= 2


def test_the_canary_is_in_shards_of_its_own(site_of_44: Site, settings: Settings) -> None:
    settings.SHARD_SIZE = 3
    campaign = site_of_44.draft(channels=["push"], canary_percent=30)
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    assert_whole(campaign)
    shards = Shard.objects.filter(campaign=campaign)
    assert 10 <= sum(s.size for s in shards if s.canary) <= 16
    assert sum(s.size for s in shards) == 44
    assert max(s.size for s in shards) <= 3


def test_languages_share_a_shard_and_keep_their_texts(site: Site) -> None:
    content = {
        "en": {"title": "Hi {{ recipient.name }}", "body": "all"},
        "de": {"title": "Hallo", "body": "{{ recipient.name }}"},
    }
    templates.publish(site.template, {"in_app": content})
    Recipient.objects.filter(external_id__in=["bob", "cy"]).update(locale="de-AT")
    campaign = site.draft()
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    [shard] = Shard.objects.filter(campaign=campaign)
    packed = payload.unpack(shard.payload.rows)
    assert {packed.addresses[i]: packed.content(i) for i in range(len(packed))} == {
        "ada": {"title": "Hi Ada", "body": "all"},
        "bob": {"title": "Hallo", "body": "Bob"},
        "cy": {"title": "Hallo", "body": "Cy"},
        "dee": {"title": "Hi Dee", "body": "all"},
    }


def test_the_rows_of_a_silent_campaign_have_the_mode_silent(site: Site) -> None:
    campaign = site.draft(silent=True, channels=["push"])
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    assert set(Delivery.objects.filter(campaign_id=campaign.pk).values_list("mode", flat=True)) == {"silent"}


@given(st.integers(0, 2**48 - 1), st.uuids(), st.sampled_from(["push", "in_app"]), st.text())
def test_ids_are_the_derived_ones(ms: int, campaign: uuid.UUID, channel: str, address: str) -> None:
    assert ids.delivery_ids(ms, campaign, channel)(address) == derived_id(ms, str(campaign), channel, address).hex


# ---- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def batch_worker() -> Iterator[None]:
    """A worker of the queue `batch`, in a thread."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            scheduler.arm_next()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(in_parallel, work)
        yield
        stop.set()
        working.result(60)


def test_the_command_shows_how_far_it_is(site_of_44: Site, batch_worker: None) -> None:
    out = io.StringIO()
    call_command("arm_campaign", str(site_of_44.draft().pk), stdout=out)
    assert "100%  44 of 44" in out.getvalue() and "0 get nothing" in out.getvalue()


def test_the_command_says_why_it_failed(site_of_44: Site, batch_worker: None) -> None:
    Audience.objects.update(source="segment", filter=[{"field": "name", "op": "eq", "value": "nobody"}])
    with pytest.raises(CommandError, match="Nobody can be reached"):
        call_command("arm_campaign", str(site_of_44.draft().pk), stdout=io.StringIO())
    with pytest.raises(CommandError, match="no such"):
        call_command("arm_campaign", str(uuid.uuid4()))


def test_the_bar_of_a_campaign_that_no_worker_has_begun() -> None:
    assert bar(Campaign(state=State.ARMING), 1.0).startswith("waiting for a worker")
