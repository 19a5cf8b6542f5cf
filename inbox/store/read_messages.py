"""Which messages their recipients have read, for digests: an item that was read in the inbox needs no other message."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from inbox.models import InboxMessage


def read_of(ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these messages, in the order of their ids, that were read. The bounds let PostgreSQL skip the partitions
    of other months."""
    rows = InboxMessage.objects.filter(pk__in=ids, pk__gte=ids[0], pk__lte=ids[-1], read_at__isnull=False)
    return set(rows.values_list("pk", flat=True))
