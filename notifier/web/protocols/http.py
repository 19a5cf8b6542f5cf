"""uvicorn's HTTP/1.1 protocol within limits: the address, the headers, the time until they have arrived, connections.

uvicorn itself limits none of these (with h11 it limits the size of the headers). A proxy in front would, but the site
must stay up without one. A request that is refused here never reaches Django, so this module makes its problem
document.
"""

from __future__ import annotations

import asyncio
import enum
from typing import Any, cast

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from notifier.web import limits
from notifier.web.protocols import connections, unverified_sockets
from notifier.web.protocols.sockets import BoundedWebSocket
from notifier.web.protocols.transport import LingeringTransport


class Phase(enum.Enum):
    """Which part of a request is being read."""

    NONE = "none"
    HEAD = "head"
    BODY = "body"


class BadRequest(Exception):
    """The request is over a limit; `self._refusal` says which."""


#: status, code and detail of an answer
Refusal = tuple[int, str, str]
MALFORMED: Refusal = (400, "malformed_request", "This is no HTTP/1.1 request.")
TOO_LONG: Refusal = (414, "uri_too_long", f"The address has over {limits.MAX_URL} bytes.")
TOO_MANY_HEADERS: Refusal = (431, "headers_too_large", f"There are over {limits.MAX_HEADER_COUNT} headers.")
HEADER_TOO_LARGE: Refusal = (431, "headers_too_large", f"A header has over {limits.MAX_HEADER} bytes.")
HEADERS_TOO_LARGE: Refusal = (431, "headers_too_large", f"The headers have over {limits.MAX_HEADERS} bytes.")
PIPELINED: Refusal = (400, "malformed_request", f"Over {limits.MAX_PIPELINED} requests wait on this connection.")
HEAD_TOO_SLOW: Refusal = (408, "too_slow", f"The headers were not there within {limits.HEAD_SECONDS:.0f} seconds.")
TOO_MANY_SOCKETS: Refusal = (503, "too_many_sockets", "Other new sockets are served first; connect again later.")
NO_SOCKET_LEFT: Refusal = (503, "too_many_sockets", "The server has all the sockets that it may have; try again later.")
TOO_MANY: Refusal = (503, "too_many_connections", "This address, or all together, have too many connections.")
_TITLES = {
    400: "The request is not valid",
    408: "The request came too slowly",
    414: "The address is too long",
    431: "The headers are too large",
    503: "Not available at the moment",
}
_RETRY_AFTER = 5


