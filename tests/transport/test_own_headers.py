"""Batches whose requests differ in path and headers: what arrives has exactly these, on every client."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from notifier.transport.auto import AutoClient
from notifier.transport.curl.client import CurlClient
from notifier.transport.h2.client import Http2Client
from notifier.transport.h2.protocol import frames as f
from notifier.vocabulary.http import HttpClient, Request, RequestRows, RequestTemplate, TransportError
from tests.sandbox.process import Sandbox
from tests.transport.h2 import servers
from tests.transport.h2.hostile import Script, ServerConnection, scripted_server
from tests.transport.h2.peer import goaway, headers, reset, settings
from tests.transport.h2.test_servers import answers, batch_answers

MakeClient = Callable[[str | None], HttpClient]
OWN = ("apns-id", "x-own")


@pytest.fixture(params=[Http2Client, AutoClient, CurlClient], ids=["h2", "auto", "curl"])
def make_client(request: pytest.FixtureRequest) -> MakeClient:
    factory: MakeClient = request.param
    return factory


def head(origin: str, own: tuple[str, ...] = OWN, pool: str = "") -> RequestTemplate:
    return RequestTemplate("POST", origin, "/all", (("authorization", "Bearer x"),), 60.0, own, pool)


class Arrival(NamedTuple):
    path: str
    apns_id: str
    own: str
    size: str
    connection: str = ""


NOTED = 'log_format own "$request_uri|$http_apns_id|$http_x_own|$http_content_length|$connection";'


def arrivals(folder: Path, count: int) -> list[Arrival]:
    """What nginx saw of `count` requests."""
    for _ in range(500):
        lines = (folder / "own.log").read_text().splitlines()
        if len(lines) >= count:
            break
        time.sleep(0.02)
    return [Arrival(*line.split("|")) for line in lines]


def noting(folder: Path, more: str = "") -> str:
    return f"{NOTED} access_log {folder}/own.log own; {more}"


def rows(count: int, *, paths: bool = True) -> RequestRows:
    """Texts of many lengths, each naming its request."""
    lengths = random.Random(count)
    ids = [b"%d-%s" % (i, b"i" * lengths.randrange(200)) for i in range(count)]
    own = [b"%d:%s" % (i, b"o" * lengths.randrange(3)) for i in range(count)]
    bodies = [b"b" * (1 + i) for i in range(count)]
    return RequestRows(bodies, [b"/3/device/%d" % i for i in range(count)] if paths else None, [ids, own])


def expected(sent: RequestRows) -> list[Arrival]:
    return [
        Arrival("/all" if sent.paths is None else sent.paths[i].decode(), ids.decode(), own.decode(), str(len(body)))
        for i, (body, ids, own) in enumerate(zip(sent.bodies, *sent.headers, strict=True))
    ]


@pytest.mark.parametrize("paths", [True, False])
@pytest.mark.parametrize("http", ["", "keepalive_requests 40;", "http2_max_concurrent_streams 1;"])
def test_each_request_arrives_once_with_its_own_path_and_headers(
    make_client: MakeClient, running: Sandbox, tmp_path: Path, http: str, paths: bool
) -> None:
    """Also where the server says GOAWAY after every 40 requests: what libcurl had in flight then is in doubt."""
    if make_client is CurlClient and "keepalive" in http:
        pytest.skip("libcurl does not say what a GOAWAY refused")
    sent = rows(300, paths=paths)
    with servers.nginx(tmp_path, running.folder, noting(tmp_path, http)) as origin:
        assert batch_answers(make_client(running.ca), head(origin), sent) == [200] * 300
        seen = arrivals(tmp_path, 300)
    assert sorted(arrival._replace(connection="") for arrival in seen) == sorted(expected(sent))


def test_requests_of_an_exchange_arrive_with_their_own_headers(
    make_client: MakeClient, running: Sandbox, tmp_path: Path
) -> None:
    with servers.nginx(tmp_path, running.folder, noting(tmp_path)) as origin:
        requests = [
            Request("POST", f"{origin}/{i % 3}", (("apns-id", f"id-{i}"), ("x-own", "same")), b"x") for i in range(50)
        ]
        assert all(getattr(answer, "status", 0) == 200 for answer in answers(make_client(running.ca), requests))
        seen = arrivals(tmp_path, 50)
    assert sorted(arrival[:3] for arrival in seen) == sorted((f"/{i % 3}", f"id-{i}", "same") for i in range(50))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (b"no-slash", b"v"),
        (b"", b"v"),
        (b"/a b", b"v"),
        (b"/a\nb", b"v"),
        (b"/" + b"p" * 9_000, b"v"),
        (b"/", b"a\r\nb: c"),
        (b"/", b"a\0"),
        (b"/", b" v"),
        (b"/", b"v\t"),
        (b"/", b"v" * 9_000),
        (b"/" + b"p" * 5_000, b"v" * 5_000),
    ],
)
def test_a_row_that_http_forbids_is_refused_alone(
    make_client: MakeClient, running: Sandbox, path: bytes, value: bytes
) -> None:
    sent = RequestRows([b"good", b"bad", b"good"], [b"/1", path, b"/3"], [[b"1", value, b"a b"]])
    with scripted_server(running.folder) as server:
        received = batch_answers(make_client(running.ca), head(server.origin, OWN[:1]), sent)
    assert (received[0], received[2]) == (200, 200)
    refused = received[1]
    assert isinstance(refused, TransportError) and not refused.begun and refused.detail.startswith("cannot be sent")
    assert sorted(server.taken) == ["good", "good"]


@pytest.mark.parametrize("name", ["Upper", "te", ":path", "content-length", "a b", "n" * 9_000])
def test_a_name_that_http_forbids_is_never_sent(make_client: MakeClient, name: str) -> None:
    batch = make_client(None).send_batch(head("https://127.0.0.1:1", (name,)), RequestRows([b"x"], None, [[b"v"]]))
    [(_, answer)] = batch.take(5)
    assert isinstance(answer, TransportError) and answer.detail.startswith("cannot be sent")


def test_as_many_columns_of_headers_as_names(make_client: MakeClient) -> None:
    with pytest.raises(ValueError, match="as many columns"):
        make_client(None).send_batch(head("https://127.0.0.1:1"), RequestRows([b"x"], None, [[b"v"]]))
    with pytest.raises(ValueError, match="different lengths"):
        RequestRows([b"x"], None, [[b"v", b"w"]])


# ---- requests that a server did not process ----------------------------------------------------------------------


def ends_after(count: int) -> Script:
    """Answer `count` requests, then go away and process nothing of the others."""

    def script(connection: ServerConnection) -> None:
        connection.send(settings(streams=1_000))
        streams = connection.read_requests(count + 1)
        connection.send(*[headers(stream) for stream in streams[:count]], goaway(streams[count - 1]))
        connection.ended()

    return script


def refuses_every_third(connection: ServerConnection) -> None:
    """Refuse each third stream once; `taken` is what it processed."""
    connection.send(settings(streams=1_000))
    refused: set[str] = set()
    done: set[int] = set()
    while True:
        before = len(done)
        for stream in connection.read_requests(before + 1):
            path = connection.reader.requests[stream].headers[":path"]
            if stream not in done:
                done.add(stream)
                refuse = int(path.rpartition("/")[2]) % 3 == 0 and path not in refused
                refused.add(path)
                connection.send(reset(stream, f.REFUSED_STREAM) if refuse else headers(stream))
        if len(done) == before:
            return


@pytest.mark.parametrize("script", [ends_after(7), refuses_every_third], ids=["goaway", "refused"])
def test_requests_come_again_with_their_own_path_and_headers(running: Sandbox, script: Script) -> None:
    sent = rows(60)
    with scripted_server(running.folder, script) as server:
        assert batch_answers(Http2Client(running.ca, connections=1), head(server.origin), sent) == [200] * 60
    seen = Counter(
        Arrival(one.headers[":path"], one.headers["apns-id"], one.headers["x-own"], str(len(one.body)))
        for connection in server.connections
        for one in connection.reader.requests.values()
        if one.ended
    )
    assert set(seen) == set(expected(sent))
    assert any(count > 1 for count in seen.values())


# ---- pools -------------------------------------------------------------------------------------------------------


def test_two_pools_never_share_a_connection(make_client: MakeClient, running: Sandbox, tmp_path: Path) -> None:
    with servers.nginx(tmp_path, running.folder, noting(tmp_path)) as origin:
        client = make_client(running.ca)
        queue = client.completion_queue()
        for turn in range(4):
            for pool in ("team-a", "team-b", ""):
                queue.send_batch(head(origin, OWN[:1], pool), RequestRows([b"x"] * 50, None, [[pool.encode()] * 50]))
            assert sum(len(got) for _ in range(200) for _, got in queue.take(0.1 if queue.left else 0)) == 150, turn
        requests = [Request("POST", origin, (("apns-id", pool),), b"x", 10.0, pool) for pool in ("team-a", "team-b")]
        assert all(getattr(answer, "status", 0) == 200 for answer in answers(client, requests))
        seen = arrivals(tmp_path, 602)
    pools_of: dict[str, set[str]] = {}
    for arrival in seen:
        pools_of.setdefault(arrival.connection, set()).add(arrival.apns_id)
    assert len(seen) == 602
    assert all(len(pools) == 1 for pools in pools_of.values())
    assert len(pools_of) >= 3


def test_each_pool_is_warmed_by_itself(running: Sandbox, tmp_path: Path) -> None:
    with servers.nghttpd(tmp_path, running.folder) as origin:
        client = Http2Client(running.ca, connections=2)
        assert (client.warm(origin, "a"), client.warm(origin, "b")) == (2, 2)
        assert connections_to(origin) == 4


def test_many_pools_keep_few_connections(running: Sandbox, tmp_path: Path) -> None:
    with servers.nginx(tmp_path, running.folder) as origin:
        client = Http2Client(running.ca, connections=2, most_connections=3)
        for number in range(12):
            received = batch_answers(client, head(origin, (), f"pool-{number}"), RequestRows([b"x"] * 300))
            assert received == [200] * 300
        for _ in range(100):
            if (count := connections_to(origin)) <= 3:
                break
            time.sleep(0.05)
        assert 0 < count <= 3


def test_pools_that_are_busy_at_once_all_get_a_connection(running: Sandbox, tmp_path: Path) -> None:
    with servers.nginx(tmp_path, running.folder) as origin:
        queue = Http2Client(running.ca, connections=2, most_connections=3).completion_queue()
        for number in range(12):
            queue.send_batch(head(origin, (), f"pool-{number}"), RequestRows([b"x"] * 300))
        received = [answer for _ in range(300) for _, got in queue.take(0.1 if queue.left else 0) for _, answer in got]
    assert received == [200] * 3_600


def connections_to(origin: str) -> int:
    port = int(origin.rpartition(":")[2])
    mine = psutil.Process().net_connections(kind="tcp")
    return sum(1 for one in mine if one.raddr and one.raddr.port == port and one.status == psutil.CONN_ESTABLISHED)
