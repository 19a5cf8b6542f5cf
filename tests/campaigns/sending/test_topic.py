"""A campaign to a topic of Firebase: one message, which no opt-out holds back, through the engine of all campaigns."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from campaigns import arming
from campaigns.audit import OPERATOR
from campaigns.edit import audiences, campaigns
from campaigns.edit.audiences import Definition
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import pausing
from campaigns.models import Audience, Campaign, Shard
from campaigns.preflight import preflight, rehearse, test_send
from campaigns.report import results
from campaigns.sending.sender import Sender
from notifier.delivery.content import templates
from notifier.errors import Conflict, InvalidInput
from notifier.models import Delivery
from notifier.vocabulary.people import NO_RECIPIENT
from notifier.vocabulary.status import Status
from tenants.models import Suppression
from tests.campaigns.fake_client import (
    BUSY,
    TEXT,
    Killed,
    Post,
    account,
    claimed,
    ledger,
    lose_leases,
    post,
    reported,
    retried,
    send,
    stop,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]
CONDITION = "'news' in topics && ('de' in topics || 'at' in topics)"


def topic(post: Post, name: str = "news", **fields: Any) -> Audience:
    definition = Definition("topic", topic=name, **fields)
    return audiences.create(post.tenant, f"To {name}", definition)


def armed(post: Post, audience: Audience, **fields: Any) -> Campaign:
    values = {"name": "Sale", "template": post.template.key, "audience": str(audience.pk), **fields}
    campaign = campaigns.create(post.tenant, values)
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED, campaign.failure
    return campaign


def go(campaign: Campaign) -> Campaign:
    launch.go(campaign.tenant_id, campaign.pk, ignore_opt_outs=True)
    campaign.refresh_from_db()
    return campaign


@pytest.mark.parametrize(("name", "field"), [("news", "topic"), (CONDITION, "condition")])
def test_one_message_leaves_for_a_topic(post: Post, name: str, field: str) -> None:
    post.people(3)
    campaign = go(armed(post, topic(post, name), canary_percent=50))
    send(campaign)
    (body,) = post.client.bodies
    assert body["message"][field] == name and "token" not in body["message"]
    row = Delivery.objects.get(campaign_id=campaign.pk)
    assert body["message"]["android"]["notification"]["tag"] == row.id.hex
    assert (row.recipient_id, row.platform, row.address) == (
        NO_RECIPIENT,
        "fcm",
        f"/topics/{name}" if field == "topic" else name,
    )
    account(campaign)
    assert reported(campaign) == ledger(campaign) == {("sent", ""): 1}
    report = results.results(campaign)
    assert (report.topic, report.sent, report.audience, report.unreached) == (
        f"the {field} {name}",
        1,
        0,
        0,
    )
    assert campaign.state == Campaign.State.FINISHED


def test_go_must_say_that_no_opt_out_holds(post: Post) -> None:
    campaign = armed(post, topic(post))
    with pytest.raises(Conflict, match="Opt-outs, suppressions, blocked recipients and quiet hours") as refused:
        launch.go(campaign.tenant_id, campaign.pk)
    assert refused.value.code == "not_acknowledged"
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED
    with pytest.raises(InvalidInput) as wrong:
        everybody = post.armed() if post.people(1) else campaign
        launch.go(everybody.tenant_id, everybody.pk, ignore_opt_outs=True)
    assert wrong.value.field == "ignore_opt_outs"


def test_preflight_says_what_a_topic_means(post: Post) -> None:
    seen = preflight.preflight(armed(post, topic(post)))
    (warning,) = [text for text in seen.warnings if "the topic news" in text]
    assert "quiet hours of Notifier do not hold" in warning and "apns, webpush" in warning
    assert (seen.topic, seen.messages, seen.audience, seen.person) == ("the topic news", 1, 0, None)
    assert [sample.parts["title"] for sample in seen.samples] == [TEXT["title"]]


@pytest.mark.parametrize(
    ("push", "said"),
    [
        ({"title": "Hi {{ recipient.name }}", "body": "x"}, "'recipient.name' in the part title of the language en"),
        ({"title": "x", "body": "x", "data": {"plan": "{{ recipient.attributes.plan }}"}}, "recipient.attributes.plan"),
        ({"title": "x", "body": "x", "badge": "unread"}, "unread messages"),
    ],
)
def test_a_template_for_one_person_is_refused_with_the_variable(post: Post, push: Any, said: str) -> None:
    templates.publish(post.template, {"push": {"en": push}})
    campaign = campaigns.create(post.tenant, {"name": "x", "template": "sale", "audience": str(topic(post).pk)})
    with pytest.raises(InvalidInput, match=said) as refused:
        arming.request_arm(campaign)
    assert (refused.value.field, refused.value.code) == ("template", "personal_variable")
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.DRAFT


def test_a_topic_has_its_own_language(post: Post) -> None:
    german = {"title": "Hallo", "body": "Es ist da: {{ what }}"}
    templates.publish(post.template, {"push": {"en": TEXT, "de": german}})
    campaign = go(armed(post, topic(post, locale="de-at"), data={"what": "Los"}))
    send(campaign)
    assert post.client.bodies[0]["message"]["notification"]["body"] == "Es ist da: Los"


def test_a_missing_variable_is_refused_when_arming_is_asked_for(post: Post) -> None:
    templates.publish(post.template, {"push": {"en": {"title": "x", "body": "{{ what }}"}}})
    campaign = campaigns.create(post.tenant, {"name": "x", "template": "sale", "audience": str(topic(post).pk)})
    with pytest.raises(InvalidInput, match="what"):
        arming.request_arm(campaign)


def test_other_channels_are_refused_or_left_out(post: Post) -> None:
    content = {"push": {"en": TEXT}, "in_app": {"en": TEXT}}
    templates.publish(post.template, content)
    fields = {"name": "x", "template": "sale", "audience": str(topic(post).pk)}
    assert campaigns.create(post.tenant, fields).channels == ["push"]
    with pytest.raises(InvalidInput, match="leave out: in_app") as refused:
        campaigns.create(post.tenant, {**fields, "channels": ["push", "in_app"]})
    assert refused.value.field == "channels"
    both = campaigns.create(post.tenant, {"name": "x", "template": "sale"})
    with pytest.raises(InvalidInput, match="leave out: in_app"):
        campaigns.update(both, {"audience": fields["audience"]})
    templates.publish(post.template, {"in_app": {"en": TEXT}})
    with pytest.raises(InvalidInput, match="no content for it"):
        campaigns.create(post.tenant, fields)


def test_what_people_chose_does_not_hold_a_topic(post: Post) -> None:
    campaign = armed(post, topic(post))
    Suppression.objects.create(tenant=post.tenant, channel="push", address="/topics/news", cause="manual")
    go(campaign)
    send(campaign)
    assert post.client.begun == ["news"]


def test_a_refused_topic_is_tried_again_and_stop_holds(post: Post) -> None:
    post.client.fate = lambda address: BUSY
    campaign = go(armed(post, topic(post)))
    send(campaign)
    assert reported(campaign) == {("queued", ""): 1}
    post.client.fate = lambda address: 200
    retried(campaign)
    assert post.client.begun == ["news", "news"]
    assert len({body["message"]["data"]["delivery_id"] for body in post.client.bodies}) == 1
    assert reported(campaign) == {("sent", ""): 1}
    other = go(armed(post, topic(post, "other")))
    pausing.pause(other.tenant_id, other.pk)
    send(other)
    stop(other)
    assert "other" not in post.client.begun and reported(other) == {("cancelled", "stopped"): 1}


def test_a_killed_worker_repeats_a_topic_with_the_same_collapse_key(post: Post, settings: Settings) -> None:
    def die(*args: Any, **options: Any) -> bool:
        raise Killed  # Google has answered, and the answer is not written

    campaign = go(armed(post, topic(post)))
    with pytest.raises(Killed):
        Sender(claimed(campaign), release=die).run()
    lose_leases(settings)
    Sender(claimed(campaign)).run()
    assert post.client.begun == ["news", "news"]
    assert len({body["message"]["android"]["notification"]["tag"] for body in post.client.bodies}) == 1
    assert reported(campaign) == {("sent", ""): 1}


def test_a_test_send_and_a_silent_run_of_a_topic(post: Post) -> None:
    post.person("token-of-ada", external_id="ada")
    campaign = armed(post, topic(post))
    sent = test_send.send(campaign, "ada", OPERATOR)
    assert [d.status for d in sent.deliveries] == [Status.QUEUED]
    silent = rehearse.rehearse(campaign, OPERATOR)
    arming.arm(silent.pk)
    rehearse.launch_armed()
    silent.refresh_from_db()
    send(silent)
    (body,) = post.client.bodies
    assert (body["message"]["topic"], body["validate_only"]) == ("news", True)


def test_a_changed_topic_disarms_the_campaign(post: Post) -> None:
    audience = topic(post)
    campaign = armed(post, audience)
    audience.topic = "'news'in topics"
    audiences.save(audience)
    campaign.refresh_from_db()
    audience.refresh_from_db()
    assert (audience.topic, campaign.state) == ("'news' in topics", Campaign.State.DRAFT)
    assert not Shard.objects.filter(campaign=campaign).exists()
    with pytest.raises(InvalidInput, match="Position 1"):
        audience.topic = "ü"
        audiences.save(audience)


def test_a_topic_without_an_account_says_so(post: Post) -> None:
    post.tenant.sandbox = False
    post.tenant.save()
    campaign = campaigns.create(post.tenant, {"name": "x", "template": "sale", "audience": str(topic(post).pk)})
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.DRAFT and "Firebase Cloud Messaging" in campaign.failure
