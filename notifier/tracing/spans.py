"""The span of a request, and spans of work for messages. Nothing is recorded for a message whose row carries no
trace."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from notifier.tracing import switch
from notifier.tracing.context import (
    TRACEPARENT,
    TraceContext,
    new_span_id,
    new_trace_id,
    read_header,
    read_stored,
)
from notifier.tracing.switch import Attributes, Span

#: links of one span at most: a batch of 200 messages names this many of their traces
MOST_LINKS = 32


@dataclass(frozen=True, slots=True)
class Opened:
    """A span that has begun."""

    context: TraceContext
    began: int
    parent_id: int = 0
    links: Sequence[TraceContext] = ()

    @property
    def trace_id(self) -> str:
        """As log lines show it."""
        return f"{self.context.trace_id:032x}"


#: the request that a view of this thread answers; None: none is recorded
_current: ContextVar[Opened | None] = ContextVar("traceparent", default=None)


def open_request(name: str, header: str = "") -> Opened | None:
    """The span of a request with this `traceparent`, which continues the caller's trace; the caller must have shown a
    valid key. None when traces are off, or this one is not sampled."""
    recorder = switch.recorder
    if recorder is None:
        return None
    caller = read_header(header)
    trace_id = caller.trace_id if caller else new_trace_id()
    if not recorder.samples(name, trace_id, caller):
        return None
    parent_id = caller.span_id if caller else 0
    return Opened(TraceContext(trace_id, new_span_id()), time.time_ns(), parent_id)


def close_request(opened: Opened, name: str, status: int, **attributes: str | int) -> None:
    """Record the span of an answered request."""
    values = {"http.response.status_code": status, **attributes}
    _record(
        Span(
            name,
            opened.context,
            opened.began,
            time.time_ns(),
            opened.parent_id,
            True,
            values,
            (),
            "SERVER",
            status >= 500,
        )
    )


def enter(opened: Opened | None) -> None:
    """The view that runs next in this thread answers this request."""
    _current.set(opened)


def current() -> Opened | None:
    """The request that this thread answers, if it is recorded."""
    return None if switch.recorder is None else _current.get()


def current_header() -> str:
    """The same as a header; empty when none is recorded. 0.1 µs while traces are off."""
    return opened.context.header if (opened := current()) else ""


def continue_caller(name: str, header: str) -> bool:
    """The request that this thread answers has shown a valid key: its trace is that of its `traceparent` from here on,
    and is recorded if the caller's is. False when nothing changes. 0.1 µs while traces are off."""
    if switch.recorder is None or read_header(header) is None:
        return False
    own, opened = _current.get(), open_request(name, header)
    enter(replace(opened, began=own.began) if opened and own else opened)
    return True


def with_trace(content: Mapping[str, Any], request_header: str) -> Mapping[str, Any]:
    """The content of a ledger row that carries the trace of its request to the workers."""
    request = read_stored(request_header)
    return {**content, TRACEPARENT: request.acceptance().header} if request else content


def trace_ids(contents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """For a log line about one message: its trace_id, if it has one. Empty while traces are off."""
    if switch.recorder is None:
        return {}
    contexts = contexts_of(contents)
    return {"trace_id": f"{contexts[0].trace_id:032x}"} if contexts else {}


def contexts_of(contents: Iterable[Mapping[str, Any]]) -> list[TraceContext]:
    """The distinct traces that contents of ledger rows carry."""
    headers = dict.fromkeys(header for content in contents if (header := content.get(TRACEPARENT)))
    return [context for header in headers if (context := read_stored(header))]


def contexts_of_requests(headers: Iterable[str]) -> list[TraceContext]:
    """The acceptances within these requests."""
    return [c.acceptance() for header in dict.fromkeys(headers) if header and (c := read_stored(header))]


def record_acceptances(headers: Iterable[str], began: int, attributes: Attributes) -> None:
    """One span for each request of a group that was accepted together."""
    for request in [c for header in dict.fromkeys(headers) if header and (c := read_stored(header))]:
        _record(Span("accept", request.acceptance(), began, time.time_ns(), request.span_id, False, attributes))


def record(name: str, contexts: Sequence[TraceContext], began: int, attributes: Attributes) -> None:
    """Record work for messages: in their trace when they are of one, else as one span that links to their traces."""
    if contexts:
        context, parent_id, links = place(contexts)
        _record(Span(name, context, began, time.time_ns(), parent_id, False, attributes, links))


def place(contexts: Sequence[TraceContext]) -> tuple[TraceContext, int, Sequence[TraceContext]]:
    """A new span for work of these traces, its parent's id, and its links."""
    if len(contexts) == 1:
        return contexts[0].child(), contexts[0].span_id, ()
    return TraceContext(new_trace_id(), new_span_id()), 0, contexts[:MOST_LINKS]


def _record(span: Span) -> None:
    if switch.recorder is not None:
        switch.recorder.record(span)
