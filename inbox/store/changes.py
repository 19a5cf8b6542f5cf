"""What a recipient does with messages: one statement an act, which locks the inbox, changes messages and counts.

The statement reads messages as they were when it began, but locks the feed's row first and then the message in its
newest version. So it counts each change once, whatever other transactions did while it waited.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from inbox.models import State
from inbox.store.announcements import announce
from inbox.store.counters import COLUMNS, Counters, from_row
from inbox.store.feed import Message
from notifier.delivery.ledger.history import EventRow, add_events
from notifier.errors import InvalidInput, NotFound
from notifier.vocabulary.ids import new_id

LONGEST_SNOOZE = timedelta(days=366)
#: messages that one request marks as read. 50,000 took 6 s, and PostgreSQL cancels a web process's statement after 10
READ_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Changed:
    """The counters after a request, and what it changed, as it is announced: {"changes": [message]}, {"read": {…}},
    {"seen": number}, or nothing."""

    counters: Counters
    change: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {**self.counters.as_json(), **self.change}


@dataclass(frozen=True, slots=True)
class Act:
    """What one act changes: the messages that it applies to, and their new columns. SQL over the row `m`."""

    applies: str
    sets: str


_BACK = f"CASE WHEN m.read_at IS NULL THEN {State.UNREAD:d} ELSE {State.READ:d} END"
_INBOX = f"m.state IN ({State.UNREAD:d}, {State.READ:d})"

ACTS: Mapping[str, Act] = {
    "read": Act(
        f"m.state <> {State.DELETED:d} AND m.read_at IS NULL",
        f"read_at = %(now)s, state = CASE WHEN {_INBOX} THEN {State.READ:d} ELSE m.state END",
    ),
    "unread": Act(
        f"m.state <> {State.DELETED:d} AND m.read_at IS NOT NULL",
        f"read_at = NULL, state = CASE WHEN {_INBOX} THEN {State.UNREAD:d} ELSE m.state END",
    ),
    "archive": Act(
        f"m.state NOT IN ({State.ARCHIVED:d}, {State.DELETED:d})",
        f"state = {State.ARCHIVED:d}, snoozed_until = NULL",
    ),
    "unarchive": Act(f"m.state = {State.ARCHIVED:d}", f"state = {_BACK}"),
    "snooze": Act(
        f"m.state <> {State.DELETED:d} AND m.snoozed_until IS DISTINCT FROM %(until)s",
        f"state = {State.SNOOZED:d}, snoozed_until = %(until)s",
    ),
    "unsnooze": Act(f"m.state = {State.SNOOZED:d}", f"state = {_BACK}, snoozed_until = NULL"),
    "delete": Act(
        f"m.state <> {State.DELETED:d}",
        f"state = {State.DELETED:d}, snoozed_until = NULL, title = '', body = '', link = '', data = '{{}}'",
    ),
}

_COUNTERS = ", ".join(f"f.{name}" for name in COLUMNS)
_FEED = f"""
SELECT f.recipient_id, {_COUNTERS} FROM inbox_feed f WHERE f.recipient_id = %(recipient)s FOR UPDATE
"""
#: counts the rows of `changes`: their category, and by how much each changes `unread` and `unseen`
_COUNT = f"""
counted AS (
  UPDATE inbox_feed f SET revision = f.revision + 1, unread = f.unread + n.unread, unseen = f.unseen + n.unseen,
    seen_seq = greatest(f.seen_seq, %(seen_seq)s),
    by_category = count_by_category(f.by_category, n.categories, n.unread_of, n.unseen_of)
  FROM (
    SELECT count(*), coalesce(sum(unread), 0)::integer AS unread, coalesce(sum(unseen), 0)::integer AS unseen,
           coalesce(array_agg(category), ARRAY[]::text[]) AS categories,
           coalesce(array_agg(unread), ARRAY[]::integer[]) AS unread_of,
           coalesce(array_agg(unseen), ARRAY[]::integer[]) AS unseen_of
    FROM (SELECT category, sum(unread)::integer AS unread, sum(unseen)::integer AS unseen
          FROM changes GROUP BY category) c) n
  WHERE f.recipient_id = %(recipient)s AND (n.count > 0 OR f.seen_seq < %(seen_seq)s) RETURNING {_COUNTERS}
)
"""
_MESSAGE = ", ".join(f"m.{name}" for name in Message._fields)
_ACT = f"""
WITH feed AS MATERIALIZED ({_FEED}),
before AS (
  SELECT m.id, m.state, m.seq > feed.seen_seq AS is_new, feed.revision
  FROM feed JOIN inbox_inboxmessage m ON m.recipient_id = feed.recipient_id
  WHERE m.id = %(id)s AND {{applies}} FOR UPDATE OF m
), changed AS (
  UPDATE inbox_inboxmessage m SET {{sets}}, revision = b.revision + 1
  FROM before b WHERE m.id = %(id)s AND m.id = b.id
  RETURNING {_MESSAGE}, m.tenant_id, (m.state = {State.UNREAD:d})::integer - (b.state = {State.UNREAD:d})::integer
    AS unread, b.is_new
), changes AS (
  SELECT category, unread, CASE WHEN is_new THEN unread ELSE 0 END AS unseen FROM changed
), {_COUNT}
SELECT {", ".join(f"coalesce(c.{name}, f.{name})" for name in COLUMNS)},
  EXISTS (SELECT 1 FROM inbox_inboxmessage x
          WHERE x.id = %(id)s AND x.recipient_id = %(recipient)s AND x.state <> {State.DELETED:d}),
  m.tenant_id, {_MESSAGE}
