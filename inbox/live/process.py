"""What all sockets of one web process share. It begins with the first socket."""

from __future__ import annotations

import functools
import random
import uuid
from collections.abc import Mapping
from typing import Any

from inbox.live import limits
from inbox.live.heartbeats import Heartbeats
from inbox.live.hellos import Hellos
from inbox.live.registry import Registry
from inbox.live.subscriber import Subscriber

#: sockets a second that are checked after a loss of Redis
CHECKS_PER_SECOND = 1_000


class LiveInboxes:
    """The sockets of one process. Belongs to its event loop."""

    def __init__(self) -> None:
        self.subscriber = Subscriber(self._deliver, self._check_all)
        self.registry = Registry(self.subscriber)
        self.hellos = Hellos(self.subscriber)
        self.heartbeats = Heartbeats()

    def _deliver(self, recipient_id: uuid.UUID, news: Mapping[str, Any]) -> None:
        self.registry.deliver(recipient_id, news)

    def _check_all(self) -> None:
        """Announcements may be lost: check every socket soon, over some seconds."""
        within = limits.FIRST_CHECK_SECONDS + self.registry.live / CHECKS_PER_SECOND
        for socket in self.registry.live_sockets():
            self.heartbeats.schedule(socket, random.uniform(0, within))  # noqa: S311


@functools.cache
def of_this_process() -> LiveInboxes:
    """Shared by the sockets of this process's only event loop."""
    return LiveInboxes()
