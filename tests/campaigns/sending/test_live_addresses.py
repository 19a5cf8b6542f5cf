"""Answers that do not name one address: they mark no device as dead, and their messages are tried again. Otherwise a
mistyped project would make all recipients of a campaign unreachable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.models import Shard
from campaigns.report import accounting
from notifier.delivery.accounts import health
from notifier.vocabulary.http import Response
from tenants.models import Device
from tests.campaigns.fake_client import DEAD, Post, post, refusal, reported, send

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]


@pytest.mark.parametrize(
    "answer",
    [
        Response(404, {}, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>"),
        Response(404, {}, b""),
        Response(410, {}, b'{"message":"gone"}'),
        Response(404, {}, b'{"error":{"code":404,"status":"NOT_FOUND","message":"Requested entity was not found."}}'),
        Response(400, {}, b"<html>Bad Request</html>"),
        refusal(403, "SENDER_ID_MISMATCH"),
    ],
    ids=["page", "empty", "another service", "no FcmError", "400", "another project"],
)
def test_a_campaign_marks_no_device_dead_for_an_answer_that_does_not_name_it(post: Post, answer: Response) -> None:
    tokens = post.people(60)
    campaign = post.running()
    post.client.fate = lambda address: DEAD if address == tokens[7] else answer
    send(campaign)
    Shard.objects.update(ended_at=datetime.now(UTC) - timedelta(minutes=1))  # accounting waits half a minute
    accounting.account(campaign.pk)
    assert [device.token for device in Device.objects.exclude(dead_since=None)] == [tokens[7]]
    assert reported(campaign) == {("queued", ""): 59, ("failed", "dead_address"): 1}
    # a token of another project says nothing about the account: any app may have registered it
    unhealthy = health.read_weights([post.account.id])[post.account.id] < health.FULL
    assert unhealthy == (answer.status != 403)
