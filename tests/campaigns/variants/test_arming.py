"""What is armed of a campaign with variants, and what each recipient then has."""

from __future__ import annotations

import uuid

import pytest
from django.db import DatabaseError

from campaigns import arming
from campaigns.arming.limits import ArmingLimits
from campaigns.arming.planning.assignment import HOLDOUT, REST
from campaigns.edit import campaigns as edit
from campaigns.edit.variants import put_variants, remove_variants
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import stopping
from campaigns.lifecycle.running.winner import choose_winner
from campaigns.models import AudienceRange, Campaign, CampaignVariant, Experiment, Shard
from campaigns.report import accounting
from campaigns.shard import payload
from notifier.errors import InvalidInput
from notifier.models import Delivery
from notifier.vocabulary.status import Status
from tenants.models import Category
from tests.broker import Broker, broker
from tests.campaigns.conftest import Site, armed
from tests.campaigns.variants.conftest import crowd, got, parts, send_all, template_b, with_variants
from tests.campaigns.workers import held_up, in_parallel, terminate

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]

BEFORE_PAYLOADS = "LOCK TABLE campaigns_shardpayload IN SHARE MODE"
RANGES_OF_SEVEN = ArmingLimits(range_size=7)


def carried(campaign: Campaign) -> dict[uuid.UUID, str]:
    """Recipient -> the variant of the shard that has the message; fails when a recipient is in two."""
    found: dict[uuid.UUID, str] = {}
    for shard in Shard.objects.filter(campaign=campaign).select_related("payload"):
        packed = payload.unpack(shard.payload.rows)
        for i in range(len(packed)):
            assert packed.recipient(i) not in found
            found[packed.recipient(i)] = shard.variant
    return found


def of(assigned: dict[uuid.UUID, str], *keys: str) -> dict[uuid.UUID, str]:
    return {pk: key for pk, key in assigned.items() if key in keys}


def test_arming_makes_the_test_and_keeps_the_rest_for_the_winner(site: Site) -> None:
    crowd(site)
    campaign = armed(with_variants(site, holdout_percent=10))
    assigned = parts(campaign)
    assert set(assigned.values()) == {HOLDOUT, "A", "B", REST}
    assert carried(campaign) == of(assigned, "A", "B")
    held_out = Delivery.objects.filter(campaign_id=campaign.pk, reason="holdout", status=Status.SUPPRESSED)
    assert set(held_out.values_list("recipient_id", flat=True)) == set(of(assigned, HOLDOUT))
    assert campaign.excluded["holdout"] == campaign.unreached == len(of(assigned, HOLDOUT))
    assert campaign.audience_size == len(assigned)
    experiment = Experiment.objects.get(campaign=campaign)
    assert (experiment.waiting, experiment.held_out) == (len(of(assigned, REST)), len(of(assigned, HOLDOUT)))
    assert set(Delivery.objects.filter(campaign_id=campaign.pk).values_list("recipient_id", flat=True)) == set(
        of(assigned, "A", "B", HOLDOUT)
    )


def test_each_recipient_gets_the_own_variant_once_and_the_rest_the_winner(site: Site, broker: Broker) -> None:
    crowd(site)
    campaign = armed(with_variants(site, holdout_percent=10))
    assigned = parts(campaign)
    launch.go(campaign.tenant_id, campaign.pk)
    send_all(campaign)
    assert got(campaign) == of(assigned, "A", "B")
    accounting.account(campaign.pk)
    assert campaign.state == "running"  # the rest waits
    broker.published.clear()
    assert choose_winner(campaign.tenant_id, campaign.pk, variant="B")
    assert not choose_winner(campaign.tenant_id, campaign.pk, variant="B")
    assert broker.take("campaigns.arm") == [str(campaign.pk)]
    arming.arm(campaign.pk)
    published = broker.take("campaigns.send_shard")
    assert set(published) >= {str(pk) for pk in Shard.objects.filter(state="armed").values_list("pk", flat=True)}
    send_all(campaign)
    rest = dict.fromkeys(of(assigned, REST), "B")
    assert got(campaign) == {**of(assigned, "A", "B"), **rest}
    campaign.refresh_from_db()
    assert campaign.state == "finished"
    assert campaign.unreached == len(of(assigned, HOLDOUT))
    numbers = Shard.objects.filter(campaign=campaign).values_list("number", flat=True)
    assert len(numbers) == len(set(numbers))


def test_a_killed_worker_and_another_size_of_ranges_leave_the_same_assignment(site: Site) -> None:
    crowd(site, 60)
    campaign = with_variants(site)
    arming.request_arm(campaign)
    assert arming.begin(campaign.pk, RANGES_OF_SEVEN)
    assert not arming.arm_ranges(campaign.pk, pause=lambda: True)
    with pytest.raises(DatabaseError), held_up(lambda: arming.arm_ranges(campaign.pk), BEFORE_PAYLOADS) as backend:
        terminate(backend)
    in_parallel(*[lambda: arming.arm_ranges(campaign.pk)] * 3)
    campaign.refresh_from_db()
    assert campaign.state == "armed", campaign.failure
    first = carried(campaign)
    assert first == of(parts(campaign), "A", "B")
    assert carried(armed(disarmed(campaign))) == first


def disarmed(campaign: Campaign) -> Campaign:
    arming.disarm(campaign)
    campaign.refresh_from_db()
    assert not AudienceRange.objects.filter(campaign=campaign).exists()
    return campaign


