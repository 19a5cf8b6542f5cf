"""Reads an inbox and marks messages as read. Every function takes the recipient's id and runs in the caller's scope."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from inbox.models import Feed, InboxMessage
from inbox.store.announcements import announce
from inbox.store.counters import Counters
from notifier.errors import NotFound
from notifier.models import DeliveryEvent
from notifier.vocabulary.ids import new_id

PAGE = 100

_READ = """
UPDATE inbox_inboxmessage SET read_at = %s
WHERE recipient_id = %s AND read_at IS NULL AND {which} RETURNING id, tenant_id
"""


def counters(recipient_id: uuid.UUID) -> Counters:
    """The last sequence number and the unread count: one row by its key, however long the inbox is."""
    row = Feed.objects.filter(recipient_id=recipient_id).values_list("last_seq", "unread").first()
    return Counters(*row) if row else Counters()


def newest(
    recipient_id: uuid.UUID, *, before_seq: int | None = None, unread: bool = False, limit: int = PAGE
) -> list[InboxMessage]:
    """The messages before a sequence number, newest first."""
    rows = InboxMessage.objects.filter(recipient_id=recipient_id)
    if before_seq is not None:
        rows = rows.filter(seq__lt=before_seq)
    if unread:
        rows = rows.filter(read_at__isnull=True)
    return list(rows.order_by("-seq")[:limit])


def since(recipient_id: uuid.UUID, seq: int, *, limit: int = PAGE) -> list[InboxMessage]:
    """The messages after a sequence number, oldest first. A message commits only after all messages with smaller
    numbers, because the inbox is locked until then; so no message can appear below a number that a reader has seen."""
    rows = InboxMessage.objects.filter(recipient_id=recipient_id, seq__gt=seq)
    return list(rows.order_by("seq")[:limit])


def as_json(message: InboxMessage) -> dict[str, Any]:
    """The message as the API and the socket show it."""
    return {
        "id": str(message.pk),
        "seq": message.seq,
        "category": message.category,
        "title": message.title,
        "body": message.body,
        "link": message.link,
        "data": message.data,
        "created_at": message.created_at.isoformat(),
        "read_at": message.read_at.isoformat() if message.read_at else None,
    }


def mark_read(recipient_id: uuid.UUID, message_id: uuid.UUID) -> Counters:
    """Mark one message. Raises NotFound unless it is in this inbox. Marking again changes nothing."""
    if not InboxMessage.objects.filter(pk=message_id, recipient_id=recipient_id).exists():
        raise NotFound("There is no such message.", field="id")
    return _mark(recipient_id, "id = %s", message_id, {"ids": [str(message_id)]})


def mark_read_up_to(recipient_id: uuid.UUID, seq: int) -> Counters:
    """Mark every message up to and including a sequence number."""
    return _mark(recipient_id, "seq <= %s", seq, {"up_to_seq": seq})


@transaction.atomic
def _mark(recipient_id: uuid.UUID, condition: str, value: uuid.UUID | int, read_mark: dict[str, Any]) -> Counters:
    # lock the inbox first, as inbox.store does: transactions that mark and store in one inbox take turns, so the
    # counter is exact and there is no deadlock
    feed = Feed.objects.select_for_update().filter(recipient_id=recipient_id).first()
    if feed is None:
        return Counters()
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_READ.format(which=condition), [now, recipient_id, value])
        marked = cursor.fetchall()
    if marked:
        feed.unread -= len(marked)
        feed.save(update_fields=["unread"])
        _record_events(marked)
    after = Counters(feed.last_seq, feed.unread)
    if marked:
        transaction.on_commit(lambda: announce([recipient_id], lambda _: {**after.as_json(), "read": read_mark}))
    return after


def _record_events(marked: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> None:
    now = timezone.now()
    DeliveryEvent.objects.bulk_create(
        [DeliveryEvent(id=new_id(), tenant_id=tenant, delivery_id=pk, what="read", at=now) for pk, tenant in marked],
        batch_size=1000,
    )
