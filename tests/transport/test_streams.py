"""How many streams either client opens, told by a far end that counts: never more than its SETTINGS say, and fewer when
it refuses some."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import pytest

from notifier.transport.curl.client import CurlClient
from notifier.transport.h2 import frames as f
from notifier.transport.h2.client import Http2Client
from notifier.vocabulary.http import HttpClient, RequestTemplate, TransportError
from notifier.vocabulary.verdicts import InDoubt, Sent, Temporary, Verdict
from tests.providers.people import a_push, sandboxed
from tests.sandbox.stand import Stand
from tests.transport.h2.hostile import Scene, Stage, stage
from tests.transport.h2.peer import headers, reset, settings
from tests.transport.h2.test_servers import told

Makes = Callable[[str | None], HttpClient]
QUIET = 0.1  #: seconds in which a client that would open more streams has opened them


@pytest.fixture(params=[Http2Client, CurlClient], ids=["h2", "curl"])
def made(request: pytest.FixtureRequest) -> Makes:
    makes: Makes = request.param
    return makes


def post(client: HttpClient, server: Stage, count: int) -> list[object]:
    head = RequestTemplate("POST", server.origin, "/", (("authorization", "Bearer x"),), timeout=30.0)
    return told(client, head, [b"%d" % i for i in range(count)])


def wait_quiet(scene: Scene) -> bool:
    """Read until nothing more comes. False when the client is gone."""
    scene.socket.settimeout(QUIET)
    try:
        while data := scene.socket.recv(65_536):
            scene.reader.read(data)
    except TimeoutError:
        return True
    finally:
        scene.socket.settimeout(20)
    return False


def open_streams(scene: Scene) -> list[int]:
    return [stream for stream, one in scene.reader.requests.items() if not one.answered]


def answer(scene: Scene, *streams: int) -> None:
    for stream in streams:
        scene.reader.requests[stream].answer()
    scene.send(*[headers(stream) for stream in streams])


def serve_strictly(scene: Scene, limit: int) -> None:
    """Answer one request at a time, and only when no more come."""
    while wait_quiet(scene):
        waiting = open_streams(scene)
        assert len(waiting) <= limit, f"{len(waiting)} streams at once, {limit} allowed"
        if waiting:
            answer(scene, waiting[0])


@pytest.mark.parametrize("limit", [1, 3])
def test_never_more_streams_are_open_than_settings_say(made: Makes, running: Stand, limit: int) -> None:
    def strict(scene: Scene) -> None:
        scene.send(settings(streams=limit))
        serve_strictly(scene, limit)

    with stage(running.folder, *[strict] * 20) as server:
        assert post(made(running.ca), server, 40) == [200] * 40
        assert sorted(map(int, server.taken)) == list(range(40))


def test_before_settings_come_a_connection_carries_one_stream_at_most(made: Makes, running: Stand) -> None:
    def late(scene: Scene) -> None:
        if not wait_quiet(scene) or not wait_quiet(scene):
            return
        assert len(open_streams(scene)) <= 1
        scene.send(settings(streams=2))
        serve_strictly(scene, 2)

    with stage(running.folder, *[late] * 20) as server:
        assert post(made(running.ca), server, 30) == [200] * 30


def test_settings_that_go_down_in_mid_flight_are_obeyed(made: Makes, running: Stand) -> None:
    def shrinking(scene: Scene) -> None:
        scene.send(settings(streams=10))
        while wait_quiet(scene) and len(open_streams(scene)) < 10:
            answer(scene, *open_streams(scene))
        scene.send(settings(streams=2))
        while wait_quiet(scene) and len(waiting := open_streams(scene)) > 2:
            answer(scene, waiting[0])
        serve_strictly(scene, 2)

    with stage(running.folder, *[shrinking] * 20) as server:
        assert post(made(running.ca), server, 100) == [200] * 100


def test_a_far_end_that_refuses_streams_gets_fewer_at_once(made: Makes, running: Stand) -> None:
    """Its SETTINGS allow 100, and it refuses what comes above 8."""
    peaks: list[int] = []

    def overloaded(scene: Scene) -> None:
        scene.send(settings(streams=100))
        while wait_quiet(scene):
            waiting = open_streams(scene)
            peaks.append(len(waiting))
            answer(scene, *waiting[:8])
            refused = [stream for stream in waiting[8:] if scene.reader.requests[stream].answer()]
            scene.send(*[reset(stream, f.REFUSED_STREAM) for stream in refused])

    with stage(running.folder, *[overloaded] * 50) as server:
        client = made(running.ca)
        for _ in range(4):
            found = post(client, server, 150)
            assert all(one == 200 or isinstance(one, TransportError) for one in found)
    first = next(place for place, peak in enumerate(peaks) if peak > 8)
    assert max(peaks[first + 10 :]) <= max(peaks) // 2


def test_a_refused_stream_has_not_begun(made: Makes, stand: Stand) -> None:
    """libcurl's first refusals are in doubt, because it tells them in its log only, which is not read until then."""
    client = made(stand.ca)
    stand.faults(refuse_every=5)
    first, second = send(client, stand, "first"), send(client, stand, "second")
    assert kinds(second) <= {Sent, Temporary}
    if made is Http2Client:
        assert kinds(first) <= {Sent, Temporary}
    sent = sum(isinstance(one, Sent) for one in [*first, *second])
    report = stand.report()
    assert (report["unique"], report["duplicates"]) == (sent, 0)


def test_what_goaway_says_was_not_processed_has_not_begun(made: Makes, stand: Stand) -> None:
    client = made(stand.ca)
    stand.faults(refuse_every=7)
    send(client, stand, "warm")
    stand.faults(refuse_every=0, goaway_every=40)
    found = send(client, stand, "late")
    report = stand.report()
    assert report["duplicates"] == 0
    assert InDoubt not in kinds(found)


def test_what_waits_for_a_far_end_that_never_answers_is_told_so_and_has_not_begun(running: Stand) -> None:
    """libcurl's first request there is alone: the others must not wait for it one timeout after the other."""

    def silent(scene: Scene) -> None:
        scene.send(settings(streams=1))
        scene.ended()

    with stage(running.folder, *[silent] * 50) as server:
        head = RequestTemplate("POST", server.origin, "/", (), timeout=1.0)
        found = told(CurlClient(running.ca), head, [b"%d" % i for i in range(300)])
        begun = [place for place, one in enumerate(found) if isinstance(one, TransportError) and one.begun]
        assert all(isinstance(one, TransportError) for one in found)
        assert {int(body) for body in server.taken} <= set(begun)
    assert len(begun) <= 20


def test_what_waits_for_a_far_end_that_nobody_reaches_is_told_so_at_once(made: Makes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        origin = f"https://127.0.0.1:{free.getsockname()[1]}"
    found = told(made(None), RequestTemplate("POST", origin, "/", (), timeout=5.0), [b"x"] * 2_000)
    assert all(isinstance(one, TransportError) and not one.begun for one in found)


def send(client: HttpClient, stand: Stand, word: str) -> Sequence[Verdict]:
    found = sandboxed(stand.url).send([a_push(f"{word}-{i}") for i in range(200)], client)
    return [verdict for batch in found for _, verdict in batch]


def kinds(verdicts: Sequence[Verdict]) -> set[type[Verdict]]:
    return {type(one) for one in verdicts}
