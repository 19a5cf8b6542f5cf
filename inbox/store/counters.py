"""The counters of one inbox, as the table, an announcement and an open socket hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

#: the columns of inbox_feed that make a Counters, in the order of its fields
COLUMNS = ("last_seq", "revision", "seen_seq", "unread", "unseen", "by_category")


@dataclass(frozen=True, slots=True)
class Counters:
    """Every change of an inbox raises `last_seq` or `revision`, and neither falls. So of two Counters the one with the
    larger sum is the later one, without a clock."""

    last_seq: int = 0
    revision: int = 0
    seen_seq: int = 0
    unread: int = 0
    unseen: int = 0
    #: category -> (unread, unseen), of those that have unread messages
    by_category: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def merged(self, other: Counters) -> Counters:
        """The later one."""
        return other if other.last_seq + other.revision > self.last_seq + self.revision else self

    def as_json(self) -> dict[str, Any]:
        """As the API and the socket show it."""
        return {
            "last_seq": self.last_seq,
            "revision": self.revision,
            "seen_seq": self.seen_seq,
            "unread": self.unread,
            "unseen": self.unseen,
            "categories": {
                name: {"unread": unread, "unseen": unseen} for name, (unread, unseen) in self.by_category.items()
            },
        }


def from_row(row: tuple[Any, ...]) -> Counters:
    """The Counters of COLUMNS, whose last one comes as a text of JSON: Django lets psycopg decode none."""
    last_seq, revision, seen_seq, unread, unseen, by_category = row
    counts = {} if by_category == "{}" else orjson.loads(by_category)
    categories = {name: (unread_of, unseen_of) for name, (unread_of, unseen_of) in counts.items()}
    return Counters(last_seq, revision, seen_seq, unread, unseen, categories)


def from_json(values: Mapping[str, Any]) -> Counters:
    """The Counters that an announcement carries."""
    by_category = {name: (count["unread"], count["unseen"]) for name, count in values["categories"].items()}
    return Counters(**{name: values[name] for name in COLUMNS[:-1]}, by_category=by_category)
