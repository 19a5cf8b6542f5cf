"""The report while a campaign runs, after it, and when the ledger has every outcome: equal figures on every channel."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from campaigns.lifecycle.fan_out.finish import finish_if_done
from campaigns.models import Campaign
from campaigns.report import accounting, results
from campaigns.report.results import Results
from campaigns.report.results_json import as_json
from notifier.delivery.content import templates
from notifier.models import Delivery
from notifier.vocabulary.status import Status
from tenants.models import Preference, Recipient
from tests.campaigns.fake_client import BUSY, DEAD, TEXT, Post, post, reported, retried, send

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]


@pytest.fixture
def mixed(post: Post, settings: Settings) -> Campaign:
    """On two channels: dead, flaky, opted out before and after arming; in several shards."""
    settings.SHARD_SIZE = 40
    templates.publish(post.template, {"push": {"en": TEXT}, "in_app": {"en": TEXT}})
    tokens = post.people(100)
    Recipient.objects.create(tenant=post.tenant, external_id="nobody")
    early, late = (Recipient.objects.get(tenant=post.tenant, external_id=f"t{n}") for n in (90, 91))
    Preference.objects.create(tenant=post.tenant, recipient=early, channels_off=["push", "in_app"])
    campaign = post.running(channels=["push", "in_app"])
    Preference.objects.create(tenant=post.tenant, recipient=late, channels_off=["push", "in_app"])
    dead, flaky = tokens[:7], tokens[10:15]
    post.client.fate = lambda token: DEAD if token in dead else BUSY if token in flaky else 200
    return campaign


def total(report: Results) -> int:
    return report.sent + report.not_sent + report.in_doubt + report.waiting


def answer_of(campaign: Campaign) -> dict[str, Any]:
    return as_json(results.results(Campaign.objects.get(pk=campaign.pk)))


def test_every_message_is_in_one_place_at_every_moment(post: Post, mixed: Campaign) -> None:
    everything = Delivery.objects.filter(campaign_id=mixed.pk).count()
    totals: set[int] = set()
    post.client.before_take = lambda: totals.add(total(results.results(mixed)))
    totals.add(total(results.results(mixed)))
    send(mixed)
    reported(mixed)
    totals.add(total(results.results(mixed)))
    post.client.fate = lambda token: 200
    retried(mixed)
    reported(mixed)
    assert finish_if_done(mixed.pk)
    totals.add(total(results.results(mixed)))
    before = answer_of(mixed)
    assert accounting.account(mixed.pk)
    reported(mixed)
    after = answer_of(mixed)
    assert totals == {everything}
    assert {name: before[name] for name in STEADY} == {name: after[name] for name in STEADY}
    for name in before["channels"]:
        was, now = before["channels"][name], after["channels"][name]
        assert {k: v for k, v in was.items() if k in COUNTS} == {k: v for k, v in now.items() if k in COUNTS}
    assert after["channels"]["push"]["failed_by_reason"] == {"dead_address": 7}
    assert after["channels"]["push"]["suppressed_by_reason"]["channel_off"] == 2
    assert after["waiting"] == after["in_doubt"] == 0


STEADY = ("sent", "not_sent", "in_doubt", "waiting", "excluded", "suppressed", "audience", "shards", "workers")
COUNTS = {status.label for status in Status} | {f"{status.label}_by_reason" for status in Status}


def test_before_go_everything_waits(post: Post) -> None:
    post.people(10)
    campaign = post.armed()
    assert reported(campaign) == {("armed", ""): 10}
    report = results.results(campaign)
    assert (report.waiting, report.sent, report.times.p50, report.throughput) == (10, 0, None, [])


def test_two_campaigns_of_one_moment_are_not_mixed_up(post: Post) -> None:
    post.people(5)
    one, other = post.running(), post.running()
    Campaign.objects.filter(pk=other.pk).update(first_armed_ms=one.first_armed_ms)
    send(one)
    assert reported(one) == {("sent", ""): 5}
    assert reported(other)["armed", ""] == 5


def test_times_are_of_what_was_sent(post: Post) -> None:
    post.people(50)
    campaign = post.running()
    post.client.fate = lambda token: 200 if int(token[1:]) % 2 else DEAD
    send(campaign)
    report = results.results(Campaign.objects.get(pk=campaign.pk))
    assert sum(point.sent for point in report.throughput) == report.sent == 25
    assert report.times.p50 is not None and report.times.last is not None
    assert report.channel_times["push"] == report.times
    assert report.seconds is not None and report.times.last <= report.seconds * 1000 + 1
