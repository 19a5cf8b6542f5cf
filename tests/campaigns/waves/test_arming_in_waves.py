"""Arming a campaign at local time: its shards by wave, and who is left out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from campaigns.audit import Actor
from campaigns.edit import campaigns
from campaigns.models import Campaign, Shard
from campaigns.preflight import rehearse
from campaigns.preflight.preflight import as_json, preflight
from notifier.errors import InvalidInput
from notifier.models import Delivery
from notifier.vocabulary.status import Status
from tenants.models import Device, Recipient
from tests.broker import Broker, broker
from tests.campaigns.conftest import Site, armed, recipients
from tests.campaigns.waves.conftest import IN_UTC, IN_UTC_MINUS_1, IN_UTC_PLUS_2, LOCAL, armed_in_waves

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]


def shards(campaign: Campaign) -> list[tuple[str, object, int]]:
    rows = Shard.objects.filter(campaign=campaign).order_by("not_before", "channel")
    return list(rows.values_list("channel", "not_before", "size"))


def test_each_offset_has_its_shards_and_who_is_too_late_gets_it_the_next_day(site: Site, broker: Broker) -> None:
    campaign = armed_in_waves(site, channels=["in_app", "push"])
    tomorrow = IN_UTC_PLUS_2 + timedelta(days=1)
    assert shards(campaign) == [
        ("in_app", IN_UTC, 2),
        ("push", IN_UTC, 2),
        ("in_app", IN_UTC_MINUS_1, 1),
        ("push", IN_UTC_MINUS_1, 1),
        ("in_app", tomorrow, 1),
        ("push", tomorrow, 1),
    ]
    assert campaign.excluded == {} and campaign.unreached == 0
    seen = as_json(preflight(campaign))
    assert [(w["at"], w["messages"]) for w in seen["waves"]][:2] == [(IN_UTC, 4), (IN_UTC_MINUS_1, 2)]
    assert not any("is over" in warning for warning in seen["warnings"])


def test_who_is_too_late_is_left_out_with_the_reason(site: Site, broker: Broker) -> None:
    campaign = armed_in_waves(site, passed="leave_out", channels=["in_app", "push"])
    assert [at for _, at, _ in shards(campaign)] == [IN_UTC, IN_UTC, IN_UTC_MINUS_1, IN_UTC_MINUS_1]
    assert (campaign.excluded, campaign.unreached) == ({"local_time_passed": 2}, 1)
    rows = Delivery.objects.filter(campaign_id=campaign.pk, reason="local_time_passed")
    cy = Recipient.objects.get(tenant=site.acme, external_id="cy")
    assert set(rows.values_list("recipient_id", "status")) == {(cy.pk, int(Status.SUPPRESSED))}


def test_a_planned_launch_counts_as_the_beginning(site: Site, broker: Broker) -> None:
    campaign = armed_in_waves(site, passed="leave_out", launch_at=IN_UTC)
    assert [at for _, at, _ in shards(campaign)] == [IN_UTC, IN_UTC_MINUS_1]
    campaigns.update(campaign, {"data": {"what": "June"}})
    Campaign.objects.filter(pk=campaign.pk).update(hold_seconds=60)
    campaign.refresh_from_db()
    assert [at for _, at, _ in shards(armed(campaign))] == [IN_UTC_MINUS_1]


def test_an_address_in_two_zones_gets_one_message_in_the_earlier_wave(site: Site, broker: Broker) -> None:
    late, early = recipients(site.acme, "late", "early")
    for recipient, zone in [(late, "Etc/GMT+1"), (early, "UTC")]:
        Recipient.objects.filter(pk=recipient.pk).update(timezone=zone)
        Device.objects.create(tenant=site.acme, recipient=recipient, token=f"of-{recipient.external_id}")
        Recipient.objects.filter(pk=recipient.pk).update(email="same@example.com")
    campaign = armed_in_waves(site, channels=["push"])
    ids = Delivery.objects.filter(campaign_id=campaign.pk).values_list("id", flat=True)
    assert len(ids) == len(set(ids)) == sum(size for *_, size in shards(campaign)) == 6


def test_a_campaign_without_a_local_time_has_no_waves(site: Site, broker: Broker) -> None:
    armed_in_waves(site)
    campaign = armed(site.draft(name="At once"))
    assert [(at, size) for _, at, size in shards(campaign)] == [(None, 4)]
    assert as_json(preflight(campaign))["waves"] == []


def test_another_local_time_needs_another_arming_and_a_copy_has_none(site: Site, broker: Broker) -> None:
    campaign = armed_in_waves(site, passed="leave_out")
    copied = campaigns.copy(campaign)
    assert (copied.local_time, copied.passed) == (None, "leave_out")
    edited = campaigns.update(campaign, {"channels": ["push"]})
    assert rehearse.rehearse(edited, by=Actor()).local_time is None
    assert campaigns.update(armed(edited), {"passed": "next_day"}).state == "draft"


def test_a_local_time_that_is_over_everywhere_is_not_armed(site: Site, broker: Broker) -> None:
    campaign = site.draft(local_time=LOCAL.replace(year=2020))
    with pytest.raises(InvalidInput) as refused:
        armed(campaign)
    assert (refused.value.field, refused.value.code) == ("local_time", "in_the_past")
