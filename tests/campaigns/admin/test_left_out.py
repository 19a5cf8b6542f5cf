"""The pages that tell who was left out of a campaign, as the web role."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.urls import reverse

from campaigns.models import Audience
from tenants.models import Device, Preference, Recipient
from tests.campaigns.admin.test_pages import Browse
from tests.campaigns.conftest import Site, armed, page, text


def left_out_of(site: Site) -> Any:
    """A campaign by push: Cy has no device, Dee wants no news."""
    Device.objects.filter(recipient__external_id="cy").delete()
    Recipient.objects.filter(tenant=site.acme, external_id="cy").update(name="=HYPERLINK(1)")
    dee = Recipient.objects.get(tenant=site.acme, external_id="dee")
    Preference.objects.create(tenant=site.acme, recipient=dee, categories_off=["news"])
    return armed(site.draft(channels=["push"]))


def test_reasons_lead_to_people_a_file_and_an_audience(site: Site, browser: Browse) -> None:
    campaign, ben = left_out_of(site), browser(site.people.ben)
    address = page("left_out", campaign)
    shown = text(ben.get(address))
    assert "No address push 1" in shown and "Switched the category off push 1" in shown
    of_reason = f"{address}?reason=no_address&channel=push"
    people = text(ben.get(of_reason))
    assert "HYPERLINK" in people and "dee" not in people
    file = ben.get(page("left_out_csv", campaign) + "?reason=no_address&channel=push")
    content = b"".join(getattr(file, "streaming_content", ())).decode("utf-8-sig")
    header, row = csv.reader(io.StringIO(content))
    assert header[:2] == ["external_id", "name"] and row[:2] == ["cy", "'=HYPERLINK(1)"]
    made = ben.post(page("left_out_audience", campaign), of_reason, reason="no_address", channel="push")
    assert "1 external ids stored" in text(made)
    assert Audience.objects.get(name="Spring: no address, push").members.get().external_id == "cy"
    refused = ben.post(page("left_out_audience", campaign), of_reason, reason="category_off", channel="push")
    assert "chose not to get" in text(refused)


def test_another_tenant_sees_none_of_it_and_a_viewer_makes_nothing(site: Site, browser: Browse) -> None:
    campaign = left_out_of(site)
    query = "?reason=no_address&channel=push"
    for name in ("left_out", "left_out_csv"):
        assert browser(site.people.cleo).get(page(name, campaign) + query).status_code == 404
    index = reverse("admin:index")
    asked = {"reason": "no_address", "channel": "push"}
    assert browser(site.people.cleo).post(page("left_out_audience", campaign), index, **asked).status_code == 404
    assert browser(site.vic).get(page("left_out", campaign) + query).status_code == 200
    assert browser(site.vic).get(page("left_out_csv", campaign) + query).status_code == 403
    viewer_at = page("left_out", campaign) + query
    assert browser(site.vic).post(page("left_out_audience", campaign), viewer_at, **asked).status_code == 403
    assert Audience.objects.count() == 1


def test_a_wrong_address_shows_the_counts(site: Site, browser: Browse) -> None:
    campaign, ben = left_out_of(site), browser(site.people.ben)
    for query in (
        "?reason=x&channel=push",
        "?reason=no_address&channel=fax",
        "?reason=no_address&channel=push&after=x",
    ):
        assert ben.get(page("left_out", campaign) + query).status_code == 200
