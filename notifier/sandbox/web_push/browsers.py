"""What the fake browsers have received: counts for each subscription, and the newest messages.

Decrypting a message costs 150 to 300 µs, six times as much as taking it (25 µs). So a message is decrypted when it
arrives only while fewer than EAGER arrive in a second, and else when it is read: a campaign at full speed must measure
the sender, not the sandbox.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from itertools import count
from typing import Any

from notifier.sandbox.web_push.encryption import Undecryptable, decrypt
from notifier.sandbox.web_push.subscriptions import Subscription

COUNTED = 100_000  #: subscriptions with counts of their own: 20 MB
KEPT = 2_000  #: messages; 4 KiB each at most
EAGER = 500  #: messages decrypted on arrival in one second: a tenth of a core
FOREIGN = "Not decrypted: the sandbox did not make this subscription."


class Pushed:
    """An accepted message. `content` and `failure` decrypt it once."""

    __slots__ = ("_browsers", "_content", "_failure", "_is_open", "_subscription", "at", "body", "endpoint", "topic")

    def __init__(
        self, endpoint: str, topic: str, body: bytes, subscription: Subscription | None, browsers: Browsers
    ) -> None:
        self.at, self.endpoint, self.topic, self.body = time.time(), endpoint, topic, body
        self._subscription, self._browsers, self._is_open = subscription, browsers, False
        self._content: bytes | None = None
        self._failure = FOREIGN

    @property
    def content(self) -> bytes | None:
        """The plain text; None where it cannot be decrypted."""
        self._open()
        return self._content

    @property
    def failure(self) -> str:
        """Why there is no plain text; empty where there is one."""
        self._open()
        return self._failure

    def _open(self) -> None:
        if self._is_open or self._subscription is None:
            return
        self._is_open = True
        try:
            self._content = decrypt(self.body, self._subscription.keys) if self.body else b""
            self._failure = ""
            self._browsers.decrypted += 1
        except Undecryptable as error:
            self._failure = f"Not decrypted: {error}."
            self._browsers.undecryptable += 1


class Browsers:
    """`state.browsers`. A message with the topic of an earlier one takes its place, as it would before the browser
    fetched it (RFC 8030 §5.4)."""

    def __init__(self) -> None:
        self._second, self._opened = 0, 0
        self.reset()

    def reset(self) -> None:
        """Forget what arrived, and which subscriptions expired."""
        self._expired: set[str] = set()
        self._counts: dict[str, int] = {}
        self._messages: OrderedDict[tuple[str, str], Pushed] = OrderedDict()
        self._numbers = count()
        self.decrypted = self.undecryptable = self.foreign = self.replaced = 0

    def expire(self, name: str) -> None:
        """From now on messages to the subscription are answered 410."""
        self._expired.add(name)

    def is_expired(self, name: str) -> bool:
        return name in self._expired

    def receive(self, endpoint: str, topic: str, body: bytes, subscription: Subscription | None) -> Pushed:
        """Count and keep an accepted message."""
        if subscription is None:
            self.foreign += 1
        if endpoint in self._counts or len(self._counts) < COUNTED:
            self._counts[endpoint] = self._counts.get(endpoint, 0) + 1
        key = (endpoint, topic or f".{next(self._numbers)}")
        if self._messages.pop(key, None) is not None:
            self.replaced += 1
        pushed = self._messages[key] = Pushed(endpoint, topic, body, subscription, self)
        if len(self._messages) > KEPT:
            self._messages.popitem(last=False)
        return pushed

    def has_time(self) -> bool:
        """Whether one more message may be decrypted on arrival in this second."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._opened = second, 0
        self._opened += 1
        return self._opened <= EAGER

    def report(self) -> dict[str, Any]:
        """Counts of all subscriptions together, for the sandbox's report."""
        return {
            "subscriptions": len(self._counts),
            "expired": len(self._expired),
            "foreign": self.foreign,
            "decrypted": self.decrypted,
            "undecryptable": self.undecryptable,
            "replaced": self.replaced,
        }

    def counts(self, limit: int) -> dict[str, int]:
        """How many messages each of the first `limit` subscriptions accepted, repeats and replaced ones included."""
        return {endpoint: n for (endpoint, n), _ in zip(self._counts.items(), range(limit), strict=False)}

    def messages(self, endpoint: str = "") -> list[dict[str, Any]]:
        """The newest messages that wait for this browser, or for all of them, oldest first."""
        chosen = [pushed for pushed in self._messages.values() if endpoint in ("", pushed.endpoint)]
        return [
            {
                "at": pushed.at,
                "endpoint": pushed.endpoint,
                "topic": pushed.topic,
                "content": None if pushed.content is None else pushed.content.decode("utf-8", "replace"),
                "failure": pushed.failure,
            }
            for pushed in chosen
        ]
