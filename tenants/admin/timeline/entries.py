"""Entries of a timeline, the registry of their sources, and the merge of the sources by time."""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet
from django.utils.functional import Promise

from notifier.vocabulary.ids import parse_id
from tenants.models import Recipient

Text = str | Promise
#: entries of a page
PAGE = 30
_PARTS = 3


class Key(NamedTuple):
    """The place of an entry. Entries of one moment stand in the order of their sources' ranks, then of their ids."""

    at: datetime
    rank: int
    id: uuid.UUID | int

    def as_text(self) -> str:
        return f"{self.at.astimezone(UTC).timestamp():.6f}_{self.rank}_{self.id}"


class StepLine(NamedTuple):
    """One step of a message: what happened, a detail, and when."""

    what: str
    detail: str
    at: datetime


@dataclass(frozen=True)
class Entry:
    """`line`: the rule that decided, or what changed, in words. `tone`: of the badge: good, warn, bad, info, muted."""

    key: Key
    kind: str
    icon: str
    title: Text
    line: Text = ""
    badge: Text = ""
    tone: str = "muted"
    steps: Sequence[StepLine] = ()
    url: str = ""
    by: Text = ""

    @property
    def at(self) -> datetime:
        return self.key.at


@dataclass(frozen=True)
class Window:
    """Which entries a source returns: those of `recipient` below the key `before`, on `channel` if it is given, at most
    `most`, newest first. `message`: only the message with this id."""

    recipient: Recipient
    before: Key | None
    most: int
    channel: str = ""
    message: uuid.UUID | None = None

    def below(self, rows: QuerySet[Any], column: str, rank: int) -> QuerySet[Any]:
        """The rows of the source of this rank, newest first by `column`."""
        if self.before is not None:
            at, bound = self.before.at, self.before.rank
            if rank == bound:
                rows = rows.filter(Q(**{f"{column}__lt": at}) | Q(**{column: at, "pk__lt": self.before.id}))
            else:
                rows = rows.filter(**{f"{column}__{'lte' if rank < bound else 'lt'}": at})
        return rows.order_by(f"-{column}", "-pk")[: self.most]


@dataclass(frozen=True)
class Source:
    """`kind`: what the filter calls its entries; several sources may have one kind. `by_channel`: its entries belong to
    a channel; other sources are left out when a channel is chosen. `rank` is unique."""

    rank: int
    kind: str
    title: Text
    fetch: Callable[[Window], Iterable[Entry]]
    by_channel: bool = False
    ids: type[uuid.UUID] | type[int] = uuid.UUID


_sources: dict[int, Source] = {}


def register_source(source: Source) -> None:
    """Show this source's entries on every timeline. Call it in `AppConfig.ready`."""
    _sources[source.rank] = source


def kinds() -> dict[str, Text]:
    """kind -> its title, for the filter."""
    return {source.kind: source.title for source in sorted(_sources.values(), key=lambda s: s.rank, reverse=True)}


def read_entries(window: Window, kind: str = "") -> tuple[list[Entry], Key | None]:
    """One page of entries, newest first, and the key from which the next page goes on; None on the last page."""
    sources = [s for s in _sources.values() if kind in ("", s.kind)]
    if window.channel or window.message:
        sources = [s for s in sources if s.by_channel]
    entries = merge(source.fetch(window) for source in sources)[: window.most]
    if len(entries) < window.most:
        return entries, None
    # one entry more was read than the page shows
    return entries[:-1], entries[-2].key


def merge(lists: Iterable[Iterable[Entry]]) -> list[Entry]:
    """The entries of all lists, newest first; each list is in this order already."""
    return list(heapq.merge(*lists, key=lambda entry: entry.key, reverse=True))


def parse_key(text: str) -> Key | None:
    """The key of `Key.as_text`; None for a text that is none."""
    parts = text.split("_")
    if len(parts) != _PARTS:
        return None
    try:
        at, rank = datetime.fromtimestamp(float(parts[0]), UTC), int(parts[1])
        row_id = parse_id(parts[2]) or int(parts[2])
    except (ValueError, OverflowError, OSError):
        return None
    source = _sources.get(rank)
    fits = source is not None and isinstance(row_id, source.ids)
    return Key(at, rank, row_id) if fits and (isinstance(row_id, uuid.UUID) or 0 <= row_id < 2**63) else None
