"""The client's half of a connection: frames of requests, stream ids, both send windows, delayed uploads."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import chain, repeat
from typing import Any

from notifier.transport.h2.encoded_rows import EncodedRows
from notifier.transport.h2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    INITIAL_WINDOW,
    MAX_FRAME,
    MAX_UINT31,
    PROTOCOL_ERROR,
    UINT32,
    ProtocolError,
    frame,
)
from notifier.transport.h2.request_headers import HeaderBlock, end_of_block


class Upload:
    """The unsent part of a body that did not fit at once. The window may be negative (RFC 9113 §6.9.2)."""

    __slots__ = ("unsent", "window")

    def __init__(self, body: bytes, window: int) -> None:
        self.unsent = memoryview(body)
        self.window = window


class Outgoing:
    """`frames` collects the bytes to send; begun streams go into `waiting`."""

    def __init__(self, waiting: dict[int, Any], first: int) -> None:
        self.frames: list[bytes] = []
        self.next = first
        self.window = INITIAL_WINDOW
        self.uploads: dict[int, Upload] = {}
        self._waiting = waiting
        self._initial_window = INITIAL_WINDOW
        self._max_frame = MAX_FRAME

    # -- requests --

    def begin(self, block: HeaderBlock, entries: Sequence[Any], rows: EncodedRows) -> None:
        """Begin requests that share their header block: those whose bodies fit at once, then the others."""
        sizes = list(map(len, rows.bodies))
        fit = len(sizes)
        if sum(sizes) > self.window or not 0 < min(sizes) <= max(sizes) <= min(self._initial_window, self._max_frame):
            fit = self._count_fitting(sizes)
        if fit:
            self._begin_together(block, entries[:fit], rows.slice(0, fit), sizes[:fit])
        for at in range(fit, len(sizes)):
            self.begin_one(block, entries[at], rows.slice(at, at + 1), sized=True)

    def _count_fitting(self, sizes: Sequence[int]) -> int:
        """How many bodies, from the first on, both windows and a frame hold."""
        window, largest = self.window, min(self._initial_window, self._max_frame)
        for at, size in enumerate(sizes):
            window -= size
            if window < 0 or not 0 < size <= largest:
                return at
        return len(sizes)

    def _begin_together(
        self, block: HeaderBlock, entries: Sequence[Any], rows: EncodedRows, sizes: Sequence[int]
    ) -> None:
        """The hot path: columns, so that no line of Python runs for each request."""
        streams = range(self.next, self.next + 2 * len(sizes), 2)
        numbers = list(map(UINT32.pack, streams))
        if rows.own is None:
            heads, seconds = map(block.heads.__getitem__, sizes), map(block.seconds.__getitem__, sizes)
            frames = zip(heads, numbers, seconds, numbers, rows.bodies, strict=True)
            self.frames.extend(chain.from_iterable(frames))
        else:
            starts, ends, own_sizes = rows.own
            heads, shared = map(block.own_heads.__getitem__, own_sizes), repeat(block.constant)
            with_own = zip(heads, numbers, starts, shared, ends, numbers, rows.bodies, strict=False)
            self.frames.extend(chain.from_iterable(with_own))
        self._waiting.update(zip(streams, entries, strict=True))
        self.next, self.window = streams.stop, self.window - sum(sizes)

    def begin_one(self, block: HeaderBlock, entry: Any, row: EncodedRows, *, sized: bool) -> None:
        """Begin one request, whatever its size. `sized` False: its method has no body."""
        stream, self.next = self.next, self.next + 2
        self._waiting[stream] = entry
        body = row.bodies[0]
        start, end = (row.own.starts[0], row.own.ends[0]) if row.own else (b"", end_of_block(len(body), sized=sized))
        self._begin_slowly(stream, block.encode(start, end), body)

    def _begin_slowly(self, stream: int, block: bytes, body: bytes) -> None:
        """Begin a request whose body is empty, or larger than a frame or a window."""
        self.frames.append(frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), stream, block))
        if body:
            self.uploads[stream] = Upload(body, self._initial_window)
            self._send_upload(stream)

    def _send_upload(self, stream: int) -> None:
        """Send as much of a body as both windows allow."""
        upload = self.uploads[stream]
        while (size := min(len(upload.unsent), upload.window, self.window, self._max_frame)) > 0:
            last = size == len(upload.unsent)
            self.frames.append(frame(DATA, END_STREAM if last else 0, stream, bytes(upload.unsent[:size])))
            upload.unsent = upload.unsent[size:]
            upload.window -= size
            self.window -= size
            if last:
                del self.uploads[stream]
                return

    def _send_uploads(self) -> None:
        for stream in list(self.uploads):
            if self.window <= 0:
                return
            self._send_upload(stream)

    def is_over(self, stream: int, reading: Container[int]) -> bool:
        """Whether the stream was begun and has been answered or given up."""
        return bool(stream & 1) and stream < self.next and stream not in self._waiting and stream not in reading

    # -- the peer's windows and settings --

    def add_window(self, more: int) -> None:
        self.window += more
        if self.window > MAX_UINT31:
            raise ProtocolError(FLOW_CONTROL_ERROR, "the connection's window is too large")
        self._send_uploads()

    def add_stream_window(self, stream: int, more: int) -> None:
        """A stream whose body was sent needs no window any more."""
        upload = self.uploads.get(stream)
        if upload is not None:
            upload.window += more
            if upload.window > MAX_UINT31:
                raise ProtocolError(FLOW_CONTROL_ERROR, "a stream's window is too large")
            self._send_upload(stream)

    def set_initial_window(self, value: int) -> None:
        if value > MAX_UINT31:
            raise ProtocolError(FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE")
        for upload in self.uploads.values():
            upload.window += value - self._initial_window
            if upload.window > MAX_UINT31:
                raise ProtocolError(FLOW_CONTROL_ERROR, "a stream's window is too large")
        self._initial_window = value
        self._send_uploads()

    def set_max_frame(self, value: int) -> None:
        if not MAX_FRAME <= value < 1 << 24:
            raise ProtocolError(PROTOCOL_ERROR, "MAX_FRAME_SIZE")
        self._max_frame = value
