"""Campaigns with two variants and an audience of a few hundred."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

from campaigns.arming.planning.assignment import HOLDOUT, REST
from campaigns.arming.planning.variants import part_of
from campaigns.edit.variants import put_variants
from campaigns.models import Campaign, Shard
from campaigns.sending.shards import send_shard
from inbox.models import InboxMessage
from notifier.delivery.content import templates
from notifier.models import Template
from tenants.models import Recipient
from tests.campaigns.conftest import Site

PEOPLE = 200


def crowd(site: Site, number: int = PEOPLE) -> list[Recipient]:
    """So many recipients more."""
    rows = [Recipient(tenant=site.acme, external_id=f"p{n}", name=f"P{n}", locale="en") for n in range(number)]
    return Recipient.objects.bulk_create(rows)


def template_b(site: Site) -> Template:
    template = Template.objects.create(
        tenant=site.acme, key="spring-b", name="Spring B", category=site.template.category
    )
    templates.publish(template, {"in_app": {"en": {"title": "B for {{ recipient.name }}", "body": "{{ what }}!"}}})
    return template


def with_variants(site: Site, **settings: Any) -> Campaign:
    """A draft with the variants A (the campaign's template) and B: a fifth of the audience tests."""
    template_b(site)
    campaign = site.draft()
    put_variants(campaign, {"variants": [{}, {"template": "spring-b"}], "test_percent": 40, **settings})
    return campaign


def parts(campaign: Campaign) -> dict[uuid.UUID, str]:
    """Recipient -> part, by the pure function."""
    ids = Recipient.objects.filter(tenant_id=campaign.tenant_id).values_list("pk", flat=True)
    return {pk: part_of(campaign, pk) for pk in ids}


def got(campaign: Campaign) -> dict[uuid.UUID, str]:
    """Recipient -> the variant that the inbox has, by its title; fails when a recipient has two."""
    rows = InboxMessage.objects.filter(tenant_id=campaign.tenant_id).values_list("recipient_id", "title")
    titles = [(recipient, "B" if title.startswith("B for") else "A") for recipient, title in rows]
    assert max(Counter(recipient for recipient, _ in titles).values(), default=0) <= 1
    return dict(titles)


def send_all(campaign: Campaign) -> None:
    for pk in Shard.objects.filter(campaign=campaign, state="armed").values_list("pk", flat=True):
        send_shard(pk, "bulk@one")
    campaign.refresh_from_db()


__all__ = ["HOLDOUT", "PEOPLE", "REST", "crowd", "got", "parts", "send_all", "template_b", "with_variants"]
