"""Which opt-ins of a change are new, so that they need a confirmation, and what holds until they have it. Pure.

The recipient gets a category on a channel when an opt-in covers it and no opt-out does. An entry is `category`, which
covers each channel, or `category:channel`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from notifier.channels import channels


@dataclass(frozen=True)
class Choices:
    """The entries of one category in a recipient's preferences."""

    off: frozenset[str] = frozenset()
    on: frozenset[str] = frozenset()

    def reach(self, pair: str) -> bool:
        """`pair`: category:channel."""
        return _covers(self.on, pair) and not _covers(self.off, pair)


@dataclass(frozen=True)
class Decision:
    """`to_confirm`: the entries that a confirmation must name; empty: none is needed. `kept`: what is stored until
    then."""

    to_confirm: list[str]
    kept: Choices


def decide(category: str, stored: Choices, asked: Choices, *, by_recipient: bool) -> Decision:
    """What becomes of a change of one category with double opt-in. To narrow an opt-in needs no confirmation. To end an
    opt-out does, because a third party may ask in the recipient's name. The recipient's own page or token
    (`by_recipient`) ends the opt-out from a channel without: the opt-in beside it was confirmed before."""
    before = Choices(stored.off & {category}, stored.on) if by_recipient else stored
    pairs = {f"{category}:{name}" for name in channels()} | (asked.on - {category})
    new = {pair for pair in pairs if asked.reach(pair) and not before.reach(pair)}
    if not new:
        return Decision([], asked)
    to_confirm = (asked.on & {category, *new}) | (stored.off & new)
    # what was on before and is asked for stays on; what was off, or is asked to be off, is off
    on = frozenset(e for e in stored.on | asked.on if _covers(stored.on, e) and _covers(asked.on, e))
    ended = {pair for pair in stored.off - {category} if asked.reach(pair) and pair not in new}
    return Decision(sorted(to_confirm), Choices((stored.off - ended) | asked.off, on))


def by_category(off: Iterable[str], on: Iterable[str]) -> defaultdict[str, Choices]:
    """Category -> its entries of both columns."""
    grouped: defaultdict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for column, entries in enumerate((off, on)):
        for entry in entries:
            grouped[entry.partition(":")[0]][column].add(entry)
    choices = {key: Choices(frozenset(entries[0]), frozenset(entries[1])) for key, entries in grouped.items()}
    return defaultdict(Choices, choices)


def _covers(entries: Collection[str], entry: str) -> bool:
    return entry in entries or entry.partition(":")[0] in entries
