"""Write the ledger's rows of a range: one statement, and for each row only what differs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from operator import itemgetter
from typing import Any

from django.db import IntegrityError, transaction

from campaigns.arming.planning.planner import CampaignPlanner, SuppressedMessage
from campaigns.arming.storing.sharding import ShardDraft
from notifier.delivery.ledger.campaigns import campaign_rows
from notifier.delivery.ledger.campaigns.campaign_rows import text_array
from notifier.vocabulary.status import Status


def write_rows(
    planner: CampaignPlanner, drafts: Iterable[ShardDraft], suppressed: Collection[SuppressedMessage]
) -> set[str] | None:
    """Write rows for the shards' messages and the suppressed messages; returns the new ids, None when all are new.

    The primary key enforces one message an address: when two ranges have the same address, the second
    statement waits for the first. The rows are in the order of their ids, so that two ranges never deadlock."""
    values, rows = _values(planner, drafts, suppressed)
    if not rows:
        return None
    if not planner.addresses_recur:
        try:
            # ON CONFLICT and RETURNING would cost 5 µs a row: most audiences have no conflict
            with transaction.atomic():
                campaign_rows.insert(values)
            return None
        except IntegrityError:
            planner.addresses_recur = True
    return campaign_rows.insert_new(values)


def _values(
    planner: CampaignPlanner, drafts: Iterable[ShardDraft], suppressed: Collection[SuppressedMessage]
) -> tuple[dict[str, Any], int]:
    kinds: dict[tuple[Any, ...], int] = {}
    # id, recipient, address, device, kind: by position, because an object with names would cost 0.3 µs a message
    rows: list[tuple[str, str, str, str | None, int]] = []
    for draft in drafts:
        kind = _kind(kinds, draft.channel, draft.platform, draft.account.pk, int(Status.ARMED), "", "")
        rows.extend([(*message[:4], kind) for message in draft.messages])
    for s in suppressed:
        device = s.address.device_id.hex if s.address.device_id else None
        kind = _kind(kinds, s.channel, s.address.platform, None, int(Status.SUPPRESSED), str(s.reason), s.detail)
        rows.append((s.id, s.recipient, s.address.value, device, kind))
    rows.sort(key=itemgetter(0))
    campaign = planner.campaign
    shared = {
        "tenant": campaign.tenant_id,
        "campaign": campaign.pk,
        "category": planner.rule.category,
        "mode": campaign.message_mode,
        "started": planner.started,
        "not_after": campaign.not_after,
    }
    by_kind = {name: [kind[at] for kind in kinds] for at, name in enumerate(campaign_rows.KIND_COLUMNS)}
    each = {
        "id": text_array(row[0] for row in rows),
        "recipient_id": text_array(row[1] for row in rows),
        "address": [row[2] for row in rows],
        "device_id": text_array(row[3] or "NULL" for row in rows),
        "kind": text_array(str(row[4]) for row in rows),
    }
    return {**shared, **by_kind, **each}, len(rows)


def _kind(kinds: dict[tuple[Any, ...], int], *values: Any) -> int:
    """The number of a kind, from 1 on as PostgreSQL counts."""
    return kinds.setdefault(values, len(kinds) + 1)
