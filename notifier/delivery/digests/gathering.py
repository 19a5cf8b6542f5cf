"""Gather messages into digests. A message that is gathered leaves its ordering queue and waits until its digest
closes."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from notifier.delivery.accept_context import AcceptContext, load_digest_terms
from notifier.delivery.digests import rows
from notifier.delivery.digests.rows import DigestKey, ItemRow, OpenRow
from notifier.delivery.digests.templates import digest_channels
from notifier.delivery.digests.terms import over_cap_terms, terms_of
from notifier.delivery.draft import Draft
from notifier.delivery.ledger.accepted_rows import DeliveryRow
from notifier.vocabulary.digests import DigestTerms
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.status import Mode, QueuePosition, Reason
from tenants.models import Tenant


@dataclass(frozen=True)
class Gathered:
    """A notification that joins a digest, and how: the newest of a digest says it for all."""

    notification_id: uuid.UUID
    key: DigestKey
    terms: DigestTerms
    channels: tuple[str, ...]
    zone: str


def gather(context: AcceptContext, drafts: Sequence[Draft]) -> list[Gathered]:
    """Take the messages out of their queues that their requests or categories want in a digest; the others leave by
    themselves. `store` writes what is returned, once it is known which drafts are stored. A call without digests costs
    0.1 µs a draft."""
    if not context.digests and all(draft.request.digest is None for draft in drafts):
        return []
    gathered: list[Gathered] = []
    for draft in drafts:
        terms = terms_of(context, draft)
        if terms is not None:
            _join(context, draft, draft.queued_rows, terms, gathered)
    return gathered


def gathered_channels(context: AcceptContext, draft: Draft) -> Collection[str]:
    """The channels whose messages `gather` takes from the draft."""
    if not context.digests and draft.request.digest is None:
        return ()
    terms = terms_of(context, draft)
    return () if terms is None else digest_channels(context.versions[terms.template].id, terms.channels)


def gather_rows(
    context: AcceptContext, chosen: Iterable[tuple[Draft, Sequence[DeliveryRow]]], gathered: list[Gathered]
) -> list[DeliveryRow]:
    """Gather these queued rows of drafts although nothing but a frequency cap asks for it, and add them to `gathered`.
    Returns the rows that no digest can take: the category has no digest, the digest does not go to the row's channel,
    the request has a time, files or a route of its own, or the row is a digest's own."""
    left: list[DeliveryRow] = []
    for draft, draft_rows in chosen:
        terms = over_cap_terms(context, draft)
        joined = [] if terms is None else _join(context, draft, draft_rows, terms, gathered)
        taken = {row.id for row in joined}
        left += [row for row in draft_rows if row.id not in taken]
    return left


def _join(
    context: AcceptContext,
    draft: Draft,
    candidates: Sequence[DeliveryRow],
    terms: DigestTerms,
    gathered: list[Gathered],
) -> list[DeliveryRow]:
    """Take those of the candidate rows out of their queues that the digest serves; returns them."""
    channels = digest_channels(context.versions[terms.template].id, terms.channels)
    joined = [row for row in candidates if row.channel in channels]
    if joined:
        request = draft.request
        key = DigestKey(
            draft.person.id, draft.rule.category, request.digest.key if request.digest else "", request.mode
        )
        zone = draft.person.timezone or context.tenant.timezone
        gathered.append(Gathered(draft.notification_id, key, terms, channels, zone))
    for row in joined:
        # nothing renders or sends the row: its content is the digest's
        row.queue_position, row.reason, row.content = QueuePosition.IN_DIGEST, Reason.IN_DIGEST, None
        draft.segments.pop(row.channel, None)
    return joined


def store(context: AcceptContext, gathered: Iterable[Gathered]) -> None:
    """Open the digests, or let the open ones slide, and store their items. Called when the notifications are stored,
    so that a request that a full queue refuses changes no digest."""
    newest: dict[DigestKey, Gathered] = {}
    notifications: defaultdict[DigestKey, dict[uuid.UUID, None]] = defaultdict(dict)  # each once, in order
    for entry in gathered:
        newest[entry.key] = entry
        notifications[entry.key][entry.notification_id] = None
    if not newest:
        return
    tenant_id, now = context.tenant.id, context.now
    opened = rows.open_or_slide(
        [
            _open_row(tenant_id, key, (entry.terms, entry.channels, entry.zone), len(notifications[key]), now)
            for key, entry in newest.items()
        ]
    )
    rows.add_items(rows.item_rows(tenant_id, {opened[key]: ids for key, ids in notifications.items()}, now))


def _open_row(
    tenant_id: uuid.UUID,
    key: DigestKey,
    how: tuple[DigestTerms, Sequence[str], str],
    items: int,
    now: datetime,
) -> OpenRow:
    """`how`: the terms, the channels and the zone."""
    terms, channels, zone = how
    closes_at, latest = terms.closing_times(zone, now)
    return OpenRow(
        new_id(), tenant_id, *key, terms.template, terms.max_items, items, now, closes_at, latest, ",".join(channels)
    )


# ---- campaigns -------------------------------------------------------------------------------------------------------


def campaign_digest(tenant_id: uuid.UUID, category: str) -> tuple[DigestTerms, tuple[str, ...]] | None:
    """How the category gathers, and on which channels; None: it has no digest."""
    loaded = load_digest_terms(tenant_id, [category]).get(category)
    return None if loaded is None else (loaded[0], digest_channels(loaded[1], loaded[0].channels))


def gather_campaign(
    tenant: Tenant, category: str, campaign_id: uuid.UUID, recipients: Collection[tuple[uuid.UUID, str]], now: datetime
) -> bool:
    """Gather a campaign's message to each of these recipients (id, time zone) as an item with the campaign's data and
    name. False, and nothing is gathered, when the category has no digest.

    Called when the message would leave, in the transaction that says so in the ledger; not when the campaign is armed,
    because an armed campaign may never leave. A repeat gathers nothing twice while the digest is open."""
    how = campaign_digest(tenant.pk, category)
    if how is None:
        return False
    terms, channels = how
    zones = {DigestKey(pk, category, "", Mode.LIVE): own_zone or tenant.timezone for pk, own_zone in recipients}
    opened = rows.open_or_slide(
        [_open_row(tenant.pk, key, (terms, channels, zone), 1, now) for key, zone in zones.items()]
    )
    rows.add_items([ItemRow(new_id(), tenant.pk, digest_id, None, campaign_id, now) for digest_id in opened.values()])
    return True
