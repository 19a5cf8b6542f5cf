"""Which in-app messages their recipients have seen: a later step of a fallback route is then not needed.

The inbox is an app above the engine: it registers its lookup in `AppConfig.ready`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

#: deliveries -> those of them that were seen. One query, by primary keys
SeenLookup = Callable[[Sequence[uuid.UUID]], set[uuid.UUID]]
_lookups: list[SeenLookup] = []


def register_seen_lookup(lookup: SeenLookup) -> None:
    _lookups[:] = [lookup]


def seen_in_inbox(deliveries: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these in-app deliveries that the recipient has seen: the widget has shown them, or the recipient read,
    archived, snoozed or deleted them. Once seen, a message stays seen."""
    return _lookups[0](deliveries) if _lookups and deliveries else set()
