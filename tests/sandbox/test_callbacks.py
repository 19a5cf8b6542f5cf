"""What the fake services report, at a receiver that is the standard library's server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from notifier.sandbox import callbacks
from notifier.sandbox.callbacks import Callbacks, Site
from tests.sandbox.receiver import Receiver


def run(use: Callable[[Callbacks], None], *sites: str) -> dict[str, int]:
    """The report, once each call that `use` posts has its outcome."""

    async def drive() -> dict[str, int]:
        queue = Callbacks([Site.parse(site) for site in sites], pauses=(0.01, 0.01))
        use(queue)
        async with asyncio.timeout(60):
            while queue.report()["waiting"]:
                await asyncio.sleep(0.01)
        return queue.report()

    return asyncio.run(drive())


def test_a_call_arrives_with_its_headers_and_its_body(receiver: Receiver) -> None:
    url = f"{receiver.url}/v1/receipts/x/1/s?delivery=7"
    report = run(lambda queue: queue.post(url, {"content-type": "application/json"}, b"[1]", delay=0.01))
    assert report == {"sent": 1, "failed": 0, "dropped": 0, "refused": 0, "waiting": 0}
    call = receiver.received[0]
    assert (call.path, call.body) == ("/v1/receipts/x/1/s?delivery=7", b"[1]")
    assert call.headers["content-type"] == "application/json"


def test_a_call_without_2xx_is_repeated_twice(receiver: Receiver) -> None:
    receiver.status = lambda number: 503 if number < 3 else 204
    assert run(lambda queue: queue.post(receiver.url, {}, b""))["sent"] == 1
    receiver.status = lambda number: 404
    assert run(lambda queue: queue.post(receiver.url, {}, b""))["failed"] == 1
    assert len(receiver.received) == 6


def test_calls_that_nobody_answers_are_counted_and_given_up(receiver: Receiver) -> None:
    receiver.server.server_close()
    assert run(lambda queue: queue.post(receiver.url, {}, b""))["failed"] == 1


def test_a_burst_keeps_to_its_share_of_connections(receiver: Receiver) -> None:
    receiver.seconds = 0.005

    def burst(queue: Callbacks) -> None:
        for number in range(300):
            queue.post(f"{receiver.url}/{number}", {}, b"x")

    assert run(burst)["sent"] == 300
    assert len({call.path for call in receiver.received}) == 300
    assert receiver.most_busy <= callbacks.CONCURRENCY


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/",
        "http://example.com/v1/receipts/",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1.example.com/",
        "http://user:password@127.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "",
    ],
)
def test_no_server_but_the_loopback_and_the_site_is_called(url: str) -> None:
    report = run(lambda queue: queue.post(url, {}, b""), "https://notify.example.org")
    assert (report["refused"], report["waiting"]) == (1, 0)


def test_the_site_is_called_where_it_listens_by_its_public_name(receiver: Receiver) -> None:
    site = f"https://notify.example.com={receiver.url}"
    assert run(lambda queue: queue.post("https://notify.example.com/v1/r", {}, b"1"), site)["sent"] == 1
    headers = receiver.received[0].headers
    assert (headers["host"], headers["x-forwarded-proto"]) == ("notify.example.com", "https")


@pytest.mark.parametrize("headers", [{"a": "b\r\nx: y"}, {"a\r\nb": "c"}, {"a": "\u20ac"}])
def test_a_header_cannot_begin_another_request(receiver: Receiver, headers: dict[str, str]) -> None:
    assert run(lambda queue: queue.post(receiver.url, headers, b""))["failed"] == 1
    assert not receiver.received
