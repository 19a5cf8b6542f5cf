"""What comes after a launch, counted at the receiver: a retry of what failed, and a correction of what arrived."""

from __future__ import annotations

from collections import Counter

import pytest

from campaigns import arming
from campaigns.edit import corrections
from campaigns.lifecycle.fan_out import finish
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import retrying
from campaigns.models import Campaign
from notifier.delivery.content import templates
from notifier.errors import Conflict, InvalidInput
from notifier.models import Delivery
from notifier.transport.in_memory import Answer
from notifier.vocabulary.status import Reason, Status
from tests.campaigns.fake_client import (
    BUSY,
    DEAD,
    UNAUTHORISED,
    Post,
    account,
    post,
    refusal,
    reported,
    retried,
    send,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]
REFUSED = refusal(400, "INVALID_ARGUMENT")


def finished(post: Post, fates: dict[str, Answer]) -> Campaign:
    """A finished campaign, of which some messages did not arrive."""
    post.client.fate = lambda address: fates.get(address, 200)
    campaign = post.running()
    send(campaign)
    for _ in range(8):
        # as the sweep does with rows that wait for long
        Delivery.objects.filter(campaign_id=campaign.pk, status=Status.QUEUED).update(queue_position=1)
        retried(campaign)
    finish.finish_if_done(campaign.pk)
    account(campaign)
    campaign.refresh_from_db()
    return campaign


def tags(post: Post) -> dict[str, list[str]]:
    """Token -> the tags under which its phone was shown messages: the same tag replaces."""
    shown: dict[str, list[str]] = {}
    for body in post.client.bodies:
        message = body["message"]
        shown.setdefault(message["token"], []).append(message["android"]["notification"]["tag"])
    return shown


def test_a_retry_reaches_what_failed_once_and_nothing_else(post: Post) -> None:
    post.people(300)
    campaign = finished(post, {"t7": BUSY, "t8": DEAD, "t9": REFUSED})
    assert campaign.state == Campaign.State.FINISHED
    assert reported(campaign)["failed", "exhausted"] == 1
    post.client.begun.clear()
    post.client.fate = lambda address: 200
    assert retrying.retry(campaign.tenant_id, campaign.pk)
    assert not retrying.retry(campaign.tenant_id, campaign.pk)
    reported(campaign)  # the figures agree while the retry runs
    retried(campaign)
    assert post.client.counted == {"t7": 1}
    assert reported(campaign) == {
        ("sent", ""): 298, ("failed", "dead_address"): 1, ("failed", "rejected"): 1,
    }  # fmt: skip


def test_an_account_that_was_mended_is_retried_with_exact_figures(post: Post) -> None:
    tokens = post.people(60)
    campaign = finished(post, dict.fromkeys(tokens, UNAUTHORISED))
    assert sum(retrying.retryable(campaign).values()) == 60
    post.client.begun.clear()
    post.client.fate = lambda address: 200
    retrying.retry(campaign.tenant_id, campaign.pk)
    reported(campaign)
    retried(campaign)
    assert post.client.counted == dict.fromkeys(tokens, 1)
    assert reported(campaign) == {("sent", ""): 60}


def test_a_correction_goes_to_those_who_got_it_and_replaces_it_on_their_phones(post: Post) -> None:
    tokens = post.people(40)
    campaign = finished(post, {"t7": BUSY, "t8": DEAD})
    before = tags(post)
    templates.publish(post.template, {"push": {"en": {"title": "Sorry", "body": "It costs 20, not 2."}}})
    post.people(3, "new")
    post.client.bodies.clear()
    post.client.fate = lambda address: 200
    draft = corrections.correct(campaign)
    assert (draft.corrects_id, draft.channels, draft.name) == (campaign.pk, ["push"], "Sale (correction)")
    arming.request_arm(draft)
    arming.arm(draft.pk)
    launch.go(draft.tenant_id, draft.pk)
    send(draft)
    after = tags(post)
    assert set(after) == set(tokens) - {"t7", "t8"}
    assert {token: set(keys) for token, keys in after.items()} == {token: set(before[token]) for token in after}
    assert {len(keys) for keys in after.values()} == {1}
    assert {body["message"]["notification"]["title"] for body in post.client.bodies} == {"Sorry"}
    # the messages are deliveries of their own
    assert Delivery.objects.filter(campaign_id=draft.pk).count() == 38
    account(draft)

    # a correction of the correction replaces the same message, also at a second attempt through the ledger
    post.client.bodies.clear()
    post.client.begun.clear()
    post.client.fate = lambda address: BUSY if address == "t1" and post.client.counted["t1"] < 2 else 200
    second = corrections.correct(Campaign.objects.get(pk=draft.pk))
    arming.request_arm(second)
    arming.arm(second.pk)
    launch.go(second.tenant_id, second.pk)
    send(second)
    retried(second)
    assert {token: set(keys) for token, keys in tags(post).items()} == {
        token: set(keys) for token, keys in after.items()
    }
    assert len(tags(post)["t1"]) == 2


def test_what_cannot_be_corrected_is_refused_with_the_reason(post: Post) -> None:
    post.people(2)
    campaign = post.running()
    with pytest.raises(Conflict) as running:
        corrections.correct(campaign)
    assert running.value.code == "not_ended"
    send(campaign)
    campaign.refresh_from_db()
    with pytest.raises(Conflict) as counting:
        corrections.correct(campaign)
    assert counting.value.code == "not_accounted"
    account(campaign)
    campaign.refresh_from_db()
    with pytest.raises(InvalidInput) as unused:
        corrections.correct(campaign, ["email"])
    assert unused.value.field == "channels"
    assert Campaign.objects.count() == 1


def test_an_outcome_in_doubt_is_never_retried(post: Post) -> None:
    post.people(3)
    campaign = finished(post, {})
    row = Delivery.objects.filter(campaign_id=campaign.pk).first()
    assert row is not None
    Delivery.objects.filter(pk=row.pk).update(status=Status.UNKNOWN, reason=Reason.IN_DOUBT, content={"title": "x"})
    assert retrying.retryable(campaign) == {}
    assert not retrying.retry(campaign.tenant_id, campaign.pk)
    assert Counter(post.client.begun) == {"t0": 1, "t1": 1, "t2": 1}
