"""What many requests share: checked once, its header block encoded once, cut to fit each body by its size alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from hpack import Encoder, NeverIndexedHeaderTuple

from notifier.transport.h2.frames import DATA, END_HEADERS, END_STREAM, FRAME, HEADERS, frame_head
from notifier.vocabulary.http import RequestTemplate, TransportError

METHOD = re.compile(r"[A-Z]{1,20}")
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
VALUE = re.compile(r"[\t -~\x80-\xff]*")
PATH = re.compile(rb"/[!-~]*")
ORIGIN = re.compile(r"https://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")

#: they belong to one connection, not to one request (RFC 9113 §8.2.2); `host` is :authority, content-length is ours
FORBIDDEN = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "host"})
OURS = frozenset({"content-length", "user-agent"})
LONGEST_PATH = 8_192
LONGEST_BLOCK = FRAME - LONGEST_PATH - 32  #: we send no CONTINUATION
SIZES_KEPT = 4_096
BAD_PATH = "the path is too long or holds a character that a URL cannot"

K = TypeVar("K")
V = TypeVar("V")


class Unsendable(ValueError):
    """The request can never leave. The text holds no value of a header."""


def refusal(error: Unsendable) -> TransportError:
    return TransportError(False, f"cannot be sent: {error}")


class HeaderBlock:
    """A header block without content-length, and without :path where that varies. Its frames depend on sizes only."""

    __slots__ = ("_by_paths", "_by_sizes", "_constant", "_update")

    def __init__(self, constant: bytes, update: bytes = b"") -> None:
        self._constant = constant
        self._update = update  #: of the table's size: comes first, in one block only
        self._by_sizes: dict[int, tuple[bytes, bytes]] = {}
        self._by_paths: dict[tuple[int, int], tuple[bytes, bytes, bytes]] = {}

    def whole(self, path: bytes | None, size: int | None) -> bytes:
        """The block of one request. `size` None: a request that has no body by its nature."""
        start = b"" if path is None else path_start(len(path)) + path
        return self._update + start + self._constant + (b"" if size is None else length_literal(size))

    def around(self, size: int) -> tuple[bytes, bytes]:
        """HEADERS and DATA of one request are: first, stream, second, stream, body."""
        found = self._by_sizes.get(size)
        if found is None:
            block = self.whole(None, size)
            found = frame_head(HEADERS, END_HEADERS, len(block)), block + frame_head(DATA, END_STREAM, size)
            _keep(self._by_sizes, size, found)
        return found

    def around_path(self, path: int, size: int) -> tuple[bytes, bytes, bytes]:
        """HEADERS and DATA of one request are: first, stream, second, path, third, stream, body."""
        found = self._by_paths.get((path, size))
        if found is None:
            start, rest = path_start(path), self.whole(None, size)
            first = frame_head(HEADERS, END_HEADERS, len(start) + path + len(rest))
            found = first, start, rest + frame_head(DATA, END_STREAM, size)
            _keep(self._by_paths, (path, size), found)
        return found


class EncodedTemplate:
    """A Head, checked and encoded. Compared by identity: `template()` gives one for equal heads."""

    def __init__(self, head: RequestTemplate, varies: bool) -> None:
        self.head = head
        self.fields = _fields(head, varies)
        self.sized = head.method in ("POST", "PUT", "PATCH")
        never = [NeverIndexedHeaderTuple(name, value) for name, value in self.fields]
        constant = Encoder().encode(never, huffman=False)
        if len(constant) > LONGEST_BLOCK:
            raise Unsendable("the headers are too large")
        #: what it takes of a header table (RFC 7541 §4.1), nearly: method and scheme are in the static one
        self.table_size = sum(len(name) + len(value) + 32 for name, value in self.fields[2:])
        #: literals only, so it fits any connection at any time
        self.plain = HeaderBlock(constant)


@lru_cache(maxsize=512)
def encoded(head: RequestTemplate, varies: bool) -> EncodedTemplate:
    """`varies`: each request brings its own path. Raises Unsendable."""
    return EncodedTemplate(head, varies)


def _fields(head: RequestTemplate, varies: bool) -> list[tuple[bytes, bytes]]:
    if not METHOD.fullmatch(head.method) or head.method == "CONNECT":
        raise Unsendable("not a method")
    place = endpoint_of(head.origin)
    authority = place.host if place.port == 443 else f"{place.host}:{place.port}"
    fields = [(":method", head.method), (":scheme", "https"), (":authority", authority)]
    if not varies:
        fields.append((":path", checked_path(head.path.encode("ascii", "replace")).decode()))
    given = {name for name, _ in head.headers}
    if "user-agent" not in given:
        fields.append(("user-agent", "notifier"))
    for name, value in head.headers:
        if not NAME.fullmatch(name) or name in FORBIDDEN:
            raise Unsendable(f"a header name that HTTP/2 forbids: {name[:40]!r}")
        if not VALUE.fullmatch(value):
            raise Unsendable(f"the header {name[:40]} holds a character that HTTP forbids")
        if name != "content-length":
            fields.append((name, value.strip(" \t")))
    return [(name.encode(), value.encode("latin-1")) for name, value in fields]


@dataclass(frozen=True)
class Endpoint:
    host: str
    port: int


@lru_cache(maxsize=4096)
def endpoint_of(origin: str) -> Endpoint:
    """Host and port of https://host[:port]. Raises Unsendable."""
    match = ORIGIN.fullmatch(origin)
    port = int(match[2] or 443) if match else 0
    if not match or not 0 < port < 65_536:
        raise Unsendable("not an https origin")
    return Endpoint(match[1].lower(), port)


def split(url: str) -> tuple[str, bytes]:
    """Origin and path of a URL. Raises Unsendable for a path that cannot be; `template` judges the origin."""
    scheme, _, rest = url.partition("://")
    cut = min((at for at in (rest.find(mark) for mark in "/?#") if at >= 0), default=len(rest))
    path = rest[cut:].partition("#")[0]
    whole = path if path.startswith("/") else "/" + path
    return f"{scheme}://{rest[:cut]}", checked_path(whole.encode("utf-8", "replace"))


def sendable_path(path: bytes) -> bool:
    return len(path) <= LONGEST_PATH and PATH.fullmatch(path) is not None


def checked_path(path: bytes) -> bytes:
    if not sendable_path(path):
        raise Unsendable(BAD_PATH)
    return path


def path_start(size: int) -> bytes:
    """A literal :path without indexing (RFC 7541 §6.2.2, static name 4), up to its value of `size` bytes."""
    return b"\x04" + _integer(size)


def length_literal(size: int) -> bytes:
    """A literal content-length without indexing (static name 28)."""
    digits = b"%d" % size
    return b"\x0f\x0d" + _integer(len(digits)) + digits


def _integer(value: int) -> bytes:
    """An integer with a 7-bit prefix (RFC 7541 §5.1)."""
    if value < 127:
        return bytes((value,))
    out, value = bytearray(b"\x7f"), value - 127
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def _keep(cache: dict[K, V], key: K, value: V) -> None:
    if len(cache) >= SIZES_KEPT:
        cache.clear()
    cache[key] = value
