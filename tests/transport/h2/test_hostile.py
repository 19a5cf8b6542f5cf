"""The HTTP/2 client against a server that misbehaves: what has not begun, what is in doubt, and that nothing is sent
twice."""

from __future__ import annotations

import socket
import threading

import pytest

from notifier.local.servers.ports import free_port
from notifier.transport.h2.client import Http2Client
from notifier.transport.h2.options import Times
from notifier.transport.h2.protocol import frames as f
from notifier.transport.h2.protocol.frames import frame
from notifier.vocabulary.http import Request, RequestTemplate, Response, TransportError
from tests.sandbox.process import Sandbox
from tests.transport.h2.hostile import Script, ServerConnection, cut, end_tls, ping, scripted_server
from tests.transport.h2.peer import data, goaway, headers, reset, settings
from tests.transport.h2.test_servers import answers, batch_answers


def many(origin: str, count: int, timeout: float = 5.0) -> list[Request]:
    return [Request("POST", origin + "/", (), b"%d" % i, timeout) for i in range(count)]


def head(origin: str, timeout: float = 5.0) -> RequestTemplate:
    return RequestTemplate("POST", origin, "/", (), timeout)


def test_requests_that_a_connection_did_not_process_are_sent_once_on_the_next(running: Sandbox) -> None:
    def goes_away(connection: ServerConnection) -> None:
        connection.send(settings())
        streams = connection.read_requests(20)
        connection.send(goaway(streams[9]), *[headers(stream) for stream in streams[:10]])
        connection.ended()

    with scripted_server(running.folder, goes_away) as server:
        client = Http2Client(running.ca, connections=1)
        assert batch_answers(client, head(server.origin), [b"%d" % i for i in range(50)]) == [200] * 50
        first, second = (connection.reader.requests for connection in server.connections)
        processed = [one.body for stream, one in first.items() if stream <= 19]
        assert sorted(processed + [one.body for one in second.values()]) == sorted(b"%d" % i for i in range(50))


def test_unanswered_requests_below_the_last_stream_of_goaway_are_in_doubt(running: Sandbox) -> None:
    def goes_away(connection: ServerConnection) -> None:
        connection.send(settings())
        streams = connection.read_requests(20)
        connection.send(goaway(streams[9], f.ENHANCE_YOUR_CALM), headers(streams[0]))

    with scripted_server(running.folder, goes_away) as server:
        received = batch_answers(Http2Client(running.ca, connections=1), head(server.origin), [b"x"] * 20)
    assert [received[0], *received[10:]] == [200] * 11
    assert all(isinstance(answer, TransportError) and answer.begun for answer in received[1:10])


@pytest.mark.parametrize("end", [cut, end_tls])
def test_a_cut_connection_leaves_doubt_and_no_repeats(running: Sandbox, end: Script) -> None:
    def breaks(connection: ServerConnection) -> None:
        connection.send(settings(streams=30))
        streams = connection.read_requests(30)
        connection.send(*[headers(stream) for stream in streams[:10]])
        connection.read_requests(40)
        end(connection)

    with scripted_server(running.folder, breaks) as server:
        received = batch_answers(
            Http2Client(running.ca, connections=1), head(server.origin), [b"%d" % i for i in range(60)]
        )
        doubtful = {i for i, answer in enumerate(received) if isinstance(answer, TransportError)}
        assert len(doubtful) == 30
        assert sorted(server.taken, key=int) == [str(i) for i in range(60)]


def test_refused_streams_are_sent_again_twice_and_then_refused_to_the_caller(running: Sandbox) -> None:
    refusals: list[int] = []

    def refuses(connection: ServerConnection) -> None:
        connection.send(settings())
        while streams := [s for s in connection.read_requests(len(refusals) + 1) if s not in refusals]:
            refusals.extend(streams)
            connection.send(*[reset(stream, f.REFUSED_STREAM) for stream in streams])

    with scripted_server(running.folder, refuses) as server:
        (answer,) = answers(Http2Client(running.ca), many(server.origin, 1))
        assert answer == TransportError(False, "stream reset: REFUSED_STREAM")
    assert len(refusals) == 3


