"""The load generator, and what follows from its result."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bench.api.fairness import ratios
from bench.load.process import Load
from bench.load.result import LoadResult, held, outstanding, percentile, summary
from bench.load.spec import LoadSpec

RATE = 100


class Server(ThreadingHTTPServer):
    """Accepts what has the right key, and keeps the bodies."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[Any] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert isinstance(self.server, Server)
        self.server.bodies.append(body)
        status = 202 if self.headers["authorization"] == "Bearer right" else 401
        answer: dict[str, Any] = {"deliveries": [{"id": f"id-{body.get('recipient')}"}]}
        if "items" in body:
            answer = {"accepted": len(body["items"])}
        raw = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def spec(server: Server, key: str = "right", **values: Any) -> LoadSpec:
    return LoadSpec(f"http://127.0.0.1:{server.server_port}", {"authorization": f"Bearer {key}"}, 7, **values)


def test_an_open_loop_sends_its_count_at_fixed_times(server: Server) -> None:
    with Load(spec(server, per_s=200, count=20, templates=("a", "b"), connections=2)) as load:
        result = load.wait()
    assert [round(due - result.due[0], 3) for due in result.due[:3]] == [0.0, 0.005, 0.010]
    assert result.accepted == 20 and not result.failed
    assert sorted(body["template"] for body in server.bodies) == ["a"] * 10 + ["b"] * 10
    assert result.select("b").templates == ["b"] * 10
    assert set(result.ids) == {f"id-user-{number}" for number in range(7)}


def test_a_closed_loop_posts_bulk_until_it_is_stopped(server: Server) -> None:
    with Load(spec(server, items=3, connections=2)) as load:
        while len(server.bodies) < 4:
            time.sleep(0.01)
        result = load.stop()
    assert result.accepted == 3 * len(server.bodies) >= 12
    # two connections: which of them the server reads first is not said
    batches = sorted([item["recipient"] for item in body["items"]] for body in server.bodies)
    assert batches[0] == ["user-0", "user-1", "user-2"]


def test_a_refused_request_is_a_failure_with_its_answer(server: Server) -> None:
    with Load(spec(server, key="wrong", count=2, per_s=RATE)) as load:
        result = load.wait()
    assert result.accepted == 0
    assert len(result.failed) == 2 and result.failed[0].startswith("401")


def steady(wait: float, growth: float = 0.0, count: int = 500) -> tuple[LoadResult, dict[str, float]]:
    """Requests at RATE; each message arrives after `wait`, and `growth` more for each one before it."""
    at = [number / RATE for number in range(count)]
    ids = [str(number) for number in range(count)]
    result = LoadResult(at, at, [t + 0.01 for t in at], ids, ["order-shipped"] * count, accepted=count)
    return result, {id_: t + wait + growth * n for n, (id_, t) in enumerate(zip(ids, at, strict=True))}


@pytest.mark.parametrize(
    ("wait", "growth", "holds"),
    [(0.02, 0.0, True), (0.9, 0.0, True), (1.2, 0.0, False), (0.02, 0.0005, True), (0.02, 0.002, False)],
)
def test_a_step_holds_when_messages_do_not_queue(wait: float, growth: float, holds: bool) -> None:
    assert held(*steady(wait, growth), RATE) is holds


def test_a_step_with_a_failure_or_a_lost_message_does_not_hold() -> None:
    result, arrived = steady(0.02)
    assert not held(result, {id_: at for id_, at in arrived.items() if id_ != "7"}, RATE)
    result.failed.append("503")
    assert not held(result, arrived, RATE)
    assert not held(LoadResult(), {}, RATE)


def test_an_answer_to_come_again_later_is_no_error() -> None:
    assert LoadResult(failed=["429 {}", "500 {}", "503", "0 TimeoutError: "]).errors() == ["500 {}", "0 TimeoutError: "]


def test_waits_are_counted_from_the_request() -> None:
    result, arrived = steady(0.02)
    figures = summary(result, arrived)
    assert (figures["p50_ms"], figures["answer_p99_ms"], figures["bench_late_p99_ms"]) == (20.0, 10.0, 0.0)
    assert summary(LoadResult(), {})["p50_ms"] is None


def test_outstanding_messages_had_begun_and_had_not_arrived() -> None:
    assert outstanding([1.0, 2.0, 3.0], [2.5, 4.0], 3.0) == 2


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.0, 0.5, 0.99)] == [1.0, 3.0, 4.0]


def test_a_ratio_needs_both_waits() -> None:
    alone = {"p50_ms": 10.0, "p99_ms": None, "requests": 3}
    assert ratios({"p50_ms": 25.0, "p99_ms": 9.0, "requests": 9}, alone) == {"p50_ms": 2.5, "p99_ms": None}
