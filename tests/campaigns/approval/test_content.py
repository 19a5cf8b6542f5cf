"""The hash of a campaign's content: what changes it, and what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from campaigns.approval import add_part, content_hash
from campaigns.approval.content import _PARTS
from campaigns.edit import audiences, campaigns, uploads
from campaigns.models import Audience, Campaign
from notifier.delivery.content import templates
from notifier.models import Template
from tests.campaigns.conftest import CONTENT, Site, armed

pytestmark = pytest.mark.django_db(transaction=True)
TOMORROW = datetime.now(UTC) + timedelta(days=1)


def hash_now(campaign: Campaign) -> str:
    return content_hash(Campaign.objects.select_related("audience").get(pk=campaign.pk))


def narrow(site: Site, campaign: Campaign) -> None:
    """Change who is in the audience, on the audience's own page."""
    audience = Audience.objects.get(name="Named")
    audience.filter = [{"field": "locale", "op": "eq", "value": "en"}]
    audiences.save(audience)


def refill(site: Site, campaign: Campaign) -> None:
    listed = audiences.create(site.acme, "VIPs", audiences.Definition(Audience.Source.LIST))
    uploads.put_ids(listed, ["ada"])
    campaigns.update(campaign, {"audience": listed.pk})
    before = hash_now(campaign)
    uploads.put_ids(listed, ["bob"])
    assert hash_now(campaign) != before


def refill_within(site: Site, campaign: Campaign) -> None:
    """Replace the members of a list that the filter of the audience names."""
    listed = audiences.create(site.acme, "VIPs", audiences.Definition(Audience.Source.LIST))
    uploads.put_ids(listed, ["ada"])
    audience = Audience.objects.get(name="Named")
    audience.filter = [{"any": [{"field": "list", "op": "eq", "value": str(listed.pk)}, *audience.filter]}]
    audiences.save(audience)
    before = hash_now(campaign)
    uploads.put_ids(listed, ["bob"])
    assert hash_now(campaign) != before


def leave_the_category(site: Site, campaign: Campaign) -> None:
    """Without a category no opt-out of a category holds."""
    Template.objects.filter(pk=site.template.pk).update(category=None)


EDITS: dict[str, Callable[[Site, Campaign], object]] = {
    "data": lambda site, c: campaigns.update(c, {"data": {"what": "Summer"}}),
    "channels": lambda site, c: campaigns.update(c, {"channels": ["push"]}),
    "limit": lambda site, c: campaigns.update(c, {"rate_per_s": 10.0}),
    "hold": lambda site, c: campaigns.update(c, {"hold_seconds": 30}),
    "end": lambda site, c: campaigns.update(c, {"not_after": TOMORROW}),
    "local time": lambda site, c: campaigns.update(c, {"local_time": TOMORROW.replace(tzinfo=None, microsecond=0)}),
    "template": lambda site, c: templates.publish(site.template, CONTENT),
    "filter": narrow,
    "list": refill,
    "list of a segment": refill_within,
    "category": leave_the_category,
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_the_content_changes_the_hash(site: Site, edit: str) -> None:
    segment = [{"field": "name", "op": "exists", "value": True}]
    adults = Audience.objects.create(tenant=site.acme, name="Named", source="segment", filter=segment)
    campaign = site.draft(audience=adults)
    before = hash_now(campaign)
    EDITS[edit](site, campaign)
    assert hash_now(campaign) != before


def test_the_name_the_plan_and_arming_keep_the_hash(site: Site) -> None:
    campaign = site.draft()
    before = hash_now(campaign)
    campaigns.update(campaign, {"name": "Summer", "launch_at": TOMORROW})
    armed(campaign)
    # an armed campaign sends the version that it was armed with
    templates.publish(site.template, CONTENT)
    assert hash_now(campaign) == before


def test_back_at_the_old_content_the_hash_is_the_old_one(site: Site) -> None:
    campaign = site.draft()
    before = hash_now(campaign)
    campaigns.update(campaign, {"data": {"what": "Summer"}})
    campaigns.update(campaign, {"data": {"what": "Spring"}})
    assert hash_now(campaign) == before


@pytest.fixture
def winners() -> Iterator[dict[str, list[str]]]:
    """Another part of the content, as a package above registers it: campaign -> rows."""
    rows: dict[str, list[str]] = {}
    add_part("winners", lambda campaign: rows.get(str(campaign.pk)))
    yield rows
    del _PARTS["winners"]


def test_a_package_above_adds_its_rows_to_the_content(site: Site, winners: dict[str, list[str]]) -> None:
    campaign = site.draft()
    before = hash_now(campaign)
    winners[str(campaign.pk)] = ["a", "b"]
    assert hash_now(campaign) != before
    del winners[str(campaign.pk)]
    assert hash_now(campaign) == before
