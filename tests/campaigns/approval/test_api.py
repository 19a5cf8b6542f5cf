"""Approvals over the API, as the web role: scopes, codes, another tenant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from campaigns.models import Campaign
from tenants.models import Tenant
from tests.campaigns.conftest import Site, armed
from tests.campaigns.variants.conftest import with_variants
from tests.fixtures import Api, api_key

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[[str | None], Api]


def at(campaign: Campaign, step: str = "") -> str:
    return f"/v1/campaigns/{campaign.pk}/approval{step and '/' + step}"


@pytest.fixture
def campaign(site: Site) -> Campaign:
    Tenant.objects.update(approval="always")
    return armed(site.draft())


def test_one_key_asks_and_another_one_approves(site: Site, campaign: Campaign, api: Make) -> None:
    author, approver = api(site.people.acme_key), api(api_key(site.acme, "approvals"))
    refused = author("POST", f"/v1/campaigns/{campaign.pk}/go")
    assert (refused.status, refused.body["code"]) == (409, "approval_missing")
    assert author("POST", at(campaign), {"note": "For Friday"}).body == {"requested": True, "state": "armed"}
    shown = author("GET", at(campaign)).body
    assert (shown["required"], shown["approved"], shown["decision"]) == (True, False, "open")
    # `*` does not include the scope
    assert author("POST", at(campaign, "approve"), {"hash": shown["hash"]}).status == 403
    stale = approver("POST", at(campaign, "approve"), {"hash": "0" * 64})
    assert (stale.status, stale.body["code"]) == (409, "approval_stale")
    assert approver("POST", at(campaign, "approve"), {"hash": shown["hash"]}).body["approved"] is True
    assert approver("POST", at(campaign, "approve"), {"hash": shown["hash"]}).body["approved"] is False
    assert author("GET", at(campaign)).body["approved"] is True
    assert author("POST", f"/v1/campaigns/{campaign.pk}/go").status == 200


def test_the_key_that_wrote_it_does_not_approve(site: Site, campaign: Campaign, api: Make) -> None:
    key = api(api_key(site.acme, "campaigns", "approvals"))
    assert key("PATCH", f"/v1/campaigns/{campaign.pk}", {"hold_seconds": 9}).status == 200
    api(site.people.acme_key)("POST", at(campaign))
    content = key("GET", at(campaign)).body["hash"]
    refused = key("POST", at(campaign, "approve"), {"hash": content})
    assert (refused.status, refused.body["code"]) == (409, "own_content")


@pytest.mark.parametrize("template", ["spring", "spring-b"], ids=["the campaign's", "a variant's"])
def test_the_key_that_published_the_template_does_not_approve(site: Site, api: Make, template: str) -> None:
    Tenant.objects.update(approval="always")
    campaign = with_variants(site)
    key = api(api_key(site.acme, "campaigns", "approvals"))
    content = {"in_app": {"en": {"title": "Of the key", "body": "{{ what }}"}}}
    assert key("PUT", f"/v1/templates/{template}", {"content": content}).status == 200
    author, other = api(site.people.acme_key), api(api_key(site.acme, "approvals"))
    assert author("POST", at(campaign)).status == 200
    seen = {"hash": author("GET", at(campaign)).body["hash"]}
    refused = key("POST", at(campaign, "approve"), seen)
    assert (refused.status, refused.body["code"]) == (409, "own_content")
    assert other("POST", at(campaign, "approve"), seen).body["approved"] is True


def test_a_rejection_needs_a_note(site: Site, campaign: Campaign, api: Make) -> None:
    approver = api(api_key(site.acme, "approvals"))
    api(site.people.acme_key)("POST", at(campaign))
    content = api(site.people.acme_key)("GET", at(campaign)).body["hash"]
    for body in ({"hash": content}, {"hash": content, "note": " "}):
        refused = approver("POST", at(campaign, "reject"), body)
        assert (refused.status, refused.body["field"]) == (400, "note")
    assert approver("POST", at(campaign, "reject"), {"hash": content, "note": "No."}).body["rejected"] is True
    assert approver("POST", at(campaign, "approve"), {"hash": content}).body["code"] == "not_requested"


@pytest.mark.parametrize("step", ["", "approve", "reject", "withdraw"])
def test_a_stranger_finds_nothing(site: Site, campaign: Campaign, api: Make, step: str) -> None:
    stranger = api(api_key(site.people.globex, "campaigns", "approvals"))
    body = {"hash": "x", "note": "x"} if step in ("approve", "reject") else None
    assert stranger("POST", at(campaign, step), body).status == 404
    assert stranger("GET", at(campaign)).status == 404
