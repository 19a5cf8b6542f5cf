"""/v1/campaigns/<id>/explain?recipient=…, also for recipients who were left out."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from campaigns.models import Audience
from notifier.delivery.content import templates
from tenants.models import Device, Preference, Recipient
from tests.campaigns.api.conftest import Api
from tests.campaigns.conftest import Site, armed, recipients, sent


def ask(api: Api, campaign: Any, recipient: str) -> dict[str, Any]:
    status, body = api("GET", f"/v1/campaigns/{campaign.pk}/explain?recipient={recipient}")
    assert status == 200, body
    return dict(body)


def lines(body: dict[str, Any]) -> dict[str, str]:
    return {line["rule"]: line["said"] for line in body["audience"]}


def test_a_recipient_who_got_the_message_and_one_who_opted_out(site: Site, api: Api) -> None:
    bob = Recipient.objects.get(tenant=site.acme, external_id="bob")
    Preference.objects.create(tenant=site.acme, recipient=bob, categories_off=["news"])
    campaign = sent(armed(site.draft()))
    got = ask(api, campaign, "ada")
    assert lines(got) == {"audience": "passed", "armed": "1 rows of this recipient were stored"}
    [delivery] = got["deliveries"]
    assert (delivery["channel"], delivery["decided"]) == ("in_app", "planned")
    [delivery] = ask(api, campaign, "bob")["deliveries"]
    assert (delivery["status"], delivery["reason"]) == ("suppressed", "category_off")
    assert delivery["decided"] == "suppressed: category_off"


def test_recipients_who_were_left_out_are_told_why(site: Site, api: Api) -> None:
    twins = recipients(site.acme, "eve", "fay", email="one@example.com")
    audience = Audience.objects.create(
        tenant=site.acme, name="Twins", source="segment",
        filter=[{"field": "email", "op": "eq", "value": "one@example.com"}],
    )  # fmt: skip
    campaign = armed(site.draft(audience=audience))
    assert "left out" in lines(ask(api, campaign, "ada"))["audience"]
    assert lines(ask(api, campaign, "ada"))["armed"] == "left out: the recipient was not in the audience then"
    [late] = recipients(site.acme, "gus", email="one@example.com")
    got = ask(api, campaign, "gus")
    assert lines(got)["audience"] == "passed"
    assert lines(got)["armed"] == "left out: the recipient came after the campaign was armed"
    assert got["now"]["channels"][0]["outcome"] == "leaves"
    assert len(twins) == 2 and late.pk


def test_a_recipient_with_another_recipients_address_is_told_so(site: Site, api: Api) -> None:
    templates.publish(site.template, {"sms": {"en": {"text": "Hi {{ recipient.name }}"}}})
    recipients(site.acme, "eve", "fay", phone="+491701234567")
    campaign = armed(site.draft(channels=["sms"], data={}))
    told = [ask(api, campaign, name) for name in ("eve", "fay")]
    assert sorted("duplicate_address" in lines(body) for body in told) == [False, True]


def test_a_draft_is_told_by_the_rules_as_of_now(site: Site, api: Api) -> None:
    Device.objects.all().delete()
    got = ask(api, site.draft(channels=["push"]), "ada")
    assert lines(got)["armed"].startswith("not decided yet")
    assert (got["deliveries"], got["changes"]) == ([], [])
    assert got["now"]["channels"][0]["reason"] == "no_address"


@pytest.mark.parametrize(("query", "status"), [("", 400), ("?recipient=", 400), ("?recipient=nobody", 404)])
def test_a_wrong_question_is_refused(site: Site, api: Api, query: str, status: int) -> None:
    campaign = site.draft()
    answered, body = api("GET", f"/v1/campaigns/{campaign.pk}/explain{query}")
    assert answered == status
    assert status == 404 or body["field"] == "recipient"


def test_another_tenants_campaign_is_not_found(site: Site, stranger: Api) -> None:
    campaign = site.draft()
    assert stranger("GET", f"/v1/campaigns/{campaign.pk}/explain")[0] == 404
    assert stranger("GET", f"/v1/campaigns/{campaign.pk}/explain?recipient=zoe")[0] == 404
    assert stranger("GET", f"/v1/campaigns/{uuid.uuid4()}/explain?recipient=zoe")[0] == 404
