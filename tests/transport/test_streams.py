"""How many streams each client opens, counted by the server: never more than its SETTINGS allow, and fewer after it
refused some."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from notifier.local.servers.ports import free_port
from notifier.transport.curl.client import CurlClient
from notifier.transport.h2.client import Http2Client
from notifier.transport.h2.protocol import frames as f
from notifier.vocabulary.http import HttpClient, RequestTemplate, TransportError
from notifier.vocabulary.verdicts import InDoubt, Sent, Temporary, Verdict
from tests.providers.people import a_push, sandboxed
from tests.sandbox.process import Sandbox
from tests.transport.h2.hostile import ScriptedServer, ServerConnection, scripted_server
from tests.transport.h2.peer import headers, reset, settings
from tests.transport.h2.test_servers import batch_answers

MakeClient = Callable[[str | None], HttpClient]
QUIET = 0.1  #: seconds in which a client that would open more streams has opened them


@pytest.fixture(params=[Http2Client, CurlClient], ids=["h2", "curl"])
def make_client(request: pytest.FixtureRequest) -> MakeClient:
    factory: MakeClient = request.param
    return factory


def post(client: HttpClient, server: ScriptedServer, count: int) -> list[object]:
    head = RequestTemplate("POST", server.origin, "/", (("authorization", "Bearer x"),), timeout=30.0)
    return batch_answers(client, head, [b"%d" % i for i in range(count)])


def wait_quiet(connection: ServerConnection) -> bool:
    """Read until nothing more comes. False when the client is gone."""
    connection.socket.settimeout(QUIET)
    try:
        while data := connection.socket.recv(65_536):
            connection.reader.read(data)
    except TimeoutError:
        return True
    finally:
        connection.socket.settimeout(20)
    return False


def open_streams(connection: ServerConnection) -> list[int]:
    return [stream for stream, one in connection.reader.requests.items() if not one.answered]


def answer(connection: ServerConnection, *streams: int) -> None:
    for stream in streams:
        connection.reader.requests[stream].answer()
    connection.send(*[headers(stream) for stream in streams])


def serve_strictly(connection: ServerConnection, limit: int) -> None:
    """Answer one request at a time, and only when no more come."""
    while wait_quiet(connection):
        waiting = open_streams(connection)
        assert len(waiting) <= limit, f"{len(waiting)} streams at once, {limit} allowed"
        if waiting:
            answer(connection, waiting[0])


@pytest.mark.parametrize("limit", [1, 3])
def test_never_more_streams_are_open_than_settings_allow(make_client: MakeClient, running: Sandbox, limit: int) -> None:
    def strict(connection: ServerConnection) -> None:
        connection.send(settings(streams=limit))
        serve_strictly(connection, limit)

    with scripted_server(running.folder, *[strict] * 20) as server:
        assert post(make_client(running.ca), server, 40) == [200] * 40
        assert sorted(map(int, server.taken)) == list(range(40))


def test_before_settings_come_a_connection_carries_one_stream_at_most(
    make_client: MakeClient, running: Sandbox
) -> None:
    def late(connection: ServerConnection) -> None:
        if not wait_quiet(connection) or not wait_quiet(connection):
            return
        assert len(open_streams(connection)) <= 1
        connection.send(settings(streams=2))
        serve_strictly(connection, 2)

    with scripted_server(running.folder, *[late] * 20) as server:
        assert post(make_client(running.ca), server, 30) == [200] * 30


def test_settings_that_go_down_in_mid_flight_are_obeyed(make_client: MakeClient, running: Sandbox) -> None:
    def shrinking(connection: ServerConnection) -> None:
        connection.send(settings(streams=10))
        while wait_quiet(connection) and len(open_streams(connection)) < 10:
            answer(connection, *open_streams(connection))
        connection.send(settings(streams=2))
        while wait_quiet(connection) and len(waiting := open_streams(connection)) > 2:
            answer(connection, waiting[0])
        serve_strictly(connection, 2)

    with scripted_server(running.folder, *[shrinking] * 20) as server:
        assert post(make_client(running.ca), server, 100) == [200] * 100


def test_a_server_that_refuses_streams_gets_fewer_at_once(make_client: MakeClient, running: Sandbox) -> None:
    """Its SETTINGS allow 100, and it refuses what comes above 8."""
    peaks: list[int] = []

    def overloaded(connection: ServerConnection) -> None:
        connection.send(settings(streams=100))
        while wait_quiet(connection):
            waiting = open_streams(connection)
            peaks.append(len(waiting))
            answer(connection, *waiting[:8])
            refused = [stream for stream in waiting[8:] if connection.reader.requests[stream].answer()]
            connection.send(*[reset(stream, f.REFUSED_STREAM) for stream in refused])

    with scripted_server(running.folder, *[overloaded] * 50) as server:
        client = make_client(running.ca)
        for _ in range(4):
            received = post(client, server, 150)
            assert all(one == 200 or isinstance(one, TransportError) for one in received)
    first = next(index for index, peak in enumerate(peaks) if peak > 8)
    assert max(peaks[first + 10 :]) <= max(peaks) // 2


def test_a_refused_stream_has_not_begun(make_client: MakeClient, sandbox: Sandbox) -> None:
    """libcurl's first refusals are in doubt: only its log shows them, and it is read only after the first."""
    client = make_client(sandbox.ca)
    sandbox.faults(refuse_every=5)
    first, second = send(client, sandbox, "first"), send(client, sandbox, "second")
    assert kinds(second) <= {Sent, Temporary}
    if make_client is Http2Client:
        assert kinds(first) <= {Sent, Temporary}
    sent = sum(isinstance(one, Sent) for one in [*first, *second])
    report = sandbox.report()
    assert (report["unique"], report["duplicates"]) == (sent, 0)


