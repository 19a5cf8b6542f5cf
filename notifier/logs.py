"""Structured logs: one line an action, with ids; never content, an address or a secret."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from notifier.tracing import spans, switch
from notifier.vocabulary.ids import new_id

log = structlog.get_logger("notifier")


def configure(*, debug: bool, level: str) -> None:
    """Route structlog and the standard library to one stream: coloured text in debug mode, else JSON."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if debug
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, hide_tokens],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("celery.app.trace", "celery.worker.strategy", "celery.beat", "django.server", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


#: addresses of which a part is a right by itself (receipts, unsubscribe, preferences, view, opt-in), or holds a link of
#: a message: content (c, o).
#: Mistyped ones, with a slash too many or without /v1, hold it as well
_TOKEN = re.compile(
    r"((?:/v1/)?receipts/[a-z0-9_]+/[0-9a-fA-F-]{36}/|/v1/receipts/|/(?:unsubscribe|preferences|view|opt-in)/|(?<![^\s/])/[co]/).*",
    re.DOTALL,
)


def loggable(text: str) -> str:
    """A path, or a text that ends with a path, without the token in it."""
    return _TOKEN.sub(r"\1…", text)


def hide_tokens(logger: object, method: str, entry: structlog.types.EventDict) -> structlog.types.EventDict:
    """Processor for lines of other libraries: Django writes one with the path for each answer of 400 and more."""
    entry["event"] = loggable(str(entry["event"]))
    return entry


class RequestLog:
    """Gives every request an id (X-Request-Id), binds it to the log, and writes one line at its end."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = new_id().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        if switch.recorder is not None:
            _open_trace(request)
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        if hasattr(response, "admitted"):
            return response  # the request was not answered yet: its body may be sent now
        # a view that knows the caller's key continues the caller's trace
        if (trace := spans.current()) is not None:
            name, route = _name_of(request)
            spans.close_request(trace, name, response.status_code, **{"http.route": route})
        log.info(
            "request",
            action="request",
            method=request.method,
            path=loggable(request.path),
            status=response.status_code,
            ms=round((time.perf_counter() - began) * 1000, 1),
        )
        return response


#: asked every few seconds by machines: a span of each would say nothing
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


def _open_trace(request: HttpRequest) -> None:
    """A trace of its own: anybody can send a `traceparent`, and make us record."""
    trace = None if request.path in _PROBES else spans.open_request(request.method or "")
    spans.enter(trace)
    if trace is not None:
        structlog.contextvars.bind_contextvars(trace_id=trace.trace_id)


def _name_of(request: HttpRequest) -> tuple[str, str]:
    """Of a request's span: the pattern of its address, because an address may hold a secret."""
    route = f"/{request.resolver_match.route}" if request.resolver_match else ""
    return f"{request.method} {route}".strip(), route
