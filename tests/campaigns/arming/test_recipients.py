"""Arming and stopping in one process: what is written, what is removed, what is refused."""

from __future__ import annotations

from collections import Counter

import pytest
from pytest_django import Settings

from campaigns import arming
from campaigns.arming import request
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import stopping
from campaigns.models import Audience, Campaign, Shard
from campaigns.report import accounting
from campaigns.shard import payload
from campaigns.states import MOVES, State, move
from campaigns.tasks import send_shard
from inbox.models import InboxMessage
from notifier.delivery.content import templates
from notifier.errors import Conflict, InvalidInput, NotFound
from notifier.models import Delivery, Template
from notifier.vocabulary.status import Status
from tenants.models import AuditLog, Category, Device, Preference, Recipient, Tenant
from tests.campaigns.workers import held_up

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = {"title": "Hi {{ recipient.name }}", "body": "Go"}


@pytest.fixture
def campaign() -> Campaign:
    """Eight recipients, all with an inbox: one has no device, one opted out of the category."""
    tenant = Tenant.objects.create(name="Shop", slug="shop")
    category = Category.objects.create(tenant=tenant, key="promotions", name="Promotions", kind="marketing")
    template = Template.objects.create(tenant=tenant, key="sale", category=category)
    templates.publish(template, {"push": {"en": TEXT}, "in_app": {"en": TEXT}})
    people = [Recipient.objects.create(tenant=tenant, external_id=f"r{n}", name=f"R{n}") for n in range(8)]
    for person in people[1:]:
        Device.objects.create(tenant=tenant, recipient=person, token=f"token-{person.external_id}")
    Preference.objects.create(tenant=tenant, recipient=people[7], categories_off=["promotions"])
    audience = Audience.objects.create(tenant=tenant, name="all", source="everybody")
    return Campaign.objects.create(
        tenant=tenant, name="Sale", template=template, audience=audience, channels=["push", "in_app"]
    )


def armed(campaign: Campaign) -> Campaign:
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    return campaign


def ledger(campaign: Campaign) -> Counter[tuple[str, str, str]]:
    rows = Delivery.objects.filter(campaign_id=campaign.pk)
    return Counter((d.channel, Status(d.status).label, d.reason) for d in rows)


def test_arming_writes_a_row_for_each_recipient_with_the_reason_for_a_suppression(campaign: Campaign) -> None:
    armed(campaign)
    assert campaign.state == State.ARMED
    assert ledger(campaign) == {
        ("push", "armed", ""): 6,
        ("in_app", "armed", ""): 7,
        ("push", "suppressed", "no_address"): 1,
        ("push", "suppressed", "category_off"): 1,
        ("in_app", "suppressed", "category_off"): 1,
    }
    assert campaign.excluded == {"no_address": 1, "category_off": 2}
    assert campaign.processed == 8


def test_shards_have_at_most_the_set_size_and_hold_every_armed_row_once(campaign: Campaign, settings: Settings) -> None:
    settings.SHARD_SIZE = 4
    armed(campaign)
    shards = Shard.objects.filter(campaign=campaign).order_by("number")
    assert sorted((s.channel, s.size) for s in shards) == [("in_app", 3), ("in_app", 4), ("push", 3), ("push", 3)]
    packed = [payload.unpack(s.payload.rows) for s in shards]
    assert sorted(p.id(i) for p in packed for i in range(len(p))) == sorted(
        Delivery.objects.filter(campaign_id=campaign.pk, status=Status.ARMED).values_list("id", flat=True)
    )


def test_arming_again_leaves_nothing_behind_and_keeps_the_ids(campaign: Campaign) -> None:
    armed(campaign)
    before = set(Delivery.objects.filter(campaign_id=campaign.pk).values_list("id", flat=True))
    Recipient.objects.get(external_id="r3").delete()
    armed(campaign)
    after = set(Delivery.objects.filter(campaign_id=campaign.pk).values_list("id", flat=True))
    assert after < before
    assert len(before - after) == 2
    assert sum(s.size for s in Shard.objects.filter(campaign=campaign)) == 11


def test_disarming_removes_everything(campaign: Campaign) -> None:
    arming.disarm(armed(campaign))
    campaign.refresh_from_db()
    assert campaign.state == State.DRAFT
    assert not ledger(campaign)
    assert not Shard.objects.filter(campaign=campaign).exists()


def test_the_rows_of_a_large_campaign_are_removed_in_the_background(campaign: Campaign) -> None:
    armed(campaign)
    campaign.processed = request.MAX_REMOVED_IN_REQUEST + 1
    arming.disarm(campaign)
    assert ledger(campaign)
    arming.remove_disarmed(campaign.pk)
    assert not ledger(campaign)
    assert not Shard.objects.filter(campaign=campaign).exists()


