"""The place of a span in a trace, and the header that carries it (W3C Trace Context, level 1)."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

#: the name of the header, and the key of a ledger row's content: no channel has a part of this name
TRACEPARENT = "traceparent"
_HEADER = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
#: of the header of version 00
_LENGTH = 55
_ACCEPTANCE = 0x6E6F746966696572


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span of a trace that is recorded (sampled)."""

    trace_id: int
    span_id: int

    @property
    def header(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"

    def child(self) -> TraceContext:
        """A new span of the same trace."""
        return TraceContext(self.trace_id, new_span_id())

    def acceptance(self) -> TraceContext:
        """The span of the acceptance within this request. Its id is derived, so that rows name it before it ends."""
        return TraceContext(self.trace_id, self.span_id ^ _ACCEPTANCE or 1)


@dataclass(frozen=True, slots=True)
class Caller:
    """What a caller's header says."""

    trace_id: int
    span_id: int
    sampled: bool


def read_header(header: str) -> Caller | None:
    """None for a header that is missing or malformed: the request then begins a trace of its own."""
    matched = _HEADER.fullmatch(header.strip()) if len(header) < 512 else None
    if matched is None or (header.startswith("00") and len(header.strip()) != _LENGTH):
        return None
    trace_id, span_id, flags = matched.groups()
    return Caller(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & 1))


def read_stored(header: object) -> TraceContext | None:
    """The context that a ledger row carries; None for a row of which nothing is recorded."""
    caller = read_header(header) if isinstance(header, str) else None
    return TraceContext(caller.trace_id, caller.span_id) if caller else None


def new_trace_id() -> int:
    return random.getrandbits(128) or 1


def new_span_id() -> int:
    return random.getrandbits(64) or 1
