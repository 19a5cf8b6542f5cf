"""One reusable libcurl easy handle: it takes a request and yields the answer.

libcurl silently repeats a request when a reused connection dies before the first byte of the answer, POSTs included
(`Curl_retry_request`). A message would then arrive twice and we would not know. So the pre-request callback, which runs
right before libcurl writes a request, admits the first attempt and aborts a second one. The callback also shows exactly
whether anything was written; no error code does.

A stream that the server refused unprocessed (REFUSED_STREAM, or above GOAWAY's last id) looks like a lost connection,
except in libcurl's verbose log. The log costs 14 µs a message, so it is on only while the gate is careful: from the
server's first refusal until its allowance is whole again. Streams refused before that are in doubt.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pycurl

from notifier.transport import egress
from notifier.transport.curl.gate import Gate
from notifier.vocabulary.http import LARGEST_ANSWER, Request, Response, TransportError

BODY_CAP = LARGEST_ANSWER
CONNECT_TIMEOUT = 5.0
_NO_CONNECTION = frozenset(
    {
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
    }
)


class Headers(Mapping[str, str]):
    """The headers of one answer, parsed on first use: the answer to an accepted message is never looked at."""

    __slots__ = ("_lines", "_read")

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self._read: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, str]:
        """Lower-case names; repeated ones joined by commas (RFC 9110 §5.3)."""
        if self._read is None:
            self._read = {}
            for line in self._lines:
                name, colon, value = line.decode("latin-1").partition(":")
                if colon:
                    name, value = name.lower(), value.strip()
                    self._read[name] = f"{self._read[name]}, {value}" if name in self._read else value
        return self._read


class Authorities(NamedTuple):
    """The CAs that a client trusts. `own`: among them our own, whose servers may be internal (the sandbox)."""

    cafile: str | None
    capath: str | None
    own: bool


def _open_socket(_purpose: int, address: Any) -> Any:
    """A socket for a connection to an address that connections may go to. libcurl has resolved the name."""
    if egress.is_refused(address.addr[0]):
        return pycurl.SOCKET_BAD
    return socket.socket(address.family, address.socktype, address.protocol)


class Transfer:
    """A pooled handle. `prepare` sets headers and URL only when they differ from the last request's."""

    __slots__ = (
        "_chunks",
        "_gate",
        "_headers",
        "_lines",
        "_method",
        "_size",
        "_timeout",
        "_url",
        "_verbose",
        "begun",
        "curl",
        "owner",
        "port",
        "refused",
    )

    def __init__(self, authorities: Authorities) -> None:
        self.owner: Any = None  #: queues.RequestOwner, while in flight
        self.begun = self.refused = False
        self._verbose = False  #: libcurl's verbose log is on
        self.port = 0  #: our port of the connection that carries the request
        self._gate = Gate(1)
        self._url = self._method = ""
        self._headers: tuple[tuple[str, str], ...] | None = None
        self._timeout = 0.0
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self.curl = self._handle(authorities)
        self.curl.transfer = self

    def _handle(self, authorities: Authorities) -> Any:
        curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, "")  # an empty name also stops libcurl from reading the environment
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.PIPEWAIT, 1)
        curl.setopt(pycurl.TCP_NODELAY, 1)
        curl.setopt(pycurl.USERAGENT, "notifier")
        curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        curl.setopt(pycurl.WRITEFUNCTION, self._on_body)
        curl.setopt(pycurl.PREREQFUNCTION, self._on_request)
        curl.setopt(pycurl.DEBUGFUNCTION, self._on_log)
        if authorities.cafile:
            curl.setopt(pycurl.CAINFO, authorities.cafile)
        if authorities.capath:
            curl.setopt(pycurl.CAPATH, authorities.capath)
        if not authorities.own:
            curl.setopt(pycurl.OPENSOCKETFUNCTION, _open_socket)
        return curl

    def prepare(self, request: Request, gate: Gate) -> None:
        """Make the handle ready to send `request` once `gate` admits it. Raises ValueError or pycurl.error."""
        curl = self.curl
        if request.url != self._url:
            self._url = ""
            curl.setopt(pycurl.URL, request.url)
            self._url = request.url
        if request.headers is not self._headers and request.headers != self._headers:
            self._headers = None
            curl.setopt(pycurl.HTTPHEADER, _header_lines(request.headers))
            self._headers = request.headers
        if request.timeout != self._timeout:
            curl.setopt(pycurl.TIMEOUT_MS, max(1, int(request.timeout * 1000)))
            curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(min(CONNECT_TIMEOUT, request.timeout) * 1000)))
            self._timeout = request.timeout
        if gate.careful is not self._verbose:
            curl.setopt(pycurl.VERBOSE, int(gate.careful))
            self._verbose = gate.careful
        self._set_method(request)
        self._lines.clear()
        self._chunks.clear()
        self._size, self._gate = 0, gate
        self.begun = self.refused = False

    def _set_method(self, request: Request) -> None:
        curl, method = self.curl, request.method
        if method == "GET":
            if self._method != method:
                curl.setopt(pycurl.HTTPGET, 1)
        else:
            curl.setopt(pycurl.POSTFIELDS, request.body)  # also makes it a POST
        if self._method != method:
            if method in ("GET", "POST"):
                curl.unsetopt(pycurl.CUSTOMREQUEST)
            else:
                curl.setopt(pycurl.CUSTOMREQUEST, method)
            self._method = method

    # -- libcurl calls these --

    def _on_request(self, _remote: str, _local: str, _remote_port: int, our_port: int) -> int:
        if self.begun or not self._gate.admits(our_port):
            return int(pycurl.PREREQFUNC_ABORT)
        self.begun, self.port = True, our_port
        return int(pycurl.PREREQFUNC_OK)

    def _on_log(self, kind: int, line: bytes) -> None:
        """One line of libcurl's log matters. The log also holds headers and bodies, so nothing of it is kept."""
        if kind == pycurl.INFOTYPE_TEXT and line.startswith(b"HTTP/2 stream ") and b" refused by server" in line:
            self.refused = True

    def _on_body(self, chunk: bytes) -> None:
        if self._size < BODY_CAP:
            self._chunks.append(chunk)
            self._size += len(chunk)

    # -- the result --

    def response(self) -> Response:
        status, first = _status(self._lines)
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        return Response(status, Headers(self._lines[first:]), body[:BODY_CAP])

    def held_back(self, code: int) -> bool:
        """The gate did not admit the request yet."""
        return code == pycurl.E_ABORTED_BY_CALLBACK and not self.begun

    def error(self, code: int, text: str) -> TransportError:
        """The failure. The request is in doubt from the moment that libcurl was about to write it."""
        if self.refused and not self._lines:
            return TransportError(False, "the server refused the stream")
        if code == pycurl.E_ABORTED_BY_CALLBACK:
            return TransportError(True, "the connection or stream ended before an answer came")
        unreachable = not self.begun and code in _NO_CONNECTION
        return TransportError(self.begun, f"{text or 'transfer failed'} (curl {code})"[:200], unreachable=unreachable)


def _header_lines(headers: tuple[tuple[str, str], ...]) -> list[bytes]:
    lines = ["accept:", *(f"{name}: {value}" if value else f"{name};" for name, value in headers)]
    if any(c in line for line in lines for c in "\r\n\0"):
        raise ValueError("a header holds a line break")
    return [line.encode("latin-1") for line in lines]


def _status(lines: list[bytes]) -> tuple[int, int]:
    """Status of the final answer, and the index of its first header line (interim 1xx answers come before it)."""
    status, first = int(lines[0].split(None, 2)[1]), 1
    if status >= 200:
        return status, first
    for at, line in enumerate(lines):
        if line.startswith(b"HTTP/"):
            status, first = int(line.split(None, 2)[1]), at + 1
    return status, first
