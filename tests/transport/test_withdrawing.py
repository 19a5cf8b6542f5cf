"""Withdrawn batches, and warmed connections, on every client."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from notifier.local.servers.ports import free_port
from notifier.transport.auto import AutoClient
from notifier.transport.h2.client import Http2Client
from notifier.transport.h2.options import Times
from notifier.vocabulary.http import RequestRows, TransportError
from tests.sandbox.process import Sandbox
from tests.transport.h2 import servers
from tests.transport.h2.hostile import ServerConnection, cut, scripted_server
from tests.transport.h2.peer import goaway, headers, settings
from tests.transport.h2.test_servers import batch_answers
from tests.transport.test_batches import MakeClient, head, make_client, until

__all__ = ["make_client"]
WITHDRAWN = TransportError(False, "withdrawn")


def test_requests_that_have_not_begun_when_withdrawn_never_begin(make_client: MakeClient, running: Sandbox) -> None:
    """The server allows one request at a time."""
    go_on = threading.Event()

    def one_at_a_time(connection: ServerConnection) -> None:
        connection.send(settings(streams=1))
        for count in range(1, 4):
            connection.send(headers(connection.read_requests(count)[-1]))
        connection.read_requests(4)
        go_on.wait(60)
        connection.send(headers(7))
        connection.ended()

    with scripted_server(running.folder, *[one_at_a_time] * 4) as server:
        client = make_client(running.ca)
        batch = client.send_batch(head(server.origin, timeout=30.0), RequestRows([b"%d" % i for i in range(2_000)]))
        until(lambda: len(server.taken) >= 4)
        time.sleep(0.2)
        batch.withdraw()
        received: dict[int, object] = {}
        # the server answers nothing now; libcurl has up to 400 of the others
        while sum(answer == WITHDRAWN for answer in received.values()) < 1_500:
            answers = batch.take(60)
            assert answers
            received |= dict(answers)
        go_on.set()
        while batch.left:
            received |= dict(batch.take(10))
        withdrawn = [index for index, answer in received.items() if answer == WITHDRAWN]
        assert not {str(index) for index in withdrawn} & set(server.taken)
        assert len(withdrawn) + len(server.taken) == 2_000


def test_a_batch_withdrawn_before_any_connection_is_open_never_begins(
    make_client: MakeClient, running: Sandbox
) -> None:
    with scripted_server(running.folder) as server:
        batch = make_client(running.ca).send_batch(head(server.origin), RequestRows([b"x"] * 500))
        batch.withdraw()
        received = [answer for _, answer in batch.take(5)]
        while batch.left:
            received += [answer for _, answer in batch.take(5)]
        time.sleep(0.1)
        assert len(received) == 500
        assert received.count(WITHDRAWN) == 500 - len(server.taken)


def test_withdrawing_one_batch_leaves_the_others_alone(
    make_client: MakeClient, running: Sandbox, tmp_path: Path
) -> None:
    with servers.node(tmp_path, running.folder) as origin:
        completions = make_client(running.ca).completion_queue()
        first, second = (completions.send_batch(head(origin, "/plain"), RequestRows([b"x"] * 700)) for _ in range(2))
        first.withdraw()
        received: dict[int, list[object]] = {id(first): [], id(second): []}
        while completions.left:
            for batch, answers in completions.take(20):
                received[id(batch)] += [answer for _, answer in answers]
        assert received[id(second)] == [200] * 700
        assert set(received[id(first)]) <= {200, WITHDRAWN} and len(received[id(first)]) == 700


def test_withdrawing_reaches_requests_that_libcurl_holds(running: Sandbox, tmp_path: Path) -> None:
    with servers.nginx(tmp_path, running.folder, "limit_rate 1;", protocol="") as origin:
        batch = AutoClient(running.ca).send_batch(head(origin, timeout=4.0), RequestRows([b"x"] * 2_000))
        time.sleep(0.3)
        batch.withdraw()
        received: list[object] = []
        while batch.left:
            received += [answer for _, answer in batch.take(20)]
        assert received.count(WITHDRAWN) > 1_000
    taken = (tmp_path / "access.log").read_text().count("POST")
    assert taken <= 2_000 - received.count(WITHDRAWN)


# ---- warm --------------------------------------------------------------------------------------------------------


def test_warm_connections_that_the_server_closes_are_opened_again(running: Sandbox) -> None:
    def soon_over(connection: ServerConnection) -> None:
        connection.send(settings(), goaway(0))
        cut(connection)

    with scripted_server(running.folder, soon_over, soon_over, soon_over) as server:
        client = Http2Client(running.ca, connections=2, times=Times(reopen=0.3))
        start = time.monotonic()
        client.warm(server.origin)
        until(lambda: len(server.connections) >= 5)
        assert time.monotonic() - start > 0.3
        until(lambda: client.warm(server.origin) == 2)
        assert batch_answers(client, head(server.origin), [b"x"] * 10) == [200] * 10
        assert len(server.connections) <= 6


def test_warm_connections_are_not_kept_for_ever(running: Sandbox) -> None:
    times = Times(keep_warm=0.2, reopen=0.1)
    closing = threading.Event()

    def closes(connection: ServerConnection) -> None:
        connection.send(settings())
        closing.wait(60)
        cut(connection)

    with scripted_server(running.folder, closes) as server:
        assert Http2Client(running.ca, connections=1, times=times).warm(server.origin) == 1
        time.sleep(0.4)
        closing.set()
        time.sleep(0.5)
        assert len(server.connections) == 1


def test_warming_never_raises(make_client: MakeClient, running: Sandbox) -> None:
    port = free_port()
    for origin in (f"https://127.0.0.1:{port}", "https://no-such-host.invalid", "http://127.0.0.1", "nonsense"):
        assert make_client(running.ca).warm(origin) == 0
