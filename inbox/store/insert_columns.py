"""Stores the messages of a campaign in their inboxes, by columns: no object for each message, and the row of an inbox
is written once. `inbox.provider` calls this module.

20,000 messages in batches of 2,000, 2 cores under load: PostgreSQL 17 to 20 µs a message, Python 8; in batches of 200,
by `insert`, 38 to 50 and 57.

`insert` locks the inboxes, looks for repeats, and counts: three statements that read or write each inbox. A message of
a campaign is nearly never a repeat. So the first statement here counts each message at once, which also locks the
inbox, and the second one stores the messages. A repeat violates the primary key of the messages: the transaction is
rolled back, the counts with it, and `insert` stores the batch.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from inbox.store.announcements import announce
from inbox.store.counters import from_row
from inbox.store.insert import message_as_json, store, unstorable_reason
from notifier.channels.base import Envelope
from notifier.channels.in_app import InApp, InAppMessage
from notifier.channels.links import runs_code
from notifier.delivery.infra import bulk
from notifier.delivery.infra.pg_arrays import pack
from notifier.values.text import is_storable
from notifier.vocabulary.columns import MessageColumns, PartTexts
from notifier.vocabulary.people import Address

#: characters of the texts of one statement, apart from those that all messages share: a body may have a megabyte
MOST_CHARACTERS = 16 << 20

# Sorted as inbox.store.insert does, so that transactions wait for each other instead of deadlocking. An expression
# instead of count_by_category, which is a call of PL/pgSQL for each row
_COUNT = """
INSERT INTO inbox_feed AS f (recipient_id, tenant_id, last_seq, unread, unseen, by_category)
SELECT r.id, r.tenant_id, 1, 1, 1, jsonb_build_object(%(category)s::text, '[1, 1]'::jsonb)
FROM tenants_recipient r
WHERE r.id = ANY (%(recipients)t::uuid[]) AND r.tenant_id = %(tenant)s AND r.status <> 'erased'
ORDER BY r.id
ON CONFLICT (recipient_id) DO UPDATE SET last_seq = f.last_seq + 1, unread = f.unread + 1, unseen = f.unseen + 1,
  by_category = f.by_category || jsonb_build_object(%(category)s::text, jsonb_build_array(
    coalesce((f.by_category -> %(category)s::text ->> 0)::integer, 0) + 1,
    coalesce((f.by_category -> %(category)s::text ->> 1)::integer, 0) + 1))
