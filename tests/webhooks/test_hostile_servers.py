"""Servers that answer slowly, endlessly, or not at all: an attempt ends within its limits."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator

import pytest
from django.conf import settings

from notifier.transport import egress
from notifier.transport.https_post import Answer, Limits, PostFailed, Request, post
from notifier.values import webhook_url

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMITS, PATIENT = Limits(seconds=1.5), Limits(seconds=60)
LIMIT_REACHED = "no answer within 1.5 seconds"


@pytest.fixture(autouse=True)
def receivers_on_this_machine() -> Iterator[None]:
    egress.allow(["127.0.0.0/8"])
    yield
    egress.allow(settings.INTERNAL_HOSTS)


def exchange(serve: Serve, limits: Limits = PATIENT) -> Answer | str:
    """The answer, or why there is none."""

    async def run() -> Answer | str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            url = webhook_url.parse(f"http://127.0.0.1:{port}/x", plain_http=True)
            try:
                return await post(Request(url, {}, b"{}" * 20_000), ssl.create_default_context(), limits)
            except PostFailed as failed:
                return str(failed)

    return asyncio.run(run())


def says(raw: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()

    return serve


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def slow_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.1)


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("serve", [silence, slow_headers, slow_body], ids=["silence", "slow headers", "slow body"])
def test_a_slow_server_costs_the_limit_of_time(serve: Serve) -> None:
    assert exchange(serve, LIMITS) == LIMIT_REACHED


@pytest.mark.parametrize(
    "head", [b"Content-Length: 10737418240", b"Transfer-Encoding: chunked"], ids=["length", "chunked"]
)
def test_of_ten_gigabytes_64_kib_are_read(head: bytes) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        chunk = b"a" * 65_536
        for _ in range(160_000):
            writer.write((b"10000\r\n" + chunk + b"\r\n") if b"chunked" in head else chunk)
            await writer.drain()
            sent += len(chunk)

    answer = exchange(serve)
    assert isinstance(answer, Answer)
    assert (answer.status, len(answer.body)) == (200, 65_536)
    # what the buffers of the connection take besides
    assert sent < 64 * 1024 * 1024


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", "the answer has more than 32 KiB of headers"),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "the answer is not HTTP/1.1"),
        (b"HTTP/2 200\r\n\r\n", "the answer is not HTTP/1.1"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "the answer is not HTTP/1.1"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10, "the answer never became final"),
        (b"", "the connection was closed before an answer came"),
        (b"HTTP/1.1 200 O", "the connection was closed before an answer came"),
    ],
    ids=["headers", "ssh", "http2", "status", "continue", "nothing", "half"],
)
def test_what_is_no_answer_says_why(raw: bytes, why: str) -> None:
    assert exchange(says(raw)) == why


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", 200, b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 200, b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc", 200, b"abc"),
        (b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", 307, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", 410, b""),
    ],
    ids=["204", "until the end", "length", "chunked", "bad chunk", "bad length", "redirect", "after continue"],
)
def test_answers_are_read(raw: bytes, status: int, body: bytes) -> None:
    answer = exchange(says(raw))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (status, body)