def test_a_request_that_goaway_says_was_not_processed_has_not_begun(make_client: MakeClient, sandbox: Sandbox) -> None:
    client = make_client(sandbox.ca)
    sandbox.faults(refuse_every=7)
    send(client, sandbox, "warm")
    sandbox.faults(refuse_every=0, goaway_every=40)
    received = send(client, sandbox, "late")
    report = sandbox.report()
    assert report["duplicates"] == 0
    assert InDoubt not in kinds(received)


def test_requests_that_wait_for_a_silent_server_fail_and_have_not_begun(running: Sandbox) -> None:
    """libcurl gets only one request before the first answer: the others must not wait for one timeout after another."""

    def silent(connection: ServerConnection) -> None:
        connection.send(settings(streams=1))
        connection.ended()

    with scripted_server(running.folder, *[silent] * 50) as server:
        head = RequestTemplate("POST", server.origin, "/", (), timeout=1.0)
        received = batch_answers(CurlClient(running.ca), head, [b"%d" % i for i in range(300)])
        begun = [index for index, one in enumerate(received) if isinstance(one, TransportError) and one.begun]
        assert all(isinstance(one, TransportError) for one in received)
        assert {int(body) for body in server.taken} <= set(begun)
    assert len(begun) <= 20


def test_requests_that_wait_for_an_unreachable_server_fail_at_once(make_client: MakeClient) -> None:
    origin = f"https://127.0.0.1:{free_port()}"
    received = batch_answers(make_client(None), RequestTemplate("POST", origin, "/", (), timeout=5.0), [b"x"] * 2_000)
    assert all(isinstance(one, TransportError) and not one.begun for one in received)


def send(client: HttpClient, sandbox: Sandbox, word: str) -> Sequence[Verdict]:
    received = sandboxed(sandbox.url).send([a_push(f"{word}-{i}") for i in range(200)], client)
    return [verdict for batch in received for _, verdict in batch]


def kinds(verdicts: Sequence[Verdict]) -> set[type[Verdict]]:
    return {type(one) for one in verdicts}
