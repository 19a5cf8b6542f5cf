"""What is recorded of work for messages, and that it is bounded."""

from __future__ import annotations

import subprocess
import sys
import uuid

from notifier.local.processes.programs import PROJECT
from notifier.tracing import batches, derived, spans, switch
from notifier.tracing.context import TRACEPARENT, TraceContext
from notifier.tracing.switch import Span
from notifier.vocabulary.verdicts import Sent


def contents(count: int) -> list[dict[str, str]]:
    return [{"title": "x", TRACEPARENT: TraceContext(n, n).header} for n in range(1, count + 1)]


def test_work_for_one_message_is_in_its_trace(kept: list[Span]) -> None:
    spans.record("settle", spans.contexts_of(contents(1)), switch.clock(), {})
    assert [(s.context.trace_id, s.parent_id, s.links) for s in kept] == [(1, 1, ())]


def test_work_for_many_messages_is_one_span_with_a_bounded_number_of_links(kept: list[Span]) -> None:
    spans.record("settle", spans.contexts_of(contents(200)), switch.clock(), {})
    (span,) = kept
    assert (span.parent_id, len(span.links)) == (0, spans.MOST_LINKS)


def test_work_for_messages_without_a_trace_is_not_recorded(kept: list[Span]) -> None:
    spans.record("settle", spans.contexts_of([{"title": "x"}, {}]), switch.clock(), {})
    assert batches.traced_batch([{"title": "x"}], {}) is None
    assert kept == []


def test_each_message_of_a_batch_has_its_provider_call_in_its_own_trace(kept: list[Span]) -> None:
    batch = batches.traced_batch([*contents(2), {"title": "not sampled"}], {"provider": "fcm"})
    assert batch is not None
    batch.answered([(0, Sent()), (1, Sent()), (2, Sent())])
    batch.ended(3)
    *calls, send = kept
    assert [(call.context.trace_id, call.parent_id, tuple(call.links)) for call in calls] == [
        (1, 1, (send.context,)),
        (2, 2, (send.context,)),
    ]
    assert send.attributes["messages"] == 3


def test_a_bulk_request_of_a_thousand_is_a_bounded_trace(kept: list[Span]) -> None:
    header = TraceContext(7, 7).header
    batch = batches.traced_batch([{TRACEPARENT: header}] * 1_000, {})
    assert batch is not None
    batch.answered([(n, Sent()) for n in range(1_000)])
    batch.ended(1_000)
    assert len(kept) == batches.MOST_CALLS + 1
    assert {span.context.trace_id for span in kept} == {7}


def test_the_callers_decision_not_to_sample_holds(kept: list[Span]) -> None:
    trace = f"00-{5:032x}-{6:016x}"
    assert spans.open_request("POST", f"{trace}-00") is None
    opened = spans.open_request("POST", f"{trace}-01")
    assert opened is not None
    assert (opened.context.trace_id, opened.parent_id) == (5, 6)


def test_all_processes_derive_the_same_trace_of_a_shard() -> None:
    own = uuid.UUID(int=7)
    assert derived.context_of("shard", own) == derived.context_of("shard", own)
    assert derived.context_of("shard", own).trace_id != derived.context_of("campaign", own).trace_id


def test_without_tracing_nothing_that_records_is_imported() -> None:
    """Redis' client imports OpenTelemetry's metrics by itself, where they are installed."""
    script = (
        "import django, sys; django.setup(); import notifier.asgi, campaigns.sending.shards; "
        "of_traces = ('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'notifier.tracing.recorder'); "
        "print([m for m in sys.modules if m.startswith(of_traces)])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_a_request_goes_on_in_the_trace_of_a_caller_who_is_known(kept: list[Span]) -> None:
    own = spans.open_request("GET")
    spans.enter(own)
    try:
        assert not spans.continue_caller("GET", "no header")
        assert spans.current() is own
        assert spans.continue_caller("GET", TraceContext(7, 8).header)
        continued = spans.current()
        assert own is not None and continued is not None
        assert (continued.context.trace_id, continued.parent_id, continued.began) == (7, 8, own.began)
        assert spans.continue_caller("GET", TraceContext(7, 8).header.removesuffix("01") + "00")
        assert spans.current() is None
    finally:
        spans.enter(None)
