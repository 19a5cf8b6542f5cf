"""Reads an inbox. Every function takes the recipient's id and runs in the caller's scope.

Each list is of one state, or merges two, newest first, so that the index inbox_message_list serves it: ten messages
and 50,000 take the same time. Only words have no index: a search looks at SCANNED messages a request, and the answer
says where the next request goes on.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db import connection

from inbox.models import InboxMessage, State
from inbox.store import search
from inbox.store.counters import COLUMNS, Counters, from_row
from notifier.errors import InvalidInput, NotFound
from tenants.models import Category

PAGE = 100
#: messages whose words one request compares
SCANNED = 1_000
#: changed messages that one frame carries. A client that missed more reads its list anew
CHANGES = 100

#: what a list may show -> the states of its messages
LISTS = {
    "all": (State.UNREAD, State.READ),
    "unread": (State.UNREAD,),
    "read": (State.READ,),
    "archived": (State.ARCHIVED,),
    "snoozed": (State.SNOOZED,),
}


class Message(NamedTuple):
    """One message as the database has it. The fields are columns."""

    id: uuid.UUID
    seq: int
    revision: int
    state: int
    category: str
    title: str
    body: str
    link: str
    data: str
    created_at: datetime
    read_at: datetime | None
    snoozed_until: datetime | None

    def as_json(self) -> dict[str, Any]:
        """As the API and the socket show it."""
        return {
            "id": str(self.id),
            "seq": self.seq,
            "revision": self.revision,
            "state": State(self.state).name.lower(),
            "category": self.category,
            "title": self.title,
            "body": self.body,
            "link": self.link,
            "data": orjson.loads(self.data),
            "created_at": self.created_at.isoformat(),
            "read_at": self.read_at.isoformat() if self.read_at else None,
            "snoozed_until": self.snoozed_until.isoformat() if self.snoozed_until else None,
        }


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, and the number with which the next page is asked for: None when this page is the last one."""

    messages: list[Message]
    next_seq: int | None


@dataclass(frozen=True, slots=True)
class Query:
    """What a page shows: a list of LISTS, one category or all, the words of a search, and messages below a number."""

    state: str = "all"
    category: str | None = None
    q: str = ""
    before_seq: int | None = None
    limit: int = PAGE


_COUNTERS = f"SELECT {', '.join(COLUMNS)} FROM inbox_feed WHERE recipient_id = %s"
_COLUMNS = ", ".join(Message._fields)
# a UNION of one state each, because an index scan of two states has no order
_BRANCH = f"""
(SELECT {_COLUMNS} FROM inbox_inboxmessage
  WHERE recipient_id = %(recipient)s AND state = {{state}}{{conditions}} ORDER BY seq {{order}} LIMIT %(limit)s)
"""
_CHANGED = f"""
SELECT {_COLUMNS} FROM inbox_inboxmessage
WHERE recipient_id = %(recipient)s AND revision > 0 AND revision > %(revision)s ORDER BY revision LIMIT %(limit)s
"""


def counters(recipient_id: uuid.UUID) -> Counters:
    """One row by its key, however long the inbox is."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTERS, [recipient_id])
        row = cursor.fetchone()
    return from_row(row) if row else Counters()


def newest(recipient_id: uuid.UUID, query: Query) -> Page:
    """The messages of a list before a number, newest first. With `q`, a page may have no message and still have a next
    page: the search looks at SCANNED messages a request."""
    conditions = " AND seq < %(before)s" if query.before_seq is not None else ""
    conditions += " AND category = %(category)s" if query.category is not None else ""
    values = {"recipient": recipient_id, "before": query.before_seq, "category": query.category}
    words, limit = search.words_of(query.q), query.limit
    if not words:
        rows = _merged(LISTS[query.state], conditions, "DESC", {**values, "limit": limit + 1}, limit + 1)
        return Page(rows[:limit], rows[limit - 1].seq if len(rows) > limit else None)
    scan = _branches(LISTS[query.state], conditions, "DESC")
    values = {**values, **search.values_of(words), "limit": SCANNED, "scanned": SCANNED, "most": limit}
    with connection.cursor() as cursor:
        cursor.execute(search.statement(scan, _COLUMNS, len(words)), values)
        matches = cursor.fetchall()
    scanned, lowest = matches[0][-2:]
    rows = [Message(*row[:-2]) for row in matches if row[0] is not None]
    if len(rows) == limit:
        return Page(rows, rows[-1].seq)
    return Page(rows, lowest if scanned == SCANNED else None)


def list_json(tenant_id: uuid.UUID, recipient_id: uuid.UUID, query: Mapping[str, Any]) -> dict[str, Any]:
    """The page that a validated query (inbox.shapes.ListQuery) asks for, with the counters."""
    query = {**query, "category": known_category(tenant_id, query.get("category"))}
    # the counters first: a message that is stored between the two queries is then announced as new
    counts = counters(recipient_id)
    if (after := query.get("after_seq")) is not None:
        rows = since(recipient_id, after, limit=query["limit"] + 1)
        page = Page(rows[: query["limit"]], rows[query["limit"] - 1].seq if len(rows) > query["limit"] else None)
    else:
        page = newest(recipient_id, Query(**query))
    messages = [message.as_json() for message in page.messages]
    return {"messages": messages, "more": page.next_seq is not None, "next_seq": page.next_seq, **counts.as_json()}


def known_category(tenant_id: uuid.UUID, key: str | None) -> str | None:
    """The key. Raises InvalidInput for a category that the tenant does not have."""
    if key is not None and not Category.objects.filter(tenant_id=tenant_id, key=key).exists():
        raise InvalidInput("There is no such category.", field="category")
    return key


def check_exists(recipient_id: uuid.UUID, message_id: uuid.UUID) -> None:
    """Raises NotFound unless the message is in this inbox."""
    kept = InboxMessage.objects.filter(pk=message_id, recipient_id=recipient_id).exclude(state=State.DELETED)
    if not kept.exists():
        raise NotFound("There is no such message.", field="id")


def since(recipient_id: uuid.UUID, seq: int, *, limit: int = PAGE) -> list[Message]:
    """The messages of the inbox after a sequence number, oldest first. A message commits only after all messages with
    smaller numbers, because the inbox is locked until then; so no message can appear below a number that a reader has
    seen."""
    values = {"recipient": recipient_id, "after": seq, "limit": limit}
    return _merged(LISTS["all"], " AND seq > %(after)s", "ASC", values, limit)


def changed_since(recipient_id: uuid.UUID, revision: int, *, limit: int = CHANGES) -> list[Message]:
    """The messages that were changed after a revision, deleted ones too, in the order of their last change."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED, {"recipient": recipient_id, "revision": revision, "limit": limit})
        return [Message(*row) for row in cursor.fetchall()]


def _branches(states: Sequence[State], conditions: str, order: str) -> str:
    return "UNION ALL".join(_BRANCH.format(state=int(s), conditions=conditions, order=order) for s in states)


def _merged(states: Sequence[State], conditions: str, order: str, values: dict[str, Any], most: int) -> list[Message]:
    branches = _branches(states, conditions, order)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({branches}) m ORDER BY seq {order} LIMIT {most:d}", values)
        return [Message(*row) for row in cursor.fetchall()]
