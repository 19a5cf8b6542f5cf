"""One HTTP/2 connection as a function (RFC 9113): bytes in, answers out; requests in, bytes out. Does no I/O.

A request comes with an entry: a slot `(cursor, index, deadline)` when its status is enough, or a Reply when the whole
answer is kept. Each entry comes out exactly once. `TransportError(begun=False)` comes out only where the peer said that
it processed nothing. A breach of the protocol ends the connection; the requests in flight are then in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from notifier.transport.h2.protocol import frames as f
from notifier.transport.h2.protocol.answers import BLOCK_CAP, CONNECTION_WINDOW, Answers, Finished
from notifier.transport.h2.protocol.encoded_rows import EncodedRows
from notifier.transport.h2.protocol.frames import ProtocolError, frame
from notifier.transport.h2.protocol.header_table import HeaderTable
from notifier.transport.h2.protocol.incoming import STREAM_WINDOW, Entry, take_equal_data, take_equal_headers
from notifier.transport.h2.protocol.request_headers import EncodedTemplate
from notifier.vocabulary.http import TransportError

DEFAULT_STREAMS = 100  #: concurrent streams, where the peer announces no limit
MAX_STREAMS = 1_000  #: concurrent streams, where the peer announces more
LAST_STREAM = 1 << 30  #: no request begins above it: a new connection comes well before ids end at 2^31

HEADERS_AND_END = f.HEADERS << 8 | f.END_HEADERS | f.END_STREAM
HEADERS_ONLY = f.HEADERS << 8 | f.END_HEADERS
DATA_AND_END = f.DATA << 8 | f.END_STREAM
RESET = f.RST_STREAM << 8
EQUAL_WORTH = 3  #: equal frames in a row below which looking for more of them does not pay
OVERLOAD_CODES = (f.REFUSED_STREAM, f.ENHANCE_YOUR_CALM)  #: error codes of a peer that wants fewer streams
STATUS_200 = 0x88  #: the whole field `:status: 200`, entry 8 of HPACK's static table


class Connection:
    def __init__(self, first: int = 1) -> None:
        self.ready = False  #: the peer's SETTINGS came
        self.draining = False  #: it takes no new requests
        self.closed = False
        self.overloaded = False  #: the peer refused streams or cut the connection; the origin resets it
        self.pinging = False  #: a PING of ours is not answered yet
        self.limit = 0  #: concurrent streams
        self.begun = 0  #: requests so far
        self._answers = Answers(first)
        self._waiting, self._reading = self._answers.waiting, self._answers.reading
        self._outgoing = self._answers.outgoing
        self._table = HeaderTable()
        self._unparsed = b""
        #: by frame type
        self._handlers: tuple[Callable[[int, int, bytes], None], ...] = (
            self._answers.data,
            self._answers.headers,
            self._priority,
            self._rst_stream,
            self._settings,
            self._push_promise,
            self._ping,
            self._goaway,
            self._window_update,
            self._answers.continuation,
        )
        self._write(f.client_preface(CONNECTION_WINDOW, STREAM_WINDOW, BLOCK_CAP))

    def _write(self, data: bytes) -> None:
        self._outgoing.frames.append(data)

    def data_to_send(self) -> bytes:
        frames = self._outgoing.frames
        data = b"".join(frames)
        frames.clear()
        return data

    # -- requests --

    @property
    def in_flight(self) -> int:
        return len(self._waiting) + len(self._reading)

    def room(self, size: int = 0, *, whole_bodies: bool = False) -> int:
        """How many requests with bodies of `size` bytes may begin now. `whole_bodies`: a request whose body the window
        would split waits for a wider window while an answer is due (a split body costs five times a whole one)."""
        window = self._outgoing.window
        if not self.ready or self.draining or self.closed or window <= 0:
            return 0
        streams = max(0, min(self.limit - self.in_flight, (LAST_STREAM - self._outgoing.next) // 2 + 1))
        if window >= size * streams:
            return streams
        return window // size or (0 if whole_bodies and self.in_flight else min(1, streams))

    def begin(self, template: EncodedTemplate, entries: Sequence[Entry], rows: EncodedRows) -> None:
        """Write requests; `room` of them at most."""
        at, count = 0, len(entries)
        while at < count:
            block, lasting = self._table.block(template, count - at)
            if lasting and template.sized:
                self._outgoing.begin(block, entries[at:], rows.slice(at) if at else rows)
                break
            self._outgoing.begin_one(block, entries[at], rows.slice(at, at + 1), sized=template.sized)
            at += 1
        self.begun += len(entries)
        if self._outgoing.next > LAST_STREAM:
            self.draining = True

    def ping(self) -> None:
        self.pinging = True
        self._write(frame(f.PING, 0, 0, b"notifier"))

    def expire(self, now: float) -> list[Finished]:
        """Give up the streams whose deadline has passed."""
        self._answers.expire(now)
        return self._answers.take_done()

    def lost(self, reason: str) -> list[Finished]:
        """The TCP connection ended: the requests in flight are in doubt."""
        self.overloaded = bool(self.in_flight) and not self.closed and not self.draining
        self.closed = True
        self._unparsed = b""
        # a request alone on the connection may well be why it ended
        self._answers.fail_all(TransportError(True, reason, disconnected=self.in_flight > 1))
        return self._answers.take_done()

    def leave(self) -> None:
        """Write GOAWAY; the caller closes the connection after writing."""
        self.draining = True
        self._write(frame(f.GOAWAY, 0, 0, f.UINT32.pack(0) + f.UINT32.pack(f.NO_ERROR)))

    # -- bytes --

    def receive(self, data: bytes) -> list[Finished]:
        if self.closed:
            return []
        try:
            self._parse(self._unparsed + data if self._unparsed else data)
        except ProtocolError as fault:
            self._write(frame(f.GOAWAY, 0, 0, f.UINT32.pack(0) + f.UINT32.pack(fault.code) + str(fault).encode()))
            return self.lost(f"the server broke HTTP/2: {fault}")
        return self._answers.take_done()

    def _parse(self, data: bytes) -> None:  # noqa: C901  # a call costs as much as a frame
        """Plain 200s are read here, 1 µs each (0.6 where frames are equal); every other frame has its handler."""
        answers, unpack = self._answers, f.FRAME_HEAD.unpack_from
        waiting, reading, done, uploads = answers.waiting, answers.reading, answers.done, self._outgoing.uploads
        at, end, data_bytes, fast, equal = 0, len(data), 0, answers.open_block is None, not uploads
        while end - at >= 9:
            high, low, kind, stream = unpack(data, at)
            size = high << 8 | low
            stop = at + 9 + size
            if stop > end:
                if size > f.MAX_FRAME:
                    raise ProtocolError(f.FRAME_SIZE_ERROR, "a frame larger than allowed")
                break
            if kind == DATA_AND_END and fast and type(entry := reading.get(stream)) is tuple and stream not in uploads:
                count = 1
                if equal:
                    count = take_equal_data(data, at, stop, reading, done)
                    equal, stop = count >= EQUAL_WORTH, at + count * (stop - at)
                else:
                    del reading[stream]
                    done.append((entry, 200))
                data_bytes += count * size
            elif (
                (kind == HEADERS_ONLY or kind == HEADERS_AND_END)  # noqa: SIM109  # faster than `in`
                and fast
                and size
                and data[at + 9] == STATUS_200
                and type(entry := waiting.get(stream)) is tuple
                and stream not in uploads
            ):
                if kind == HEADERS_AND_END:
                    del waiting[stream]
                    done.append((entry, 200))
                elif equal:
                    count = take_equal_headers(data, at, stop, waiting, reading)
                    equal, stop = count >= EQUAL_WORTH, at + count * (stop - at)
                else:
                    del waiting[stream]
                    reading[stream] = entry
            elif kind == RESET and fast and size == 4 and self._outgoing.is_over(stream, reading):
                pass  # after its answer, nginx resets a stream whose body it has not read
            else:
                self._frame(kind, stream & f.MAX_UINT31, data[at + 9 : stop])
                fast = answers.open_block is None
            at = stop
        self._unparsed = data[at:]
        if data_bytes:
            answers.count_received(data_bytes)

    def _frame(self, type_and_flags: int, stream: int, payload: bytes) -> None:
        kind, flags = type_and_flags >> 8, type_and_flags & 0xFF
        if len(payload) > f.MAX_FRAME:
            raise ProtocolError(f.FRAME_SIZE_ERROR, "a frame larger than allowed")
        if self._answers.open_block is not None and kind != f.CONTINUATION:
            raise ProtocolError(f.PROTOCOL_ERROR, "CONTINUATION expected")
        if not self.ready and (kind != f.SETTINGS or flags & f.ACK):
            raise ProtocolError(f.PROTOCOL_ERROR, "SETTINGS expected")
        if kind < len(self._handlers):
            self._handlers[kind](flags, stream, payload)

    # -- frames that concern the connection --

    def _rst_stream(self, _flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ProtocolError(f.FRAME_SIZE_ERROR, "RST_STREAM")
        self._answers.check_opened(stream, "RST_STREAM")
        code = f.UINT32.unpack(payload)[0]
        if code in OVERLOAD_CODES:
            self.overloaded = True
        self._answers.reset(stream, code)

    def _settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ProtocolError(f.PROTOCOL_ERROR, "SETTINGS on a stream")
        if len(payload) % 6 or (flags & f.ACK and payload):
            raise ProtocolError(f.FRAME_SIZE_ERROR, "SETTINGS")
        if flags & f.ACK:
            return
        if not self.ready:
            self.ready, self.limit = True, DEFAULT_STREAMS
        for name, value in f.SETTING.iter_unpack(payload):
            self._setting(name, value)
        self._write(frame(f.SETTINGS, f.ACK, 0))

    def _setting(self, name: int, value: int) -> None:
        if name == f.MAX_CONCURRENT_STREAMS:
            self.limit = min(value, MAX_STREAMS)
        elif name == f.INITIAL_WINDOW_SIZE:
            self._outgoing.set_initial_window(value)
        elif name == f.MAX_FRAME_SIZE:
            self._outgoing.set_max_frame(value)
        elif name == f.HEADER_TABLE_SIZE:
            self._table.shrink(value)
        elif name == f.ENABLE_PUSH and value:
            raise ProtocolError(f.PROTOCOL_ERROR, "ENABLE_PUSH")

    def _window_update(self, _flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ProtocolError(f.FRAME_SIZE_ERROR, "WINDOW_UPDATE")
        more = f.UINT32.unpack(payload)[0] & f.MAX_UINT31
        if not more:
            raise ProtocolError(f.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        if stream:
            self._answers.check_opened(stream, "WINDOW_UPDATE")
            self._outgoing.add_stream_window(stream, more)
        else:
            self._outgoing.add_window(more)

    def _ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ProtocolError(f.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ProtocolError(f.FRAME_SIZE_ERROR, "PING")
        if flags & f.ACK:
            self.pinging = False
        else:
            self._write(frame(f.PING, f.ACK, 0, payload))

    def _goaway(self, _flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ProtocolError(f.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ProtocolError(f.FRAME_SIZE_ERROR, "GOAWAY")
        self.draining = True
        last, code = (number[0] for number in f.UINT32.iter_unpack(payload[:8]))
        if code in OVERLOAD_CODES:
            self.overloaded = True
        error = TransportError(False, f"connection ended before it: {f.code_name(code)}", disconnected=True)
        self._answers.fail_above(last & f.MAX_UINT31, error)

    def _priority(self, _flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 5 or not stream:
            raise ProtocolError(f.FRAME_SIZE_ERROR if stream else f.PROTOCOL_ERROR, "PRIORITY")

    def _push_promise(self, _flags: int, _stream: int, _payload: bytes) -> None:
        raise ProtocolError(f.PROTOCOL_ERROR, "PUSH_PROMISE, which we forbade")
