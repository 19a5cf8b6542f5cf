"""Retrying what failed: what may be tried again, once for each request, and what a stop means for it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.test import Client

from campaigns.lifecycle.fan_out import finish
from campaigns.lifecycle.running import retrying, stopping
from campaigns.models import Campaign
from campaigns.report import accounting, results
from notifier.delivery.ledger import settle
from notifier.errors import Conflict
from notifier.models import DeadLetter, Delivery
from notifier.vocabulary.status import Reason, Status
from tenants.models import AuditLog
from tests.campaigns.conftest import Site, armed, sent

pytestmark = pytest.mark.django_db(transaction=True)


def failed_for_good(site: Site) -> Campaign:
    """A finished campaign of four messages, of which one failed for good, one is in doubt and one was refused."""
    campaign = sent(armed(site.draft()))
    finish.finish_if_done(campaign.pk)
    accounting.account(campaign.pk)
    rows = list(Delivery.objects.filter(campaign_id=campaign.pk).order_by("id"))
    for row, status, reason, content in (
        (rows[0], Status.FAILED, Reason.EXHAUSTED, {"title": "Hello"}),
        (rows[1], Status.UNKNOWN, Reason.IN_DOUBT, {"title": "Hello"}),
        (rows[2], Status.FAILED, Reason.REJECTED, None),
    ):
        Delivery.objects.filter(pk=row.pk).update(status=status, reason=reason, content=content, fence=0)
        if content:
            settle.store_dead_letters([(row.tenant_id, row.pk, row.channel, 6, "no answer")])
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.FINISHED
    assert campaign.accounted_at is not None
    return campaign


@pytest.fixture
def failed(site: Site) -> Campaign:
    return failed_for_good(site)


def statuses(campaign: Campaign) -> dict[str, int]:
    counts: dict[str, int] = {}
    for status in Delivery.objects.filter(campaign_id=campaign.pk).values_list("status", flat=True):
        counts[Status(status).label] = counts.get(Status(status).label, 0) + 1
    return counts


def test_only_what_failed_for_good_is_tried_again_and_nothing_in_doubt(site: Site, failed: Campaign) -> None:
    assert retrying.retryable(failed) == {"in_app": 1}
    assert retrying.retry(failed.tenant_id, failed.pk)
    failed.refresh_from_db()
    assert failed.state == Campaign.State.RUNNING
    assert statuses(failed) == {"queued": 1, "unknown": 1, "failed": 1, "delivered": 1}
    entry = AuditLog.objects.get(action="campaign.retry")
    assert entry.detail["messages"] == {"in_app": 1}


def test_a_second_click_on_the_same_page_queues_nothing_even_after_the_message_failed_again(
    site: Site, failed: Campaign
) -> None:
    shown_at = datetime.now(UTC)
    assert retrying.retry(failed.tenant_id, failed.pk, before=shown_at)
    assert not retrying.retry(failed.tenant_id, failed.pk, before=shown_at)
    row = Delivery.objects.get(campaign_id=failed.pk, status=Status.QUEUED)
    Delivery.objects.filter(pk=row.pk).update(
        status=Status.FAILED, reason=Reason.EXHAUSTED, settled_at=datetime.now(UTC)
    )
    settle.store_dead_letters([(row.tenant_id, row.pk, row.channel, 6, "no answer")])
    assert not retrying.retry(failed.tenant_id, failed.pk, before=shown_at)
    # a new look at the page, and a new click
    assert retrying.retry(failed.tenant_id, failed.pk)


def test_the_campaign_finishes_again_with_exact_counts(site: Site, failed: Campaign) -> None:
    ended = failed.finished_at
    retrying.retry(failed.tenant_id, failed.pk)
    assert not finish.finish_if_done(failed.pk)
    Delivery.objects.filter(campaign_id=failed.pk, status=Status.QUEUED).update(
        status=Status.DELIVERED, settled_at=datetime.now(UTC)
    )
    assert finish.finish_if_done(failed.pk)
    assert accounting.close(failed.pk)
    failed.refresh_from_db()
    assert failed.finished_at == ended
    assert AuditLog.objects.filter(action="campaign.finished").count() == 2
    assert results.results(failed).sent == 2


def test_a_stop_holds_before_and_during_a_retry(site: Site, failed: Campaign) -> None:
    retrying.retry(failed.tenant_id, failed.pk)
    assert stopping.stop(failed.tenant_id, failed.pk)
    assert "queued" not in statuses(failed)
    assert not DeadLetter.objects.filter(delivery__status=Status.QUEUED).exists()
    with pytest.raises(Conflict) as refused, transaction.atomic():
        retrying.retry(failed.tenant_id, failed.pk)
    assert refused.value.code == "stopped"


def test_nothing_to_retry_changes_nothing(site: Site) -> None:
    campaign = sent(armed(site.draft()))
    finish.finish_if_done(campaign.pk)
    accounting.account(campaign.pk)
    assert not retrying.retry(campaign.tenant_id, campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.FINISHED
    assert Client().post(f"/v1/campaigns/{campaign.pk}/retry").status_code == 401
