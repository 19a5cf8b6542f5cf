"""Silent runs: a copy goes the whole way by itself, and no message is delivered."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns import arming
from campaigns.audit import OPERATOR, Actor
from campaigns.models import Campaign, Shard
from campaigns.preflight import rehearse
from campaigns.preflight.rehearse import rehearse as begin
from notifier.errors import Conflict, InvalidInput
from notifier.models import Delivery
from notifier.providers import Provider
from notifier.providers.fcm import Fcm
from notifier.vocabulary.status import SILENT
from tenants.models import AuditLog, Device, Recipient
from tests.campaigns.conftest import Site, armed


def test_a_silent_run_is_a_copy_on_the_channels_that_can_be_checked(site: Site) -> None:
    ours = site.draft(channels=["push", "in_app"], rate_per_s=50.0, hold_seconds=9, max_error_percent=7)
    twin = begin(ours, Actor(user=site.people.ben))
    assert (twin.silent, twin.rehearsal_of, twin.channels) == (True, ours, ["push"])
    assert (twin.name, twin.created_by) == ("Spring (silent run)", site.people.ben)
    assert (twin.rate_per_s, twin.max_error_percent, twin.hold_seconds) == (50.0, 7, 0)
    twin.refresh_from_db()
    ours.refresh_from_db()
    assert (twin.state, ours.state) == (Campaign.State.ARMING, Campaign.State.DRAFT)
    assert AuditLog.objects.filter(action="campaign.rehearse", object_id=str(ours.pk)).exists()


def test_it_launches_itself_when_it_is_armed_and_only_it(site: Site) -> None:
    ours = armed(site.draft(channels=["push"]))
    twin = begin(ours, OPERATOR)
    rehearse.launch_armed()
    twin.refresh_from_db()
    assert twin.state == Campaign.State.ARMING
    arming.arm(twin.pk)
    rehearse.launch_armed()
    rehearse.launch_armed()
    twin.refresh_from_db()
    ours.refresh_from_db()
    assert (twin.state, ours.state) == (Campaign.State.RUNNING, Campaign.State.ARMED)


def test_its_messages_are_marked_silent_and_take_nothing_from_the_campaign(site: Site) -> None:
    ours = armed(site.draft(channels=["push"]))
    twin = begin(ours, OPERATOR)
    arming.arm(twin.pk)
    modes = {
        pk: set(Delivery.objects.filter(campaign_id=pk).values_list("mode", flat=True)) for pk in (ours.pk, twin.pk)
    }
    assert modes == {ours.pk: {"live"}, twin.pk: {SILENT}}
    assert Shard.objects.filter(campaign=ours).exists() and Shard.objects.filter(campaign=twin).exists()


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"mode": "test", "channels": ["push"]}, "rehearsal already"),
        ({"silent": True, "channels": ["push"]}, "silent run itself"),
        ({"channels": ["in_app"]}, "without delivering them on: in_app"),
    ],
)
def test_what_cannot_be_rehearsed_says_so(site: Site, columns: dict[str, object], why: str) -> None:
    ours = site.draft(**columns)
    with pytest.raises(Conflict, match=why):
        begin(ours, OPERATOR)
    assert Campaign.objects.count() == 1


def test_what_cannot_be_armed_leaves_no_copy(site: Site) -> None:
    with pytest.raises(InvalidInput, match="Choose an audience first"):
        begin(site.draft(channels=["push"], audience=None), OPERATOR)
    assert Campaign.objects.count() == 1


def test_a_long_name_stays_within_its_column(site: Site) -> None:
    twin = begin(site.draft(name="x" * 200, channels=["push"]), OPERATOR)
    assert len(twin.name) == 200 and twin.name.endswith(" (silent run)")


def test_a_channel_without_a_provider_that_can_check_has_no_silent_run(site: Site) -> None:
    ours = site.draft(channels=["push", "in_app"])
    assert rehearse.channels_to_rehearse(ours) == ["push"]
    real: type[Provider[Any]] = type("Real", (Fcm,), {"rehearses": False})
    assert rehearse.channels_to_rehearse(ours, [real]) == []


def test_devices_whose_provider_would_deliver_are_left_out_of_a_silent_run(site: Site) -> None:
    person = Recipient.objects.filter(tenant=site.acme).order_by("id")[0]
    Device.objects.create(tenant=site.acme, recipient=person, platform="apns", token="a1" * 32)
    ours = armed(site.draft(channels=["push"]))
    twin = begin(ours, OPERATOR)
    arming.arm(twin.pk)
    reasons = {
        pk: list(Delivery.objects.filter(campaign_id=pk, platform="apns").values_list("reason", flat=True))
        for pk in (ours.pk, twin.pk)
    }
    assert reasons == {ours.pk: [""], twin.pk: ["no_account"]}
