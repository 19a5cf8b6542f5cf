"""Request batches on every client: each answer once and for its own request, several batches at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from notifier.transport.auto import AutoClient
from notifier.transport.curl.client import CurlClient
from notifier.transport.h2.client import Http2Client
from notifier.transport.h2.protocol import frames as f
from notifier.vocabulary.http import HttpClient, RequestRows, RequestTemplate, Response, TransportError
from tests.sandbox.process import Sandbox
from tests.transport.h2 import servers
from tests.transport.h2.hostile import ServerConnection, cut, scripted_server
from tests.transport.h2.peer import data, goaway, headers, reset, settings
from tests.transport.h2.test_servers import batch_answers

MakeClient = Callable[[str | None], HttpClient]


@pytest.fixture(params=[Http2Client, AutoClient, CurlClient], ids=["h2", "auto", "curl"])
def make_client(request: pytest.FixtureRequest) -> MakeClient:
    factory: MakeClient = request.param
    return factory


def head(origin: str, path: str = "/", timeout: float = 60.0) -> RequestTemplate:
    return RequestTemplate("POST", origin, path, (("authorization", "Bearer x"),), timeout)


# ---- attribution -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streams", [1, 100, 1000])
def test_nginx_attributes_every_answer(make_client: MakeClient, running: Sandbox, tmp_path: Path, streams: int) -> None:
    with servers.nginx(tmp_path, running.folder, f"http2_max_concurrent_streams {streams};") as origin:
        paths = [b"/few/%d" % i if i % 3 else b"/%d" % i for i in range(600)]
        received = batch_answers(make_client(running.ca), head(origin), [b"x" * 400] * 600, paths)
    assert received[::3] == [200] * 200
    others = [answer for index, answer in enumerate(received) if index % 3]
    assert {answer.status for answer in others if isinstance(answer, Response)} <= {404, 429}


def test_each_answer_of_node_belongs_to_its_request(make_client: MakeClient, running: Sandbox, tmp_path: Path) -> None:
    with servers.node(tmp_path, running.folder) as origin:
        names = ["plain", "throttle", "early", "reset", "trailers", "slow"]
        paths = [b"/%s-%d" % (names[i % 6].encode(), i) for i in range(300)]
        received = batch_answers(make_client(running.ca), head(origin), [b"%d" % i for i in range(300)], paths)
    for index, answer in enumerate(received):
        name = names[index % 6]
        if name == "throttle":
            assert isinstance(answer, Response) and (answer.status, answer.body) == (429, b"slow down")
        elif name == "reset":
            assert isinstance(answer, TransportError) and answer.begun
        else:
            assert answer == 200


def test_a_server_without_http_2_is_served_in_the_same_batch(running: Sandbox, tmp_path: Path) -> None:
    with servers.nginx(tmp_path, running.folder, protocol="") as origin:
        client = AutoClient(running.ca)
        for _ in range(2):
            received = batch_answers(
                client, head(origin), [b"x"] * 40, [b"/%d" % i if i % 2 else b"/empty" for i in range(40)]
            )
            assert received[1::2] == [200] * 20
            assert all(isinstance(answer, Response) and answer.status == 204 for answer in received[::2])
        assert client.warm(origin) == 0


def test_whatever_a_server_does_each_request_is_answered_once_and_correctly(running: Sandbox) -> None:
    """A server that answers, refuses, resets, goes away and hangs up by dice: nothing it took is sent twice, unless it
    said that it had not processed it, and each answer belongs to its body."""
    for seed in range(12):
        dice, processed, answered = random.Random(seed), list[bytes](), dict[bytes, int]()
        with scripted_server(running.folder, *[_random_script(dice, processed, answered)] * 60) as server:
            bodies = [b"%d" % i for i in range(300)]
            received = batch_answers(Http2Client(running.ca, connections=2), head(server.origin), bodies)
        assert len(processed) == len(set(processed))
        for body, answer in zip(bodies, received, strict=True):
            if answer == 200:
                assert answered[body] == 200
            elif isinstance(answer, Response):
                assert (answer.body, answered[body]) == (body, answer.status)
            elif isinstance(answer, TransportError) and not answer.begun:
                assert body not in processed


def _random_script(
    dice: random.Random, processed: list[bytes], answered: dict[bytes, int]
) -> Callable[[ServerConnection], None]:
    def script(connection: ServerConnection) -> None:
        connection.send(settings(streams=dice.choice([1, 7, 100]), window=dice.choice([3, 65_535])))
        count = highest = 0
        while new := [s for s in connection.read_requests(count + 1) if connection.reader.requests[s].answer()]:
            count += len(new)
            dice.shuffle(new)
            for stream in new:
                fate, body = dice.random(), connection.reader.requests[stream].body
                if fate < 0.1:
                    connection.send(reset(stream, f.REFUSED_STREAM))
                    continue
                processed.append(body)
                highest = max(highest, stream)
                if fate < 0.12:
                    connection.send(goaway(highest))
                    return cut(connection)
                if fate < 0.2:
                    connection.send(reset(stream, f.INTERNAL_ERROR))
                else:
                    answered[body] = 429 if fate < 0.5 else 200
                    connection.send(headers(stream, answered[body], end=False), data(stream, body))

    return script


# ---- several at once ---------------------------------------------------------------------------------------------


def test_a_completion_queue_gives_each_of_several_batches_its_own_answers(
    make_client: MakeClient, running: Sandbox, tmp_path: Path
) -> None:
    with servers.nginx(tmp_path, running.folder) as origin:
        completions = make_client(running.ca).completion_queue()
        batches = [
            completions.send_batch(head(origin), RequestRows([b"x"] * 200, [b"/%d" % i] * 200)) for i in range(4)
        ]
        places: list[list[int]] = [[] for _ in batches]
        while completions.left:
            for batch, answers in completions.take(20):
                assert all(answer == 200 for _, answer in answers)
                places[batches.index(batch)] += [index for index, _ in answers]
    assert [sorted(some) for some in places] == [list(range(200))] * 4
    assert [batch.left for batch in batches] == [0] * 4


def test_a_batch_completes_while_another_waits_for_its_answers(
    make_client: MakeClient, running: Sandbox, tmp_path: Path
) -> None:
    with servers.node(tmp_path, running.folder) as origin:
        client = make_client(running.ca)
        # libcurl gets only one request to a server until the first answer (gate.py)
        assert batch_answers(client, head(origin, "/plain"), [b"x"]) == [200]
        completions = client.completion_queue()
        slow = completions.send_batch(head(origin), RequestRows([b"x"] * 3, [b"/slow"] * 3))
        quick = completions.send_batch(head(origin, "/plain"), RequestRows([b"x"] * 50))
        while quick.left:
            completions.take(20)
        assert slow.left == 3
        received: list[object] = []
        while slow.left:
            received += [answer for _, answers in completions.take(60) for _, answer in answers]
        assert received == [200] * 3


def test_a_batch_begins_at_once_and_in_order(running: Sandbox) -> None:
    with scripted_server(running.folder) as server:
        client = Http2Client(running.ca, connections=1)
        client.warm(server.origin)
        batch = client.send_batch(head(server.origin), RequestRows([b"%d" % i for i in range(50)]))
        until(lambda: len(server.taken) == 50)
        assert server.taken == [str(i) for i in range(50)]
        assert batch.left == 50
        assert [answer for _, answer in batch.take(5)] == [200] * 50


def test_an_empty_batch_is_complete(make_client: MakeClient) -> None:
    batch = make_client(None).send_batch(head("https://127.0.0.1:1"), RequestRows([]))
    assert (batch.left, batch.take(5)) == (0, [])


def test_one_bad_path_does_not_hold_back_the_other_requests(make_client: MakeClient, running: Sandbox) -> None:
    with scripted_server(running.folder) as server:
        bodies, paths = [b"a", b"b", b"c", b"d"], [b"/a", b"@evil.example/", b"/c c", b"/d"]
        received = batch_answers(make_client(running.ca), head(server.origin), bodies, paths)
    assert [received[0], received[3]] == [200, 200]
    assert all(isinstance(answer, TransportError) and not answer.begun for answer in received[1:3])
    assert sorted(server.taken) == ["a", "d"]


@pytest.mark.parametrize(
    "bad",
    [RequestTemplate("POST", "https://a@b", "/", ()), RequestTemplate("POST", "https://server.example", "x/", ())],
)
def test_a_request_with_a_bad_template_is_never_sent(make_client: MakeClient, bad: RequestTemplate) -> None:
    received = batch_answers(make_client(None), bad, [b"x"] * 3)
    assert all(isinstance(answer, TransportError) and not answer.begun for answer in received)


def test_what_a_process_may_have_in_flight() -> None:
    assert [make_client(None, 7).streams for make_client in (Http2Client, AutoClient, CurlClient)] == [700] * 3


def until(done: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)
