"""The client's half of a connection: frames of requests, stream ids, both send windows, delayed uploads."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

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
from notifier.transport.h2.request_headers import HeaderBlock


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

    def begin(
        self, block: HeaderBlock, entries: Sequence[Any], paths: Sequence[bytes] | None, bodies: Sequence[bytes]
    ) -> None:
        """Begin requests that share their header block."""
        if paths is None:
            self._begin_same_path(block, entries, bodies)
        else:
            self._begin_paths(block, entries, paths, bodies)

    def _begin_same_path(self, block: HeaderBlock, entries: Sequence[Any], bodies: Sequence[bytes]) -> None:
        """Begin requests that share their path. The hot path: 1 µs a request."""
        stream, window, largest = self.next, self.window, min(self._initial_window, self._max_frame)
        frames, waiting, frame_parts, pack = self.frames, self._waiting, block.frame_parts, UINT32.pack
        known, first, second = 0, b"", b""
        for entry, body in zip(entries, bodies, strict=True):
            size = len(body)
            if 0 < size <= largest and size <= window:
                if size != known:
                    first, second = frame_parts(size)
                    known = size
                number = pack(stream)
                frames += (first, number, second, number, body)
                window -= size
            else:
                self.window = window
                self._begin_slowly(stream, block.encode(None, size), body)
                window = self.window
            waiting[stream] = entry
            stream += 2
        self.next, self.window = stream, window

    def _begin_paths(
        self, block: HeaderBlock, entries: Sequence[Any], paths: Sequence[bytes], bodies: Sequence[bytes]
    ) -> None:
        """Begin requests with their own paths."""
        stream, window, largest = self.next, self.window, min(self._initial_window, self._max_frame)
        frames, waiting, frame_parts, pack = self.frames, self._waiting, block.frame_parts_with_path, UINT32.pack
        for entry, path, body in zip(entries, paths, bodies, strict=True):
            size = len(body)
            if 0 < size <= largest and size <= window:
                first, second, third = frame_parts(len(path), size)
                number = pack(stream)
                frames += (first, number, second, path, third, number, body)
                window -= size
            else:
                self.window = window
                self._begin_slowly(stream, block.encode(path, size), body)
                window = self.window
            waiting[stream] = entry
            stream += 2
        self.next, self.window = stream, window

    def begin_one(self, block: HeaderBlock, entry: Any, path: bytes | None, body: bytes, *, sized: bool) -> None:
        """Begin a request whose header block serves only it. `sized` False: its method has no body."""
        stream, self.next = self.next, self.next + 2
        self._waiting[stream] = entry
        self._begin_slowly(stream, block.encode(path, len(body) if sized or body else None), body)

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
