"""The headers that many requests share: checked once, and encoded once for each size of body and path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from hpack import Encoder, NeverIndexedHeaderTuple

from notifier.transport.h2.protocol.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEAD_SIZE,
    HEADERS,
    MAX_FRAME,
    frame_head,
)
from notifier.transport.h2.protocol.literals import BySize, length_literal
from notifier.vocabulary.http import RequestTemplate, TransportError

METHOD = re.compile(r"[A-Z]{1,20}")
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
VALUE = re.compile(r"[\t -~\x80-\xff]*")
PATH = re.compile(rb"/[!-~]*")
ORIGIN = re.compile(r"https://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")

#: they belong to one connection, not to one request (RFC 9113 §8.2.2); `host` is :authority, we write content-length
FORBIDDEN = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "host"})
LONGEST_OWN = 8_192  #: bytes of the path and the values of own headers of one request
LONGEST_BLOCK = MAX_FRAME - LONGEST_OWN - 32  #: we send no CONTINUATION
OWN_NAME = 8  #: bytes that a field of its own takes beside name and value, at most
BAD_PATH = "the path is too long or holds a character that a URL cannot"


class Unsendable(ValueError):
    """The request can never be sent. The text holds no header value."""

    def as_answer(self) -> TransportError:
        return TransportError(False, f"cannot be sent: {self}")


def end_of_block(size: int, *, sized: bool) -> bytes:
    """The end of a header block without own headers, and the head of the DATA frame, for a body of `size` bytes."""
    return (length_literal(size) if sized or size else b"") + frame_head(DATA, END_STREAM, size)


class HeaderBlock:
    """What the header blocks of many requests share. A block is: the own path, this, the own headers, content-length
    (the pseudo-headers come first, RFC 9113 §8.3). So it is encoded once, whatever each request has for itself."""

    __slots__ = ("_update", "constant", "own_heads", "parts")

    def __init__(self, constant: bytes, update: bytes = b"") -> None:
        self.constant = constant
        self._update = update  #: of the header table's size: comes first, in one block only
        #: body size -> the head of HEADERS; the whole block and the head of DATA
        self.parts = BySize(self._parts)
        #: bytes of a request's own parts (OwnParts.sizes) -> the head of HEADERS
        self.own_heads = BySize(lambda own: frame_head(HEADERS, END_HEADERS, len(constant) + own - HEAD_SIZE))

    def encode(self, start: bytes, end: bytes) -> bytes:
        """The block of one request. `end`: with the head of its DATA frame."""
        return self._update + start + self.constant + end[:-HEAD_SIZE]

    def _parts(self, size: int) -> tuple[bytes, bytes]:
        block = self.constant + end_of_block(size, sized=True)
        return frame_head(HEADERS, END_HEADERS, len(block) - HEAD_SIZE), block


class EncodedTemplate:
    """A RequestTemplate, checked and encoded. Compared by identity: `encode_template` gives one for equal templates."""

    def __init__(self, template: RequestTemplate, varies: bool) -> None:
        self.template = template
        self.fields = _fields(template, varies)
        self.sized = template.method in ("POST", "PUT", "PATCH")
        self.own_names = _own_names(template)
        never = [NeverIndexedHeaderTuple(name, value) for name, value in self.fields]
        constant = Encoder().encode(never, huffman=False)
        if len(constant) + sum(len(name) + OWN_NAME for name in self.own_names) > LONGEST_BLOCK:
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
    given = {name for name, _ in template.headers}.union(template.own_headers)
    if "user-agent" not in given:
        fields.append(("user-agent", "notifier"))
    for name, value in template.headers:
        _check_name(name)
        if not VALUE.fullmatch(value):
            raise Unsendable(f"the header {name[:40]} holds a character that HTTP forbids")
        if name != "content-length":
            fields.append((name, value.strip(" \t")))
    return [(name.encode(), value.encode("latin-1")) for name, value in fields]


def _own_names(template: RequestTemplate) -> tuple[bytes, ...]:
    for name in template.own_headers:
        _check_name(name)
        if name == "content-length":
            raise Unsendable("content-length is no header of a request's own")
    return tuple(name.encode() for name in template.own_headers)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or name in FORBIDDEN:
        raise Unsendable(f"a header name that HTTP/2 forbids: {name[:40]!r}")


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
    return len(path) <= LONGEST_OWN and PATH.fullmatch(path) is not None


def checked_path(path: bytes) -> bytes:
    if not is_sendable_path(path):
        raise Unsendable(BAD_PATH)
    return path