def test_an_edit_during_arming_overtakes_it(campaign: Campaign) -> None:
    arming.request_arm(campaign)
    with held_up(lambda: arming.arm(campaign.pk), "LOCK TABLE campaigns_shardpayload IN SHARE MODE"):
        arming.disarm(Campaign.objects.get(pk=campaign.pk))
    campaign.refresh_from_db()
    assert campaign.state == State.DRAFT
    assert not ledger(campaign)


def test_a_campaign_that_reaches_nobody_stays_a_draft_and_says_so(campaign: Campaign) -> None:
    Audience.objects.update(source="segment", filter=[{"field": "name", "op": "eq", "value": "nobody"}])
    armed(campaign)
    assert campaign.state == State.DRAFT
    assert campaign.failure.startswith("Nobody can be reached")


def test_a_missing_variable_excludes_its_recipient_only(campaign: Campaign) -> None:
    Recipient.objects.filter(external_id="r2").update(attributes={"plan": "pro"})
    text = {"title": "t", "body": "{{ recipient.attributes.plan }}"}
    templates.publish(campaign.template, {"in_app": {"en": text}})
    campaign.channels = ["in_app"]
    campaign.save()
    armed(campaign)
    assert campaign.excluded == {"missing_variable": 6, "category_off": 1}


def test_go_launches_once_and_is_audited_once(campaign: Campaign) -> None:
    armed(campaign)
    assert [launch.go(campaign.tenant_id, campaign.pk) for _ in range(3)] == [True, False, False]
    assert AuditLog.objects.filter(action="campaign.go").count() == 1


def test_go_is_refused_for_a_draft_and_for_another_tenant(campaign: Campaign) -> None:
    with pytest.raises(Conflict):
        launch.go(campaign.tenant_id, campaign.pk)
    other_tenant = Tenant.objects.create(name="Other", slug="other")
    with pytest.raises(NotFound):
        launch.go(other_tenant.pk, campaign.pk)


def test_arming_after_go_is_refused(campaign: Campaign) -> None:
    launch.go(armed(campaign).tenant_id, campaign.pk)
    campaign.refresh_from_db()
    with pytest.raises(Conflict):
        arming.request_arm(campaign)


def test_a_template_without_the_channel_is_refused_by_field(campaign: Campaign) -> None:
    templates.publish(campaign.template, {"push": {"en": TEXT}})
    with pytest.raises(InvalidInput) as caught:
        arming.request_arm(campaign)
    assert caught.value.field == "channels"


def test_stop_accounts_for_every_row_and_a_late_shard_sends_nothing(campaign: Campaign) -> None:
    launch.go(armed(campaign).tenant_id, campaign.pk)
    assert [stopping.stop(campaign.tenant_id, campaign.pk) for _ in range(2)] == [True, False]
    stopping.cancel_rows(campaign.pk)
    for shard in Shard.objects.filter(campaign=campaign):
        send_shard(str(shard.pk))
    accounting.account(campaign.pk)
    assert {status for _, status, _ in ledger(campaign)} == {"cancelled", "suppressed"}
    assert not InboxMessage.objects.filter(tenant=campaign.tenant).exists()


def test_an_opt_out_after_arming_holds_and_the_campaign_finishes_once(campaign: Campaign) -> None:
    campaign.channels = ["in_app"]
    campaign.save()
    armed(campaign)
    ben = Recipient.objects.get(external_id="r1")
    Preference.objects.create(tenant=campaign.tenant, recipient=ben, channels_off=["in_app"])
    launch.go(campaign.tenant_id, campaign.pk)
    for shard in Shard.objects.filter(campaign=campaign):
        send_shard(str(shard.pk))
        send_shard(str(shard.pk))
    campaign.refresh_from_db()
    assert campaign.state == State.FINISHED
    accounting.account(campaign.pk)
    assert ledger(campaign)["in_app", "suppressed", "channel_off"] == 1
    assert InboxMessage.objects.filter(tenant=campaign.tenant).count() == 6
    assert AuditLog.objects.filter(action="campaign.finished").count() == 1


def test_a_move_that_is_not_allowed_raises_an_error(campaign: Campaign) -> None:
    with pytest.raises(ValueError, match="no move"):
        move(campaign.pk, State.RUNNING, allowed_from=[State.DRAFT])


def test_only_a_retry_leads_out_of_an_ended_state() -> None:
    ended = (State.FINISHED, State.CANCELLED, State.FAILED)
    assert {s: set(MOVES[s]) for s in ended if MOVES[s]} == {State.FINISHED: {State.RUNNING}}
