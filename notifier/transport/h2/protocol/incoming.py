"""The server's half of a connection: decoded header blocks, and an answer while it arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from types import MappingProxyType
from typing import Any

from hpack import Decoder, HPACKError

from notifier.transport.h2.protocol.frames import COMPRESSION_ERROR, FLOW_CONTROL_ERROR, PROTOCOL_ERROR, ProtocolError
from notifier.vocabulary.http import LARGEST_ANSWER, Response

BODY_CAP = LARGEST_ANSWER
STREAM_WINDOW = 1024 * 1024  #: for one answer; larger than BODY_CAP
LIST_CAP = 64 * 1024  #: of decoded headers, counted as RFC 7541 §4.1 does
BLOCKS_KEPT = 64  #: decoded header blocks
STATUS = re.compile(rb"[1-5][0-9][0-9]")
UPPER_CASE = re.compile(rb"[A-Z]")

HeaderFields = tuple[int, Mapping[str, str]]
Slot = tuple[Any, int, float]  #: the request's BatchCursor, its index, its deadline


class HeaderDecoder:
    """Decodes header blocks without a table (we announce size 0), so equal blocks mean the same and are cached.

    hpack needs 15-30 µs a block; a server repeats the same block until the second in its `date` header changes.
    """

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=LIST_CAP)
        self._decoder.header_table_size = 0
        self._decoder.max_allowed_table_size = 0
        self._known: dict[bytes, HeaderFields] = {}

    def read(self, block: bytes) -> HeaderFields:
        """Status (0 for trailers) and headers. Raises ProtocolError for a malformed block."""
        fields = self._known.get(block)
        if fields is None:
            try:
                pairs = [(name, value) for name, value in self._decoder.decode(block, raw=True)]
            except (HPACKError, IndexError) as error:
                raise ProtocolError(COMPRESSION_ERROR, f"header block: {type(error).__name__}") from error
            fields = _checked_fields(pairs)
            if len(self._known) >= BLOCKS_KEPT:
                self._known.clear()
            self._known[block] = fields
        return fields


def _checked_fields(pairs: list[tuple[bytes, bytes]]) -> HeaderFields:
    """Checked by RFC 9113 §8.2-8.3; repeated headers are joined by commas (RFC 9110 §5.3)."""
    status, headers = 0, dict[str, str]()
    for at, (name, value) in enumerate(pairs):
        if name == b":status" and at == 0 and STATUS.fullmatch(value):
            status = int(value)
        elif not name or name.startswith(b":") or UPPER_CASE.search(name):
            raise ProtocolError(PROTOCOL_ERROR, "malformed header name")
        else:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return status, MappingProxyType(headers)


def take_equal_headers(data: bytes, at: int, stop: int, waiting: dict[int, Any], reading: dict[int, Any]) -> int:
    """Count the HEADERS frames from `at` on that equal the first one, which ends at `stop`, except in their stream. All
    are plain, and their streams move from `waiting` to `reading`. Servers write frames for many streams one kind at a
    time."""
    layout, first, block, count = _frame_struct(stop - at - 9, True), data[at : at + 5], data[at + 9 : stop], 0
    whole = (len(data) - at) // layout.size * layout.size
    for start, stream, payload in layout.iter_unpack(memoryview(data)[at : at + whole]):
        if start != first or payload != block or type(entry := waiting.get(stream)) is not tuple:
            break
        del waiting[stream]
        reading[stream] = entry
        count += 1
    return count


def take_equal_data(data: bytes, at: int, stop: int, reading: dict[int, Any], done: list[tuple[Any, Any]]) -> int:
    """Count the DATA frames from `at` on that are as long as the first one, which ends at `stop`, and end a plain
    answer."""
    layout, first, before = _frame_struct(stop - at - 9, False), data[at : at + 5], len(done)
    whole = (len(data) - at) // layout.size * layout.size
    for start, stream in layout.iter_unpack(memoryview(data)[at : at + whole]):
        if start != first or type(entry := reading.get(stream)) is not tuple:
            break
        del reading[stream]
        done.append((entry, 200))
    return len(done) - before


@lru_cache(maxsize=256)
def _frame_struct(size: int, kept: bool) -> Struct:
    """The layout of a frame: length, type and flags; stream; the payload, when it is `kept`."""
    return Struct(f">5sL{size}{'s' if kept else 'x'}")


class Reply:
    """An answer that is kept whole: that of a request of exchange(), or any answer that is not a plain 200."""

    __slots__ = ("chunks", "headers", "size", "slot", "status", "unread", "whole")

    def __init__(self, slot: Slot, whole: bool) -> None:
        self.slot = slot
        self.whole = whole  #: also a plain 200 is kept whole
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.chunks: list[bytes] = []
        self.size = 0
        self.unread = 0  #: bytes not given back to the peer's window yet

    def add(self, chunk: bytes) -> None:
        if chunk and self.size < BODY_CAP:
            self.chunks.append(chunk)
        self.size += len(chunk)

    def credit(self, size: int) -> int:
        """How many bytes to give back to the stream's window after `size` more."""
        self.unread += size
        if self.unread > STREAM_WINDOW:
            raise ProtocolError(FLOW_CONTROL_ERROR, "a stream's window exceeded")
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
