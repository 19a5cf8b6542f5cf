"""The pages of the admin beside the lists: what a user opens, as addresses, for the tenant of many_rows()."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.urls import reverse

from campaigns.models import Audience, Campaign, CampaignApproval, Experiment, Shard
from campaigns.models.variants import CampaignVariant
from campaigns.report import stored
from campaigns.states import State
from notifier.models import Delivery, Template
from notifier.vocabulary.status import Status
from tenants.admin import admin_site
from tenants.models import Recipient, Tenant, User
from tests.admin.lists.many_rows import ARMED_MS

#: shards of a campaign of 5 M messages
SHARDS = 1_000
#: a campaign that is larger than those that a report counts at once
SHARD_SIZE = 5_000


@dataclass(frozen=True)
class Click:
    """A request of a page; a POST if `posted` is set."""

    page: str
    query: dict[str, str] = field(default_factory=dict)
    posted: dict[str, str] | None = None
    #: the state in which the campaign has to be
    state: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.state, self.page, str(self.query or ""), "POST" if self.posted else "")))


@dataclass(frozen=True)
class Tenancy:
    """The rows whose pages are opened."""

    tenant: Tenant
    user: User
    campaign: Campaign
    other: Campaign
    segment: Audience
    template: Template
    person: Recipient
    message: uuid.UUID


def large_tenancy(campaign: Campaign, user: User) -> Tenancy:
    """Give the campaign of many_rows() an audience, the shards of 5 M messages, left-out people, an approval, an A/B
    test and a counted report; a second campaign has as many shards."""
    tenant, now = campaign.tenant, datetime.now(UTC)
    everybody = Audience.objects.create(tenant=tenant, name="everybody", source="everybody")
    segment = Audience.objects.create(
        tenant=tenant, name="people", source="segment", filter=[{"field": "locale", "op": "eq", "value": "de"}]
    )
    version = campaign.template.versions.first()
    columns = {"template": campaign.template, "version": version, "channels": ["push"], "audience": everybody}
    launched = {"launched_at": now - timedelta(hours=3), "finished_at": now, "accounted_at": now, "armed_at": now}
    other = Campaign.objects.create(
        tenant=tenant, name="other", state=State.FINISHED, first_armed_ms=ARMED_MS - 1, **columns, **launched
    )
    Campaign.objects.filter(pk=campaign.pk).update(
        audience=everybody, version=version, audience_size=10_000, excluded={"no_address": 50}, **launched
    )
    shards = Shard.objects.filter(campaign=campaign)
    shards.filter(number__gt=2 * SHARDS).delete()
    shards.filter(number__gt=SHARDS).update(campaign=other)
    Shard.objects.filter(campaign__in=[campaign, other]).update(size=SHARD_SIZE, began_at=now, ended_at=now)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifier_delivery SET status = 61, reason = 'no_address' WHERE campaign_id = %s AND status = 60",
            [campaign.pk],
        )
        cursor.execute("ANALYZE")
    CampaignApproval.objects.create(tenant=tenant, campaign=other, hash="x", requested_by=user)
    Experiment.objects.create(tenant=tenant, campaign=other)
    for key in "AB":
        CampaignVariant.objects.create(
            tenant=tenant, campaign=other, key=key, template=campaign.template, version=version
        )
    for row in (campaign, other):
        row.refresh_from_db()
        stored.count_and_store(row.pk)
    person = Recipient.objects.get(tenant=tenant, external_id="u777")
    return Tenancy(tenant, user, campaign, other, segment, campaign.template, person, _message_of(person, campaign))


def enter(tenancy: Tenancy, state: str) -> None:
    """Put the campaign into a state, and its messages into one that fits."""
    campaign, is_armed = tenancy.campaign, state in ("armed", "launching")
    launched_at = None if state in ("draft", "arming", "armed", "failed") else campaign.launched_at
    Campaign.objects.filter(pk=campaign.pk).update(state=state, launched_at=launched_at)
    before, after = (Status.SENT, Status.ARMED) if is_armed else (Status.ARMED, Status.SENT)
    if Delivery.objects.filter(campaign_id=campaign.pk, status=before).update(status=after):
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE notifier_delivery")


def _message_of(person: Recipient, campaign: Campaign) -> uuid.UUID:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM notifier_delivery WHERE recipient_id = %s AND campaign_id = %s", [person.pk, campaign.pk]
        )
        return uuid.UUID(str(cursor.fetchone()[0]))


def clicks(tenancy: Tenancy) -> Iterator[Click]:
    yield Click(reverse("admin:index"))
    yield Click(reverse("admin:account"))
    yield from _of_campaigns(tenancy)
    yield from _of_audiences(tenancy)
    yield from _of_templates(tenancy)
    yield from _of_people(tenancy)
    for model in sorted(admin_site._registry, key=str):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield Click(reverse(f"{name}_changelist"))
        row = model._default_manager.filter(**_owned(model, tenancy)).first()
        if row is not None:
            yield Click(reverse(f"{name}_change", args=[row.pk]))


def _owned(model: Any, tenancy: Tenancy) -> dict[str, Any]:
    return {"tenant": tenancy.tenant} if hasattr(model, "tenant") else {"pk": tenancy.tenant.pk}


def _of_campaigns(tenancy: Tenancy) -> Iterator[Click]:
    def page(name: str, campaign: Campaign = tenancy.campaign) -> str:
        return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])

    for name in ("go", "progress", "change"):
        yield Click(page(name), state="armed")
    for state in State:
        if state != State.ARMED:
            yield Click(page("change"), state=state.value)
    yield Click(page("progress"), state="running")
    ended = "finished"
    yield Click(page("change"), {"by": "locale", "channel": "push"}, state=ended)
    yield Click(page("compare"), {"with": str(tenancy.other.pk)}, state=ended)
    for name in ("results.csv", "left_out", "retry", "correct", "variants", "tested"):
        yield Click(page(name), state=ended)
    yield Click(page("failed.csv", tenancy.other))
    yield Click(page("left_out"), {"reason": "no_address", "channel": "push"}, state=ended)
    yield Click(page("explain"), {"recipient": tenancy.person.external_id}, state=ended)
    yield Click(page("variants"), state="draft")
    yield Click(page("variants", tenancy.other))
    yield Click(page("winner", tenancy.other), {"variant": "A"})
    yield Click(reverse("admin:campaigns_campaign_add"))
    yield Click(reverse("admin:campaigns_schedule_calendar"))
    chosen = {"template": str(tenancy.template.pk), "audience": str(tenancy.segment.pk), "data": "{}"}
    yield Click(reverse("admin:campaigns_campaign_look"), posted=chosen)
    yield Click(reverse("admin:campaigns_campaign_changelist"), {"state__exact": "finished"})
    yield Click(reverse("admin:campaigns_campaign_changelist"), {"q": "large"})


def _of_audiences(tenancy: Tenancy) -> Iterator[Click]:
    yield Click(reverse("admin:campaigns_audience_change", args=[tenancy.segment.pk]))
    yield Click(reverse("admin:campaigns_audience_add"))
    yield Click(reverse("admin:campaigns_audience_look"), posted={"audience": str(tenancy.segment.pk)})
    yield Click(reverse("admin:campaigns_audience_vocabulary"), {"tenant": str(tenancy.tenant.pk)})


def _of_templates(tenancy: Tenancy) -> Iterator[Click]:
    def page(name: str) -> str:
        return reverse(f"admin:notifier_template_{name}", args=[tenancy.template.pk])

    for name in ("change", "versions", "preview"):
        yield Click(page(name))
    yield Click(page("preview"), {"recipient": tenancy.person.external_id})
    of = {"template": str(tenancy.template.pk), "tenant": str(tenancy.tenant.pk)}
    yield Click(reverse("admin:notifier_template_people"), {**of, "q": "u777"})
    yield Click(reverse("admin:notifier_template_add"))


def _of_people(tenancy: Tenancy) -> Iterator[Click]:
    person, find = tenancy.person, reverse("admin:find")
    yield Click(reverse("admin:tenants_recipient_timeline", args=[person.pk]))
    yield Click(reverse("admin:tenants_recipient_timeline", args=[person.pk]), {"channel": "push"})
    yield Click(reverse("admin:tenants_recipient_change", args=[person.pk]))
    for term in ("Person", "nobody-at-all", "large", "7@example.com", "+43777", "token777", str(tenancy.message)):
        yield Click(find, {"q": term})
