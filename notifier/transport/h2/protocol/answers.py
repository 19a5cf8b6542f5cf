"""The answers of one HTTP/2 connection: what HEADERS, CONTINUATION, DATA and RST_STREAM mean for the open streams."""

from __future__ import annotations

from notifier.transport.h2.protocol import frames as f
from notifier.transport.h2.protocol.frames import ProtocolError, frame
from notifier.transport.h2.protocol.incoming import BODY_CAP, Entry, HeaderDecoder, Reply, Slot, slot_of
from notifier.transport.h2.protocol.outgoing import Outgoing
from notifier.vocabulary.http import Response, TransportError

Finished = tuple[Slot, int | Response | TransportError]

CONNECTION_WINDOW = 1 << 30
TOP_UP = 1 << 24  #: bytes received after which the connection's window is opened again
BLOCK_CAP = 64 * 1024  #: of an encoded header block
CONTINUATIONS_CAP = 64  #: CONTINUATION frames of one block, empty ones included


class Answers:
    """`waiting` and `reading`: stream -> entry, before and after the answer's headers came. The dicts and the list
    `done` stay the same objects until `take_done`: Connection reads plain answers into them."""

    def __init__(self, first: int) -> None:
        self.waiting: dict[int, Entry] = {}
        self.reading: dict[int, Entry] = {}
        self.done: list[Finished] = []
        self.outgoing = Outgoing(self.waiting, first)
        #: a header block that awaits CONTINUATION: its stream, flags, bytes, and the CONTINUATION frames so far
        self.open_block: tuple[int, int, bytes, int] | None = None
        self._decoder = HeaderDecoder()
        self._window = CONNECTION_WINDOW

    def take_done(self) -> list[Finished]:
        done, self.done = self.done, []
        return done

    def check_opened(self, stream: int, frame_name: str) -> None:
        """Raise ProtocolError unless we opened the stream. A client's streams have odd ids (RFC 9113 §5.1.1); a server
        opens none, because push is off."""
        if not stream & 1 or stream >= self.outgoing.next:
            raise ProtocolError(f.PROTOCOL_ERROR, f"{frame_name} on a stream that was not opened")

    # -- frames --

    def headers(self, flags: int, stream: int, payload: bytes) -> None:
        self.check_opened(stream, "HEADERS")
        fragment = f.header_fragment(flags, payload)
        if flags & f.END_HEADERS:
            self._block(stream, flags, fragment)
        else:
            self.open_block = (stream, flags, fragment, 0)

    def continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self.open_block is None or self.open_block[0] != stream:
            raise ProtocolError(f.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        _, first_flags, block, count = self.open_block
        block += payload
        if len(block) > BLOCK_CAP or count >= CONTINUATIONS_CAP:
            raise ProtocolError(f.ENHANCE_YOUR_CALM, "a header block larger than allowed")
        if flags & f.END_HEADERS:
            self.open_block = None
            self._block(stream, first_flags, block)
        else:
            self.open_block = (stream, first_flags, block, count + 1)

    def _block(self, stream: int, flags: int, block: bytes) -> None:
        status, headers = self._decoder.read(block)
        ends = bool(flags & f.END_STREAM)
        if stream in self.reading:
            if status or not ends:
                raise ProtocolError(f.PROTOCOL_ERROR, "HEADERS in the middle of an answer")
            self._finish(stream)
        elif stream in self.waiting:
            if status < 200:
                if ends or status in (0, 101):
                    raise ProtocolError(f.PROTOCOL_ERROR, "an answer without a final status")
                return  # interim: the answer comes later
            entry = self.waiting.pop(stream)
            if type(entry) is tuple and status != 200:
                entry = Reply(entry, whole=True)
            if isinstance(entry, Reply):
                entry.status, entry.headers = status, headers
            self.reading[stream] = entry
            if ends:
                self._finish(stream)

    def data(self, flags: int, stream: int, payload: bytes) -> None:
        self.count_received(len(payload))
        self.check_opened(stream, "DATA")
        if stream in self.waiting:
            raise ProtocolError(f.PROTOCOL_ERROR, "DATA before HEADERS")
        entry = self.reading.get(stream)
        if entry is None:
            return  # the stream was given up or refused meanwhile
        if not isinstance(entry, Reply):
            entry = self.reading[stream] = Reply(entry, whole=False)
            entry.status = 200
        size = len(payload)
        entry.add(f.unpad(payload) if flags & f.PADDED else payload)
        if flags & f.END_STREAM:
            self._finish(stream)
        elif entry.size > BODY_CAP:
            self._cancel(stream)
            self._finish(stream)
        elif more := entry.credit(size):
            self._write(frame(f.WINDOW_UPDATE, 0, stream, f.UINT32.pack(more)))

    def count_received(self, size: int) -> None:
        """Count `size` bytes of DATA, and open the connection's window again when they are many."""
        self._window -= size
        if self._window < 0:
            raise ProtocolError(f.FLOW_CONTROL_ERROR, "the connection's window exceeded")
        if CONNECTION_WINDOW - self._window >= TOP_UP:
            self._write(frame(f.WINDOW_UPDATE, 0, 0, f.UINT32.pack(CONNECTION_WINDOW - self._window)))
            self._window = CONNECTION_WINDOW

    def reset(self, stream: int, code: int) -> None:
        if stream in self.waiting:
            self.fail(stream, TransportError(code != f.REFUSED_STREAM, f"stream reset: {f.code_name(code)}"))
        elif stream in self.reading:
            self.fail(stream, TransportError(True, f"answer cut short: {f.code_name(code)}"))

    # -- ends of streams --

    def expire(self, now: float) -> None:
        """Give up the streams whose deadline has passed."""
        for streams in (self.waiting, self.reading):
            late = [stream for stream, entry in streams.items() if slot_of(entry)[2] <= now]
            for stream in late:
                self._cancel(stream)
                self.fail(stream, TransportError(True, "no answer within the timeout"))

    def fail(self, stream: int, error: TransportError) -> None:
        entry = self.waiting.pop(stream, None) or self.reading.pop(stream)
        self.outgoing.uploads.pop(stream, None)
        self.done.append((slot_of(entry), error))

    def fail_all(self, error: TransportError) -> None:
        for stream in [*self.waiting, *self.reading]:
            self.fail(stream, error)

    def fail_above(self, last: int, error: TransportError) -> None:
        """Fail the unanswered streams above `last`."""
        for stream in [stream for stream in self.waiting if stream > last]:
            self.fail(stream, error)

    def _finish(self, stream: int) -> None:
        entry = self.reading.pop(stream)
        if self.outgoing.uploads.pop(stream, None) is not None:
            self._cancel(stream)  # the answer came before the whole body was sent
        self.done.append((entry.slot, entry.answer()) if isinstance(entry, Reply) else (entry, 200))

    def _cancel(self, stream: int) -> None:
        self._write(frame(f.RST_STREAM, 0, stream, f.UINT32.pack(f.CANCEL)))

    def _write(self, data: bytes) -> None:
        self.outgoing.frames.append(data)
