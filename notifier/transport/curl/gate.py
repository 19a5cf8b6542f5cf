"""How many requests for one far end libcurl is given, and which of them it may write.

libcurl opens up to 100 streams on a new connection before it has read the far end's SETTINGS: of 400 requests, nginx
with `http2_max_concurrent_streams 1` refused 366. A far end sends its SETTINGS first (RFC 9113 §3.4), so the first
answer on a connection proves that libcurl has read them. Until then a connection carries one request here; afterwards
libcurl itself obeys the SETTINGS, also when they change. Price: what comes after the first request of all to a far end
waits for that one's answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from notifier.transport.allowance import Allowance

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
        self.careful = False  #: the far end refused a stream or cut a connection lately
        self._most = most
        self._open = 1  #: the window, by what the connections have shown
        self._allowance = Allowance(most)
        self._links: dict[int, Link] = {}

    def admits(self, port: int) -> bool:
        """Whether a request may be written on this connection now."""
        link = self._links.get(port) or self._remember(port)
        if link.under_way and not link.proven:
            # what else libcurl holds would come to this connection as well
            self._set(max(1, self.under_way))
            return False
        link.under_way += 1
        self.under_way += 1
        return True

    def answered(self, port: int) -> None:
        link = self._links.get(port)
        if link is not None:
            link.under_way -= 1
        if self.window < self._most:
            self._widen(link)
        elif link is not None:
            link.proven = True
        self.under_way -= 1

    def failed(self, port: int) -> None:
        """A request ended without an answer, which says nothing of its connection: a timeout, a reset stream."""
        self.under_way -= 1
        if (link := self._links.get(port)) is not None:
            link.under_way -= 1

    def cut(self, port: int) -> None:
        """A request was refused, or its connection ended before the answer."""
        if self._links.pop(port, None) is not None:  # once for each connection
            self._allowance.refuse(self.under_way)
            self._set(self._open)
        self.under_way -= 1

    def _widen(self, link: Link | None) -> None:
        """The first answer of a connection opens it; the others add one each where all that may be is under way."""
        self._allowance.answer(1)
        if link is not None and not link.proven:
            link.proven = True
            self._set(self._most)
        else:
            self._set(min(self._most, self._open + (self.under_way >= self._open)))

    def _set(self, opened: int) -> None:
        self._open = opened
        self.window = min(opened, self._allowance.limit)
        self.careful = self._allowance.reduced

    def _remember(self, port: int) -> Link:
        if len(self._links) >= LINKS:
            idle = next((known for known, link in self._links.items() if not link.under_way), port)
            self._links.pop(idle, None)
        return self._links.setdefault(port, Link())
