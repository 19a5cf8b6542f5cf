"""A small HTTP/1.1 client for the calls of the fake services: POST over kept connections, TLS by the standard library.

It follows no redirect and reads no environment variable, so a call reaches the named origin or nothing.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 1024 * 1024  #: bytes of an answer that are read; a larger one ends its connection
KEPT = 16  #: idle connections of one origin
_UNSAFE = re.compile(r"[^\x21-\x7e]")  # a line break in a target or in a header would begin another request
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Origin(NamedTuple):
    """Where a server listens."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Origin:
        """Raises ValueError for anything but an http or https URL with a host."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError("an http or https URL is required, without a user name")
        return cls(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class HttpPost:
    """`post` sends one request and returns the status of its answer."""

    def __init__(self) -> None:
        self._idle: defaultdict[Origin, list[Connection]] = defaultdict(list)
        self._tls: ssl.SSLContext | None = None

    async def post(self, at: Origin, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status. `url`: what the request names; `at`: where the server of that URL listens. Raises OSError or
        ValueError when no answer came."""
        if at.scheme != urlsplit(url).scheme:
            headers = {**headers, "x-forwarded-proto": "https"}  # the call goes past the site's TLS proxy
        request = _encode(url, headers, body)
        while self._idle[at]:
            try:
                return await self._exchange(at, self._idle[at].pop(), request)
            except (OSError, ValueError, asyncio.IncompleteReadError):
                continue  # the server ended this connection while the connection was idle
        try:
            return await self._exchange(at, await self._connect(at), request)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the connection ended before an answer") from error

    async def _connect(self, at: Origin) -> Connection:
        if at.scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        tls = self._tls if at.scheme == "https" else None
        return await asyncio.open_connection(at.host, at.port, ssl=tls, limit=LARGEST_HEAD)

    async def _exchange(self, at: Origin, connection: Connection, request: bytes) -> int:
        reader, writer = connection
        keep = False
        try:
            writer.write(request)
            status, headers = _parse_head(await reader.readuntil(b"\r\n\r\n"))
            keep = await _skip_body(reader, status, headers)
            return status
        except asyncio.LimitOverrunError as error:
            raise ValueError("the head of the answer is too large") from error
        finally:
            if keep and len(self._idle[at]) < KEPT:
                self._idle[at].append(connection)
            else:
                writer.close()


def _encode(url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    if _UNSAFE.search(target) or _UNSAFE.search(parts.netloc):
        raise ValueError("the URL holds a character that must be percent-encoded")
    lines = [f"POST {target} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _UNSAFE.search(value.replace(" ", "")):
            raise ValueError("a header holds a character that HTTP does not allow")
        if name.lower() not in ("host", "content-length", "connection", "transfer-encoding"):
            lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, status = first.partition(" ")
    if not version.startswith("HTTP/1.") or not status[:3].isdigit():
        raise ValueError("no HTTP answer")
    pairs = (line.partition(":") for line in lines if line)
    return int(status[:3]), {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _skip_body(reader: asyncio.StreamReader, status: int, headers: Mapping[str, str]) -> bool:
    """Read the body away. Returns whether the connection can carry another request."""
    if status < 200 or headers.get("connection", "").lower() == "close":
        return False
    length = headers.get("content-length", "0" if status in (204, 304) else "")
    if not length.isdigit() or int(length) > LARGEST_BODY:
        return False  # chunked or endless: the status is known, and a new connection costs less than a parser
    await reader.readexactly(int(length))
    return True