FROM feed f LEFT JOIN counted c ON true LEFT JOIN changed m ON true
"""

_READ_MANY = f"""
WITH feed AS MATERIALIZED ({_FEED}),
changed AS (
  UPDATE inbox_inboxmessage m SET state = {State.READ:d}, read_at = %(now)s, revision = feed.revision + 1
  FROM feed
  WHERE m.recipient_id = feed.recipient_id AND m.recipient_id = %(recipient)s AND m.state = {State.UNREAD:d}
    AND m.seq <= %(seq)s AND m.seq >= (
      SELECT min(seq) FROM (
        SELECT x.seq FROM inbox_inboxmessage x
        WHERE x.recipient_id = %(recipient)s AND x.state = {State.UNREAD:d} AND x.seq <= %(seq)s {{x_condition}}
        ORDER BY x.seq DESC LIMIT %(most)s) newest)
    {{condition}}
  RETURNING m.id, m.tenant_id, m.category, -1 AS unread, -(m.seq > feed.seen_seq)::integer AS unseen
), changes AS (SELECT category, unread, unseen FROM changed), {_COUNT}
SELECT {", ".join(f"coalesce(c.{name}, f.{name})" for name in COLUMNS)},
  c.revision IS NOT NULL, ARRAY(SELECT id FROM changed), (SELECT tenant_id FROM changed LIMIT 1)
FROM feed f LEFT JOIN counted c ON true
"""

# a reset counts nothing: all messages have a number up to last_seq
_SEEN_ALL = f"""
UPDATE inbox_feed f SET revision = f.revision + 1, seen_seq = f.last_seq, unseen = 0,
  by_category = (SELECT coalesce(jsonb_object_agg(key, jsonb_build_array(value -> 0, 0)), '{{}}')
                 FROM jsonb_each(f.by_category))
