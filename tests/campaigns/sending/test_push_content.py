"""What a campaign's pushes carry: the unread badge, personal texts of blocks, data messages."""

from __future__ import annotations

from typing import Any

import pytest

from inbox.models import Feed
from notifier.delivery.content import templates
from notifier.models import Delivery
from tests.campaigns.fake_client import BUSY, Post, post, reported, retried, send

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]


def publish(post: Post, **parts: Any) -> None:
    templates.publish(post.template, {"push": {"en": parts}})


def messages(post: Post) -> dict[str, dict[str, Any]]:
    """What arrived, by address."""
    return {body["message"]["token"]: body["message"] for body in post.client.bodies}


def unread(post: Post, **counts: int) -> None:
    for token, count in counts.items():
        recipient = post.person(token)
        if count:
            Feed.objects.create(recipient_id=recipient.pk, tenant=post.tenant, last_seq=count + 1, unread=count)


def badge_of(message: dict[str, Any]) -> tuple[Any, Any]:
    return message["android"]["notification"]["notification_count"], message["apns"]["payload"]["aps"]["badge"]


def test_each_recipient_sees_the_number_of_its_own_unread_messages(post: Post) -> None:
    unread(post, ann=3, ben=0, eve=12)
    publish(post, title="Hello {{ recipient.name }}", badge="unread")
    send(post.running())
    got = messages(post)
    assert {token: badge_of(message) for token, message in got.items()} == {
        "ann": (3, 3),
        "ben": (0, 0),
        "eve": (12, 12),
    }
    assert got["ann"]["notification"]["title"] == "Hello ann"
    assert post.client.sent_singly == []


def test_a_constant_badge_is_the_same_for_all(post: Post) -> None:
    unread(post, ann=3, ben=0)
    publish(post, title="Hello", badge="7")
    send(post.running())
    assert [badge_of(message) for message in messages(post).values()] == [(7, 7), (7, 7)]


def test_the_number_is_that_of_the_moment_when_the_message_leaves(post: Post) -> None:
    unread(post, ann=3)
    publish(post, title="Hello", badge="unread")
    campaign = post.running()
    post.client.fate = lambda address: BUSY
    send(campaign)
    assert [(row.content or {})["badge"] for row in Delivery.objects.filter(campaign_id=campaign.pk)] == ["unread"]
    Feed.objects.update(unread=1)
    post.client.fate = lambda address: 200
    retried(campaign)
    assert [badge_of(body["message"]) for body in post.client.bodies] == [(3, 3), (1, 1)]


def test_a_badge_that_only_some_recipients_get_is_resolved_too(post: Post) -> None:
    unread(post, ann=3, ben=4)
    publish(post, title="Hello", badge='{% if recipient.name == "ann" %}unread{% endif %}')
    send(post.running())
    got = messages(post)
    assert badge_of(got["ann"]) == (3, 3)
    assert "notification_count" not in got["ben"]["android"]["notification"]


def test_personal_texts_of_blocks_leave_in_batches(post: Post) -> None:
    unread(post, ann=0, ben=0)
    publish(
        post, title="Hello", sound="default", android={"channel_id": "orders", "tag": "{{ recipient.name }}-order"},
        apns={"thread_id": "{{ recipient.name }}", "interruption_level": "passive"},
    )  # fmt: skip
    send(post.running())
    got = messages(post)
    assert post.client.sent_singly == []
    assert [got[name]["android"]["notification"]["tag"] for name in ("ann", "ben")] == ["ann-order", "ben-order"]
    assert got["ben"]["apns"]["payload"]["aps"] == {
        "thread-id": "ben", "interruption-level": "passive", "sound": "default",
    }  # fmt: skip


def test_a_campaign_of_data_messages_shows_nothing(post: Post) -> None:
    unread(post, ann=0)
    publish(post, data={"sync": "{{ recipient.name }}"}, apns={"content_available": "true"})
    campaign = post.running()
    send(campaign)
    message = messages(post)["ann"]
    assert "notification" not in message
    assert "notification" not in message["android"]
    assert message["data"]["sync"] == "ann"
    assert reported(campaign) == {("sent", ""): 1}


def for_ann(bad: str, good: str = "") -> str:
    return "{% if recipient.name == 'ann' %}" + bad + "{% else %}" + good + "{% endif %}"


@pytest.mark.parametrize(
    "parts",
    [
        {"title": "a", "apns": {"interruption_level": for_ann("loud", "active")}},
        {
            "title": "a",
            "apns": {"payload": '{"name": ' + for_ann("{{ recipient.name }}", "{{ recipient.name | json }}") + "}"},
        },
        {"title": "a", "badge": for_ann("{{ recipient.name }}", "unread")},
        {"title": for_ann("", "Hello")},
        {"title": for_ann("{% for i in (1..2000) %}{{ recipient.name }}{% endfor %}", "Hello")},
    ],
    ids=["choice", "json", "badge", "empty", "too-large"],
)
def test_a_value_that_no_device_understands_stops_that_message_while_arming(post: Post, parts: dict[str, Any]) -> None:
    unread(post, ann=0, ben=0)
    publish(post, **parts)
    campaign = post.running()
    send(campaign)
    assert reported(campaign) == {("suppressed", "template_error"): 1, ("sent", ""): 1}
    assert post.client.begun == ["ben"]
