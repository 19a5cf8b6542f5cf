"""One HTTP/2 connection as a function (RFC 9113): bytes in, answers out; requests in, bytes out. Does no I/O.

A request is put in with an entry: a slot `(whose, index, deadline)` when its status is enough, or a Reply when the
whole answer is wanted. Each entry comes out exactly once. `Broken(begun=False)` only where the peer has said that it
processed nothing. Whatever breaks the protocol ends the connection, and what was under way is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from notifier.transport.h2 import frames as f
from notifier.transport.h2.frames import Fault, frame
from notifier.transport.h2.incoming import (
    BODY_CAP,
    STREAM_WINDOW,
    Blocks,
    Entry,
    Reply,
    Slot,
    bodies_alike,
    heads_alike,
    slot_of,
)
from notifier.transport.h2.outgoing import Outgoing
from notifier.transport.h2.request_headers import EncodedTemplate
from notifier.transport.h2.table import Table
from notifier.vocabulary.http import Response, TransportError

Finished = tuple[Slot, int | Response | TransportError]

CONNECTION_WINDOW = 1 << 30
TOP_UP = 1 << 24  #: bytes received after which the connection's window is opened again
STREAMS_UNSAID = 100  #: at once, where the peer does not say
STREAMS_CAP = 1_000  #: at once, where it says more
LAST_STREAM = 1 << 30  #: no request begins above it: a new connection comes well before ids end at 2^31
BLOCK_CAP = 64 * 1024  #: of an encoded header block
PIECES_CAP = 64  #: CONTINUATION frames of one block, empty ones included

ENDED_200 = f.HEADERS << 8 | f.END_HEADERS | f.END_STREAM
BEGUN_200 = f.HEADERS << 8 | f.END_HEADERS
LAST_DATA = f.DATA << 8 | f.END_STREAM
RESET = f.RST_STREAM << 8
ALIKE_WORTH = 3  #: frames in a row; where there are fewer, looking for more does not pay
OVERLOADED = (f.REFUSED_STREAM, f.ENHANCE_YOUR_CALM)  #: codes of a peer that wants fewer streams
STATUS_200 = 0x88  #: the whole field `:status: 200`, entry 8 of HPACK's static table


class Connection:
    def __init__(self, first: int = 1) -> None:
        self.ready = False  #: the peer's SETTINGS came
        self.draining = False  #: it takes no new requests
        self.closed = False
        self.refusing = False  #: the peer refused streams or cut the connection; its owner has not seen it yet
        self.pinging = False  #: a PING of ours is not yet answered
        self.limit = 0  #: streams at once
        self.begun = 0  #: requests so far
        self._waiting: dict[int, Entry] = {}  #: nothing of the answer came yet
        self._reading: dict[int, Entry] = {}  #: its headers came
        self._done: list[Finished] = []
        self._out = Outgoing(self._waiting, first)
        self._blocks = Blocks()
        self._table = Table()
        self._rest = b""
        self._room = CONNECTION_WINDOW
        self._block: tuple[int, int, bytes, int] | None = None  #: a header block awaiting CONTINUATION
        self._on: tuple[Callable[[int, int, bytes], None], ...] = (
            self._data,
            self._headers,
            self._priority,
            self._rst_stream,
            self._settings,
            self._push_promise,
            self._ping,
            self._goaway,
            self._window_update,
            self._continuation,
        )
        self._write(f.greeting(CONNECTION_WINDOW, STREAM_WINDOW, BLOCK_CAP))

    def _write(self, data: bytes) -> None:
        self._out.frames.append(data)

    def written(self) -> bytes:
        """What is to be sent now."""
        frames = self._out.frames
        data = b"".join(frames)
        frames.clear()
        return data

    # -- requests ------------------------------------------------------------------------------------------------

    @property
    def under_way(self) -> int:
        return len(self._waiting) + len(self._reading)

    def room(self, size: int = 0, *, patient: bool = False) -> int:
        """How many requests with bodies of `size` bytes may begin now. `patient`: one whose body the window would cut
        waits for a wider window, as long as an answer is due (a cut body costs five times a whole one)."""
        window = self._out.window
        if not self.ready or self.draining or self.closed or window <= 0:
            return 0
        streams = max(0, min(self.limit - self.under_way, (LAST_STREAM - self._out.next) // 2 + 1))
        if window >= size * streams:
            return streams
        return window // size or (0 if patient and self.under_way else min(1, streams))

    def begin(
        self,
        template: EncodedTemplate,
        entries: Sequence[Entry],
        paths: Sequence[bytes] | None,
        bodies: Sequence[bytes],
    ) -> None:
        """Write requests; `room` of them at most."""
        at, count = 0, len(entries)
        while at < count:
            block, lasting = self._table.block(template, count - at)
            if lasting and template.sized:
                self._out.begin(block, entries[at:], paths and paths[at:], bodies[at:])
                break
            path = None if paths is None else paths[at]
            self._out.begin_one(block, entries[at], path, bodies[at], sized=template.sized)
            at += 1
        self.begun += len(entries)
        if self._out.next > LAST_STREAM:
            self.draining = True

    def ping(self) -> None:
        self.pinging = True
        self._write(frame(f.PING, 0, 0, b"notifier"))

    def expire(self, now: float) -> list[Finished]:
        """Give up the streams whose deadline has passed."""
        for streams in (self._waiting, self._reading):
            late = [stream for stream, entry in streams.items() if slot_of(entry)[2] <= now]
            for stream in late:
                self._write(frame(f.RST_STREAM, 0, stream, f.LONG.pack(f.CANCEL)))
                self._break(stream, TransportError(True, "no answer within the timeout"))
        return self._taken()

    def lost(self, why: str) -> list[Finished]:
        """The connection is no more: what was under way is in doubt."""
        self.refusing = bool(self.under_way) and not self.closed and not self.draining
        self.closed = True
        self._rest = b""
        broken = TransportError(True, why, disconnected=self.under_way > 1)  # of one alone it may well be the reason
        for stream in [*self._waiting, *self._reading]:
            self._break(stream, broken)
        return self._taken()

    def leave(self) -> None:
        """Say goodbye; to be closed after writing."""
        self.draining = True
        self._write(frame(f.GOAWAY, 0, 0, f.LONG.pack(0) + f.LONG.pack(f.NO_ERROR)))

    # -- bytes ---------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Finished]:
        if self.closed:
            return []
        try:
            self._parse(self._rest + data if self._rest else data)
        except Fault as fault:
            self._write(frame(f.GOAWAY, 0, 0, f.LONG.pack(0) + f.LONG.pack(fault.code) + str(fault).encode()))
            return self.lost(f"the far end broke HTTP/2: {fault}")
        return self._taken()

    def _parse(self, data: bytes) -> None:  # noqa: C901  # a call costs as much as a frame
        """Plain 200s end here, 1 µs each (0.6 where frames are alike); every other frame has its method."""
        waiting, reading, done, unpack = self._waiting, self._reading, self._done, f.HEAD.unpack_from
        at, end, eaten, quick, uploads = 0, len(data), 0, self._block is None, self._out.uploads
        alike = not uploads
        while end - at >= 9:
            high, low, what, stream = unpack(data, at)
            size = high << 8 | low
            stop = at + 9 + size
            if stop > end:
                if size > f.FRAME:
                    raise Fault(f.FRAME_SIZE_ERROR, "a frame larger than allowed")
                break
            if what == LAST_DATA and quick and type(entry := reading.get(stream)) is tuple and stream not in uploads:
                count = 1
                if alike:
                    count = bodies_alike(data, at, stop, reading, done)
                    alike, stop = count >= ALIKE_WORTH, at + count * (stop - at)
                else:
                    del reading[stream]
                    done.append((entry, 200))
                eaten += count * size
            elif (
                (what == BEGUN_200 or what == ENDED_200)  # noqa: SIM109  # faster than `in`
                and quick
                and size
                and data[at + 9] == STATUS_200
                and type(entry := waiting.get(stream)) is tuple
                and stream not in uploads
            ):
                if what == ENDED_200:
                    del waiting[stream]
                    done.append((entry, 200))
                elif alike:
                    count = heads_alike(data, at, stop, waiting, reading)
                    alike, stop = count >= ALIKE_WORTH, at + count * (stop - at)
                else:
                    del waiting[stream]
                    reading[stream] = entry
            elif what == RESET and quick and size == 4 and self._out.over(stream, reading):
                pass  # nginx resets a stream whose body it has not read, when it has answered
            else:
                self._frame(what, stream & f.LARGEST, data[at + 9 : stop])
                quick = self._block is None
            at = stop
        self._rest = data[at:]
        if eaten:
            self._eat(eaten)

    def _frame(self, what: int, stream: int, payload: bytes) -> None:
        kind, flags = what >> 8, what & 0xFF
        if len(payload) > f.FRAME:
            raise Fault(f.FRAME_SIZE_ERROR, "a frame larger than allowed")
        if self._block is not None and kind != f.CONTINUATION:
            raise Fault(f.PROTOCOL_ERROR, "CONTINUATION expected")
        if not self.ready and (kind != f.SETTINGS or flags & f.ACK):
            raise Fault(f.PROTOCOL_ERROR, "SETTINGS expected")
        if kind < len(self._on):
            self._on[kind](flags, stream, payload)

    def _taken(self) -> list[Finished]:
        done, self._done = self._done, []
        return done

    def _known(self, stream: int, what: str) -> None:
        """Only streams that we began exist: a client's are odd, and push is off."""
        if not stream & 1 or stream >= self._out.next:
            raise Fault(f.PROTOCOL_ERROR, f"{what} on a stream that was not opened")

    # -- answers -------------------------------------------------------------------------------------------------

    def _headers(self, flags: int, stream: int, payload: bytes) -> None:
        self._known(stream, "HEADERS")
        fragment = f.header_fragment(flags, payload)
        if flags & f.END_HEADERS:
            self._head(stream, flags, fragment)
        else:
            self._block = (stream, flags, fragment, 0)

    def _continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream:
            raise Fault(f.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        _, first, block, pieces = self._block
        block += payload
        if len(block) > BLOCK_CAP or pieces >= PIECES_CAP:
            raise Fault(f.ENHANCE_YOUR_CALM, "a header block larger than allowed")
        if flags & f.END_HEADERS:
            self._block = None
            self._head(stream, first, block)
        else:
            self._block = (stream, first, block, pieces + 1)

    def _head(self, stream: int, flags: int, block: bytes) -> None:
        status, headers = self._blocks.read(block)
        ends = bool(flags & f.END_STREAM)
        if stream in self._reading:
            if status or not ends:
                raise Fault(f.PROTOCOL_ERROR, "HEADERS in the middle of an answer")
            self._finish(stream)
        elif stream in self._waiting:
            if status < 200:
                if ends or status in (0, 101):
                    raise Fault(f.PROTOCOL_ERROR, "an answer without a final status")
                return  # interim: the answer comes later
            entry = self._waiting.pop(stream)
            if type(entry) is tuple and status != 200:
                entry = Reply(entry, whole=True)
            if isinstance(entry, Reply):
                entry.status, entry.headers = status, headers
            self._reading[stream] = entry
            if ends:
                self._finish(stream)

    def _data(self, flags: int, stream: int, payload: bytes) -> None:
        self._eat(len(payload))
        self._known(stream, "DATA")
        if stream in self._waiting:
            raise Fault(f.PROTOCOL_ERROR, "DATA before HEADERS")
        entry = self._reading.get(stream)
        if entry is None:
            return  # given up or refused meanwhile
        if not isinstance(entry, Reply):
            entry = self._reading[stream] = Reply(entry, whole=False)
            entry.status = 200
        size = len(payload)
        entry.add(f.unpad(payload) if flags & f.PADDED else payload)
        if flags & f.END_STREAM:
            self._finish(stream)
        elif entry.size > BODY_CAP:
            self._cancel(stream)
            self._finish(stream)
        elif more := entry.credit(size):
            self._write(frame(f.WINDOW_UPDATE, 0, stream, f.LONG.pack(more)))

    def _eat(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise Fault(f.FLOW_CONTROL_ERROR, "the connection's window exceeded")
        if CONNECTION_WINDOW - self._room >= TOP_UP:
            self._write(frame(f.WINDOW_UPDATE, 0, 0, f.LONG.pack(CONNECTION_WINDOW - self._room)))
            self._room = CONNECTION_WINDOW

    def _finish(self, stream: int) -> None:
        entry = self._reading.pop(stream)
        if self._out.uploads.pop(stream, None) is not None:
            self._cancel(stream)  # answered before the body was out
        self._done.append((entry.slot, entry.answer()) if isinstance(entry, Reply) else (entry, 200))

    def _break(self, stream: int, broken: TransportError) -> None:
        entry = self._waiting.pop(stream, None) or self._reading.pop(stream)
        self._out.uploads.pop(stream, None)
        self._done.append((slot_of(entry), broken))

    def _cancel(self, stream: int) -> None:
        self._write(frame(f.RST_STREAM, 0, stream, f.LONG.pack(f.CANCEL)))

    def _rst_stream(self, _flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Fault(f.FRAME_SIZE_ERROR, "RST_STREAM")
        self._known(stream, "RST_STREAM")
        code = f.LONG.unpack(payload)[0]
        if code in OVERLOADED:
            self.refusing = True
        if stream in self._waiting:
            self._break(stream, TransportError(code != f.REFUSED_STREAM, f"stream reset: {f.code_name(code)}"))
        elif stream in self._reading:
            self._break(stream, TransportError(True, f"answer cut short: {f.code_name(code)}"))

    # -- the connection ------------------------------------------------------------------------------------------

    def _settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise Fault(f.PROTOCOL_ERROR, "SETTINGS on a stream")
        if len(payload) % 6 or (flags & f.ACK and payload):
            raise Fault(f.FRAME_SIZE_ERROR, "SETTINGS")
        if flags & f.ACK:
            return
        if not self.ready:
            self.ready, self.limit = True, STREAMS_UNSAID
        for name, value in f.SETTING.iter_unpack(payload):
            self._setting(name, value)
        self._write(frame(f.SETTINGS, f.ACK, 0))

    def _setting(self, name: int, value: int) -> None:
        if name == f.MAX_CONCURRENT_STREAMS:
            self.limit = min(value, STREAMS_CAP)
        elif name == f.INITIAL_WINDOW_SIZE:
            self._out.set_initial(value)
        elif name == f.MAX_FRAME_SIZE:
            self._out.set_frame(value)
        elif name == f.HEADER_TABLE_SIZE:
            self._table.shrink(value)
        elif name == f.ENABLE_PUSH and value:
            raise Fault(f.PROTOCOL_ERROR, "ENABLE_PUSH")

    def _window_update(self, _flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Fault(f.FRAME_SIZE_ERROR, "WINDOW_UPDATE")
        more = f.LONG.unpack(payload)[0] & f.LARGEST
        if not more:
            raise Fault(f.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        if stream:
            self._known(stream, "WINDOW_UPDATE")
            self._out.widen_stream(stream, more)
        else:
            self._out.widen(more)

    def _ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise Fault(f.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise Fault(f.FRAME_SIZE_ERROR, "PING")
        if flags & f.ACK:
            self.pinging = False
        else:
            self._write(frame(f.PING, f.ACK, 0, payload))

    def _goaway(self, _flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise Fault(f.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise Fault(f.FRAME_SIZE_ERROR, "GOAWAY")
        self.draining = True
        last, code = (number[0] for number in f.LONG.iter_unpack(payload[:8]))
        if code in OVERLOADED:
            self.refusing = True
        for number in [n for n in self._waiting if n > last & f.LARGEST]:
            self._break(number, TransportError(False, f"connection ended before it: {f.code_name(code)}"))

    def _priority(self, _flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 5 or not stream:
            raise Fault(f.FRAME_SIZE_ERROR if stream else f.PROTOCOL_ERROR, "PRIORITY")

    def _push_promise(self, _flags: int, _stream: int, _payload: bytes) -> None:
        raise Fault(f.PROTOCOL_ERROR, "PUSH_PROMISE, which we forbade")
