"""Their half: what a header block says, and an answer while it arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from types import MappingProxyType
from typing import Any

from hpack import Decoder, HPACKError

from notifier.transport.h2.frames import COMPRESSION_ERROR, FLOW_CONTROL_ERROR, PROTOCOL_ERROR, Fault
from notifier.vocabulary.http import Response

BODY_CAP = 64 * 1024
STREAM_WINDOW = 1024 * 1024  #: of one answer; larger than BODY_CAP
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


def heads_alike(data: bytes, at: int, stop: int, waiting: dict[int, Any], reading: dict[int, Any]) -> int:
    """How many HEADERS frames from `at` on differ from the first, which ends at `stop`, in their stream alone. Plain
    ones, they move from `waiting` to `reading`. Servers write what they have for many streams one kind at a time."""
    shape, first, block, count = _shape(stop - at - 9, True), data[at : at + 5], data[at + 9 : stop], 0
    whole = (len(data) - at) // shape.size * shape.size
    for start, stream, rest in shape.iter_unpack(memoryview(data)[at : at + whole]):
        if start != first or rest != block or type(entry := waiting.get(stream)) is not tuple:
            break
        del waiting[stream]
        reading[stream] = entry
        count += 1
    return count


def bodies_alike(data: bytes, at: int, stop: int, reading: dict[int, Any], done: list[tuple[Any, Any]]) -> int:
    """How many DATA frames from `at` on are as long as the first, which ends at `stop`, and end a plain answer."""
    shape, first, before = _shape(stop - at - 9, False), data[at : at + 5], len(done)
    whole = (len(data) - at) // shape.size * shape.size
    for start, stream in shape.iter_unpack(memoryview(data)[at : at + whole]):
        if start != first or type(entry := reading.get(stream)) is not tuple:
            break
        del reading[stream]
        done.append((entry, 200))
    return len(done) - before


@lru_cache(maxsize=256)
def _shape(size: int, kept: bool) -> Struct:
    """A frame: length, type and flags; stream; the payload, where it is `kept`."""
    return Struct(f">5sL{size}{'s' if kept else 'x'}")


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

    def credit(self, size: int) -> int:
        """How many bytes to give back to the stream's window after `size` more."""
        self.unread += size
        if self.unread > STREAM_WINDOW:
            raise Fault(FLOW_CONTROL_ERROR, "a stream's window exceeded")
        if self.unread <= STREAM_WINDOW // 2:
            return 0
        more, self.unread = self.unread, 0
        return more

    def answer(self) -> int | Response:
        if self.status == 200 and not self.whole:
            return 200
        return Response(self.status, self.headers, b"".join(self.chunks)[:BODY_CAP])


Entry = Slot | Reply


def slot_of(entry: Entry) -> Slot:
    return entry.slot if isinstance(entry, Reply) else entry
