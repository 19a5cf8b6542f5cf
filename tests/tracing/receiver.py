"""A receiver of OTLP over HTTP, written with OpenTelemetry's own protobuf messages and nothing of the product."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True)
class Received:
    """One span, ids as hex digits. `raw`: all of its bytes, for a search for what must not be there."""

    name: str
    service: str
    trace: str
    span: str
    parent: str
    attributes: Mapping[str, Any]
    links: tuple[str, ...]
    began: int
    ended: int
    raw: bytes


class Receiver:
    """`hang`: keep every export waiting until the receiver is closed."""

    def __init__(self, *, hang: bool = False) -> None:
        self._spans: list[Received] = []
        self._lock, self._closed = threading.Lock(), threading.Event()
        self.asked = threading.Event()  #: an export has begun
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked.set()
                if hang:
                    receiver._closed.wait()
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver._keep(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def spans(self, trace: str = "") -> list[Received]:
        """What came so far: of one trace, or all."""
        with self._lock:
            return [span for span in self._spans if not trace or span.trace == trace]

    def _keep(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces", path
        received = []
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _values(of_resource.resource.attributes).get("service.name", "")
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    received.append(
                        Received(
                            span.name,
                            str(service),
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            _values(span.attributes),
                            tuple(link.trace_id.hex() for link in span.links),
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                            span.SerializeToString(),
                        )
                    )
        with self._lock:
            self._spans += received


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each) for each in attributes}


def _value(attribute: KeyValue) -> Any:
    return getattr(attribute.value, attribute.value.WhichOneof("value") or "string_value")
