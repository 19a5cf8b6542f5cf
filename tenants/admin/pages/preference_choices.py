"""A recipient's opt-outs and opt-ins as checkboxes, one for each category and channel, and back to entries. Pure.

An entry is a category's key, or `key:channel` for one channel of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """One checkbox. `value`: `key:channel`. `ticked`: the recipient gets the category on the channel."""

    value: str
    channel: str
    ticked: bool


@dataclass(frozen=True)
class Choices:
    """The stored entries."""

    off: Sequence[str]
    on: Sequence[str]


def boxes(key: str, asks_opt_in: bool, channels: Iterable[str], stored: Choices) -> list[Box]:
    """The boxes of a category. One that asks for an opt-in is ticked when there is one, and no opt-out."""
    listed = []
    for channel in channels:
        entries = {key, f"{key}:{channel}"}
        is_off, is_on = entries.intersection(stored.off), entries.intersection(stored.on)
        listed.append(Box(f"{key}:{channel}", channel, not is_off and (bool(is_on) or not asks_opt_in)))
    return listed


def store(key: str, asks_opt_in: bool, shown: Sequence[Box], ticked: Collection[str], stored: Choices) -> Choices:
    """The entries after a user has seen the boxes and left these ticked. Without a change, what is stored stays as it
    is. Entries of other categories and of channels that had no box stay."""
    if all(box.ticked == (box.value in ticked) for box in shown):
        return stored
    chosen = [box.value for box in shown if box.value in ticked]
    others = [box.value for box in shown if box.value not in ticked]
    of_boxes = {key, *(box.value for box in shown)}
    off = [entry for entry in stored.off if entry not in of_boxes]
    on = [entry for entry in stored.on if entry not in of_boxes]
    if asks_opt_in:
        # without an opt-in nothing leaves; an opt-out that the recipient made stays an opt-out
        kept = [box.value for box in shown if box.value in others and {key, box.value}.intersection(stored.off)]
        return Choices(off + _shortest(key, shown, kept), on + _shortest(key, shown, chosen))
    kept = [box.value for box in shown if {key, box.value}.intersection(stored.on)]
    return Choices(off + _shortest(key, shown, others), on + _shortest(key, shown, kept))


def _shortest(key: str, shown: Sequence[Box], values: list[str]) -> list[str]:
    """One entry for the whole category when all of its boxes are meant."""
    return [key] if values and len(values) == len(shown) else values
