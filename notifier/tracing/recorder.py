"""Hands spans to an OTLP receiver through the SDK of OpenTelemetry, which reads the standard OTEL_* variables.

A thread of the SDK exports; its queue is bounded, and full it drops spans. So a receiver that is down, slow or full
costs a request nothing: recording a span takes 35 µs on a busy machine, whatever the receiver does. Each process makes
its own thread, after the fork.
"""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import suppress

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from notifier.tracing.context import Caller, TraceContext
from notifier.tracing.switch import Span

log = structlog.get_logger("notifier.tracing")

#: milliseconds between two exports: a worker process that ends loses no more
_DELAY_MS = 1_000.0
#: seconds for which a process that ends waits for its last export
_LAST_EXPORT = 3.0
_SCOPE = InstrumentationScope("notifier")
_RECORDED = TraceFlags(TraceFlags.SAMPLED)


class OtlpRecorder:
    """`role`: of this process, `web` or `engine`; part of the service's name unless OTEL_SERVICE_NAME is set."""

    def __init__(self, role: str) -> None:
        self._role, self._pid, self._works, self._lock = role, 0, False, threading.Lock()

    def samples(self, name: str, trace_id: int, caller: Caller | None = None) -> bool:
        if not self._begin():
            return False
        parent: Context | None = None
        if caller is not None:
            flags = TraceFlags(TraceFlags.SAMPLED if caller.sampled else TraceFlags.DEFAULT)
            of_caller = SpanContext(caller.trace_id, caller.span_id, is_remote=True, trace_flags=flags)
            parent = set_span_in_context(NonRecordingSpan(of_caller), Context())
        result = self._sampler.should_sample(parent or Context(), trace_id, name)
        return result.decision == Decision.RECORD_AND_SAMPLE

    def record(self, span: Span) -> None:
        if not self._begin():
            return
        parent = _context(TraceContext(span.context.trace_id, span.parent_id), span.parent_is_remote)
        self._processor.on_end(
            ReadableSpan(
                span.name,
                _context(span.context),
                parent if span.parent_id else None,
                self._resource,
                dict(span.attributes),
                (),
                [Link(_context(link)) for link in span.links],
                SpanKind[span.kind],
                status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
                start_time=span.began,
                end_time=span.ended,
                instrumentation_scope=_SCOPE,
            )
        )

    def flush(self, seconds: float) -> None:
        if self._pid != os.getpid() or not self._works:
            return
        # the SDK waits up to 30 s for a receiver that hangs; newer Pythons start no thread while they end
        last = threading.Thread(target=self._processor.shutdown, daemon=True)
        with suppress(RuntimeError):
            last.start()
            last.join(seconds)

    def _begin(self) -> bool:
        """Make what this process needs, once. False when that fails: traces are no reason to refuse a request."""
        if self._pid == os.getpid():
            return self._works
        with self._lock:
            if self._pid != os.getpid():
                try:
                    self._make()
                    self._works = True
                except Exception:
                    self._works = False
                    log.exception("no traces", action="trace")
                self._pid = os.getpid()
        return self._works

    def _make(self) -> None:
        """Raises what the SDK raises for variables that it cannot use."""
        own = Resource({} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": f"notifier-{self._role}"})
        provider = TracerProvider(resource=Resource.create().merge(own), shutdown_on_exit=False)
        self._sampler, self._resource = provider.sampler, provider.resource
        delay = None if "OTEL_BSP_SCHEDULE_DELAY" in os.environ else _DELAY_MS
        self._processor = BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=delay)
        atexit.register(self.flush, _LAST_EXPORT)


def _context(context: TraceContext, is_remote: bool = False) -> SpanContext:
    return SpanContext(context.trace_id, context.span_id, is_remote, _RECORDED)
