"""Who was left out of a campaign, and why, as counts, pages, a stream, and an audience."""

from __future__ import annotations

import pytest

from campaigns.audience import left_out
from campaigns.audit import Actor
from campaigns.edit import left_out as edit
from campaigns.models import Audience, AudienceMember, Campaign
from notifier.errors import Conflict, InvalidInput
from tenants.models import Device, Preference, Recipient, Suppression
from tests.campaigns.conftest import Site, armed, recipients


@pytest.fixture
def campaign(site: Site) -> Campaign:
    """Ada and Bob get it by push; Cy has no device, Dee no news, Eve a suppressed token; one id is unknown."""
    Device.objects.filter(recipient__external_id="cy").delete()
    dee = Recipient.objects.get(tenant=site.acme, external_id="dee")
    Preference.objects.create(tenant=site.acme, recipient=dee, categories_off=["news"])
    (eve,) = recipients(site.acme, "eve")
    Device.objects.create(tenant=site.acme, recipient=eve, token="token-of-eve")
    Suppression.objects.create(tenant=site.acme, channel="push", address="token-of-eve", cause="manual")
    a_list = Audience.objects.create(tenant=site.acme, name="L", source="list")
    for external_id in ("ada", "bob", "cy", "dee", "eve", "nobody"):
        AudienceMember.objects.create(tenant=site.acme, audience=a_list, external_id=external_id)
    return armed(site.draft(audience=a_list, channels=["push", "in_app"]))


def test_each_reason_is_counted_by_channel(campaign: Campaign) -> None:
    counts = {(row.reason, row.channel): row for row in left_out.counts_of(campaign)}
    assert {key: row.messages for key, row in counts.items()} == {
        ("no_address", "push"): 1,
        ("category_off", "push"): 1,
        ("category_off", "in_app"): 1,
        ("address_suppressed", "push"): 1,
        ("unknown_recipient", ""): 1,
    }
    assert [key for key, row in counts.items() if not row.listed] == [("unknown_recipient", "")]
    assert not counts["category_off", "push"].may_be_reached_otherwise
    assert counts["no_address", "push"].may_be_reached_otherwise


def test_a_draft_left_nobody_out(site: Site) -> None:
    assert left_out.counts_of(site.draft()) == []


def test_people_are_paged_by_key_both_ways(site: Site) -> None:
    everyone = [r.external_id for r in recipients(site.acme, *(f"person-{n}" for n in range(7)))]
    campaign = armed(site.draft(channels=["push"]))
    seen, after = [], None
    pages = []
    while True:
        page = left_out.page_of(campaign, "no_address", "push", after=after, size=3)
        pages.append([person.recipient.external_id for person in page.people if person.recipient])
        seen += pages[-1]
        if page.after is None:
            break
        after = page.after
    assert sorted(seen) == everyone and len(seen) == 7 and [len(p) for p in pages] == [3, 3, 1]
    back = left_out.page_of(campaign, "no_address", "push", before=page.before, size=3)
    assert [person.recipient.external_id for person in back.people if person.recipient] == pages[1]
    assert [row[1] for row in left_out.piece_of(campaign, "no_address", "push", None)] == seen


def test_an_audience_is_made_of_those_who_may_be_reached_otherwise(site: Site, campaign: Campaign) -> None:
    audience, job = edit.make_audience(campaign, "no_address", "push", by=Actor(site.people.ben))
    assert audience.name == "Spring: no address, push" and job.list_report["stored"] == 1
    assert list(AudienceMember.objects.filter(audience=audience).values_list("external_id", flat=True)) == ["cy"]
    again, _ = edit.make_audience(campaign, "no_address", "push", by=Actor(site.people.ben))
    assert again.name == "Spring: no address, push 2"


def test_no_audience_goes_around_what_people_chose(site: Site, campaign: Campaign) -> None:
    with pytest.raises(InvalidInput, match="chose"):
        edit.make_audience(campaign, "category_off", "in_app", by=Actor(site.people.ben))
    with pytest.raises(Conflict):
        edit.make_audience(campaign, "no_address", "email", by=Actor(site.people.ben))
    assert not Audience.objects.filter(name__startswith="Spring:").exists()
