"""Who wrote the content of a campaign: these actors may not approve it.

The audit log says who: each change of a campaign or an audience has an entry, whichever surface made it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from campaigns.approval.content import NOT_COVERED, named_lists, variant_versions, version_id_of
from campaigns.audit import Act, Actor
from campaigns.models import Campaign, CampaignApproval
from notifier.models import TemplateVersion
from tenants.models import AuditLog, User

#: a copy of a copy of a copy …: as far as the authors of its originals count
_MOST_ORIGINALS = 10


_KEY_MADE = ("apikey.added", "apikey.rotated")
_PUBLISHED = "template.publish"


@dataclass(frozen=True)
class Authors:
    """Users and API keys."""

    users: frozenset[int] = frozenset()
    keys: frozenset[uuid.UUID] = frozenset()

    def include(self, actor: Actor) -> bool:
        by_user = actor.user is not None and actor.user.pk in self.users
        return by_user or (actor.api_key_id is not None and actor.api_key_id in self.keys)


def authors_of(campaign: Campaign) -> Authors:
    """The authors of the campaign's present content:

    * who published the template's version that recipients get;
    * who created the campaign, or copied it; of a copy and a correction, also the authors of the original;
    * who changed what the hash covers: a field of the campaign, or its audience;
    * who filled the audience's list last, or a list that its filter names.

    What was done before the approval that was granted last does not count, except for the template's version and the
    list: a second person has seen it."""
    users, keys = _publishers(campaign)
    for entry in _entries(campaign, _MOST_ORIGINALS):
        if entry.user_id is not None:
            users.add(entry.user_id)
        if entry.api_key_id is not None:
            keys.add(entry.api_key_id)
    return Authors(frozenset(users), frozenset(keys))


def key_maker(campaign: Campaign, key_id: uuid.UUID | None) -> User | None:
    """Who made an API key, as far as the audit log knows: this person has seen its text, and can act as the key."""
    if key_id is None:
        return None
    rows = AuditLog.objects.filter(tenant_id=campaign.tenant_id, object_id=str(key_id), action__in=_KEY_MADE)
    entry = rows.select_related("user").order_by("-id").first()
    return entry.user if entry is not None else None


def _publishers(campaign: Campaign) -> tuple[set[int], set[uuid.UUID]]:
    """The users and API keys that published the version that recipients get; each variant's of an A/B test. A version
    names its user; the audit log names the key."""
    ids = [version_id_of(campaign), *variant_versions(campaign).values()]
    users, by_key = set[int](), Q()
    rows = TemplateVersion.objects.filter(pk__in=ids)
    for user, template, number in rows.values_list("created_by_id", "template_id", "number"):
        if user is not None:
            users.add(user)
        else:
            by_key |= Q(object_id=str(template), detail__version=number)
    if not by_key:
        return users, set()
    entries = AuditLog.objects.filter(by_key, tenant_id=campaign.tenant_id, action=_PUBLISHED, api_key_id__isnull=False)
    return users, {key for key in entries.values_list("api_key_id", flat=True) if key is not None}


def _entries(campaign: Campaign, originals: int) -> Iterator[AuditLog]:
    """The entries of the audit log whose actors are authors."""
    since = _approved_at(campaign)
    recent = Q(at__gte=since) if since else Q()
    rows = AuditLog.objects.filter(tenant_id=campaign.tenant_id)
    edits = [f"campaign.{act}" for act in (Act.CREATE, Act.COPY, Act.CORRECT, Act.CHANGE)]
    for entry in rows.filter(recent, object_id=str(campaign.pk), action__in=edits):
        if entry.action != f"campaign.{Act.CHANGE}" or set(entry.detail.get("fields", ())) - NOT_COVERED:
            yield entry
        if (origin := entry.detail.get("of") or entry.detail.get("corrects")) and originals:
            yield from _entries_of_original(campaign, origin, originals - 1)
    if campaign.audience is not None:
        for audience in (campaign.audience, *named_lists(campaign.audience)):
            of_audience = rows.filter(object_id=str(audience.pk))
            fills = of_audience.filter(action=f"audience.{Act.FILL}").order_by("-id")
            yield from fills[:1]
            changes = [f"audience.{act}" for act in (Act.CREATE, Act.CHANGE, Act.FILL)]
            yield from of_audience.filter(recent, action__in=changes)


def _entries_of_original(campaign: Campaign, origin: object, originals: int) -> Iterator[AuditLog]:
    original = Campaign.objects.filter(tenant_id=campaign.tenant_id, pk__in=_ids(origin)).first()
    if original is not None:
        yield from _entries(original, originals)


def _ids(text: object) -> list[uuid.UUID]:
    return [uuid.UUID(text)] if isinstance(text, str) else []


def _approved_at(campaign: Campaign) -> datetime | None:
    """When the approval that was granted last was asked for: what it covers was written before."""
    granted = campaign.approvals.filter(decision=CampaignApproval.Decision.APPROVED).order_by("-id")
    return granted.values_list("requested_at", flat=True).first()
