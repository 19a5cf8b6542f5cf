"""The audience of a rest that waits for the winner does not change: the rest is read from it after GO."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.base import ContentFile

from campaigns import arming
from campaigns.edit import audiences, campaigns, uploads
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import pausing, stopping
from campaigns.lifecycle.running.winner import choose_winner
from campaigns.models import Audience, Campaign
from inbox.models import InboxMessage
from notifier.errors import Conflict
from tenants.imports import jobs
from tests.broker import Broker, broker
from tests.campaigns.api.conftest import Api, AsWeb
from tests.campaigns.conftest import Site, armed
from tests.campaigns.variants.conftest import crowd, send_all, with_variants

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]

IDS = [f"p{number}" for number in range(60)]


@pytest.fixture
def api(site: Site, as_web: AsWeb) -> Api:
    return Api(site.people.acme_key, as_web)


def a_list(site: Site) -> Audience:
    audience = Audience.objects.create(tenant=site.acme, name="List", source="list")
    uploads.put_ids(audience, IDS)
    return audience


def a_segment(site: Site, **condition: Any) -> Audience:
    filter_ = [{"field": "external_id", "op": "prefix", "value": "p", **condition}]
    return audiences.create(site.acme, "Segment", audiences.Definition("segment", filter=filter_))


def armed_for(site: Site, audience: Audience) -> Campaign:
    return armed(campaigns.update(with_variants(site), {"audience": str(audience.pk)}))


def whose_rest_waits(site: Site, audience: Audience) -> Campaign:
    campaign = armed_for(site, audience)
    launch.go(campaign.tenant_id, campaign.pk)
    send_all(campaign)
    return campaign


def send_rest(campaign: Campaign) -> None:
    choose_winner(campaign.tenant_id, campaign.pk, variant="B")
    arming.arm(campaign.pk)
    send_all(campaign)


def test_the_members_of_its_list_are_replaced_after_the_rest_has_left(site: Site, broker: Broker, api: Api) -> None:
    crowd(site, len(IDS))
    audience = a_list(site)
    campaign = whose_rest_waits(site, audience)
    address = f"/v1/audiences/{audience.pk}/members"
    for _ in range(2):
        status, problem = api("PUT", address, {"external_ids": IDS})
        assert (status, problem["code"]) == (409, "audience_in_use") and "A/B test" in problem["detail"]
        pausing.pause(campaign.tenant_id, campaign.pk)
    pausing.resume(campaign.tenant_id, campaign.pk)
    send_rest(campaign)
    assert InboxMessage.objects.filter(tenant=site.acme).count() == len(IDS)
    assert api("PUT", address, {"external_ids": IDS})[0] == 200


def test_a_large_file_that_came_before_go_is_refused_by_the_worker(site: Site, broker: Broker) -> None:
    crowd(site, len(IDS))
    audience = a_list(site)
    campaign = armed_for(site, audience)
    large = uploads.Upload(ContentFile(b"external_id\n" + b"p1\n" * (uploads.AT_ONCE + 1), name="ids.csv"))
    job = uploads.put(audience, large)
    launch.go(campaign.tenant_id, campaign.pk)
    jobs.run_waiting()
    job.refresh_from_db()
    assert (job.state, "A/B test" in job.failure) == ("refused", True)
    with pytest.raises(Conflict, match="A/B test"):
        uploads.put(audience, large)
    stopping.stop(campaign.tenant_id, campaign.pk)
    assert uploads.put_ids(audience, ["ada"]).state == "done"


def test_the_filter_of_its_segment_does_not_change_while_the_rest_waits(site: Site, broker: Broker) -> None:
    crowd(site, len(IDS))
    audience = a_segment(site)
    campaign = whose_rest_waits(site, audience)
    audience.filter = [{"field": "external_id", "op": "eq", "value": "ada"}]
    with pytest.raises(Conflict, match="A/B test") as refused:
        audiences.save(audience)
    assert refused.value.code == "audience_in_use"
    audience.refresh_from_db()
    audience.name = "Another name"
    audiences.save(audience)
    send_rest(campaign)
    audience.filter = [{"field": "external_id", "op": "eq", "value": "ada"}]
    audiences.save(audience)


def test_a_list_that_its_segment_names_is_not_replaced_while_the_rest_waits(
    site: Site, broker: Broker, api: Api
) -> None:
    crowd(site, len(IDS))
    named = a_list(site)
    campaign = whose_rest_waits(site, a_segment(site, field="list", op="eq", value=str(named.pk)))
    address = f"/v1/audiences/{named.pk}/members"
    status, problem = api("PUT", address, {"external_ids": ["ada"]})
    assert (status, problem["code"]) == (409, "audience_in_use")
    send_rest(campaign)
    assert InboxMessage.objects.filter(tenant=site.acme).count() == len(IDS)
    assert api("PUT", address, {"external_ids": ["ada"]})[0] == 200


def test_a_list_that_the_segment_of_an_armed_campaign_names_is_replaced(site: Site, broker: Broker) -> None:
    crowd(site, len(IDS))
    named = a_list(site)
    campaign = armed_for(site, a_segment(site, field="list", op="eq", value=str(named.pk)))
    uploads.put_ids(named, ["ada"])
    campaign.refresh_from_db()
    assert campaign.state == "armed"
