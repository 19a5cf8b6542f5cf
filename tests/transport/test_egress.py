"""Connections go to public addresses, and to internal ones that the operator allows."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from django.conf import settings

from notifier.transport import egress
from notifier.transport.curl.client import CurlClient
from notifier.transport.h2.client import Http2Client
from notifier.transport.smtp.client import SmtpClient
from notifier.values.internal_addresses import is_internal, parse_networks
from notifier.vocabulary.http import HttpClient, Request, TransportError


@pytest.fixture(autouse=True)
def nothing_allowed() -> Iterator[None]:
    egress.allow([])
    yield
    egress.allow(settings.INTERNAL_HOSTS)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.0.8", "192.88.99.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1",
        "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "fec0::1", "5f00::1",
        "ff02::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_internal_addresses(address: str) -> None:
    assert is_internal(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "142.250.1.26", "2a00:1450:4013::1a", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert not is_internal(address)


@pytest.mark.parametrize(
    ("address", "allowed", "internal"),
    [
        ("10.0.0.25", "10.0.0.25", False),
        ("10.0.0.26", "10.0.0.25", True),
        ("192.168.7.9", "10.0.0.0/8,192.168.7.0/24", False),
        ("::ffff:10.0.0.25", "10.0.0.0/8", False),
        ("fd00::9", "10.0.0.0/8", True),
        ("fd00::9", "fd00::/8", False),
    ],
)
def test_the_operator_allows_networks(address: str, allowed: str, internal: bool) -> None:
    assert is_internal(address, parse_networks(allowed.split(","))) is internal


#: what getaddrinfo turns into 127.0.0.1, too
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]"])
def test_no_client_connects_to_an_internal_host(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        path = f"smtp://{host}:{port}/a@x.example%20b@y.example"
        mail = Request("MAIL", path, (("security", "none"),), b"Hello\r\n", 30)
        call = Request("POST", f"https://{host}:{port}/x", (), b"{}", 30)
        clients: list[tuple[HttpClient, Request]] = [(SmtpClient(), mail), (Http2Client(), call), (CurlClient(), call)]
        for client, request in clients:
            [(_, answer)] = next(iter(client.exchange([request])))
            assert isinstance(answer, TransportError) and not answer.begun, client
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
