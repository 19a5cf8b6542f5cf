"""Which in-app messages their recipients have seen or read, for fallback routes and digests of the engine, which must
not import the inbox: `inbox.apps` registers both functions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from inbox.models import State
from notifier.delivery.infra import bulk
from notifier.delivery.infra.pg_arrays import pack

# a recipient who changed a message has seen it. A snoozed message that came back has a number above seen_seq again
_SEEN = """
SELECT m.id FROM inbox_inboxmessage m JOIN inbox_feed f USING (recipient_id)
WHERE m.id = ANY (%s) AND m.id BETWEEN %s AND %s AND (m.seq <= f.seen_seq OR m.revision > 0)
"""
_READ = f"""
SELECT m.id FROM inbox_inboxmessage m
WHERE m.id = ANY (%s) AND m.id BETWEEN %s AND %s
  AND (m.read_at IS NOT NULL OR m.state IN ({State.ARCHIVED:d}, {State.DELETED:d}))
"""


def seen(deliveries: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those that the recipient has seen: the widget has shown them, or the recipient read, archived, snoozed or deleted
    them. A message that was seen stays seen."""
    return _select(_SEEN, deliveries)


def read(deliveries: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those that the recipient is done with: read, archived or deleted."""
    return _select(_READ, deliveries)


def _select(statement: str, deliveries: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    if not deliveries:
        return set()
    # the bounds leave out the partitions of other months
    return bulk.fetch_ids(statement, [pack("uuid", deliveries), min(deliveries), max(deliveries)])
