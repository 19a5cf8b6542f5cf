"""Report, retry and correct over the API, as the web role; the other tenant finds none of them."""

from __future__ import annotations

import uuid

import pytest

from campaigns.models import Campaign
from campaigns.report import stored
from notifier.models import Delivery
from notifier.vocabulary.status import Status
from tenants.models import AuditLog
from tests.broker import Broker, broker
from tests.campaigns.api.conftest import Api
from tests.campaigns.conftest import Site
from tests.campaigns.lifecycle.test_retrying import failed_for_good

__all__ = ["broker"]

pytestmark = pytest.mark.django_db(transaction=True)
#: of four messages one arrived, two failed, and one is in doubt
SENT, FAILED = 1, 3


@pytest.fixture
def ended(site: Site, broker: Broker) -> Campaign:
    return failed_for_good(site)


def test_the_report_of_a_campaign_that_ended(ended: Campaign, api: Api) -> None:
    stored.count_and_store(ended.pk)
    status, report = api("GET", f"/v1/campaigns/{ended.pk}/report")
    assert status == 200, report
    assert report["counted_at"] is not None
    assert (report["funnel"]["sent"], report["funnel"]["failed"]) == (SENT, FAILED)
    assert report["by"]["channel"]["in_app"] == report["funnel"]
    assert set(report["over_time"]) >= {"sent"}


def test_a_campaign_without_a_launch_has_no_report_and_nothing_to_retry_or_correct(site: Site, api: Api) -> None:
    at = f"/v1/campaigns/{site.draft().pk}"
    for method, step in (("GET", "report"), ("POST", "retry"), ("POST", "correct")):
        status, problem = api(method, f"{at}/{step}")
        assert (status, bool(problem["code"])) == (409, True), step


def test_a_retry_queues_what_failed_for_good_once(ended: Campaign, api: Api) -> None:
    at = f"/v1/campaigns/{ended.pk}/retry"
    assert api("POST", at) == (200, {"retried": True, "state": "running"})
    assert api("POST", at) == (200, {"retried": False, "state": "running"})
    assert Delivery.objects.filter(campaign_id=ended.pk, status=Status.QUEUED).count() == 1
    entry = AuditLog.objects.get(action="campaign.retry")
    assert (entry.detail["messages"], entry.api_key_id is not None) == ({"in_app": 1}, True)


def test_a_correction_is_a_draft_to_those_who_got_the_campaign(ended: Campaign, api: Api) -> None:
    status, draft = api("POST", f"/v1/campaigns/{ended.pk}/correct", {"channels": ["in_app"]})
    assert (status, draft["state"], draft["channels"]) == (201, "draft", ["in_app"])
    made = Campaign.objects.get(pk=draft["id"])
    assert (made.corrects_id, made.audience is not None) == (ended.pk, True)
    # a second correction has an audience of its own; without channels: those that the campaign used
    status, second = api("POST", f"/v1/campaigns/{ended.pk}/correct")
    assert (status, second["channels"]) == (201, ["in_app"])
    assert Campaign.objects.get(pk=second["id"]).audience_id != made.audience_id


@pytest.mark.parametrize("channels", [["sms"], [], ["telepathy"]], ids=["not used", "none", "unknown"])
def test_a_correction_on_other_channels_is_refused_and_names_the_field(
    channels: list[str], ended: Campaign, api: Api
) -> None:
    status, problem = api("POST", f"/v1/campaigns/{ended.pk}/correct", {"channels": channels})
    assert (status, problem["field"].partition(".")[0]) == (400, "channels")
    assert not Campaign.objects.filter(corrects=ended).exists()


def test_the_other_tenant_finds_nothing(ended: Campaign, stranger: Api, api: Api) -> None:
    for method, step in (("GET", "report"), ("POST", "retry"), ("POST", "correct")):
        assert stranger(method, f"/v1/campaigns/{ended.pk}/{step}")[0] == 404, step
        assert api(method, f"/v1/campaigns/{uuid.uuid4()}/{step}")[0] == 404, step
    assert Campaign.objects.get(pk=ended.pk).state == Campaign.State.FINISHED
    assert not Campaign.objects.filter(corrects=ended).exists()
