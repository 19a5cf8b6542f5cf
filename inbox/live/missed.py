"""Reads what the client of a socket missed, in parts of bounded size: the texts of a message may have 128 KB."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from inbox.live import limits
from inbox.store import feed
from inbox.store.feed import Message


def messages_after(recipient_id: uuid.UUID, seq: int) -> list[Message]:
    """The next messages of the inbox, limits.MESSAGES at most. Fewer: the inbox has no further message."""
    return feed.since(recipient_id, seq, limit=limits.MESSAGES)


def changes_after(recipient_id: uuid.UUID, revision: int) -> list[Message]:
    """The messages that were changed after a revision. `are_too_many` says whether one frame carries them."""
    return feed.changed_since(recipient_id, revision, limit=feed.CHANGES + 1)


def are_too_many(changes: Sequence[Message]) -> bool:
    """Whether the client must list its messages anew instead."""
    return len(changes) > feed.CHANGES or size(changes) > limits.FRAME_CHARACTERS


def size(messages: Sequence[Message]) -> int:
    """Characters of the texts."""
    return sum(len(message.title) + len(message.body) + len(message.data) for message in messages)