def test_a_crash_while_the_rest_is_armed_leaves_each_recipient_one_message(site: Site, broker: Broker) -> None:
    crowd(site, 60)
    campaign = with_variants(site)
    arming.request_arm(campaign)
    arming.begin(campaign.pk, RANGES_OF_SEVEN)
    arming.arm_ranges(campaign.pk)
    launch.go(campaign.tenant_id, campaign.pk)
    choose_winner(campaign.tenant_id, campaign.pk, variant="A")
    with pytest.raises(DatabaseError), held_up(lambda: arming.arm_ranges(campaign.pk), BEFORE_PAYLOADS) as backend:
        terminate(backend)
    in_parallel(*[lambda: arming.arm_ranges(campaign.pk)] * 3)
    send_all(campaign)
    assert set(got(campaign)) == set(parts(campaign))
    assert campaign.state == "finished" and not Experiment.objects.get(campaign=campaign).arming_rest


def test_stopping_drops_the_rest(site: Site, broker: Broker) -> None:
    crowd(site, 40)
    campaign = armed(with_variants(site))
    launch.go(campaign.tenant_id, campaign.pk)
    send_all(campaign)
    stopping.stop(campaign.tenant_id, campaign.pk)
    assert campaign.pk in stopping.stopped_with_rows()
    stopping.cancel_rows(campaign.pk)
    assert campaign.pk not in stopping.stopped_with_rows() or campaign.stopped_at is not None
    assert not AudienceRange.objects.filter(campaign=campaign).exists()
    assert set(got(campaign)) == set(of(parts(campaign), "A", "B"))


def test_a_copy_has_the_variants(site: Site) -> None:
    campaign = with_variants(site, holdout_percent=10, choice="rule")
    copy = edit.copy(campaign)
    assert [v.key for v in CampaignVariant.objects.filter(campaign=copy)] == ["A", "B"]
    assert Experiment.objects.get(campaign=copy).choice == "rule"


@pytest.mark.parametrize(
    ("raw", "field", "message"),
    [
        ({"variants": [{}]}, "variants", "2 to 8"),
        ({"variants": [{}] * 9}, "variants", "2 to 8"),
        ({"variants": [{}, {}]}, "variants", "same template and version"),
        ({"variants": [{}, {"template": "none"}]}, "variants", "Variant B: there is no template 'none'"),
        ({"variants": [{}, {"version": 7}]}, "variants", "Variant B: the template 'spring' has no version 7"),
        ({"variants": [{}, {"version": True}]}, "variants", "Variant B: the version must be a whole number"),
        ({"variants": [{}, {"weight": 0}]}, "variants", "Variant B: the weight must be a whole number"),
        ({"variants": [{}, "B"]}, "variants", "Variant B: must be an object"),
        ({"variants": "AB"}, "variants", "2 to 8"),
        ({"test_percent": 0}, "test_percent", "1 to 100"),
        ({"test_percent": 60, "holdout_percent": 50}, "test_percent", "more than the audience"),
        ({"metric": "sold"}, "metric", "opened, clicked, unsubscribed"),
        ({"default": "C"}, "default", "A, B"),
        ({"percent": 1}, "percent", "no such field"),
        ({"min_sample": 1.5}, "min_sample", "whole number"),
    ],
)
def test_what_cannot_be_tested_is_refused_with_its_field(
    site: Site, raw: dict[str, object], field: str, message: str
) -> None:
    template_b(site)
    campaign = site.draft()
    with pytest.raises(InvalidInput, match=message) as refused:
        put_variants(campaign, {"variants": [{}, {"template": "spring-b"}], **raw})
    assert refused.value.field == field
    assert not CampaignVariant.objects.exists() and not Experiment.objects.exists()


def test_variants_reach_the_same_people(site: Site) -> None:
    """A template of another category would reach others; so would one without the campaign's channel."""
    template = template_b(site)
    template.category = Category.objects.create(tenant=site.acme, key="care", name="Care", kind="transactional")
    template.save()
    with pytest.raises(InvalidInput, match="another category"):
        put_variants(site.draft(), {"variants": [{}, {"template": "spring-b"}]})
    template.category = site.template.category
    template.save()
    with pytest.raises(InvalidInput, match="no content for: push"):
        put_variants(site.draft(channels=["in_app", "push"]), {"variants": [{}, {"template": "spring-b"}]})


def test_an_edit_that_no_longer_fits_the_variants_is_refused(site: Site) -> None:
    campaign = with_variants(site)
    with pytest.raises(InvalidInput, match="no content for: push"):
        edit.update(campaign, {"channels": ["in_app", "push"]})
    assert remove_variants(campaign) and not remove_variants(campaign)
    edit.update(campaign, {"channels": ["in_app", "push"]})


def test_an_edit_of_the_variants_returns_an_armed_campaign_to_draft(site: Site) -> None:
    campaign = armed(with_variants(site, test_percent=100))
    put_variants(campaign, {"variants": [{}, {"template": "spring-b"}], "test_percent": 50})
    campaign.refresh_from_db()
    assert campaign.state == "draft" and not Shard.objects.filter(campaign=campaign).exists()


def test_a_test_of_too_few_people_says_so(site: Site) -> None:
    campaign = with_variants(site, test_percent=1)
    while {"A", "B"} & set(parts(campaign).values()):  # chance puts one of the four into the test now and then
        campaign = edit.copy(campaign)
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == "draft" and campaign.failure.startswith("Nobody is in the test: 1 % of 4 people")
