"""Reports, results of A/B tests, live figures and the home page show the same after the messages are deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import translation

from campaigns import arming
from campaigns.api.reports import show_report
from campaigns.audience.left_out import counts_of
from campaigns.edit import corrections
from campaigns.lifecycle.running import retrying
from campaigns.live import reading
from campaigns.models import Audience, Campaign, CampaignReport, CampaignVariant, Experiment
from campaigns.report import accounting, results, stored
from campaigns.report.results_json import as_json
from campaigns.variants import results as ab_test
from campaigns.variants.stored import counts_of as counts_of_test
from notifier.errors import Conflict, InvalidInput
from notifier.models import Delivery, MessageCount, Notification
from notifier.vocabulary.status import Status
from tenants.models import Preference, Recipient, User
from tests.campaigns.conftest import Browser, Page, Site, armed, page, sent, text
from tests.campaigns.variants.conftest import crowd, with_variants
from tests.campaigns.workers import held_up
from tests.fixtures import Api
from tests.flows.wait import until
from tests.retention.conftest import keep_for, run_after

# a claim compares with the time at which its transaction began
pytestmark = pytest.mark.django_db(transaction=True)

#: how messages go: rows of a tenant that keeps them for a week, and whole months
ROADS: dict[str, Callable[[Site], int]] = {
    "row by row": lambda site: _by_rows(site),
    "by months": lambda site: run_after(200),
}


def _by_rows(site: Site) -> int:
    keep_for(site.acme, 7)
    return run_after(8, batch=50)


def a_tested_campaign(site: Site) -> Campaign:
    """A campaign with an A/B test, left-out people, opens, clicks and an opt-out."""
    people = crowd(site, 60)
    Preference.objects.create(tenant=site.acme, recipient=people[0], everything_off=True)
    campaign = sent(armed(with_variants(site, test_percent=100)))
    accounting.account(campaign.pk)
    ids = list(Delivery.objects.filter(campaign_id=campaign.pk, status=Status.DELIVERED).values_list("id", flat=True))
    Delivery.objects.filter(pk__in=ids[:20]).update(status=Status.OPENED)
    Delivery.objects.filter(pk__in=ids[20:27]).update(status=Status.CLICKED)
    Delivery.objects.filter(pk__in=ids[27:29]).update(status=Status.FAILED, reason="rejected")
    late = Recipient.objects.get(pk=Delivery.objects.get(pk=ids[3]).recipient_id)
    Preference.objects.create(tenant=site.acme, recipient=late, categories_off=["news"])
    campaign.refresh_from_db()
    assert campaign.accounted_at is not None
    return campaign


def shown(campaign: Campaign) -> dict[str, Any]:
    """Every count that a page or the API shows of the campaign."""
    campaign.refresh_from_db()
    with translation.override("en"):
        tested = ab_test.as_json(ab_test.results(campaign))
    left_out = [(each.reason, each.channel, each.messages) for each in counts_of(campaign)]
    return {
        "results": as_json(stored.results_of(campaign)),
        "report": {**show_report(campaign), "counted_at": None},
        "ab_test": {**tested, "counted_at": None},
        "progress": results.progress(campaign),
        "live": reading.read(campaign, {}),
        "left_out": sorted(left_out),
    }


@pytest.mark.parametrize("road", ROADS)
def test_the_counts_of_a_campaign_are_the_same(site: Site, road: str) -> None:
    campaign = a_tested_campaign(site)
    before = shown(campaign)
    assert before["results"]["channels"]["in_app"]["opened"] == 20
    assert sum(each["opened"] for each in before["ab_test"]["variants"]) == 27
    ROADS[road](site)
    assert not Delivery.objects.filter(campaign_id=campaign.pk).exists()
    assert shown(campaign) == before
    counted = MessageCount.objects.filter(campaign_id=campaign.pk).values_list("status", "reason", "messages")
    by_status = {(Status(status).label, reason): 0 for status, reason, _ in counted}
    for status, reason, messages in counted:
        by_status[Status(status).label, reason] += messages
    channel = before["results"]["channels"]["in_app"]
    assert by_status["opened", ""] == channel["opened"] and by_status["clicked", ""] == channel["clicked"]
    assert by_status["failed", "rejected"] == channel["failed"]


@pytest.mark.parametrize("road", ROADS)
def test_the_home_page_and_the_report_are_the_same(
    site: Site, road: str, browser: Callable[[User], Browser], api: Callable[[str | None], Api]
) -> None:
    campaign = a_tested_campaign(site)
    for _ in range(3):
        body = {"recipient": "ada", "template": "spring", "data": {"what": "x"}}
        assert api(site.people.acme_key)("POST", "/v1/notifications", body).status == 202
    end_requests()
    ana = browser(site.people.ana)
    before = text(ana.get("/admin/")), words_of(ana.get(page("change", campaign)))
    ROADS[road](site)
    assert not Notification.objects.filter(tenant=site.acme).exists()
    assert text(ana.get("/admin/")) == before[0]
    assert words_of(ana.get(page("change", campaign))) == before[1]


def words_of(answer: Page) -> list[str]:
    """The words of a page without times of a clock: when a report was counted."""
    return [word for word in text(answer).split() if ":" not in word]


def end_requests() -> None:
    rows = Delivery.objects.filter(notification__isnull=False, status__lt=Status.SENT)
    rows.update(status=Status.FAILED, reason="rejected", settled_at=datetime.now(UTC))


def test_a_campaign_that_is_not_over_keeps_its_messages(site: Site) -> None:
    keep_for(site.acme, 7)
    waiting = armed(site.draft())
    run_after(8)
    run_after(300)
    waiting.refresh_from_db()
    assert Delivery.objects.filter(campaign_id=waiting.pk).count() == 4
    assert waiting.report_final_at is None and waiting.messages_deleted_at is None


def test_a_correction_that_is_not_over_keeps_the_first_campaign(site: Site) -> None:
    keep_for(site.acme, 7)
    first = sent(armed(site.draft()))
    accounting.account(first.pk)
    second = site.draft(corrects=first)
    run_after(8)
    assert Delivery.objects.filter(campaign_id=first.pk).count() == 4
    second.delete()
    run_after(8)
    assert not Delivery.objects.filter(campaign_id=first.pk).exists()


def an_old_campaign(site: Site) -> Campaign:
    """A campaign that was sent, and whose messages are deleted."""
    campaign = sent(armed(site.draft(name="Spring")))
    accounting.account(campaign.pk)
    _by_rows(site)
    campaign.refresh_from_db()
    assert campaign.report_final_at is not None and not Delivery.objects.filter(campaign_id=campaign.pk).exists()
    return campaign


def those_who(campaign: Campaign, op: str) -> list[dict[str, Any]]:
    """A segment of the recipients for whom the condition does not hold."""
    value: Any = [str(campaign.pk)] if op in ("in", "not_in") else str(campaign.pk)
    return [{"none": [{"field": "got_campaign", "op": op, "value": value}]}]


@pytest.mark.parametrize("op", ["eq", "ne", "in", "not_in"])
def test_a_segment_of_those_who_got_a_deleted_campaign_is_refused(
    site: Site, api: Callable[[str | None], Api], op: str
) -> None:
    """Nobody got it as far as anybody knows: the segment would find everybody, or nobody."""
    campaign = an_old_campaign(site)
    call, filter_ = api(site.people.acme_key), those_who(campaign, op)
    refused = call("POST", "/v1/audiences/count", {"filter": filter_})
    assert refused.status == 400 and "Spring" in str(refused.body) and "filter.0.none.0.value" in str(refused.body)
    audience = Audience.objects.create(tenant=site.acme, name="Others", source="segment", filter=filter_)
    shown_audience = call("GET", f"/v1/audiences/{audience.pk}")
    assert (shown_audience.status, shown_audience.body["reaches"]) == (200, None)
    with pytest.raises(InvalidInput, match="Spring") as wrong:
        arming.request_arm(site.draft(audience=audience))
    assert wrong.value.field == "audience"


def test_an_arming_under_way_reads_no_campaign_that_is_deleted_meanwhile(site: Site) -> None:
    campaign = sent(armed(site.draft(name="Spring")))
    accounting.account(campaign.pk)
    audience = Audience.objects.create(
        tenant=site.acme, name="Others", source="segment", filter=those_who(campaign, "ne")
    )
    draft = site.draft(audience=audience)
    arming.request_arm(draft)
    assert arming.begin(draft.pk)
    Campaign.objects.filter(pk=campaign.pk).update(report_final_at=datetime.now(UTC))
    arming.arm_ranges(draft.pk)
    draft.refresh_from_db()
    assert draft.state == "draft" and "Spring" in draft.failure


def test_a_deleted_campaign_is_neither_corrected_nor_retried(site: Site) -> None:
    campaign = an_old_campaign(site)
    with pytest.raises(Conflict) as refused:
        corrections.correct(campaign)
    assert refused.value.code == "not_correctable"
    with pytest.raises(Conflict):
        retrying.retry(campaign.tenant_id, campaign.pk)


@pytest.mark.parametrize("first", ["correction", "count"])
def test_of_a_correction_and_the_last_count_at_once_one_wins(site: Site, first: str) -> None:
    """Each waits for the campaign's row, and then sees what became of it."""
    keep_for(site.acme, 7)
    campaign = sent(armed(site.draft()))
    accounting.account(campaign.pk)
    stale = Campaign.objects.get(pk=campaign.pk)
    lock = f"SELECT FROM campaigns_campaign WHERE id = '{campaign.pk}' FOR UPDATE"
    if first == "correction":
        with held_up(lambda: run_after(8), lock):
            corrections.correct(stale)
        assert Delivery.objects.filter(campaign_id=campaign.pk).count() == 4
        assert Campaign.objects.get(pk=campaign.pk).report_final_at is None
    else:
        with pytest.raises(Conflict), held_up(lambda: corrections.correct(stale), lock):
            Campaign.objects.filter(pk=campaign.pk).update(report_final_at=datetime.now(UTC))
        assert not Campaign.objects.filter(corrects=campaign).exists()


