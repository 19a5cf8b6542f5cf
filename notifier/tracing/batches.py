"""The span of a batch that is sent, and one span for the provider call of each traced message. Used by the dispatcher
(`notifier.delivery.dispatch`); messages of campaigns carry no trace here."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from notifier.tracing import switch
from notifier.tracing.context import TraceContext, read_stored
from notifier.tracing.spans import place
from notifier.tracing.switch import Attributes, Recorder, Span

#: provider calls of one batch that have spans of their own: a bulk request of 1,000 messages is one trace
MOST_CALLS = 32


class TracedBatch:
    """One batch in flight. `answered` is called in the batch's own thread, `ended` in the dispatcher's."""

    def __init__(self, recorder: Recorder, contexts: Mapping[int, TraceContext], attributes: Attributes) -> None:
        distinct = list(dict.fromkeys(contexts.values()))
        self._recorder, self._attributes, self._began = recorder, attributes, time.time_ns()
        self._calls = dict(list(contexts.items())[:MOST_CALLS])
        self._context, self._parent_id, self._links = place(distinct)

    def answered(self, answers: Sequence[tuple[int, object]]) -> None:
        """Record the provider calls of these messages, by the number of the message."""
        now = time.time_ns()
        no_links: list[TraceContext] = []
        for i, verdict in answers:
            if (message := self._calls.get(i)) is None:
                continue
            if message.trace_id == self._context.trace_id:
                own, parent_id, links = self._context.child(), self._context.span_id, no_links
            else:
                own, parent_id, links = message.child(), message.span_id, [self._context]
            values = {**self._attributes, "verdict": type(verdict).__name__}
            self._recorder.record(
                Span("provider call", own, self._began, now, parent_id, False, values, links, "CLIENT")
            )

    def ended(self, messages: int) -> None:
        values = {**self._attributes, "messages": messages}
        self._recorder.record(
            Span("send", self._context, self._began, time.time_ns(), self._parent_id, False, values, self._links)
        )


def traced_batch(contents: Sequence[Mapping[str, Any]], attributes: Attributes) -> TracedBatch | None:
    """The batch of messages with these contents; None when none of them is traced. 0.1 µs while traces are off."""
    recorder = switch.recorder
    if recorder is None:
        return None
    contexts = {i: c for i, content in enumerate(contents) if (c := read_stored(content.get("traceparent")))}
    return TracedBatch(recorder, contexts, attributes) if contexts else None