@pytest.mark.parametrize("script", [cut, lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")])
def test_nothing_has_begun_at_a_server_that_does_not_speak_http_2_after_all(running: Sandbox, script: Script) -> None:
    with scripted_server(running.folder, *[script] * 20) as server:
        received = answers(Http2Client(running.ca), many(server.origin, 3))
        assert all(isinstance(answer, TransportError) and not answer.begun for answer in received)


def test_a_breach_of_the_protocol_leaves_doubt_and_a_new_connection_serves_what_waits(running: Sandbox) -> None:
    def breaks(connection: ServerConnection) -> None:
        connection.send(settings(streams=5))
        connection.read_requests(5)
        connection.send(headers(2))
        connection.ended()

    with scripted_server(running.folder, breaks) as server:
        received = answers(Http2Client(running.ca, connections=1), many(server.origin, 20))
        assert [isinstance(a, TransportError) and a.begun for a in received].count(True) == 5
        assert sum(isinstance(a, Response) for a in received) == 15


def test_a_server_that_never_lets_a_stream_begin_is_given_up(running: Sandbox) -> None:
    def allows_no_stream(connection: ServerConnection) -> None:
        connection.send(settings(streams=0))
        connection.ended()

    with scripted_server(running.folder, *[allows_no_stream] * 4) as server:
        received = answers(Http2Client(running.ca), many(server.origin, 3, timeout=0.5))
        assert all(isinstance(answer, TransportError) and not answer.begun for answer in received)


def test_a_server_that_allows_one_stream_and_then_more_is_obeyed(running: Sandbox) -> None:
    def like_apns(connection: ServerConnection) -> None:
        connection.send(settings(streams=1))
        assert connection.read_requests(1) == [1]
        connection.send(settings(streams=10), headers(1))
        assert len(connection.read_requests(11)) == 11
        connection.send(*[headers(stream) for stream in range(21, 2, -2)])
        connection.ended()

    with scripted_server(running.folder, like_apns) as server:
        client = Http2Client(running.ca, connections=1)
        assert batch_answers(client, head(server.origin), [b"x"] * 11) == [200] * 11


def test_a_listener_that_never_completes_the_tls_handshake_is_given_up(running: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        origin = f"https://127.0.0.1:{silent.getsockname()[1]}"
        (answer,) = answers(Http2Client(running.ca), many(origin, 1, timeout=0.4))
    assert isinstance(answer, TransportError) and not answer.begun


def test_a_connection_that_falls_silent_is_pinged_and_then_closed(running: Sandbox) -> None:
    times = Times(ping_busy=0.1, ping_timeout=0.3)
    pinged, given_up = threading.Event(), threading.Event()

    def falls_silent(connection: ServerConnection) -> None:
        connection.send(settings())
        connection.read_requests(1)
        connection.until(lambda _: any(kind == f.PING for kind, *_ in connection.reader.control))
        pinged.set()
        given_up.wait(60)

    with scripted_server(running.folder, falls_silent) as server:
        (answer,) = answers(Http2Client(running.ca, times=times), many(server.origin, 1, timeout=30))
        given_up.set()
        assert pinged.is_set()
        assert isinstance(answer, TransportError) and answer.begun and "silent" in answer.detail


def test_idle_connections_are_kept_alive_by_ping(running: Sandbox) -> None:
    pinged = threading.Event()

    def idles(connection: ServerConnection) -> None:
        connection.send(settings())
        connection.until(lambda _: sum(kind == f.PING for kind, *_ in connection.reader.control) >= 1)
        connection.send(frame(f.PING, f.ACK, 0, b"notifier"))
        connection.until(lambda _: sum(kind == f.PING for kind, *_ in connection.reader.control) >= 2)
        connection.send(frame(f.PING, f.ACK, 0, b"notifier"))
        pinged.set()
        connection.send(*[headers(stream) for stream in connection.read_requests(1)])
        connection.ended()

    with scripted_server(running.folder, idles) as server:
        client = Http2Client(running.ca, connections=1, times=Times(ping_idle=0.2))
        assert client.warm(server.origin) == 1
        assert pinged.wait(60)
        assert isinstance(answers(client, many(server.origin, 1))[0], Response)
        assert len(server.connections) == 1


def test_answers_in_any_order_and_any_pieces_reach_their_requests(running: Sandbox) -> None:
    def scatters(connection: ServerConnection) -> None:
        connection.send(settings(), ping())
        streams = connection.read_requests(40)
        bodies = {stream: connection.reader.requests[stream].body for stream in streams}
        raw = b"".join(headers(stream, 200 + stream % 3, end=False) for stream in reversed(streams))
        raw += b"".join(data(stream, bodies[stream]) for stream in streams[::2] + streams[1::2])
        for at in range(0, len(raw), 7):
            connection.send(raw[at : at + 7])
        connection.ended()

    with scripted_server(running.folder, scatters) as server:
        received = answers(Http2Client(running.ca, connections=1), many(server.origin, 40))
        assert [answer.body for answer in received if isinstance(answer, Response)] == [b"%d" % i for i in range(40)]


def test_warming_opens_as_many_connections_as_asked_and_they_are_used(running: Sandbox) -> None:
    with scripted_server(running.folder) as server:
        client = Http2Client(running.ca, connections=3)
        assert client.warm(server.origin) == 3
        assert client.warm(server.origin) == 3
        assert batch_answers(client, head(server.origin), [b"x"] * 300) == [200] * 300
        assert len(server.connections) == 3


def test_warming_a_port_where_no_server_listens_opens_no_connection() -> None:
    port = free_port()
    client = Http2Client()
    assert client.warm(f"https://127.0.0.1:{port}") == 0
    assert client.warm("http://127.0.0.1") == 0


@pytest.mark.parametrize(
    "bad",
    [
        RequestTemplate("POST", "http://127.0.0.1", "/", ()),
        RequestTemplate("POST", "https://127.0.0.1:99999", "/", ()),
        RequestTemplate("POST", "https://user@127.0.0.1", "/", ()),
        RequestTemplate("PO ST", "https://127.0.0.1:1", "/", ()),
        RequestTemplate("POST", "https://127.0.0.1:1", "no slash", ()),
        RequestTemplate("POST", "https://127.0.0.1:1", "/a b", ()),
        RequestTemplate("POST", "https://127.0.0.1:1", "/", (("x", "a\r\nb: c"),)),
        RequestTemplate("POST", "https://127.0.0.1:1", "/", (("X-Upper", "a"),)),
        RequestTemplate("POST", "https://127.0.0.1:1", "/", ((":path", "/b"),)),
        RequestTemplate("POST", "https://127.0.0.1:1", "/", (("connection", "close"),)),
        RequestTemplate("POST", "https://127.0.0.1:1", "/", (("x", "€"),)),
        RequestTemplate("POST", "https://127.0.0.1:1", "/", (("x", "a" * 20_000),)),
    ],
)
def test_a_request_that_http_2_forbids_is_never_sent(bad: RequestTemplate) -> None:
    (answer,) = batch_answers(Http2Client(), bad, [b"x"])
    assert isinstance(answer, TransportError) and not answer.begun and answer.detail.startswith("cannot be sent")


def test_one_bad_path_does_not_hold_back_the_others(running: Sandbox) -> None:
    with scripted_server(running.folder) as server:
        requests = [Request("POST", server.origin + path, (), b"x") for path in ("/a", "/b c", "/d?e=f#g")]
        first, bad, last = answers(Http2Client(running.ca), requests)
        assert isinstance(first, Response) and isinstance(last, Response)
        assert isinstance(bad, TransportError) and not bad.begun
        assert sorted(one.headers[":path"] for one in server.connections[0].reader.requests.values()) == [
            "/a",
            "/d?e=f",
        ]
