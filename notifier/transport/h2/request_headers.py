"""The headers that many requests share: checked once, and encoded once for each size of body and path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from hpack import Encoder, NeverIndexedHeaderTuple

from notifier.transport.h2.frames import DATA, END_HEADERS, END_STREAM, HEADERS, MAX_FRAME, frame_head
from notifier.vocabulary.http import RequestTemplate, TransportError

METHOD = re.compile(r"[A-Z]{1,20}")
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
VALUE = re.compile(r"[\t -~\x80-\xff]*")
PATH = re.compile(rb"/[!-~]*")
ORIGIN = re.compile(r"https://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")

#: they belong to one connection, not to one request (RFC 9113 §8.2.2); `host` is :authority, we write content-length
FORBIDDEN = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "host"})
LONGEST_PATH = 8_192
LONGEST_BLOCK = MAX_FRAME - LONGEST_PATH - 32  #: we send no CONTINUATION
SIZES_KEPT = 4_096
BAD_PATH = "the path is too long or holds a character that a URL cannot"

K = TypeVar("K")
V = TypeVar("V")


class Unsendable(ValueError):
    """The request can never be sent. The text holds no header value."""

    def as_answer(self) -> TransportError:
        return TransportError(False, f"cannot be sent: {self}")


class HeaderBlock:
    """A header block without content-length, and without :path where paths vary. Its frames depend on sizes only."""

    __slots__ = ("_by_paths", "_by_sizes", "_constant", "_update")

    def __init__(self, constant: bytes, update: bytes = b"") -> None:
        self._constant = constant
        self._update = update  #: of the header table's size: comes first, in one block only
        self._by_sizes: dict[int, tuple[bytes, bytes]] = {}
        self._by_paths: dict[tuple[int, int], tuple[bytes, bytes, bytes]] = {}

    def encode(self, path: bytes | None, size: int | None) -> bytes:
        """The block of one request. `size` None: a request whose method has no body."""
        start = b"" if path is None else path_start(len(path)) + path
        return self._update + start + self._constant + (b"" if size is None else length_literal(size))

    def frame_parts(self, size: int) -> tuple[bytes, bytes]:
        """HEADERS and DATA of one request are: first, stream, second, stream, body."""
        parts = self._by_sizes.get(size)
        if parts is None:
            block = self.encode(None, size)
            parts = frame_head(HEADERS, END_HEADERS, len(block)), block + frame_head(DATA, END_STREAM, size)
            _keep(self._by_sizes, size, parts)
        return parts

    def frame_parts_with_path(self, path: int, size: int) -> tuple[bytes, bytes, bytes]:
        """HEADERS and DATA of one request are: first, stream, second, path, third, stream, body."""
        parts = self._by_paths.get((path, size))
        if parts is None:
            start, end = path_start(path), self.encode(None, size)
            first = frame_head(HEADERS, END_HEADERS, len(start) + path + len(end))
            parts = first, start, end + frame_head(DATA, END_STREAM, size)
            _keep(self._by_paths, (path, size), parts)
        return parts


class EncodedTemplate:
    """A RequestTemplate, checked and encoded. Compared by identity: `encode_template` gives one for equal templates."""

    def __init__(self, template: RequestTemplate, varies: bool) -> None:
        self.template = template
        self.fields = _fields(template, varies)
        self.sized = template.method in ("POST", "PUT", "PATCH")
        never = [NeverIndexedHeaderTuple(name, value) for name, value in self.fields]
        constant = Encoder().encode(never, huffman=False)
        if len(constant) > LONGEST_BLOCK:
            raise Unsendable("the headers are too large")
        #: bytes that it takes of a header table (RFC 7541 §4.1), nearly: method and scheme are in the static table
        self.table_size = sum(len(name) + len(value) + 32 for name, value in self.fields[2:])
        #: literals only, so it fits any connection at any time
        self.plain = HeaderBlock(constant)


@lru_cache(maxsize=512)
def encode_template(template: RequestTemplate, varies: bool) -> EncodedTemplate:
    """`varies`: each request has its own path. Raises Unsendable."""
    return EncodedTemplate(template, varies)


def _fields(template: RequestTemplate, varies: bool) -> list[tuple[bytes, bytes]]:
    if not METHOD.fullmatch(template.method) or template.method == "CONNECT":
        raise Unsendable("not a method")
    endpoint = parse_endpoint(template.origin)
    authority = endpoint.host if endpoint.port == 443 else f"{endpoint.host}:{endpoint.port}"
    fields = [(":method", template.method), (":scheme", "https"), (":authority", authority)]
    if not varies:
        fields.append((":path", checked_path(template.path.encode("ascii", "replace")).decode()))
    given = {name for name, _ in template.headers}
    if "user-agent" not in given:
        fields.append(("user-agent", "notifier"))
    for name, value in template.headers:
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
def parse_endpoint(origin: str) -> Endpoint:
    """Host and port of https://host[:port]. Raises Unsendable."""
    match = ORIGIN.fullmatch(origin)
    port = int(match[2] or 443) if match else 0
    if not match or not 0 < port < 65_536:
        raise Unsendable("not an https origin")
    return Endpoint(match[1].lower(), port)


def split_url(url: str) -> tuple[str, bytes]:
    """Origin and path of a URL. Raises Unsendable for a forbidden path; `encode_template` checks the origin."""
    scheme, _, after = url.partition("://")
    end = min((at for at in (after.find(mark) for mark in "/?#") if at >= 0), default=len(after))
    path = after[end:].partition("#")[0]
    whole = path if path.startswith("/") else "/" + path
    return f"{scheme}://{after[:end]}", checked_path(whole.encode("utf-8", "replace"))


def is_sendable_path(path: bytes) -> bool:
    return len(path) <= LONGEST_PATH and PATH.fullmatch(path) is not None


def checked_path(path: bytes) -> bytes:
    if not is_sendable_path(path):
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
