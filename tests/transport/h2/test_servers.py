"""The clients against nghttpd, nginx, Node and Caddy: servers that we did not write."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from notifier.transport.auto import AutoClient
from notifier.transport.curl import client
from notifier.transport.h2.client import Http2Client
from notifier.vocabulary.http import (
    LARGEST_ANSWER,
    HttpClient,
    Request,
    RequestRows,
    RequestTemplate,
    Response,
    TransportError,
)
from tests.sandbox.process import Sandbox
from tests.transport.h2 import servers

MakeClient = Callable[[str | None], HttpClient]


@pytest.fixture(params=[Http2Client, client.CurlClient], ids=["h2", "curl"])
def make_client(request: pytest.FixtureRequest) -> MakeClient:
    """Each client in turn: what both must do is tested on both."""
    factory: MakeClient = request.param
    return factory


def post(origin: str, *paths: str, body: bytes = b"x" * 400, timeout: float = 60.0) -> list[Request]:
    return [Request("POST", origin + path, (("authorization", "Bearer x"),), body, timeout) for path in paths]


def answers(client: HttpClient, requests: Sequence[Request]) -> list[Response | TransportError]:
    """In the order of the requests, each exactly once."""
    received: dict[int, Response | TransportError] = {}
    for batch in client.exchange(requests):
        for index, answer in batch:
            assert index not in received
            received[index] = answer
    assert sorted(received) == list(range(len(requests)))
    return [received[index] for index in range(len(requests))]


def responses(client: HttpClient, requests: Sequence[Request]) -> list[Response]:
    received = answers(client, requests)
    assert all(isinstance(answer, Response) for answer in received), [
        a for a in received if isinstance(a, TransportError)
    ][:3]
    return [answer for answer in received if isinstance(answer, Response)]


def batch_answers(
    client: HttpClient,
    head: RequestTemplate,
    bodies: Sequence[bytes] | RequestRows,
    paths: Sequence[bytes] | None = None,
) -> list[object]:
    """The answers of a batch in the order of its bodies, each exactly once."""
    rows = bodies if isinstance(bodies, RequestRows) else RequestRows(bodies, paths)
    batch, received, bodies = client.send_batch(head, rows), dict[int, object](), rows.bodies
    assert batch.left == len(bodies)
    while batch.left:
        for index, answer in batch.take(20):
            assert index not in received
            received[index] = answer
        assert batch.left == len(bodies) - len(received)
    assert batch.take(20) == []
    return [received[index] for index in range(len(bodies))]


# ---- nghttpd -----------------------------------------------------------------------------------------------------


def test_nghttpd_answers_each_of_thousands_once(make_client: MakeClient, running: Sandbox, tmp_path: Path) -> None:
    with servers.nghttpd(tmp_path, running.folder) as origin:
        client = make_client(running.ca)
        received = responses(client, post(origin, *["/answer", "/missing"] * 1500))
    assert [answer.status for answer in received] == [200, 404] * 1500


@pytest.mark.parametrize("options", [["-m", "1"], ["-m", "1000"], ["-w", "2", "-W", "2"], ["-b", "100"], ["-c", "0"]])
def test_nghttpd_with_strange_settings(running: Sandbox, tmp_path: Path, options: list[str]) -> None:
    """One stream at once; windows of 3 bytes; padding on every frame; no header table."""
    with servers.nghttpd(tmp_path, running.folder, *options) as origin:
        client = Http2Client(running.ca)
        head = RequestTemplate("POST", origin, "/answer", (("authorization", "Bearer x"),), 60.0)
        assert batch_answers(client, head, [b"x" * 400] * 300) == [200] * 300
        mixed = batch_answers(client, head, [b"y" * size for size in range(100)], [b"/answer", b"/missing"] * 50)
        assert mixed[::2] == [200] * 50
        assert all(isinstance(answer, Response) and answer.status == 404 for answer in mixed[1::2])


def test_nghttpd_takes_bodies_of_any_size_and_may_answer_early(running: Sandbox, tmp_path: Path) -> None:
    with servers.nghttpd(tmp_path, running.folder, "--early-response") as origin:
        client = Http2Client(running.ca)
        sizes = [0, 1, 16_383, 16_384, 16_385, 65_535, 70_000, 1_000_000]
        for _ in range(3):
            received = answers(client, [post(origin, "/answer", body=b"b" * size)[0] for size in sizes])
            assert all(isinstance(answer, Response) and answer.status == 200 for answer in received[:4])


# ---- nginx -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streams", [1, 100, 1000])
def test_nginx_attributes_every_answer(make_client: MakeClient, running: Sandbox, tmp_path: Path, streams: int) -> None:
    with servers.nginx(tmp_path, running.folder, f"http2_max_concurrent_streams {streams};") as origin:
        received = responses(make_client(running.ca), post(origin, *[f"/{i}" for i in range(400)]))
        assert [json.loads(answer.body)["uri"] for answer in received] == [f"/{i}" for i in range(400)]


def test_nginx_ends_connections_amid_requests_and_nothing_is_lost_or_sent_twice(
    running: Sandbox, tmp_path: Path
) -> None:
    with servers.nginx(tmp_path, running.folder, "keepalive_requests 37;") as origin:
        paths = [b"/%d" % i for i in range(2000)]
        received = batch_answers(
            Http2Client(running.ca), RequestTemplate("POST", origin, "", (), 60.0), [b"x" * 400] * 2000, paths
        )
        assert received == [200] * 2000
    taken = [line.split()[6] for line in (tmp_path / "access.log").read_text().splitlines()]
    assert sorted(taken) == sorted(path.decode() for path in paths)


def test_nginx_throttles_and_says_for_how_long(make_client: MakeClient, running: Sandbox, tmp_path: Path) -> None:
    with servers.nginx(tmp_path, running.folder) as origin:
        received = responses(make_client(running.ca), post(origin, *["/few"] * 50))
        throttled = [answer for answer in received if answer.status == 429]
        assert len(throttled) >= 40
        assert all(answer.headers["retry-after"] == "3" for answer in throttled)


def test_nginx_closes_idle_connections_and_new_ones_are_opened(running: Sandbox, tmp_path: Path) -> None:
    with servers.nginx(tmp_path, running.folder, "keepalive_timeout 1s;") as origin:
        client = Http2Client(running.ca, 3)
        assert client.warm(origin) == 3
        for _ in range(2):
            assert responses(client, post(origin, "/empty"))[0].status == 204
            time.sleep(1.2)


# ---- Node --------------------------------------------------------------------------------------------------------


@pytest.fixture
def node(running: Sandbox, tmp_path: Path) -> Iterator[str]:
    with servers.node(tmp_path, running.folder) as origin:
        yield origin


def test_node_answers_in_every_way_that_http_allows(make_client: MakeClient, node: str, running: Sandbox) -> None:
    client = make_client(running.ca)
    ways = ["/early", "/trailers", "/throttle", "/slow", "/large", "/plain", "/many"]
    early, trailers, throttle, slow, large, plain, many = responses(client, post(node, *ways, body=b"the body"))
    assert (early.status, early.body) == (200, b"the body")
    assert (trailers.status, trailers.body) == (200, b"the body")
    assert (throttle.status, throttle.headers["retry-after"], throttle.body) == (429, "3", b"slow down")
    assert (slow.status, slow.body) == (200, b".....")
    assert (large.status, large.body) == (500, b"z" * LARGEST_ANSWER)
    assert (plain.headers["x-path"], plain.body) == ("/plain", b"the body")
    assert (many.status, many.headers["x-h-59"]) == (400, "v" * 400)


def test_node_resets_are_in_doubt_and_are_not_repeated(make_client: MakeClient, node: str, running: Sandbox) -> None:
    client = make_client(running.ca)
    received = answers(client, post(node, "/reset", "/half", "/plain"))
    assert [isinstance(answer, TransportError) and answer.begun for answer in received] == [True, True, False]
    assert seen(client, node) == {"/reset": 1, "/half": 1, "/plain": 1}


def test_a_request_whose_stream_node_refuses_has_not_begun(node: str, running: Sandbox) -> None:
    client = Http2Client(running.ca)
    (refused,) = answers(client, post(node, "/refuse"))
    assert isinstance(refused, TransportError) and not refused.begun


def test_node_cutting_a_connection_leaves_doubt_and_no_repeats(
    make_client: MakeClient, node: str, running: Sandbox
) -> None:
    client = make_client(running.ca)
    paths = [f"/p-{i}" for i in range(60)] + ["/cut"] + [f"/q-{i}" for i in range(60)]
    received = answers(client, post(node, *paths))
    counts = seen(client, node)
    assert max(counts.values()) == 1
    for path, answer in zip(paths, received, strict=True):
        if isinstance(answer, Response):
            assert (answer.headers["x-path"], counts[path]) == (path, 1)
        else:
            assert answer.begun


def test_node_going_away_in_mid_flight_loses_nothing(node: str, running: Sandbox) -> None:
    client = Http2Client(running.ca)
    for turn in range(3):
        paths = [f"/{'goaway' if i == 40 else 'p'}-{turn}-{i}" for i in range(300)]
        received = answers(client, post(node, *paths))
        sent = {path for path, answer in zip(paths, received, strict=True) if isinstance(answer, Response)}
        assert all(answer.begun for answer in received if isinstance(answer, TransportError))
        counts = seen(client, node)
        assert all(counts[path] == 1 for path in sent)
    assert max(counts.values()) == 1


def test_node_changing_its_settings_in_mid_flight_is_followed(node: str, running: Sandbox) -> None:
    client = Http2Client(running.ca, connections=1)
    for name in ("/fewer", "/tiny"):
        received = responses(client, post(node, name, *[f"/p-{i}" for i in range(250)], body=b"b" * 200))
        assert all(answer.body == b"b" * 200 for answer in received)


def test_one_stream_until_the_first_answer_then_as_many_as_the_server_allows(running: Sandbox, tmp_path: Path) -> None:
    """As Apple does: one concurrent stream until the first accepted push, then 1,000."""
    with servers.node(tmp_path, running.folder, "settings: {maxConcurrentStreams: 1}") as origin:
        client, template = Http2Client(running.ca, connections=1), RequestTemplate("POST", origin, "", (), 60.0)

        def most_at_once(paths: Sequence[bytes]) -> int:
            received = batch_answers(client, template, [b"x"] * len(paths), paths)
            assert received[:-1] == [200] * (len(paths) - 1)
            last = received[-1]
            assert isinstance(last, Response)
            return int(last.body)

        assert most_at_once([b"/crowd"] * 5 + [b"/most"]) == 1
        assert most_at_once([b"/more", *[b"/crowd"] * 300, b"/most"]) == 300


@pytest.mark.parametrize(
    "options",
    [
        "settings: {initialWindowSize: 16, maxConcurrentStreams: 3}",
        "settings: {maxFrameSize: 20000, initialWindowSize: 100000}",
        "paddingStrategy: http2.constants.PADDING_STRATEGY_MAX",
        "settings: {headerTableSize: 0}",
    ],
)
def test_node_with_strange_settings(running: Sandbox, tmp_path: Path, options: str) -> None:
    with servers.node(tmp_path, running.folder, options) as origin:
        bodies = [bytes([i]) * size for i, size in enumerate([1, 15, 16, 17, 400, 16_384, 50_000, 100_001], 97)]
        requests = [post(origin, f"/p-{i}", body=body)[0] for i, body in enumerate(bodies)]
        received = responses(Http2Client(running.ca), requests)
        assert [answer.body for answer in received] == bodies


def test_caddy_attributes_every_answer_and_goes_away_in_order(
    make_client: MakeClient, running: Sandbox, tmp_path: Path
) -> None:
    with servers.caddy(tmp_path, running.folder) as origin:
        client = make_client(running.ca)
        paths = [f"/{i}" if i % 10 else "/throttle" for i in range(1500)]
        received = responses(client, post(origin, *paths))
        assert [answer.body.decode() for answer in received if answer.status == 200] == [
            p for p in paths if p[1:].isdigit()
        ]
        assert {answer.headers["retry-after"] for answer in received if answer.status == 429} == {"3"}
        if isinstance(client, Http2Client):
            between = [*["/abort"] * 3, *paths]
            for answer in answers(client, post(origin, *between)):
                assert isinstance(answer, Response) or not answer.begun


def test_a_server_that_speaks_only_http_1_gets_nothing_over_http_2(running: Sandbox, tmp_path: Path) -> None:
    with servers.nginx(tmp_path, running.folder, protocol="") as origin:
        (answer,) = answers(Http2Client(running.ca), post(origin, "/plain"))
    assert answer == TransportError(False, "no h2")


def test_a_server_that_speaks_only_http_1_is_served_by_libcurl(running: Sandbox, tmp_path: Path) -> None:
    with servers.nginx(tmp_path, running.folder, protocol="") as origin:
        client = AutoClient(running.ca)
        for _ in range(2):
            received = responses(client, post(origin, *[f"/{i}" for i in range(30)]))
            assert [json.loads(answer.body)["uri"] for answer in received] == [f"/{i}" for i in range(30)]
        head = RequestTemplate("POST", origin, "/one", (("authorization", "Bearer x"),), 60.0)
        assert batch_answers(client, head, [b"x"] * 30) == [200] * 30
        assert batch_answers(client, head, [b"x"] * 3, [b"/a", b"/b", b"/empty"])[:2] == [200] * 2


def seen(client: HttpClient, origin: str) -> dict[str, int]:
    """How often the server took each path."""
    (answer,) = responses(client, [Request("GET", origin + "/seen", (), b"")])
    counts: dict[str, int] = json.loads(answer.body)
    del counts["/seen"]
    return counts
