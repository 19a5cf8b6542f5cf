"""To yourself: one real message of the newest content, which no quiet hours hold; and what an edit does to it."""

from __future__ import annotations

from datetime import time

import pytest

from campaigns.audit import OPERATOR, Actor
from campaigns.edit import campaigns
from campaigns.models import Campaign
from campaigns.preflight import test_send
from notifier.delivery.content import templates
from notifier.errors import Conflict, InvalidInput, NotifierError
from notifier.models import Delivery, Notification
from notifier.vocabulary.status import Lane, Reason, Status
from tenants.models import AuditLog, Preference, Recipient
from tests.campaigns.conftest import CONTENT, Site


def test_it_goes_to_one_person_on_every_channel_of_the_campaign(site: Site) -> None:
    ours = site.draft(channels=["push", "in_app"])
    accepted = test_send.send(ours, " ada ", Actor(user=site.people.ben))
    rows = Delivery.objects.filter(notification_id=accepted.notification_id)
    assert {row.channel: (row.content or {})["title"] for row in rows} == {"push": "Hi Ada", "in_app": "Hello Ada"}
    assert {(row.status, row.lane, row.campaign_id) for row in rows} == {(Status.QUEUED, Lane.TRANSACTIONAL, None)}
    assert AuditLog.objects.filter(action="campaign.test", object_id=str(ours.pk)).exists()


def test_it_is_remembered_with_the_version_that_was_shown(site: Site) -> None:
    ours = site.draft()
    newer = templates.publish(site.template, CONTENT)
    test_send.send(ours, "ada", OPERATOR)
    ours.refresh_from_db()
    assert ours.tested_at is not None and ours.tested_version == newer


def test_neither_quiet_hours_nor_a_category_hold_it_back(site: Site) -> None:
    ada = Recipient.objects.get(tenant=site.acme, external_id="ada")
    Preference.objects.create(
        tenant=site.acme, recipient=ada, categories_off=["news"], quiet_from=time(0), quiet_until=time(23, 59)
    )
    accepted = test_send.send(site.draft(), "ada", OPERATOR)
    assert [d.status for d in accepted.deliveries] == [Status.QUEUED]
    assert Notification.objects.get(pk=accepted.notification_id).category == ""


def test_a_channel_that_is_off_stays_off(site: Site) -> None:
    ada = Recipient.objects.get(tenant=site.acme, external_id="ada")
    Preference.objects.create(tenant=site.acme, recipient=ada, channels_off=["push"])
    accepted = test_send.send(site.draft(channels=["push", "in_app"]), "ada", OPERATOR)
    assert {d.channel: d.reason for d in accepted.deliveries} == {"push": Reason.CHANNEL_OFF, "in_app": ""}


def test_a_copy_that_is_suppressed_altogether_is_no_test(site: Site) -> None:
    ada = Recipient.objects.get(tenant=site.acme, external_id="ada")
    Preference.objects.create(tenant=site.acme, recipient=ada, channels_off=["in_app"])
    ours = site.draft(channels=["in_app"])
    accepted = test_send.send(ours, "ada", OPERATOR)
    assert [d.reason for d in accepted.deliveries] == [Reason.CHANNEL_OFF]
    ours.refresh_from_db()
    assert ours.tested_at is None


@pytest.mark.parametrize(
    ("columns", "recipient", "code"),
    [
        ({}, "zoe", "unknown_recipient"),
        ({}, "", "required"),
        ({}, "  ", "required"),
        ({"data": {}}, "ada", "missing_variables"),
        ({"silent": True}, "ada", "no_test_send"),
    ],
)
def test_what_cannot_be_sent_is_not_remembered(
    site: Site, columns: dict[str, object], recipient: str, code: str
) -> None:
    ours = site.draft(**columns)
    with pytest.raises(NotifierError) as refused:
        test_send.send(ours, recipient, OPERATOR)
    assert refused.value.code == code
    ours.refresh_from_db()
    assert ours.tested_at is None and not Notification.objects.exists()


@pytest.mark.parametrize(
    ("change", "forgotten"),
    [
        ({"data": {"what": "Summer"}}, True),
        ({"channels": ["push"]}, True),
        ({"name": "Summer"}, False),
        ({"data": {"what": "Spring"}}, False),
    ],
)
def test_an_edit_of_what_was_shown_makes_it_unseen(site: Site, change: dict[str, object], forgotten: bool) -> None:
    ours = site.draft(channels=["in_app"])
    test_send.send(ours, "ada", OPERATOR)
    campaigns.update(ours, change)
    ours = Campaign.objects.get(pk=ours.pk)
    assert (ours.tested_at is None, ours.tested_version is None) == (forgotten, forgotten)


def test_a_silent_run_and_an_unknown_recipient_are_different_errors(site: Site) -> None:
    with pytest.raises(Conflict):
        test_send.send(site.draft(silent=True), "ada", OPERATOR)
    with pytest.raises(InvalidInput):
        test_send.send(site.draft(), "nobody", OPERATOR)
