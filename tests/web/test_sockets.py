"""Sockets without a hello are limited, so they hold little memory, and other clients are served meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import orjson
import pytest
from websockets.frames import Frame, Opcode

from inbox.tokens import mint
from notifier.web.protocols.unverified_sockets import MAX_UNVERIFIED, MAX_UNVERIFIED_PER_ADDRESS, RETRY_AFTER
from tenants.models import Recipient
from tests.fixtures import People
from tests.inbox.conftest import message, send
from tests.inbox.web import Socket, Web
from tests.web.raw import HOST, Raw, is_alive, new_address, request

pytestmark = pytest.mark.django_db(transaction=True)

HEAD_SECONDS = 3.0  #: as in tests.web.short_clocks
UPGRADE = (
    f"GET /v1/inbox/live HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
#: the first byte of a frame: a whole text, or the end of the socket
TEXT, CLOSE = b"\x81", b"\x88"


@pytest.fixture
def dora(people: People) -> Recipient:
    return Recipient.objects.create(tenant=people.acme, external_id="dora", name="Dora")


@pytest.fixture(scope="module")
def roomy(django_db_setup: None) -> Iterator[Web]:
    """A web process with so many connections that only the sockets without a hello are limited."""
    server = Web(app="tests.web.short_clocks:application", WEB_MAX_CONNECTIONS="5000")
    yield server
    server.stop()


#: by so much a socket without a hello makes the process larger: 400 made it 12.9 MB larger. The socket holds 20 KB
#: (notifier/web/protocols/unverified_sockets.py); the rest are modules and pages of memory that the first requests take
SOCKET_BYTES = 32_000


def resident(web: Web, name: str = "VmRSS") -> int:
    """Bytes of memory of the web process; `VmHWM` for the most that it had."""
    with open(f"/proc/{web.process.pid}/status") as status:
        line = next(line for line in status if line.startswith(name))
    return int(line.split()[1]) * 1024


def test_sockets_without_a_hello_hold_the_memory_of_those_that_the_limit_allows(roomy: Web) -> None:
    """One after another, and first in this process: 1,500 requests at once take the memory of 1,500 requests, whatever
    their answers are."""
    assert is_alive(roomy)
    before = resident(roomy)
    with ExitStack() as stack:
        for _ in range(4 * MAX_UNVERIFIED):
            client = stack.enter_context(Raw(roomy))
            client.send(UPGRADE)
            assert client.socket.recv(12) in (b"HTTP/1.1 101", b"HTTP/1.1 503")
        # twice what the limit admits; without the limit it is four times as much
        assert resident(roomy) - before < 2 * MAX_UNVERIFIED * SOCKET_BYTES


def test_of_1500_sockets_without_a_hello_most_are_refused_and_others_are_served(roomy: Web, dora: Recipient) -> None:
    assert is_alive(roomy)
    with ExitStack() as stack:
        clients = []
        for _ in range(1500):
            clients.append(stack.enter_context(Raw(roomy)))
            clients[-1].send(UPGRADE)  # at once: the headers have three seconds
        statuses = [client.socket.recv(12) for client in clients]
        assert set(statuses) == {b"HTTP/1.1 101", b"HTTP/1.1 503"}
        # on a slow machine, the server has closed the first sockets and accepted others before the last one came
        opened = [client for client, status in zip(clients, statuses, strict=True) if status.endswith(b"101")]
        assert sum(not client.is_closed(0.001) for client in opened) < MAX_UNVERIFIED + 100
        assert is_alive(roomy)
    # the sockets are closed, so a new one is accepted
    assert opens(roomy, new_address())
    with Socket(roomy, mint(dora)[0]) as inbox:
        inbox.receive("ready")


def test_a_hundred_hellos_of_one_inbox_hold_the_memory_of_the_sockets_that_it_may_have(
    roomy: Web, dora: Recipient
) -> None:
    """Each client missed 4 MB. The process held 400 MB more when it read them for every hello."""
    for _ in range(10):
        send(*[message(dora, "large", body="x" * 40_000) for _ in range(10)])
    hello = text_frame({"type": "hello", "token": mint(dora)[0], "after_seq": 0})
    with ExitStack() as stack:
        clients = [stack.enter_context(Raw(roomy)) for _ in range(100)]
        for client in clients:
            client.send(UPGRADE)
            assert upgraded(client)
        before = resident(roomy)
        Path(f"/proc/{roomy.process.pid}/clear_refs").write_text("5")  # the peak begins anew
        for client in clients:
            client.send(hello)
        kinds = [client.socket.recv(1) for client in clients]
        assert (kinds.count(TEXT), kinds.count(CLOSE)) == (20, 80)
        assert resident(roomy, "VmHWM") - before < 150_000_000
        assert is_alive(roomy)


def test_sockets_leave_connections_for_requests(django_db_setup: None) -> None:
    server = Web(app="tests.web.short_clocks:application", WEB_MAX_CONNECTIONS="100")
    with closing(server), ExitStack() as stack:
        clients = [stack.enter_context(Raw(server)) for _ in range(90)]
        for client in clients:
            client.send(UPGRADE)
            assert client.socket.recv(12) == b"HTTP/1.1 101"
        refused = request(server, UPGRADE)
        assert (refused.status, refused.body["code"]) == (503, "too_many_sockets")
        assert int(refused.headers["retry-after"]) > 0
        # more connections than are left: those without a request make room
        idle = [stack.enter_context(Raw(server)) for _ in range(20)]
        assert is_alive(server)
        assert idle[0].is_closed()
        clients[0].close()
        assert opens(server, new_address())


def test_an_address_has_a_limit_of_sockets_without_a_hello_and_another_address_its_own(web: Web) -> None:
    address = new_address()
    with ExitStack() as stack:
        clients = [stack.enter_context(Raw(web, address)) for _ in range(MAX_UNVERIFIED_PER_ADDRESS)]
        # connections have their own limit, which is the same in this process
        for client in clients[:-1]:
            client.send(UPGRADE)
            assert client.socket.recv(12) == b"HTTP/1.1 101"
        assert opens(web, new_address())


def test_a_socket_that_has_said_hello_is_no_longer_limited(roomy: Web, dora: Recipient) -> None:
    token = mint(dora)[0]
    with ExitStack() as stack:
        for _ in range(MAX_UNVERIFIED_PER_ADDRESS // 2 - 1):
            stack.enter_context(Socket(roomy, token)).receive("ready")
        clients = [stack.enter_context(Raw(roomy, "127.0.0.1")) for _ in range(MAX_UNVERIFIED_PER_ADDRESS + 1)]
        status_lines = []
        for client in clients:
            client.send(UPGRADE)
            status_lines.append(client.socket.recv(12))
        assert status_lines == [b"HTTP/1.1 101"] * MAX_UNVERIFIED_PER_ADDRESS + [b"HTTP/1.1 503"]


def test_a_refused_handshake_says_when_to_come_again(roomy: Web) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Raw(roomy, "127.0.0.1")) for _ in range(MAX_UNVERIFIED_PER_ADDRESS + 1)]
        for client in clients:
            client.send(UPGRADE)
        for client in clients[:-1]:
            assert client.socket.recv(12) == b"HTTP/1.1 101"
        answer = clients[-1].socket.recv(2_000).decode()
        head, _, document = answer.partition("\r\n\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
        assert head.startswith("HTTP/1.1 503")
        assert int(headers["retry-after"]) in range(RETRY_AFTER[0], RETRY_AFTER[1] + 1)
        assert orjson.loads(document)["code"] == "too_many_sockets"


def text_frame(content: dict[str, object]) -> bytes:
    """A text frame as a client sends it."""
    return Frame(Opcode.TEXT, orjson.dumps(content)).serialize(mask=True)


def upgraded(client: Raw) -> bool:
    """Whether the server opens the socket. Reads the headers of its answer."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.socket.recv(1)
    return head.startswith(b"HTTP/1.1 101")


def opens(web: Web, address: str) -> bool:
    """Whether a socket can be opened, after some tries."""
    for _ in range(1000):
        with Raw(web, address) as client:
            client.send(UPGRADE)
            if client.socket.recv(12) == b"HTTP/1.1 101":
                return True
    return False


def test_an_open_socket_outlives_the_time_limit_of_headers(web: Web, dora: Recipient) -> None:
    with Socket(web, mint(dora)[0], after_seq=0) as inbox:
        opened = time.monotonic()
        while time.monotonic() < opened + 2 * HEAD_SECONDS:
            inbox.send(type="ping")
            inbox.receive("pong")
            time.sleep(0.2)
