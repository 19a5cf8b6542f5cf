"""Spans of campaigns. A shard is a trace of its own, so that a campaign of ten million is a sample of small traces; it
links to the launch of its campaign. The ids are derived, so nothing is stored, and every worker samples alike."""

from __future__ import annotations

import hashlib
import time
import uuid

from notifier.tracing import switch
from notifier.tracing.context import TraceContext, new_span_id, read_stored
from notifier.tracing.spans import Opened, current_header
from notifier.tracing.switch import Attributes, Span


def context_of(kind: str, own_id: uuid.UUID) -> TraceContext:
    """The trace of one thing, and its first span."""
    digest = hashlib.blake2b(f"{kind} {own_id}".encode(), digest_size=24).digest()
    return TraceContext(int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:], "big"))


def record_launch(campaign_id: uuid.UUID, began: int, attributes: Attributes) -> None:
    """The launch of a campaign, which links to the request that asked for it."""
    recorder = switch.recorder
    context = context_of("campaign", campaign_id)
    if recorder is None or not began or not recorder.samples("launch", context.trace_id):
        return
    request = read_stored(current_header())
    links = (request,) if request else ()
    recorder.record(Span("launch", context, began, time.time_ns(), 0, False, attributes, links))


def open_shard(shard_id: uuid.UUID, campaign_id: uuid.UUID, began: int) -> Opened | None:
    """One turn of a shard; None when traces are off, or this one is not sampled."""
    recorder = switch.recorder
    context = context_of("shard", shard_id)
    if recorder is None or not began or not recorder.samples("send shard", context.trace_id):
        return None
    own = TraceContext(context.trace_id, new_span_id())
    return Opened(own, began, links=(context_of("campaign", campaign_id),))


def close_shard(opened: Opened, attributes: Attributes) -> None:
    if switch.recorder is not None:
        span = Span(
            "send shard", opened.context, opened.began, time.time_ns(), attributes=attributes, links=opened.links
        )
        switch.recorder.record(span)


def record_within(opened: Opened, name: str, began: int, attributes: Attributes, kind: str = "INTERNAL") -> None:
    """A part of a shard's turn."""
    if switch.recorder is not None:
        parent = opened.context
        switch.recorder.record(
            Span(name, parent.child(), began, time.time_ns(), parent.span_id, False, attributes, kind=kind)
        )