RETURNING f.recipient_id, f.last_seq, f.revision, f.seen_seq, f.unread, f.unseen, f.by_category
"""
_PARTS = {"title": "text", "body": "text", "link": "text", "data": "jsonb"}


class CheckOutdated(Exception):
    """The check for stops and opt-outs is too old to store the messages; none of them was stored."""


def split(columns: MessageColumns) -> list[range]:
    """The messages in parts of at most MOST_CHARACTERS."""
    if len(columns) < 2 or _characters(columns) <= MOST_CHARACTERS:
        return [range(len(columns))]
    half = len(columns) // 2
    first, second = range(half), range(half, len(columns))
    return [*split(columns.only(first)), *(second[part.start : part.stop] for part in split(columns.only(second)))]


def store_columns(columns: MessageColumns, until: float = math.inf) -> list[int]:
    """Store the messages in one transaction and announce them. Returns the indexes of messages whose recipient no
    longer exists. A repeat stores nothing. Raises CheckOutdated when the messages cannot be stored until `until`
    (`time.monotonic()`): another transaction may hold the lock of an inbox for long."""
    _raise_after(until)
    if len(set(columns.recipients)) == len(columns):
        try:
            return _store_new(columns, until)
        except IntegrityError:
            _raise_after(until)  # a repeat
    return sorted(store([_message(columns, i) for i in range(len(columns))]))


def _raise_after(until: float) -> None:
    if time.monotonic() > until:
        raise CheckOutdated


def _characters(columns: MessageColumns) -> int:
    return sum(sum(map(len, texts)) for texts in columns.parts.values() if not isinstance(texts, str))


def _store_new(columns: MessageColumns, until: float) -> list[int]:
    """Raises IntegrityError when one of the messages is stored already, and CheckOutdated."""
    now = timezone.now()
    with transaction.atomic(), bulk.cursor() as cursor:
        values = {"recipients": _array(columns.recipients), "tenant": columns.tenant_id, "category": columns.category}
        cursor.execute(_COUNT, values, prepare=True)
        counted: list[tuple[Any, ...]] = cursor.fetchall()
        _raise_after(until)  # the statement waited for the locks of the inboxes
        numbers = {row[0].hex: row[1] for row in counted}
        gone = [i for i, recipient in enumerate(columns.recipients) if recipient not in numbers]
        living = columns
        if gone:
            living = columns.only([i for i, recipient in enumerate(columns.recipients) if recipient in numbers])
        if living:
            _insert(cursor, living, [numbers[recipient] for recipient in living.recipients], now)
        transaction.on_commit(lambda: _announce(living, counted, now))
    return gone


def _insert(cursor: Any, columns: MessageColumns, numbers: Sequence[int], now: datetime) -> None:
    parts = _stored_parts(columns)
    own = tuple(name for name in _PARTS if not isinstance(parts[name], str))
    values: dict[str, Any] = {
        name: pack(_PARTS[name], texts) if name in own else texts for name, texts in parts.items()
    }
    fixed = {"tenant": columns.tenant_id, "category": columns.category, "now": now}
    arrays = {"ids": _array(columns.ids), "recipients": _array(columns.recipients), "numbers": pack("bigint", numbers)}
    cursor.execute(_insert_statement(own), {**fixed, **arrays, **values}, prepare=True)


@cache
def _insert_statement(own: tuple[str, ...]) -> str:
    """`own`: the columns in which each message has a text of its own."""
    values = ", ".join(f"i.{name}" if name in own else f"%({name})b::{kind}" for name, kind in _PARTS.items())
    arrays = "".join(f", %({name})b::{_PARTS[name]}[]" for name in own)
    return f"""
    INSERT INTO inbox_inboxmessage (id, tenant_id, recipient_id, seq, category, {", ".join(_PARTS)}, created_at)
    SELECT i.id, %(tenant)b, i.recipient_id, i.seq, %(category)b, {values}, %(now)b
    FROM unnest(%(ids)t::uuid[], %(recipients)t::uuid[], %(numbers)b::bigint[]{arrays})
      AS i ({", ".join(("id", "recipient_id", "seq", *own))})
    """


def _stored_parts(columns: MessageColumns) -> dict[str, PartTexts]:
    """The columns of the table: `data` as one JSON text."""
    parts: dict[str, PartTexts] = {
        "link": "",
        **{name: columns.parts[name] for name in _PARTS if name in columns.parts},
    }
    data = {name.partition(".")[2]: texts for name, texts in columns.parts.items() if name.startswith("data.")}
    if all(isinstance(texts, str) for texts in data.values()):
        parts["data"] = _json(data)
    else:
        parts["data"] = [
            _json({key: texts if isinstance(texts, str) else texts[i] for key, texts in data.items()})
            for i in range(len(columns))
        ]
    return parts


def _json(data: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(data)).decode() if data else "{}"


def _array(digits: Sequence[str]) -> str:
    """Ids as PostgreSQL's text of an array, which it reads faster than Python makes objects of them."""
    return "{" + ",".join(digits) + "}"


def _announce(columns: MessageColumns, counted: Sequence[tuple[Any, ...]], now: datetime) -> None:
    @cache
    def indexes() -> dict[str, int]:
        return {recipient: i for i, recipient in enumerate(columns.recipients)}

    @cache
    def counters() -> dict[uuid.UUID, tuple[Any, ...]]:
        return {row[0]: row[1:] for row in counted}

    def news_of(recipient_id: uuid.UUID) -> dict[str, Any]:
        after = from_row(counters()[recipient_id])
        message = _message(columns, indexes()[recipient_id.hex])
        return {**after.as_json(), "messages": [message_as_json(message, after.last_seq, now)]}

    announce([row[0] for row in counted], news_of)


def _message(columns: MessageColumns, i: int) -> InAppMessage:
    delivery_id, recipient_id = uuid.UUID(columns.ids[i]), uuid.UUID(columns.recipients[i])
    envelope = Envelope(
        delivery_id, columns.tenant_id, recipient_id, Address(""), delivery_id.hex, category=columns.category
    )
    texts = columns.texts_of(i)
    data = {name.partition(".")[2]: text for name, text in texts.items() if name.startswith("data.")}
    return InAppMessage(envelope, title=texts["title"], body=texts["body"], link=texts.get("link", ""), data=data)


def unstorable_messages(columns: MessageColumns) -> dict[int, str]:
    """Why messages cannot be stored, by their index. Looks at single messages only when a text of the batch is
    faulty."""
    missing = [part for part, required in InApp.parts.items() if required and part not in columns.parts]
    if missing:
        return dict.fromkeys(range(len(columns)), f"the message has no {missing[0]}")
    if all(_is_storable(name, [texts] if isinstance(texts, str) else texts) for name, texts in columns.parts.items()):
        return {}
    reasons = {i: unstorable_reason(_message(columns, i)) for i in range(len(columns))}
    return {i: reason for i, reason in reasons.items() if reason}


def _is_storable(part: str, texts: Sequence[str]) -> bool:
    """Whether all these texts of one part are storable. The name of a value of `data` is a text, too."""
    most = InApp.longest.get(part)
    return (
        is_storable(part)
        and is_storable("".join(texts))
        and (most is None or max(map(len, texts)) <= most)
        and not (part == "link" and any(map(runs_code, texts)))
    )
