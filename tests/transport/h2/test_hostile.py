"""The wire against a server that misbehaves: what was not begun, what is in doubt, and that nothing is sent twice."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from notifier.transport.h2 import frames as f
from notifier.transport.h2 import link as link_module
from notifier.transport.h2.client import Http2Client
from notifier.transport.h2.frames import frame
from notifier.vocabulary.http import Request, RequestTemplate, Response, TransportError
from tests.sandbox.stand import Stand
from tests.transport.h2.hostile import Play, Scene, cut, end_tls, ping, stage
from tests.transport.h2.peer import data, goaway, headers, reset, settings
from tests.transport.h2.test_servers import answers, told


def many(origin: str, count: int, timeout: float = 5.0) -> list[Request]:
    return [Request("POST", origin + "/", (), b"%d" % i, timeout) for i in range(count)]


def head(origin: str, timeout: float = 5.0) -> RequestTemplate:
    return RequestTemplate("POST", origin, "/", (), timeout)


def test_what_a_connection_did_not_process_is_sent_on_the_next_and_once(running: Stand) -> None:
    def goes_away(scene: Scene) -> None:
        scene.send(settings())
        streams = scene.asked(20)
        scene.send(goaway(streams[9]), *[headers(stream) for stream in streams[:10]])
        scene.ended()

    with stage(running.folder, goes_away) as server:
        client = Http2Client(running.ca, connections=1)
        assert told(client, head(server.origin), [b"%d" % i for i in range(50)]) == [200] * 50
        first, second = (scene.reader.requests for scene in server.scenes)
        processed = [one.body for stream, one in first.items() if stream <= 19]
        assert sorted(processed + [one.body for one in second.values()]) == sorted(b"%d" % i for i in range(50))


def test_what_was_below_the_last_stream_and_got_no_answer_is_in_doubt(running: Stand) -> None:
    def goes_away(scene: Scene) -> None:
        scene.send(settings())
        streams = scene.asked(20)
        scene.send(goaway(streams[9], f.ENHANCE_YOUR_CALM), headers(streams[0]))

    with stage(running.folder, goes_away) as server:
        found = told(Http2Client(running.ca, connections=1), head(server.origin), [b"x"] * 20)
    assert [found[0], *found[10:]] == [200] * 11
    assert all(isinstance(answer, TransportError) and answer.begun for answer in found[1:10])


@pytest.mark.parametrize("end", [cut, end_tls])
def test_a_cut_connection_leaves_doubt_and_no_repeats(running: Stand, end: Play) -> None:
    def breaks(scene: Scene) -> None:
        scene.send(settings(streams=30))
        streams = scene.asked(30)
        scene.send(*[headers(stream) for stream in streams[:10]])
        scene.asked(40)
        end(scene)

    with stage(running.folder, breaks) as server:
        found = told(Http2Client(running.ca, connections=1), head(server.origin), [b"%d" % i for i in range(60)])
        doubtful = {i for i, answer in enumerate(found) if isinstance(answer, TransportError)}
        assert len(doubtful) == 30
        assert sorted(server.taken, key=int) == [str(i) for i in range(60)]


def test_refused_streams_are_sent_again_and_then_left_to_the_caller(running: Stand) -> None:
    refusals: list[int] = []

    def refuses(scene: Scene) -> None:
        scene.send(settings())
        while streams := [s for s in scene.asked(len(refusals) + 1) if s not in refusals]:
            refusals.extend(streams)
            scene.send(*[reset(stream, f.REFUSED_STREAM) for stream in streams])

    with stage(running.folder, refuses) as server:
        (answer,) = answers(Http2Client(running.ca), many(server.origin, 1))
        assert answer == TransportError(False, "stream reset: REFUSED_STREAM")
    assert len(refusals) == 3


@pytest.mark.parametrize("play", [cut, lambda scene: scene.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")])
def test_a_server_that_says_nothing_of_http_2_has_begun_nothing(running: Stand, play: Play) -> None:
    with stage(running.folder, *[play] * 20) as server:
        found = answers(Http2Client(running.ca), many(server.origin, 3))
        assert all(isinstance(answer, TransportError) and not answer.begun for answer in found)


def test_a_broken_protocol_is_in_doubt_and_a_new_connection_serves_the_rest(running: Stand) -> None:
    def breaks(scene: Scene) -> None:
        scene.send(settings(streams=5))
        scene.asked(5)
        scene.send(headers(2))
        scene.ended()

    with stage(running.folder, breaks) as server:
        found = answers(Http2Client(running.ca, connections=1), many(server.origin, 20))
        assert [isinstance(a, TransportError) and a.begun for a in found].count(True) == 5
        assert sum(isinstance(a, Response) for a in found) == 15


def test_a_server_that_never_lets_a_stream_begin_is_given_up(running: Stand) -> None:
    def closed_shop(scene: Scene) -> None:
        scene.send(settings(streams=0))
        scene.ended()

    with stage(running.folder, *[closed_shop] * 4) as server:
        found = answers(Http2Client(running.ca), many(server.origin, 3, timeout=0.5))
        assert all(isinstance(answer, TransportError) and not answer.begun for answer in found)


def test_a_server_that_lets_one_stream_at_a_time_and_then_more_is_followed(running: Stand) -> None:
    def like_apple(scene: Scene) -> None:
        scene.send(settings(streams=1))
        assert scene.asked(1) == [1]
        scene.send(settings(streams=10), headers(1))
        assert len(scene.asked(11)) == 11
        scene.send(*[headers(stream) for stream in range(21, 2, -2)])
        scene.ended()

    with stage(running.folder, like_apple) as server:
        client = Http2Client(running.ca, connections=1)
        assert told(client, head(server.origin), [b"x"] * 11) == [200] * 11


def test_a_listener_that_does_not_even_shake_hands_is_given_up(running: Stand) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        origin = f"https://127.0.0.1:{silent.getsockname()[1]}"
        (answer,) = answers(Http2Client(running.ca), many(origin, 1, timeout=0.4))
    assert isinstance(answer, TransportError) and not answer.begun


def test_a_connection_that_falls_silent_is_asked_and_then_closed(
    running: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "SILENCE_BUSY", 0.1)
    monkeypatch.setattr(link_module, "PATIENCE", 0.3)
    asked = threading.Event()

    def falls_silent(scene: Scene) -> None:
        scene.send(settings())
        scene.asked(1)
        scene.until(lambda _: any(kind == f.PING for kind, *_ in scene.reader.control))
        asked.set()
        time.sleep(5)

    with stage(running.folder, falls_silent) as server:
        (answer,) = answers(Http2Client(running.ca), many(server.origin, 1, timeout=4))
        assert asked.is_set()
        assert isinstance(answer, TransportError) and answer.begun and "silent" in answer.detail


def test_idle_connections_are_kept_alive_by_ping(running: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "SILENCE_IDLE", 0.2)
    pinged = threading.Event()

    def idles(scene: Scene) -> None:
        scene.send(settings())
        scene.until(lambda _: sum(kind == f.PING for kind, *_ in scene.reader.control) >= 1)
        scene.send(frame(f.PING, f.ACK, 0, b"notifier"))
        scene.until(lambda _: sum(kind == f.PING for kind, *_ in scene.reader.control) >= 2)
        scene.send(frame(f.PING, f.ACK, 0, b"notifier"))
        pinged.set()
        scene.send(*[headers(stream) for stream in scene.asked(1)])
        scene.ended()

    with stage(running.folder, idles) as server:
        client = Http2Client(running.ca, connections=1)
        assert client.warm(server.origin) == 1
        assert pinged.wait(60)
        assert isinstance(answers(client, many(server.origin, 1))[0], Response)
        assert len(server.scenes) == 1


def test_answers_in_any_order_and_any_pieces_reach_their_requests(running: Stand) -> None:
    def scatters(scene: Scene) -> None:
        scene.send(settings(), ping())
        streams = scene.asked(40)
        bodies = {stream: scene.reader.requests[stream].body for stream in streams}
        raw = b"".join(headers(stream, 200 + stream % 3, end=False) for stream in reversed(streams))
        raw += b"".join(data(stream, bodies[stream]) for stream in streams[::2] + streams[1::2])
        for at in range(0, len(raw), 7):
            scene.send(raw[at : at + 7])
        scene.ended()

    with stage(running.folder, scatters) as server:
        found = answers(Http2Client(running.ca, connections=1), many(server.origin, 40))
        assert [answer.body for answer in found if isinstance(answer, Response)] == [b"%d" % i for i in range(40)]


def test_warming_opens_as_many_connections_as_asked_and_they_are_used(running: Stand) -> None:
    with stage(running.folder) as server:
        client = Http2Client(running.ca, connections=3)
        assert client.warm(server.origin) == 3
        assert client.warm(server.origin) == 3
        assert told(client, head(server.origin), [b"x"] * 300) == [200] * 300
        assert len(server.scenes) == 3


def test_warming_a_place_where_nobody_listens_says_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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
def test_what_http_2_cannot_say_never_leaves(bad: RequestTemplate) -> None:
    (answer,) = told(Http2Client(), bad, [b"x"])
    assert isinstance(answer, TransportError) and not answer.begun and answer.detail.startswith("cannot be sent")


def test_one_bad_path_does_not_hold_back_the_others(running: Stand) -> None:
    with stage(running.folder) as server:
        requests = [Request("POST", server.origin + path, (), b"x") for path in ("/a", "/b c", "/d?e=f#g")]
        first, bad, last = answers(Http2Client(running.ca), requests)
        assert isinstance(first, Response) and isinstance(last, Response)
        assert isinstance(bad, TransportError) and not bad.begun
        assert sorted(one.headers[":path"] for one in server.scenes[0].reader.requests.values()) == ["/a", "/d?e=f"]
