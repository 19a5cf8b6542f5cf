"""Sockets without a hello: refused above a number, so that they hold little memory, and others are served meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from inbox.hello_limit import MAX_WITHOUT_HELLO, MAX_WITHOUT_HELLO_PER_ADDRESS
from inbox.tokens import mint
from tenants.models import Recipient
from tests.fixtures import People
from tests.inbox.web import Socket, Web
from tests.web.raw import HOST, Raw, alive, new_address

pytestmark = pytest.mark.django_db(transaction=True)

HEAD_SECONDS = 3.0  #: of tests.web.short_clocks
UPGRADE = (
    f"GET /v1/inbox/live HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


@pytest.fixture
def dora(people: People) -> Recipient:
    return Recipient.objects.create(tenant=people.acme, external_id="dora", name="Dora")


@pytest.fixture(scope="module")
def roomy(django_db_setup: None) -> Iterator[Web]:
    """Its connections are not what runs out."""
    server = Web(app="tests.web.short_clocks:application", WEB_MAX_CONNECTIONS="5000")
    yield server
    server.stop()


def resident(web: Web) -> int:
    """Bytes of memory of the web process."""
    with open(f"/proc/{web.process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def test_1500_silent_sockets_are_refused_above_a_number_and_hold_little(roomy: Web, dora: Recipient) -> None:
    assert alive(roomy)
    before = resident(roomy)
    with ExitStack() as held:
        clients = [held.enter_context(Raw(roomy)) for _ in range(1500)]
        for client in clients:
            client.say(UPGRADE)
        statuses = [client.wire.recv(12) for client in clients]
        assert set(statuses) == {b"HTTP/1.1 101", b"HTTP/1.1 503"}
        # on a slow machine the server has let the first ones go, and taken others, before the last one came
        opened = [client for client, status in zip(clients, statuses, strict=True) if status.endswith(b"101")]
        assert sum(not client.is_closed(0.001) for client in opened) < MAX_WITHOUT_HELLO + 100
        assert resident(roomy) - before < 40_000_000
        assert alive(roomy)
    # they are gone: there is room again
    assert opens(roomy, new_address())
    with Socket(roomy, mint(dora)[0]) as inbox:
        inbox.hear("ready")


def test_an_address_has_so_many_silent_sockets_and_another_its_own(web: Web) -> None:
    address = new_address()
    with ExitStack() as held:
        clients = [held.enter_context(Raw(web, address)) for _ in range(MAX_WITHOUT_HELLO_PER_ADDRESS)]
        # connections have a limit of their own, which is no higher in this process
        for client in clients[:-1]:
            client.say(UPGRADE)
            assert client.wire.recv(12) == b"HTTP/1.1 101"
        assert opens(web, new_address())


def test_who_has_said_hello_counts_as_silent_no_longer(roomy: Web, dora: Recipient) -> None:
    token = mint(dora)[0]
    with ExitStack() as held:
        for _ in range(MAX_WITHOUT_HELLO_PER_ADDRESS // 2 - 1):
            held.enter_context(Socket(roomy, token)).hear("ready")
        clients = [held.enter_context(Raw(roomy, "127.0.0.1")) for _ in range(MAX_WITHOUT_HELLO_PER_ADDRESS + 1)]
        heard = []
        for client in clients:
            client.say(UPGRADE)
            heard.append(client.wire.recv(12))
        assert heard == [b"HTTP/1.1 101"] * MAX_WITHOUT_HELLO_PER_ADDRESS + [b"HTTP/1.1 503"]


def opens(web: Web, address: str) -> bool:
    for _ in range(1000):
        with Raw(web, address) as client:
            client.say(UPGRADE)
            if client.wire.recv(12) == b"HTTP/1.1 101":
                return True
    return False


def test_an_open_socket_outlives_the_time_that_a_head_has(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0], after_seq=0) as inbox:
        opened = time.monotonic()
        while time.monotonic() < opened + 2 * HEAD_SECONDS:
            inbox.say(type="ping")
            inbox.hear("pong")
            time.sleep(0.2)
