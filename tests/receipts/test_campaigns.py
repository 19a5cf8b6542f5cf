"""Receipts of a campaign's messages: they wait until the outcomes are in the ledger, and the report adds up."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.models import Campaign
from campaigns.report import accounting
from campaigns.report.results import results
from campaigns.report.results_json import as_json
from notifier.delivery.ledger.campaigns import campaign_counts
from notifier.delivery.receipts.reading import read_receipts
from notifier.models import Delivery, Receipt
from notifier.vocabulary.status import Status
from tenants.models import AuditLog
from tests.campaigns.fake_client import DEAD, Post, ledger, post, send
from tests.receipts.deliveries import NOW
from tests.receipts.reporter import an_account, report

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]


def counts(campaign: Campaign) -> dict[str, Any]:
    report = as_json(results(campaign))
    assert report["sent"] + report["not_sent"] + report["in_doubt"] + report["waiting"] == 20
    channel = report["channels"]["push"]
    assert sum(channel[s.label] for s in Status if s is not Status.SENT) <= 20
    return {name: report[name] for name in ("sent", "not_sent", "reported")}


def test_receipts_of_a_campaign_wait_for_accounting_and_the_report_adds_up(post: Post) -> None:
    tokens = post.people(20)
    post.client.fate = lambda token: DEAD if token == tokens[0] else 200
    campaign = post.running()
    send(campaign)
    account = an_account(post.tenant, provider="fcm", channel="push", platform="fcm")
    rows = list(Delivery.objects.filter(campaign_id=campaign.pk).order_by("id"))
    kinds = ["opened", "clicked", "complained", "failed", *["delivered"] * 16]
    report(account, *({"kind": kind, "delivery_id": str(row.pk)} for kind, row in zip(kinds, rows, strict=True)))
    read_receipts()
    assert ledger(campaign) == {("armed", ""): 20}
    assert Receipt.objects.get().state == Receipt.State.PARKED
    before = counts(campaign)
    assert before == {"sent": 19, "not_sent": 1, "reported": dict.fromkeys(before["reported"], 0)}
    accounting.account(campaign.pk)
    [closed] = AuditLog.objects.filter(object_id=str(campaign.pk), action="campaign.finished")
    Receipt.objects.update(due_at=NOW)
    read_receipts()
    assert not Receipt.objects.exists()
    after = ledger(campaign)
    assert after[("failed", "dead_address")] == 1 and ("sent", "") not in after
    moved = counts(campaign)
    undelivered = after.get(("failed", "undelivered"), 0)
    assert (moved["sent"], moved["not_sent"]) == (19 - undelivered, 1 + undelivered)
    dead = Delivery.objects.get(campaign_id=campaign.pk, reason="dead_address").pk
    arrived = [kind for kind, row in zip(kinds, rows, strict=True) if row.pk != dead and kind != "failed"]
    assert moved["reported"] == {
        "delivered": len(arrived),
        "opened": sum(kind in ("opened", "clicked") for kind in arrived),
        "clicked": arrived.count("clicked"),
        "bounced": 0,
        "complained": arrived.count("complained"),
    }
    # the campaign was closed before: what it was closed with holds
    assert campaign_counts.count_and_hash(campaign.pk) == (closed.detail["counts"], closed.detail["ledger"])
