"""The sockets of this process by inbox: who gets an announcement, and which inboxes are subscribed."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from inbox.live import limits
from inbox.live.frames import TOO_MANY, TRY_LATER, Rejected
from inbox.live.heartbeats import Due
from inbox.live.subscriber import Subscriber

#: a page that is loaded anew closes its socket and opens another one: the subscription stays for so long
UNSUBSCRIBE_AFTER = 2.0


class Listener(Due, Protocol):
    """A socket. It gets announcements from before its hello is answered, so that it misses none."""

    recipient_id: uuid.UUID
    is_live: bool

    def receive_announcement(self, news: Mapping[str, Any]) -> None: ...


class Registry:
    """Sockets by inbox."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.live = 0  #: sockets whose hello was answered
        self._by_inbox: dict[uuid.UUID, list[Listener]] = {}
        self._left: set[uuid.UUID] = set()
        self._unsubscribing: asyncio.Task[None] | None = None

    def add(self, listener: Listener) -> None:
        """Add a socket whose hello waits. Raises Rejected when the inbox has as many sockets as it may have."""
        listeners = self._by_inbox.get(listener.recipient_id, ())
        if len(listeners) >= limits.SOCKETS_PER_INBOX:
            if all(one.is_live for one in listeners):
                raise Rejected(TOO_MANY, "too many sockets")
            # the tokens of hellos that wait may be forged, so this client is not told that its inbox is full
            raise Rejected(TRY_LATER, "try again later")
        self._by_inbox.setdefault(listener.recipient_id, []).append(listener)

    def remove(self, listener: Listener) -> None:
        listeners = self._by_inbox[listener.recipient_id]
        listeners.remove(listener)
        if listeners:
            return
        del self._by_inbox[listener.recipient_id]
        self._left.add(listener.recipient_id)
        if self._unsubscribing is None or self._unsubscribing.done():
            self._unsubscribing = asyncio.create_task(self._unsubscribe())

    def deliver(self, recipient_id: uuid.UUID, news: Mapping[str, Any]) -> None:
        """Give an announcement to the sockets of its inbox."""
        for listener in self._by_inbox.get(recipient_id, ()):
            listener.receive_announcement(news)

    def live_sockets(self) -> list[Listener]:
        return [one for listeners in self._by_inbox.values() for one in listeners if one.is_live]

    @property
    def reconnect_within(self) -> float:
        """Seconds over which the clients of this process spread their reconnects, if it is killed."""
        return round(max(1.0, self.live / limits.CONNECTS_PER_SECOND), 1)

    async def _unsubscribe(self) -> None:
        while self._left:
            await asyncio.sleep(UNSUBSCRIBE_AFTER)
            left, self._left = self._left, set()
            await self.subscriber.unsubscribe([r for r in left if r not in self._by_inbox])