@pytest.mark.parametrize("how", ["disarmed", "failed", "left"])
def test_a_campaign_that_is_armed_again_much_later_gets_ids_of_that_time(site: Site, how: str) -> None:
    campaign = armed(site.draft())
    old = {"first_armed_ms": campaign.first_armed_ms}
    if how == "disarmed":
        arming.disarm(Campaign.objects.get(pk=campaign.pk))
    elif how == "failed":
        arming.request_arm(campaign)
        Audience.objects.filter(pk=site.everybody.pk).update(filter=[], source="segment")
        arming.arm(campaign.pk)
    else:
        # what an older version left: a draft with the time of its arming, and with rows
        Campaign.objects.filter(pk=campaign.pk).update(state="draft", armed_at=None)
        run_after(100)
    campaign.refresh_from_db()
    assert campaign.state == "draft" and old["first_armed_ms"] is not None
    assert campaign.first_armed_ms is None
    assert not Delivery.objects.filter(campaign_id=campaign.pk).exists()


def test_a_large_test_is_counted_once_and_then_read(site: Site) -> None:
    campaign = a_tested_campaign(site)
    counts, _ = counts_of_test(*_test_of(campaign), small=0)
    assert CampaignReport.objects.filter(campaign=campaign, computed_at=None).exists()
    # no report is counted beside a campaign that has just left
    until(lambda: stored.count_and_store(campaign.pk, small=0), "the count")
    Delivery.objects.filter(campaign_id=campaign.pk).update(status=Status.FAILED)
    again, counted_at = counts_of_test(*_test_of(campaign), small=0)
    assert again == counts
    assert counted_at == CampaignReport.objects.get(campaign=campaign).computed_at


def _test_of(campaign: Campaign) -> tuple[Campaign, Experiment, list[CampaignVariant]]:
    variants = CampaignVariant.objects.filter(campaign=campaign)
    return campaign, Experiment.objects.get(campaign=campaign), list(variants)
