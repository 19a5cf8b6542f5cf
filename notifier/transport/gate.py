"""How many requests for one far end libcurl is given, and which of them it may write.

libcurl opens up to 100 streams on a new connection before it has read the far end's SETTINGS: of 400 requests, nginx
with `http2_max_concurrent_streams 1` refused 366. A far end sends its SETTINGS first (RFC 9113 §3.4), so the first
answer on a connection proves that libcurl has read them. Until then a connection carries one request here; afterwards
libcurl itself obeys the SETTINGS, also when they change.
"""

from __future__ import annotations

from dataclasses import dataclass

LINKS = 32  #: connections remembered; more than one far end has open


@dataclass(slots=True)
class Link:
    """One connection: what is under way on it, and whether it has answered."""

    under_way: int = 0
    proven: bool = False


class Gate:
    """For one far end. A connection is named by our own port: libcurl tells nothing else before it writes."""

    def __init__(self, most: int) -> None:
        self.window = 1  #: how many requests may be inside libcurl
        self.under_way = 0  #: how many of them were written and not answered
        self._most = most
        self._careful = False  #: a connection was cut: the window grows slowly
        self._credit = 0
        self._links: dict[int, Link] = {}

    def admits(self, port: int) -> bool:
        """Whether a request may be written on this connection now."""
        link = self._links.get(port) or self._remember(port)
        if link.under_way and not link.proven:
            # what else libcurl holds would come here as well
            self.window = max(1, self.under_way)
            return False
        link.under_way += 1
        self.under_way += 1
        return True

    def answered(self, port: int) -> None:
        full, self.under_way = self.under_way >= self.window, self.under_way - 1
        link = self._links.get(port)
        if link is not None:
            link.under_way -= 1
            if not link.proven:
                link.proven = True
                self.window = self.window if self._careful else self._most
        if full:
            self._grow()

    def failed(self, port: int) -> None:
        """One request ended without an answer, which says nothing of the connection: a timeout, a reset stream."""
        self.under_way -= 1
        if (link := self._links.get(port)) is not None:
            link.under_way -= 1

    def cut(self, port: int) -> None:
        """A request was refused, or its connection ended before the answer: half as many from now on."""
        if self._links.pop(port, None) is not None:  # once for each connection
            self.window, self._careful, self._credit = max(1, self.under_way // 2), True, 0
        self.under_way -= 1

    def _grow(self) -> None:
        """One more; after a cut, one more for each window of answers."""
        self._credit += 1
        if self.window < self._most and (not self._careful or self._credit >= self.window):
            self.window, self._credit = self.window + 1, 0
        if self.window >= self._most:
            self._careful = False

    def _remember(self, port: int) -> Link:
        if len(self._links) >= LINKS:
            idle = next((known for known, link in self._links.items() if not link.under_way), port)
            self._links.pop(idle, None)
        return self._links.setdefault(port, Link())