WHERE f.recipient_id = %(recipient)s AND f.last_seq <= %(seq)s AND f.seen_seq < f.last_seq RETURNING {_COUNTERS}
"""
# each message is counted once in its life here, because seen_seq only grows. Runs after the lock: a snapshot from
# before the lock would count messages that another transaction has changed
_SEEN_SOME = f"""
WITH changes AS (
  SELECT m.category, 0 AS unread, -1 AS unseen FROM inbox_inboxmessage m
  WHERE m.recipient_id = %(recipient)s AND m.state = {State.UNREAD:d}
    AND m.seq > %(seen_before)s AND m.seq <= %(seen_seq)s
), {_COUNT}
SELECT * FROM counted f
"""


def act(
    recipient_id: uuid.UUID, message_id: uuid.UUID, name: str, *, now: datetime, until: datetime | None = None
) -> Changed:
    """Do what ACTS names. Repeating an act changes nothing. Raises NotFound unless the message is in this inbox, and
    InvalidInput for a snooze that cannot be."""
    if name == "snooze":
        _check_snooze(until, now)
    statement = _ACT.format(applies=ACTS[name].applies, sets=ACTS[name].sets)
    values: dict[str, Any] = {"recipient": recipient_id, "id": message_id, "now": now, "until": until, "seen_seq": 0}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            row = cursor.fetchone()
        if row is None or not row[len(COLUMNS)]:
            raise NotFound("There is no such message.", field="id")
        after, tenant_id = from_row(row[: len(COLUMNS)]), row[len(COLUMNS) + 1]
        if tenant_id is None:
            return Changed(after)
        message = Message(*row[len(COLUMNS) + 2 :])
        if name == "read":
            _record_reading(tenant_id, [message.id], now)
        return _announced(recipient_id, after, changes=[message.as_json()])


def read_up_to(recipient_id: uuid.UUID, seq: int, *, now: datetime, category: str | None = None) -> Changed:
    """Mark the unread messages up to and including a number as read, of one category or of all: the newest READ_AT_ONCE
    of them. `unread` says what is left."""
    conditions = {
        "condition": "" if category is None else "AND m.category = %(category)s",
        "x_condition": "" if category is None else "AND x.category = %(category)s",
    }
    values: dict[str, Any] = {"recipient": recipient_id, "seq": seq, "now": now, "category": category, "seen_seq": 0}
    values["most"] = READ_AT_ONCE
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_READ_MANY.format(**conditions), values)
            row = cursor.fetchone()
        if row is None:
            return Changed(Counters())
        *counts, has_changed, ids, tenant_id = row
        after = from_row(tuple(counts))
        if not has_changed:
            return Changed(after)
        _record_reading(tenant_id, ids, now)
        if len(ids) >= READ_AT_ONCE:
            # the sockets list anew: older messages may be unread still
            return _announced(recipient_id, after)
        mark = {"up_to_seq": seq} if category is None else {"up_to_seq": seq, "category": category}
        return _announced(recipient_id, after, read=mark)


def see_up_to(recipient_id: uuid.UUID, seq: int) -> Changed:
    """Take note that the recipient has seen the messages up to and including a number: the badge counts the others.
    One statement where the number is the newest one, as the widget gives it."""
    values: dict[str, Any] = {"recipient": recipient_id, "seq": seq}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SEEN_ALL, values)
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_FEED, values)
            feed = cursor.fetchone()
            if feed is None:
                return Changed(Counters())
            before = from_row(feed[1:])
            if seq <= before.seen_seq or before.seen_seq == before.last_seq:
                return Changed(before)
            # a message that was stored since the first statement stays unseen
            bounds = {"seen_before": before.seen_seq, "seen_seq": min(seq, before.last_seq)}
            cursor.execute(_SEEN_SOME, {**values, **bounds})
            row = cursor.fetchone()
        after = from_row(row)
        return _announced(recipient_id, after, seen=after.seen_seq)


def _check_snooze(until: datetime | None, now: datetime) -> None:
    if until is None or until <= now:
        raise InvalidInput("The time until which the message is snoozed must be in the future.", field="until")
    if until - now > LONGEST_SNOOZE:
        raise InvalidInput("A message can be snoozed for a year at most.", field="until")


def _record_reading(tenant_id: uuid.UUID, messages: Sequence[uuid.UUID], now: datetime) -> None:
    add_events([EventRow(new_id(), tenant_id, message_id, "read", "", now) for message_id in messages])


def _announced(recipient_id: uuid.UUID, after: Counters, **change: Any) -> Changed:
    """Tell the inbox's open sockets of the change after the commit."""
    changed = Changed(after, change)
    transaction.on_commit(lambda: announce([recipient_id], lambda _: changed.as_json()))
    return changed
