"""Limits on the address and the headers of a request: their size, their number, their speed."""

from __future__ import annotations

import pytest

from tests.inbox.web import Web
from tests.web.raw import HOST, Dripping, Raw, is_alive, request

pytestmark = pytest.mark.django_db(transaction=True)

MANY = "".join(f"X-H{n}: 1\r\n" for n in range(20_000))


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (f"GET /{'a' * 9_000} HTTP/1.1\r\n{HOST}\r\n", 414, "uri_too_long"),
        (f"GET /healthz?q={'a' * 100_000} HTTP/1.1\r\n{HOST}\r\n", 414, "uri_too_long"),
        (f"GET /healthz HTTP/1.1\r\n{HOST}X-Long: {'a' * 200_000}\r\n\r\n", 431, "headers_too_large"),
        (f"GET /healthz HTTP/1.1\r\n{HOST}{'a' * 9_000}: 1\r\n\r\n", 431, "headers_too_large"),
        (
            f"GET /healthz HTTP/1.1\r\n{HOST}" + f"X-Long: {'a' * 7_000}\r\n" * 6 + "\r\n",
            431,
            "headers_too_large",
        ),
        (f"GET /healthz HTTP/1.1\r\n{HOST}{MANY}\r\n", 431, "headers_too_large"),
        ("NONSENSE\r\n\r\n", 400, "malformed_request"),
        (f"GET /\xff HTTP/1.1\r\n{HOST}\r\n", 400, "malformed_request"),
        (f"GET /healthz HTTP/1.1\r\n{HOST}Content-Length: x\r\n\r\n", 400, "malformed_request"),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_request"),  # TLS
    ],
)
def test_a_head_that_is_too_long_or_malformed_is_refused_and_the_connection_closed(
    web: Web, request_: str, status: int, code: str
) -> None:
    with Raw(web) as client:
        client.send(request_)
        got = client.receive()
        assert (got.status, got.body["code"], got.body["status"]) == (status, code, status)
        assert got.headers["content-type"] == "application/problem+json"
        assert client.is_closed()
    assert is_alive(web)


def test_the_headers_of_a_proxy_and_a_browser_are_accepted(web: Web) -> None:
    headers = f"Cookie: {'c' * 4_000}\r\n" + f"Authorization: Bearer {'t' * 2_000}\r\n"
    headers += "".join(f"X-Forwarded-{n}: some value\r\n" for n in range(60))
    assert request(web, f"GET /healthz HTTP/1.1\r\n{HOST}{headers}\r\n").status == 200


def test_an_endless_header_is_cut_off(web: Web) -> None:
    with Raw(web) as client:
        client.send(f"GET /healthz HTTP/1.1\r\n{HOST}X-Long: ")
        assert client.flood(b"a" * 16_384, 200_000_000) < 20_000_000
    assert is_alive(web)


def test_a_websocket_upgrade_with_a_long_header_is_refused(web: Web) -> None:
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n"
    got = request(web, f"GET /v1/inbox/live HTTP/1.1\r\n{HOST}{upgrade}X-Long: {'a' * 9_000}\r\n\r\n")
    assert (got.status, got.body["code"]) == (431, "headers_too_large")


@pytest.mark.parametrize(
    "begin", ["GET /healthz HTTP/1.1\r\nX-Slow: ", "GET /heal", f"GET /healthz HTTP/1.1\r\n{HOST}"]
)
def test_headers_that_drip_are_cut_off(web: Web, begin: str) -> None:
    with Raw(web) as client:
        client.send(begin)
        with Dripping(client):
            got = client.receive()
            assert (got.status, got.body["code"]) == (408, "too_slow")
            assert client.is_closed()


@pytest.mark.parametrize("byte", [b"", b"\r\n"])
def test_a_connection_without_a_request_is_closed(web: Web, byte: bytes) -> None:
    with Raw(web) as client, Dripping(client, byte):
        assert client.is_closed()


@pytest.mark.parametrize("byte", [b"", b"\r\n", b"G"])
def test_a_connection_that_is_idle_after_a_request_is_closed(web: Web, byte: bytes) -> None:
    with Raw(web) as client:
        client.send(f"GET /healthz HTTP/1.1\r\n{HOST}\r\n")
        assert client.receive().status == 200
        with Dripping(client, byte):
            assert client.is_closed()


def test_a_connection_serves_many_requests_and_pauses_between_them(web: Web) -> None:
    with Raw(web) as client:
        for _ in range(5):
            client.send("GET /healthz HTTP/1.1\r\n")
            client.send(f"{HOST}\r\n")
            assert client.receive().status == 200


def test_pipelined_requests_are_answered_in_order_and_are_limited(web: Web) -> None:
    one = f"GET /healthz HTTP/1.1\r\n{HOST}\r\n"
    with Raw(web) as client:
        client.send(one * 5)
        received = b""
        while received.count(b'{"status": "ok"}') < 5:
            received += client.socket.recv(65_536)
        assert received.count(b"HTTP/1.1 200 OK") == 5
    with Raw(web) as client:
        client.send(one * 5_000)
        assert client.is_closed()
    assert is_alive(web)


def test_a_trailer_does_not_become_a_header(web: Web) -> None:
    chunked = f"POST /v1/notifications HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n"
    got = request(web, f"{chunked}Authorization: Bearer nk_live_x\r\n\r\n")
    assert (got.status, got.body["detail"]) == (401, "Authentication credentials were not provided.")
