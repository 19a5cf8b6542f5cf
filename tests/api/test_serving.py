"""notifier.web.serving.handler: a request is answered the same whichever thread answers it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from notifier.web.serving.downloads import Download
from notifier.web.serving.handler import ThreadedHandler

SEEN: list[str] = []


def echo(request: HttpRequest) -> HttpResponse:
    SEEN.append(threading.current_thread().name)
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
    # a web process gives the connection back to its pool; here it would stop the test database from being dropped
    connections["default"].close()
    answer = HttpResponse(request.body[::-1], status=201)
    answer.set_cookie("one", "1")
    answer.set_cookie("two", "2")
    return answer


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"a", b"b"]))


TAKEN_BY: list[str] = []


def download(request: HttpRequest) -> Download:
    def pieces() -> Iterator[bytes]:
        for piece in (b"a", b"", b"b", b"c"):
            TAKEN_BY.append(threading.current_thread().name)
            yield piece

    return Download(pieces(), "päople/1.csv")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("for the test")


urlpatterns = [path("echo", echo), path("stream", stream), path("download", download), path("broken", broken)]


@pytest.fixture
def handler(transactional_db: None) -> Any:
    with override_settings(
        ROOT_URLCONF=__name__, MIDDLEWARE=["notifier.web.serving.admission.Admission"], ALLOWED_HOSTS=["*"], DEBUG=False
    ):
        yield ThreadedHandler(2)


def ask(handler: ThreadedHandler, *paths: str, body: tuple[Mapping[str, Any], ...] = ()) -> list[Any]:
    async def one(address: str) -> list[Mapping[str, Any]]:
        parts, sent = iter(body or ({"type": "http.request", "body": b""},)), []

        async def receive() -> Mapping[str, Any]:
            return next(parts)

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": address, "headers": [], "query_string": b""}
        await handler(scope, receive, send)
        return sent

    async def every() -> list[Any]:
        return list(await asyncio.gather(*(one(address) for address in paths)))

    return asyncio.run(every())


def test_a_body_in_parts_arrives_whole_and_every_cookie_leaves(handler: ThreadedHandler) -> None:
    parts = ({"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c"})
    ((start, content),) = ask(handler, "/echo", body=parts)
    assert start["status"] == 201
    assert content == {"type": "http.response.body", "body": b"cba"}
    cookies = [value for name, value in start["headers"] if name == b"Set-Cookie"]
    assert [cookie.partition(b"=")[0] for cookie in cookies] == [b"one", b"two"]


def test_requests_share_the_threads_and_their_connections(handler: ThreadedHandler) -> None:
    SEEN.clear()
    assert [start["status"] for start, _ in ask(handler, *["/echo"] * 20)] == [201] * 20
    assert len(set(SEEN)) <= 2
    assert all(name.startswith("request") for name in SEEN)


def test_a_download_leaves_piece_by_piece(handler: ThreadedHandler) -> None:
    ((start, *content),) = ask(handler, "/download")
    assert dict(start["headers"])[b"Content-Disposition"] == b'attachment; filename="p_ople_1.csv"'
    assert [(part["body"], part.get("more_body", False)) for part in content] == [
        (b"a", True),
        (b"b", True),
        (b"c", True),
        (b"", False),
    ]
    assert all(name.startswith("request") for name in TAKEN_BY)


def test_a_stream_is_sent_whole(handler: ThreadedHandler) -> None:
    ((start, content),) = ask(handler, "/stream")
    assert (start["status"], content["body"]) == (200, b"ab")


def test_an_error_is_an_answer(handler: ThreadedHandler) -> None:
    ((start, _),) = ask(handler, "/broken")
    assert start["status"] == 500


def test_a_client_that_disconnects_before_the_end_of_its_body_gets_no_answer(handler: ThreadedHandler) -> None:
    assert ask(handler, "/echo", body=({"type": "http.disconnect"},)) == [[]]
