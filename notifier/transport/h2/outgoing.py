"""Our half of a connection: frames of requests, stream ids, both send windows, uploads that a window holds back."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from notifier.transport.h2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    FRAME,
    HEADERS,
    LARGEST,
    LONG,
    PROTOCOL_ERROR,
    WINDOW,
    Fault,
    frame,
)
from notifier.transport.h2.request_headers import HeaderBlock


class Upload:
    """The rest of a body that did not fit at once. The window may be negative (RFC 9113 §6.9.2)."""

    __slots__ = ("rest", "window")

    def __init__(self, body: bytes, window: int) -> None:
        self.rest = memoryview(body)
        self.window = window


class Outgoing:
    """`frames` collects what is to be written; streams that were begun go into `waiting`."""

    def __init__(self, waiting: dict[int, Any], first: int) -> None:
        self.frames: list[bytes] = []
        self.next = first
        self.window = WINDOW
        self.uploads: dict[int, Upload] = {}
        self._waiting = waiting
        self._initial = WINDOW
        self._frame = FRAME

    # -- requests --

    def begin(
        self, block: HeaderBlock, entries: Sequence[Any], paths: Sequence[bytes] | None, bodies: Sequence[bytes]
    ) -> None:
        """Requests whose header block is good for all."""
        if paths is None:
            self._begin_alike(block, entries, bodies)
        else:
            self._begin_paths(block, entries, paths, bodies)

    def _begin_alike(self, block: HeaderBlock, entries: Sequence[Any], bodies: Sequence[bytes]) -> None:
        """Requests that share their path. The hot path: 1 µs a request."""
        stream, window, largest = self.next, self.window, min(self._initial, self._frame)
        frames, waiting, around, pack = self.frames, self._waiting, block.around, LONG.pack
        known, first, second = 0, b"", b""
        for entry, body in zip(entries, bodies, strict=True):
            size = len(body)
            if 0 < size <= largest and size <= window:
                if size != known:
                    first, second = around(size)
                    known = size
                number = pack(stream)
                frames += (first, number, second, number, body)
                window -= size
            else:
                self.window = window
                self._slowly(stream, block.whole(None, size), body)
                window = self.window
            waiting[stream] = entry
            stream += 2
        self.next, self.window = stream, window

    def _begin_paths(
        self, block: HeaderBlock, entries: Sequence[Any], paths: Sequence[bytes], bodies: Sequence[bytes]
    ) -> None:
        """Requests with a path each."""
        stream, window, largest = self.next, self.window, min(self._initial, self._frame)
        frames, waiting, around, pack = self.frames, self._waiting, block.around_path, LONG.pack
        for entry, path, body in zip(entries, paths, bodies, strict=True):
            size = len(body)
            if 0 < size <= largest and size <= window:
                first, second, third = around(len(path), size)
                number = pack(stream)
                frames += (first, number, second, path, third, number, body)
                window -= size
            else:
                self.window = window
                self._slowly(stream, block.whole(path, size), body)
                window = self.window
            waiting[stream] = entry
            stream += 2
        self.next, self.window = stream, window

    def begin_one(self, block: HeaderBlock, entry: Any, path: bytes | None, body: bytes, *, sized: bool) -> None:
        """A request whose header block is good once. `sized` False: one that has no body by its nature."""
        stream, self.next = self.next, self.next + 2
        self._waiting[stream] = entry
        self._slowly(stream, block.whole(path, len(body) if sized or body else None), body)

    def _slowly(self, stream: int, block: bytes, body: bytes) -> None:
        """A body that is empty, larger than a frame or than a window."""
        self.frames.append(frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), stream, block))
        if body:
            self.uploads[stream] = Upload(body, self._initial)
            self._pump(stream)

    def _pump(self, stream: int) -> None:
        """Send of a body what both windows allow."""
        upload = self.uploads[stream]
        while (size := min(len(upload.rest), upload.window, self.window, self._frame)) > 0:
            last = size == len(upload.rest)
            self.frames.append(frame(DATA, END_STREAM if last else 0, stream, bytes(upload.rest[:size])))
            upload.rest = upload.rest[size:]
            upload.window -= size
            self.window -= size
            if last:
                del self.uploads[stream]
                return

    def _pump_all(self) -> None:
        for stream in list(self.uploads):
            if self.window <= 0:
                return
            self._pump(stream)

    def over(self, stream: int, reading: Container[int]) -> bool:
        """Begun, and answered or given up."""
        return bool(stream & 1) and stream < self.next and stream not in self._waiting and stream not in reading

    # -- what the peer says --

    def widen(self, more: int) -> None:
        self.window += more
        if self.window > LARGEST:
            raise Fault(FLOW_CONTROL_ERROR, "the connection's window is too large")
        self._pump_all()

    def widen_stream(self, stream: int, more: int) -> None:
        """A stream whose body is out needs no window any more."""
        upload = self.uploads.get(stream)
        if upload is not None:
            upload.window += more
            if upload.window > LARGEST:
                raise Fault(FLOW_CONTROL_ERROR, "a stream's window is too large")
            self._pump(stream)

    def set_initial(self, value: int) -> None:
        if value > LARGEST:
            raise Fault(FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE")
        for upload in self.uploads.values():
            upload.window += value - self._initial
            if upload.window > LARGEST:
                raise Fault(FLOW_CONTROL_ERROR, "a stream's window is too large")
        self._initial = value
        self._pump_all()

    def set_frame(self, value: int) -> None:
        if not FRAME <= value < 1 << 24:
            raise Fault(PROTOCOL_ERROR, "MAX_FRAME_SIZE")
        self._frame = value
