"""The ledger's rows of a slice: one statement, and of each row only what differs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from operator import itemgetter
from typing import Any

from django.db import IntegrityError, transaction

from campaigns.arming.planning import CampaignPlanner, SuppressedMessage
from campaigns.arming.sharding import ShardDraft
from notifier.delivery.infra import bulk
from notifier.vocabulary.status import SILENT, Lane, QueuePosition, Status

#: what several rows share, once each: a row has the number of its kind
_KINDS = {
    "channel": "text",
    "platform": "text",
    "account_id": "uuid",
    "status": "smallint",
    "reason": "text",
    "detail": "text",
}
#: what each row has of its own
_OWN = {"id": "uuid", "recipient_id": "uuid", "address": "text", "device_id": "uuid", "kind": "integer"}
#: what all rows share
_SAME = {
    "tenant_id": "%(tenant)s::uuid", "campaign_id": "%(campaign)s::uuid", "category": "%(category)s",
    "lane": str(int(Lane.BULK)), "mode": "%(mode)s", "attempt": "0",
    "due_at": "%(started)s::timestamptz", "not_after": "%(not_after)s::timestamptz",
    "fence": "0", "seq": "0", "queue_position": str(int(QueuePosition.HAS_TURN)),
    "provider_ref": "''", "accepted_at": "%(started)s::timestamptz",
    "settled_at": f"CASE WHEN (%(status)s::smallint[])[u.kind] = {Status.SUPPRESSED} THEN %(started)s::timestamptz END",
}  # fmt: skip


def _insert() -> str:
    shown = {
        **_SAME,
        **{name: f"(%({name})s::{kind}[])[u.kind]" for name, kind in _KINDS.items()},
        **{name: f"u.{name}" for name in _OWN if name != "kind"},
    }
    # uuids travel as text: PostgreSQL reads them faster than Python makes objects of them
    arrays = ", ".join(f"%({name}){'b' if kind == 'text' else 's'}::{kind}[]" for name, kind in _OWN.items())
    return (
        f"INSERT INTO notifier_delivery ({', '.join(shown)}) SELECT {', '.join(shown.values())}"
        f" FROM unnest({arrays}) u ({', '.join(_OWN)})"
    )


_INSERT = _insert()


def write_rows(
    planner: CampaignPlanner, cuts: Iterable[ShardDraft], refused: Collection[SuppressedMessage]
) -> set[str] | None:
    """Write rows for messages and refusals; returns the ids that were new, None when all were.

    The key is the once-per-address rule: of two slices with one address the second to write waits for the first. The
    rows are in the order of their ids, so that two slices never wait for each other."""
    values, rows = _values(planner, cuts, refused)
    if not rows:
        return None
    if not planner.addresses_recur:
        try:
            # to be ready for conflicts, and to ask for the ids, would cost 5 µs a row: most audiences have none
            with transaction.atomic(), bulk.cursor() as cursor:
                cursor.execute(_INSERT, values)
            return None
        except IntegrityError:
            planner.addresses_recur = True
    with bulk.cursor() as cursor:
        cursor.execute(f"{_INSERT} ON CONFLICT DO NOTHING RETURNING replace(id::text, '-', '')", values)
        return {row[0] for row in cursor.fetchall()}


def _values(
    planner: CampaignPlanner, cuts: Iterable[ShardDraft], refused: Collection[SuppressedMessage]
) -> tuple[dict[str, Any], int]:
    kinds: dict[tuple[Any, ...], int] = {}
    rows: list[tuple[str, str, str, str | None, int]] = []
    for cut in cuts:
        kind = _kind(kinds, cut.channel, cut.platform, cut.account.pk, int(Status.ARMED), "", "")
        rows.extend([(*message[:4], kind) for message in cut.messages])
    for r in refused:
        device = r.address.device_id.hex if r.address.device_id else None
        kind = _kind(kinds, r.channel, r.address.platform, None, int(Status.SUPPRESSED), str(r.reason), r.detail)
        rows.append((r.id, r.recipient, r.address.value, device, kind))
    rows.sort(key=itemgetter(0))
    campaign = planner.campaign
    shared = {
        "tenant": campaign.tenant_id,
        "campaign": campaign.pk,
        "category": planner.rule.category,
        "mode": SILENT if campaign.silent else campaign.mode,
        "started": planner.started,
        "not_after": campaign.not_after,
    }
    by_kind = {name: [kind[at] for kind in kinds] for at, name in enumerate(_KINDS)}
    each = {
        "id": _array(row[0] for row in rows),
        "recipient_id": _array(row[1] for row in rows),
        "address": [row[2] for row in rows],
        "device_id": _array(row[3] or "NULL" for row in rows),
        "kind": _array(str(row[4]) for row in rows),
    }
    return {**shared, **by_kind, **each}, len(rows)


def _kind(kinds: dict[tuple[Any, ...], int], *values: Any) -> int:
    """The number of a kind, from 1 on as PostgreSQL counts."""
    return kinds.setdefault(values, len(kinds) + 1)


def _array(items: Iterable[str]) -> str:
    """An array as PostgreSQL reads it, of items that need no quotes."""
    return "{" + ",".join(items) + "}"
