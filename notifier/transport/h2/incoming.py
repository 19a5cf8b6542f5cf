"""Their half: what a header block says, and an answer while it arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from types import MappingProxyType
from typing import Any

from hpack import Decoder, HPACKError

from notifier.transport.h2.frames import COMPRESSION_ERROR, DATA, END_STREAM, HEAD, PROTOCOL_ERROR, Fault
from notifier.vocabulary import Response

BODY_CAP = 64 * 1024
LIST_CAP = 64 * 1024  #: of decoded headers, counted as RFC 7541 §4.1 does
BLOCKS_KEPT = 64
STATUS = re.compile(rb"[1-5][0-9][0-9]")
UPPER = re.compile(rb"[A-Z]")

Read = tuple[int, Mapping[str, str]]
Slot = tuple[Any, int, float]  #: whose, index, deadline


class Blocks:
    """Header blocks decoded without a table (we announce size 0), so a block always means the same and is kept.

    hpack needs 15-30 µs a block; a server repeats the same block until its clock's second ends.
    """

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=LIST_CAP)
        self._decoder.header_table_size = 0
        self._decoder.max_allowed_table_size = 0
        self._known: dict[bytes, Read] = {}

    def read(self, block: bytes) -> Read:
        """Status (0 for trailers) and headers. Raises Fault: a block of another form ends the connection."""
        found = self._known.get(block)
        if found is None:
            try:
                pairs = [(name, value) for name, value in self._decoder.decode(block, raw=True)]
            except (HPACKError, IndexError) as error:
                raise Fault(COMPRESSION_ERROR, f"header block: {type(error).__name__}") from error
            found = _sound(pairs)
            if len(self._known) >= BLOCKS_KEPT:
                self._known.clear()
            self._known[block] = found
        return found


def _sound(pairs: list[tuple[bytes, bytes]]) -> Read:
    """Rules of RFC 9113 §8.2-8.3; repeated headers joined by commas (RFC 9110 §5.3)."""
    status, headers = 0, dict[str, str]()
    for at, (name, value) in enumerate(pairs):
        if name == b":status" and at == 0 and STATUS.fullmatch(value):
            status = int(value)
        elif not name or name.startswith(b":") or UPPER.search(name):
            raise Fault(PROTOCOL_ERROR, "malformed header name")
        else:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return status, MappingProxyType(headers)


def answers_alike(
    data: bytes, at: int, body: int, waiting: dict[int, Any], done: list[tuple[Any, Any]]
) -> tuple[int, int, int] | None:
    """Plain 200s from `at` on that differ from the first in their stream alone, each of HEADERS (the first's end at
    `body`) and one DATA frame: moved from `waiting` to `done`. How many, their bodies' bytes, and where they end."""
    if len(data) - body < 9:
        return None
    high, low, what, _ = HEAD.unpack_from(data, body)
    size = high << 8 | low
    if what != DATA << 8 | END_STREAM:
        return None
    shape, head, middle, before = _shape(body - at, size), data[at : at + 5], data[at + 9 : body + 5], len(done)
    whole = (len(data) - at) // shape.size * shape.size
    for first, stream, rest, again in shape.iter_unpack(memoryview(data)[at : at + whole]):
        if first != head or rest != middle or stream != again or type(entry := waiting.get(stream)) is not tuple:
            break
        del waiting[stream]
        done.append((entry, 200))
    count = len(done) - before
    return (count, count * size, at + count * shape.size) if count else None


@lru_cache(maxsize=256)
def _shape(headers: int, body: int) -> Struct:
    """A HEADERS frame of so many bytes and a DATA frame with so large a body: five bytes, stream, the rest of HEADERS
    with five bytes more, stream; the body is passed over."""
    return Struct(f">5sL{headers - 9 + 5}sL{body}x")


class Reply:
    """An answer that needs more than its status: a request of exchange(), or anything unusual."""

    __slots__ = ("chunks", "headers", "size", "slot", "status", "unread", "whole")

    def __init__(self, slot: Slot, whole: bool) -> None:
        self.slot = slot
        self.whole = whole  #: a plain 200 must be told in full, too
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.chunks: list[bytes] = []
        self.size = 0
        self.unread = 0  #: bytes not yet given back to the peer's window

    def add(self, chunk: bytes) -> None:
        if chunk and self.size < BODY_CAP:
            self.chunks.append(chunk)
        self.size += len(chunk)

    def answer(self) -> int | Response:
        if self.status == 200 and not self.whole:
            return 200
        return Response(self.status, self.headers, b"".join(self.chunks)[:BODY_CAP])


Entry = Slot | Reply


def slot_of(entry: Entry) -> Slot:
    return entry.slot if isinstance(entry, Reply) else entry