class BoundedHttp(HttpToolsProtocol):
    """For a request of ten headers in one packet, the limits cost 20 µs of CPU (69 instead of 47, measured on two cores
    under a twentyfold load; accepting a notification takes 5 to 7 ms)."""

    _phase = Phase.NONE
    _head_bytes = 0
    _header_count = 0
    _waiting_bytes = 0  #: bytes of a head that comes in several packets
    _refusal: Refusal | None = None
    _head_timer: asyncio.TimerHandle | None = None
    _handed_over = False

    # -- the connection --

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(LingeringTransport(transport, self._may_send_more, self.loop))
        within_limit = connections.enter(self._host)
        if not within_limit or (len(self.connections) > limits.max_connections() and not connections.make_room(self)):
            self._refuse(TOO_MANY)
            return
        connections.mark_idle(self)
        self._head_timer = self.loop.call_later(limits.HEAD_SECONDS, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        connections.mark_busy(self)
        if not self._handed_over:
            connections.leave(self._host)
        super().connection_lost(exc)

    def close_idle(self) -> None:
        self.transport.abort()

    def handle_websocket_upgrade(self) -> None:
        if (refusal := self._socket_refusal()) is not None:
            # refused before a socket is set up: 0.15 ms instead of 0.6, which counts when 10,000 clients come together
            self._wrap_without_linger()
            self._refuse(refusal, unverified_sockets.retry_after())
            return
        self._handed_over = True  # the socket's protocol calls connections.leave
        connections.mark_busy(self)
        self._wrap_without_linger()
        super().handle_websocket_upgrade()

    def _socket_refusal(self) -> Refusal | None:
        if BoundedWebSocket.count >= limits.SOCKETS_SHARE * limits.max_connections():
            return NO_SOCKET_LEFT
        return None if unverified_sockets.has_room(self._host) else TOO_MANY_SOCKETS

    def _wrap_without_linger(self) -> None:
        # bytes from a socket's client are never the rest of a request
        self.transport = LingeringTransport(cast("LingeringTransport", self.transport).inner, lambda: False, self.loop)

    @property
    def _host(self) -> str | None:
        return self.client[0] if self.client else None

    def _may_send_more(self) -> bool:
        if self._refusal is TOO_MANY:
            # a reset may cost the client its answer, but reading on would keep a connection that others need
            return len(self.connections) <= limits.max_connections() + limits.SPARE_CONNECTIONS
        return self._phase is not Phase.NONE or self._refusal is not None

    # -- received bytes --

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            cast("LingeringTransport", self.transport).throw_away(len(data))
            return
        in_head = self._phase is Phase.HEAD
        super().data_received(data)
        if self._handed_over:
            return  # the connection is a socket's now, which has no head to wait for
        if self._phase is Phase.HEAD:
            self._still_in_head(len(data) if in_head else 0)
        elif self._phase is Phase.NONE and (self.cycle is None or self.cycle.response_complete):
            self._await_head()  # the bytes began no request, such as an empty line

    def _still_in_head(self, size: int) -> None:
        """Limit a head that is not complete: the parser reports a header only at its end."""
        self._waiting_bytes += size
        if self._waiting_bytes > limits.MAX_HEADERS + limits.MAX_URL and not self.transport.is_closing():
            self._refuse(HEADERS_TOO_LARGE)
        self._await_head()

    def _await_head(self) -> None:
        if self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(limits.HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._await_head()  # the request before it is still being answered
        elif self._phase is Phase.NONE:
            self.transport.close()
        else:
            self._refuse(HEAD_TOO_SLOW)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    # -- the parser's callbacks: uvicorn answers what they raise with `send_400_response` --

    def on_message_begin(self) -> None:
        self._phase = Phase.HEAD
        self._head_bytes = self._header_count = self._waiting_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > limits.MAX_URL:
            self._raise(TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is not Phase.HEAD:
            return  # a trailer is not a header (RFC 9110 §6.5.1), and the request is being answered already
        size = len(name) + len(value)
        self._header_count += 1
        self._head_bytes += size
        if size > limits.MAX_HEADER:
            self._raise(HEADER_TOO_LARGE)
        if self._head_bytes > limits.MAX_HEADERS:
            self._raise(HEADERS_TOO_LARGE)
        if self._header_count > limits.MAX_HEADER_COUNT:
            self._raise(TOO_MANY_HEADERS)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= limits.MAX_PIPELINED:
            self._raise(PIPELINED)
        self._phase = Phase.BODY
        self._stop_head_timer()
        connections.mark_busy(self)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._phase = Phase.NONE
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self._phase is Phase.BODY and not self.pipeline:
            self.transport.close()  # the request was answered before the end of its body
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            connections.mark_idle(self)

    # -- refusing --

    def _raise(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise BadRequest

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or MALFORMED)

    def _refuse(self, refusal: Refusal, retry_after: int = _RETRY_AFTER) -> None:
        """Answer with the refusal and close. A request that is being answered loses its answer."""
        self._refusal = refusal
        self._stop_head_timer()
        if self.cycle is not None and not self.cycle.response_complete:
            begun, self.cycle.disconnected = self.cycle.response_started, True
            self.cycle.message_event.set()
            if begun:
                self.transport.close()
                return
        headers = list(self.server_state.default_headers)
        if refusal[0] == 503:
            headers.append((b"retry-after", b"%d" % retry_after))
        self.transport.write(_answer(*refusal, headers))
        self.transport.close()


def _answer(status: int, code: str, detail: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    document: dict[str, Any] = {
        "type": f"urn:notifier:problem:{code}",
        "title": _TITLES[status],
        "status": status,
        "detail": detail,
        "code": code,
        "field": None,
    }
    content = orjson.dumps(document)
    lines = [STATUS_LINE[status], *(b"%b: %b\r\n" % header for header in headers)]
    lines += [b"content-type: application/problem+json\r\n", b"content-length: %d\r\n" % len(content)]
    lines += [b"connection: close\r\n\r\n", content]
    return b"".join(lines)
