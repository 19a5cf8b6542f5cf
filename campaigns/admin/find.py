"""Finders of campaigns and audiences for the admin's search box, and the names that timelines show. A tenant has few of
both."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from campaigns.models import Audience, Campaign
from notifier.admin.ledger.timeline import register_campaign_names
from tenants.admin.base.visibility import visible_rows
from tenants.admin.search.finders import SHOWN, Finder, Hit, register_finder
from tenants.admin.search.terms import Term


def register() -> None:
    register_finder(Finder("campaigns", 30, _("Campaigns"), "campaign", find_campaigns, Campaign))
    register_finder(Finder("audiences", 35, _("Audiences"), "groups", find_audiences, Audience))
    register_campaign_names(names_of)


def names_of(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The names of these campaigns, for a person's timeline."""
    return dict(Campaign.objects.filter(pk__in=list(ids)).values_list("pk", "name"))


def find_campaigns(request: HttpRequest, term: Term) -> Iterator[Hit]:
    """Campaigns with this id, or by a part of the name, the newest first."""
    if term.id is not None or term.is_part_of_name:
        matching = {"pk": term.id} if term.id else {"name__icontains": term.text}
        rows = visible_rows(Campaign.objects.filter(**matching), request)
        for row in rows.order_by("-pk")[: SHOWN + 1]:
            yield Hit(row.name, reverse("admin:campaigns_campaign_change", args=[row.pk]), str(row.state))


def find_audiences(request: HttpRequest, term: Term) -> Iterator[Hit]:
    """Audiences by a part of the name."""
    if term.is_part_of_name:
        rows = visible_rows(Audience.objects.filter(name__icontains=term.text), request)
        for row in rows.order_by("name")[: SHOWN + 1]:
            yield Hit(row.name, reverse("admin:campaigns_audience_change", args=[row.pk]))
